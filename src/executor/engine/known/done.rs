//! What is answered to a change that was made: how things stand after it.

use super::Known;
use crate::clock::Wall;
use crate::decision::{Hold, RestartState};
use crate::executor::talk::protocol::{Answer, Reply};
use crate::executor::talk::view::{ChangedDoc, HoldDoc, PollDoc, RestartDoc, RunResultDoc};
use crate::site::ids::RequestId;
use crate::terms::{Code, State};
use crate::text::SafeText;
use chrono::SubsecRound as _;

/// Which publication is in force: the trust list that it was published under, and its serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce {
    epoch: Option<u64>,
    serial: Option<u64>,
}

impl Known {
    /// The number of the newest attempt; 0: none.
    pub(in super::super) fn newest_attempt(&self, request: RequestId) -> u32 {
        self.attempts_of(request).next_back().map_or(0, |row| row.attempt.number)
    }

    pub(in super::super) fn run_result(&self, request: RequestId, number: u32) -> RunResultDoc {
        let row = self.attempts_of(request).find(|row| row.attempt.number == number);
        RunResultDoc {
            request_id: request,
            attempt: number,
            // A launch that could not be recorded is running all the same.
            state: row.map_or(State::Running, |row| row.attempt.state),
            exit_code: row.and_then(|row| row.attempt.exit_code),
            result: row.map(|row| row.attempt.result.clone()).filter(|text| !text.is_empty()),
            started_at: row.and_then(|row| row.attempt.started_at),
            ended_at: row.and_then(|row| row.attempt.ended_at),
            queue_position: None,
            decided_on: None,
        }
    }

    /// What came of a run for which the share was asked and did not answer, with what it was decided on in its place.
    pub fn with_basis(&self, reply: Reply) -> Reply {
        let Some(fault) = &self.instructions.fault else { return reply };
        let from = match self.instructions.share_seen {
            Some(at) => format!("of {}", self.local(at)),
            None => "that is held".to_owned(),
        };
        let why = fault.problems.iter().map(|problem| problem.message.to_string()).collect::<Vec<_>>();
        let why = if why.is_empty() { fault.code.to_string() } else { why.join("; ") };
        let because = match fault.code {
            Code::Rollback => "the share offers nothing newer",
            _ => "the share cannot be read now",
        };
        let basis = format!("the instruction file {from}, because {because}: {why}");
        let basis = SafeText::new(&basis);
        match reply {
            Ok(Answer::Run(doc)) => Ok(Answer::Run(RunResultDoc { decided_on: Some(basis), ..doc })),
            Err(mut failure) => {
                let message = format!("{}. This was decided on {basis}", failure.message);
                failure.message = SafeText::new(&message);
                Err(failure)
            }
            other => other,
        }
    }

    pub(in super::super) fn changed(&self, request: RequestId, now: Wall) -> ChangedDoc {
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

    pub(in super::super) fn hold_doc(&self) -> HoldDoc {
        let hold = self.snapshot.view.hold.as_ref();
        HoldDoc {
            held_until: hold.map(|h| h.until),
            id: hold.map(Hold::id),
            by: hold.map(|h| h.by.clone()),
            reason: hold.map(|h| h.reason.clone()),
        }
    }

    /// Where a pending restart stands.
    pub(in super::super) fn restart_doc(&self, now: Wall) -> RestartDoc {
        let plan = self.restart_plan(now);
        let announced = self.restart.announced(self.world.monotonic(), self.world.now());
        let state = match plan.state {
            RestartState::None => RestartState::None,
            _ if self.restart.is_asked() => RestartState::Asked,
            RestartState::Due if announced.is_some() => RestartState::Countdown,
            state => state,
        };
        let why = match state {
            RestartState::Asked => "the system was asked to restart".into(),
            _ => self.named_here(plan.code, &plan.why),
        };
        RestartDoc {
            restart_pending: state != RestartState::None,
            state,
            requests: plan.wanted_by.iter().map(|(id, _)| *id).collect(),
            restarts_at: announced.map(|at| at.round_subsecs(0)).filter(|_| state == RestartState::Countdown),
            deferred_until: plan.next.filter(|_| state == RestartState::Deferred),
            next_change: plan.next,
            code: plan.code,
            why,
        }
    }

    /// Epoch and serial of what is in force.
    pub(in super::super) fn in_force(&self) -> InForce {
        let signed = self.instructions.signed.as_ref().map(|by| by.epoch);
        InForce {
            epoch: self.instructions.index.as_ref().map(|index| index.epoch).or(signed),
            serial: self.instructions.file.as_ref().map(|file| file.serial),
        }
    }

    /// What is in force; `before`: what was, before somebody looked.
    pub(in super::super) fn poll_doc(&self, before: InForce) -> PollDoc {
        let file = self.instructions.file.as_ref();
        let now = self.in_force();
        PollDoc {
            serial: now.serial,
            epoch: now.epoch,
            changed: now != before,
            requests: file.and_then(|f| u32::try_from(f.requests.len()).ok()).unwrap_or(0),
            source: self.instructions.source.clone(),
            problems: self.notes.iter().chain(file.iter().flat_map(|f| &f.warnings)).cloned().collect(),
        }
    }
}
