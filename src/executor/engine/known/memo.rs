//! The newest decisions, kept as long as nothing has changed that they rest on: the parts of one step, and the views after
//! it, ask for the same ones again and again.

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Decision, Facts};
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

/// Decisions, and what they rest on.
#[derive(Default)]
pub(super) struct Memo(Option<(Basis, Arc<Vec<Decision>>)>);

impl Known {
    /// The decisions of this instant without words: what every step asks for, several times.
    pub fn verdicts(&self, now: Wall) -> Arc<Vec<Decision>> {
        let changes = [self.instructions.changes, self.snapshot.changes, self.policy.changes];
        let basis = Basis { now, facts: self.facts(), changes };
        let mut memo = self.memo.borrow_mut();
        if let Some((known, decisions)) = &memo.0
            && *known == basis
        {
            return Arc::clone(decisions);
        }
        let mut decisions = self.with_facts(&basis.facts, now, decision::verdicts);
        decisions.retain(Decision::is_listed);
        let decisions = Arc::new(decisions);
        memo.0 = Some((basis, Arc::clone(&decisions)));
        decisions
    }
}
