//! What a look at the share brings, and what is done with it: the instruction file in force, the held copy of it, what is
//! staged (PROMISES.md 4). Who asks the share, and when, is in `polling`.

use super::Engine;
use crate::clock::Wall;
use crate::decision::{Decision, Instructions, decide_one};
use crate::executor::share::job::ShareNews;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::{ContentHash, Entry};
use crate::site::share::{self, Found, Look, SourceFault};
use crate::site::site_file;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Gate, Problem, Verdict};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::PathBuf;

impl Engine {
    /// Takes what came of a job at a share.
    pub fn take(&mut self, news: ShareNews, now: Wall) {
        match news {
            ShareNews::Looked(look) => self.take_look(*look, now),
            ShareNews::Staged(hash, fact) => {
                if let ContentFact::Missing(why) | ContentFact::Mismatch(why) | ContentFact::Loose(why) =
                    &fact
                {
                    self.journal.error(now, &format!("Content is not staged: {why}"));
                }
                self.content.insert(hash, fact);
            }
            ShareNews::Delivered(_) | ShareNews::Reported(_) => {}
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
        self.site_polling = found.site.polling_interval;
        self.policy.config.obey_site(self.site_polling);
        if !refused {
            if self.executes && self.held_bytes.as_ref() != Some(&found.bytes) {
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

    /// In whose way a gate is, and how: decisions of many are made without it.
    fn evidence(&self, decision: &Decision, gate: Gate, now: Wall) -> SafeText {
        let told = decision.request_id.and_then(|id| self.with_inputs(now, |inputs| decide_one(inputs, id)));
        let found = told.and_then(|told| told.gates.into_iter().find(|g| g.gate == gate));
        found.map_or_else(|| decision.why.clone(), |gate| gate.evidence)
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
                        let why = self.evidence(decision, gate.gate, now);
                        self.journal.warning(now, &format!("{name} is skipped: {code}: {why}"));
                    }
                    None => {}
                }
            }
        }
    }

    /// When the share was seen is told to the next start by the age of the held file.
    fn remember_seen(&self, now: Wall) {
        if self.executes {
            self.world.share_seen(now);
        }
    }

    /// The last valid file is kept for the time when no share can be reached; the site file with it, so that its freezes
    /// stay in force.
    fn hold_file(&mut self, bytes: &[u8], site: &[u8], now: Wall) {
        if let Err(why) = self.world.hold(bytes, site) {
            self.journal.error(now, &why);
        }
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

    /// What an executor before this one has staged is there still.
    pub(super) fn find_staged(&mut self) {
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
            if self.world.is_staged(&hash) {
                self.content.insert(hash, ContentFact::Staged);
            }
        }
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
}

fn passes_filter(decision: &Decision) -> bool {
    let filter = [Gate::Record, Gate::Platform, Gate::History, Gate::Offer, Gate::Expiry];
    decision.gates.iter().filter(|gate| filter.contains(&gate.gate)).all(|gate| gate.verdict == Verdict::Pass)
}
