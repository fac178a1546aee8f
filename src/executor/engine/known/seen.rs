//! What expired or failed, and which of it an operator has seen.

use super::{Known, refused};
use crate::clock::Wall;
use crate::decision::{Decision, Refusal};
use crate::error::Result;
use crate::executor::history::Acknowledged;
use crate::site::ids::RequestId;
use crate::terms::{Group, Refused};

impl Known {
    /// Who has seen how this request ended, while that is how it stands.
    pub(in super::super) fn seen(&self, decision: &Decision) -> Option<&Acknowledged> {
        let seen = self.snapshot.acknowledged.get(&decision.request_id?)?;
        (needs_a_look(decision) && (seen.state, seen.attempt) == (decision.state, decision.attempt))
            .then_some(seen)
    }

    /// What `seen` of one request, or of all, is about; of all: only what nobody has seen.
    ///
    /// # Errors
    /// `no-such-request`, `not-failed`.
    pub(in super::super) fn to_be_seen(
        &self,
        request: Option<RequestId>,
        now: Wall,
    ) -> Result<Vec<Decision>> {
        let Some(id) = request else {
            let unseen = |decision: &Decision| needs_a_look(decision) && self.seen(decision).is_none();
            return Ok(self.decide(now).into_iter().filter(unseen).collect());
        };
        let decision = self.decision_of(id, now)?;
        if needs_a_look(&decision) {
            return Ok(vec![decision]);
        }
        Err(refused(Refusal {
            code: Refused::NotFailed.into(),
            why: format!("{id} is {}: it neither expired nor failed", decision.state).into(),
            remedy: "See what did with: pcm list".into(),
        }))
    }
}

/// Expired or failed: shown until an operator has seen it.
fn needs_a_look(decision: &Decision) -> bool {
    decision.request_id.is_some() && (decision.state.group() == Group::Expired || decision.state.is_failure())
}
