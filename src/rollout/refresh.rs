//! Brings the cache up to what machines have written (SITE.md 6): the folder of the reports is listed, each report is looked
//! at, and only what stands otherwise than before is read. Anybody may have written what is there: nothing is followed,
//! nothing is waited for beyond its deadline, and what cannot be used is one row with its reason.

use super::cache::{Cache, Heard};
use super::reports::{self, NOT_YET, each};
use super::waiting::{self, What};
use crate::clock::Wall;
use crate::host::open::{Folder, Looked, OpenError};
use crate::host::threads;
use crate::site::ids::MachineId;
use crate::site::report;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// The most names in the folder of the reports.
const MOST_NAMES: usize = 2_000_000;
/// The most strange files that are named; the others are only counted.
const MOST_STRANGE: usize = 1_000;
/// What was changed so shortly before it was read may be changed again within the same tick of its clock.
const TICK: TimeDelta = TimeDelta::seconds(3);

/// A file that is no machine's report, or one that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strange {
    /// Its name.
    pub file: SafeText,
    /// Whose report it would be.
    pub machine: Option<MachineId>,
    /// What is wrong with it.
    pub why: SafeText,
}

/// What a look at all reports gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The machines whose reports say something.
    pub read: u64,
    /// The machines whose reports are there and say nothing.
    pub unread: u64,
    /// The machines without a report.
    pub without: u64,
    /// So many reports were read, because they stood otherwise than before.
    pub anew: u64,
    /// Why machines say nothing whose reports are not kept: they are there and cannot be opened, or did not come in time.
    pub faults: BTreeMap<MachineId, SafeText>,
    /// The files that are no report of a machine of the site, by name; at most a thousand of them.
    pub strange: Vec<Strange>,
    /// How many those are.
    pub strangers: u64,
    /// Every report was looked at: none of them is missing because the share did not answer.
    pub whole: bool,
}

impl Look {
    /// Of reports that were all read, whoever did that.
    pub(super) fn of(cache: &Cache, machines: &BTreeSet<MachineId>) -> Self {
        let mut look = Look { whole: true, ..Look::default() };
        look.count(cache, machines);
        look
    }

    fn count(&mut self, cache: &Cache, machines: &BTreeSet<MachineId>) {
        let mut rows = cache.in_order();
        for machine in machines {
            match rows.is_good(*machine) {
                _ if self.faults.contains_key(machine) => self.unread += 1,
                None => self.without += 1,
                Some(true) => self.read += 1,
                Some(false) => self.unread += 1,
            }
        }
    }

    /// What a machine says, or why it says nothing.
    pub fn heard(&self, cache: &Cache, machine: MachineId) -> Heard {
        self.heard_as(machine, cache.heard(machine))
    }

    /// The same where it was asked what the machine says.
    pub(super) fn heard_as(&self, machine: MachineId, said: Option<Heard>) -> Heard {
        match self.faults.get(&machine) {
            Some(why) => Err(why.clone()),
            None => said.unwrap_or_else(|| Err(NOT_YET.into())),
        }
    }
}

/// What was found of one report.
enum Seen {
    /// It stands as before.
    Same,
    /// How it stands, and what it says. Most are as before: those are handed over in little room.
    Read(Box<(Looked, Heard)>),
    /// It cannot be opened.
    Closed(SafeText),
    /// What holds it does not answer as it should.
    Withheld(SafeText),
    /// It is not there.
    Gone,
}

/// Looks at the reports of these machines on a share. `patience`: the share gave nothing for so long. `tell`: what there is, and
/// so many of so many were looked at.
///
/// # Errors
/// Why nothing can be had of the share.
pub fn refresh(
    share: &Path,
    machines: &BTreeSet<MachineId>,
    cache: &mut Cache,
    patience: Duration,
    now: Wall,
    mut tell: impl FnMut(&Look, &Cache, usize, usize),
) -> Result<Look, SafeText> {
    cache.keep(machines);
    let no_answer = |why: &dyn std::fmt::Display| {
        SafeText::new(&format!("the share {} does not answer: {why}", share.display()))
    };
    let reader = waiting::send(share, What::Reports).map_err(|why| no_answer(&why))?;
    let (path, lists) = (share.to_owned(), reader.clone());
    let list = move || -> Result<(Folder, Vec<OsString>), OpenError> {
        let _lists = lists;
        let folder = Folder::open(&path)?.folder(report::FOLDER)?;
        let names = folder.names(MOST_NAMES)?;
        Ok((folder, names))
    };
    let listed = threads::within("reports", patience, list).map_err(|e| no_answer(&e))?;
    let (folder, names) = listed.map_err(|e| reports::unlisted(share, &e))?;
    let mut look = Look { whole: true, ..Look::default() };
    let there = sort(names, machines, &mut look);
    cache.keep(&there);
    let (mut looked_at, total) = (Vec::with_capacity(there.len()), there.len());
    let wanted = cache.stood(there.iter().copied());
    let one = move |folder: &Folder, (machine, stood): (MachineId, Option<Looked>)| {
        let _reads = &reader;
        seen(folder, machine, stood, now)
    };
    tell(&look, cache, 0, total);
    each(folder, wanted, one, patience, |batch| {
        for ((machine, _), seen) in batch {
            looked_at.push(machine);
            take(&mut look, cache, machine, seen);
        }
        tell(&look, cache, looked_at.len(), total);
    });
    // Each was handed over once: nothing is missing where they are as many.
    if looked_at.len() < total {
        let looked_at: BTreeSet<MachineId> = looked_at.into_iter().collect();
        for machine in there.into_iter().filter(|machine| !looked_at.contains(machine)) {
            look.whole = false;
            look.faults.insert(machine, "the share did not answer in time".into());
        }
    }
    look.count(cache, machines);
    look.strange.sort();
    if look.whole {
        cache.was_looked_at(now);
    }
    Ok(look)
}

/// The machines that have a file there, sorted; all other files are strange.
fn sort(names: Vec<OsString>, machines: &BTreeSet<MachineId>, look: &mut Look) -> Vec<MachineId> {
    let mut there = Vec::with_capacity(names.len().min(machines.len()));
    let mut is_strange = |file: SafeText, machine: Option<MachineId>, why: &str| {
        look.strangers += 1;
        if look.strange.len() < MOST_STRANGE {
            look.strange.push(Strange { file, machine, why: why.into() });
        }
    };
    for name in names {
        let text = name.to_str();
        let machine = text
            .and_then(|name| name.strip_suffix(".json"))
            .and_then(|stem| stem.parse::<MachineId>().ok().filter(|id| id.as_str() == stem));
        match machine {
            Some(machine) => there.push(machine),
            // It is just being written, or its writer died.
            None if text.is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp")) => {}
            None => {
                let file = SafeText::from_bytes(name.as_encoded_bytes());
                is_strange(file, None, "it is no report: wanted the id of a machine and .json");
            }
        }
    }
    // Sorted as the machines are: of 100,000 each is looked at once, and none is searched for.
    there.sort_unstable();
    let mut known = machines.iter().peekable();
    there.retain(|machine| {
        while known.next_if(|known| *known < machine).is_some() {}
        let is_known = known.peek() == Some(&machine);
        if !is_known {
            let file = SafeText::new(&report::report_name(*machine));
            is_strange(file, Some(*machine), "it is of no machine of the site");
        }
        is_known
    });
    there
}

fn take(look: &mut Look, cache: &mut Cache, machine: MachineId, seen: Seen) {
    match seen {
        Seen::Same => {}
        Seen::Gone => cache.remove(machine),
        Seen::Read(read) => {
            let (looked, heard) = *read;
            look.anew += 1;
            cache.put(machine, looked, &heard);
        }
        Seen::Withheld(why) => {
            look.whole = false;
            look.faults.insert(machine, why);
        }
        Seen::Closed(why) => {
            cache.remove(machine);
            look.faults.insert(machine, why);
        }
    }
}

/// Looks at one report and reads it where it does not stand as it did.
fn seen(folder: &Folder, machine: MachineId, stood: Option<Looked>, now: Wall) -> Seen {
    let name = report::report_name(machine);
    match folder.look(&name) {
        Ok(looked) if stood == Some(looked) => return Seen::Same,
        Err(OpenError::Missing) => return Seen::Gone,
        Err(e) => return closed(&e),
        Ok(_) => {}
    }
    let mut last = None;
    // What does not parse may have been written just then.
    for _ in 0..2 {
        match reports::read_one(folder, machine) {
            Ok((looked, heard)) => {
                let good = heard.is_ok();
                last = Some(Seen::Read(Box::new((settled(looked, now), heard))));
                if good {
                    break;
                }
            }
            Err(OpenError::Missing) => last = Some(Seen::Gone),
            Err(e) => last = Some(closed(&e)),
        }
    }
    last.unwrap_or(Seen::Gone)
}

fn closed(e: &OpenError) -> Seen {
    let why = reports::closed(e);
    if e.is_of_store() { Seen::Withheld(why) } else { Seen::Closed(why) }
}

/// One that may be changed within the tick of its time is read once more at the next look.
fn settled(looked: Looked, now: Wall) -> Looked {
    let settled = (now - looked.at()).abs() > TICK;
    if settled { looked } else { Looked { changed: i64::MIN, ..looked } }
}

#[cfg(test)]
mod tests;
