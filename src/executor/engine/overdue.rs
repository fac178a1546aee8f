//! How long a run has been under way, whatever was done to the wall clock, and what becomes of one whose run host does not
//! end it: somebody stopped the host, or it hangs. The machine must not be busy with it for ever.

use super::Engine;
use crate::clock::{Monotonic, Wall};
use crate::executor::history::{AttemptRow, ResultRow};
use crate::executor::run::outcome;
use crate::terms::State;
use chrono::TimeDelta;
use std::time::Duration;

/// A run host that has not ended its run for so long is let go on, in case that it was stopped.
const WAKE: Duration = Duration::from_secs(10);
/// One that has still not ended it is ended, with its run: the grace of the run host, and as long again.
const END: Duration = Duration::from_secs(30);
/// A wall clock is corrected by less than this all the time.
const CORRECTION: TimeDelta = TimeDelta::seconds(2);

/// A run that ought to have ended.
#[derive(Debug)]
pub(super) struct Overdue {
    run: String,
    /// When that was first seen here.
    since: Monotonic,
    woken: bool,
    /// The executor has ended its run host, and will record why.
    ended: bool,
}

impl Engine {
    /// For how long a run has been under way.
    pub(super) fn has_run(&self, row: &AttemptRow, now: Wall) -> Duration {
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
        let snapshot = &mut *self.snapshot;
        let rows =
            snapshot.attempts.iter_mut().filter(|row| row.request == request).map(|row| &mut row.attempt);
        let seen = snapshot.view.attempts.get_mut(&request).into_iter().flatten();
        for attempt in rows.chain(seen).filter(|attempt| attempt.number == number) {
            attempt.started_at = Some(started);
        }
    }

    /// Sees to it that a run ends that is past its time limit, or that an operator wants to end. That is its run host's
    /// work, which knows more of it; here it is done only where that does not.
    pub(super) fn press(&mut self, row: &AttemptRow, now: Wall) {
        let limit = Duration::from_secs(row.max_run_time_s);
        if row.attempt.state != State::Stopping && self.has_run(row, now) < limit {
            self.overdue = None;
            return;
        }
        let (run, mono) = (row.run(), self.world.monotonic());
        let known = self.overdue.take().filter(|overdue| overdue.run == run);
        let mut overdue = known.unwrap_or(Overdue { run, since: mono, woken: false, ended: false });
        let waited = mono.since(overdue.since);
        if waited >= WAKE && !overdue.woken {
            overdue.woken = true;
            if self.world.wake_host(&overdue.run, row.host.as_ref()) {
                let line = format!("{}: its run host was stopped by somebody; it is let go on", overdue.run);
                self.journal.warning(now, &line);
            }
        }
        if waited >= END && self.world.end_host(&overdue.run, row.host.as_ref()) {
            overdue.ended = true;
            let line = format!("{}: its run host does not end it; both are ended", overdue.run);
            self.journal.error(now, &line);
        }
        self.overdue = Some(overdue);
    }

    /// What is known of a run whose run host was ended here.
    pub(super) fn pressed(&self, row: &AttemptRow, now: Wall) -> Option<ResultRow> {
        self.overdue.as_ref().filter(|overdue| overdue.ended && overdue.run == row.run())?;
        let ran = crate::text::duration(self.has_run(row, now));
        let (state, why) = match row.attempt.state {
            State::Stopping => (State::Stopped, "stopped"),
            _ => (State::TimedOut, "ended by its time limit"),
        };
        Some(ResultRow {
            state,
            retry_at: None,
            started_at: row.attempt.started_at,
            ended_at: Some(now),
            exit_code: None,
            result: outcome::short(&format!("{why} after {ran}; its run host did not do it")),
        })
    }
}
