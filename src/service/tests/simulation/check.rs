//! The promises that are looked at after every step: no state is lost or overwritten, and what was recorded is what the
//! run hosts have written down.

use super::witness;
use super::world::{Inner, SimWorld};
use crate::executor::engine::Executor;
use crate::executor::talk::protocol::{Answer, View};
use crate::executor::talk::view::AttemptDoc;
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::terms::{Group, State};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen so far.
#[derive(Default)]
pub struct Checks {
    /// Attempts of the history in force that have ended.
    ended: BTreeMap<String, AttemptDoc>,
    /// An earlier state of the history in force was put back: an end may be recorded, and reported, once more.
    replaced: bool,
    /// That was not noticed yet: how often the service had opened a history when it happened.
    shows_earlier: Option<u64>,
}

fn actor() -> Actor {
    Actor { name: "check".into(), uid: None, login_uid: None, terminal: None, from: None, may_operate: false }
}

fn run_of(attempt: &AttemptDoc) -> String {
    format!("{}-{}", attempt.request_id, attempt.attempt)
}

impl Checks {
    /// What the history says of all attempts; nothing while it is lost.
    pub fn attempts(&self, executor: Option<&Executor>) -> Vec<AttemptDoc> {
        let Some(executor) = executor else { return Vec::new() };
        let now = executor.world().now();
        let (mut attempts, mut page) = (Vec::new(), None);
        // A long history comes in parts.
        while let Ok(Answer::History(doc)) = executor.view(&View::History(None, page), &actor(), now) {
            attempts.extend(doc.attempts);
            page = doc.older;
            if page.is_none() {
                break;
            }
        }
        attempts
    }

    /// The history went back to an earlier one: what had ended since then ends again. The service shows what it knows
    /// until it opens that one; `opened` is how often it has opened one.
    pub fn history_replaced(&mut self, opened: u64) {
        self.replaced = true;
        self.shows_earlier = Some(opened);
    }

    /// An operator has decided: another history begins, and its attempts are counted from the first.
    pub fn adopted(&mut self) {
        *self = Self::default();
    }

    pub fn after_step(&mut self, world: &SimWorld, executor: &Executor) {
        let known = executor.known();
        let attempts = self.attempts(Some(executor));
        let now = executor.world().now();
        let decisions = known.decide(now);
        let listed = known.listed();
        let generation = executor.generation();
        let mut inner = world.lock();
        let epoch = generation.map(|generation| inner.generations.get(&generation).copied());
        if self.shows_earlier.is_some_and(|opened| inner.opened > opened) {
            self.shows_earlier = None;
            self.ended.clear();
        }
        if epoch == Some(None) {
            inner.violation("P4: a history is in force that no operator has made".into());
        }
        // A service that has not seen yet that its history was lost, and that another was adopted, shows what it knows.
        // That it launches nothing of it is the witness's to say: it looks for the claim in the file in force.
        if epoch == Some(Some(inner.epoch)) {
            for attempt in attempts.iter().filter(|a| a.state.is_terminal()) {
                self.ended_attempt(&mut inner, attempt);
            }
        }
        let mut shown = BTreeSet::new();
        for decision in decisions.iter() {
            if let Some(id) = decision.request_id.filter(|id| !shown.insert(*id)) {
                inner.violation(format!("P2: {id} is shown twice"));
            }
            let expired = decision.expire_after.is_some_and(|at| at <= now);
            if decision.state == State::Deferred && expired {
                inner.violation(format!("{:?} is deferred past its expiry", decision.request_id));
            }
            if decision.state == State::Due && expired {
                inner.violation(format!("P5: {:?} is due at its expiry", decision.request_id));
            }
        }
        let wanted: BTreeSet<RequestId> =
            listed.into_iter().chain(attempts.iter().map(|attempt| attempt.request_id)).collect();
        if wanted != shown {
            inner.violation(format!("P2: {wanted:?} are known, {shown:?} are shown"));
        }
        let running = attempts.iter().filter(|a| a.state.group() == Group::Running).count();
        if running > 1 {
            inner.violation(format!("{running} packages run at the same time"));
        }
        let packages = inner.hosts.values().filter(|host| host.package_alive && host.alive).count();
        if packages > 1 {
            inner.violation(format!("{packages} packages are alive at the same time"));
        }
    }

    fn ended_attempt(&mut self, inner: &mut Inner, attempt: &AttemptDoc) {
        let run = run_of(attempt);
        // A restart that was pending is done by any restart of the machine (DESIGN.md 3).
        let restarted = inner.launched(&run).any(|launch| launch.boot != inner.boot);
        let now = |state| match state {
            State::SucceededRestart if restarted => State::Succeeded,
            state => state,
        };
        if let Some(before) = self.ended.get_mut(&run) {
            before.state = now(before.state);
            if before != attempt {
                inner.violation(format!("an end was overwritten: {before:?} by {attempt:?}"));
            }
            return;
        }
        inner.figures.ended += 1;
        self.ended.insert(run.clone(), attempt.clone());
        let launched = inner.launched(&run).next().is_some();
        let truth = witness::truth(inner, &run);
        let unlaunched = attempt.result.as_str().starts_with("not launched");
        match (truth, attempt.state) {
            (Some((_, state)), recorded) if now(state) != recorded => {
                inner.violation(format!("P6: {run} ended as {state}, {recorded} is recorded"));
            }
            (Some(_), _) if launched && unlaunched => {
                inner.violation(format!("P6: {run} was launched, and recorded as not launched"));
            }
            (Some(_), _) => {}
            (None, State::Interrupted) if inner.hosts.get(&run).is_some_and(|host| host.gave_up) => {
                inner.violation(format!("P15: {run} ended on a full disk, and how is lost"));
            }
            (None, State::Interrupted) => inner.figures.interrupted += 1,
            (None, _) if unlaunched && !launched => {}
            (None, recorded) => {
                inner
                    .violation(format!("P6: {run} has no exit record, {recorded} is recorded ({attempt:?})"));
            }
        }
        let installed = inner.disk.exists("installed", &run);
        if attempt.state.is_success() && !installed {
            inner.violation(format!("P3: {run} is {} and its files are not there", attempt.state));
        }
    }

    /// All is quiet: every attempt has ended, and its result has arrived at the share, once.
    pub fn at_rest(&mut self, world: &SimWorld, executor: Option<&Executor>) {
        let attempts = self.attempts(executor);
        let mut inner = world.lock();
        for attempt in &attempts {
            let run = run_of(attempt);
            if !attempt.state.is_terminal() {
                // A retry may be under way at any time; it must not be one that nobody looks after.
                let alive = inner.hosts.get(&run).is_some_and(|host| host.alive);
                if !alive {
                    inner.violation(format!("{run} is {} for ever", attempt.state));
                }
                continue;
            }
            // As it ended, and not as it is shown after a restart that was pending.
            let ended = witness::truth(&inner, &run).map_or(attempt.state, |(_, state)| state);
            let wanted = format!("{ended}: ");
            match inner.share.results.get(&(format!("{run}.MIF"), inner.epoch)).cloned() {
                None => inner.violation(format!("the result of {run} has never arrived at the share")),
                Some(texts) => {
                    let good = |text: &Vec<u8>| String::from_utf8_lossy(text).contains(&wanted);
                    if !texts.iter().any(good) {
                        inner.violation(format!("{run} ended as {ended} and was reported as something else"));
                    }
                    if texts.len() > 1 && !self.replaced {
                        let count = texts.len();
                        inner.violation(format!("{run} was reported in {count} ways"));
                    }
                }
            }
        }
        for run in attempts.iter().filter(|a| a.state.is_success()).map(run_of) {
            if !inner.disk.exists("installed", &run) {
                inner.violation(format!("P3: {run} succeeded and its files are not there"));
            }
        }
    }
}
