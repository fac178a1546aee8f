//! Whoever starts and watches the service: told when it is ready, that it makes progress, and that it ends. Nobody may be
//! there; then nothing is told.

use super::sys;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The service has made its first step and answers.
pub fn ready() {
    sys::supervisor::notify_ready();
}

/// It has made a step. A supervisor that hears nothing for its time starts it anew (PROMISES.md P16).
pub fn alive() {
    sys::supervisor::notify_alive();
}

/// It ends of its own accord.
pub fn stopping() {
    sys::supervisor::notify_stopping();
}

/// How often [`alive`] has to be said at least, if anybody wants to hear it.
pub fn patience() -> Option<Duration> {
    sys::supervisor::patience()
}

/// What registers a service with the system: a file, its text, and the commands that make the system read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where the system looks for it.
    pub file: PathBuf,
    /// What is in it.
    pub text: String,
    /// Program and arguments, in order.
    pub enable: Vec<Vec<String>>,
    /// The same for the way back.
    pub disable: Vec<Vec<String>>,
}

/// How the system's supervisor is told of a service that `command` starts; None where this system has none that pcm
/// knows.
pub fn registration(command: &[String]) -> Option<Registration> {
    sys::supervisor::registration(command)
}

/// What makes the system run commands again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Files to be written, with their text.
    pub files: Vec<(PathBuf, String)>,
    /// Program and arguments that make the system take them up, in order.
    pub enable: Vec<Vec<String>>,
    /// The same for the way back.
    pub disable: Vec<Vec<String>>,
    /// The system is there to be asked.
    pub runs: bool,
    /// What whoever installs it has to know.
    pub note: Option<String>,
}

/// How the system runs these commands one after the other, again after so many minutes (a part of an hour), as the account
/// that asks. None: nothing says where this account's units belong.
pub fn timer(name: &str, minutes: u32, commands: &[Vec<String>], needs: &[&Path]) -> Option<Timer> {
    sys::supervisor::timer(name, minutes, commands, needs)
}

/// Where such a timer is set up to run: for the machine, for the account that asks, or for one whose home folder this is. None:
/// that cannot be seen on this system.
pub fn timers(name: &str, home: Option<&Path>) -> Option<Vec<PathBuf>> {
    sys::supervisor::timers(name, home)
}

/// Whether the supervisor is there to be asked: a container often has its programs and not itself.
pub fn is_running() -> bool {
    sys::supervisor::is_running()
}

/// What the system's supervisor would start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Nothing.
    No,
    /// This installation.
    Yes {
        /// Where that stands.
        file: PathBuf,
    },
    /// Another one, or this one otherwise than [`registration`] says.
    Otherwise {
        /// Where that stands.
        file: PathBuf,
        /// The line that says what is started.
        starts: String,
    },
    /// It is registered, and not started with the machine.
    Disabled {
        /// Where that stands.
        file: PathBuf,
    },
    /// It cannot be known.
    Unknown(String),
}

/// How a registration stands. Only what is started counts, not the rest of the file, which is the administrator's.
pub fn registered(wanted: &Registration) -> Registered {
    let file = wanted.file.clone();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Registered::No,
        Err(e) => return Registered::Unknown(format!("{}: {e}", file.display())),
    };
    let line = |text: &str| text.lines().find(|l| l.starts_with(START)).unwrap_or_default().to_owned();
    let starts = line(&text);
    if starts != line(&wanted.text) {
        return Registered::Otherwise { file, starts };
    }
    if sys::supervisor::is_enabled(&file) { Registered::Yes { file } } else { Registered::Disabled { file } }
}

/// What the line begins with that says what is started.
const START: &str = "ExecStart=";

/// Whether a service is registered.
pub fn is_registered(registration: &Registration) -> bool {
    Path::new(&registration.file).is_file()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(folder: &Path) -> Registration {
        let text = "[Service]\nExecStart=/usr/bin/pcm service run\nRestart=always\n".to_owned();
        Registration { file: folder.join("pcm.service"), text, enable: Vec::new(), disable: Vec::new() }
    }

    #[test]
    fn only_what_is_started_says_whether_it_is_this_service() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = wanted(dir.path());
        assert_eq!(registered(&wanted), Registered::No);
        std::fs::write(&wanted.file, wanted.text.replace("Restart=always", "Nice=5")).unwrap();
        assert_eq!(registered(&wanted), Registered::Disabled { file: wanted.file.clone() });
        std::fs::write(&wanted.file, wanted.text.replace("/usr/bin", "/opt")).unwrap();
        let starts = "ExecStart=/opt/pcm service run".to_owned();
        assert_eq!(registered(&wanted), Registered::Otherwise { file: wanted.file.clone(), starts });
    }

    #[cfg(unix)]
    #[test]
    fn what_is_wanted_by_the_usual_target_is_started_with_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = wanted(dir.path());
        std::fs::write(&wanted.file, &wanted.text).unwrap();
        std::fs::create_dir(dir.path().join("multi-user.target.wants")).unwrap();
        let link = dir.path().join("multi-user.target.wants/pcm.service");
        std::os::unix::fs::symlink(&wanted.file, link).unwrap();
        assert_eq!(registered(&wanted), Registered::Yes { file: wanted.file.clone() });
    }
}
