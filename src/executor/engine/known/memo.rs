//! The newest decisions, kept as long as nothing has changed that they rest on: the parts of one step, and the views after
//! it, ask for the same ones again and again.

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Decision, Facts};
use crate::site::ids::JobId;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

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

    fn decided<T>(&self, now: Wall, what: impl FnOnce(&Decided) -> T) -> T {
        let changes = [self.instructions.changes, self.snapshot.changes, self.policy.changes];
        let basis = Basis { now, facts: self.facts(), changes };
        let mut memo = self.memo.borrow_mut();
        if let Some(decided) = memo.0.as_ref().filter(|decided| decided.basis == basis) {
            return what(decided);
        }
        let decisions = self.with_facts(&basis.facts, now, decision::verdicts);
        let (listed, others): (Vec<_>, Vec<_>) = decisions.into_iter().partition(Decision::is_listed);
        let not_targeted = others.iter().filter_map(|decision| decision.job_id).collect();
        let decided = Decided { basis, listed: Arc::new(listed), not_targeted: Arc::new(not_targeted) };
        what(memo.0.insert(decided))
    }
}
