//! What the executor notes of every request at each step, so that `explain` can tell later how it came to that: changes of
//! state, what is in the way of those that wait, and the times in which nobody looked. And the telling.

use super::Executor;
use crate::clock::Wall;
use crate::decision::Decision;
use crate::executor::history::Noted;
use crate::site::ids::RequestId;
use crate::terms::{Code, State};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// A service looks every half minute and writes the time down once a minute: what is longer was no looking.
const UNWATCHED: TimeDelta = TimeDelta::minutes(3);

/// What this executor has noted.
#[derive(Default)]
pub(super) struct Noting {
    /// What was in the way of requests that wait, when it last changed.
    codes: BTreeMap<RequestId, Vec<Code>>,
    /// Until when a service has looked.
    looked: Option<Wall>,
}

impl Noting {
    /// A service before this one looked until then.
    pub fn looked(&mut self, until: Wall) {
        self.looked = Some(until);
    }
}

/// What is noted of a request: its state, and where it waits what is in its way. That another package runs is in the
/// history anyway and would be noted again and again for each one that waits for its turn.
fn noted(decision: &Decision) -> Option<Noted> {
    let waits = matches!(decision.state, State::Waiting | State::Deferred | State::RetryWait);
    let codes = || decision.blocked_by().into_iter().filter(|code| *code != Code::Busy).collect();
    Some(Noted { request: decision.request_id?, state: decision.state, codes: waits.then(codes) })
}

impl Executor {
    /// Records each change of state once, and each change of what is in the way. Errors are told and change nothing: the
    /// next step tries again.
    pub fn note_states(&mut self, now: Wall) {
        let decisions = self.known.verdicts(now);
        let changed: Vec<(&Decision, Noted)> = decisions
            .iter()
            .filter_map(|d| Some((d, noted(d)?)))
            .filter(|(_, noted)| self.is_news(noted))
            .collect();
        let unwatched = self.noting.looked.filter(|at| self.service && now - *at > UNWATCHED);
        if let Ok(history) = &mut self.history
            && !(changed.is_empty() && unwatched.is_none())
        {
            let gap = unwatched.map_or(Ok(()), |from| history.note_unwatched(from, now));
            let changes: Vec<Noted> = changed.iter().map(|(_, noted)| noted.clone()).collect();
            let recorded = gap.and_then(|()| history.note_states(now, &changes));
            let moved = changed.iter().filter(|(_, noted)| self.has_moved(noted));
            let moved: Vec<&Decision> = moved.map(|(decision, _)| *decision).collect();
            if let Err(e) = self.apply(recorded) {
                return self.not_written("A change of state was not recorded", &e, now);
            }
            for decision in moved {
                self.notify_state(decision, now);
            }
            for (_, noted) in changed {
                tracing::debug!(request = %noted.request, state = %noted.state, in_the_way = ?noted.codes, "decision");
                match noted.codes {
                    Some(codes) => self.noting.codes.insert(noted.request, codes),
                    None => self.noting.codes.remove(&noted.request),
                };
            }
        }
        self.noting.looked = Some(now);
    }

    /// A command that is the executor for a moment notes states only: what is in the way is the service's to follow.
    fn is_news(&self, noted: &Noted) -> bool {
        self.has_moved(noted) || self.service && noted.codes.as_ref() != self.noting.codes.get(&noted.request)
    }

    fn has_moved(&self, noted: &Noted) -> bool {
        self.known.snapshot.since.get(&noted.request).is_none_or(|(state, _)| *state != noted.state)
    }
}
