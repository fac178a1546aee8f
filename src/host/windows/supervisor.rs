//! The service control manager, behind `host::supervisor`: pcm does not register with it yet.

use crate::host::supervisor::Registration;
use std::time::Duration;

pub fn notify_ready() {}

pub fn notify_alive() {}

pub fn notify_stopping() {}

pub fn patience() -> Option<Duration> {
    None
}

pub fn is_running() -> bool {
    false
}

pub fn is_enabled(_file: &std::path::Path) -> bool {
    false
}

pub fn registration(_command: &[String]) -> Option<Registration> {
    None
}
