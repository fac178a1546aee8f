//! The only code that touches a share, in a process of its own: one look, one package to be staged, or one delivery. It
//! is killed when it passes its deadline, so that a share that hangs stalls nothing (PROMISES.md 4, P8); a copy when no byte
//! came for so long. The service's workers and single commands start it; it asks nothing of the executor.

use super::deliver::{Believed, Delivery, Reporting, deliver_to_first, remove_results};
use super::outbox::Outbox;
use super::outgoing::Outgoing;
use super::tidy::{Tidied, Tidying};
use super::tries::{Tried, Tries};
use crate::clock::Wall;
use crate::config::Config;
use crate::executor::history::{self};
use crate::host::account::Account;
use crate::host::facts;
use crate::host::helper::{self, Limits};
use crate::host::open::Folder;
use crate::host::open::remote::{self, Access};
use crate::site::content::{ContentFact, Pace, Seal, Shelf, Stands};
use crate::site::ids::MachineId;
use crate::site::indexed::compose::Named;
use crate::site::installed::{self, Finding};
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::Defaults;
use crate::site::own_report::{self, OwnReport, Stood};
use crate::site::package::InstalledIf;
use crate::site::past::{self, Told};
use crate::site::report::MachineReport;
use crate::site::share::{self, Look, Looking, Tag};
use crate::site::signed::signers::Key;
use crate::site::signed::store::Material;
use crate::site::trust::{Judge, TrustMode};
use crate::site::{content, report};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
        /// Whose signatures count, in mode `signed`.
        trusted: Option<Material>,
        /// What this machine has got of an index.
        index: HeldIndex,
    },
    /// Copy and verify one package.
    Stage {
        /// From the first of these that has it whole.
        shares: Vec<PathBuf>,
        /// No more bytes a second; 0: any.
        bandwidth: u64,
        /// It is given up where it trickles: another share has it, too.
        hurry: bool,
        /// Where on it.
        at: Shelf,
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
        trust: Option<Believed>,
        /// Whose.
        machine: MachineId,
        /// What the machine knew of its reports before this one; None: nothing.
        known: Option<Box<history::Reported>>,
        /// The machine report, or why there is none; None: nothing is to be reported.
        report: Result<Option<Box<Outgoing>>, SafeText>,
        /// In mode `signed`, the public half of the key by which alone a report is this machine's own.
        own_key: Option<String>,
        /// Where results wait.
        outbox: PathBuf,
    },
    /// Remove this machine's own results that were written before a time.
    RemoveResults {
        /// Wherever some may be.
        places: Vec<PathBuf>,
        /// What makes them believable, as of a delivery.
        trust: Option<Believed>,
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
    /// Look whether packages are installed here. Nothing is asked of a share.
    Installed {
        /// By these tests, each once.
        tests: Vec<InstalledIf>,
    },
    /// Read a machine's own report.
    Report {
        /// In the order of preference.
        shares: Vec<PathBuf>,
        /// Whose.
        machine: MachineId,
    },
    /// Try what a machine does at one share.
    Try(Tries),
}

/// What a machine has got of an index, for whoever reads a share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldIndex {
    /// The folder that holds it; None: nothing is held.
    pub dir: Option<PathBuf>,
    /// An index was accepted once: no instruction file is read any more.
    pub only: bool,
    /// How long its parts are read at one look, so that what was read arrives before the deadline.
    pub patience: Option<Duration>,
    /// What the index in force names and no share has given yet: each of them is asked for it, whatever index it has.
    pub wanted: Vec<Named>,
    /// Which server calls it what: it is not read there again.
    #[serde(default)]
    pub tags: Vec<Tag>,
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
    /// What the tests gave, all of them or some.
    Installed(Vec<(InstalledIf, Finding)>),
    /// The machine report that was found.
    Reported(Box<Reported>),
    /// What was tried at a share.
    Tried(Tried),
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
    /// Where it stands as it is known: a place that was not seen is none of them.
    pub stood: Vec<PathBuf>,
}

impl From<Look> for Looked {
    fn from(look: Look) -> Self {
        Self { look, past: Vec::new(), reports: Vec::new(), stood: Vec::new() }
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
    #[cfg(test)]
    pub(super) fn carry_out(&self) -> ShareNews {
        self.carry_out_telling(|_, _| {})
    }

    /// The same, and `tell` hears how many bytes of how many are copied.
    fn carry_out_telling(&self, tell: fn(u64, u64)) -> ShareNews {
        match self {
            ShareJob::Look {
                shares,
                machine,
                trust,
                max_run_time,
                programs,
                past,
                reports,
                trusted,
                index,
            } => {
                let (judge, machine) = (&Judge::of(*trust), *machine);
                // Whoever decides makes the requests, and asks the configuration about windows.
                let defaults = &Defaults {
                    max_run_time: *max_run_time,
                    programs: programs.clone(),
                    ignore_windows: false,
                };
                let look = share::look(&Looking {
                    shares,
                    machine,
                    judge,
                    defaults,
                    trusted: trusted.as_ref().and_then(|material| material.open().ok()),
                    now: facts::now(),
                    held: index.dir.as_deref(),
                    indexed: index.only,
                    patience: index.patience,
                    wanted: &index.wanted,
                    tags: &index.tags,
                });
                let (past, (reports, stood)) = remote::as_reporter(|| {
                    (past::look(past, machine), own_report::look(reports, machine, judge))
                });
                ShareNews::Looked(Box::new(Looked { look, past, reports, stood }))
            }
            ShareJob::Stage { shares, bandwidth, hurry, at, hash, stage, trust, unless } => {
                let judge = &Judge::of(*trust);
                let Some(share) = shares.first() else {
                    return ShareNews::Staged(
                        hash.clone(),
                        ContentFact::Missing("no share offers it".into()),
                        None,
                    );
                };
                let pace = &mut Pace::new(*bandwidth, *hurry, facts::monotonic().0).telling(tell);
                if unless.as_ref().is_some_and(|then| content::stands_still(share, *at, hash, then, judge)) {
                    return ShareNews::Unchanged;
                }
                match content::stage(share, *at, hash, stage, judge, pace) {
                    Ok(()) => ShareNews::Staged(hash.clone(), ContentFact::Staged, None),
                    Err(not) => ShareNews::Staged(hash.clone(), not.fact, not.over),
                }
            }
            ShareJob::Verify { hash, stage, .. } => ShareNews::Verified(content::verify_staged(stage, hash)),
            ShareJob::Installed { tests } => ShareNews::Installed(installed::look::look(tests)),
            ShareJob::Tidy(tidying) => ShareNews::Tidied(tidying.carry_out()),
            ShareJob::RemoveResults { places, trust, machine, before } => {
                let remove = || remove_results(places, trust.as_ref(), *machine, *before);
                ShareNews::ResultsRemoved(remote::as_reporter(remove))
            }
            ShareJob::Report { shares, machine } => {
                ShareNews::Reported(Box::new(remote::as_reporter(|| read_report(shares, *machine))))
            }
            ShareJob::Try(tries) => ShareNews::Tried(tries.carry_out()),
            ShareJob::Deliver { places, trust, machine, known, report, own_key, outbox } => {
                let outbox = Outbox::at(outbox);
                let own_key = own_key.as_ref().and_then(|line| Key::read(line).ok());
                let report = Reporting { machine: *machine, known: known.as_deref(), report, own_key };
                let deliver = || deliver_to_first(places, trust.as_ref(), &report, &outbox);
                ShareNews::Delivered(remote::as_reporter(deliver))
            }
        }
    }

    /// All of it in one process.
    pub(super) fn run_whole(
        &self,
        account: Option<&Account>,
        deadline: Duration,
    ) -> Result<ShareNews, SafeText> {
        let at = match self {
            ShareJob::Look { shares, past, reports, .. } => {
                let reports = reports.iter().map(|(place, _)| place);
                let places: BTreeSet<&PathBuf> = shares.iter().chain(past).chain(reports).collect();
                Some(format!("look {places:?}"))
            }
            ShareJob::Stage { shares, .. } => Some(format!("stage {shares:?}")),
            ShareJob::Deliver { places, .. } => Some(format!("deliver {places:?}")),
            ShareJob::RemoveResults { places, .. } => Some(format!("results {places:?}")),
            ShareJob::Report { shares, .. } => Some(format!("report {shares:?}")),
            ShareJob::Try(tries) => Some(format!("try {}", tries.share.display())),
            ShareJob::Installed { tests } => test_at(tests),
            // Nothing is asked of a share.
            ShareJob::Tidy(_) | ShareJob::Verify { .. } => None,
        };
        let sent = Sent { access: remote::access(), job: self };
        helper::ask("share-reader", "the share reader", &sent, at, account, self.limits(deadline))
    }

    /// How long its process may take. A copy goes on while bytes come: what is slow by its line, or on purpose, is copied, too.
    pub(super) fn limits(&self, deadline: Duration) -> Limits {
        match self {
            ShareJob::Stage { .. } => Limits { silence: deadline, whole: deadline.max(COPY_DEADLINE) },
            ShareJob::Look { .. }
            | ShareJob::Deliver { .. }
            | ShareJob::RemoveResults { .. }
            | ShareJob::Tidy(_)
            | ShareJob::Verify { .. }
            | ShareJob::Installed { .. }
            | ShareJob::Report { .. }
            | ShareJob::Try(_) => deadline.into(),
        }
    }
}

/// `pcm share-reader`: one job from standard input, its news to standard output.
pub fn main() -> u8 {
    let status = helper::serve(|Received { access, job }| {
        remote::use_access(access);
        job.carry_out_telling(helper::so_far)
    });
    remote::hang_up();
    status
}

/// A job, and how a share is got to that is no folder.
#[derive(Serialize)]
struct Sent<'a> {
    access: Access,
    job: &'a ShareJob,
}

/// The same on the other side.
#[derive(Deserialize)]
struct Received {
    access: Access,
    job: ShareJob,
}

/// What a look by one test alone can hang at.
pub(super) fn test_at(tests: &[InstalledIf]) -> Option<String> {
    match tests {
        [one] => Some(format!("installed {one:?}")),
        [] | [..] => None,
    }
}

/// What each of these tests gave, by the news of whoever looked.
pub fn findings(tests: &[InstalledIf], news: Result<ShareNews, SafeText>) -> Vec<(InstalledIf, Finding)> {
    let (mut found, why) = match news {
        Ok(ShareNews::Installed(found)) => (found, "the helper said nothing of it".into()),
        Ok(
            ShareNews::Looked(_)
            | ShareNews::Staged(..)
            | ShareNews::Unchanged
            | ShareNews::Verified(_)
            | ShareNews::Delivered(_)
            | ShareNews::ResultsRemoved(_)
            | ShareNews::Tidied(_)
            | ShareNews::Reported(_)
            | ShareNews::Tried(_),
        ) => (Vec::new(), "the helper answered something else".into()),
        Err(why) => (Vec::new(), why),
    };
    found.retain(|(test, _)| tests.contains(test));
    let missing: Vec<&InstalledIf> =
        tests.iter().filter(|test| !found.iter().any(|(known, _)| known == *test)).collect();
    found.extend(missing.into_iter().map(|test| (test.clone(), Finding::unknown(&why))));
    found
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

/// Whether a share answers in time, whatever it says: whether a report is there is no matter, for one that answers says that
/// it is not.
///
/// # Errors
/// Why not, in words.
pub fn answer(share: &Path, timeout: Duration) -> Result<(), SafeText> {
    let machine = "PCM00000".parse().expect("a machine id");
    ShareJob::Report { shares: vec![share.to_owned()], machine }.run(timeout).map(drop)
}

/// A look at what is published for this machine, within its deadline, and at its own report where that may stand; `past`:
/// and at what is left of an earlier life of it. None while the machine has no id.
pub fn look_job(
    config: &Config,
    past: bool,
    reports: Vec<(PathBuf, Option<Stood>)>,
    trusted: Option<Material>,
    index: HeldIndex,
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
        trusted,
        index,
    };
    Some((job, look_deadline(places, config.share.timeout)))
}

/// Where results of this machine may lie. It writes to no place that is only read: those are asked where there is no other.
pub fn result_places(config: &Config) -> Vec<PathBuf> {
    let mut places = config.shares.clone();
    places.extend(config.share.report.iter().filter(|named| !config.shares.contains(named)).cloned());
    if places.iter().any(|place| !remote::is_read_only(place)) {
        places.retain(|place| !remote::is_read_only(place));
    }
    places
}

/// The time that all looks at these shares may take together.
pub fn look_deadline(shares: usize, timeout: Duration) -> Duration {
    timeout.saturating_mul(u32::try_from(shares.max(1)).unwrap_or(u32::MAX))
}

/// One package may take this long to be verified, and to be copied without a byte that comes.
pub const STAGE_DEADLINE: Duration = Duration::from_secs(3600);
/// And this long to be copied, however slowly its bytes come.
const COPY_DEADLINE: Duration = Duration::from_secs(24 * 3600);
/// Results and a report are small.
pub const DELIVER_DEADLINE: Duration = Duration::from_secs(60);
/// What is not removed by then is removed another time.
pub const TIDY_DEADLINE: Duration = Duration::from_secs(300);
