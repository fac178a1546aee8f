//! The text of a new `pcm.toml`, as `pcm init` and `pcm demo` write it: what is set stands there, everything else is a
//! comment with its default, from the rows of `settings`.

use super::Config;
use super::settings::Setting;
use super::written::{Written, path, paths, string};
use crate::site::ids::MachineId;
use crate::site::trust::TrustMode;
use std::path::PathBuf;

/// What a new configuration says. Everything else stays at its default.
#[derive(Debug, Clone)]
pub struct Starter {
    /// Who this machine is.
    pub machine: MachineId,
    /// Folders, in the order of preference.
    pub shares: Vec<PathBuf>,
    /// What makes a publication believable.
    pub trust: TrustMode,
    /// Where PACMAN.LOG goes; absent: the default.
    pub log_dir: Option<PathBuf>,
    /// `<number>s|m|h|d`; absent: the default.
    pub polling_interval: Option<String>,
    /// e.g. `production`; may be empty.
    pub role: String,
}

const HEAD: &str = "\
# Configuration of the Package Command Manager. A line that begins with # shows the default of a setting, or an example
# where it has none. Durations are a number and s, m, h or d. All errors of this file are reported at once, with lines.
";

/// Where the words behind a setting begin.
const WORDS_AT: usize = 34;

impl Starter {
    /// For one machine on these shares, the rest at its default.
    pub fn new(machine: MachineId, shares: Vec<PathBuf>, trust: TrustMode) -> Self {
        Self { machine, shares, trust, log_dir: None, polling_interval: None, role: String::new() }
    }

    /// The text of the file. `Config::parse` reads it without a problem.
    pub fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for section in Config::sections() {
            text.push('\n');
            match (section.name, section.repeated) {
                ("", _) => {}
                (name, true) => text.push_str(&commented(&format!("# [[{name}]]"), section.words)),
                (name, false) => text.push_str(&commented(&format!("[{name}]"), section.words)),
            }
            for setting in &section.settings {
                text.push_str(&self.line(section.name, setting));
            }
        }
        text
    }

    /// One setting: in force where it is set.
    fn line(&self, section: &str, setting: &Setting) -> String {
        let key = setting.key;
        if let Some(value) = self.set(section, key) {
            return commented(&format!("{key} = {value}"), setting.words);
        }
        let words = match (&setting.default, setting.example) {
            (Some(_), Some(example)) => format!("e.g. {example}: {}", setting.words),
            (Some(_), None) => setting.words.to_owned(),
            (None, _) => format!("example: {}", setting.words),
        };
        let value = setting.default.as_deref().or(setting.example).unwrap_or_default();
        commented(&format!("# {key} = {value}"), &words)
    }

    /// What is set, as TOML.
    fn set(&self, section: &str, key: &str) -> Option<String> {
        match (section, key) {
            ("", "machine") => self.machine.written(),
            ("", "shares") => Some(paths(&self.shares)),
            ("", "polling_interval") => self.polling_interval.as_deref().map(string),
            ("", "role") => Some(string(&self.role)).filter(|_| !self.role.is_empty()),
            ("trust", "mode") => self.trust.written(),
            ("log", "dir") => self.log_dir.as_deref().map(path),
            _ => None,
        }
    }
}

/// A line with words behind it, where they fit, or else above it.
fn commented(line: &str, words: &str) -> String {
    let side_by_side = format!("{line:WORDS_AT$}# {words}");
    if words.is_empty() {
        format!("{line}\n")
    } else if line.len() < WORDS_AT && side_by_side.chars().count() <= 120 {
        format!("{side_by_side}\n")
    } else {
        let mut above = String::new();
        let mut width = 0;
        for word in words.split(' ') {
            if width == 0 || width + 1 + word.chars().count() > 118 {
                above.push_str(if above.is_empty() { "#" } else { "\n#" });
                width = 0;
            }
            above.push(' ');
            above.push_str(word);
            width += 1 + word.chars().count();
        }
        format!("{above}\n{line}\n")
    }
}
