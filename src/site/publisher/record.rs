//! What a publisher knows of its last publication, kept in the site folder (SITE.md 3): the finished index and every file that
//! was to be written with it, durably before the first byte is written anywhere. After a `kill -9` it is what the next
//! `publish` completes. It is a cache: where it is missing or behind, the newest index of the share that this folder's own
//! keys signed says the same.

use crate::clock::{Wall, When};
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::open::{self, OpenError};
use crate::site::folder::{OLD_RECORD, RECORD};
use crate::site::ids::{JobId, PackageId, RequestId, SiteId};
use crate::site::index::job::{Job, Phase};
use crate::site::index::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Its name in a site folder.
pub const NAME: &str = RECORD;
/// The largest that is read: all lists of a million machines.
const MAX_BYTES: u64 = 256 << 20;

/// What a job ran, by which it is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Its delivery.
    pub request_id: RequestId,
    /// What runs.
    pub package_id: PackageId,
    /// Of the package.
    pub release: u64,
    /// By its name.
    pub command: String,
    /// From when on it runs no more.
    pub expire: Option<When>,
    /// Whom it was for; None: a pcm from before this was known wrote it.
    #[serde(default)]
    pub meets: Option<Meets>,
    /// Its phases, as its file says them; None as above.
    #[serde(default)]
    pub phases: Option<Vec<String>>,
    /// The jobs in whose place it comes.
    #[serde(default)]
    pub supersedes: Vec<JobId>,
}

/// Whom a job is for, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meets {
    to: Vec<String>,
    but: Vec<String>,
}

impl Meets {
    fn of(job: &Job) -> Self {
        let words = |targets: &[Target]| targets.iter().map(ToString::to_string).collect();
        Self { to: words(&job.targets), but: words(&job.exclude) }
    }

    /// Whether a job is for the same.
    pub fn is_of(&self, job: &Job) -> bool {
        *self == Self::of(job)
    }

    /// Targets and exclusions. What cannot be read was for nobody, and excludes nobody.
    pub fn targets(&self) -> (Vec<Target>, Vec<Target>) {
        let read = |words: &[String]| words.iter().filter_map(|word| word.parse().ok()).collect();
        (read(&self.to), read(&self.but))
    }
}

impl Ran {
    /// What a job runs.
    pub fn of(job: &Job) -> Self {
        Self {
            request_id: job.request_id,
            package_id: job.package_id,
            release: job.release,
            command: job.command.to_string(),
            expire: job.times.expire,
            meets: Some(Meets::of(job)),
            phases: Some(job.phases.iter().map(ToString::to_string).collect()),
            supersedes: job.supersedes.clone(),
        }
    }

    /// Its phases; None: they are not known.
    pub fn phases(&self) -> Option<Vec<Phase>> {
        let phases = self.phases.as_ref()?;
        Some(phases.iter().filter_map(|phase| phase.parse().ok()).collect())
    }

    /// Whether the same runs under the same id.
    pub fn runs_the_same(&self, other: &Ran) -> bool {
        (self.package_id, self.release, &self.command) == (other.package_id, other.release, &other.command)
    }
}

/// A file that belongs to the publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its folder on the share.
    pub folder: String,
    /// Its name there.
    pub name: String,
    /// Its bytes.
    pub text: String,
}

/// The last publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub site_id: String,
    /// The finished index, signed where the site signs.
    pub index: String,
    /// The list of the parts of its members.
    pub list: String,
    /// The files that the publication before did not have.
    pub files: Vec<Kept>,
    /// What each job of it runs.
    pub jobs: BTreeMap<JobId, Ran>,
    /// The highest number of a request id that was ever given.
    pub highest_request: u64,
    /// The same of jobs.
    pub highest_job: u64,
    /// How many machines the list has.
    pub machines: usize,
    /// Since which publication each job of it has its file, its state and its share.
    #[serde(default)]
    pub since: BTreeMap<JobId, Since>,
    /// The files on the share that no index names any more, and since when.
    #[serde(default)]
    pub unnamed: BTreeMap<String, Wall>,
    /// The jobs that were ever cancelled, and when: that is final, whatever becomes of their files.
    #[serde(default)]
    pub cancelled: BTreeMap<JobId, Wall>,
    /// The jobs that are suspended, and since when: a file from before that resumes none.
    #[serde(default)]
    pub suspended: BTreeMap<JobId, Wall>,
    /// The highest revision that each job ever had: a name on the share never gets other bytes.
    #[serde(default)]
    pub revisions: BTreeMap<JobId, u64>,
}

/// The publication since which something stands as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// Its trust list.
    pub epoch: u64,
    /// Its number.
    pub serial: u64,
}

/// Where it is.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Reads it. One that cannot be read, or is of another site, is as good as none: the share says the same.
pub fn read(dir: &Path, site_id: &SiteId) -> Option<Record> {
    let bytes = match open::open_bounded(&path(dir), MAX_BYTES) {
        Err(OpenError::Missing) => open::open_bounded(&dir.join(OLD_RECORD), MAX_BYTES),
        read => read,
    };
    let bytes = bytes.ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    (record.site_id == site_id.as_str()).then_some(record)
}

/// Keeps it, durably.
///
/// # Errors
/// What the system refuses.
pub fn keep(dir: &Path, record: &Record) -> Result<()> {
    let path = path(dir);
    let bytes = serde_json::to_vec(record).map_err(std::io::Error::from);
    bytes.and_then(|bytes| durable::write(&path, &bytes)).map_err(|e| {
        let why = OpenError::within(&e).map_or_else(|| e.to_string(), ToString::to_string);
        let message = format!("nothing was published: {} cannot be written: {why}", path.display());
        Failure::new(
            Exit::Failed,
            "not-written",
            message,
            "Publish as somebody who may write the site folder",
        )
    })?;
    // It says what was. Where it cannot be removed, the new one goes before it.
    let _ = std::fs::remove_file(dir.join(OLD_RECORD));
    Ok(())
}
