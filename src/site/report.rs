//! What a machine writes to its share: the machine report (SITE.md 5), and the one way to replace a file there. `lines` is
//! how a report is written and read, `first` how one of format 1 is read, `seal` how one is signed. Called by the service; reports are read by the
//! rollout view.

mod first;
pub mod lines;
pub mod seal;

use self::lines::Sealed;
use super::ids::{JobId, MachineId, PackageId, RequestId, SiteCode, SiteId};
use super::instruction::ContentHash;
use crate::clock::Wall;
use crate::host::open::Folder;
use crate::terms::{Code, Platform, State};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

/// The format that is written.
pub const FORMAT: u32 = 2;
/// The largest machine report, in bytes.
pub const MAX_BYTES: u64 = 512 << 10;
/// The longest summary, in bytes with the line's end.
pub const MAX_SUMMARY: usize = 1 << 10;
/// The folder of the machine reports.
pub const FOLDER: &str = "machines";
/// It comes at least this often.
pub const LONGEST_HEARTBEAT: Duration = Duration::from_secs(6 * 3600);
/// The longest result in it, in characters.
pub const MAX_RESULT: usize = 128;

/// The most names of results in it that are not on the share.
pub const MAX_UNDELIVERED: usize = 100;
/// The most jobs in it that are not for the machine: an index has no more.
pub const MAX_NOT_TARGETED: usize = 1_000;

/// One machine's own account of itself (SITE.md 5, `format = 2`; FORMATS.md 6 for the first one).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// What is read of every machine at every look: the first line.
    pub summary: Summary,
    /// Everything else: the second line.
    pub rest: Rest,
}

/// The first line of a report. It fits [`MAX_SUMMARY`], and a signature is over its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`]
    pub format: u32,
    /// Whose.
    pub machine: MachineId,
    /// The site of what is in force.
    pub site: Option<SiteCode>,
    /// Which of all sites with that code; None: what is in force does not say.
    #[serde(default)]
    pub site_id: Option<SiteId>,
    /// Its host name.
    pub host: SafeText,
    /// Grows with every report of this machine; None: it has no history to count by.
    #[serde(default)]
    pub report: Option<u64>,
    /// Names the history of which it speaks.
    #[serde(default)]
    pub state_id: Option<SafeText>,
    /// Names the boot in which it was written.
    #[serde(default)]
    pub boot_id: Option<SafeText>,
    /// The trust list that the index in force was published under; 0 without one; None: nothing of an index is in force.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Of what is in force.
    #[serde(default)]
    pub serial: Option<u64>,
    /// By the machine's own clock, which no other machine relies on.
    pub reported_at: Wall,
    /// In seconds: the next report comes at the latest after so long.
    pub heartbeat_s: u64,
    /// When the next package starts by itself, at the earliest.
    #[serde(default)]
    pub next_run: Option<Wall>,
    /// How many requests of the rest are in each state.
    #[serde(default)]
    pub states: BTreeMap<State, u64>,
    /// How many of them each reason holds up; the most frequent ones where there is no room for all.
    #[serde(default)]
    pub reasons: BTreeMap<Code, u64>,
    /// How many things are wrong with the machine.
    #[serde(default)]
    pub problems: u64,
    /// How many results are not on the share.
    #[serde(default)]
    pub undelivered: u64,
    /// Another machine reports with this id, and this one runs nothing by itself.
    #[serde(default)]
    pub two_machines: bool,
    /// Which report was the next when an operator or the site decided that this machine keeps its id; None: nobody had to.
    #[serde(default)]
    pub kept_id: Option<u64>,
    /// The lost history in whose place its own was begun, by the site's word or an operator's; None: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SafeText>,
    /// How long the line of the rest is, with its end.
    #[serde(default)]
    pub rest_bytes: u64,
    /// The SHA-256 of that line; None: it is of a report of format 1, which has no such line.
    #[serde(default)]
    pub rest_sha256: Option<ContentHash>,
}

/// The second line of a report. Nothing secret: no name of a person, no command line, no output but the result's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// None: none that packages are made for.
    pub platform: Option<Platform>,
    /// The version that reports.
    pub pcm_version: SafeText,
    /// When a share was last seen with a valid file.
    pub polled_at: Option<Wall>,
    /// In seconds.
    pub polling_interval_s: u64,
    /// Which share it came from.
    pub source: Option<SafeText>,
    /// How many are logged on, never their names; None: unknown.
    pub users: Option<u32>,
    /// A restart that a package caused is pending.
    pub restart_pending: bool,
    /// The clock can be believed.
    pub clock_ok: bool,
    /// What makes what is in force believable.
    #[serde(default)]
    pub trust: Option<ReportedTrust>,
    /// While a hold is in force.
    #[serde(default)]
    pub held_until: Option<Wall>,
    /// While a frozen period is in force.
    #[serde(default)]
    pub frozen_until: Option<Wall>,
    /// When the maintenance window opens that is open next; None: it is open, or none ever is.
    #[serde(default)]
    pub next_window: Option<Wall>,
    /// The system, as `os-release` calls it; on Windows `windows`.
    #[serde(default)]
    pub os: Option<SafeText>,
    /// Its version.
    #[serde(default)]
    pub os_version: Option<SafeText>,
    /// The machine's time zone.
    #[serde(default)]
    pub zone: Option<SafeText>,
    /// In bytes, where packages are staged.
    #[serde(default)]
    pub disk_free: Option<u64>,
    /// In seconds.
    #[serde(default)]
    pub uptime_s: Option<u64>,
    /// For so many hours of the last seven days it was on, by its boot and by what its service saw before; None: not all of
    /// the seven days are known.
    #[serde(default)]
    pub hours_on_7d: Option<u32>,
    /// What the configuration lets the machine say of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<SafeText, SafeText>,
    /// The codes of what is wrong with the machine, each once.
    #[serde(default)]
    pub problems: Vec<SafeText>,
    /// Results that are not on the share: nothing here speaks of the attempts that they are of. At most
    /// [`MAX_UNDELIVERED`].
    #[serde(default)]
    pub undelivered: Vec<SafeText>,
    /// The newest hash of the audit chain, so that rewriting it shows.
    pub audit_head: Option<SafeText>,
    /// Where this one has no number, because the machine has no history to count by: the newest one with a number that
    /// stood here before. It shows to a history that is put back that it is not the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Written>>,
    /// What that one signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_sealed: Option<Sealed>,
    /// The jobs that name this machine and are not for it, as their conditions do not hold here: it says so itself, since
    /// what is only missing below may be anything. At most [`MAX_NOT_TARGETED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_targeted: Vec<JobId>,
    /// What matters most first: what is in force, then what has ended, the newest first. Only as many as find room.
    pub requests: Vec<ReportedRequest>,
}

/// What makes what is in force on a machine believable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedTrust {
    /// `signed` or `permissions`.
    pub mode: SafeText,
    /// The fingerprint of the publisher's key; None: nobody signed it.
    #[serde(default)]
    pub key: Option<SafeText>,
    /// Whose it is.
    #[serde(default)]
    pub principal: Option<SafeText>,
    /// Until when the publication is good.
    #[serde(default)]
    pub valid_until: Option<Wall>,
}

/// What a report says of whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its number; 0: it has none.
    pub number: u64,
    /// The boot in which it was written.
    pub boot_id: SafeText,
    /// The history of which it speaks.
    pub state_id: SafeText,
    /// The machine's name.
    pub host: SafeText,
    /// By its own clock.
    pub at: Wall,
    /// It knows that another machine reports with its id.
    pub two_machines: bool,
    /// Which of its reports was the next when an operator or the site decided that it keeps the id; 0: nobody had to.
    pub kept_id: u64,
    /// The lost history in whose place its own was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SafeText>,
}

impl From<Summary> for Written {
    fn from(summary: Summary) -> Self {
        Self {
            number: summary.report.unwrap_or(0),
            boot_id: summary.boot_id.unwrap_or_default(),
            state_id: summary.state_id.unwrap_or_default(),
            host: summary.host,
            at: summary.reported_at,
            two_machines: summary.two_machines,
            kept_id: summary.kept_id.unwrap_or(0),
            after: summary.after,
        }
    }
}

/// One request in a machine report. Nothing secret: no command line, no output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedRequest {
    /// Which.
    pub request_id: RequestId,
    /// Where known.
    pub job_id: Option<JobId>,
    /// Where known.
    pub package_id: Option<PackageId>,
    /// Its state.
    pub state: State,
    /// Since when, as far as the machine saw it.
    pub since: Option<Wall>,
    /// The newest attempt's number; 0: none.
    pub attempt: u32,
    /// The gates that do not pass.
    pub blocked_by: Vec<Code>,
    /// When one of them changes by time.
    pub next_change: Option<Wall>,
    /// When it starts by itself, at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Wall>,
    /// The same at the latest; None with a next run: perhaps not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Wall>,
    /// It never will by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
    /// Of the job's file, under an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The share of its machines that the job has reached, as this machine knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Percent>,
    /// Of the newest attempt.
    pub exit_code: Option<i64>,
    /// Of the newest attempt, in words, at most [`MAX_RESULT`] characters.
    pub result: Option<SafeText>,
    /// Of the newest attempt.
    pub started_at: Option<Wall>,
    /// In seconds: so long after it had become mandatory the newest attempt was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_late_s: Option<u64>,
    /// Of the newest attempt.
    pub ended_at: Option<Wall>,
}

/// From 0 to 100, with two decimals: held in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(pub u32);

impl TryFrom<f64> for Percent {
    type Error = &'static str;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // its range is looked at
    fn try_from(percent: f64) -> Result<Self, Self::Error> {
        match (0.0..=100.0).contains(&percent) {
            true => Ok(Self((percent * 100.0).round() as u32)),
            false => Err("wanted a share from 0 to 100"),
        }
    }
}

impl From<Percent> for f64 {
    fn from(Percent(hundredths): Percent) -> f64 {
        Self::from(hundredths) / 100.0
    }
}

/// Why a machine report cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Over [`MAX_BYTES`], or its summary over [`MAX_SUMMARY`].
    #[error("the report is larger than it may be")]
    TooLarge,
    /// Not the JSON that is wanted.
    #[error("the report is malformed: {0}")]
    Malformed(SafeText),
}

impl ReportError {
    #[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
    fn malformed(why: impl ToString) -> Self {
        Self::Malformed(SafeText::new(&why.to_string()))
    }
}

impl MachineReport {
    /// Who wrote it, or, where it has no number, who wrote the newest one with a number before it; with what is signed of
    /// that. `sealed`: what was read with the report.
    pub fn written(self, sealed: Option<Sealed>) -> (Written, Option<Sealed>) {
        match (self.summary.report, self.rest.before) {
            (None, Some(before)) => (*before, self.rest.before_sealed),
            (None | Some(_), _) => (self.summary.into(), sealed),
        }
    }

    /// Leaves out what speaks of results that are not on the share, and names them (DEFECTS Q138241).
    pub fn leave_out(&mut self, missing: &[String]) {
        let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
        self.rest.requests.retain(|request| {
            request.ended_at.is_none()
                || !missing.contains(result_name(request.request_id, request.attempt).as_str())
        });
        self.summary.undelivered = missing.len() as u64;
        self.rest.undelivered = missing.into_iter().take(MAX_UNDELIVERED).map(SafeText::new).collect();
    }

    /// Whether there is nothing new to report: nothing differs but its number, the times of looking, and what changes all
    /// the time. A next run moves with a state, a reason or its next change.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |report: &Self| {
            let mut report = report.clone();
            let Summary { report: number, reported_at, rest_bytes, rest_sha256, .. } = &mut report.summary;
            (*number, *reported_at, *rest_bytes, *rest_sha256) = (None, Wall::default(), 0, None);
            (report.rest.polled_at, report.rest.disk_free) = (None, None);
            (report.rest.uptime_s, report.rest.hours_on_7d) = (None, None);
            report.summary.next_run = None;
            for request in &mut report.rest.requests {
                (request.next_run, request.latest) = (None, None);
            }
            report
        };
        timeless(self) == timeless(other)
    }
}

/// Replaces a file on the share in a folder that was opened without following links: a temporary name, synced, then
/// renamed. A file server may refuse the rename while another machine reads the old file; that is tried a few times within
/// a second.
///
/// # Errors
/// As the system reports them; the old content is then still there.
pub fn write_replacing(folder: &Folder, name: &str, bytes: &[u8]) -> io::Result<()> {
    const WAITS_MS: [u64; 4] = [20, 80, 250, 500];
    for wait in WAITS_MS {
        match folder.replace(name, bytes) {
            Err(e) if may_pass(&e, folder, name) => std::thread::sleep(Duration::from_millis(wait)),
            other => return other,
        }
    }
    folder.replace(name, bytes)
}

/// Whether an error is what an open handle of somebody else causes. A folder that may not be written is no such thing.
fn may_pass(e: &io::Error, folder: &Folder, name: &str) -> bool {
    match e.kind() {
        io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy | io::ErrorKind::Interrupted => true,
        io::ErrorKind::PermissionDenied => std::env::consts::OS == "windows" && folder.file(name).is_ok(),
        _ => false,
    }
}

/// The folder of the results of all machines, in which each has its own.
pub const RESULTS: &str = "despoolr.box";

/// The file of a machine's report.
pub fn report_name(machine: MachineId) -> String {
    format!("{machine}.json")
}

/// The name of one attempt's result in `despoolr.box/<SMSID>/`.
pub fn result_name(request: RequestId, attempt: u32) -> String {
    format!("{request}-{attempt}.MIF")
}

/// Whether a file could have got its name from [`result_name`].
pub fn is_result_name(name: &str) -> bool {
    let parts = name.strip_suffix(".MIF").and_then(|stem| stem.rsplit_once('-'));
    parts.is_some_and(|(id, attempt)| id.parse::<RequestId>().is_ok() && attempt.parse::<u32>().is_ok())
}

/// Removes the results in a machine's own folder that were written before this time, some thousands at once. The newest one
/// stays, however old: it tells a history that is new that there was another before it (`past`). How many are gone.
///
/// # Errors
/// The first one that could not be removed, with its name; the others are gone all the same.
pub fn remove_results(own: &Folder, before: Wall) -> io::Result<usize> {
    const AT_ONCE: usize = 5_000;
    let mut results = Vec::new();
    for name in own.some_names(AT_ONCE)? {
        let Some(name) = name.to_str().filter(|name| is_result_name(name)) else { continue };
        // What is no plain file was not written by pcm.
        let Ok(opened) = own.file(name) else { continue };
        results.push((Wall::from(opened.modified()?), name.to_owned()));
    }
    results.sort();
    results.pop();
    let (mut removed, mut failed) = (0, None);
    for (_, name) in results.iter().take_while(|(written, _)| *written < before) {
        match own.remove(name) {
            Ok(()) => removed += 1,
            Err(e) => drop(failed.get_or_insert(io::Error::new(e.kind(), format!("{name}: {e}")))),
        }
    }
    failed.map_or(Ok(removed), Err)
}

#[cfg(test)]
pub mod tests;
