//! What a look at the share brought: the instruction file in force and the faults (PROMISES.md 4). What is to be kept,
//! staged and said of it is the executor's.

use super::Known;
use crate::clock::Wall;
use crate::decision::Instructions;
use crate::executor::share::job::{ShareJob, ShareNews, look_deadline};
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::{ContentHash, Entry};
use crate::site::share::{self, Found, Look, SourceFault};
use crate::site::site_file;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::PathBuf;
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

/// The bytes of an instruction file and of the site file that came with it.
pub(in super::super) struct Keep {
    pub file: Vec<u8>,
    pub site: Vec<u8>,
}

impl Known {
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

    /// Looks at the share, within its deadline, however it hangs. Nothing is kept and nothing staged.
    pub fn look(&mut self) {
        let Some((job, deadline)) = self.look_job() else { return };
        match self.world.ask_share(&job, deadline) {
            Ok(ShareNews::Looked(look)) => {
                self.take_look(*look, self.world.now());
            }
            Ok(
                ShareNews::Staged(..)
                | ShareNews::Delivered(_)
                | ShareNews::Reported(_)
                | ShareNews::Verified(_),
            ) => {}
            Err(why) => {
                self.no_answer(&why);
            }
        }
        self.find_staged();
    }

    /// Takes what a look brought.
    pub(in super::super) fn take_look(&mut self, look: Look, now: Wall) -> Taken {
        self.notes = look.problems;
        if look.answered {
            self.instructions.share_seen = Some(now);
        }
        match look.found {
            Some(found) => self.take_found(found),
            None => {
                let missing = || SourceFault { code: Code::ShareMissing, problems: Vec::new() };
                let fault = look.fault.unwrap_or_else(missing);
                self.instructions.fault = Some(fault.clone());
                Taken::Nothing(fault)
            }
        }
    }

    fn take_found(&mut self, found: Found) -> Taken {
        self.instructions.fault = None;
        self.instructions.trust = found.trust.clone();
        self.instructions.source = Some(SafeText::new(&found.share.display().to_string()));
        self.share = Some(found.share);
        let refused = matches!(found.trust, TrustVerdict::Refused(..));
        // What somebody else may have written does not take the place of what was believed; nothing runs of either.
        if refused && self.instructions.file.is_some() && self.held_bytes.is_some() {
            return Taken::Refused;
        }
        let file_name = format!("{}.INS", found.file.machine);
        if let (Some(old), Some(bytes)) = (&self.instructions.file, &self.held_bytes) {
            let mode = self.policy.config.trust.mode;
            let new = (&found.file, found.bytes.as_slice());
            self.notes.extend(share::serial_problem(mode, (old, bytes), new, &file_name));
        }
        self.instructions.file = Some(found.file);
        self.instructions.site_freezes = found.site.freezes;
        self.site_polling = found.site.polling_interval;
        self.policy.config.obey_site(self.site_polling);
        if refused {
            return Taken::File(None);
        }
        let news = self.held_bytes.as_ref() != Some(&found.bytes);
        let keep = news.then(|| Keep { file: found.bytes.clone(), site: found.site_bytes });
        self.held_bytes = Some(found.bytes);
        Taken::File(keep)
    }

    /// A look without an answer: what is held stays in force.
    pub(in super::super) fn no_answer(&mut self, why: &SafeText) -> String {
        let shares: Vec<_> =
            self.policy.config.shares.iter().map(|share| share.display().to_string()).collect();
        let shares = shares.join(", ");
        self.instructions.fault = Some(SourceFault {
            code: Code::ShareMissing,
            problems: vec![Problem::of_file(Code::ShareMissing.as_str(), shares.clone(), why.clone())],
        });
        format!("{shares}: {}: {why}", Code::ShareMissing)
    }

    /// What was held when this process started. Its trust was judged when it was taken from a share; since then it stood
    /// in a folder that only the service's account can write.
    pub(super) fn load_held(&mut self) {
        let Some(machine) = self.policy.config.machine else { return };
        let Some(held) = self.world.held() else { return };
        let bytes = held.file;
        match share::parse_held(&bytes, machine, &self.policy.config.request_defaults()) {
            Ok(file) => {
                let trust = match self.policy.config.trust.mode {
                    TrustMode::Permissions => {
                        TrustVerdict::Trusted("permissions, when it was taken from the share".into())
                    }
                    TrustMode::Signed => {
                        TrustVerdict::Refused(Code::Unsigned, "there is no signature to check".into())
                    }
                };
                let site = held.site.and_then(|bytes| site_file::parse(&bytes, "held PCM.SITE").ok());
                self.site_polling = site.as_ref().and_then(|site| site.polling_interval);
                self.policy.config.obey_site(self.site_polling);
                *self.instructions = Instructions {
                    file: Some(file),
                    share_seen: held.seen,
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

    /// A view that is made anew keeps what the one before it saw of the share.
    pub fn keep_source_of(&mut self, other: Known) {
        self.instructions = other.instructions;
        self.memo.take();
        self.notes = other.notes;
        self.share = other.share;
        self.held_bytes = other.held_bytes;
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

    /// The share that gave the file in force, for reports and results; None until one did, and where the newest look
    /// found that it cannot be trusted.
    pub fn report_share(&self) -> Option<PathBuf> {
        match self.instructions.trust {
            TrustVerdict::Trusted(_) => self.share.clone(),
            TrustVerdict::Refused(..) | TrustVerdict::Unchecked => None,
        }
    }
}
