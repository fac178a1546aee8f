//! What is done with what a look at the share brought: it is kept for the time when no share can be reached, staged, and
//! said in the phrases of the original.

use super::Executor;
use super::actions::not_recorded;
use super::known::{InForce, Keep, Taken};
use crate::clock::Wall;
use crate::decision::{Decision, decide_one};
use crate::error::{Exit, Failure};
use crate::executor::history::Cause;
use crate::executor::share::job::{Looked, STAGE_DEADLINE, ShareJob, ShareNews};
use crate::executor::talk::protocol::{Answer, Reply};
use crate::host::account::Actor;
use crate::site::content::{ContentFact, Stands};
use crate::site::ids::RequestId;
use crate::site::index;
use crate::site::instruction::ContentHash;
use crate::site::past::Told;
use crate::site::share::{self, Look, SourceFault};
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Gate, Problem, Verdict};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// In `meta`: contents whose copies failed, and when each is tried again.
const FAILED_COPIES: &str = "failed_copies";

impl Executor {
    /// Takes what a look brought, of an earlier life of this machine first: what is in force then is decided by it. Where
    /// this machine's report has to be written anew.
    pub fn take_look(&mut self, looked: Looked, now: Wall) -> Vec<PathBuf> {
        if self.history.is_ok() {
            self.forget_lone();
        }
        self.take_past(&looked.past, now);
        let again = self.take_own_reports(&looked.reports, now);
        self.own_report_stands(&looked.stood);
        if looked.look.answered {
            self.telling.heard_of_a_share();
        }
        self.take_published(looked.look, now);
        self.obey_the_site(now);
        again
    }

    /// A new history is open as soon as every place was seen and holds nothing of this machine.
    fn take_past(&mut self, told: &[Told], now: Wall) {
        if told.is_empty() || !self.history.as_ref().is_err_and(|lost| lost.cause == Cause::Unseen) {
            return;
        }
        match self.world.past_seen(told) {
            Ok(()) => {
                self.journal.info(now, "No share holds anything of an earlier life of this machine.");
                self.reopen(now);
            }
            Err(lost) => self.lose(lost),
        }
    }

    fn take_published(&mut self, look: Look, now: Wall) {
        let indexed = self.known.is_indexed();
        let config = self.known.config();
        let machine = config.machine.map(|id| id.to_string()).unwrap_or_default();
        for share in &config.shares {
            let line = match indexed {
                true => format!("Looking for index: {}", share.join(index::NAME).display()),
                false => {
                    let path = share.join(share::INS_FOLDER).join(format!("{machine}.INS"));
                    format!("Looking for instruction file: {}", path.display())
                }
            };
            self.journal.info(now, &line);
        }
        let listed: BTreeSet<RequestId> = self.known.listed().into_iter().collect();
        let taken = self.known.take_look(look, now);
        self.keep_lists(now);
        self.known.judge_again(now);
        if self.known.instructions.share_seen == Some(now) {
            // Told to the next start by the age of the held file.
            self.world.share_seen(now);
        }
        self.known.find_unstartable();
        self.known.want_all_looked_up();
        match taken {
            Taken::Nothing(fault) => {
                if fault.code == Code::InsMissing {
                    self.journal.info(now, "No instruction file.");
                }
                if fault.code == Code::Rollback {
                    self.say_rollback(&fault, now);
                } else {
                    self.journal_problems(&fault.problems, now);
                }
            }
            Taken::Refused => self.say_refused(now),
            Taken::File(keep) => {
                self.say_refused(now);
                self.unkept = keep.or(self.unkept.take());
                self.keep(now);
                self.tell_found(&listed, now);
            }
        }
        if self.service {
            self.known.expect_copies(now);
        }
        self.record_publication(now);
        self.note_states(now);
    }

    /// A newer trust list counts for good: nothing that is below it is ever taken. Where it cannot be written, it is taken
    /// again with the next look, and nothing starts by it before.
    fn keep_lists(&mut self, now: Wall) {
        for bytes in std::mem::take(&mut self.known.lists) {
            match self.world.place_list(&self.known.trust_folder(), &bytes) {
                Ok(version) => self.journal.info(now, &format!("Trust list {version} is in force.")),
                Err(why) => {
                    self.journal.error(now, &format!("A newer trust list is not in force: {why}"));
                    return;
                }
            }
        }
    }

    /// What is in force is the highest that was ever seen, from now on and after every start. It is kept before, where the
    /// disk takes it; where it does not, the serial is recorded all the same: after a restart without a share nothing is
    /// in force then, which is better than something older.
    pub(super) fn record_publication(&mut self, now: Wall) {
        if !self.known.cancelled.is_empty() && !self.record_cancelled(now) {
            return;
        }
        let (Some(publication), Ok(history)) = (self.known.unrecorded(), &mut self.history) else { return };
        let done = history.note_publication(now, publication);
        let done = done.and_then(|delta| history.write_mark().map(|()| delta));
        if let Err(e) = self.apply(done) {
            self.not_written("The serial of the instruction file was not recorded", &e, now);
        }
    }

    /// Before the publication that says so: a death in between leaves no newer one to be seen as the highest without them.
    fn record_cancelled(&mut self, now: Wall) -> bool {
        let Ok(history) = &mut self.history else { return false };
        let done = history.note_cancelled(now, &self.known.cancelled);
        let done = done.and_then(|delta| history.write_mark().map(|()| delta));
        match self.apply(done) {
            Ok(()) => {
                self.known.cancelled.clear();
                true
            }
            Err(e) => {
                self.not_written("The jobs that were cancelled were not recorded", &e, now);
                false
            }
        }
    }

    /// Said once for each file: it is on the share until somebody publishes.
    fn say_rollback(&mut self, fault: &SourceFault, now: Wall) {
        for problem in &fault.problems {
            let line = format!("{}: {}: {}", problem.file, problem.code, problem.message);
            if self.journal.once_in(Duration::MAX, &line, now) {
                self.journal.error(now, &line);
            }
        }
    }

    /// `pcm init --accept-serial`: an older file takes the place of a newer one, because an operator says so.
    pub(super) fn accept_serial(&mut self, serial: u64, actor: &Actor, now: Wall) -> Reply {
        let before = self.known.in_force();
        let found = self.known.offered(serial)?.clone();
        let publication = found.publication();
        let keep = Keep::of(&found);
        keep.hold(&*self.world).map_err(|why| not_recorded(&why))?;
        self.unkept = None;
        self.known.accept(found);
        self.change(|history| history.accept_publication(now, &publication, &actor.name))?;
        self.journal.warning(now, &format!("Serial {serial} was accepted by {}.", actor.name));
        Ok(Answer::Poll(self.known.poll_doc(before)))
    }

    /// Takes what came of staging; `over`: what it failed over, after much was read.
    pub fn take_staged(&mut self, hash: ContentHash, fact: ContentFact, over: Option<Stands>, now: Wall) {
        if let ContentFact::Missing(why) | ContentFact::Mismatch(why) | ContentFact::Loose(why) = &fact
            && self.known.content.get(&hash) != Some(&fact)
        {
            self.journal.error(now, &format!("Content is not staged: {why}"));
        }
        self.known.take_staged(hash, fact, over, now);
        self.keep_failed_copies();
        self.note_states(now);
    }

    /// A restart begins no copies anew that would fail again. Where that cannot be kept, each is tried once more after it.
    fn keep_failed_copies(&mut self) {
        let failed = self.known.failed_copies();
        let is_new = self.service && failed != self.failed_copies;
        if is_new && self.with_history(|history| history.set_meta(FAILED_COPIES, &failed)).is_ok() {
            self.failed_copies = failed;
        }
    }

    /// Those of the service before this one.
    pub(super) fn take_up_failed_copies(&mut self) {
        let Ok(history) = &self.history else { return };
        if let Ok(Some(kept)) = history.meta(FAILED_COPIES) {
            self.known.take_up_copies(&kept, self.world.now());
            self.failed_copies = kept;
        }
    }

    /// A look without an answer: what is held stays in force.
    pub fn look_gave_nothing(&mut self, why: &SafeText, now: Wall) {
        let line = self.known.no_answer(why);
        self.journal.error(now, &line);
        self.note_states(now);
    }

    fn say_refused(&mut self, now: Wall) {
        if let TrustVerdict::Refused(code, why) = &self.known.instructions.trust {
            self.journal.error(now, &format!("The instruction file is refused: {code}: {why}"));
        }
    }

    /// The last valid file is kept for the time when no share can be reached; the site file with it, so that its freezes
    /// stay in force. On a full disk that is tried again with the next look.
    fn keep(&mut self, now: Wall) {
        let Some(keep) = &self.unkept else { return };
        match keep.hold(&*self.world) {
            Ok(()) => self.unkept = None,
            Err(why) => self.journal.error(now, &why),
        }
    }

    fn journal_problems(&mut self, problems: &[Problem], now: Wall) {
        for problem in problems {
            let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
            self.journal
                .error(now, &format!("{}{line}: {}: {}", problem.file, problem.code, problem.message));
        }
    }

    /// In whose way a gate is, and how: decisions of many are made without it.
    fn evidence(&self, decision: &Decision, gate: Gate, now: Wall) -> SafeText {
        let told =
            decision.request_id.and_then(|id| self.known.with_inputs(now, |inputs| decide_one(inputs, id)));
        let found = told.and_then(|told| told.gates.into_iter().find(|g| g.gate == gate));
        found.map_or_else(|| decision.why.clone(), |gate| gate.evidence)
    }

    /// The phrases of the original, with every skip said in words (DEFECTS Q174933, Q165147).
    fn tell_found(&mut self, known: &BTreeSet<RequestId>, now: Wall) {
        let decisions = self.known.decide(now);
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
            // The id alone, as the original said it. A record without one has only its name.
            let name = match decision.request_id {
                Some(id) => format!("Package (Request ID) {id}"),
                None => format!("Package {} (without a valid id)", decision.package),
            };
            // The first gate that closes for good says it; what follows from it is noise.
            let skips = [Gate::Record, Gate::Trust, Gate::Platform, Gate::Kind];
            let first = decision.gates.iter().find(|g| g.verdict != Verdict::Pass && skips.contains(&g.gate));
            if let Some(gate) = first {
                match gate.code {
                    Some(Code::ApplicationOnly) => self
                        .journal
                        .info(now, &format!("{name} is not marked for service-only execution, skipping it.")),
                    Some(code) => {
                        let why = self.evidence(decision, gate.gate, now);
                        self.journal.warning(now, &format!("{name} is skipped: {code}: {why}"));
                    }
                    None => {}
                }
            }
        }
    }

    /// Looks and stages, for a command: within the share's deadline, however it hangs.
    pub fn poll_now(&mut self) {
        self.look_now();
        self.stage_now(|_| true);
    }

    /// Looks, and stages what one request needs; `again`: although it may have succeeded.
    pub fn poll_for(&mut self, request: RequestId, again: bool) {
        self.look_now();
        if again {
            self.known.want_again(request);
        }
        let content = self.known.find_request(request).and_then(|request| request.content_sha256.clone());
        // A share that has just not answered is not asked for gigabytes.
        if self.known.instructions.fault.is_none() {
            self.stage_now(|hash| content.as_ref() == Some(hash));
        }
    }

    /// Looks: within the share's deadline, however it hangs. Nothing is staged.
    pub fn look_now(&mut self) {
        let Some((job, deadline)) = self.known.look_job() else { return };
        match self.world.ask_share(&job, deadline) {
            // Only the service reports.
            Ok(ShareNews::Looked(looked)) => drop(self.take_look(*looked, self.world.now())),
            Ok(
                ShareNews::Staged(..)
                | ShareNews::Verified(_)
                | ShareNews::Unchanged
                | ShareNews::Delivered(_)
                | ShareNews::ResultsRemoved(_)
                | ShareNews::Tidied(_)
                | ShareNews::Installed(_)
                | ShareNews::Reported(_)
                | ShareNews::Tried(_),
            ) => {}
            Err(why) => self.look_gave_nothing(&why, self.world.now()),
        }
        if !self.service {
            self.known.look_up();
        }
        self.known.find_staged();
    }

    fn stage_now(&mut self, wanted: impl Fn(&ContentHash) -> bool) {
        for job in self.known.stage_jobs(self.world.now()) {
            if !matches!(&job, ShareJob::Stage { hash, .. } if wanted(hash)) {
                continue;
            }
            match self.world.ask_share(&job, STAGE_DEADLINE) {
                Ok(ShareNews::Staged(hash, fact, over)) => {
                    self.take_staged(hash, fact, over, self.world.now());
                }
                Ok(
                    ShareNews::Looked(_)
                    | ShareNews::Unchanged
                    | ShareNews::Verified(_)
                    | ShareNews::Delivered(_)
                    | ShareNews::ResultsRemoved(_)
                    | ShareNews::Tidied(_)
                    | ShareNews::Installed(_)
                    | ShareNews::Reported(_)
                    | ShareNews::Tried(_),
                ) => {}
                Err(why) => self.journal.error(self.world.now(), &format!("Content is not staged: {why}")),
            }
        }
    }

    /// What a poll found, for whoever asked for it.
    ///
    /// # Errors
    /// The fault of the share: what is in force stays.
    pub(super) fn polled(&self, before: InForce) -> Reply {
        match &self.known.instructions.fault {
            Some(fault) => Err(share_failure(fault)),
            None => Ok(Answer::Poll(self.known.poll_doc(before))),
        }
    }

    /// `sleeping n minutes`, as the original said it.
    pub fn say_sleeping(&mut self, wait: Duration, words: &str, now: Wall) {
        let minutes = wait.as_secs() / 60;
        let line =
            if minutes > 0 { format!("sleeping {minutes} minutes") } else { format!("sleeping {words}") };
        self.journal.info(now, &line);
    }
}

fn passes_filter(decision: &Decision) -> bool {
    let filter = [Gate::Record, Gate::Platform, Gate::History, Gate::Offer, Gate::Expiry];
    decision.gates.iter().filter(|gate| filter.contains(&gate.gate)).all(|gate| gate.verdict == Verdict::Pass)
}

/// The share could not be reached, or held nothing for this machine.
fn share_failure(fault: &SourceFault) -> Failure {
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
    let remedy = match fault.code {
        Code::InsMissing => {
            "What was published for it before counts as withdrawn; publish it again if that is wrong"
        }
        _ => "The file that was last valid stays in force",
    };
    Failure::new(exit, fault.code.as_str(), words.join("; "), remedy)
}
