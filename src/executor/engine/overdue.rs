//! What becomes of a run whose run host does not end it: somebody stopped the host, or it hangs. The machine must not be
//! busy with it for ever.

use super::Executor;
use crate::clock::{Monotonic, Wall};
use crate::executor::history::{AttemptRow, ResultRow};
use crate::executor::run::{outcome, run_host};
use crate::terms::State;
use crate::text::SafeText;
use std::time::Duration;

/// A run host that has not ended its run for so long is let go on, in case that it was stopped.
const WAKE: Duration = Duration::from_secs(10);
/// One that has still not ended it is ended, with its run: the grace of the run host, and as long again.
const END: Duration = Duration::from_secs(30);

/// All processes are looked at, so not more often than that.
const LOOK: Duration = Duration::from_secs(10);
/// Longer than it takes to sync all disks, each within its deadline.
const UNRECORDED: Duration = Duration::from_secs(2 * run_host::SYNC_DEADLINE.as_secs());
/// It is said again after this.
const SAID: Duration = Duration::from_secs(3600);

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

/// A run host that has nothing left to do but to write down how its package ended.
#[derive(Debug)]
pub(super) struct Unrecorded {
    run: String,
    /// When that was first seen here, and last.
    since: Monotonic,
    looked: Monotonic,
}

impl Executor {
    /// Says of a package that has ended that nobody can write down how: its run host tries for a day, and the machine is
    /// busy with it.
    pub(super) fn see_unrecorded(&mut self, row: &AttemptRow, now: Wall) {
        let (run, mono) = (row.run(), self.world.monotonic());
        if self.known.unrecorded.as_ref().is_some_and(|(of, _)| of.as_str() != run) {
            self.known.unrecorded = None;
        }
        let known = self.unrecorded.take().filter(|known| known.run == run);
        if let Some(known) = known.as_ref().filter(|known| mono.since(known.looked) < LOOK) {
            self.unrecorded = Some(Unrecorded { run, ..*known });
            return;
        }
        if known.is_some() && !self.world.only_host(&run, row.host.as_deref()) {
            self.known.unrecorded = None;
            return;
        }
        // The first look only begins to count: a run host that has just started has nothing below it either.
        let known = known.unwrap_or(Unrecorded { run, since: mono, looked: mono });
        if mono.since(known.since) >= UNRECORDED {
            let keep = crate::text::duration(run_host::KEEP);
            let why = format!(
                "{} has ended, and its run host cannot write down how: see whether {} can be written. It tries for {keep} \
                 from its end, then the run counts as interrupted; until then nothing else starts",
                known.run,
                self.known.layout.runs().join(&known.run).display()
            );
            if self.journal.once_in(SAID, &format!("end of {} unrecorded", known.run), now) {
                self.journal.error(now, &why);
            }
            self.known.unrecorded = Some((SafeText::new(&known.run), SafeText::new(&why)));
        }
        self.unrecorded = Some(Unrecorded { looked: mono, ..known });
    }

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
            if self.world.wake_host(&overdue.run, row.host.as_deref()) {
                let line = format!("{}: its run host was stopped by somebody; it is let go on", overdue.run);
                self.journal.warning(now, &line);
            }
        }
        if waited >= END && self.world.end_host(&overdue.run, row.host.as_deref()) {
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
