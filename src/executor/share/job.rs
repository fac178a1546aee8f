//! The only code that touches a share, in a process of its own: one look, one package to be staged, or one delivery. It
//! is killed when it passes its deadline, so that a share that hangs stalls nothing (PROMISES.md 4, P8). The service's
//! workers and single commands start it; it asks nothing of the executor.

use super::outbox::Outbox;
use super::tidy::{Tidied, Tidying};
use crate::clock::Wall;
use crate::config::Config;
use crate::executor::history::{self, Whose};
use crate::host::account::Account;
use crate::host::helper;
use crate::host::open::{Folder, OpenError};
use crate::site::content::{ContentFact, Seal, Stands};
use crate::site::ids::{MachineId, PackageId};
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::Defaults;
use crate::site::own_report::{self, OwnReport, Stood};
use crate::site::past::{self, Told};
use crate::site::report::MachineReport;
use crate::site::share::{self, Look, Looking};
use crate::site::trust::{Judge, TrustMode};
use crate::site::{content, report};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One thing to be done at a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShareJob {
    /// Read site file and instruction file of all shares.
    Look {
        /// In the order of preference.
        shares: Vec<PathBuf>,
        /// Whose instruction file.
        machine: MachineId,
        /// What makes it believable.
        trust: TrustMode,
        /// For requests that do not say.
        max_run_time: Duration,
        /// The bare program names that may be started.
        programs: Vec<String>,
        /// Where something of an earlier life of the machine may lie; empty: nobody asks.
        past: Vec<PathBuf>,
        /// Where its own report may stand, and how it is known there.
        reports: Vec<(PathBuf, Option<Stood>)>,
    },
    /// Copy and verify one package.
    Stage {
        /// From where.
        share: PathBuf,
        /// Which.
        package: PackageId,
        /// What its `CONTENT` must hash to.
        hash: ContentHash,
        /// To where.
        stage: PathBuf,
        /// What makes it believable.
        trust: TrustMode,
        /// Not while what an earlier copy failed over stands as it did.
        unless: Option<Stands>,
    },
    /// Bring results that wait, then the machine report.
    Deliver {
        /// To the first of these that takes it.
        places: Vec<PathBuf>,
        /// What makes them believable: nothing is written to a share that others than its publisher can change. None:
        /// the configuration names this place for it.
        trust: Option<TrustMode>,
        /// Whose.
        machine: MachineId,
        /// What the machine knew of its reports before this one; None: nothing.
        known: Option<Box<history::Reported>>,
        /// The machine report, or why there is none; None: nothing is to be reported.
        report: Result<Option<Box<MachineReport>>, SafeText>,
        /// Where results wait.
        outbox: PathBuf,
    },
    /// Remove this machine's own results that were written before a time.
    RemoveResults {
        /// Wherever some may be.
        places: Vec<PathBuf>,
        /// What makes them believable, as of a delivery.
        trust: Option<TrustMode>,
        /// Whose.
        machine: MachineId,
        /// Until then.
        before: Wall,
    },
    /// Remove what this machine keeps no longer, and see what it keeps. Nothing is asked of a share.
    Tidy(Tidying),
    /// Verify what is staged, directly before a launch. Nothing is asked of a share.
    Verify {
        /// Which launch, as whoever asks counts them.
        ticket: u64,
        /// What.
        hash: ContentHash,
        /// Where.
        stage: PathBuf,
    },
    /// Read a machine's own report.
    Report {
        /// In the order of preference.
        shares: Vec<PathBuf>,
        /// Whose.
        machine: MachineId,
    },
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShareNews {
    /// Of a look.
    Looked(Box<Looked>),
    /// The content is staged, or why not, and over what much was read in vain.
    Staged(ContentHash, ContentFact, Option<Stands>),
    /// Nothing was copied: what the last copy failed over stands as it did.
    Unchanged,
    /// The state of what is staged as it was published, or what differs.
    Verified(Result<Seal, SafeText>),
    /// What arrived of results and report.
    Delivered(Delivery),
    /// How many results were removed from all places, or why not from one.
    ResultsRemoved(Result<usize, SafeText>),
    /// What is kept.
    Tidied(Tidied),
    /// The machine report that was found.
    Reported(Box<Reported>),
}

/// What a look brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Looked {
    /// What is published.
    pub look: Look,
    /// What each place says of an earlier life, where that was asked.
    pub past: Vec<Told>,
    /// Its own report, where that does not stand as it is known.
    pub reports: Vec<OwnReport>,
}

impl From<Look> for Looked {
    fn from(look: Look) -> Self {
        Self { look, past: Vec::new(), reports: Vec::new() }
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
}

impl Delivery {
    /// Nothing arrived.
    pub fn failed(why: &SafeText) -> Self {
        let (results, report) = (Err(why.clone()), Err(why.clone()));
        Self { results, report, place: None, stands: None, found: None }
    }
}

/// A machine's own report, as it stands on the shares.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reported {
    /// Where, and what it says.
    pub found: Option<(SafeText, MachineReport)>,
    /// Why there is none that can be read, each with its path.
    pub faults: Vec<SafeText>,
}

impl ShareJob {
    /// Carries it out here and now. May hang with the share.
    fn carry_out(&self) -> ShareNews {
        match self {
            ShareJob::Look { shares, machine, trust, max_run_time, programs, past, reports } => {
                let (judge, machine) = (&Judge::of(*trust), *machine);
                let defaults = &Defaults { max_run_time: *max_run_time, programs: programs.clone() };
                let look = share::look(&Looking { shares, machine, judge, defaults });
                let (past, reports) = (past::look(past, machine), own_report::look(reports, machine, judge));
                ShareNews::Looked(Box::new(Looked { look, past, reports }))
            }
            ShareJob::Stage { share, package, hash, stage, trust, unless } => {
                let judge = &Judge::of(*trust);
                if unless.as_ref().is_some_and(|then| content::stands_still(share, *package, then, judge)) {
                    return ShareNews::Unchanged;
                }
                match content::stage(share, *package, hash, stage, judge) {
                    Ok(()) => ShareNews::Staged(hash.clone(), ContentFact::Staged, None),
                    Err(not) => ShareNews::Staged(hash.clone(), not.fact, not.over),
                }
            }
            ShareJob::Verify { hash, stage, .. } => ShareNews::Verified(content::verify_staged(stage, hash)),
            ShareJob::Tidy(tidying) => ShareNews::Tidied(tidying.carry_out()),
            ShareJob::RemoveResults { places, trust, machine, before } => {
                let judge = trust.map(Judge::of);
                let removed = places.iter().map(|place| {
                    remove_results(place, judge.as_ref(), *machine, *before)
                        .map_err(|e| SafeText::new(&format!("{}: {e}", place.display())))
                });
                // Each is tried, whatever became of the one before it.
                let removed: Vec<Result<usize, SafeText>> = removed.collect();
                ShareNews::ResultsRemoved(removed.into_iter().sum())
            }
            ShareJob::Report { shares, machine } => {
                ShareNews::Reported(Box::new(read_report(shares, *machine)))
            }
            ShareJob::Deliver { places, trust, machine, known, report, outbox } => {
                let (judge, outbox) = (trust.map(Judge::of), Outbox::at(outbox));
                let report = Reporting { machine: *machine, known: known.as_deref(), report };
                let to = |place: &PathBuf| deliver(place, judge.as_ref(), &report, &outbox);
                ShareNews::Delivered(deliver_to_first(places, to))
            }
        }
    }

    /// Carries it out in a process of its own, for at most `deadline`.
    ///
    /// # Errors
    /// Why there is no answer: the share hangs, or no process can be had. Nothing may be concluded from it.
    pub fn run(&self, deadline: Duration) -> Result<ShareNews, SafeText> {
        self.run_as(None, deadline)
    }

    /// The same as another account, to see the share as the service does.
    ///
    /// # Errors
    /// As [`ShareJob::run`]; or this account may not act as that one.
    pub fn run_as(&self, account: Option<&Account>, deadline: Duration) -> Result<ShareNews, SafeText> {
        helper::ask("share-reader", "the share reader", self, account, deadline)
    }
}

/// `pcm share-reader`: one job from standard input, its news to standard output.
pub fn main() -> u8 {
    helper::serve(|job: ShareJob| job.carry_out())
}

/// The report of a machine on the first of these shares that has one.
fn read_report(shares: &[PathBuf], machine: MachineId) -> Reported {
    let mut reported = Reported::default();
    for share in shares {
        let name = report::report_name(machine);
        let path = share.join(report::FOLDER).join(&name);
        let read = Folder::open(share)
            .and_then(|root| root.folder(report::FOLDER)?.file(&name))
            .and_then(|mut file| share::read_bounded(&mut file, report::MAX_BYTES))
            .map_err(|e| e.to_string())
            .and_then(|bytes| MachineReport::from_bytes(&bytes).map_err(|e| e.to_string()));
        match read {
            Ok(report) => {
                reported.found = Some((SafeText::new(&path.display().to_string()), report));
                return reported;
            }
            Err(why) => reported.faults.push(SafeText::new(&format!("{}: {why}", path.display()))),
        }
    }
    reported
}

/// To the first place that takes everything; where there is none, what the first one said of it.
fn deliver_to_first(places: &[PathBuf], to: impl Fn(&PathBuf) -> Delivery) -> Delivery {
    let mut first = None;
    for place in places {
        let delivery = to(place);
        if delivery.place.is_some() || delivery.found.is_some() {
            return delivery;
        }
        first.get_or_insert(delivery);
    }
    first.unwrap_or_else(|| Delivery::failed(&"there is no share that may be written".into()))
}

/// Payload first: the results, as many as can be, then the report, which speaks of none that is not there (DEFECTS
/// Q138241).
fn deliver(share: &Path, judge: Option<&Judge>, reporting: &Reporting, outbox: &Outbox) -> Delivery {
    let words = |what: &str, e: io::Error| SafeText::new(&format!("{}: {what}: {e}", share.display()));
    let root = match open_to_write(share, judge) {
        Ok(root) => root,
        Err(e) => return Delivery::failed(&words("the share", e)),
    };
    let results = outbox.deliver(&root, reporting.machine).map_err(|e| words("results", e));
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
            Err(e) => (Err(words("machine report", e)), None),
        },
    };
    let place = (results.is_ok() && report.is_ok()).then(|| share.to_owned());
    Delivery { results, report, place, stands: stood.map(|stood| (share.to_owned(), stood)), found }
}

/// The machine report that is to be written, and what is known of those before it.
struct Reporting<'a> {
    machine: MachineId,
    known: Option<&'a history::Reported>,
    report: &'a Result<Option<Box<MachineReport>>, SafeText>,
}

impl Reporting<'_> {
    /// What stands at a place, where the machine has to hear of it before its report may take that place.
    fn is_news(&self, root: &Folder, place: &Path) -> Option<OwnReport> {
        let known = self.known.filter(|_| self.report.is_ok())?;
        let found = own_report::look_at(root, place, known.stands.get(place).copied(), self.machine)?;
        let may_go = matches!(known.clone().see(&found), Whose::Own | Whose::Older);
        (!may_go || matches!(self.report, Ok(None))).then_some(found)
    }
}

/// Writes the report without what it says of these results; how it stands then.
fn write_report(
    root: &Folder,
    machine: MachineId,
    report: &MachineReport,
    missing: &[String],
) -> io::Result<Option<Stood>> {
    let mut report = report.clone();
    report.leave_out(missing);
    let bytes = report.to_bytes().map_err(io::Error::other)?;
    let (folder, name) = (root.folder(report::FOLDER)?, report::report_name(machine));
    report::write_replacing(&folder, &name, &bytes)?;
    Ok(own_report::stands(&folder, &name, &bytes))
}

/// The share, where it may be written to.
fn open_to_write(share: &Path, judge: Option<&Judge>) -> io::Result<Folder> {
    let root = Folder::open(share)?;
    match judge.and_then(|judge| judge.loose(share, &[&root], &[])) {
        None => Ok(root),
        Some(loose) => {
            let why = format!("nothing is written to a share that is not trusted: {loose}");
            Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
        }
    }
}

/// Of the machine's own folder there; where it has none, there is nothing to remove.
fn remove_results(
    share: &Path,
    judge: Option<&Judge>,
    machine: MachineId,
    before: Wall,
) -> io::Result<usize> {
    let root = open_to_write(share, judge)?;
    match root.folder(report::RESULTS).and_then(|results| results.folder(machine.as_str())) {
        Ok(own) => report::remove_results(&own, before),
        Err(OpenError::Missing) => Ok(0),
        Err(e) => Err(e.into()),
    }
}

/// A look at what is published for this machine, within its deadline, and at its own report where that may stand; `past`:
/// and at what is left of an earlier life of it. None while the machine has no id.
pub fn look_job(
    config: &Config,
    past: bool,
    reports: Vec<(PathBuf, Option<Stood>)>,
) -> Option<(ShareJob, Duration)> {
    let past = if past { result_places(config) } else { Vec::new() };
    let places = config.shares.len().max(past.len());
    let job = ShareJob::Look {
        shares: config.shares.clone(),
        machine: config.machine?,
        trust: config.trust.mode,
        max_run_time: config.run.max_run_time,
        programs: config.all_programs(),
        past,
        reports,
    };
    Some((job, look_deadline(places, config.share.timeout)))
}

/// Where results of this machine may lie.
pub fn result_places(config: &Config) -> Vec<PathBuf> {
    let mut places = config.shares.clone();
    places.extend(config.share.report.iter().filter(|named| !config.shares.contains(named)).cloned());
    places
}

/// The time that all looks at these shares may take together.
pub fn look_deadline(shares: usize, timeout: Duration) -> Duration {
    timeout.saturating_mul(u32::try_from(shares.max(1)).unwrap_or(u32::MAX))
}

/// One package may take this long to be copied, or to be verified.
pub const STAGE_DEADLINE: Duration = Duration::from_secs(3600);
/// Results and a report are small.
pub const DELIVER_DEADLINE: Duration = Duration::from_secs(60);
/// What is not removed by then is removed another time.
pub const TIDY_DEADLINE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report_of(number: u64) -> Box<MachineReport> {
        Box::new(MachineReport { report: Some(number), ..report::tests::report(0) })
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
            report: Ok(Some(report)),
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
        std::fs::File::open(share.join("machines/BP004000.json"))
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
        let remove = |machine: &str, before: u64, trust: Option<TrustMode>| {
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
                trust: Some(TrustMode::Permissions),
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
        let delivery = deliver(&[first, second.clone()]);
        assert_eq!((delivery.results, delivery.place.as_deref()), (Ok(1), Some(second.as_path())));
        assert!(second.join("machines/BP004000.json").is_file());
        assert!(second.join("despoolr.box/BP004000/BP00001-1.MIF").is_file());
    }
}
