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
    /// Where a package of the system puts the same; the file above counts before these.
    pub packaged: Vec<PathBuf>,
    /// What is there when it is started with the machine.
    pub enabled: PathBuf,
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
    /// Somebody keeps it from being started at all.
    Masked {
        /// The file that does.
        file: PathBuf,
        /// The command that ends that.
        unmask: String,
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
    if let Some(file) = wanted.masked() {
        let unmask = sys::supervisor::unmask(&file);
        return Registered::Masked { file, unmask };
    }
    let Some(file) = wanted.stands() else { return Registered::No };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Registered::No,
        Err(e) => return Registered::Unknown(format!("{}: {e}", file.display())),
    };
    let starts = start_of(&text);
    if starts != start_of(&wanted.text) {
        return Registered::Otherwise { file, starts };
    }
    if wanted.enabled.symlink_metadata().is_ok() {
        Registered::Yes { file }
    } else {
        Registered::Disabled { file }
    }
}

/// The command that ends the mask that this file is ([`Registration::masked`]).
pub fn unmask(mask: &Path) -> String {
    sys::supervisor::unmask(mask)
}

/// The line that says what is started.
fn start_of(text: &str) -> String {
    text.lines().find(|line| line.starts_with(START)).unwrap_or_default().to_owned()
}

/// What the line begins with that says what is started.
const START: &str = "ExecStart=";

impl Registration {
    /// The file that the system reads: this one, or that of a package. None: there is neither.
    pub fn stands(&self) -> Option<PathBuf> {
        // What cannot be looked at is there for all that is known.
        let there = |path: &&PathBuf| match path.symlink_metadata() {
            Ok(_) => true,
            Err(e) => e.kind() != std::io::ErrorKind::NotFound,
        };
        std::iter::once(&self.file).chain(&self.packaged).find(there).cloned()
    }

    /// The file by which somebody keeps it from being started at all: the one that counts is a link to nothing, or empty.
    pub fn masked(&self) -> Option<PathBuf> {
        let is_mask =
            |path: &PathBuf| std::fs::metadata(path).is_ok_and(|found| !found.is_dir() && found.len() == 0);
        self.stands().filter(is_mask)
    }

    /// The file of a package that starts this very installation, where no other file counts before it.
    pub fn of_package(&self) -> Option<PathBuf> {
        let file = self.stands().filter(|file| *file != self.file)?;
        let text = std::fs::read_to_string(&file).ok()?;
        (start_of(&text) == start_of(&self.text)).then_some(file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(folder: &Path) -> Registration {
        Registration {
            file: folder.join("pcm.service"),
            text: "[Service]\nExecStart=/usr/bin/pcm service run\nRestart=always\n".to_owned(),
            packaged: vec![folder.join("lib/pcm.service")],
            enabled: folder.join("wants/pcm.service"),
            enable: Vec::new(),
            disable: Vec::new(),
        }
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

    #[test]
    fn what_is_wanted_by_the_usual_target_is_started_with_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = wanted(dir.path());
        std::fs::write(&wanted.file, &wanted.text).unwrap();
        std::fs::create_dir(dir.path().join("wants")).unwrap();
        std::fs::write(&wanted.enabled, "").unwrap();
        assert_eq!(registered(&wanted), Registered::Yes { file: wanted.file.clone() });
    }

    #[test]
    fn the_file_of_a_package_counts_where_there_is_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = wanted(dir.path());
        let package = wanted.packaged[0].clone();
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        std::fs::write(&package, &wanted.text).unwrap();
        assert_eq!(registered(&wanted), Registered::Disabled { file: package.clone() });
        assert_eq!(wanted.of_package(), Some(package.clone()));
        // An administrator's own file counts before it, whatever it starts.
        std::fs::write(&wanted.file, wanted.text.replace("/usr/bin", "/opt")).unwrap();
        assert_eq!(wanted.stands(), Some(wanted.file.clone()));
        assert_eq!(wanted.of_package(), None);
        // Nor is one that masks it anybody's registration.
        std::fs::write(&wanted.file, "").unwrap();
        let unmask = unmask(&wanted.file);
        assert_eq!(registered(&wanted), Registered::Masked { file: wanted.file.clone(), unmask });
        assert_eq!((wanted.masked(), wanted.of_package()), (Some(wanted.file.clone()), None));
        // A package's file that starts something else is not this installation's.
        std::fs::remove_file(&wanted.file).unwrap();
        std::fs::write(&package, wanted.text.replace("/usr/bin", "/opt")).unwrap();
        assert_eq!((wanted.stands(), wanted.of_package()), (Some(package), None));
    }
}
