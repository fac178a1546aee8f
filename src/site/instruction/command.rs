//! Command lines (FORMATS.md 3): a string is split by stated rules, nothing is expanded, and no program outside the
//! package can be named except by a bare name from the machine's own list. Called by the parsers of instruction files,
//! packages and the configuration.

use super::{CommandLine, Program};
use crate::fields::cut;
use crate::text::SafeText;

/// The most arguments.
const MAX_ARGS: usize = 256;
/// The most bytes in all of them.
const MAX_BYTES: usize = 16 << 10;

/// The bare names that may be started on a platform without being configured.
pub fn platform_programs(os: &str) -> &'static [&'static str] {
    match os {
        "windows" => &["msiexec.exe"],
        "linux" => &["dpkg", "rpm", "apt-get", "dnf"],
        _ => &[],
    }
}

/// A command line as people read it: quoted where it has blanks.
pub fn shown(line: &CommandLine) -> SafeText {
    let program = match &line.program {
        Program::InPackage(path) => path,
        Program::Listed(name) => name,
    };
    let mut words = String::new();
    for word in std::iter::once(program).chain(&line.args) {
        if !words.is_empty() {
            words.push(' ');
        }
        if word.is_empty() || word.contains([' ', '\t', '"']) {
            words.push('"');
            words.push_str(&word.replace('"', "\\\""));
            words.push('"');
        } else {
            words.push_str(word);
        }
    }
    SafeText::new(&words)
}

/// A command line from its words, the first of which is the program. `listed` are the bare names that may be started.
///
/// # Errors
/// A sentence that says what is refused.
pub fn command_line(words: Vec<String>, listed: &[String]) -> Result<CommandLine, String> {
    if words.len() > MAX_ARGS + 1 {
        return Err(format!("more than {MAX_ARGS} arguments"));
    }
    if words.iter().map(String::len).sum::<usize>() > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    if let Some(bad) = words.iter().flat_map(|w| w.chars()).find(|c| c.is_control() && *c != '\t') {
        return Err(format!("it contains the control character U+{:04X}", u32::from(bad)));
    }
    let mut words = words.into_iter();
    let first = words.next().ok_or("it names no program")?;
    Ok(CommandLine { program: program(&first, listed)?, args: words.collect() })
}

/// Where a program is: a path inside the package, or a bare name from the list. `./name` is always in the package.
///
/// # Errors
/// A sentence: absolute, with a drive, on another machine, or out of the package.
pub fn program(name: &str, listed: &[String]) -> Result<Program, String> {
    let path = name.replace('\\', "/");
    let shown = cut(name, 60);
    if path.trim().is_empty() {
        return Err("it names no program".into());
    }
    if path.starts_with("//") {
        return Err(format!("{shown:?} is on another machine: the program must be inside the package"));
    }
    if path.starts_with('/') || path.contains(':') {
        return Err(format!(
            "{shown:?} is an absolute path or has a drive: the program must be inside the package"
        ));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
    if parts.contains(&"..") {
        return Err(format!("{shown:?} leaves the package"));
    }
    if parts.is_empty() || parts.contains(&"") {
        return Err(format!("{shown:?} is not the path of a file"));
    }
    let bare = !path.contains('/');
    match listed.iter().find(|l| bare && same_program(l, &path)) {
        Some(listed) => Ok(Program::Listed(listed.clone())),
        None => Ok(Program::InPackage(parts.join("/"))),
    }
}

/// Whether a bare name means this program of the list: without case where the name is a Windows one.
fn same_program(listed: &str, name: &str) -> bool {
    listed == name || (listed.to_ascii_lowercase().ends_with(".exe") && listed.eq_ignore_ascii_case(name))
}

/// Why a name must not be on the list of programs: it is no bare name, or it would run whatever it is told to.
pub fn refuse_listed(name: &str) -> Option<String> {
    const SHELLS: &[&str] = &[
        "sh",
        "bash",
        "rbash",
        "dash",
        "ash",
        "ksh",
        "mksh",
        "zsh",
        "csh",
        "tcsh",
        "fish",
        "busybox",
        "env",
        "cmd",
        "command",
        "powershell",
        "pwsh",
        "wscript",
        "cscript",
        "mshta",
        "wsl",
    ];
    let shown = cut(name, 60);
    let bare = !name.is_empty()
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | ':' | '"'));
    if !bare {
        return Some(format!("{shown:?} is not a bare program name"));
    }
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".exe").or(lower.strip_suffix(".com")).unwrap_or(&lower);
    SHELLS.contains(&stem).then(|| format!("{shown:?} is a shell: packages are started without one"))
}

/// The command line as one string that [`split`](crate::text::split) reads back to the same words; None where no string can say it.
pub fn join(words: &[String]) -> Option<String> {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        // A backslash before a double quote would be eaten, and so would one before the closing quote.
        if word.contains("\\\"") {
            return None;
        }
        let escaped = word.replace('"', "\\\"");
        if word.is_empty() || word.contains([' ', '\t']) {
            if word.ends_with('\\') {
                return None;
            }
            line.push('"');
            line.push_str(&escaped);
            line.push('"');
        } else {
            line.push_str(&escaped);
        }
    }
    Some(line)
}
