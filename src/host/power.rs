//! What the machine runs on, and what of its own wants a restart. The executor asks once a step; the gates judge it.

use super::sys;
use crate::clock::Wall;
use crate::text::SafeText;
use std::time::SystemTime;

/// What a machine runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// The mains, or it has no battery at all.
    Mains,
    /// A battery, with what is known of it: `BAT0 discharging, 41%`.
    Battery(SafeText),
    /// It has a battery and does not say; why.
    Unknown(SafeText),
}

/// What the machine says of its own state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// When it started, by the wall clock as it stands now; None: cannot be known.
    pub started: Option<Wall>,
    /// What it runs on.
    pub power: Power,
    /// What else wants a restart, in words: evidence only, never a reason of its own.
    pub restart_wanted: Option<SafeText>,
    /// The operating system's own name, e.g. `debian`; None: it does not say.
    pub os: Option<SafeText>,
    /// Its version, e.g. `13`; None: it does not say.
    pub os_version: Option<SafeText>,
}

impl HostFacts {
    /// Of a machine with nothing in the way of a run, for simulations.
    pub fn quiet(started: Option<Wall>) -> HostFacts {
        HostFacts { started, power: Power::Mains, restart_wanted: None, os: None, os_version: None }
    }

    /// Of this machine now; the caller knows the clocks, and so when it started.
    pub fn now(started: Option<Wall>) -> HostFacts {
        let (os, os_version) = sys::facts::system();
        let said = |text: String| Some(SafeText::new(&text)).filter(|text| !text.is_empty());
        HostFacts {
            started,
            power: sys::power::source(),
            restart_wanted: restart_wanted(),
            os: os.and_then(said),
            os_version: os_version.and_then(said),
        }
    }
}

/// What of the system itself wants a restart, in words; None: nothing says so. No reason for pcm to do anything.
pub fn restart_wanted() -> Option<SafeText> {
    sys::power::restart_wanted()
}

/// When the system last wrote down that it wants a restart; None: it keeps no such note, or wants none. Another answer
/// than before means that something has asked for one in between.
pub fn restart_note() -> Option<SystemTime> {
    sys::power::restart_note()
}

/// The command that restarts this machine: program and arguments.
pub fn restart_command() -> Vec<String> {
    sys::power::restart_command()
}
