//! What can be seen of the runs that the history calls open, and for how long they have been under way, whatever was done
//! to the wall clock.

use super::Known;
use crate::clock::Wall;
use crate::executor::history::AttemptRow;
use crate::executor::run::attempt::{Found, Recovery, recover};
use crate::executor::run::outcome::ExitRecord;
use chrono::TimeDelta;
use std::io;
use std::time::Duration;

/// A wall clock is corrected by less than this all the time.
const CORRECTION: TimeDelta = TimeDelta::seconds(2);

impl Known {
    /// Whether an attempt has ended that nobody has recorded yet.
    pub fn has_unrecorded_end(&self) -> bool {
        self.under_way().any(|row| self.find_run(row).is_ok_and(|found| recover(found) != Recovery::Adopt))
    }

    /// What is left of a run. The folder says it, and where a package has deleted that, the history.
    pub(in super::super) fn find_run(&self, row: &AttemptRow) -> io::Result<Found<ExitRecord>> {
        let mut found = self.world.find_run(&row.run(), row.host.as_deref())?;
        found.started |= row.attempt.started_at.is_some();
        Ok(found)
    }

    /// For how long a run has been under way.
    pub(in super::super) fn has_run(&self, row: &AttemptRow, now: Wall) -> Duration {
        match row.started_up_ms.filter(|_| row.attempt.boot_id == self.world.boot_id()) {
            Some(up) => self.world.monotonic().0.saturating_sub(Duration::from_millis(up)),
            None => {
                let started = row.attempt.started_at.unwrap_or(row.attempt.claimed_at);
                (now - started).to_std().unwrap_or_default()
            }
        }
    }

    /// The clock may have been set since a run was launched: when that was is said by the clock of now, so that every
    /// view that counts from it counts right.
    pub(super) fn keep_start(&mut self, now: Wall) {
        let Some(row) = self.running() else { return };
        let (request, number) = (row.request, row.attempt.number);
        let Some(shown) = row.attempt.started_at else { return };
        let Some(started) = TimeDelta::from_std(self.has_run(row, now)).ok().map(|ran| now - ran) else {
            return;
        };
        if (started - shown).abs() < CORRECTION {
            return;
        }
        self.snapshot.show_start(request, number, started);
    }
}
