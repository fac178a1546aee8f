//! What is in force of an index on this machine: what the executor says is in force, out of what is held and what the share
//! offers. A share that is gone, or that has lost a part, changes nothing about that; it is judged beside it.

use super::Subject;
use super::facts::Indexed;
use crate::clock::Wall;
use crate::site::ids::MachineId;
use crate::site::index::{self, Index, IndexedMembers};
use crate::site::indexed::compose::{Asked, compose};
use crate::site::indexed::parts::Brought;
use crate::site::indexed::read::AtHand;
use crate::site::indexed::store::Held;
use crate::site::indexed::told::{NOTHING_TOLD, Told};
use crate::site::indexed::verify;
use crate::site::instruction::InstructionFile;
use crate::site::share::Found;
use crate::site::signed::Distrust;
use crate::site::signed::published::Standing;
use crate::site::signed::store::Trusted;
use crate::terms::{Code, Problem};
use crate::text::SafeText;

/// Out of what it is found.
pub(super) struct Sources<'a> {
    pub subject: &'a Subject,
    pub now: Wall,
    /// Of the state folder; None: nothing is held, or this account may not see it.
    pub held: Option<&'a Held>,
    /// Something is held, and this account cannot read it.
    pub hidden: bool,
    /// Of the share; its reader has verified it.
    pub found: Option<&'a Found>,
    /// Whose signatures count; None: mode `permissions`.
    pub trusted: Option<&'a Result<Trusted, SafeText>>,
    /// The epoch and serial that the executor says are in force.
    pub said: Option<(u64, u64)>,
}

/// What of an index is in force.
pub(super) struct InForce {
    /// As it is judged.
    pub index: Indexed,
    /// Its requests.
    pub file: InstructionFile,
    /// It is what the state folder holds.
    pub is_held: bool,
}

/// None: no index is there.
pub(super) fn find(sources: &Sources<'_>) -> Option<Result<InForce, SafeText>> {
    let machine = sources.subject.config.machine?;
    let held = sources.held.map(|held| (sources.verified(&held.index), true));
    let found = sources.found.filter(|found| found.brought.is_some());
    let mut first =
        sources.hidden.then(|| Err("what this machine holds cannot be read by this account".into()));
    for (read, is_held) in held.into_iter().chain(found.map(|found| (parsed(&found.bytes), false))) {
        if let Ok(index) = &read
            && sources.said.is_none_or(|said| said == (index.epoch, index.serial))
        {
            return Some(Ok(sources.compose(index, machine, is_held)));
        }
        let why = match read {
            Ok(index) => SafeText::new(&format!("serial {} is not what is in force", index.serial)),
            Err(distrust) => SafeText::new(&distrust.to_string()),
        };
        first.get_or_insert(Err(why));
    }
    first
}

/// What the share has, by itself.
pub(super) fn offered(sources: &Sources<'_>) -> Option<Indexed> {
    let found = sources.found?;
    let index = parsed(&found.bytes).ok().filter(|_| found.brought.is_some())?;
    let machine = sources.subject.config.machine?;
    Some(sources.composed(&index, machine, found.brought.as_ref()?, &|| None, &NOTHING_TOLD).0)
}

fn parsed(bytes: &[u8]) -> Result<Index, Distrust> {
    index::parse(verify::signed_bytes(bytes), index::NAME).map_err(|problems| Distrust::malformed(&problems))
}

impl Sources<'_> {
    fn verified(&self, bytes: &[u8]) -> Result<Index, Distrust> {
        match self.trusted {
            None => verify::unsigned(bytes, self.now, Standing::InForce),
            Some(Err(why)) => Err(Distrust::new(Code::Unsigned, why.clone())),
            Some(Ok(trusted)) => {
                verify::index(bytes, trusted, self.now, Standing::InForce).map(|(index, _)| index)
            }
        }
    }

    /// Of all parts that are at hand: whichever share a part came from, it is known by its hash.
    fn compose(&self, index: &Index, machine: MachineId, is_held: bool) -> InForce {
        let offered = self.found.and_then(|found| found.brought.as_ref());
        let mut parts = self.held.map(|held| held.parts.clone()).unwrap_or_default();
        let told = std::mem::take(&mut parts.told);
        let before = parts.earlier.take();
        if let Some(offered) = offered {
            parts.add(offered.parts.clone());
        }
        let faults = offered.map(|offered| offered.faults.clone()).unwrap_or_default();
        let earlier = || -> Option<IndexedMembers> {
            let held = self.held.filter(|_| !is_held).map(|held| held.index.as_slice());
            let earlier = self.verified(before.as_deref().map(str::as_bytes).or(held)?).ok()?;
            earlier.members.filter(|_| earlier.site_id == index.site_id)
        };
        let at_hand = Brought { parts, faults, missing: Vec::new() };
        let (index, file) = self.composed(index, machine, &at_hand, &earlier, &told);
        InForce { index, file, is_held }
    }

    fn composed(
        &self,
        index: &Index,
        machine: MachineId,
        at_hand: &Brought,
        earlier: &dyn Fn() -> Option<IndexedMembers>,
        told: &Told,
    ) -> (Indexed, InstructionFile) {
        let defaults = &self.subject.config.request_defaults();
        let trusted = self.trusted.and_then(|trusted| trusted.as_ref().ok());
        let asked = Asked { machine, defaults, trusted, before: None, earlier, told };
        let composed = compose(index, &asked, &mut AtHand { parts: &at_hand.parts, brought: Some(at_hand) });
        let mut problems = composed.file.warnings.clone();
        // What a package lacks closes its jobs alone, so they say it; here it is a part like others.
        for part in &composed.missing {
            let path = part.path();
            if !problems.iter().any(|problem| problem.file.as_str() == path) {
                let why = at_hand.faults.get(&part.sha256).cloned();
                let why = why.unwrap_or_else(|| "it is not there, or was not read yet".into());
                problems.push(Problem::of_file(Code::Unsigned.as_str(), path, why));
            }
        }
        let indexed = Indexed {
            epoch: index.epoch,
            serial: index.serial,
            member: composed.index.member,
            parts: composed.named.len(),
            problems,
        };
        (indexed, composed.file)
    }
}
