//! What a machine writes to its share: the machine report (FORMATS.md 6), and the one way to replace a file there.
//! Called by the service; reports are read by the rollout view.

use super::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use crate::clock::Wall;
use crate::host::open::Folder;
use crate::terms::{Code, Platform, State};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// The largest machine report, in bytes.
pub const MAX_BYTES: u64 = 512 << 10;
/// The folder of the machine reports.
pub const FOLDER: &str = "machines";
/// The longest result in it, in characters.
pub const MAX_RESULT: usize = 128;

/// The most names of results in it that are not on the share.
pub const MAX_UNDELIVERED: usize = 100;
/// The most jobs in it that are not for the machine: an index has no more.
pub const MAX_NOT_TARGETED: usize = 1_000;

/// One machine's own account of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// Always 1.
    pub format: u32,
    /// Whose.
    pub machine: MachineId,
    /// The site of the instruction file in force.
    pub site: Option<SiteCode>,
    /// Its host name.
    pub host: SafeText,
    /// None: none that packages are made for.
    pub platform: Option<Platform>,
    /// The version that reports.
    pub pcm_version: SafeText,
    /// By the machine's own clock, which no other machine relies on.
    pub reported_at: Wall,
    /// When a share was last seen with a valid file.
    pub polled_at: Option<Wall>,
    /// In seconds.
    pub polling_interval_s: u64,
    /// Of the file in force.
    pub instruction_serial: Option<u64>,
    /// The trust list that the index in force was published under; 0 without one; None: nothing of an index is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Which share it came from.
    pub source: Option<SafeText>,
    /// How many are logged on, never their names; None: unknown.
    pub users: Option<u32>,
    /// A restart that a package caused is pending.
    pub restart_pending: bool,
    /// The clock can be believed.
    pub clock_ok: bool,
    /// What matters most first: what is in force, then what has ended, the newest first. Only as many as find room.
    pub requests: Vec<ReportedRequest>,
    /// The jobs that name this machine and are not for it, as their conditions do not hold here: it says so itself, since
    /// what is only missing above may be anything. At most [`MAX_NOT_TARGETED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_targeted: Vec<JobId>,
    /// The newest hash of the audit chain, so that rewriting it shows.
    pub audit_head: Option<SafeText>,
    /// Grows with every report of this machine.
    #[serde(default)]
    pub report: Option<u64>,
    /// Names the history of which it speaks.
    #[serde(default)]
    pub state_id: Option<SafeText>,
    /// Names the boot in which it was written.
    #[serde(default)]
    pub boot_id: Option<SafeText>,
    /// Results that are not on the share: nothing here speaks of the attempts that they are of. At most
    /// [`MAX_UNDELIVERED`].
    #[serde(default)]
    pub undelivered: Vec<SafeText>,
    /// Another machine reports with this id, and this one runs nothing by itself.
    #[serde(default)]
    pub two_machines: bool,
    /// Which report was the next when an operator decided that this machine keeps its id; None: nobody had to.
    #[serde(default)]
    pub kept_id: Option<u64>,
    /// Where this one has no number, because the machine has no history to count by: the newest one with a number that
    /// stood here before. It shows to a history that is put back that it is not the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Written>>,
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
    /// Which of its reports was the next when an operator decided that it keeps the id; 0: nobody had to.
    pub kept_id: u64,
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
    /// Of the newest attempt.
    pub exit_code: Option<i64>,
    /// Of the newest attempt, in words, at most [`MAX_RESULT`] characters.
    pub result: Option<SafeText>,
    /// Of the newest attempt.
    pub started_at: Option<Wall>,
    /// Of the newest attempt.
    pub ended_at: Option<Wall>,
}

/// Why a machine report cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Over [`MAX_BYTES`].
    #[error("the report is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not the JSON that is wanted.
    #[error("the report is malformed: {0}")]
    Malformed(SafeText),
}

impl MachineReport {
    /// The bytes of the file, never more than [`MAX_BYTES`]. Where they would be too many, the results are left out, of
    /// what worked first, and then requests from the end of the list.
    ///
    /// # Errors
    /// [`ReportError`]; with what this program makes there is none.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ReportError> {
        let mut report = self.clone();
        for request in &mut report.requests {
            request.result = request
                .result
                .as_ref()
                .map(|r| SafeText::new(&crate::fields::cut(r.as_str(), MAX_RESULT - 1)));
        }
        let left_out: [fn(&ReportedRequest) -> bool; 3] = [|_| false, |r| r.state.is_success(), |_| true];
        for leave_out in left_out {
            for request in report.requests.iter_mut().filter(|r| leave_out(r)) {
                request.result = None;
            }
            let mut bytes = serde_json::to_vec(&report).map_err(malformed)?;
            bytes.push(b'\n');
            if bytes.len() as u64 <= MAX_BYTES {
                return Ok(bytes);
            }
        }
        report.keep_what_fits()?;
        let mut bytes = serde_json::to_vec(&report).map_err(malformed)?;
        bytes.push(b'\n');
        if bytes.len() as u64 <= MAX_BYTES { Ok(bytes) } else { Err(ReportError::TooLarge) }
    }

    /// Leaves out requests from the end of the list until the rest has room.
    fn keep_what_fits(&mut self) -> Result<(), ReportError> {
        let requests = std::mem::take(&mut self.requests);
        // With the line's end, and for each request its comma.
        let mut size = serde_json::to_vec(self).map_err(malformed)?.len() as u64 + 1;
        for request in requests {
            size += serde_json::to_vec(&request).map_err(malformed)?.len() as u64 + 1;
            if size > MAX_BYTES {
                break;
            }
            self.requests.push(request);
        }
        Ok(())
    }

    /// Reads a report that another machine wrote.
    ///
    /// # Errors
    /// [`ReportError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ReportError::TooLarge);
        }
        let report: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        match report.format {
            1 => Ok(report),
            other => Err(ReportError::Malformed(format!("wanted format 1, found {other}").into())),
        }
    }

    /// Who wrote it, or, where it has no number, who wrote the newest one with a number before it.
    pub fn written(self) -> Written {
        match (self.report, self.before) {
            (None, Some(before)) => *before,
            (number, _) => Written {
                number: number.unwrap_or(0),
                boot_id: self.boot_id.unwrap_or_default(),
                state_id: self.state_id.unwrap_or_default(),
                host: self.host,
                at: self.reported_at,
                two_machines: self.two_machines,
                kept_id: self.kept_id.unwrap_or(0),
            },
        }
    }

    /// Leaves out what speaks of results that are not on the share, and names them (DEFECTS Q138241).
    pub fn leave_out(&mut self, missing: &[String]) {
        let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
        self.requests.retain(|request| {
            request.ended_at.is_none()
                || !missing.contains(result_name(request.request_id, request.attempt).as_str())
        });
        self.undelivered = missing.into_iter().take(MAX_UNDELIVERED).map(SafeText::new).collect();
    }

    /// Whether nothing but its number and the time of looking differs, so that there is nothing new to report.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |report: &Self| Self {
            report: None,
            reported_at: Wall::default(),
            polled_at: None,
            ..report.clone()
        };
        timeless(self) == timeless(other)
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn malformed(e: serde_json::Error) -> ReportError {
    ReportError::Malformed(SafeText::new(&e.to_string()))
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
        results.push((Wall::from(opened.file.metadata()?.modified()?), name.to_owned()));
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
