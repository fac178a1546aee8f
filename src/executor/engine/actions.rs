//! What an operator does: judged by the core, written into the audit before and after, carried out here (PROMISES.md 5).

use super::known::{InForce, refused};
use super::launch::{Cause, LaunchError};
use super::{Executor, Verified, history_lost};
use crate::clock::Wall;
use crate::decision::{Hold, Queued, Refusal, RestartVerb, Verb};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::{self, Became, By, CallNote, DeferralRow, Delta, History};
use crate::executor::talk::protocol::{Action, Answer, Change, Reply, outcome_unknown};
use crate::executor::talk::view::AuditEntryDoc;
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::terms::{Refused, State};
use crate::text::SafeText;

/// In the audit: it was carried out.
pub(super) const DONE: &str = "done";
/// In the audit: it waits in the queue.
const QUEUED: &str = "queued";

impl Executor {
    /// Carries out a change, or says what would be done. A poll looks at the share and waits for that; what is launched is
    /// verified first.
    ///
    /// # Errors
    /// The refusal or failure, as it is shown.
    pub fn act(&mut self, change: &Change, actor: &Actor, now: Wall) -> Reply {
        self.act_proven(change, actor, None, now)
    }

    /// The same where the content of what is launched was verified before.
    ///
    /// # Errors
    /// As [`Executor::act`].
    pub fn act_proven(
        &mut self,
        change: &Change,
        actor: &Actor,
        verified: Option<Verified>,
        now: Wall,
    ) -> Reply {
        let done = self.act_recorded(change, actor, verified, now);
        self.told(change, actor, done, now)
    }

    fn act_recorded(
        &mut self,
        change: &Change,
        actor: &Actor,
        verified: Option<Verified>,
        now: Wall,
    ) -> Reply {
        self.known.check_footing()?;
        if change.dry_run {
            self.permit(change, actor, now)?;
            return self.known.would(change, actor, now).map(Answer::DryRun);
        }
        self.permit(change, actor, now)?;
        if let Some(reply) = self.became(change, now) {
            return reply;
        }
        // Only what a user can have is recorded as asked for: the rest is counted.
        if let Some(request) = change.what.for_users().filter(|_| !actor.may_operate)
            && let Err(failure) = self.known.judged_install(request, now)
        {
            return Err(self.refuse_user(change, actor, failure, now));
        }
        self.record(change, actor, "asked", change.id.as_ref().map(CallNote::Begun), now)?;
        self.call.clone_from(&change.id);
        let done = self.perform(change, actor, verified, now);
        self.call = None;
        let done = self.told(change, actor, done, now);
        self.settle(change, actor, done)
    }

    /// What became of a change that was asked for before, by its id; None: it has yet to be carried out.
    pub fn became(&self, change: &Change, now: Wall) -> Option<Reply> {
        let id = change.id.as_ref()?;
        let became = self.history.as_ref().ok()?.became(id);
        let verb = change.what.verb();
        let reply = match became {
            Ok(None) => return None,
            Ok(Some(Became::Answered(reply))) => serde_json::from_str(&reply).unwrap_or_else(|e| {
                Err(outcome_unknown(verb, &format!("its answer is not understood: {e}")))
            }),
            // What was seen or decided before is so: asking twice changes nothing.
            Ok(Some(Became::Taken)) if matches!(change.what, Action::Seen(_) | Action::KeepId { .. }) => {
                return None;
            }
            Ok(Some(Became::Taken)) => self.in_force(change, now),
            // Nothing of it is in force, unless it has left no trace in the history.
            Ok(Some(Became::Begun)) => match change.what {
                Action::Notice | Action::Restart(RestartVerb::Now) => Err(interrupted(verb)),
                Action::Request(..)
                | Action::Install(_)
                | Action::Hold { .. }
                | Action::Unhold
                | Action::Restart(_)
                | Action::Seen(_)
                | Action::Poll
                | Action::AcceptSerial(_)
                | Action::KeepId { .. } => return None,
            },
            Err(e) => Err(outcome_unknown(verb, &e)),
        };
        Some(reply)
    }

    /// The answer to a change that is in force, made anew.
    fn in_force(&self, change: &Change, now: Wall) -> Reply {
        match &change.what {
            Action::Request(request, Verb::Run { .. } | Verb::Rerun { .. }) | Action::Install(request) => {
                let number = self.known.newest_attempt(*request);
                if self.known.queued(*request).is_some() {
                    return Ok(Answer::Run(self.known.queued_result(*request)));
                }
                // It was queued, and taken out since.
                if number == 0 {
                    return Err(interrupted(change.what.verb()));
                }
                Ok(Answer::Run(self.known.run_result(*request, number)))
            }
            Action::Request(request, Verb::Defer { .. } | Verb::Undefer | Verb::Stop) => {
                Ok(Answer::Changed(self.known.changed(*request, now)))
            }
            Action::Hold { .. } | Action::Unhold => Ok(Answer::Hold(self.known.hold_doc())),
            Action::Restart(RestartVerb::Defer(_) | RestartVerb::Cancel) => {
                Ok(Answer::Restart(self.known.restart_doc(now)))
            }
            Action::AcceptSerial(_) => Ok(Answer::Poll(self.known.poll_doc(self.known.in_force()))),
            Action::Restart(RestartVerb::Now)
            | Action::Notice
            | Action::Seen(_)
            | Action::KeepId { .. }
            | Action::Poll => Err(interrupted(change.what.verb())),
        }
    }

    /// Whether a change may be begun at all. It is in the audit then: nothing is done that could not be recorded as asked
    /// for.
    ///
    /// # Errors
    /// The refusal, which is recorded too.
    fn begin(&mut self, change: &Change, actor: &Actor, now: Wall) -> Result<()> {
        self.permit(change, actor, now)?;
        self.record(change, actor, "asked", None, now)
    }

    /// What came of it is recorded.
    fn settle(&mut self, change: &Change, actor: &Actor, done: Reply) -> Reply {
        let now = self.world.now();
        let result = match &done {
            Ok(Answer::Run(doc)) if doc.state == State::Queued => QUEUED,
            Ok(_) => DONE,
            Err(failure) => result_of(&failure.code),
        };
        let note = change
            .id
            .as_ref()
            .and_then(|id| Some(CallNote::Answered(id, serde_json::to_string(&done).ok()?)));
        if let Err(e) = self.record(change, actor, result, note, now) {
            let verb = change.what.verb();
            self.journal.error(now, &format!("The result of {verb} by {} was not recorded: {e}", actor.name));
        }
        self.review_queue(now);
        self.note_states(now);
        done
    }

    /// A poll in the service: the look is somebody else's, and ends with [`Executor::end_poll`].
    ///
    /// # Errors
    /// The refusal.
    pub fn begin_poll(&mut self, poll: &Change, actor: &Actor, now: Wall) -> Result<InForce> {
        self.begin(poll, actor, now)?;
        Ok(self.known.in_force())
    }

    /// The look that was asked for has ended; `before`: what was in force when it was.
    ///
    /// # Errors
    /// The fault of the share.
    pub fn end_poll(&mut self, poll: &Change, actor: &Actor, before: InForce) -> Reply {
        let found = self.polled(before);
        self.settle(poll, actor, found)
    }

    fn permit(&mut self, change: &Change, actor: &Actor, now: Wall) -> Result<()> {
        change.check_reason()?;
        if change.what.for_users().is_some() {
            let may = self.known.may_ask(actor);
            return may.map_err(|failure| self.refuse_user(change, actor, failure, now));
        }
        if actor.may_operate {
            return Ok(());
        }
        let entry = self.refusals.refused(entry(change, actor, "not-permitted", now), self.world.monotonic());
        if let Some(entry) = entry {
            self.record_entry(&entry);
        }
        Err(refused(self.known.not_permitted(actor)))
    }

    /// An entry of the audit.
    fn record(
        &mut self,
        change: &Change,
        actor: &Actor,
        result: &str,
        note: Option<CallNote>,
        now: Wall,
    ) -> Result<()> {
        let history = match (&mut self.history, &change.what) {
            (Ok(history), _) => history,
            // A lost history does not keep anybody from looking at the share.
            (Err(_), Action::Poll) => {
                self.journal.info(now, &format!("{} asked for a poll.", actor.name));
                return Ok(());
            }
            (Err(lost), _) => return Err(history_lost(lost)),
        };
        history.audit(&entry(change, actor, result, now), note.as_ref()).map_err(|e| {
            self.not_written("An entry of the audit was not recorded", &e, now);
            not_recorded(&e.to_string())
        })
    }

    /// What was refused and counted is written, where it is time; all of it at the end of the service.
    pub fn record_refusals(&mut self, all: bool) {
        for entry in self.refusals.due(self.world.monotonic(), all) {
            self.record_entry(&entry);
        }
    }

    /// An entry of the audit about what is so whether or not it can be recorded.
    pub(super) fn record_entry(&mut self, entry: &AuditEntryDoc) {
        if let Ok(history) = &mut self.history
            && let Err(e) = history.audit(entry, None)
        {
            self.not_written("An entry of the audit was not recorded", &e, entry.at);
        }
    }

    fn perform(&mut self, change: &Change, actor: &Actor, verified: Option<Verified>, now: Wall) -> Reply {
        let reason = change.reason.as_ref();
        match &change.what {
            Action::Request(request, verb) => {
                self.request_act((*request, verb), reason, actor, verified, now)
            }
            Action::Install(request) => self.install(*request, actor, verified, now),
            Action::Hold { until, replace } => {
                self.known.judged_hold(*until, replace, reason, now)?;
                let before = self.known.snapshot.view.hold.clone().filter(|hold| now < hold.until);
                let hold = Hold {
                    until: *until,
                    by: actor.name.clone(),
                    reason: reason.cloned().unwrap_or_default(),
                    at: now,
                };
                self.change(|history| history.set_hold(now, Some(&hold), &actor.name))?;
                let until = self.known.local(*until);
                let instead = before.map(|before| {
                    let end = self.known.local(before.until);
                    format!(" (in the place of the hold of {} until {end}: {})", before.by, before.reason)
                });
                let instead = instead.unwrap_or_default();
                let line = format!("Held until {until} by {}: {}{instead}", hold.by, hold.reason);
                self.journal.warning(now, &line);
                Ok(Answer::Hold(self.known.hold_doc()))
            }
            Action::Unhold => {
                if self.known.snapshot.view.hold.is_some() {
                    self.change(|history| history.set_hold(now, None, &actor.name))?;
                    self.journal.info(now, &format!("The hold is ended by {}.", actor.name));
                }
                Ok(Answer::Hold(self.known.hold_doc()))
            }
            Action::Restart(verb) => self.restart_act(*verb, actor, reason, now).map(Answer::Restart),
            Action::Notice => self.tell_for(actor, reason.unwrap_or(&SafeText::EMPTY), now).map(Answer::Told),
            Action::Seen(request) => self.see(*request, actor, now),
            Action::Poll => {
                let before = self.known.in_force();
                self.poll_now();
                self.polled(before)
            }
            Action::AcceptSerial(serial) => self.accept_serial(*serial, actor, now),
            Action::KeepId { done } => self.keep_id(*done, &By::Operator(actor), now),
        }
    }

    fn request_act(
        &mut self,
        (request, verb): (RequestId, &Verb),
        reason: Option<&SafeText>,
        actor: &Actor,
        verified: Option<Verified>,
        now: Wall,
    ) -> Reply {
        let judged = self.known.judged(request, verb, reason, now);
        if let (Err(_), Verb::Rerun { .. }) = (&judged, verb) {
            self.known.want_again(request);
        }
        let decision = judged?;
        match verb {
            Verb::Run { overrides, .. } | Verb::Rerun { overrides, .. } => {
                self.known.not_restarting()?;
                if let Some(wanted) = self.known.waits(&decision, verb, &actor.name, now) {
                    let reason = reason.cloned().unwrap_or_default();
                    return self.enqueue(Queued { reason, ..wanted });
                }
                let cause = Cause {
                    by: actor.name.clone(),
                    reason: reason.cloned().unwrap_or_default(),
                    overrides: overrides.iter().map(ToString::to_string).collect(),
                };
                self.journal.info(now, &format!("{request} is started by {}. {}", actor.name, cause.reason));
                let launched = self.launch(&decision, &cause, verified, now);
                let number = launched.map_err(|e| launch_failure(request, &e))?;
                return Ok(Answer::Run(self.known.run_result(request, number)));
            }
            Verb::Defer { until } => self.defer(request, *until, reason, actor, now)?,
            Verb::Undefer => {
                self.change(|history| history.undefer(now, request, &actor.name))?;
                self.journal.info(now, &format!("The deferral of {request} is ended by {}.", actor.name));
            }
            Verb::Stop if self.known.queued(request).is_some() => {
                self.take_out(request, reason, actor, now)?;
                if self.known.announced_request() == Some(request) {
                    self.stop_countdown(request, actor, reason, now)?;
                }
            }
            Verb::Stop if self.known.announced().is_some_and(|announced| announced.request == request) => {
                self.stop_countdown(request, actor, reason, now)?;
            }
            Verb::Stop => self.stop(request, actor, now)?,
        }
        Ok(Answer::Changed(self.known.changed(request, now)))
    }

    fn defer(
        &mut self,
        request: RequestId,
        until: Wall,
        reason: Option<&SafeText>,
        actor: &Actor,
        now: Wall,
    ) -> Result<()> {
        let row = DeferralRow {
            request,
            at: now,
            who: actor.name.clone(),
            until,
            reason: reason.cloned().unwrap_or_default(),
            ended_at: None,
        };
        self.change(|history| history.defer(&row))?;
        let until = self.known.local(until);
        let line = format!("{request} is deferred until {until} by {}: {}", row.who, row.reason);
        self.journal.info(now, &line);
        Ok(())
    }

    /// A hold or deferral is durable in the history and known to the mark before it is answered.
    pub(super) fn change(&mut self, act: impl FnOnce(&mut History) -> history::Result<Delta>) -> Result<()> {
        let history = self.history.as_mut().map_err(|lost| history_lost(lost))?;
        let call = self.call.as_ref();
        let done = history.for_call(call, act).and_then(|delta| history.write_mark().map(|()| delta));
        let done = self.apply(done);
        self.clear_doubt();
        done.map_err(|e| match self.is_taken() {
            true => half_recorded(&e.to_string()),
            false => not_recorded(&e.to_string()),
        })
    }

    /// The change that is being carried out is on disk, whatever failed.
    fn is_taken(&self) -> bool {
        let history = self.history.as_ref().ok();
        let became = self.call.as_ref().and_then(|call| history?.became(call).ok()?);
        became.is_some_and(|became| became == Became::Taken)
    }

    fn stop(&mut self, id: RequestId, actor: &Actor, now: Wall) -> Result<()> {
        let Some(row) = self.known.running().filter(|row| row.request == id).cloned() else {
            return Err(refused(Refusal {
                code: Refused::NotRunning.into(),
                why: SafeText::new(&format!("{id} is not running")),
                remedy: "Look at its state with: pcm list".into(),
            }));
        };
        self.world.ask_to_stop(&row.run()).map_err(|e| {
            Failure::new(
                Exit::Failed,
                "stop-failed",
                format!("{}: stop could not be asked for: {e}", row.run()),
                "Try again",
            )
        })?;
        self.journal.warning(now, &format!("{} is being stopped by {}.", row.run(), actor.name));
        let started = row.attempt.started_at.unwrap_or(row.attempt.claimed_at);
        let history = self.history.as_mut().map_err(|lost| history_lost(lost))?;
        let noted = history.for_call(self.call.as_ref(), |history| {
            history.progress(now, id, row.attempt.number, State::Stopping, started)
        });
        let noted = self.apply(noted);
        self.clear_doubt();
        noted.map_err(|e| not_recorded(&e.to_string()))
    }
}

/// What the audit says of a change that was refused or failed with this code: that of what was attempted already is the word
/// for success there.
pub(super) fn result_of(code: &str) -> &str {
    if code == DONE { "already-attempted" } else { code }
}

pub(super) fn entry(change: &Change, actor: &Actor, result: &str, now: Wall) -> AuditEntryDoc {
    AuditEntryDoc {
        at: now,
        who: actor.name.clone(),
        uid: actor.uid,
        terminal: actor.terminal.clone(),
        from: actor.from.clone(),
        verb: change.what.verb().to_owned(),
        request_id: change.what.request(),
        reason: change.reason.clone(),
        result: result.into(),
        times: None,
        since: None,
    }
}

fn interrupted(verb: &str) -> Failure {
    outcome_unknown(verb, &"the service ended while it was at it")
}

/// What is in force all the same.
fn half_recorded(why: &str) -> Failure {
    Failure::new(
        Exit::State,
        "not-recorded",
        format!("it is in force, and not everything about it could be recorded: {why}"),
        "Look at the disk and the rights of the state folder and of the configuration's folder; it heals by itself",
    )
}

pub(super) fn not_recorded(why: &str) -> Failure {
    Failure::new(
        Exit::State,
        "not-recorded",
        format!("it could not be recorded, so it was not done: {why}"),
        "Look at the disk and the rights of the state folder; it heals by itself",
    )
}

pub(super) fn launch_failure(request: RequestId, error: &LaunchError) -> Failure {
    let code = match error {
        LaunchError::NotNow(_) => "content-mismatch",
        LaunchError::NotClaimed(_) => "not-claimed",
        LaunchError::NotLaunched(_) => "not-launched",
    };
    Failure::new(
        Exit::Failed,
        code,
        format!("{request} was not started: {}", error.why()),
        format!("See: pcm explain {request}"),
    )
}
