//! What a look at the share brings, and what is done with it: the instruction file in force, the held copy of it, what is
//! staged (PROMISES.md 4). The look itself runs on a worker's thread, or in-process for a single command.

use super::Engine;
use crate::clock::Wall;
use crate::config::TrustMode;
use crate::decision::{
    self, Code, ContentFact, Decision, Gate, Group, Instructions, SourceFault, TrustVerdict, Verdict,
};
use crate::error::Result;
use crate::executor::protocol::{Actor, Answer, Call};
use crate::executor::view::{DryRunDoc, PollDoc};
use crate::host::paths::Layout;
use crate::host::{durable, facts};
use crate::site::ids::{MachineId, PackageId, RequestId};
use crate::site::instruction::parse::Defaults;
use crate::site::instruction::{ContentHash, Entry, InstructionFile, Platform, Problem};
use crate::site::report::{MachineReport, ReportedRequest};
use crate::site::share::{self, Found, Look, Looking};
use crate::site::trust::Judge;
use crate::site::{content, instruction, site_file};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// Everything that a look at the share needs to know; it asks nothing of the executor.
#[derive(Debug, Clone)]
pub struct PollJob {
    shares: Vec<PathBuf>,
    machine: Option<MachineId>,
    judge: Judge,
    defaults: Defaults,
    stage: PathBuf,
    /// Requests that need no content any more.
    settled: BTreeSet<RequestId>,
    platform: Option<Platform>,
}

/// What comes of it, in this order: one look, any number of staged contents, the end.
#[derive(Debug, Clone)]
pub enum PollNews {
    /// What the share holds for this machine.
    Looked(Box<Look>),
    /// A content is staged, or why not.
    Staged(ContentHash, ContentFact),
    /// There is nothing more to come.
    Finished,
}

impl PollJob {
    /// Looks and stages. Touches the share: may hang with it.
    pub fn carry_out(&self, tell: &mut dyn FnMut(PollNews)) {
        if let Some(look) = self.look() {
            let wanted = look.found.as_ref().map(|found| self.wanted(&found.file)).unwrap_or_default();
            let share = look.found.as_ref().map(|found| found.share.clone()).unwrap_or_default();
            tell(PollNews::Looked(Box::new(look)));
            for (package, hash) in wanted {
                let fact = content::stage(&share, package, &hash, &self.stage, &self.judge);
                tell(PollNews::Staged(hash, fact));
            }
        }
        tell(PollNews::Finished);
    }

    /// Looks and stages nothing.
    pub fn only_look(&self, tell: &mut dyn FnMut(PollNews)) {
        if let Some(look) = self.look() {
            tell(PollNews::Looked(Box::new(look)));
        }
        tell(PollNews::Finished);
    }

    fn look(&self) -> Option<Look> {
        let machine = self.machine?;
        let (judge, defaults) = (&self.judge, &self.defaults);
        Some(share::look(&Looking { shares: &self.shares, machine, judge, defaults }))
    }

    /// What may yet run on this machine and has files.
    fn wanted(&self, file: &InstructionFile) -> Vec<(PackageId, ContentHash)> {
        let mut seen = BTreeSet::new();
        file.requests
            .iter()
            .filter_map(|entry| match entry {
                Entry::Good(request) => Some(request),
                Entry::Rejected(_) => None,
            })
            .filter(|r| !self.settled.contains(&r.request_id))
            .filter(|r| r.platforms.is_empty() || self.platform.is_some_and(|p| r.platforms.contains(&p)))
            .filter_map(|r| Some((r.package_id, r.content_sha256.clone()?)))
            .filter(|(_, hash)| seen.insert(hash.clone()))
            .collect()
    }
}

impl Engine {
    /// The job of the next look.
    pub fn poll_job(&self) -> PollJob {
        let config = &self.policy.config;
        let settled = self
            .snapshot
            .attempts
            .iter()
            .filter(|row| row.attempt.state.is_success())
            .map(|row| row.request)
            .collect();
        PollJob {
            shares: config.shares.clone(),
            machine: config.machine,
            judge: Judge::of(config.trust.mode),
            defaults: Defaults::of(config),
            stage: self.layout.stage(),
            settled,
            platform: facts::platform(),
        }
    }

    /// Takes what a look brought.
    pub fn take(&mut self, news: PollNews, now: Wall) {
        match news {
            PollNews::Looked(look) => self.take_look(*look, now),
            PollNews::Staged(hash, fact) => {
                if let ContentFact::Missing(why) | ContentFact::Mismatch(why) | ContentFact::Loose(why) =
                    &fact
                {
                    self.journal.error(now, &format!("Content is not staged: {why}"));
                }
                self.content.insert(hash, fact);
            }
            PollNews::Finished => {}
        }
        self.note_states(now);
    }

    fn take_look(&mut self, look: Look, now: Wall) {
        let machine = self.policy.config.machine.map(|id| id.to_string()).unwrap_or_default();
        for share in &self.policy.config.shares {
            let path = share.join(share::INS_FOLDER).join(format!("{machine}.INS"));
            self.journal.info(now, &format!("Looking for instruction file: {}", path.display()));
        }
        self.notes = look.problems;
        if look.answered {
            self.instructions.share_seen = Some(now);
            self.remember_seen(now);
        }
        match look.found {
            Some(found) => self.take_found(found, now),
            None => {
                let fault =
                    look.fault.unwrap_or(SourceFault { code: Code::ShareMissing, problems: Vec::new() });
                if fault.code == Code::InsMissing {
                    self.journal.info(now, "No instruction file.");
                }
                self.journal_problems(&fault.problems, now);
                self.instructions.fault = Some(fault);
            }
        }
    }

    fn take_found(&mut self, found: Found, now: Wall) {
        self.instructions.fault = None;
        self.instructions.trust = found.trust.clone();
        self.instructions.source = Some(SafeText::new(&found.share.display().to_string()));
        self.share = Some(found.share);
        let refused = matches!(found.trust, TrustVerdict::Refused(..));
        if let TrustVerdict::Refused(code, why) = &found.trust {
            self.journal.error(now, &format!("The instruction file is refused: {code}: {why}"));
            // What somebody else may have written does not take the place of what was believed; nothing runs of either.
            if self.instructions.file.is_some() && self.held_bytes.is_some() {
                return;
            }
        }
        let file_name = format!("{}.INS", found.file.machine);
        if let (Some(old), Some(bytes)) = (&self.instructions.file, &self.held_bytes) {
            let mode = self.policy.config.trust.mode;
            let new = (&found.file, found.bytes.as_slice());
            self.notes.extend(share::serial_problem(mode, (old, bytes), new, &file_name));
        }
        let known: BTreeSet<RequestId> = self.listed().into_iter().collect();
        self.instructions.file = Some(found.file);
        self.instructions.site_freezes = found.site.freezes;
        if !refused {
            if self.lock.is_some() && self.held_bytes.as_ref() != Some(&found.bytes) {
                self.hold_file(&found.bytes, &found.site_bytes, now);
            }
            self.held_bytes = Some(found.bytes);
        }
        self.tell_found(&known, now);
    }

    fn journal_problems(&mut self, problems: &[Problem], now: Wall) {
        for problem in problems {
            let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
            self.journal
                .error(now, &format!("{}{line}: {}: {}", problem.file, problem.code, problem.message));
        }
    }

    /// The phrases of the original, with every skip said in words (DEFECTS Q174933, Q165147).
    fn tell_found(&mut self, known: &BTreeSet<RequestId>, now: Wall) {
        let decisions = self.decide(now);
        let listed: Vec<&Decision> = decisions.iter().filter(|d| d.entry.is_some()).collect();
        let after = listed.iter().filter(|d| passes_filter(d)).count();
        self.journal.info(now, &format!("Packages before filter: {}", listed.len()));
        self.journal.info(now, &format!("Packages after filter: {after}"));
        let fresh = listed.iter().any(|d| d.request_id.is_some_and(|id| !known.contains(&id)));
        self.journal.info(now, if fresh { "New packages found." } else { "No new packages found." });
        for decision in listed {
            if decision.request_id.is_some_and(|id| known.contains(&id)) {
                continue;
            }
            let id = decision.request_id.map_or_else(|| "without a valid id".to_owned(), |id| id.to_string());
            let name = format!("Package (Request ID) {} ({id})", decision.package);
            // The first gate that closes for good says it; what follows from it is noise.
            let skips = [Gate::Record, Gate::Trust, Gate::Platform, Gate::Kind];
            let first = decision.gates.iter().find(|g| g.verdict != Verdict::Pass && skips.contains(&g.gate));
            if let Some(gate) = first {
                match gate.code {
                    Some(Code::ApplicationOnly) => self
                        .journal
                        .info(now, &format!("{name} is not marked for service-only execution, skipping it.")),
                    Some(code) => {
                        self.journal.warning(now, &format!("{name} is skipped: {code}: {}", gate.evidence));
                    }
                    None => {}
                }
            }
        }
    }

    /// When the share was seen is told to the next start by the age of the held file.
    fn remember_seen(&self, now: Wall) {
        if self.lock.is_some()
            && let Ok(file) = std::fs::File::options().write(true).open(self.layout.held())
        {
            // A hint: an older time only makes what is held stale sooner.
            let _ = file.set_modified(now.into());
        }
    }

    /// The last valid file is kept for the time when no share can be reached; the site file with it, so that its freezes
    /// stay in force.
    fn hold_file(&mut self, bytes: &[u8], site: &[u8], now: Wall) {
        for (path, bytes) in [(self.layout.held_site(), site), (self.layout.held(), bytes)] {
            if let Err(e) = durable::write(&path, bytes) {
                self.journal.error(now, &format!("{} could not be written: {e}", path.display()));
            }
        }
    }

    /// What was held when this process started. Its trust was judged when it was taken from a share; since then it stood
    /// in a folder that only the service's account can write.
    pub(super) fn load_held(&mut self) {
        let Some(machine) = self.policy.config.machine else { return };
        let path = self.layout.held();
        let Ok(bytes) = share::open_bounded(&path, instruction::MAX_BYTES) else { return };
        match share::parse_held(&bytes, machine, &Defaults::of(&self.policy.config)) {
            Ok(file) => {
                let seen = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok().map(Wall::from);
                let trust = match self.policy.config.trust.mode {
                    TrustMode::Permissions => {
                        TrustVerdict::Trusted("permissions, when it was taken from the share".into())
                    }
                    TrustMode::Signed => {
                        TrustVerdict::Refused(Code::Unsigned, "there is no signature to check".into())
                    }
                };
                let site = share::open_bounded(&self.layout.held_site(), site_file::MAX_BYTES).ok();
                let site = site.and_then(|bytes| site_file::parse(&bytes, "held PCM.SITE").ok());
                self.instructions = Instructions {
                    file: Some(file),
                    share_seen: seen,
                    trust,
                    site_freezes: site.map(|site| site.freezes).unwrap_or_default(),
                    ..Instructions::default()
                };
                self.held_bytes = Some(bytes);
            }
            Err(problems) => self.notes = problems,
        }
        self.find_staged();
    }

    /// What an executor before this one has staged is there still.
    fn find_staged(&mut self) {
        let hashes: Vec<ContentHash> = self
            .instructions
            .file
            .iter()
            .flat_map(|file| &file.requests)
            .filter_map(|entry| match entry {
                Entry::Good(request) => request.content_sha256.clone(),
                Entry::Rejected(_) => None,
            })
            .collect();
        for hash in hashes {
            if content::is_staged(&self.layout.stage(), &hash) {
                self.content.insert(hash, ContentFact::Staged);
            }
        }
    }

    /// A look that did not answer in time.
    pub fn look_gave_nothing(&mut self, now: Wall) {
        let shares: Vec<_> =
            self.policy.config.shares.iter().map(|share| share.display().to_string()).collect();
        let message =
            SafeText::new(&format!("it does not answer within {:?}", self.policy.config.share.timeout));
        self.journal.error(now, &format!("{}: share-missing: {message}", shares.join(", ")));
        self.instructions.fault = Some(SourceFault {
            code: Code::ShareMissing,
            problems: vec![Problem {
                code: Code::ShareMissing.to_string(),
                file: SafeText::new(&shares.join(", ")),
                line: None,
                field: None,
                message,
            }],
        });
        self.note_states(now);
    }

    /// Looks and stages in this process, for a command: within the share's deadline, however it hangs.
    pub fn poll_now(&mut self) {
        self.look_with(true);
    }

    /// Looks in this process, for a view: nothing is staged or held.
    pub fn look_now(&mut self) {
        self.look_with(false);
        self.find_staged();
    }

    fn look_with(&mut self, stage: bool) {
        let job = self.poll_job();
        let (tell, told) = mpsc::channel();
        // A share that hangs keeps this thread until the process ends; nobody waits for it.
        let started = std::thread::Builder::new().name("share".into()).spawn(move || {
            if stage {
                job.carry_out(&mut |news| drop(tell.send(news)));
            } else {
                job.only_look(&mut |news| drop(tell.send(news)));
            }
        });
        if started.is_err() {
            return self.look_gave_nothing(facts::now());
        }
        let shares = u32::try_from(self.policy.config.shares.len().max(1)).unwrap_or(1);
        let mut limit = self.policy.config.share.timeout.saturating_mul(shares);
        loop {
            match told.recv_timeout(limit) {
                Ok(PollNews::Finished) => return,
                Ok(news) => {
                    // Once the share answers, copying may take its time.
                    limit = STAGE_DEADLINE;
                    self.take(news, facts::now());
                }
                Err(_) => return self.look_gave_nothing(facts::now()),
            }
        }
    }

    /// `poll` in this process.
    pub fn poll_in_process(&mut self, call: &Call, actor: &Actor, dry_run: bool) -> Result<Answer> {
        let now = facts::now();
        self.may(call, actor, "poll", now)?;
        if dry_run {
            let would = SafeText::new(&format!("read the instruction file now (asked by {})", actor.name));
            return Ok(Answer::DryRun(DryRunDoc { dry_run: true, would, request_id: None }));
        }
        self.record_poll(call, actor, "asked", now)?;
        self.poll_now();
        self.polled(call, actor, facts::now()).map(Answer::Poll)
    }

    /// A poll is recorded where history can be written; a lost history does not keep anybody from looking.
    pub fn record_poll(&mut self, call: &Call, actor: &Actor, result: &str, now: Wall) -> Result<()> {
        if self.snapshot.view.lost.is_some() {
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
        self.notes = other.notes;
        self.share = other.share;
        self.held_bytes = other.held_bytes;
        self.find_staged();
    }

    /// All valid request ids of the file in force.
    pub fn listed(&self) -> Vec<RequestId> {
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        entries
            .filter_map(|entry| match entry {
                Entry::Good(request) => Some(request.request_id),
                Entry::Rejected(rejected) => rejected.request_id,
            })
            .collect()
    }

    /// The share that gave the file in force; None until one did.
    pub fn share_in_force(&self) -> Option<PathBuf> {
        self.share.clone()
    }

    /// `sleeping n minutes`, as the original said it.
    pub fn say_sleeping(&mut self, wait: Duration, words: &str, now: Wall) {
        let minutes = wait.as_secs() / 60;
        let line =
            if minutes > 0 { format!("sleeping {minutes} minutes") } else { format!("sleeping {words}") };
        self.journal.info(now, &line);
    }

    /// The history was changed by another process; a view reads it again.
    pub fn reread_view(&mut self, layout: &Layout) {
        if let Ok(snapshot) = crate::executor::history::History::read(layout) {
            self.snapshot = snapshot;
        }
    }

    /// The newest hash of the chain, so that rewriting it shows on the share.
    fn chain_head(&self) -> Option<SafeText> {
        match &self.past {
            super::Past::Open(history) => Some(SafeText::new(&history.head().hash)),
            _ => None,
        }
    }

    /// This machine's own account of itself (FORMATS.md 6).
    pub fn report(&self, now: Wall, machine: MachineId) -> MachineReport {
        let file = self.instructions.file.as_ref();
        let requests = self.decide(now).iter().filter_map(|d| self.reported(d)).collect();
        MachineReport {
            format: 1,
            machine,
            site: file.map(|f| f.site),
            host: facts::host_name(),
            platform: facts::platform(),
            pcm_version: env!("CARGO_PKG_VERSION").into(),
            reported_at: now,
            polled_at: self.instructions.share_seen,
            polling_interval_s: self.policy.config.polling_interval.as_secs(),
            instruction_serial: file.map(|f| f.serial),
            source: self.instructions.source.clone(),
            users: self.facts().users.and_then(|users| u32::try_from(users.len()).ok()),
            restart_pending: self.restart_pending(),
            clock_ok: self.clock.suspect_why().is_none(),
            requests,
            audit_head: self.chain_head(),
        }
    }

    fn reported(&self, d: &Decision) -> Option<ReportedRequest> {
        let request_id = d.request_id?;
        let newest =
            self.snapshot.attempts.iter().rev().find(|row| row.request == request_id).map(|row| &row.attempt);
        let by_time = d.gates.iter().filter(|gate| gate.verdict != Verdict::Pass);
        let next_change = by_time
            .filter_map(|gate| match gate.change {
                decision::Change::At(at) => Some(at),
                _ => None,
            })
            .min();
        let over = d.state.group() == Group::Executed;
        Some(ReportedRequest {
            request_id,
            job_id: d.job_id,
            package_id: d.package_id,
            state: d.state,
            since: self
                .snapshot
                .since
                .get(&request_id)
                .filter(|(state, _)| *state == d.state)
                .map(|(_, at)| *at),
            attempt: d.attempt,
            blocked_by: if over { Vec::new() } else { d.blocked_by() },
            next_change: next_change.filter(|_| !over),
            exit_code: newest.and_then(|attempt| attempt.exit_code),
            result: newest.map(|attempt| attempt.result.clone()).filter(|text| !text.is_empty()),
            started_at: newest.and_then(|attempt| attempt.started_at),
            ended_at: newest.and_then(|attempt| attempt.ended_at),
        })
    }
}

/// Once a share has answered, one package may take this long to be copied for a command that waits.
const STAGE_DEADLINE: Duration = Duration::from_secs(600);

fn passes_filter(decision: &Decision) -> bool {
    let filter = [Gate::Record, Gate::Platform, Gate::History, Gate::Offer, Gate::Expiry];
    decision.gates.iter().filter(|gate| filter.contains(&gate.gate)).all(|gate| gate.verdict == Verdict::Pass)
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
