//! A machine's own report on a share, looked at again: whether it is the one that this machine has written (SITE.md 5). Who
//! else writes it is another machine with this id.

use super::ids::MachineId;
use super::report::lines::Sealed;
use super::report::{self, MachineReport, Summary, Written};
use super::share::read_bounded;
use super::signed::signers::Key;
use super::trust::{Judge, TrustMode};
use crate::host::open::{Folder, Looked, OpenError, RegularFile};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// How a file stood: its size in bytes, and when it was changed, in nanoseconds since 1970, or what stands for its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    size: u64,
    changed: u64,
}

/// The report at a place, where it does not stand as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnReport {
    /// Where.
    pub place: PathBuf,
    /// How it was known.
    pub known: Option<Stood>,
    /// How it stands; None: there is none.
    pub stood: Option<Stood>,
    /// What it says, or what it says of the one before it; None: there is none that can be read.
    pub written: Option<Written>,
    /// It has a number itself: one without any speaks of the one whose place it took.
    pub numbered: bool,
    /// What is signed of that.
    pub sealed: Option<Sealed>,
}

impl OwnReport {
    /// The same in mode `signed`: only what verifies with this machine's own key says anything. Another machine that has the
    /// key is a copy of this one.
    pub fn believed(&self, machine: MachineId, key: &Key) -> Self {
        let sealed = self.sealed.as_ref().filter(|sealed| sealed.by().is_ok_and(|by| by == *key));
        let summary = sealed.and_then(|sealed| Summary::read(sealed.summary.as_bytes()).ok());
        let summary = summary.filter(|summary| summary.machine == machine);
        Self { written: summary.map(Written::from), ..self.clone() }
    }
}

impl Stood {
    /// It was written, and nobody saw how it stood then: whatever stands there is read, and that nothing does is told.
    pub const UNSEEN: Stood = Stood { size: 0, changed: 0 };

    fn of(file: &RegularFile) -> io::Result<Stood> {
        Ok(Stood { size: file.size, changed: file.mark()? })
    }
}

impl From<Looked> for Stood {
    /// Of a store far away, whose numbers stand for the bytes.
    fn from(looked: Looked) -> Stood {
        Stood { size: looked.size, changed: looked.number }
    }
}

/// Looks at the report at each of these places, and reads what does not stand as it is known; and where it does. A place that
/// cannot be seen says nothing, nor does one that others than its publisher can change: a forged report stops a machine. In
/// mode `signed` whoever hears of it verifies it ([`OwnReport::believed`]).
pub fn look(
    places: &[(PathBuf, Option<Stood>)],
    machine: MachineId,
    judge: &Judge,
) -> (Vec<OwnReport>, Vec<PathBuf>) {
    let (mut found, mut stood) = (Vec::new(), Vec::new());
    for (place, known) in places {
        let Ok(root) = Folder::open(place) else { continue };
        let believed = match judge.mode {
            TrustMode::Signed => true,
            TrustMode::Permissions => judge.loose(place, &[&root], &[]).is_none(),
        };
        if !believed {
            continue;
        }
        match seen(&root, place, *known, machine) {
            Seen::Otherwise(report) => found.push(report),
            Seen::AsKnown => stood.push(place.clone()),
            Seen::Nothing => {}
        }
    }
    (found, stood)
}

/// What a look at one place gave.
enum Seen {
    /// It stands there as it was known.
    AsKnown,
    Otherwise(OwnReport),
    /// It cannot be seen, or nothing is there and nothing was.
    Nothing,
}

/// What stands otherwise than it was known at one place, which is open.
pub fn look_at(root: &Folder, place: &Path, known: Option<Stood>, machine: MachineId) -> Option<OwnReport> {
    match seen(root, place, known, machine) {
        Seen::Otherwise(report) => Some(report),
        Seen::AsKnown | Seen::Nothing => None,
    }
}

fn seen(root: &Folder, place: &Path, known: Option<Stood>, machine: MachineId) -> Seen {
    let told = |stood, said: Option<(MachineReport, Option<Sealed>)>| {
        let numbered = said.as_ref().is_some_and(|(report, _)| report.summary.report.is_some());
        let (written, sealed) = said.map(|(report, sealed)| report.written(sealed)).unzip();
        let sealed = sealed.flatten();
        Seen::Otherwise(OwnReport { place: place.to_owned(), known, stood, written, numbered, sealed })
    };
    let Ok(folder) = root.folder(report::FOLDER) else { return Seen::Nothing };
    let name = report::report_name(machine);
    // With every poll of every machine: where it is far away and nobody has written it, it does not come along.
    if known.is_some() && folder.far(&name).map(Stood::from) == known {
        return Seen::AsKnown;
    }
    let mut file = match folder.file(&name) {
        Ok(file) => file,
        // What stands in its place is no report of anybody's.
        Err(OpenError::Missing | OpenError::Linked | OpenError::NotRegular) => {
            return known.map_or(Seen::Nothing, |_| told(None, None));
        }
        Err(_) => return Seen::Nothing,
    };
    let Ok(stood) = Stood::of(&file) else { return Seen::Nothing };
    if known == Some(stood) {
        return Seen::AsKnown;
    }
    let bytes = match read_bounded(&mut file, report::MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(OpenError::TooLarge(_)) => return told(Some(stood), None),
        Err(_) => return Seen::Nothing,
    };
    let read = MachineReport::read(&bytes).ok().filter(|(report, _)| report.summary.machine == machine);
    told(Some(stood), read)
}

/// How the file stands that holds exactly these bytes; None: another one took its place meanwhile.
pub fn stands(folder: &Folder, name: &str, bytes: &[u8]) -> Option<Stood> {
    let mut file = folder.file(name).ok()?;
    let stood = Stood::of(&file).ok()?;
    (read_bounded(&mut file, report::MAX_BYTES).ok()? == bytes).then_some(stood)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_report_that_is_gone_before_anybody_saw_how_it_stood_is_missed() {
        let share = tempfile::tempdir().unwrap();
        fs::create_dir(share.path().join(report::FOLDER)).unwrap();
        let root = Folder::open(share.path()).unwrap();
        let machine: MachineId = "BP004000".parse().unwrap();
        let look = |known| look_at(&root, share.path(), known, machine);
        assert_eq!(look(None), None, "nothing was ever written there");
        let missed = look(Some(Stood::UNSEEN)).unwrap();
        assert_eq!((missed.known, missed.stood, missed.written), (Some(Stood::UNSEEN), None, None));
        // Whatever took its place is read.
        fs::write(share.path().join(report::FOLDER).join(report::report_name(machine)), "").unwrap();
        assert!(look(Some(Stood::UNSEEN)).unwrap().stood.is_some());
    }

    #[test]
    fn a_report_without_a_number_says_which_one_it_took_the_place_of_and_is_another_one() {
        let share = tempfile::tempdir().unwrap();
        let folder = share.path().join(report::FOLDER);
        fs::create_dir(&folder).unwrap();
        let root = Folder::open(share.path()).unwrap();
        let mut own = report::tests::report(0);
        own.summary.report = Some(7);
        let machine = own.summary.machine;
        let look = |report: &MachineReport| {
            fs::write(folder.join(report::report_name(machine)), report.to_bytes().unwrap()).unwrap();
            let found = look_at(&root, share.path(), None, machine).unwrap();
            (found.numbered, found.written.unwrap())
        };
        let (numbered, written) = look(&own);
        assert!(numbered && written.number == 7, "{written:?}");
        let mut over = own.clone();
        (over.summary.report, over.rest.before) = (None, Some(Box::new(written.clone())));
        assert_eq!(look(&over), (false, written));
    }
}
