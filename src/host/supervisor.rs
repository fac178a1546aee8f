//! Whoever starts and watches the service: told when it is ready, that it makes progress, and that it ends. Nobody may be
//! there; then nothing is told.

use super::sys;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The service answers from now on.
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

/// Whether the supervisor is there to be asked: a container often has its programs and not itself.
pub fn is_running() -> bool {
    sys::supervisor::is_running()
}

/// Whether a service is registered.
pub fn is_registered(registration: &Registration) -> bool {
    Path::new(&registration.file).is_file()
}
