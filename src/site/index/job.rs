//! A job as one shared file for all its machines (SITE.md 2): what runs, with copies of everything that only the package
//! says, for whom, and when. Nothing in it is left to a default: what a machine would add by itself, the publisher has
//! not said. Pure.

use super::target::{self, MAX_TARGETS, Target};
use super::{JobState, kind, revision, sha256};
use crate::clock::Wall;
use crate::fields::{self, Fields, Source};
use crate::site::expression::Expression;
use crate::site::ids::{JobId, MachineId, PackageId, RequestId, SiteId};
use crate::site::instruction::parse::how::{self, How};
pub use crate::site::instruction::parse::times::Times;
use crate::site::instruction::parse::times::times;
use crate::site::instruction::render::duration;
use crate::site::instruction::{CommandLine, ContentHash};
use crate::terms::{Problem, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The folder of the jobs of an index.
pub const FOLDER: &str = "jobs";
/// The largest job that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// The most phases, dependencies and superseded jobs.
const MAX_LIST: usize = 256;
/// The fields of the package that a job repeats.
const COPIES: [&str; 10] = [
    "automated",
    "background",
    "disk_space",
    "exit_codes",
    "max_run_time",
    "platforms",
    "removes",
    "restarts",
    "run_when",
    "version",
];
const MALFORMED: &str = "malformed";
/// In seconds.
const DAY: u64 = 86_400;

/// What has to be done first: a request, or any request of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// This request.
    Request(RequestId),
    /// One of this package.
    Package(PackageId),
}

impl FromStr for Needed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let request = text.parse().map(Needed::Request);
        let package = text.parse().map(Needed::Package);
        request.or(package).map_err(|_| format!("{text:?} is neither a request id nor a package id"))
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needed::Request(id) => write!(f, "{id}"),
            Needed::Package(id) => write!(f, "{id}"),
        }
    }
}

words!(
    /// Who may have a job run on a machine without the right to operate it.
    OfferTo {
        /// Whoever is logged on there.
        Users = "users",
    }
);

/// A share of the machines, and how long after the phase before it is their turn: `5%`, `50%+1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// In hundredths of a percent.
    pub percent: u32,
    /// After the phase before.
    pub after: Duration,
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((percent, after)) = text.split_once('%') else {
            return Err(format!(
                "wanted a phase like \"5%\" or \"50%+1d\", found {:?}",
                fields::cut(text, 40)
            ));
        };
        let percent = target::parse_percent(percent.trim())?;
        let after = match after.trim().strip_prefix('+') {
            Some(after) => fields::parse_duration(after)?,
            None if after.trim().is_empty() => Duration::ZERO,
            None => {
                return Err(format!(
                    "wanted + and a duration after the %, found {:?}",
                    fields::cut(after, 40)
                ));
            }
        };
        Ok(Phase { percent, after })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", target::percent(self.percent))?;
        match self.after {
            Duration::ZERO => Ok(()),
            after if after.as_secs() % DAY == 0 => write!(f, "+{}d", after.as_secs() / DAY),
            after => write!(f, "+{}", duration(after)),
        }
    }
}

/// A valid job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Tells two sites with one code apart.
    pub site_id: SiteId,
    /// Which.
    pub job_id: JobId,
    /// Its delivery: the same on all its machines.
    pub request_id: RequestId,
    /// Of this file.
    pub revision: u64,
    /// What runs.
    pub package_id: PackageId,
    /// The release of the package.
    pub release: u64,
    /// Of its `package.toml`.
    pub package_sha256: ContentHash,
    /// The package's name.
    pub package: SafeText,
    /// The package's version; empty where the package says none.
    pub version: SafeText,
    /// The command's name.
    pub command: SafeText,
    /// The program and its arguments.
    pub command_line: CommandLine,
    /// How it runs.
    pub how: How,
    /// It removes what it is about.
    pub removes: bool,
    /// Of the list of its files; None: nothing to copy.
    pub content_sha256: Option<ContentHash>,
    /// From when on it is offered, runs by itself, runs no more.
    pub times: Times,
    /// Whom it is for.
    pub targets: Vec<Target>,
    /// Whom it is not for.
    pub exclude: Vec<Target>,
    /// What has to hold for a machine.
    pub condition: Option<Expression>,
    /// In rising order; empty: all at once.
    pub phases: Vec<Phase>,
    /// Launches are spread over this time.
    pub spread: Option<Duration>,
    /// The jobs in whose place it comes.
    pub supersedes: Vec<JobId>,
    /// What has to be done first.
    pub depends_on: Vec<Needed>,
    /// Who may have it run beside those who operate; None: nobody.
    pub offer_to: Option<OfferTo>,
}

/// When a job goes on to its next phase, and when it halts (SITE.md 3): shares in hundredths of a percent. Only the site
/// folder says them; machines never read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many of the machines on which it ended may have failed.
    pub max_failure_rate: u32,
    /// On so many of a phase's machines it has to have ended.
    pub min_ended: u32,
    /// So many of a phase's machines may be silent.
    pub max_silent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_failure_rate: 500, min_ended: 5_000, max_silent: 500 }
    }
}

/// What the publisher says of a job beside it: that goes into the index, or stays in the site folder, and is no part of the
/// job's own file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Whether it is offered.
    pub state: JobState,
    /// The share of its machines that has been reached, in hundredths of a percent.
    pub percent: u32,
    /// Why it is suspended or cancelled.
    pub reason: Option<SafeText>,
    /// When the state was set.
    pub since: Option<Wall>,
    /// When the share was set that has been reached.
    pub reached: Option<Wall>,
    /// These machines come before all others: as long as no share has been reached, it is for them alone.
    pub canary: Vec<MachineId>,
    /// When it goes on, and when it halts.
    pub limits: Limits,
}

impl Word {
    /// It is for the machines that come first, and no others.
    pub fn is_canary(&self) -> bool {
        self.percent == 0 && !self.canary.is_empty()
    }
}

impl Default for Word {
    fn default() -> Self {
        Self {
            state: JobState::Active,
            percent: target::WHOLE,
            reason: None,
            since: None,
            reached: None,
            canary: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Reads the job of this id as it is published. `programs` are the bare names that may be started somewhere.
///
/// # Errors
/// Every problem, in the order of its lines: a job that is wrong anywhere runs nowhere.
pub fn parse(bytes: &[u8], job: JobId, file: &str, programs: &[String]) -> Result<Job, Vec<Problem>> {
    read(bytes, file, |f| {
        kind(f, "job");
        let site_id = f.need("site_id", fields::parsed);
        let revision = f.need("revision", revision);
        all(f, job, programs, site_id, revision)
    })
}

/// The request of a job that is not understood, where it says one.
pub fn request_of(text: &str) -> Option<RequestId> {
    text.parse::<toml::Table>().ok()?.get("request_id")?.as_str()?.parse().ok()
}

/// Reads the job of this id in a site folder: its revision is the publication's, and 0 here.
///
/// # Errors
/// As [`parse`].
pub fn parse_source(
    bytes: &[u8],
    job: JobId,
    site_id: &SiteId,
    file: &str,
    programs: &[String],
) -> Result<(Job, Word), Vec<Problem>> {
    read(bytes, file, |f| {
        let all_of_it = Word::default();
        let word = Word {
            state: f.get("state", fields::one_of(JobState::ALL, JobState::as_str)).unwrap_or(all_of_it.state),
            percent: f.get("percent", super::percent).unwrap_or(all_of_it.percent),
            reason: f.get("reason", fields::words),
            since: f.get("since", fields::instant),
            reached: f.get("reached", fields::instant),
            canary: f.list("canary", fields::parsed::<MachineId>).unwrap_or_default(),
            limits: limits(f),
        };
        all(f, job, programs, Some(site_id.clone()), Some(0)).map(|job| (job, word))
    })
}

fn read<T>(
    bytes: &[u8],
    file: &str,
    read: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let parsed = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut f = Fields::top(&source, parsed.get_ref());
    let job = read(&mut f);
    let unknown = f.unknown();
    f.absorb(unknown.into_iter().map(super::newer));
    let problems = f.finish();
    match job {
        Some(job) if problems.is_empty() => Ok(job),
        // What is not there is one of the problems.
        _ => Err(problems),
    }
}

fn all(
    f: &mut Fields<'_, '_>,
    job: JobId,
    programs: &[String],
    site_id: Option<SiteId>,
    revision: Option<u64>,
) -> Option<Job> {
    let job_id = f.need("job_id", |v| match fields::parsed::<JobId>(v)? {
        id if id == job => Ok(id),
        other => Err(format!("this file is of {other}, not of {job}")),
    });
    let of_site =
        |site| if site == job.site() { Ok(()) } else { Err(format!("{site} is another site's code")) };
    let request_id = f.need("request_id", |v| {
        let id: RequestId = fields::parsed(v)?;
        of_site(id.site()).map(|()| id)
    });
    let package_id = f.need("package_id", fields::parsed::<PackageId>);
    let release = f.need("release", super::revision);
    let package_sha256 = f.need("package_sha256", sha256);
    let package = f.need("package", fields::words);
    let command = f.need("command", fields::words);
    let command_line = how::command_line(f, programs);
    for key in COPIES {
        if !f.has(key) {
            f.wrong(key, format!("{key} is missing: a job repeats what its package says"));
        }
    }
    let version = f.get("version", |v| match fields::text(v)? {
        "" => Ok(SafeText::default()),
        _ => fields::words(v),
    });
    let mut how = how::how(f);
    // A job says everything, also that no room is wanted; the package then says nothing.
    how.disk_space = how.disk_space.filter(|bytes| *bytes > 0);
    let removes = f.get("removes", fields::boolean).unwrap_or(false);
    let content_sha256 = f.get("content_sha256", sha256);
    let times = times(f);
    let targets = targets(f, "targets");
    if f.has("targets") && targets.is_empty() {
        f.wrong("targets", "it is for no machine: wanted ids, patterns like BP0040* or groups like @web");
    } else if !f.has("targets") {
        f.need("targets", |_| Ok(()));
    }
    let exclude = self::targets(f, "exclude");
    let condition = f.get("where", |v| Expression::parse(fields::text(v)?).map_err(|e| e.to_string()));
    let phases = phases(f);
    let spread = f.get("spread", fields::duration);
    let supersedes = how::list_of(f, "supersedes", fields::parsed::<JobId>);
    let depends_on = how::list_of(f, "depends_on", fields::parsed::<Needed>);
    let offer_to = f.get("offer_to", offer_to);
    if f.has("ignore_windows") {
        f.wrong("ignore_windows", "only a package can say that its command ignores windows");
    }
    let itself = |needed: &Needed| request_id.is_some_and(|id| *needed == Needed::Request(id));
    if depends_on.iter().any(itself) {
        f.wrong_as("contradiction", "depends_on", "it depends on itself");
    }
    if supersedes.contains(&job) {
        f.wrong_as("contradiction", "supersedes", "it supersedes itself");
    }
    Some(Job {
        site_id: site_id?,
        job_id: job_id?,
        request_id: request_id?,
        revision: revision?,
        package_id: package_id?,
        release: release?,
        package_sha256: package_sha256?,
        package: package?,
        version: version?,
        command: command?,
        command_line: command_line?,
        how,
        removes,
        content_sha256,
        times,
        targets,
        exclude,
        condition,
        phases,
        spread,
        supersedes,
        depends_on,
        offer_to,
    })
}

/// One word, alone or in an array.
fn offer_to(value: &DeValue<'_>) -> Result<OfferTo, String> {
    let read = fields::one_of(OfferTo::ALL, OfferTo::as_str);
    match value {
        DeValue::Array(words) => match words.iter().collect::<Vec<_>>().as_slice() {
            [word] => read(word.get_ref()),
            _ => Err(format!("wanted {:?}, found {}", OfferTo::Users.as_str(), fields::found(value))),
        },
        one => read(one),
    }
}

fn limits(f: &mut Fields<'_, '_>) -> Limits {
    let own = Limits::default();
    Limits {
        max_failure_rate: f.get("max_failure_rate", share).unwrap_or(own.max_failure_rate),
        min_ended: f.get("min_ended", share).unwrap_or(own.min_ended),
        max_silent: f.get("max_silent", share).unwrap_or(own.max_silent),
    }
}

/// A share from 0 to 1 with at most four decimals, in hundredths of a percent.
fn share(value: &DeValue<'_>) -> Result<u32, String> {
    let text = match value {
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(number) => number.as_str(),
        _ => "",
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let hundredths = match (whole, decimals.len()) {
        ("0" | "1", 1..=4) => format!("{whole}{decimals:0<4}").parse::<u32>().ok(),
        _ => None,
    };
    hundredths.filter(|n| *n <= target::WHOLE).ok_or_else(|| {
        format!("wanted a share from 0 to 1 with at most four decimals, found {}", fields::found(value))
    })
}

/// The same written: `0.05`.
pub fn share_words(hundredths: u32) -> String {
    let text = format!("{}.{:04}", hundredths / target::WHOLE, hundredths % target::WHOLE);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn targets(f: &mut Fields<'_, '_>, key: &'static str) -> Vec<Target> {
    let all = f.list(key, fields::parsed::<Target>).unwrap_or_default();
    if all.len() > MAX_TARGETS {
        f.wrong(key, format!("{} entries; at most {MAX_TARGETS}: make a group of the machines", all.len()));
    }
    all
}

fn phases(f: &mut Fields<'_, '_>) -> Vec<Phase> {
    let phases = f.list("phases", fields::parsed::<Phase>).unwrap_or_default();
    if phases.len() > MAX_LIST {
        f.wrong("phases", format!("more than {MAX_LIST} phases"));
    }
    if !phases.is_sorted_by(|a, b| a.percent < b.percent) {
        f.wrong_as("contradiction", "phases", "each phase has to reach more machines than the one before");
    }
    phases
}
