//! The queue of operators' runs, worked off by the service: what is asked for while a package runs is kept in the history,
//! started when it is its turn, and taken out, with an entry of the audit, where what is in its way stays there.

use super::actions::{DONE, result_of};
use super::launch::{Cause, LaunchError};
use super::{Executor, Verified};
use crate::clock::Wall;
use crate::decision::{self, Queued, SERVICE, Verb};
use crate::error::Result;
use crate::executor::talk::protocol::{Answer, Reply};
use crate::executor::talk::view::AuditEntryDoc;
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::text::SafeText;

impl Executor {
    /// An operator's run that may be waits for its turn. Asked for again it keeps its place.
    pub(super) fn enqueue(&mut self, wanted: Queued) -> Reply {
        if !self.known.is_in_queue(&wanted)? {
            match self.known.queued(wanted.request) {
                Some(_) => self.change(|history| history.requeue(&wanted))?,
                None => self.change(|history| history.enqueue(&wanted))?,
            }
            let n = self.known.position(wanted.request).unwrap_or_default();
            let line =
                format!("{} is queued by {}, position {n}. {}", wanted.request, wanted.by, wanted.reason);
            self.journal.info(wanted.at, &line);
        }
        Ok(Answer::Run(self.known.queued_result(wanted.request)))
    }

    /// An operator takes a run out of the queue.
    pub(super) fn take_out(
        &mut self,
        request: RequestId,
        reason: Option<&SafeText>,
        actor: &Actor,
        now: Wall,
    ) -> Result<()> {
        let reason = reason.cloned().unwrap_or_default();
        self.change(|history| history.unqueue(now, request, (&actor.name, &reason), None))?;
        let line = format!("{request} is taken out of the queue by {}: {reason}", actor.name);
        self.journal.info(now, &line);
        Ok(())
    }

    /// Takes out of the queue what will not start. What cannot be recorded is tried again at the next step.
    pub fn review_queue(&mut self, now: Wall) {
        if !self.service || self.known.snapshot.view.queue.is_empty() {
            return;
        }
        for (queued, refusal) in self.known.with_inputs(now, decision::leaving) {
            let asked = self.known.asked_for(&queued);
            let reason = SafeText::new(&format!("{}; {asked}", refusal.why));
            let entry = entry(&queued, result_of(refusal.code.as_str()), reason.clone(), now);
            let Ok(history) = &mut self.history else { return };
            let done = history.unqueue(now, queued.request, (&SERVICE.into(), &reason), Some(&entry));
            if let Err(e) = self.apply(done) {
                return self.not_written("A run was not taken out of the queue", &e, now);
            }
            let line = format!("{} is taken out of the queue and was not started: {reason}", queued.request);
            self.journal.warning(now, &line);
        }
    }

    /// Starts the run that is next in the queue, for the service, decided once more as it was asked for.
    ///
    /// # Errors
    /// Why nothing was launched; it is in the log too.
    pub fn launch_queued(
        &mut self,
        request: RequestId,
        verified: Option<Verified>,
        now: Wall,
    ) -> std::result::Result<u32, LaunchError> {
        let Some(queued) = self.known.queued(request).cloned() else {
            return Err(LaunchError::NotNow("it is not in the queue any more".into()));
        };
        let judged = self.known.judged(request, &Verb::from(&queued), Some(&queued.reason), now);
        let judged = match queued.offered {
            true => judged.and_then(|_| self.known.judged_install(request, now)),
            false => judged,
        };
        let decision = judged.map_err(|refusal| LaunchError::NotNow(refusal.message))?;
        if decision.is_busy() {
            return Err(LaunchError::NotNow("another package runs".into()));
        }
        let cause = Cause {
            by: queued.by.clone(),
            reason: queued.reason.clone(),
            overrides: queued.overrides.iter().map(ToString::to_string).collect(),
        };
        let asked = self.known.asked_for(&queued);
        self.journal.info(now, &format!("{request} is started out of the queue, {asked}."));
        let launched = self.launch(&decision, &cause, verified, now);
        let result = match &launched {
            Ok(_) => DONE,
            Err(LaunchError::NotLaunched(_)) => "not-launched",
            // It is in the queue still.
            Err(LaunchError::NotNow(_) | LaunchError::NotClaimed(_)) => return launched,
        };
        self.record_entry(&entry(&queued, result, asked, now));
        launched
    }
}

/// What the service does with a run in the queue, in the audit.
fn entry(queued: &Queued, result: &str, reason: SafeText, now: Wall) -> AuditEntryDoc {
    AuditEntryDoc {
        at: now,
        who: SERVICE.into(),
        uid: None,
        terminal: None,
        from: None,
        verb: queued.kind().as_str().to_owned(),
        request_id: Some(queued.request),
        reason: Some(reason),
        result: result.into(),
        times: None,
        since: None,
    }
}
