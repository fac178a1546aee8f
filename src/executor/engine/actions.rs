//! What an operator does: judged by the core, written into the audit before and after, carried out here (PROMISES.md 5).

use super::launch::{Cause, LaunchError};
use super::{Engine, Past, history_lost};
use crate::clock::Wall;
use crate::decision::{self, Decision, Hold, Refusal, Verb};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::DeferralRow;
use crate::executor::talk::protocol::{Answer, Call, MAX_REASON};
use crate::executor::talk::view::{AuditEntryDoc, ChangedDoc, DryRunDoc, HoldDoc, RunResultDoc};
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::terms::{Group, Refused, State};
use crate::text::SafeText;

/// In the audit: it was carried out.
const DONE: &str = "done";

impl Engine {
    /// Carries out a call that changes something. `Poll` is the caller's: it knows the way to the share.
    pub fn act(&mut self, call: &Call, actor: &Actor, now: Wall) -> Answer {
        let Some(verb) = call.verb_if_changing() else {
            return Answer::Failed(Failure::new(
                Exit::Failed,
                "not-a-change",
                "this call only views",
                "Report it",
            ));
        };
        if let Err(refusal) = self.may(call, actor, verb, now) {
            return Answer::Failed(refusal);
        }
        if dry(call) {
            return self.dry_run(call, actor, now).map_or_else(Answer::Failed, Answer::DryRun);
        }
        // Nothing is done that could not be recorded as asked for.
        if let Err(e) = self.record(call, actor, verb, "asked", now) {
            return Answer::Failed(e);
        }
        let done = self.carry_out_call(call, actor, now);
        let result = match &done {
            Ok(_) => DONE.to_owned(),
            // The code of what was attempted already is the word for success here.
            Err(failure) if failure.code == DONE => "already-attempted".to_owned(),
            Err(failure) => failure.code.clone(),
        };
        if let Err(e) = self.record(call, actor, verb, &result, now) {
            self.journal.error(now, &format!("The result of {verb} by {} was not recorded: {e}", actor.name));
        }
        self.note_states(now);
        done.unwrap_or_else(Answer::Failed)
    }

    /// Whether this actor may ask for it at all; a refusal is recorded.
    pub fn may(&mut self, call: &Call, actor: &Actor, verb: &str, now: Wall) -> Result<()> {
        if let Some(reason) = reason(call)
            && reason.as_str().chars().count() > MAX_REASON
        {
            return Err(Failure::new(
                Exit::Usage,
                "reason-too-long",
                format!("the reason is longer than {MAX_REASON} characters"),
                "Say it shorter",
            ));
        }
        if actor.may_operate {
            return Ok(());
        }
        // Not being able to record a refusal changes nothing about it.
        let _ = self.record(call, actor, verb, "not-permitted", now);
        let group = &self.policy.config.operators.group;
        Err(Failure::new(
            Exit::Refused,
            "not-permitted",
            format!("{} may view and not operate", actor.name),
            format!("Operators are root, the service's account and the members of the group {group}"),
        ))
    }

    /// An entry of the audit.
    pub fn record(&mut self, call: &Call, actor: &Actor, verb: &str, result: &str, now: Wall) -> Result<()> {
        let entry = AuditEntryDoc {
            at: now,
            who: actor.name.clone(),
            uid: actor.uid,
            terminal: actor.terminal.clone(),
            from: actor.from.clone(),
            verb: verb.to_owned(),
            request_id: request(call),
            reason: reason(call).cloned(),
            result: result.into(),
        };
        let recorded = self.history()?.audit(&entry);
        recorded.map_err(|e| {
            self.not_written("An entry of the audit was not recorded", &e, now);
            not_recorded(&e.to_string())
        })
    }

    fn dry_run(&mut self, call: &Call, actor: &Actor, now: Wall) -> Result<DryRunDoc> {
        let would = match call {
            Call::Run { request, .. } => {
                let decision = self.judged(call, now)?;
                let account = self.run_as();
                format!(
                    "run {} {:?} now, attempt {}, as {account}",
                    request,
                    decision.package.as_str(),
                    decision.attempt + 1
                )
            }
            Call::Defer { request, until, .. } => {
                self.judged(call, now)?;
                format!("defer {request} until {}", self.local(*until))
            }
            Call::Undefer { request, .. } => {
                self.judged(call, now)?;
                format!("end the deferral of {request}")
            }
            Call::Stop { request, .. } => {
                let decision = self.judged(call, now)?;
                match decision.state {
                    State::Countdown => format!("end the countdown of {request}; it was not started yet"),
                    _ => format!("end the whole process tree of {request}"),
                }
            }
            Call::Hold { until, .. } => {
                self.check_hold(call, now)?;
                format!("start nothing by itself on this machine until {}", self.local(*until))
            }
            Call::Notice { .. } => "tell everybody who is logged on, on their terminals".into(),
            Call::Unhold { .. } => match &self.snapshot.view.hold {
                Some(hold) => format!("end the hold that {} set until {}", hold.by, self.local(hold.until)),
                None => "change nothing: there is no hold".into(),
            },
            Call::Restart { verb, .. } => self.would_restart(*verb, now)?,
            _ => "read the instruction file now".into(),
        };
        Ok(DryRunDoc {
            dry_run: true,
            would: SafeText::new(&format!("{would} (asked by {})", actor.name)),
            request_id: request(call),
        })
    }

    fn carry_out_call(&mut self, call: &Call, actor: &Actor, now: Wall) -> Result<Answer> {
        match call {
            Call::Restart { verb, reason, .. } => {
                self.restart_act(*verb, actor, reason.as_ref(), now).map(Answer::Restart)
            }
            Call::Run { request, overrides, .. } => {
                let decision = self.judged(call, now)?;
                self.not_restarting()?;
                let cause = Cause {
                    by: actor.name.clone(),
                    reason: reason(call).cloned().unwrap_or_default(),
                    overrides: overrides.iter().map(ToString::to_string).collect(),
                };
                self.journal.info(now, &format!("{request} is started by {}. {}", actor.name, cause.reason));
                let number = self.launch(&decision, &cause, now).map_err(|e| launch_failure(*request, &e))?;
                Ok(Answer::Run(self.run_result(*request, number)))
            }
            Call::Defer { request, until, reason, .. } => {
                self.judged(call, now)?;
                let row = DeferralRow {
                    request: *request,
                    at: now,
                    who: actor.name.clone(),
                    until: *until,
                    reason: reason.clone().unwrap_or_default(),
                    ended_at: None,
                };
                self.change(|history| history.defer(&row))?;
                let line = format!(
                    "{request} is deferred until {} by {}: {}",
                    self.local(*until),
                    row.who,
                    row.reason
                );
                self.journal.info(now, &line);
                Ok(Answer::Changed(self.changed(*request, now)))
            }
            Call::Undefer { request, .. } => {
                self.judged(call, now)?;
                self.change(|history| history.undefer(now, *request, &actor.name))?;
                self.journal.info(now, &format!("The deferral of {request} is ended by {}.", actor.name));
                Ok(Answer::Changed(self.changed(*request, now)))
            }
            Call::Stop { request, .. } => {
                self.judged(call, now)?;
                if self.announced().is_some_and(|announced| announced.request == *request) {
                    self.stop_countdown(*request, actor, reason(call), now)?;
                } else {
                    self.stop(*request, actor, now)?;
                }
                Ok(Answer::Changed(self.changed(*request, now)))
            }
            Call::Hold { until, reason, .. } => {
                self.check_hold(call, now)?;
                let hold = Hold {
                    until: *until,
                    by: actor.name.clone(),
                    reason: reason.clone().unwrap_or_default(),
                    at: now,
                };
                self.change(|history| history.set_hold(now, Some(&hold), &actor.name))?;
                let line = format!("Held until {} by {}: {}", self.local(*until), hold.by, hold.reason);
                self.journal.warning(now, &line);
                Ok(Answer::Hold(self.hold_doc()))
            }
            Call::Notice { text, .. } => {
                self.tell_for(actor, text.as_ref().unwrap_or(&SafeText::EMPTY), now).map(Answer::Told)
            }
            Call::Unhold { .. } => {
                if self.snapshot.view.hold.is_some() {
                    self.change(|history| history.set_hold(now, None, &actor.name))?;
                    self.journal.info(now, &format!("The hold is ended by {}.", actor.name));
                }
                Ok(Answer::Hold(self.hold_doc()))
            }
            _ => Err(Failure::new(Exit::Failed, "not-a-change", "this call changes nothing", "Report it")),
        }
    }

    /// Asks the decision core, and shows its refusal.
    fn judged(&self, call: &Call, now: Wall) -> Result<Decision> {
        let (request, verb) = match call {
            Call::Run { request, rerun: false, reason, overrides, .. } => {
                (*request, Verb::Run { overrides: overrides.clone(), reason: reason.clone() })
            }
            Call::Run { request, rerun: true, reason, overrides, .. } => {
                (*request, Verb::Rerun { overrides: overrides.clone(), reason: reason.clone() })
            }
            Call::Defer { request, until, reason, .. } => {
                (*request, Verb::Defer { until: *until, reason: reason.clone() })
            }
            Call::Undefer { request, .. } => (*request, Verb::Undefer),
            Call::Stop { request, reason, .. } => (*request, Verb::Stop { reason: reason.clone() }),
            _ => {
                return Err(Failure::new(
                    Exit::Failed,
                    "not-judged",
                    "the core does not judge this",
                    "Report it",
                ));
            }
        };
        if let Past::Lost(lost) = &self.past {
            return Err(history_lost(lost));
        }
        self.with_inputs(now, |inputs| decision::judge(inputs, request, &verb)).map_err(refused)
    }

    /// A hold or deferral is durable in the history and known to the mark before it is answered.
    pub(super) fn change(
        &mut self,
        act: impl FnOnce(&mut crate::executor::history::History) -> crate::executor::history::Result<()>,
    ) -> Result<()> {
        let history = self.history()?;
        let done = act(history).and_then(|()| history.write_mark());
        self.reread();
        done.map_err(|e| not_recorded(&e.to_string()))
    }

    fn stop(&mut self, id: RequestId, actor: &Actor, now: Wall) -> Result<()> {
        let Some(row) = self.running().filter(|row| row.request == id).cloned() else {
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
        let history = self.history()?;
        let noted = history.progress(now, id, row.attempt.number, State::Stopping, started);
        self.reread();
        noted.map_err(|e| not_recorded(&e.to_string()))
    }

    fn check_hold(&self, call: &Call, now: Wall) -> Result<()> {
        let Call::Hold { until, reason, .. } = call else { return Ok(()) };
        self.with_inputs(now, |inputs| decision::judge_hold(inputs, *until, reason.as_ref())).map_err(refused)
    }

    pub(super) fn hold_doc(&self) -> HoldDoc {
        let hold = self.snapshot.view.hold.as_ref();
        HoldDoc { held_until: hold.map(|h| h.until), reason: hold.map(|h| h.reason.clone()) }
    }

    fn run_result(&self, request: RequestId, number: u32) -> RunResultDoc {
        let row =
            self.snapshot.attempts.iter().find(|row| row.request == request && row.attempt.number == number);
        RunResultDoc {
            request_id: request,
            attempt: number,
            // A launch that could not be recorded is running all the same.
            state: row.map_or(State::Running, |row| row.attempt.state),
            exit_code: row.and_then(|row| row.attempt.exit_code),
            result: row.map(|row| row.attempt.result.clone()).filter(|text| !text.is_empty()),
            started_at: row.and_then(|row| row.attempt.started_at),
            ended_at: row.and_then(|row| row.attempt.ended_at),
        }
    }

    fn changed(&self, request: RequestId, now: Wall) -> ChangedDoc {
        let decisions = self.verdicts(now);
        let decision = decisions.iter().find(|d| d.request_id == Some(request));
        let stopping =
            self.running().is_some_and(|row| row.request == request && row.attempt.state == State::Stopping);
        ChangedDoc {
            request_id: request,
            state: decision.map_or(if stopping { State::Stopping } else { State::Rejected }, |d| d.state),
            deferred_until: decision.and_then(|d| d.deferred_until),
        }
    }

    pub(super) fn local(&self, at: Wall) -> String {
        self.zone.to_local(at).format("%Y-%m-%d %H:%M").to_string()
    }

    pub(super) fn run_as(&self) -> SafeText {
        match &self.policy.config.run.run_as {
            Some(name) => SafeText::new(name),
            None => self.world.account(),
        }
    }

    /// Some run is under way: for those who wait for a quiet moment.
    pub fn busy(&self) -> bool {
        self.snapshot.attempts.iter().any(|row| row.attempt.state.group() == Group::Running)
    }
}

pub(super) fn refused(refusal: Refusal) -> Failure {
    let unknown = refusal.code == Refused::NoSuchRequest.into();
    let exit = if unknown { Exit::NotFound } else { Exit::Refused };
    Failure::new(exit, refusal.code.as_str(), refusal.why.as_str(), refusal.remedy.as_str())
}

fn not_recorded(why: &str) -> Failure {
    Failure::new(
        Exit::State,
        "not-recorded",
        format!("it could not be recorded, so it was not done: {why}"),
        "Look at the disk and the rights of the state folder; it heals by itself",
    )
}

fn launch_failure(request: RequestId, error: &LaunchError) -> Failure {
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

fn dry(call: &Call) -> bool {
    match call {
        Call::Run { dry_run, .. }
        | Call::Defer { dry_run, .. }
        | Call::Undefer { dry_run, .. }
        | Call::Stop { dry_run, .. }
        | Call::Hold { dry_run, .. }
        | Call::Unhold { dry_run }
        | Call::Notice { dry_run, .. }
        | Call::Restart { dry_run, .. }
        | Call::Poll { dry_run } => *dry_run,
        _ => false,
    }
}

fn request(call: &Call) -> Option<RequestId> {
    match call {
        Call::Run { request, .. }
        | Call::Defer { request, .. }
        | Call::Undefer { request, .. }
        | Call::Stop { request, .. } => Some(*request),
        _ => None,
    }
}

fn reason(call: &Call) -> Option<&SafeText> {
    match call {
        Call::Run { reason, .. }
        | Call::Defer { reason, .. }
        | Call::Stop { reason, .. }
        | Call::Hold { reason, .. }
        | Call::Notice { text: reason, .. }
        | Call::Restart { reason, .. } => reason.as_ref(),
        _ => None,
    }
}
