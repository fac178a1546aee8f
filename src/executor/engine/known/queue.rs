//! The queue of operators' runs: what is in it, what starts next out of it, and whether there is room for another.

use super::{Known, refused};
use crate::clock::Wall;
use crate::decision::{self, Decision, Queued, Refusal, Verb};
use crate::error::Result;
use crate::executor::talk::view::{QueuedDoc, RunResultDoc};
use crate::site::ids::RequestId;
use crate::terms::{Refused, State};
use crate::text::SafeText;

/// So many runs wait at most.
const MOST: usize = 200;
/// Of one account.
const MOST_OF_ONE: usize = 50;
/// Of what users have asked for, so that operators find room.
const MOST_OFFERED: usize = 50;
/// Of one user.
const MOST_OFFERED_OF_ONE: usize = 5;

impl Known {
    /// The run of this request that waits.
    pub(in super::super) fn queued(&self, request: RequestId) -> Option<&Queued> {
        self.snapshot.view.queue.iter().find(|queued| queued.request == request)
    }

    /// The operator's run that starts next, as long as nothing runs; None: none may, or it is not its turn.
    pub fn next_in_queue(&self, now: Wall) -> Option<RequestId> {
        if self.snapshot.view.queue.is_empty() || self.is_running() || self.not_restarting().is_err() {
            return None;
        }
        let decisions = self.verdicts(now);
        let next = decision::next_up(&self.snapshot.view, &decisions).filter(|next| next.queued)?;
        decisions.get(next.index)?.request_id
    }

    /// A run that this account may have now: what of it waits in the queue, for what runs or behind others. None: it
    /// starts at once.
    pub(in super::super) fn waits(
        &self,
        decision: &Decision,
        verb: &Verb,
        by: &SafeText,
        now: Wall,
    ) -> Option<Queued> {
        let request = decision.request_id?;
        let (rerun, overrides) = match verb {
            Verb::Run { overrides, no_queue: false } => (false, overrides.clone()),
            Verb::Rerun { overrides, no_queue: false } => (true, overrides.clone()),
            Verb::Run { .. } | Verb::Rerun { .. } | Verb::Defer { .. } | Verb::Undefer | Verb::Stop => {
                return None;
            }
        };
        let behind = || self.next_in_queue(now).is_some_and(|next| next != request);
        let (by, reason) = (by.clone(), SafeText::EMPTY);
        let queued = Queued { request, rerun, overrides, by, reason, at: now, offered: false };
        (decision.is_busy() || behind()).then_some(queued)
    }

    /// Whether it waits already just like this; where not, there is room for it. What an operator has asked for does for users,
    /// and takes the place of what a user has asked for, so that it does not go with the offer.
    ///
    /// # Errors
    /// `already-queued`: as another kind of run, or past other gates; `queue-full`.
    pub(in super::super) fn is_in_queue(&self, wanted: &Queued) -> Result<bool> {
        let queue = &self.snapshot.view.queue;
        let id = wanted.request;
        let refuse = |code: Refused, why: String, remedy: &str| {
            Err(refused(Refusal { code: code.into(), why: why.into(), remedy: remedy.into() }))
        };
        if let Some(known) = self.queued(id) {
            if known.offered && !wanted.offered {
                return Ok(false);
            }
            let same = (known.rerun, &known.overrides) == (wanted.rerun, &wanted.overrides);
            if same || wanted.offered {
                return Ok(true);
            }
            let why = format!(
                "{id} is in the queue already, for {}, as {} with {}",
                known.by,
                known.kind(),
                overrides(&known.overrides)
            );
            let help = format!("Take it out first: pcm stop {id} --reason WHY");
            return refuse(Refused::AlreadyQueued, why, &help);
        }
        let of_one = queue.iter().filter(|queued| queued.by == wanted.by).count();
        let limit = if wanted.offered { MOST_OFFERED_OF_ONE } else { MOST_OF_ONE };
        if of_one >= limit {
            let why = format!("{of_one} runs of {} are in the queue; the limit is {limit}", wanted.by);
            return refuse(Refused::QueueFull, why, "Wait, or take one out: pcm stop REQUEST --reason WHY");
        }
        let offered = queue.iter().filter(|queued| queued.offered).count();
        if wanted.offered && offered >= MOST_OFFERED {
            let why = format!("{offered} runs of users are in the queue; the limit is {MOST_OFFERED}");
            return refuse(Refused::QueueFull, why, "Wait, or take one out: pcm stop REQUEST --reason WHY");
        }
        if queue.len() >= MOST {
            let why = format!("{} runs are in the queue; the limit is {MOST}", queue.len());
            return refuse(Refused::QueueFull, why, "Wait, or take one out: pcm stop REQUEST --reason WHY");
        }
        Ok(false)
    }

    /// The answer to who asked for a run that waits.
    pub(in super::super) fn queued_result(&self, request: RequestId) -> RunResultDoc {
        RunResultDoc {
            state: State::Queued,
            queue_position: self.position(request),
            result: None,
            ..self.run_result(request, self.newest_attempt(request) + 1)
        }
    }

    /// What would become of a run that waits, in words.
    pub(super) fn would_wait(&self, wanted: &Queued) -> Result<String> {
        let id = wanted.request;
        let last = || u32::try_from(self.snapshot.view.queue.len() + 1).unwrap_or(u32::MAX);
        let known = self.is_in_queue(wanted)?;
        let position = self.position(id).unwrap_or_else(last);
        Ok(match known {
            true => format!("change nothing: {id} is in the queue already, position {position}"),
            false => format!("put {id} into the queue, position {position}, until its turn comes"),
        })
    }

    pub(in super::super) fn position(&self, request: RequestId) -> Option<u32> {
        let index = self.snapshot.view.queue.iter().position(|queued| queued.request == request)?;
        u32::try_from(index + 1).ok()
    }

    /// What the documents say of a run that waits.
    pub(super) fn queued_doc(&self, request: RequestId) -> Option<QueuedDoc> {
        let queued = self.queued(request)?;
        Some(QueuedDoc {
            verb: queued.kind(),
            by: queued.by.clone(),
            at: queued.at,
            reason: queued.reason.clone(),
            overrides: queued.overrides.clone(),
            until: queued.ends(),
        })
    }

    /// Who asked for it, when and how, for the audit.
    pub(in super::super) fn asked_for(&self, queued: &Queued) -> SafeText {
        let at = self.local(queued.at);
        let said = if queued.reason.is_empty() { String::new() } else { format!(": \"{}\"", queued.reason) };
        format!("queued by {} {at}{said}", queued.by).into()
    }
}

/// `no override`, `--override window,users`
fn overrides(gates: &[crate::terms::Gate]) -> String {
    match gates {
        [] => "no override".to_owned(),
        some => format!("--override {}", crate::terms::Gate::join(some, ",")),
    }
}
