//! The newest decisions, kept as long as nothing has changed that they rest on: the parts of one step, and the views after
//! it, ask for the same ones again and again.

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Decision, Facts, NextRuns};
use crate::site::ids::JobId;
use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// A view may be of an instant that is so long ago.
const VIEWED: Duration = Duration::from_millis(500);

/// A value that counts how often it may have been changed.
pub(in super::super) struct Watched<T> {
    value: T,
    changes: u64,
}

impl<T> Watched<T> {
    pub fn new(value: T) -> Self {
        Self { value, changes: 0 }
    }
}

impl<T> Deref for Watched<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Watched<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changes += 1;
        &mut self.value
    }
}

/// All that decisions rest on. The zone of a machine never changes.
#[derive(PartialEq)]
struct Basis {
    now: Wall,
    facts: Facts,
    /// Of instructions, history and policy.
    changes: [u64; 3],
}

/// What was decided at one instant.
struct Decided {
    /// What it rests on.
    basis: Basis,
    /// Of the requests of this machine.
    listed: Arc<Vec<Decision>>,
    /// The jobs that turned out to be for others.
    not_targeted: Arc<Vec<JobId>>,
    /// When each of them runs next, once somebody has asked.
    next_runs: OnceCell<Arc<NextRuns>>,
}

/// Decisions, and what they rest on.
#[derive(Default)]
pub(super) struct Memo(Option<Decided>);

impl Known {
    /// The decisions of this instant without words: what every step asks for, several times.
    pub fn verdicts(&self, now: Wall) -> Arc<Vec<Decision>> {
        self.decided(now, |decided| Arc::clone(&decided.listed))
    }

    /// The jobs that are for others by their conditions, as this machine knows them.
    pub(super) fn not_targeted(&self, now: Wall) -> Arc<Vec<JobId>> {
        self.decided(now, |decided| Arc::clone(&decided.not_targeted))
    }

    /// When each request runs next, as every view tells it.
    pub(super) fn next_runs(&self, now: Wall) -> Arc<NextRuns> {
        self.decided(now, |decided| {
            let foretold = || Arc::new(self.with_facts(&decided.basis.facts, now, decision::next_runs));
            Arc::clone(decided.next_runs.get_or_init(foretold))
        })
    }

    /// Gives decisions of this instant the times of their next runs.
    pub(super) fn foretell(&self, now: Wall, decisions: &mut [Decision]) {
        self.with_inputs(now, |inputs| {
            decision::foretell(inputs, decisions, || self.next_runs(now));
        });
    }

    /// The instant of which views tell: the one that was decided last, where that is hardly over, nothing has changed that it
    /// rests on, and no gate has by the time alone. What a console shows together is so decided once.
    pub(in super::super) fn view_of(&self, now: Wall) -> Wall {
        let memo = self.memo.borrow();
        let Some(Decided { basis, listed, .. }) = &memo.0 else { return now };
        let is_recent = (now - basis.now).to_std().is_ok_and(|ago| ago < VIEWED);
        let stands = || decision::next_instant(listed, basis.now).is_none_or(|at| at > now);
        let is_same = || basis.changes == self.changes() && basis.facts == self.facts();
        if is_recent && stands() && is_same() { basis.now } else { now }
    }

    fn changes(&self) -> [u64; 3] {
        [self.instructions.changes, self.snapshot.changes, self.policy.changes]
    }

    fn decided<T>(&self, now: Wall, what: impl FnOnce(&Decided) -> T) -> T {
        let basis = Basis { now, facts: self.facts(), changes: self.changes() };
        let mut memo = self.memo.borrow_mut();
        if let Some(decided) = memo.0.as_ref().filter(|decided| decided.basis == basis) {
            return what(decided);
        }
        // There are as many as there ever were requests: the old ones go before the new ones are made.
        memo.0 = None;
        let mut listed = self.with_facts(&basis.facts, now, decision::verdicts);
        let others = listed.extract_if(.., |decision| !decision.is_listed());
        let not_targeted = others.filter_map(|decision| decision.job_id).collect();
        let (listed, not_targeted) = (Arc::new(listed), Arc::new(not_targeted));
        let decided = Decided { basis, listed, not_targeted, next_runs: OnceCell::new() };
        what(memo.0.insert(decided))
    }
}
