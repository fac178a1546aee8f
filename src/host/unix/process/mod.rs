//! Processes on Linux, behind `host::process`: `spawn` starts them, `tree` reaps and ends them, `cgroup` holds them
//! together, `input` sees whether they wait for somebody, `leftovers` finds those of a dead run host.

mod cgroup;
mod input;
mod leftovers;
mod spawn;
#[cfg(test)]
mod tests;
mod tree;

pub use leftovers::{kill_at_once, leftovers, release};
pub use spawn::{act_as, give_up_rights, ignore_hangups, inherits_nothing, leave_no_core, spawn_detached};
pub use tree::{KEEPS_ORPHANS, Tree, descendants, kill_until_none, wake};

use super::{account, proc};
use crate::host::account::Account;
use crate::host::process::Image;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// In clock ticks since boot; None for what is dead, even if nobody has reaped it.
pub fn start_time(pid: u32) -> Option<u64> {
    proc::stat(pid).filter(|s| !s.is_dead()).map(|s| s.start_time)
}

/// By a signal, or by whoever traces it.
pub fn is_stopped(pid: u32) -> bool {
    proc::stat(pid).is_some_and(|s| matches!(s.state, b'T' | b't'))
}

pub fn image(pid: u32) -> io::Result<Image> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    let target = std::fs::read_link(&link)?;
    // So Linux names a file that has no name any more.
    if let Some(path) = target.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        return Ok(Image { path: PathBuf::from(OsStr::from_bytes(path)), replaced: true });
    }
    let same = match (std::fs::metadata(&link), std::fs::metadata(&target)) {
        (Ok(running), Ok(there)) => (running.dev(), running.ino()) == (there.dev(), there.ino()),
        _ => false,
    };
    Ok(Image { path: target, replaced: !same })
}

pub fn account_of(pid: u32) -> Option<Account> {
    let owner = std::fs::metadata(format!("/proc/{pid}")).ok()?;
    Some(account::of_uid(owner.uid(), owner.gid()))
}
