//! What the executor notes of every request at each step, so that `explain` can tell later how it came to that: changes of
//! state, what is in the way of those that wait, and the times in which nobody looked. And the telling.

use super::Executor;
use crate::clock::{Monotonic, Wall};
use crate::decision::Decision;
use crate::executor::history::Noted;
use crate::executor::notices::Notice;
use crate::site::ids::RequestId;
use crate::terms::{Code, Gate, State};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::time::Duration;

/// A service looks every half minute and writes the time down once a minute: what is longer was no looking.
const UNWATCHED: TimeDelta = TimeDelta::minutes(3);

/// The files of many packages arrive one after the other: that is noted this often.
const ARRIVALS: Duration = Duration::from_secs(10);

/// What this executor has noted.
#[derive(Default)]
pub(super) struct Noting {
    /// What was in the way of requests that wait, when it last changed.
    codes: BTreeMap<RequestId, Vec<Code>>,
    /// Until when a service has looked.
    looked: Option<Wall>,
    /// When files were last noted to have arrived.
    arrivals: Option<Monotonic>,
}

impl Noting {
    /// What a service before this one has noted, and until when it looked.
    pub fn of(codes: BTreeMap<RequestId, Vec<Code>>, looked: Option<Wall>) -> Noting {
        Noting { codes, looked, arrivals: None }
    }

    /// Nothing has changed but that files were in the way before and are no more.
    fn is_arrival(&self, noted: &Noted) -> bool {
        let Some(before) =
            self.codes.get(&noted.request).filter(|codes| codes.contains(&Code::ContentMissing))
        else {
            return false;
        };
        let others = before.iter().filter(|code| **code != Code::ContentMissing);
        matches!(noted.state, State::Due | State::Waiting) && others.eq(noted.codes.iter().flatten())
    }
}

/// Whether what is in the way is noted in this state.
pub(super) fn waits(state: State) -> bool {
    matches!(state, State::Waiting | State::Deferred | State::RetryWait)
}

/// What is noted of a request: its state, and where it waits what is in its way. That another one runs or goes first is no
/// change of this one.
fn noted(decision: &Decision) -> Option<Noted> {
    let state = decision.recorded_state();
    let own = |code: &Code| code.row().gate != Gate::Executor;
    let codes = || decision.blocked_by().into_iter().filter(own).collect();
    Some(Noted { request: decision.request_id?, state, codes: waits(state).then(codes), silent: false })
}

impl Executor {
    /// Records each change of state once, and each change of what is in the way. Errors are told and change nothing: the
    /// next step tries again.
    pub fn note_states(&mut self, now: Wall) {
        let (decisions, mono) = (self.known.verdicts(now), self.world.monotonic());
        let may_arrive = self.noting.arrivals.is_none_or(|last| mono.since(last) >= ARRIVALS);
        let changed: Vec<(&Decision, Noted)> = decisions
            .iter()
            .filter_map(|d| Some((d, noted(d)?)))
            // That nobody has looked yet is no state: it was so only because this executor has just begun.
            .filter(|(d, _)| d.state != State::Waiting || !self.known.is_unlooked(d.request_id))
            .filter(|(_, noted)| self.is_news(noted))
            .filter(|(_, noted)| may_arrive || !self.noting.is_arrival(noted))
            .map(|(d, noted)| (d, Noted { silent: self.is_told(d), ..noted }))
            .collect();
        let unwatched = self.noting.looked.filter(|at| self.service && now - *at > UNWATCHED);
        let moved = changed.iter().filter(|(_, noted)| self.history.is_ok() && self.has_moved(noted));
        let events: Vec<Notice> = moved.filter_map(|(d, _)| self.event_of(d, now)).collect();
        self.queue_events(&events);
        if let Ok(history) = &mut self.history
            && !(changed.is_empty() && unwatched.is_none())
        {
            let gap = unwatched.map_or(Ok(()), |from| history.note_unwatched(from, now));
            let changes: Vec<Noted> = changed.iter().map(|(_, noted)| noted.clone()).collect();
            let recorded = gap.and_then(|()| history.note_states(now, &changes));
            if let Err(e) = self.apply(recorded) {
                return self.not_written("A change of state was not recorded", &e, now);
            }
            self.events_recorded(&events, now);
            for (_, noted) in changed {
                if self.noting.is_arrival(&noted) {
                    self.noting.arrivals = Some(mono);
                }
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

    /// The events of its attempt say this state, or everybody who is logged on is told.
    fn is_told(&self, decision: &Decision) -> bool {
        let attempt = decision.request_id.and_then(|id| self.known.snapshot.attempt(id, decision.attempt));
        decision.state == State::Countdown || attempt.is_some_and(|row| row.attempt.state == decision.state)
    }

    fn has_moved(&self, noted: &Noted) -> bool {
        self.known.snapshot.since.get(&noted.request).is_none_or(|(state, _)| *state != noted.state)
    }
}
