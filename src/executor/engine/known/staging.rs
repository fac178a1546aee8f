//! What of a share is copied to this machine: the files of what may yet run here, what runs first first, and again when it is
//! time for that. What they are copied for is decided by the verdicts that every step has made already.

use super::Known;
use crate::clock::Wall;
use crate::decision::Decision;
use crate::executor::share::job::ShareJob;
use crate::site::content::{ContentFact, Shelf, Stands};
use crate::site::ids::RequestId;
use crate::site::installed::Needed;
use crate::site::instruction::{ContentHash, Entry, Request};
use crate::site::trust::TrustMode;
use crate::terms::{Code, Gate, Group, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

impl Known {
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
    /// lost an interpreter. What many requests start is looked at once.
    pub(in super::super) fn find_unstartable(&mut self) {
        let platform = self.world.platform();
        let mut looked_at = BTreeMap::new();
        let mut startable = |request: &Request| {
            let (program, content) = (&request.command_line.program, request.content_sha256.as_ref());
            let look = || self.world.startable(program, content);
            looked_at.entry((program.clone(), content.cloned())).or_insert_with(look).clone()
        };
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
            .filter_map(|r| Some((r.request_id, startable(r).err()?)))
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

    /// Since when the files of a request are being copied, where they are.
    pub(super) fn copying_since(&self, request: &Request) -> Option<Wall> {
        self.copying.get(request.content_sha256.as_ref()?).copied()
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
        for job in self.stage_jobs(now) {
            if let ShareJob::Stage { hash, .. } = job
                && !self.content.contains_key(&hash)
            {
                self.copying.entry(hash).or_insert(now);
            }
        }
    }

    /// What it is time to copy again although it may not have changed.
    pub fn stage_jobs_again(&self, now: Wall) -> Vec<ShareJob> {
        let mono = self.world.monotonic();
        if !self.again.any_due(mono) && self.wanted_again.is_empty() {
            return Vec::new();
        }
        let wanted_again =
            self.wanted_again.iter().filter_map(|id| self.find_request(*id)?.content_sha256.as_ref());
        let new: BTreeSet<&ContentHash> =
            wanted_again.filter(|hash| !self.content.contains_key(*hash)).collect();
        let mut jobs = self.stage_jobs(now);
        jobs.retain(|job| {
            matches!(job, ShareJob::Stage { hash, .. } if new.contains(hash) || self.again.is_due(hash, mono))
        });
        jobs
    }

    /// What may yet run on this machine, has files, and is not staged: first what has to run first.
    pub fn stage_jobs(&self, now: Wall) -> Vec<ShareJob> {
        let Some(share) = &self.share else { return Vec::new() };
        let shares = self.near_shares(share);
        let distrusted = self.distrusted(now);
        let mono = self.world.monotonic();
        let indexed = self.instructions.index.is_some();
        let mut seen = BTreeSet::new();
        let mut requests: Vec<_> =
            self.may_run(now).filter(|request| !distrusted.contains(&request.request_id)).collect();
        // Until it is known whether there is anything to do: that is known soon.
        requests.retain(|request| self.was_looked_up(request));
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
                shares: shares.clone(),
                bandwidth: self.policy.config.share.bandwidth,
                hurry: false,
                at,
                unless: self.again.unless(&hash, mono),
                hash,
                stage: self.layout.stage(),
                trust: self.policy.config.trust.mode,
            })
            .collect()
    }

    /// Where content is copied from, the nearest first: what a signed index names is the same on every share. Of shares that
    /// offer nothing now nothing is expected.
    fn near_shares(&self, share: &Path) -> Vec<PathBuf> {
        let config = &self.policy.config;
        let Some(index) = &self.instructions.index else { return vec![share.to_owned()] };
        if config.trust.mode != TrustMode::Signed {
            return vec![share.to_owned()];
        }
        let near: Vec<&str> =
            index.policies.iter().filter_map(|group| group.rules.as_ref().ok()?.near.as_deref()).collect();
        let mut shares: Vec<PathBuf> =
            config.shares.iter().filter(|share| self.offer.contains(*share)).cloned().collect();
        shares.sort_by_key(|share| !near.iter().any(|near| Path::new(near) == share));
        if shares.is_empty() { vec![share.to_owned()] } else { shares }
    }

    /// What is published and may yet run on this machine: by itself, or because an operator says so.
    fn may_run(&self, now: Wall) -> impl Iterator<Item = &Request> {
        let platform = self.world.platform();
        let wanted = self.wanted_jobs(now);
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        let requests = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some(&**request),
            Entry::Rejected(_) => None,
        });
        requests
            .filter(move |r| r.platforms.is_empty() || platform.is_some_and(|p| r.platforms.contains(&p)))
            .filter(move |r| r.expire_after.is_none_or(|at| now < at.resolve(&self.zone)))
            .filter(|r| !self.succeeded(r.request_id) || self.wanted_again.contains(&r.request_id))
            .filter(move |r| wanted.as_ref().is_none_or(|wanted| wanted.contains(&r.request_id)))
            .filter(|r| self.needed(r) != Needed::No || self.wanted_again.contains(&r.request_id))
    }

    /// The jobs of an index that are for this machine and that somebody still wants: of others nothing is copied. None: an
    /// instruction file is in force, and all of it is for this machine.
    fn wanted_jobs(&self, now: Wall) -> Option<BTreeSet<RequestId>> {
        self.instructions.index.as_ref()?;
        let verdicts = self.verdicts(now);
        let wanted = verdicts.iter().filter(|d| d.state.group() != Group::Skipped);
        Some(wanted.filter_map(|d| d.request_id).collect())
    }

    /// What is not believed is not copied either. Whether others could change its files is only known once they were looked at.
    fn distrusted(&self, now: Wall) -> BTreeSet<RequestId> {
        let closed = |d: &&Decision| {
            let trust = d.gates.iter().find(|gate| gate.gate == Gate::Trust);
            trust.is_some_and(|gate| {
                gate.verdict != Verdict::Pass && gate.code != Some(Code::LoosePermissions)
            })
        };
        self.verdicts(now).iter().filter(closed).filter_map(|d| d.request_id).collect()
    }

    /// The contents that something needs: what may yet run, and what runs. None: it is not known what that is.
    pub(in super::super) fn needed_content(&self, now: Wall) -> Option<BTreeSet<ContentHash>> {
        if self.lost.is_some() || self.instructions.file.is_none() {
            return None;
        }
        let running = self.under_way().filter_map(|row| row.content.as_ref());
        Some(self.may_run(now).filter_map(|r| r.content_sha256.as_ref()).chain(running).cloned().collect())
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

    pub(super) fn is_staged(&self, hash: &ContentHash) -> bool {
        self.content.get(hash) == Some(&ContentFact::Staged) && self.world.is_staged(hash)
    }

    pub(super) fn succeeded(&self, id: RequestId) -> bool {
        self.attempts_of(id).any(|row| row.attempt.state.is_success())
    }
}
