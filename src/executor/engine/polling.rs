//! Asking the share: the jobs of the service's workers, and the same asked by a single command or view in its own time.

use super::{Engine, Past};
use crate::clock::Wall;
use crate::error::Result;
use crate::executor::share::job::{STAGE_DEADLINE, ShareJob, look_deadline};
use crate::executor::talk::protocol::{Answer, Call};
use crate::executor::talk::view::{DryRunDoc, PollDoc};
use crate::host::account::Actor;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::{ContentHash, Entry};
use crate::site::share::SourceFault;
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::time::Duration;

impl Engine {
    /// The next look; None while this machine has no id.
    pub fn look_job(&self) -> Option<(ShareJob, Duration)> {
        let config = &self.policy.config;
        let job = ShareJob::Look {
            shares: config.shares.clone(),
            machine: config.machine?,
            trust: config.trust.mode,
            max_run_time: config.run.max_run_time,
            programs: config.all_programs(),
        };
        Some((job, look_deadline(config.shares.len(), config.share.timeout)))
    }

    /// What may yet run on this machine, has files, and is not staged.
    pub fn stage_jobs(&self) -> Vec<ShareJob> {
        let (Some(share), Some(file)) = (&self.share, &self.instructions.file) else { return Vec::new() };
        let platform = self.world.platform();
        let mut seen = BTreeSet::new();
        file.requests
            .iter()
            .filter_map(|entry| match entry {
                Entry::Good(request) => Some(request),
                Entry::Rejected(_) => None,
            })
            .filter(|r| r.platforms.is_empty() || platform.is_some_and(|p| r.platforms.contains(&p)))
            .filter(|r| !self.succeeded(r.request_id))
            .filter_map(|r| Some((r.package_id, r.content_sha256.clone()?)))
            .filter(|(_, hash)| seen.insert(hash.clone()))
            .filter(|(_, hash)| !self.is_staged(hash))
            .map(|(package, hash)| ShareJob::Stage {
                share: share.clone(),
                package,
                hash,
                stage: self.layout.stage(),
                trust: self.policy.config.trust.mode,
            })
            .collect()
    }

    fn is_staged(&self, hash: &ContentHash) -> bool {
        self.content.get(hash) == Some(&ContentFact::Staged) && self.world.is_staged(hash)
    }

    fn succeeded(&self, id: RequestId) -> bool {
        self.snapshot.attempts_of(id).any(|row| row.attempt.state.is_success())
    }

    /// A look without an answer: what is held stays in force.
    pub fn look_gave_nothing(&mut self, why: &SafeText, now: Wall) {
        let shares: Vec<_> =
            self.policy.config.shares.iter().map(|share| share.display().to_string()).collect();
        let message = why.clone();
        self.journal.error(now, &format!("{}: share-missing: {message}", shares.join(", ")));
        self.instructions.fault = Some(SourceFault {
            code: Code::ShareMissing,
            problems: vec![Problem::of_file(Code::ShareMissing.as_str(), shares.join(", "), message)],
        });
        self.note_states(now);
    }

    /// Looks and stages, for a command: within the share's deadline, however it hangs.
    pub fn poll_now(&mut self) {
        self.look_now();
        for job in self.stage_jobs() {
            match self.world.ask_share(&job, STAGE_DEADLINE) {
                Ok(news) => self.take(news, self.world.now()),
                Err(why) => self.journal.error(self.world.now(), &format!("Content is not staged: {why}")),
            }
        }
    }

    /// Looks, for a view: nothing is staged.
    pub fn look_now(&mut self) {
        let Some((job, deadline)) = self.look_job() else { return };
        match self.world.ask_share(&job, deadline) {
            Ok(news) => self.take(news, self.world.now()),
            Err(why) => self.look_gave_nothing(&why, self.world.now()),
        }
        self.find_staged();
    }

    /// `poll` in this process.
    pub fn poll_in_process(&mut self, call: &Call, actor: &Actor, dry_run: bool) -> Result<Answer> {
        let now = self.world.now();
        self.may(call, actor, "poll", now)?;
        if dry_run {
            let would = SafeText::new(&format!("read the instruction file now (asked by {})", actor.name));
            return Ok(Answer::DryRun(DryRunDoc { dry_run: true, would, request_id: None }));
        }
        self.record_poll(call, actor, "asked", now)?;
        self.poll_now();
        self.polled(call, actor, self.world.now()).map(Answer::Poll)
    }

    /// A poll is recorded where history can be written; a lost history does not keep anybody from looking.
    pub fn record_poll(&mut self, call: &Call, actor: &Actor, result: &str, now: Wall) -> Result<()> {
        if matches!(self.past, Past::Lost(_)) {
            self.journal.info(now, &format!("{} asked for a poll.", actor.name));
            return Ok(());
        }
        self.record(call, actor, "poll", result, now)
    }

    /// What a poll found, for whoever asked for it.
    pub fn polled(&mut self, call: &Call, actor: &Actor, now: Wall) -> Result<PollDoc> {
        let fault = self.instructions.fault.clone();
        let result = fault.as_ref().map_or("done", |fault| fault.code.as_str());
        self.record_poll(call, actor, result, now)?;
        if let Some(fault) = fault {
            return Err(share_failure(&fault));
        }
        let file = self.instructions.file.as_ref();
        Ok(PollDoc {
            serial: file.map(|f| f.serial),
            requests: file.and_then(|f| u32::try_from(f.requests.len()).ok()).unwrap_or(0),
            source: self.instructions.source.clone(),
            problems: self.notes.iter().chain(file.iter().flat_map(|f| &f.warnings)).cloned().collect(),
        })
    }

    /// A view that is made anew keeps what the one before it saw of the share.
    pub fn keep_source_of(&mut self, other: Engine) {
        self.instructions = other.instructions;
        self.memo.take();
        self.notes = other.notes;
        self.share = other.share;
        self.held_bytes = other.held_bytes;
        self.find_staged();
    }

    /// `sleeping n minutes`, as the original said it.
    pub fn say_sleeping(&mut self, wait: Duration, words: &str, now: Wall) {
        let minutes = wait.as_secs() / 60;
        let line =
            if minutes > 0 { format!("sleeping {minutes} minutes") } else { format!("sleeping {words}") };
        self.journal.info(now, &line);
    }

    /// The history was changed by another process; a view reads it again.
    pub fn reread_view(&mut self) {
        if let Ok(snapshot) = self.world.read_history() {
            *self.snapshot = snapshot;
        }
    }
}

/// The share could not be reached, or held nothing for this machine.
pub(super) fn share_failure(fault: &SourceFault) -> crate::error::Failure {
    use crate::error::{Exit, Failure};
    let exit = match fault.code {
        Code::ShareMissing | Code::ShareDenied => Exit::Share,
        Code::InsMissing => Exit::NotFound,
        _ => Exit::Failed,
    };
    let words: Vec<String> = fault
        .problems
        .iter()
        .map(|p| match p.line {
            Some(line) => format!("{}, line {line}: {}", p.file, p.message),
            None => format!("{}: {}", p.file, p.message),
        })
        .collect();
    Failure::new(exit, fault.code.as_str(), words.join("; "), "The file that was last valid stays in force")
}
