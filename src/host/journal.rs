//! The system's own journal, where the service writes to one (systemd): entries with fields, which `journalctl` finds by
//! them. Behind it is nothing that could be waited for: an entry that is not taken at once is not made, and `PACMAN.LOG`
//! has it all the same.

use super::sys;

/// Makes an entry of these fields. Whether it was taken.
pub fn write(fields: &[(&str, String)]) -> bool {
    sys::journal::write(fields)
}
