//! `[notify] command`: told of what an operator would want to be woken for. It gets JSON on its standard input, is not
//! waited for, and is ended when it takes too long.

use super::Executor;
use crate::clock::Wall;
use crate::decision::{self, Decision};
use crate::site::ids::RequestId;
use crate::terms::State;
use serde::Serialize;

/// What the command reads.
#[derive(Serialize)]
struct Notice<'a> {
    /// `failed`, `interrupted`, `missed`, `history-lost` or `two-machines`.
    event: &'a str,
    machine: Option<String>,
    host: String,
    at: Wall,
    request_id: Option<RequestId>,
    package: Option<String>,
    state: Option<State>,
    message: String,
}

impl Executor {
    /// Tells of a request's new state, if it is one to tell of.
    pub(super) fn notify_state(&mut self, decision: &Decision, now: Wall) {
        let event = match decision.state {
            State::Failed | State::TimedOut => "failed",
            State::Interrupted => "interrupted",
            State::Expired if decision.mandatory_after.is_some() => "missed",
            _ => return,
        };
        // Of a thousand decisions none has words; here one is told.
        let told = decision
            .request_id
            .and_then(|id| self.known.with_inputs(now, |inputs| decision::decide_one(inputs, id)));
        let Some(told) = told else { return };
        self.notify(event, Some(&told), told.why.as_str(), now);
    }

    /// Tells of something; only the service does.
    pub(super) fn notify(&mut self, event: &str, about: Option<&Decision>, message: &str, now: Wall) {
        let command = &self.known.config().notify.command;
        let Some((program, args)) = command.split_first().filter(|_| self.service) else {
            return;
        };
        let notice = Notice {
            event,
            machine: self.known.config().machine.map(|id| id.to_string()),
            host: self.world.host_name().to_string(),
            at: now,
            request_id: about.and_then(|d| d.request_id),
            package: about.map(|d| d.package.to_string()),
            state: about.map(|d| d.state),
            message: message.to_owned(),
        };
        let Ok(json) = serde_json::to_vec(&notice) else { return };
        if let Err(e) = self.world.notify(program, args, &json) {
            self.journal.error(now, &format!("[notify] command {program:?} could not be started: {e}"));
        }
    }
}
