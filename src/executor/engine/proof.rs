//! What was verified is what is executed (P11): staged content is hashed again before each launch, for that launch alone.
//! The service has it done by a worker and goes on meanwhile; a command has nothing else to do.

use super::{Executor, Known};
use crate::clock::Wall;
use crate::decision::Decision;
use crate::executor::share::job::ShareJob;
use crate::executor::talk::protocol::Change;
use crate::host::account::Actor;
use crate::site::content::{ContentFact, Seal};
use crate::site::ids::RequestId;
use crate::site::instruction::{ContentHash, Entry, Request};
use crate::text::SafeText;

/// A launch that is to follow, with the content that has to be verified for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which request.
    request: RequestId,
    /// Which attempt of it.
    attempt: u32,
    /// Its files.
    content: ContentHash,
}

/// Content as it was verified for one launch.
#[derive(Debug)]
pub struct Proof {
    launch: Launch,
    seal: Seal,
}

/// What came of a verification that was needed.
pub type Verified = Result<Proof, SafeText>;

impl Launch {
    /// It was verified, and this was its state while that was done.
    pub fn proven(self, seal: Seal) -> Proof {
        Proof { launch: self, seal }
    }

    fn of(request: &Request, decision: &Decision) -> Option<Launch> {
        let content = request.content_sha256.clone()?;
        Some(Launch { request: request.request_id, attempt: decision.attempt + 1, content })
    }
}

impl Known {
    /// What has to be verified before this request is launched next; None: it has no files.
    pub fn launch_of(&self, request: RequestId, now: Wall) -> Option<Launch> {
        let decisions = self.verdicts(now);
        let decision = decisions.iter().find(|d| d.request_id == Some(request))?;
        Launch::of(self.request_of(decision)?, decision)
    }

    /// What has to be verified before a change is carried out that an operator asks for; None where that is nothing, or
    /// it is refused anyway.
    pub fn launch_by(&self, change: &Change, actor: &Actor, now: Wall) -> Option<Launch> {
        let (request, verb) = change.what.launches()?;
        if change.dry_run {
            return None;
        }
        let decision = match change.what.for_users() {
            // It was admitted.
            Some(request) => self.judged_install(request, now).ok()?,
            None if !actor.may_operate => return None,
            None => self.judged(request, &verb, change.reason.as_ref(), now).ok()?,
        };
        if self.waits(&decision, &verb, &actor.name, now).is_some() {
            return None;
        }
        Launch::of(self.request_of(&decision)?, &decision)
    }

    /// The job of whoever verifies it. `ticket` comes back with the answer.
    pub fn verify_job(&self, launch: &Launch, ticket: u64) -> ShareJob {
        ShareJob::Verify { ticket, hash: launch.content.clone(), stage: self.layout.stage() }
    }

    pub(super) fn request_of(&self, decision: &Decision) -> Option<&Request> {
        match self.instructions.file.as_ref()?.requests.get(decision.entry?)? {
            Entry::Good(request) => Some(request),
            Entry::Rejected(_) => None,
        }
    }
}

impl Executor {
    /// What is staged for a launch is not what was published.
    pub fn content_differs(&mut self, launch: &Launch, why: &SafeText) {
        self.known.content.insert(launch.content.clone(), ContentFact::Mismatch(why.clone()));
    }

    /// Whether what is staged may be executed: it was verified for this launch, and has not changed since; and what could
    /// only fail is not claimed. The service never hashes it here.
    pub(super) fn prove(
        &mut self,
        request: &Request,
        decision: &Decision,
        verified: Option<Verified>,
    ) -> Result<(), SafeText> {
        if let Some(launch) = Launch::of(request, decision) {
            self.prove_content(&launch, verified)?;
        }
        let (program, content) = (&request.command_line.program, request.content_sha256.as_ref());
        self.world.startable(program, content).inspect_err(|why| {
            self.known.unstartable.insert(request.request_id, why.clone());
        })
    }

    fn prove_content(&mut self, launch: &Launch, verified: Option<Verified>) -> Result<(), SafeText> {
        let proof = match verified {
            Some(verified) => verified?,
            None if self.service => return Err("its content was not verified for this launch".into()),
            None => {
                let verified = self.world.verify_staged(&launch.content);
                let seal = verified.inspect_err(|why| self.content_differs(launch, why))?;
                launch.clone().proven(seal)
            }
        };
        if proof.launch != *launch {
            return Err("its content was verified for another launch".into());
        }
        match self.world.seal(&launch.content) {
            Ok(seal) if seal == proof.seal => Ok(()),
            Ok(_) => Err("its content was changed after it was verified".into()),
            Err(e) => Err(SafeText::new(&format!("its content cannot be looked at: {e}"))),
        }
    }
}
