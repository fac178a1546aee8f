//! What is done to the history from outside: it is copied, deleted, replaced by an older one, and given up for a new one.

use super::super::store;
use super::Sim;
use crate::executor::history::{InitOutcome, Mark};
use crate::host::paths::Layout;
use std::time::Duration;

/// A history as it was at some time.
pub(super) struct Backup {
    bytes: Vec<u8>,
    events: u64,
    /// Which history.
    epoch: u32,
}

impl Sim<'_> {
    /// A copy of the history, as a backup of the machine would have it.
    pub(super) fn back_up(&mut self) {
        if self.world.lock().lost {
            return;
        }
        let bytes = std::fs::read(self.world.layout.history()).unwrap_or_default();
        let epoch = self.world.lock().epoch;
        self.backup = events(&self.world.layout).map(|events| Backup { bytes, events, epoch });
    }

    /// The history's file is deleted, or replaced by an older one: by another file, or in place.
    pub(super) fn lose_history(&mut self) {
        let file = self.world.layout.history();
        let mark = Mark::read(&self.world.layout.mark()).ok().flatten();
        let how = self.random.below(3);
        let mut inner = self.world.lock();
        if inner.lost {
            return;
        }
        match (&self.backup, how) {
            (Some(Backup { bytes, events, epoch }), 1 | 2) => {
                if how == 1 {
                    let _ = std::fs::remove_file(&file);
                }
                std::fs::write(&file, bytes).unwrap();
                // What is behind by no claim is as good as the newest: the rest is found again in the runs' folders.
                inner.lost = *epoch != inner.epoch || mark.is_none_or(|mark| mark.events > *events);
                let lost = inner.lost;
                inner.note(format!(
                    "history is replaced by one of epoch {epoch} with {events} events, lost: {lost}"
                ));
            }
            _ => {
                let _ = std::fs::remove_file(&file);
                inner.lost = true;
                inner.note("history is deleted".into());
            }
        }
        inner.figures.losses += 1;
        inner.figures.faults += 1;
        inner.tampered += 1;
        let opened = inner.opened;
        drop(inner);
        self.checks.history_replaced(opened);
    }

    /// `pcm init --adopt`: also where the history is healthy, and where the service has not noticed yet that it is not.
    pub(super) fn adopt(&mut self) {
        let lost = self.world.lock().lost;
        if !lost && self.random.chance(75) {
            return;
        }
        if lost && self.random.chance(80) {
            self.pass(Duration::from_secs(65));
        }
        self.world.lock().fault = None;
        let done = self.random.chance(50);
        let adopted = store::adopt(&self.world, done);
        let mut inner = self.world.lock();
        match adopted {
            Ok(InitOutcome::Adopted(..)) => {
                if !std::mem::take(&mut inner.lost) {
                    inner.violation("P4: a healthy history was given up".into());
                }
                inner.figures.adoptions += 1;
                inner.note(format!("adopted as {}", if done { "done" } else { "not done" }));
                drop(inner);
                self.checks.adopted();
            }
            Ok(other) => {
                if inner.lost {
                    inner.violation(format!("P4: a lost history was {other:?}"));
                }
            }
            Err(why) => inner.note(format!("adoption fails: {why}")),
        }
    }
}

/// How many events the history's file holds.
fn events(layout: &Layout) -> Option<u64> {
    let db =
        rusqlite::Connection::open_with_flags(layout.history(), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let count: i64 = db.ok()?.query_row("SELECT COUNT(*) FROM events", [], |row| row.get(0)).ok()?;
    u64::try_from(count).ok()
}
