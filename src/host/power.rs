//! What the machine runs on, and what of its own wants a restart. The executor asks once a step; the gates judge it.

use super::sys;
use crate::text::SafeText;

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

/// What the machine runs on now.
pub fn source() -> Power {
    sys::power::source()
}

/// What of the system itself wants a restart, in words; None: nothing says so. No reason for pcm to do anything.
pub fn restart_wanted() -> Option<SafeText> {
    sys::power::restart_wanted()
}

/// The command that restarts this machine: program and arguments.
pub fn restart_command() -> Vec<String> {
    sys::power::restart_command()
}
