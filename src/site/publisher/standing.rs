//! What is published, for whoever only asks: the index in force and since which publication each of its jobs stands as it does.

use super::begun::{self, Before};
use super::place::Share;
use super::record::Since;
use super::{Expect, How, Publication, Published, at_work};
use crate::clock::Wall;
use crate::error::{Failure, Result};
use crate::site::folder::{Folder, Source};
use crate::site::ids::{JobId, PackageId};
use crate::site::index::{self, Index};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What its index says.
    pub index: Index,
    /// How many machines it has.
    pub machines: usize,
    /// It was begun and not ended, or the share holds an older one.
    pub begun: bool,
    /// What became of its index on the share, where it is none; None: there is one.
    pub lost: Option<&'static str>,
    /// The share has nothing at all, and nothing is published on it until somebody says what it is.
    pub unmounted: Option<Failure>,
    /// The highest number of a request id that was ever given, and of a job, whoever gave it.
    pub highest_request: u64,
    /// The same of jobs.
    pub highest_job: u64,
    since: BTreeMap<JobId, Since>,
}

impl Standing {
    /// The publication, by trust list and number, since which a job has its file, its state and its share. Where that is not known, the
    /// newest: a machine that has seen it has seen all before.
    pub fn since(&self, job: JobId) -> (u64, u64) {
        let newest = (self.index.epoch, self.index.serial);
        self.since.get(&job).map_or(newest, |since| (since.epoch, since.serial).min(newest))
    }
}

/// What is published from a folder; None: nothing yet.
///
/// # Errors
/// The share cannot be read, or what it has is not this folder's.
pub fn standing(folder: &Folder, how: &How<'_>) -> Result<Option<Standing>> {
    let (list, source) = (folder.trust_list()?, Source::default());
    let completed = Cell::new(None);
    let publication = Publication { folder, source: &source, list: list.as_ref(), how, completed };
    let share = Share::open(&folder.share())?;
    let seen = share.read(&[], index::NAME, index::MAX_BYTES)?;
    let Some(before) = begun::before(&publication, &share, seen.as_deref())? else { return Ok(None) };
    let serial = before.previous.index.serial;
    let unmounted = seen.is_none().then(|| publication.unmounted(&share, serial)).transpose()?.flatten();
    Ok(Some(Standing {
        unmounted,
        since: before.since().clone(),
        index: before.previous.index,
        highest_request: before.highest_request,
        highest_job: before.highest_job,
        machines: before.machines,
        begun: before.begun,
        lost: match seen.as_deref() {
            None => Some("is gone"),
            Some(bytes) => begun::is_torn(bytes).then_some("is damaged"),
        },
    }))
}

/// What the next publication would change, but for its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpublished {
    /// Of jobs.
    pub jobs: Vec<JobId>,
    /// Of policies.
    pub policies: usize,
    /// Of the list of machines.
    pub members: usize,
    /// The trust list is a newer one.
    pub trust: bool,
    /// Packages that were signed anew.
    pub signatures: Vec<PackageId>,
    /// The name of the site, or whom to call.
    pub settings: bool,
    /// Files of the share that are missing or damaged, where that is all.
    pub damaged: usize,
    /// What is wrong with packages that jobs run: published or not, no machine takes these.
    #[serde(skip)]
    pub faults: Vec<Failure>,
}

impl Unpublished {
    /// The folder says nothing new.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
            && self.policies == 0
            && self.members == 0
            && !self.trust
            && self.signatures.is_empty()
            && !self.settings
    }
}

/// What a folder says and is not published. `programs`: the bare names that some machine may start.
///
/// # Errors
/// As [`super::publish`].
pub fn unpublished(
    folder: &Folder,
    source: &Source,
    standing: &Standing,
    programs: &[String],
    now: Wall,
) -> Result<Unpublished> {
    let how = How {
        // Whatever it is: it is only looked at.
        expect: Expect::Changes(usize::MAX),
        // What is damaged on the share would be put back.
        thorough: true,
        ..How::looking(programs, now)
    };
    let Published {
        jobs,
        withdrawn,
        policies,
        parts,
        index,
        written,
        packages,
        signatures,
        settings,
        nothing,
        faults,
        ..
    } = super::would(folder, source, &how)?;
    let found = Unpublished {
        jobs: jobs.into_iter().chain(withdrawn).collect(),
        policies,
        members: parts,
        trust: index.epoch != standing.index.epoch,
        signatures,
        settings,
        damaged: 0,
        faults,
    };
    let only_damage = found.is_empty() && packages.is_empty() && !nothing;
    let damaged = written.iter().filter(|(path, _)| path != index::NAME).count();
    Ok(Unpublished { damaged: if only_damage { damaged } else { 0 }, ..found })
}

/// What the share says of who publishes on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who it is, since when and where.
    pub who: SafeText,
    /// It publishes from this folder, on this machine.
    pub ours: bool,
}

/// Who publishes on the share of a folder, by the note that it leaves there.
///
/// # Errors
/// The share cannot be read.
pub fn note(folder: &Folder) -> Result<Option<Note>> {
    let share = Share::open(&folder.share())?;
    let note = share.read(&[], at_work::PUBLISHING, at_work::MAX_NOTE)?;
    Ok(note.map(|note| {
        let who = SafeText::from_bytes(note.trim_ascii());
        let ours = who.as_str().ends_with(&format!(" at {}", at_work::ours(&folder.dir)));
        Note { who, ours }
    }))
}

/// Since when each job of an index stands as it does.
pub(super) fn since(now: &Index, before: Option<&Before>) -> BTreeMap<JobId, Since> {
    let own = Since { epoch: now.epoch, serial: now.serial };
    let kept = |job: &index::IndexedJob| {
        let before = before?;
        let old = &before.previous.index;
        let same = old.jobs.iter().find(|old| old.job_id == job.job_id)?;
        let standing = |job: &index::IndexedJob| (job.revision, job.state, job.percent);
        // Another revision may be another request, or for others: who has not heard of it says nothing of it.
        let as_it_was = standing(same) == standing(job);
        // It stood so then at the latest.
        let then = Since { epoch: old.epoch, serial: old.serial };
        as_it_was.then(|| before.since().get(&job.job_id).copied().unwrap_or(then))
    };
    now.jobs.iter().map(|job| (job.job_id, kept(job).unwrap_or(own))).collect()
}
