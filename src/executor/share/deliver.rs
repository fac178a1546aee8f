//! What a machine writes to a share: its results, its report after them, and the removal of its old results. Every write
//! goes through opened folders, and never to a share that is not trusted.

use super::outbox::Outbox;
use super::outgoing::Outgoing;
use crate::clock::Wall;
use crate::executor::history::{self, Whose};
use crate::host::open::{Folder, OpenError};
use crate::site::ids::{MachineId, SiteId};
use crate::site::index;
use crate::site::own_report::{self, OwnReport, Stood};
use crate::site::report::lines::Sealed;
use crate::site::report::{self, MachineReport, Written};
use crate::site::share::read_bounded;
use crate::site::signed::signers::Key;
use crate::site::trust::{Judge, TrustMode};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What makes a share believable that a machine writes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Believed {
    /// How its files are judged.
    pub mode: TrustMode,
    /// Whose publication is in force; None: the share is filled by hand.
    pub site_id: Option<SiteId>,
}

impl Believed {
    /// Why nothing is written to a share.
    fn objection(&self, share: &Path, root: &Folder) -> Option<String> {
        if let Some(loose) = Judge::of(self.mode).loose(share, &[root], &[]) {
            return Some(loose.to_string());
        }
        let own = self.site_id.as_ref()?;
        // Another site's machines have the same names: their reports would be overwritten.
        let index = root.file(index::NAME).map_err(io::Error::from);
        match index.and_then(|mut file| Ok(read_bounded(&mut file, index::MAX_BYTES)?)) {
            Ok(bytes) if index::site_of(&bytes).as_ref() == Some(own) => None,
            Ok(_) => Some(format!("its {} is not of the site that this machine follows", index::NAME)),
            Err(e) => Some(format!("its {} cannot be read: {e}", index::NAME)),
        }
    }
}

/// What came of a delivery. Results never wait for the report; the report speaks of none that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// How many results arrived, or why not all that waited did.
    pub results: Result<usize, SafeText>,
    /// Whether the machine report arrived.
    pub report: Result<(), SafeText>,
    /// Where everything arrived.
    pub place: Option<PathBuf>,
    /// Where a report was written, and how it stands there; nobody knows that where another one has taken its place.
    pub stands: Option<(PathBuf, Option<Stood>)>,
    /// The report that stands there is of another machine or of an earlier life of this one: it has to be heard of before
    /// another one takes its place.
    pub found: Option<OwnReport>,
    /// The place answers and does not take it, which no time mends.
    #[serde(default)]
    pub refused: bool,
}

impl Delivery {
    /// Nothing arrived.
    pub fn failed(why: &SafeText) -> Self {
        let (results, report) = (Err(why.clone()), Err(why.clone()));
        Self { results, report, place: None, stands: None, found: None, refused: false }
    }
}

/// To the first place that takes everything; where there is none, what the first one said of it.
pub(super) fn deliver_to_first(
    places: &[PathBuf],
    trust: Option<&Believed>,
    reporting: &Reporting,
    outbox: &Outbox,
) -> Delivery {
    let mut first = None;
    for place in places {
        let delivery = deliver(place, trust, reporting, outbox);
        if delivery.place.is_some() || delivery.found.is_some() {
            return delivery;
        }
        first.get_or_insert(delivery);
    }
    first.unwrap_or_else(|| Delivery::failed(&"there is no share that may be written".into()))
}

/// Payload first: the results, as many as can be, then the report, which speaks of none that is not there (DEFECTS
/// Q138241).
fn deliver(share: &Path, trust: Option<&Believed>, reporting: &Reporting, outbox: &Outbox) -> Delivery {
    let words = |what: &str, e: io::Error| SafeText::new(&format!("{}: {what}: {e}", share.display()));
    let root = match open_to_write(share, trust) {
        Ok(root) => root,
        Err(e) => return Delivery::failed(&words("the share", e)),
    };
    let mut refused = false;
    let mut told = |what: &str, e: io::Error| {
        refused |= is_refusal(&e);
        words(what, e)
    };
    let results = outbox.deliver(&root, reporting.machine).map_err(|e| told("results", e));
    let found = reporting.is_news(&root, share);
    let (report, stood) = match reporting.report {
        Err(why) => (Err(why.clone()), None),
        Ok(None) => (Ok(()), None),
        Ok(Some(_)) if found.is_some() => {
            let other = io::Error::other("another one stands there than this machine has written");
            (Err(words("machine report", other)), None)
        }
        Ok(Some(report)) => match write_report(&root, reporting.machine, report, &outbox.waiting()) {
            Ok(stood) => (Ok(()), Some(stood)),
            Err(e) => (Err(told("machine report", e)), None),
        },
    };
    let place = (results.is_ok() && report.is_ok()).then(|| share.to_owned());
    Delivery { results, report, place, stands: stood.map(|stood| (share.to_owned(), stood)), found, refused }
}

/// Somebody has to do something before this is taken. A folder that is missing may be a share that is not mounted.
fn is_refusal(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// The machine report that is to be written, and what is known of those before it.
pub(super) struct Reporting<'a> {
    pub machine: MachineId,
    pub known: Option<&'a history::Reported>,
    pub report: &'a Result<Option<Box<Outgoing>>, SafeText>,
    /// In mode `signed`: by this key alone a report is the machine's own.
    pub own_key: Option<Key>,
}

impl Reporting<'_> {
    /// What stands at a place, where the machine has to hear of it before its report may take that place.
    fn is_news(&self, root: &Folder, place: &Path) -> Option<OwnReport> {
        let known = self.known.filter(|_| self.report.is_ok())?;
        let found = own_report::look_at(root, place, known.stands.get(place).copied(), self.machine)?;
        // Without a history it hears of whatever stands there: another one may have gone on from the state that it has.
        if matches!(self.report, Ok(Some(report)) if report.report.summary.report.is_none()) {
            return Some(found);
        }
        let believed = self.own_key.as_ref().map(|key| found.believed(self.machine, key));
        let whose = known.clone().see(believed.as_ref().unwrap_or(&found));
        let may_go = matches!(whose, Whose::Own | Whose::Older);
        (!may_go || matches!(self.report, Ok(None))).then_some(found)
    }
}

/// Writes the report without what it says of these results; how it stands then.
fn write_report(
    root: &Folder,
    machine: MachineId,
    report: &Outgoing,
    missing: &[String],
) -> io::Result<Option<Stood>> {
    let (folder, name) = (root.folder(report::FOLDER)?, report::report_name(machine));
    let before = || newest_with_a_number(&folder, &name, machine);
    let bytes = report.bytes(missing, before).map_err(io::Error::other)?;
    report::write_replacing(&folder, &name, &bytes)?;
    Ok(own_report::stands(&folder, &name, &bytes))
}

/// Of what a report without a number takes the place. What cannot be read says nothing.
fn newest_with_a_number(
    folder: &Folder,
    name: &str,
    machine: MachineId,
) -> Option<(Written, Option<Sealed>)> {
    let bytes = read_bounded(&mut folder.file(name).ok()?, report::MAX_BYTES).ok()?;
    let (stands, sealed) = MachineReport::read(&bytes).ok()?;
    let own = Some(stands).filter(|report| report.summary.machine == machine);
    own.map(|report| report.written(sealed)).filter(|(written, _)| written.number > 0)
}

/// The share, where it may be written to.
pub(super) fn open_to_write(share: &Path, trust: Option<&Believed>) -> io::Result<Folder> {
    let root = Folder::open(share)?;
    match trust.and_then(|trust| trust.objection(share, &root)) {
        None => Ok(root),
        Some(why) => {
            let why = format!("nothing is written to a share that is not trusted: {why}");
            Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
        }
    }
}

/// Removes this machine's results that are older than `before`; how many went from all places, or why not from one.
pub(super) fn remove_results(
    places: &[PathBuf],
    trust: Option<&Believed>,
    machine: MachineId,
    before: Wall,
) -> Result<usize, SafeText> {
    let removed = places.iter().map(|place| {
        remove_at(place, trust, machine, before)
            .map_err(|e| SafeText::new(&format!("{}: {e}", place.display())))
    });
    // Each is tried, whatever became of the one before it.
    let removed: Vec<Result<usize, SafeText>> = removed.collect();
    removed.into_iter().sum()
}

/// Of the machine's own folder there; where it has none, there is nothing to remove.
fn remove_at(share: &Path, trust: Option<&Believed>, machine: MachineId, before: Wall) -> io::Result<usize> {
    let root = open_to_write(share, trust)?;
    if root.is_remote() {
        // A machine lists no objects: the server's own rules remove old ones.
        return Ok(0);
    }
    match root.folder(report::RESULTS).and_then(|results| results.folder(machine.as_str())) {
        Ok(own) => report::remove_results(&own, before),
        Err(OpenError::Missing) => Ok(0),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::job::{ShareJob, ShareNews};
    use super::*;
    use std::time::Duration;

    fn report_of(number: u64) -> Box<MachineReport> {
        let mut report = report::tests::report(0);
        report.summary.report = Some(number);
        Box::new(report)
    }

    fn deliver(
        places: &[PathBuf],
        known: Option<&history::Reported>,
        report: Box<MachineReport>,
        outbox: &Path,
    ) -> Delivery {
        let job = ShareJob::Deliver {
            places: places.to_vec(),
            trust: None,
            machine: "BP004000".parse().unwrap(),
            known: known.cloned().map(Box::new),
            report: Ok(Some(Box::new(Outgoing::unsigned(*report)))),
            own_key: None,
            outbox: outbox.to_owned(),
        };
        let ShareNews::Delivered(delivery) = job.carry_out() else { unreachable!() };
        delivery
    }

    #[test]
    fn a_report_takes_the_place_of_no_other_machines_before_that_was_heard_of() {
        let dir = tempfile::tempdir().unwrap();
        let (share, outbox) = (dir.path().join("share"), dir.path().join("outbox"));
        for folder in [report::FOLDER, report::RESULTS] {
            std::fs::create_dir_all(share.join(folder)).unwrap();
        }
        let place = std::slice::from_ref(&share);
        let mut known = history::Reported { number: 7, written: true, ..Default::default() };
        let first = deliver(place, Some(&known), report_of(8), &outbox);
        let (_, stood) = first.stands.unwrap();
        known.number = 8;
        known.stands.insert(share.clone(), stood.unwrap());
        // Another machine writes one with the same number at the same moment; nothing of it is known here.
        assert!(deliver(place, None, report_of(8), &outbox).found.is_none());
        std::fs::File::options()
            .write(true)
            .open(share.join("machines/BP004000.json"))
            .and_then(|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH))
            .unwrap();
        let second = deliver(place, Some(&known), report_of(9), &outbox);
        assert!(second.report.is_err() && second.stands.is_none(), "{second:?}");
        let found = second.found.unwrap();
        assert_eq!(found.written.as_ref().map(|written| written.number), Some(8));
        // Once it was heard of, what this machine knows may take its place.
        assert_eq!(known.see(&found), Whose::Other);
        let third = deliver(place, Some(&known), report_of(9), &outbox);
        assert!(third.report.is_ok() && third.found.is_none(), "{third:?}");
    }

    /// A machine whose history is lost does not count its reports, and must not take away what shows to a history that is
    /// put back that it is not the newest.
    #[test]
    fn a_report_without_a_number_keeps_the_newest_one_that_has_one() {
        let dir = tempfile::tempdir().unwrap();
        let (share, outbox) = (dir.path().join("share"), dir.path().join("outbox"));
        for folder in [report::FOLDER, report::RESULTS] {
            std::fs::create_dir_all(share.join(folder)).unwrap();
        }
        let place = std::slice::from_ref(&share);
        let stands = || {
            let root = Folder::open(&share).unwrap();
            let found = own_report::look_at(&root, &share, None, "BP004000".parse().unwrap());
            found.unwrap().written.unwrap()
        };
        let uncounted = || Box::new(report::tests::report(0));
        deliver(place, None, uncounted(), &outbox);
        assert_eq!(stands().number, 0, "there was none before");
        deliver(place, None, report_of(8), &outbox);
        let newest = stands();
        assert_eq!(newest.number, 8);
        for _ in 0..2 {
            assert!(deliver(place, None, uncounted(), &outbox).report.is_ok());
            assert_eq!(stands(), newest);
        }
        let put_back = history::Reported { number: 3, written: true, ..Default::default() };
        let found =
            own_report::look_at(&Folder::open(&share).unwrap(), &share, None, "BP004000".parse().unwrap());
        assert_eq!(put_back.clone().see(&found.unwrap()), Whose::Other);
    }

    #[test]
    fn old_results_of_this_machine_go_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let results = dir.path().join(report::RESULTS);
        let own = results.join("BP004000");
        let day = |days: u64| std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        let file = |path: PathBuf, days: u64| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(day(days)).unwrap();
        };
        let old = ["BP00001-1.MIF", "BP00001-2.MIF"];
        old.iter().for_each(|name| file(own.join(name), 100));
        for (name, days) in [("BP00002-1.MIF", 80), ("note.txt", 100), ("BP00003.MIF", 100)] {
            file(own.join(name), days);
        }
        file(results.join("BP004001/BP00001-1.MIF"), 100);
        file(dir.path().join("machines/BP00001-1.MIF"), 100);
        std::fs::create_dir(own.join("BP00004-1.MIF")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(results.join("BP004001/BP00001-1.MIF"), own.join("BP00005-1.MIF"))
                .unwrap();
            std::os::unix::fs::symlink(results.join("BP004001"), results.join("BP004002")).unwrap();
        }
        let remove = |machine: &str, before: u64, trust: Option<Believed>| {
            let job = ShareJob::RemoveResults {
                places: vec![dir.path().join("nowhere"), dir.path().to_owned()],
                trust,
                machine: machine.parse().unwrap(),
                before: day(before).into(),
            };
            let ShareNews::ResultsRemoved(removed) = job.carry_out() else { unreachable!() };
            removed
        };
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        let before = names(&own);
        assert!(remove("BP004000", 90, None).unwrap_err().as_str().contains("nowhere"), "it is told");
        let after: Vec<_> = before.into_iter().filter(|name| !old.contains(&name.as_str())).collect();
        assert_eq!(names(&own), after);
        // However old, the newest one says that this machine had a history.
        let _ = remove("BP004000", 1, None);
        assert_eq!(names(&own), after);
        // By way of a link: not at all.
        let _ = remove("BP004002", 1, None);
        file(results.join("BP004001/BP00002-1.MIF"), 95);
        let _ = remove("BP004002", 1, None);
        assert_eq!(names(&results.join("BP004001")), ["BP00001-1.MIF", "BP00002-1.MIF"]);
        assert_eq!(names(&dir.path().join("machines")), ["BP00001-1.MIF"]);
    }

    /// As of every other write below a share: who could change what is published could steer it.
    #[cfg(unix)]
    #[test]
    fn nothing_is_removed_from_a_share_that_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join("share");
        let own = share.join(report::RESULTS).join("BP004000");
        std::fs::create_dir_all(&own).unwrap();
        for n in 1..4 {
            std::fs::write(own.join(format!("BP00001-{n}.MIF")), "").unwrap();
        }
        let remove = || {
            let job = ShareJob::RemoveResults {
                places: vec![share.clone()],
                trust: Some(Believed { mode: TrustMode::Permissions, site_id: None }),
                machine: "BP004000".parse().unwrap(),
                before: Wall::from(std::time::SystemTime::now()) + chrono::TimeDelta::days(1),
            };
            let ShareNews::ResultsRemoved(removed) = job.carry_out() else { unreachable!() };
            removed
        };
        let modes = |mode| std::fs::set_permissions(&share, std::fs::Permissions::from_mode(mode)).unwrap();
        modes(0o777);
        assert!(remove().unwrap_err().as_str().contains("not trusted"));
        assert_eq!(std::fs::read_dir(&own).unwrap().count(), 3);
        modes(0o755);
        assert_eq!(remove(), Ok(2));
    }

    /// The machines of two sites have the same names.
    #[test]
    fn nothing_is_written_over_what_is_another_sites() {
        let dir = tempfile::tempdir().unwrap();
        let own = Believed { mode: TrustMode::Signed, site_id: "abcdefgh23456723".parse().ok() };
        let open = |index: Option<&str>| {
            let path = dir.path().join(index::NAME);
            match index {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            open_to_write(dir.path(), Some(&own)).map(drop).map_err(|e| e.to_string())
        };
        // Of a newer pcm: it cannot be taken, and it is the same site's.
        assert_eq!(open(Some("format = 9\nnews = true\nsite_id = \"abcdefgh23456723\"\n# signed\n")), Ok(()));
        for other in ["site_id = \"zzzzzzzz23456723\"\n", "site = \"BP0\"\n", "site_id = ", ""] {
            assert!(open(Some(other)).unwrap_err().contains("not of the site"), "{other}");
        }
        assert!(open(None).unwrap_err().contains("cannot be read"));
        let by_hand = Believed { site_id: None, ..own.clone() };
        assert!(open_to_write(dir.path(), Some(&by_hand)).is_ok());
    }

    #[test]
    fn what_the_first_share_does_not_take_goes_to_the_second() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        std::fs::create_dir(&first).unwrap();
        for folder in [report::FOLDER, report::RESULTS] {
            std::fs::create_dir_all(second.join(folder)).unwrap();
        }
        let outbox = Outbox::at(&dir.path().join("outbox"));
        outbox.put("BP00001-1.MIF", b"result").unwrap();
        let deliver = |places: &[PathBuf]| deliver(places, None, report_of(1), &dir.path().join("outbox"));
        let refused = deliver(std::slice::from_ref(&first));
        assert!(refused.results.unwrap_err().as_str().contains("first"));
        assert!(refused.report.unwrap_err().as_str().contains("machine report"));
        assert!(!refused.refused, "it may be mounted again");
        std::fs::write(first.join(report::FOLDER), "in the way").unwrap();
        assert!(deliver(std::slice::from_ref(&first)).refused);
        let delivery = deliver(&[first, second.clone()]);
        assert_eq!((delivery.results, delivery.place.as_deref()), (Ok(1), Some(second.as_path())));
        assert!(second.join("machines/BP004000.json").is_file());
        assert!(second.join("despoolr.box/BP004000/BP00001-1.MIF").is_file());
    }
}
