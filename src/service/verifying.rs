//! Content on its way to be verified, each for the one launch that is to follow. The worker takes as long as it takes; the
//! loop goes on, and asks here whether the answer has come.

use super::server::Waiting;
use super::worker::Carrier;
use crate::executor::engine::{Launch, Verified};
use crate::executor::share::job::{STAGE_DEADLINE, ShareJob};
use crate::site::content::Seal;
use crate::text::SafeText;

/// What is being verified, and for whom.
pub struct Verifying<'a> {
    worker: Box<dyn Carrier + 'a>,
    newest: u64,
    /// For the automatic launch that is next.
    next: Option<Verification>,
    /// For operators, who wait for it.
    asked: Vec<(u64, Launch, Waiting)>,
}

struct Verification {
    ticket: u64,
    launch: Launch,
    answer: Option<Result<Seal, SafeText>>,
}

impl<'a> Verifying<'a> {
    /// By this worker, which has nothing else to do.
    pub fn by(worker: Box<dyn Carrier + 'a>) -> Self {
        Self { worker, newest: 0, next: None, asked: Vec::new() }
    }

    /// This automatic launch is to come next, or none: it is verified once, and what was verified for another is worth
    /// nothing. One verification that is under way is not begun a second time.
    pub fn expect(&mut self, launch: Option<&Launch>, job: impl FnOnce(&Launch, u64) -> ShareJob) {
        self.keep_only(launch);
        if let (Some(launch), None) = (launch, &self.next) {
            let (ticket, given) = self.give(launch, job);
            let answer = (!given).then(|| Err("nobody can verify its content".into()));
            self.next = Some(Verification { ticket, launch: launch.clone(), answer });
        }
    }

    /// Nothing that was verified for another launch than this is kept.
    pub fn keep_only(&mut self, launch: Option<&Launch>) {
        // One that is under way ends by itself, and is for nobody then.
        drop(self.next.take_if(|next| launch != Some(&next.launch) && next.answer.is_some()));
    }

    /// Whether it was verified, well or not.
    pub fn is_ready(&self, launch: &Launch) -> bool {
        self.next.as_ref().is_some_and(|next| next.launch == *launch && next.answer.is_some())
    }

    /// What came of it, once; None: it is under way.
    pub fn take(&mut self, launch: &Launch) -> Option<Verified> {
        let next = self.next.take_if(|next| next.launch == *launch && next.answer.is_some())?;
        next.answer.map(|answer| answer.map(|seal| next.launch.proven(seal)))
    }

    /// An operator's launch; what is asked is carried out when it was verified. It comes back where nobody can do that.
    pub fn ask(
        &mut self,
        launch: Launch,
        asked: Waiting,
        job: impl FnOnce(&Launch, u64) -> ShareJob,
    ) -> Option<Waiting> {
        let (ticket, given) = self.give(&launch, job);
        if !given {
            return Some(asked);
        }
        self.asked.push((ticket, launch, asked));
        None
    }

    /// An answer: the launch it is for, and what an operator waits with for it.
    pub fn answered(
        &mut self,
        ticket: u64,
        answer: &Result<Seal, SafeText>,
    ) -> Option<(Launch, Option<Waiting>)> {
        if let Some(next) = self.next.as_mut().filter(|next| next.ticket == ticket) {
            next.answer = Some(answer.clone());
            return Some((next.launch.clone(), None));
        }
        let at = self.asked.iter().position(|(known, ..)| *known == ticket)?;
        let (_, launch, asked) = self.asked.swap_remove(at);
        Some((launch, Some(asked)))
    }

    fn give(&mut self, launch: &Launch, job: impl FnOnce(&Launch, u64) -> ShareJob) -> (u64, bool) {
        self.newest += 1;
        (self.newest, self.worker.give(job(launch, self.newest), STAGE_DEADLINE))
    }
}
