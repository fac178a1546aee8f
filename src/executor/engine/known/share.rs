//! What a look at the share brought: the instruction file in force and the faults (PROMISES.md 4). Nothing older than what
//! this machine has seen comes into force (SITE.md 1). What is to be kept, staged and said of it is the executor's.

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Instructions};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::Cause;
use crate::executor::share::job::{self, ShareJob};
use crate::executor::world::World;
use crate::site::content::{ContentFact, Shelf, Stands};
use crate::site::ids::RequestId;
use crate::site::indexed::parts::Parts;
use crate::site::instruction::{ContentHash, Entry, Request};
use crate::site::publication::{Chosen, Publication, choose};
use crate::site::share::{self, Found, Look, SourceFault};
use crate::site::signed::published::Packages;
use crate::site::site_file;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Group, Problem};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a look has changed.
pub(in super::super) enum Taken {
    /// Nothing valid was found: what is in force stays.
    Nothing(SourceFault),
    /// What was found may be somebody else's: what was believed stays.
    Refused,
    /// A file is in force. It is to be kept where it is believed and not kept already.
    File(Option<Keep>),
}

/// What is to be kept in the state folder.
pub(in super::super) enum Keep {
    /// The bytes of an instruction file, of the site file that came with it, and of the packages that are signed.
    File { file: Vec<u8>, site: Vec<u8>, packages: Packages },
    /// Those of an index and its parts, and the name under which it is held.
    Index { name: String, index: Vec<u8>, parts: Parts },
}

impl Keep {
    pub fn of(found: &Found) -> Keep {
        match &found.brought {
            Some(brought) => Keep::Index {
                name: found.publication().folder(),
                index: found.bytes.clone(),
                parts: brought.parts.clone(),
            },
            None => Keep::File {
                file: found.bytes.clone(),
                site: found.site_bytes.clone(),
                packages: found.packages.clone(),
            },
        }
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// What was kept before is kept still, in words.
    pub fn hold(&self, world: &dyn World) -> std::result::Result<(), String> {
        match self {
            Keep::File { file, site, packages } => world.hold(file, site, packages),
            Keep::Index { name, index, parts } => world.hold_index(name, index, parts),
        }
    }
}

impl Known {
    /// The next look; None while this machine has no id.
    pub fn look_job(&self) -> Option<(ShareJob, Duration)> {
        let config = &self.policy.config;
        // A place for reports alone is not looked at: it could hang, and the instructions with it.
        let places = if self.lost.is_none() { config.shares.as_slice() } else { &[] };
        let stands = &self.snapshot.reported.stands;
        let known = |place: &PathBuf| (place.clone(), stands.get(place).copied());
        let reports = places.iter().map(known).collect();
        job::look_job(config, self.wants_past(), reports, self.material(), self.held_index())
    }

    /// Nothing is known yet of an earlier life of this machine.
    fn wants_past(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.cause == Cause::Unseen)
    }

    /// Looks at the share, within its deadline, however it hangs. Nothing is kept and nothing staged.
    pub fn look(&mut self) {
        match self.world.look(&self.policy.config, self.wants_past(), self.material(), self.held_index()) {
            Some(Ok(look)) => {
                self.take_look(look, self.world.now());
            }
            Some(Err(why)) => {
                self.no_answer(&why);
            }
            None => {}
        }
        self.find_staged();
    }

    /// Takes what a look brought.
    pub(in super::super) fn take_look(&mut self, mut look: Look, now: Wall) -> Taken {
        let others = std::mem::take(&mut look.others);
        let offers = look.found.take().into_iter().chain(others).collect();
        let offers = match self.policy.config.trust.mode {
            TrustMode::Permissions => self.composed_offers(offers, &mut look, now),
            TrustMode::Signed => self.verified(offers, &mut look, now),
        };
        self.notes = look.problems;
        let Chosen { taken, behind } = choose(offers, self.highest());
        // A share that lags behind says nothing of how things stand now.
        if look.answered && (taken.is_some() || behind.is_empty()) {
            self.instructions.share_seen = Some(now);
        }
        let problems = behind.iter().map(|(found, why)| rollback(&found.share, why));
        if let Some(found) = taken {
            self.notes.extend(problems.map(Problem::into_warning));
            self.behind.clear();
            return self.take_found(found);
        }
        let fault = if behind.is_empty() {
            let missing = || SourceFault { code: Code::ShareMissing, problems: Vec::new() };
            look.fault.unwrap_or_else(missing)
        } else {
            SourceFault { code: Code::Rollback, problems: problems.collect() }
        };
        self.behind = behind.into_iter().map(|(found, _)| found).collect();
        // Reports and results go there while nothing better answers: they say what this machine has seen.
        if let Some(best) = self.behind.first() {
            self.share = Some(best.share.clone());
        }
        self.instructions.fault = Some(fault.clone());
        Taken::Nothing(fault)
    }

    /// The highest publication that this machine has seen: by its history, or by the file in force, which may not be
    /// recorded yet.
    pub(super) fn highest(&self) -> Option<&Publication> {
        let recorded = self.snapshot.highest.as_ref();
        self.unrecorded().or(recorded)
    }

    /// The publication in force, where the history does not know it yet.
    pub(in super::super) fn unrecorded(&self) -> Option<&Publication> {
        let recorded = self.snapshot.highest.as_ref().map(Publication::order);
        self.held.as_ref().filter(|held| recorded < Some(held.order()))
    }

    /// What is in force is older than the history knows: it may hold what was cancelled since.
    pub(super) fn drop_older(&mut self) {
        let (Some(highest), Some(held)) = (&self.snapshot.highest, &self.held) else { return };
        let Some(why) = held.behind(highest) else { return };
        let place = if held.index { self.layout.held_folder() } else { self.layout.held() };
        let problem = rollback(&place, &why);
        self.held = None;
        self.instructions.file = None;
        self.instructions.index = None;
        self.instructions.fault = Some(SourceFault { code: Code::Rollback, problems: vec![problem] });
    }

    /// What a share offers with this serial, while nothing but older files is offered.
    ///
    /// # Errors
    /// `no-rollback`: nothing has to be accepted; `rollback`: no share offers this serial.
    pub(in super::super) fn offered(&self, serial: u64) -> Result<&Found> {
        if self.behind.is_empty() {
            return Err(Failure::new(
                Exit::Refused,
                "no-rollback",
                "no share offers an older instruction file alone, so there is nothing to accept",
                "Look at the share with: pcm poll",
            ));
        }
        self.behind.iter().find(|found| found.file.serial == serial).ok_or_else(|| {
            let offers: Vec<String> = self
                .behind
                .iter()
                .map(|found| format!("serial {} on {}", found.file.serial, found.share.display()))
                .collect();
            Failure::new(
                Exit::Refused,
                Code::Rollback.as_str(),
                format!("no share offers serial {serial}; there is {}", offers.join(", ")),
                "Name the serial that a share offers",
            )
        })
    }

    /// Takes what an operator accepts, however old it is.
    pub(in super::super) fn accept(&mut self, found: Found) {
        self.behind.clear();
        self.take_found(found);
    }

    fn take_found(&mut self, found: Found) -> Taken {
        self.instructions.fault = None;
        self.instructions.trust = found.trust.clone();
        self.instructions.source = Some(SafeText::new(&found.share.display().to_string()));
        self.share = Some(found.share.clone());
        let refused = matches!(found.trust, TrustVerdict::Refused(..));
        // What somebody else may have written does not take the place of what was believed; nothing runs of either.
        if refused && self.instructions.file.is_some() && self.held.is_some() {
            return Taken::Refused;
        }
        let keep = Keep::of(&found);
        let publication = found.publication();
        // Signed anew, perhaps by another key, it is the same publication.
        let is_kept = found.signed.is_none()
            || self
                .signed
                .as_ref()
                .is_some_and(|(bytes, packages)| (bytes, packages) == (&found.bytes, &found.packages));
        self.instructions.signed = found.signed;
        self.instructions.index = found.index;
        let parts_of = found.brought.is_some();
        let index_keep = match found.brought {
            Some(brought) => self.take_index(&publication, found.bytes, brought),
            None => {
                self.indexed = None;
                self.signed = self.instructions.signed.as_ref().map(|_| (found.bytes, found.packages));
                None
            }
        };
        if self.instructions.signed.is_some() {
            self.clock.signed_at(found.file.issued);
        }
        self.instructions.file = Some(found.file);
        self.instructions.site_freezes = found.site.freezes;
        self.site_polling = found.site.polling_interval;
        self.configured.restore(&mut self.policy.config);
        self.policy.config.obey_site(self.site_polling);
        self.configured.obey(&self.policy.config);
        self.obey_groups();
        if refused {
            return Taken::File(None);
        }
        self.see_cancelled();
        let news = !is_kept || self.held.as_ref() != Some(&publication);
        self.held = Some(publication);
        Taken::File(if parts_of { index_keep } else { news.then_some(keep) })
    }

    /// A look without an answer: what is held stays in force.
    pub(in super::super) fn no_answer(&mut self, why: &SafeText) -> String {
        self.behind.clear();
        let shares: Vec<_> =
            self.policy.config.shares.iter().map(|share| share.display().to_string()).collect();
        let shares = shares.join(", ");
        self.instructions.fault = Some(SourceFault {
            code: Code::ShareMissing,
            problems: vec![Problem::of_file(Code::ShareMissing.as_str(), shares.clone(), why.clone())],
        });
        format!("{shares}: {}: {why}", Code::ShareMissing)
    }

    /// What was held when this process started. In mode `permissions` its trust was judged when it was taken from a share;
    /// since then it stood in a folder that only the service's account can write. What is signed is verified again.
    pub(super) fn load_held(&mut self) {
        let Some(machine) = self.policy.config.machine else { return };
        if self.load_index() {
            return self.find_staged();
        }
        let Some(held) = self.world.held() else { return };
        let defaults = self.policy.config.request_defaults();
        let read = match self.policy.config.trust.mode {
            TrustMode::Permissions => share::parse_held(&held.file, machine, &defaults).map(|file| {
                (file, TrustVerdict::Trusted("permissions, when it was taken from the share".into()), None)
            }),
            TrustMode::Signed => {
                self.signed = Some((held.file.clone(), held.packages));
                self.judge_held(self.world.now())
                    .map(|(file, by)| (file, TrustVerdict::Trusted(by.words()), Some(by)))
                    .map_err(|distrust| {
                        let file = self.layout.held().display().to_string();
                        vec![Problem::of_file(distrust.code.as_str(), file, distrust.why)]
                    })
            }
        };
        match read {
            Ok((file, trust, signed)) => {
                let publication = Publication::of(signed.as_ref(), file.serial, &held.file);
                if signed.is_some() {
                    self.clock.signed_at(file.issued);
                }
                let site = held.site.and_then(|bytes| site_file::parse_any(&bytes, "held PCM.SITE").ok());
                self.site_polling = site.as_ref().and_then(|site| site.polling_interval);
                self.policy.config.obey_site(self.site_polling);
                *self.instructions = Instructions {
                    file: Some(file),
                    share_seen: held.seen,
                    trust,
                    signed,
                    site_freezes: site.map(|site| site.freezes).unwrap_or_default(),
                    ..Instructions::default()
                };
                self.held = Some(publication);
                self.drop_older();
            }
            Err(problems) => {
                self.signed = None;
                self.notes = problems;
            }
        }
        self.find_staged();
    }

    /// A view that is made anew keeps what the one before it saw of the share.
    pub fn keep_source_of(&mut self, other: Known) {
        self.instructions = other.instructions;
        self.memo.take();
        self.notes = other.notes;
        self.share = other.share;
        self.held = other.held;
        self.signed = other.signed;
        self.indexed = other.indexed;
        self.behind = other.behind;
        self.drop_older();
        self.find_staged();
    }

    /// The contents that are named in the file in force.
    pub(in super::super) fn contents(&self) -> impl Iterator<Item = &ContentHash> {
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        entries.filter_map(|entry| match entry {
            Entry::Good(request) => request.content_sha256.as_ref(),
            Entry::Rejected(_) => None,
        })
    }

    /// What an executor before this one has staged is there still.
    pub(in super::super) fn find_staged(&mut self) {
        let there: Vec<ContentHash> =
            self.contents().filter(|hash| self.world.is_staged(hash)).cloned().collect();
        self.content.extend(there.into_iter().map(|hash| (hash, ContentFact::Staged)));
        self.find_unstartable();
    }

    /// What could only fail is refused as soon as its files are here, and again at each look: the system may have got or
    /// lost an interpreter.
    pub(in super::super) fn find_unstartable(&mut self) {
        let platform = self.world.platform();
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        let requests = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some(request),
            Entry::Rejected(_) => None,
        });
        self.unstartable = requests
            .filter(|r| r.platforms.is_empty() || platform.is_some_and(|p| r.platforms.contains(&p)))
            .filter(|r| match &r.content_sha256 {
                Some(hash) => self.content.get(hash) == Some(&ContentFact::Staged),
                None => true,
            })
            .filter_map(|r| Some((r.request_id, self.world.startable(r).err()?)))
            .collect();
    }

    /// Takes what came of staging; `over`: what it failed over, after much was read.
    pub(in super::super) fn take_staged(
        &mut self,
        hash: ContentHash,
        fact: ContentFact,
        over: Option<Stands>,
        now: Wall,
    ) {
        let named: BTreeSet<ContentHash> = self.contents().cloned().collect();
        self.again.ended(&hash, over, now, self.world.monotonic());
        self.again.keep(&named);
        self.copying.remove(&hash);
        self.content.insert(hash, fact);
        self.find_unstartable();
    }

    /// What lasts of copies that failed, in words.
    pub(in super::super) fn failed_copies(&self) -> String {
        serde_json::to_string(&self.again.kept(&self.content)).unwrap_or_default()
    }

    /// Takes that up after a restart. It is a hint: what does not read as one is copied once more.
    pub(in super::super) fn take_up_copies(&mut self, kept: &str, now: Wall) {
        let kept = serde_json::from_str(kept).unwrap_or_default();
        self.again.take_up(kept, &mut self.content, now, self.world.monotonic());
    }

    /// What is to be copied from now on. What was tried before may fail again, and nothing waits for it.
    pub(in super::super) fn expect_copies(&mut self, now: Wall) {
        let named: BTreeSet<ContentHash> = self.contents().cloned().collect();
        self.copying.retain(|hash, _| named.contains(hash));
        let listed: BTreeSet<RequestId> = self.listed().into_iter().collect();
        self.wanted_again.retain(|id| listed.contains(id));
        for job in self.stage_jobs() {
            if let ShareJob::Stage { hash, .. } = job
                && !self.content.contains_key(&hash)
            {
                self.copying.entry(hash).or_insert(now);
            }
        }
    }

    /// What it is time to copy again although it may not have changed.
    pub fn stage_jobs_again(&self) -> Vec<ShareJob> {
        let mono = self.world.monotonic();
        if !self.again.any_due(mono) && self.wanted_again.is_empty() {
            return Vec::new();
        }
        let wanted_again =
            self.wanted_again.iter().filter_map(|id| self.find_request(*id)?.content_sha256.as_ref());
        let new: BTreeSet<&ContentHash> =
            wanted_again.filter(|hash| !self.content.contains_key(*hash)).collect();
        let mut jobs = self.stage_jobs();
        jobs.retain(|job| {
            matches!(job, ShareJob::Stage { hash, .. } if new.contains(hash) || self.again.is_due(hash, mono))
        });
        jobs
    }

    /// What may yet run on this machine, has files, and is not staged: first what has to run first.
    pub fn stage_jobs(&self) -> Vec<ShareJob> {
        let Some(share) = &self.share else { return Vec::new() };
        let mono = self.world.monotonic();
        let indexed = self.instructions.index.is_some();
        let mut seen = BTreeSet::new();
        let mut requests: Vec<_> = self.may_run().collect();
        requests.sort_by_cached_key(|r| {
            let mandatory = r.mandatory_after.map(|at| at.resolve(&self.zone));
            (mandatory.is_none(), mandatory, r.request_id)
        });
        requests
            .into_iter()
            .filter_map(|r| {
                let at = if indexed { Shelf::Content } else { Shelf::Package(r.package_id) };
                Some((at, r.content_sha256.clone()?))
            })
            .filter(|(_, hash)| seen.insert(hash.clone()))
            .filter(|(_, hash)| !self.is_staged(hash))
            .map(|(at, hash)| ShareJob::Stage {
                share: share.clone(),
                at,
                unless: self.again.unless(&hash, mono),
                hash,
                stage: self.layout.stage(),
                trust: self.policy.config.trust.mode,
            })
            .collect()
    }

    /// What is published and may yet run on this machine: by itself, or because an operator says so.
    fn may_run(&self) -> impl Iterator<Item = &Request> {
        let (platform, now) = (self.world.platform(), self.world.now());
        let skipped = self.skipped_jobs(now);
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        let requests = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some(&**request),
            Entry::Rejected(_) => None,
        });
        requests
            .filter(move |r| r.platforms.is_empty() || platform.is_some_and(|p| r.platforms.contains(&p)))
            .filter(move |r| r.expire_after.is_none_or(|at| now < at.resolve(&self.zone)))
            .filter(|r| !self.succeeded(r.request_id) || self.wanted_again.contains(&r.request_id))
            .filter(move |r| !skipped.contains(&r.request_id))
    }

    /// The jobs of an index that are for others or that nobody wants any more: nothing of them is copied.
    fn skipped_jobs(&self, now: Wall) -> BTreeSet<RequestId> {
        if self.instructions.index.is_none() {
            return BTreeSet::new();
        }
        let decisions = self.with_inputs(now, decision::verdicts);
        let skipped = decisions.iter().filter(|d| d.state.group() == Group::Skipped);
        skipped.filter_map(|d| d.request_id).collect()
    }

    /// The contents that something needs: what may yet run, and what runs. None: it is not known what that is.
    pub(in super::super) fn needed_content(&self) -> Option<BTreeSet<ContentHash>> {
        if self.lost.is_some() || self.instructions.file.is_none() {
            return None;
        }
        let running = self.under_way().filter_map(|row| row.content.as_ref());
        Some(self.may_run().filter_map(|r| r.content_sha256.as_ref()).chain(running).cloned().collect())
    }

    /// An operator wants to run again what has succeeded, and its files are not here any more: they are copied.
    pub(in super::super) fn want_again(&mut self, id: RequestId) {
        let missing = self
            .find_request(id)
            .and_then(|r| r.content_sha256.as_ref())
            .is_some_and(|hash| !self.is_staged(hash));
        if missing && self.succeeded(id) {
            self.wanted_again.insert(id);
        }
    }

    fn is_staged(&self, hash: &ContentHash) -> bool {
        self.content.get(hash) == Some(&ContentFact::Staged) && self.world.is_staged(hash)
    }

    fn succeeded(&self, id: RequestId) -> bool {
        self.attempts_of(id).any(|row| row.attempt.state.is_success())
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

    /// Where reports and results may go, and what makes that believable. The place that the configuration names is an
    /// operator's own word. Else all shares, each of which is judged before it is written to; none until one gave the file
    /// in force, and where the newest look found that it cannot be trusted.
    ///
    /// # Errors
    /// Why there is none.
    pub fn report_places(&self) -> std::result::Result<(Vec<PathBuf>, Option<TrustMode>), SafeText> {
        let config = &self.policy.config;
        if let Some(named) = &config.share.report {
            return Ok((vec![named.clone()], None));
        }
        match &self.instructions.trust {
            TrustVerdict::Trusted(_) if self.share.is_some() && !config.shares.is_empty() => {
                Ok((config.shares.clone(), Some(config.trust.mode)))
            }
            TrustVerdict::Refused(code, why) => Err(SafeText::new(&format!(
                "nothing is written to a share that is not trusted: {code}: {why}"
            ))),
            TrustVerdict::Trusted(_) | TrustVerdict::Unchecked => {
                Err("no share has given a valid instruction file since the service started".into())
            }
        }
    }
}

/// A file that is not taken, as it is shown.
fn rollback(place: &Path, why: &str) -> Problem {
    let message = format!("it is not taken: {why}");
    let problem = Problem::of_file(Code::Rollback.as_str(), place.display().to_string(), message);
    Problem { field: Some("serial".into()), ..problem }
}
