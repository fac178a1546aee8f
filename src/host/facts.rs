//! Facts about this machine that gates and records need: clocks, boot, platform, space, zone, file systems.
//! The service and the command line read them here, once a step, and pass them on as values.

use super::sys;
use crate::clock::{Monotonic, System, Wall, Zone, ZoneError};
use crate::terms::Platform;
use crate::text::SafeText;
use std::path::Path;

/// Names this boot of the machine: two equal ones mean that it was not restarted in between.
pub fn boot_id() -> String {
    sys::facts::boot_id()
}

/// Time since the machine started, sleep included.
pub fn monotonic() -> Monotonic {
    Monotonic(sys::facts::since_boot())
}

/// What the wall clock says.
pub fn now() -> Wall {
    System::now()
}

/// Whether the system says that its clock is synchronised; None: it does not say.
pub fn clock_synchronised() -> Option<bool> {
    sys::facts::clock_synchronised()
}

/// What packages must name to run here; None where pcm knows no name for it.
pub fn platform() -> Option<Platform> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some(Platform::LinuxX86_64),
        ("linux", "aarch64") => Some(Platform::LinuxAarch64),
        ("windows", "x86") => Some(Platform::WindowsX86),
        ("windows", "x86_64") => Some(Platform::WindowsX86_64),
        _ => None,
    }
}

/// Bytes free for this account where `path` is or would be made; None where it cannot be known.
pub fn disk_free(path: &Path) -> Option<u64> {
    sys::facts::disk_free(existing(path)?)
}

/// Whether programs may be started where `path` is or would be: not on a file system mounted `noexec`. None where it
/// cannot be known.
pub fn may_execute(path: &Path) -> Option<bool> {
    sys::facts::may_execute(existing(path)?)
}

/// Whether `path` is or would be on a file system that takes no writes at all.
pub fn is_read_only(path: &Path) -> bool {
    existing(path).is_some_and(sys::facts::is_read_only)
}

/// This machine's host name.
pub fn host_name() -> SafeText {
    SafeText::new(&sys::facts::host_name())
}

/// The machine's own zone: what a time without a zone means here (FORMATS.md 3).
///
/// # Errors
/// Where the system names a zone that is not in its zone data, or the data is damaged. It never falls back to UTC.
pub fn local_zone() -> Result<Zone, ZoneError> {
    sys::facts::local_zone()
}

/// The zone that a process of this machine has named: a name, a rule as in `TZ`, or `local` for the system's own.
///
/// # Errors
/// It is unknown here, or its file is damaged.
pub fn machine_zone(name: &str) -> Result<Zone, ZoneError> {
    sys::facts::machine_zone(name)
}

/// A zone by name: `local`, `UTC`, or a name of the system's zone data such as `Europe/Paris`.
///
/// # Errors
/// An unknown or damaged zone.
pub fn zone(name: &str) -> Result<Zone, ZoneError> {
    if name.eq_ignore_ascii_case("local") { local_zone() } else { sys::facts::zone(name) }
}

/// The name of the network file system that `path` is or would be on; None: a local one. State on a network file
/// system is refused (DESIGN.md 6), since its locks and syncs keep no promise.
pub fn is_network_fs(path: &Path) -> Option<String> {
    sys::facts::network_fs(existing(path)?)
}

/// The nearest folder above that exists, or the path itself.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p }).find(|p| p.exists())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_boot_has_one_name_and_its_clock_goes_forward() {
        assert_eq!(boot_id(), boot_id());
        assert!(boot_id().len() >= 8);
        let early = monotonic();
        assert!(monotonic() >= early);
        assert!(early.0.as_millis() > 0);
    }

    #[test]
    fn the_platform_and_the_host_have_names() {
        assert!(platform().is_some());
        assert!(!host_name().is_empty());
    }

    #[test]
    fn free_space_is_known_for_a_folder_that_is_still_to_be_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(disk_free(&dir.path().join("not/yet/there")).unwrap() > 0);
        assert_eq!(is_network_fs(&dir.path().join("not/yet/there")), None);
    }

    #[test]
    fn an_unknown_zone_is_an_error_and_never_utc() {
        assert!(matches!(zone("Atlantis/Capital"), Err(ZoneError::Unknown(_))));
        assert!(zone("../../etc/passwd").is_err());
        assert!(zone("/etc/passwd").is_err());
        assert_eq!(zone("UTC").unwrap().offset_at(now()), 0);
    }
}
