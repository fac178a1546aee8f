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
pub use spawn::{ignore_hangups, spawn_detached};
pub use tree::{Tree, descendants, kill_until_none};

use super::proc;

/// In clock ticks since boot; None for what is dead, even if nobody has reaped it.
pub fn start_time(pid: u32) -> Option<u64> {
    proc::stat(pid).filter(|s| !s.is_dead()).map(|s| s.start_time)
}
