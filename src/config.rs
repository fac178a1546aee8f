//! `pcm.toml` (FORMATS.md 9) as typed data. All errors of a file are reported at once, with line numbers; unknown keys
//! are errors here, unlike on the share.

use crate::site::instruction::command::platform_programs;
use crate::site::instruction::parse::Defaults;
use crate::site::trust::TrustMode;
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod read;
mod settings;
mod starter;
mod written;

pub use settings::*;
pub use starter::Starter;

/// Who says how often the instruction file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollingBy {
    /// `polling_interval` of `pcm.toml`.
    Configuration,
    /// `polling_interval` of `PCM.SITE`.
    Site,
    /// Neither.
    Default,
}

impl Config {
    /// Takes what the site file says, for what this machine does not say itself.
    pub fn obey_site(&mut self, polling_interval: Option<Duration>) {
        if self.polling_by != PollingBy::Configuration {
            self.polling_by = polling_interval.map_or(PollingBy::Default, |_| PollingBy::Site);
            self.polling_interval = polling_interval.unwrap_or(Config::default().polling_interval);
        }
    }

    /// The bare program names that may be started: the platform's list, and what `[execute] programs` adds.
    pub fn all_programs(&self) -> Vec<String> {
        let platform = platform_programs(std::env::consts::OS).iter().map(|p| (*p).to_owned());
        let mut all: Vec<String> = Vec::new();
        for program in platform.chain(self.execute.programs.iter().cloned()) {
            if !all.contains(&program) {
                all.push(program);
            }
        }
        all
    }

    /// What holds for requests that do not say it themselves.
    pub fn request_defaults(&self) -> Defaults {
        Defaults {
            max_run_time: self.run.max_run_time,
            programs: self.all_programs(),
            ignore_windows: self.trust.package_ignore_windows,
        }
    }

    /// Whether this machine signs its reports.
    pub fn signs_reports(&self) -> bool {
        let usual = self.trust.mode == TrustMode::Signed || self.trust.host_key.is_some();
        self.report.sign.unwrap_or(usual)
    }

    /// Reads a configuration from its text. `file` is how messages name it.
    ///
    /// # Errors
    /// Every problem of the file, in the order of its lines.
    pub fn parse(text: &str, file: &str) -> Result<Config, Vec<Problem>> {
        read::parse(text.as_bytes(), file)
    }

    /// Reads a configuration from its file.
    ///
    /// # Errors
    /// [`LoadError::Missing`] where there is none; every problem of the file otherwise.
    pub fn load(path: &Path) -> Result<Config, LoadError> {
        let file = path.display().to_string();
        let unreadable = |message: String| {
            LoadError::Bad(vec![Problem::of_file(Code::PolicyUnreadable.as_str(), file.as_str(), message)])
        };
        let opened = match crate::host::open::named(path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::Missing(path.to_owned()));
            }
            Err(e) => return Err(unreadable(format!("cannot be opened: {e}"))),
        };
        let mut bytes = Vec::new();
        let read = opened.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|e| unreadable(format!("cannot be read: {e}")))?;
        if bytes.len() as u64 > MAX_CONFIG_BYTES {
            return Err(unreadable(format!("larger than {MAX_CONFIG_BYTES} bytes")));
        }
        read::parse(&bytes, &file).map_err(LoadError::Bad)
    }
}

/// The largest configuration that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// A configuration that was read again and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// In words, for the log and the gate.
    pub why: SafeText,
    /// What is wrong with the file, each with its place; empty: nothing that stands in it.
    pub problems: Vec<Problem>,
}

impl From<SafeText> for Unusable {
    fn from(why: SafeText) -> Unusable {
        Unusable { why, problems: Vec::new() }
    }
}

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// The file does not exist: this machine is not enrolled.
    Missing(PathBuf),
    /// It exists and cannot be used: every problem of it.
    Bad(Vec<Problem>),
}

impl LoadError {
    /// The problems as they are shown; a missing file is one, too.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            LoadError::Bad(problems) => problems.clone(),
            LoadError::Missing(path) => vec![Problem::of_file(
                Code::PolicyUnreadable.as_str(),
                path.display().to_string(),
                "there is no such file: `pcm init` writes one",
            )],
        }
    }
}

#[cfg(test)]
mod tests;
