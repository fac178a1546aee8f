//! Mode `signed` (SITE.md 4): what a look brought is bytes, and whose they are is found out here, by the trust folder as it is
//! at that moment. What is in force is verified again at each start and before each launch.

use super::Known;
use crate::clock::Wall;
use crate::executor::talk::view::{SignedDoc, TrustDoc};
use crate::site::indexed::parts::Parts;
use crate::site::instruction::{Entry, InstructionFile, Request};
use crate::site::publication::Publication;
use crate::site::share::{Found, Look, SourceFault};
use crate::site::signed::Distrust;
use crate::site::signed::published::{self, Judging, SignedBy, Standing, Vouched};
use crate::site::signed::store::{Material, Trusted};
use crate::site::trust::{NO_LIST, TrustMode, TrustVerdict};
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::cmp::Reverse;
use std::path::PathBuf;

impl Known {
    /// The trust folder of this machine.
    pub(in super::super) fn trust_folder(&self) -> PathBuf {
        self.layout.trust_folder(self.policy.config.trust.dir.as_deref())
    }

    /// What it holds, for whoever reads the shares; None in mode `permissions`, and where nothing usable is there.
    pub(super) fn material(&self) -> Option<Material> {
        match self.policy.config.trust.mode {
            TrustMode::Permissions => None,
            TrustMode::Signed => self.configured_material().ok().flatten(),
        }
    }

    /// The same, with how many have to sign a publication.
    fn configured_material(&self) -> Result<Option<Material>, SafeText> {
        let material = self.world.material(&self.trust_folder())?;
        Ok(material.map(|material| material.wanting(self.policy.config.trust.publish_signatures)))
    }

    /// Whose word counts now. None: no trust list was ever taken.
    fn trusted(&self) -> Result<Option<Trusted>, Distrust> {
        let material = self.configured_material();
        let opened = material.and_then(|material| material.map(|material| material.open()).transpose());
        opened.map_err(|why| Distrust::new(Code::BadSignature, format!("the trust folder: {why}")))
    }

    /// What of the offers is signed by whom the trust folder names. Newer trust lists count first; they are kept by the
    /// executor. What is not believed is the fault of the look, or a note where another share has what is.
    pub(super) fn verified(&mut self, offers: Vec<Found>, look: &mut Look, now: Wall) -> Vec<Found> {
        let mut faults: Vec<(PathBuf, Distrust)> = Vec::new();
        let mut good = Vec::new();
        let trusted = self.trusted().map(|trusted| {
            trusted.map(|mut trusted| {
                for bytes in &look.lists {
                    // Whatever the reader took for the next version, it is taken here again.
                    let Ok(next) = trusted.next(bytes, now) else { break };
                    self.lists.push(bytes.clone());
                    trusted = next;
                }
                trusted
            })
        });
        // Whoever reads the shares is told nothing of a damaged folder, and takes it for none.
        if let (Err(distrust), Some(Code::Unsigned)) = (&trusted, look.fault.as_ref().map(|fault| fault.code))
        {
            let (code, place) = (distrust.code, self.trust_folder().display().to_string());
            let problems = vec![distrust.problem(place)];
            look.fault = Some(SourceFault { code, problems });
        }
        for mut found in with_all_parts(offers) {
            if found.brought.is_some() {
                let share = found.share.clone();
                let judged = match &trusted {
                    Ok(Some(trusted)) => self.offered_index(found, Some(trusted), now),
                    Ok(None) => Err(Distrust::new(Code::Unsigned, NO_LIST)),
                    Err(distrust) => Err(distrust.clone()),
                };
                match judged {
                    Ok(found) => good.push(found),
                    Err(distrust) => faults.push((share, distrust)),
                }
                continue;
            }
            self.keep_unread(&mut found);
            let judged = match (&trusted, self.policy.config.machine) {
                (Ok(Some(trusted)), Some(machine)) => {
                    let defaults = &self.policy.config.request_defaults();
                    let judging =
                        Judging { machine, defaults, trusted, at: now, standing: Standing::Offered };
                    published::judge(&found.bytes, &found.packages, &judging)
                }
                (Err(distrust), _) => Err(distrust.clone()),
                (Ok(None), _) | (_, None) => Err(Distrust::new(Code::Unsigned, NO_LIST)),
            };
            match judged {
                Ok((file, by)) => {
                    let trust = TrustVerdict::Trusted(by.words());
                    good.push(Found { file, trust, signed: Some(by), ..found });
                }
                Err(distrust) => faults.push((found.share, distrust)),
            }
        }
        said_of(&faults, good.is_empty(), look);
        // Only now is it known under which list each was signed.
        good.sort_by_key(|found| Reverse(found.rank()));
        good
    }

    /// What a share has and does not let be read is not gone: what is held of it stays.
    fn keep_unread(&self, found: &mut Found) {
        let Some((_, held)) = &self.signed else { return };
        for id in found.unread.keys() {
            if let Some(files) = held.get(id) {
                found.packages.insert(*id, files.clone());
            }
        }
    }

    /// In mode `permissions`: what indexes come to. Instruction files are what the reader made of them.
    pub(super) fn composed_offers(&mut self, offers: Vec<Found>, look: &mut Look, now: Wall) -> Vec<Found> {
        let (mut good, mut faults) = (Vec::new(), Vec::new());
        for found in with_all_parts(offers) {
            let share = found.share.clone();
            match found.brought.is_some() {
                true => match self.offered_index(found, None, now) {
                    Ok(found) => good.push(found),
                    Err(distrust) => faults.push((share, distrust)),
                },
                false => good.push(found),
            }
        }
        said_of(&faults, good.is_empty(), look);
        good.sort_by_key(|found| Reverse(found.rank()));
        good
    }

    /// Whose word counts now.
    ///
    /// # Errors
    /// Nobody's.
    pub(super) fn needed_trust(&self) -> Result<Trusted, Distrust> {
        self.trusted()?.ok_or_else(|| Distrust::new(Code::Unsigned, NO_LIST))
    }

    /// Verifies what is in force, with the trust folder as it is now.
    pub(super) fn judge_held(&self, now: Wall) -> Result<(InstructionFile, SignedBy), Distrust> {
        if self.indexed.is_some() {
            let (composed, by) = self.judge_index(now)?;
            let by = by.ok_or_else(|| Distrust::new(Code::Unsigned, "nobody signed it"))?;
            return Ok((composed.file, by));
        }
        let none = || Distrust::new(Code::Unsigned, "nothing that is signed is held");
        let machine = self.policy.config.machine.ok_or_else(none)?;
        let trusted = self.trusted()?.ok_or_else(none)?;
        let (bytes, packages) = self.signed.as_ref().ok_or_else(none)?;
        let defaults = &self.policy.config.request_defaults();
        let judging = Judging { machine, defaults, trusted: &trusted, at: now, standing: Standing::InForce };
        published::judge(bytes, packages, &judging)
    }

    /// A look may have brought another list, or the trust folder have changed: what is in force is judged by it as it is now.
    pub(in super::super) fn judge_again(&mut self, now: Wall) {
        let in_bytes = self.signed.is_some() || self.indexed.is_some();
        if self.policy.config.trust.mode == TrustMode::Signed && in_bytes {
            let judged = self.judge_held(now).map(|(_, by)| by);
            self.take_judged(judged);
        }
    }

    fn take_judged(&mut self, judged: Result<SignedBy, Distrust>) {
        match judged {
            Ok(by) => {
                self.instructions.trust = TrustVerdict::Trusted(by.words());
                self.instructions.signed = Some(by);
            }
            Err(distrust) => {
                self.instructions.signed = None;
                self.instructions.trust = TrustVerdict::Refused(distrust.code, distrust.why);
            }
        }
    }

    /// Whether a request may be launched that was decided by what was verified before. A key that was revoked since, a
    /// damaged folder, other bytes: each closes gate `trust` from now on.
    ///
    /// # Errors
    /// Why not.
    pub(in super::super) fn verify_again(&mut self, request: &Request, now: Wall) -> Result<(), SafeText> {
        if self.policy.config.trust.mode == TrustMode::Permissions {
            return Ok(());
        }
        let judged = self.judge_held(now);
        let verdict = judged.as_ref().map_err(Clone::clone).and_then(|(file, by)| {
            let same = |entry: &Entry| matches!(entry, Entry::Good(held) if **held == *request);
            if !file.requests.iter().any(same) {
                return Err(Distrust::new(Code::BadSignature, "it is not what was signed"));
            }
            by.publishers.valid_at(now)?;
            match by.packages.get(&request.request_id) {
                Some(Ok(vouched)) => vouched.signer.valid_at(now),
                Some(Err(distrust)) => Err(distrust.clone()),
                None => Err(Distrust::new(Code::Unsigned, "nobody signed what it runs")),
            }
        });
        self.take_judged(judged.map(|(_, by)| by));
        verdict.map_err(|distrust| SafeText::new(&distrust.to_string()))
    }

    /// Who signed what is in force.
    pub(super) fn signed_doc(&self) -> Option<SignedDoc> {
        let (by, file) = (self.instructions.signed.as_ref()?, self.instructions.file.as_ref()?);
        Some(SignedDoc {
            key: by.publishers.fingerprints().into(),
            principal: SafeText::new(&by.publishers.principals()),
            valid_until: file.valid_until,
            epoch: by.epoch,
            serial: file.serial,
            highest: self.highest().map(Publication::order),
        })
    }

    /// What makes what is in force believable.
    pub(super) fn trust_doc(&self) -> TrustDoc {
        let (by, file) = (self.instructions.signed.as_ref(), self.instructions.file.as_ref());
        let epoch = by.map(|by| by.epoch).or(self.instructions.index.as_ref().map(|index| index.epoch));
        TrustDoc {
            mode: self.policy.config.trust.mode.as_str().into(),
            key: by.map(|by| by.publishers.fingerprints().into()),
            principal: by.map(|by| SafeText::new(&by.publishers.principals())),
            valid_until: file.and_then(|file| file.valid_until),
            epoch: file.map(|_| epoch.unwrap_or(0)),
            serial: file.map(|file| file.serial),
            highest: self.highest().map(Publication::order),
        }
    }

    /// The release of what a request runs, where it is signed.
    pub(in super::super) fn release_of(&self, request: &Request) -> Option<u64> {
        if let Some(index) = &self.instructions.index {
            return index.deliveries.get(&request.request_id).map(|delivery| delivery.release);
        }
        let vouched: Option<&Vouched> =
            self.instructions.signed.as_ref()?.packages.get(&request.request_id)?.as_ref().ok();
        vouched.map(|vouched| vouched.release)
    }
}

/// A part is known by its hash, so it is the same from whichever share it came: what one is missing another one may have
/// brought.
fn with_all_parts(mut offers: Vec<Found>) -> Vec<Found> {
    if offers.iter().filter(|found| found.brought.is_some()).count() < 2 {
        return offers;
    }
    let mut all = Parts::default();
    for brought in offers.iter().filter_map(|found| found.brought.as_ref()) {
        all.add(brought.parts.clone());
    }
    for brought in offers.iter_mut().filter_map(|found| found.brought.as_mut()) {
        // Of two signatures over the same the one of its own share goes before.
        let own = std::mem::replace(&mut brought.parts, all.clone());
        brought.parts.add(own);
    }
    offers
}

/// What was not believed is the fault of the look, or a note where another share has what is.
fn said_of(faults: &[(PathBuf, Distrust)], alone: bool, look: &mut Look) {
    let problems = faults.iter().map(|(share, distrust)| distrust.problem(share.display().to_string()));
    let problems: Vec<Problem> = problems.collect();
    match faults.first() {
        Some((_, distrust)) if alone => {
            look.fault = Some(SourceFault { code: distrust.code, problems });
        }
        _ => look.problems.extend(problems),
    }
}
