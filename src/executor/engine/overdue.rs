//! What becomes of a run whose run host does not end it: somebody stopped the host, or it hangs. The machine must not be
//! busy with it for ever.

use super::Executor;
use crate::clock::{Monotonic, Wall};
use crate::executor::history::{AttemptRow, ResultRow};
use crate::executor::run::outcome;
use crate::terms::State;
use std::time::Duration;

/// A run host that has not ended its run for so long is let go on, in case that it was stopped.
const WAKE: Duration = Duration::from_secs(10);
/// One that has still not ended it is ended, with its run: the grace of the run host, and as long again.
const END: Duration = Duration::from_secs(30);

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

impl Executor {
    /// Sees to it that a run ends that is past its time limit, or that an operator wants to end. That is its run host's
    /// work, which knows more of it; here it is done only where that does not.
    pub(super) fn press(&mut self, row: &AttemptRow, now: Wall) {
        let limit = Duration::from_secs(row.max_run_time_s);
        if row.attempt.state != State::Stopping && self.known.has_run(row, now) < limit {
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
        let ran = crate::text::duration(self.known.has_run(row, now));
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
