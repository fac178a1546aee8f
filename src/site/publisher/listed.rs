//! What of the list of machines is another than before: who is no more, who came, and who stands in it otherwise.

use super::begun::Before;
use super::place::Share;
use super::render::{self, MEMBERS, Rendered};
use crate::error::Result;
use crate::site::folder::Source;
use crate::site::ids::MachineId;
use crate::site::index::members::{Member, Part};
use crate::site::instruction::ContentHash;
use std::collections::BTreeMap;

/// By the parts of the list that changed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Each machine whose line is another one, as it was; None: it was not in the list.
    moved: BTreeMap<MachineId, Option<Member>>,
    /// How many machines are no more.
    pub gone: usize,
    /// The parts of before that cannot be read.
    pub unread: Vec<String>,
}

impl Listed {
    /// Compared with what was published before.
    pub fn of(share: &Share, before: Option<&Before>, source: &Source, rendered: &Rendered) -> Result<Self> {
        let Some(before) = before else { return Ok(Self::default()) };
        let (list, now) = (&before.previous.list, &rendered.list);
        let by_name = |list: &[Part]| -> BTreeMap<String, ContentHash> {
            list.iter().map(|part| (part.name.clone(), part.sha256.clone())).collect()
        };
        let (then, is) = (by_name(list), by_name(now));
        let stays = |name: &str| is.get(name).is_some_and(|sha256| then.get(name) == Some(sha256));
        let (mut gone, mut unread) = (0, before.unread.clone());
        let mut old = BTreeMap::new();
        for part in list.iter().filter(|part| !stays(&part.name)) {
            match before.part(share, part)? {
                Some(members) => {
                    let is_gone = |member: &&Member| !source.machines.contains_key(&member.machine);
                    gone += members.iter().filter(is_gone).count();
                    old.extend(members.into_iter().map(|member| (member.machine, member)));
                }
                None => unread.push(format!("{MEMBERS}/{}.{}", part.name, part.revision)),
            }
        }
        let digits = rendered.index.members.as_ref().map_or(0, |members| members.digits);
        let parts = match now.iter().all(|part| stays(&part.name)) {
            true => BTreeMap::new(),
            // Every machine is hashed once.
            false => render::parts(source, digits),
        };
        let changed = parts.into_iter().filter(|(name, _)| !stays(name)).flat_map(|(_, members)| members);
        let mut moved = BTreeMap::new();
        for member in changed {
            match old.remove(&member.machine) {
                Some(old) if old == member => {}
                Some(old) => drop(moved.insert(member.machine, Some(old))),
                // It came, or stood in a part that cannot be read: too many are asked for then, and not too few.
                None => drop(moved.insert(member.machine, None)),
            }
        }
        Ok(Self { moved, gone, unread })
    }

    /// Those whose line is another one.
    pub fn moved<'a>(&'a self, members: &'a [Member]) -> impl Iterator<Item = &'a Member> {
        members.iter().filter(|member| self.moved.contains_key(&member.machine))
    }

    /// A machine as it was; None: it was not in the list.
    pub fn before<'a>(&'a self, member: &'a Member) -> Option<&'a Member> {
        self.moved.get(&member.machine).map_or(Some(member), Option::as_ref)
    }

    /// No line is another one.
    pub fn is_as_before(&self) -> bool {
        self.moved.is_empty()
    }
}
