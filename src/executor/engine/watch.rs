//! From a package that runs to its recorded end: adopt, recover, judge, record, report. Called at every step, also for
//! what an executor before this one has started.

use super::Executor;
use crate::clock::Wall;
use crate::executor::history::{AttemptRow, ResultRow};
use crate::executor::run::attempt::{self, Recovery};
use crate::executor::run::outcome::{self, EndedBy, ExitRecord};
use crate::executor::talk::view::WAITS_FOR_INPUT;
use crate::site::instruction::Restarts;
use crate::site::mif;
use crate::terms::State;
use crate::text::SafeText;
use std::time::Duration;

/// `Job still running` is said once a minute at most.
pub(super) const STILL_RUNNING: Duration = Duration::from_secs(60);

/// What cannot be recorded is tried again at every step, and said once a minute at most.
const NOT_RECORDED: Duration = Duration::from_secs(60);

/// One attempt to end what a dead run host left; the next look tries again.
const END_DEADLINE: Duration = Duration::from_secs(2);

impl Executor {
    /// Looks after every attempt that has not ended.
    pub fn watch(&mut self, now: Wall) {
        let open: Vec<AttemptRow> = self.known.under_way().cloned().collect();
        if open.is_empty() {
            self.known.unrecorded = None;
        }
        for row in open {
            self.watch_one(&row, now);
        }
        self.report_ends(now);
    }

    fn watch_one(&mut self, row: &AttemptRow, now: Wall) {
        let found = match self.known.find_run(row) {
            Ok(found) => found,
            Err(e) => {
                self.journal.error(now, &format!("{}: what became of it cannot be read yet: {e}", row.run()));
                return;
            }
        };
        let damaged = found.damaged.clone();
        match attempt::recover(found) {
            Recovery::Adopt => {
                self.still_running(row, now);
                self.press(row, now);
                self.see_unrecorded(row, now);
            }
            Recovery::Final(exit) => self.ended(row, &exit, now),
            Recovery::NotLaunched => self.record_not_launched(row, &"its run host never started".into(), now),
            Recovery::EndThenInterrupted => {
                // Stays `busy` until the next look finds nothing alive.
                self.journal
                    .error(now, &format!("{}: its run host is gone; what is left of it is ended", row.run()));
                if !self.world.end_leftovers(&row.run(), row.host.as_deref(), END_DEADLINE) {
                    self.journal.error(now, &format!("{}: something of it still lives", row.run()));
                }
            }
            Recovery::Interrupted => self.interrupted(row, damaged, now),
        }
    }

    /// Says once where the system gives nothing to hold a package together by.
    pub(super) fn say_unheld(&mut self, row: &AttemptRow, now: Wall) {
        if let Some(why) = self.world.unheld(&row.run())
            && self.journal.once_in(Duration::MAX, "no control group", now)
        {
            self.journal.warning(
                now,
                &format!(
                    "A package has no control group of its own here ({why}): what leaves its session and clears its \
                     environment is known to its run host only"
                ),
            );
        }
    }

    fn still_running(&mut self, row: &AttemptRow, now: Wall) {
        if self.journal.once_in(STILL_RUNNING, &row.run(), now) {
            let elapsed = self.known.has_run(row, now);
            self.journal.info(
                now,
                &format!("Job still running ({}, {})", crate::text::duration(elapsed), row.request),
            );
        }
        if let Some(waits) = self.world.waits_for_input(&row.run())
            && self.journal.once_in(Duration::MAX, &format!("{} waits since {}", row.run(), waits.since), now)
        {
            self.journal.warning(
                now,
                &format!(
                    "{} {WAITS_FOR_INPUT}: {}. Its time limit ends it; pcm stop {} ends it now.",
                    row.run(),
                    waits.what,
                    row.request
                ),
            );
        }
    }

    fn interrupted(&mut self, row: &AttemptRow, damaged: Option<SafeText>, now: Wall) {
        self.world.release(&row.run(), row.host.as_deref());
        if let Some(result) = self.pressed(row, now) {
            if self.says_end(row, now) {
                self.journal.error(now, &format!("{}: {}, {}", row.run(), result.state, result.result));
            }
            return self.record_end(row, &result, now);
        }
        let why = match damaged {
            Some(what) => {
                outcome::short(&format!("its exit record is damaged, the outcome is unknown: {what}"))
            }
            None if self.known.unrecorded.as_ref().is_some_and(|(run, _)| run.as_str() == row.run()) => {
                "its run host could not write down how it ended, and has gone; the outcome is unknown".into()
            }
            None if row.attempt.boot_id == self.world.boot_id() => {
                "its run host ended without a word; the outcome is unknown".into()
            }
            None => "the machine restarted while it ran; the outcome is unknown".into(),
        };
        if self.says_end(row, now) {
            self.journal
                .error(now, &format!("{} is interrupted: {why}. It is not repeated by itself.", row.run()));
        }
        let result = ResultRow {
            state: State::Interrupted,
            retry_at: None,
            started_at: row.attempt.started_at,
            ended_at: None,
            exit_code: None,
            result: why,
        };
        self.record_end(row, &result, now);
    }

    fn ended(&mut self, row: &AttemptRow, exit: &ExitRecord, now: Wall) {
        let says = self.world.read_mif(&row.run());
        let judged =
            outcome::judge(exit, &says, &row.exit_codes, row.attempt.number, &self.retry_policy(row));
        let wants_restart =
            judged.state == State::SucceededRestart || row.attempt.restart.restarts != Restarts::No;
        // What an executor records only after the restart is judged as it is now.
        let restart_ahead = wants_restart && row.attempt.boot_id == self.world.boot_id();
        let judged = match row.need.as_deref() {
            Some(need) if judged.state.is_success() => match self.found_after(row, need) {
                Some(found) => outcome::after_a_look(judged, need, &found, restart_ahead),
                // It is being looked at; the next step asks again.
                None => return,
            },
            Some(_) | None => judged,
        };
        // What wants pcm to restart the machine wants it whatever its exit code says of restarts.
        let state = match judged.state {
            State::Succeeded if row.attempt.restart.restarts == Restarts::Pcm => State::SucceededRestart,
            state => state,
        };
        let result = ResultRow {
            state,
            retry_at: judged.retry_at,
            started_at: (exit.ended_by != EndedBy::NeverTold).then_some(exit.started_at),
            ended_at: Some(exit.ended_at),
            exit_code: exit.exit_code,
            result: judged.result,
        };
        if self.says_end(row, now) {
            self.say_ended(row, exit, &result, now);
        }
        self.record_end(row, &result, now);
    }

    fn says_end(&mut self, row: &AttemptRow, now: Wall) -> bool {
        self.journal.once_in(NOT_RECORDED, &format!("end of {}", row.run()), now)
    }

    fn say_ended(&mut self, row: &AttemptRow, exit: &ExitRecord, result: &ResultRow, now: Wall) {
        if let Some(lost) = &exit.not_synced {
            self.journal.warning(now, &format!("{}: not known to survive a power cut: {lost}", row.run()));
        }
        if let Some(wanted) = &exit.restart_wanted {
            self.journal.info(now, &format!("{}: a restart was asked for while it ran: {wanted}", row.run()));
        }
        if let Some(error) = &exit.error {
            self.journal.warning(now, &format!("{}: {error}", row.run()));
        }
        let line = format!("Job completed. {}: {}, {}", row.run(), result.state, result.result);
        if result.state.is_success() { self.journal.info(now, &line) } else { self.journal.error(now, &line) }
    }

    /// History first, then the report: a result that could not be recorded is tried again at the next step.
    pub(super) fn record_end(&mut self, row: &AttemptRow, result: &ResultRow, now: Wall) {
        let Ok(history) = &mut self.history else { return };
        let finished = history.finish(now, row.request, row.attempt.number, result);
        if let Err(e) = self.apply(finished) {
            self.not_written(&format!("The end of {} was not recorded", row.run()), &e, now);
            // It may be there all the same, where only the last sync failed: then it is owed to the share.
            self.owes = true;
            return;
        }
        tracing::info!(run = %row.run(), state = %result.state, result = %result.result, "end");
        self.owes = true;
        // It may have installed or removed what others ask for.
        self.proving = None;
        self.known.want_all_looked_up();
        self.note_states(now);
        self.report_ends(now);
    }

    /// Puts the results of what has ended into the outbox, also those that an executor before this one still owed.
    fn report_ends(&mut self, now: Wall) {
        let Ok(history) = &self.history else { return };
        let Some(machine) = self.known.config().machine.filter(|_| self.owes) else { return };
        let Ok(owed) = history.owed() else { return };
        let mut left = false;
        for (run, at) in owed {
            let Some(row) = self.known.snapshot.run(&run) else { continue };
            let attempt = &row.attempt;
            if !attempt.state.is_terminal() {
                left = true;
                continue;
            }
            self.journal.info(now, &format!("Reporting job status. {run}: {}", attempt.state));
            let text = mif::render(&mif::Result {
                machine,
                request: row.request,
                package: attempt.package.clone(),
                success: attempt.state.is_success(),
                description: SafeText::new(&format!("{}: {}", attempt.state, attempt.result)),
                at,
            });
            let name = format!("{run}.MIF");
            match self.world.put_result(&name, text.as_bytes()) {
                // Put there twice it is the same.
                Ok(()) => left |= self.with_history(|history| history.reported(&run)).is_err(),
                Err(e) => {
                    left = true;
                    if self.journal.once_in(NOT_RECORDED, &name, now) {
                        let line = format!("The result {name} could not be put into the outbox: {e}");
                        self.journal.error(now, &line);
                    }
                }
            }
        }
        self.owes = left;
    }
}
