//! What the run host sees of the tree that it owns while it waits for its end, and leaves in the run's folder for the
//! executor.

use super::run_folder::RunFolder;
use crate::host::facts;
use crate::host::process::{Process, Tree};
use std::time::Duration;

/// A look at a large tree takes its time: there are this many times as long between two of them.
const REST: u32 = 20;

/// The looks so far.
#[derive(Debug, Default)]
pub struct Lookout {
    /// What the folder says.
    seen: Vec<Process>,
    next_list: Duration,
}

impl Lookout {
    /// Looks, if it is time; `ran` is the time since the launch. What cannot be written is written with the next look.
    pub fn look(&mut self, folder: &RunFolder, tree: &Tree, ran: Duration) {
        if tree.is_open() && ran >= self.next_list {
            let clock = facts::monotonic();
            self.list(folder, tree);
            self.next_list = ran + facts::monotonic().since(clock) * REST;
        }
    }

    /// Keeps a list of what would be an orphan without a trace if this process were killed.
    fn list(&mut self, folder: &RunFolder, tree: &Tree) {
        let mut seen = tree.processes();
        seen.sort_unstable();
        if seen != self.seen && folder.write_seen(&seen).is_ok() {
            self.seen = seen;
        }
    }
}
