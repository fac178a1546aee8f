//! What stays known of a job when its file is gone: that it was cancelled, which is final (SITE.md 2), and the highest revision
//! that it ever had. Machines that were away read the index after next: where a cancellation left it with the file, what a
//! repository or a step back brings again would run on them.

use super::record::Record;
use crate::clock::Wall;
use crate::site::folder::Source;
use crate::site::ids::JobId;
use crate::site::index::{Index, JobState};
use chrono::SubsecRound as _;
use std::collections::BTreeMap;

/// The jobs that were cancelled, and when that was at the latest: by the record, and by the index before.
pub(super) fn cancelled(record: Option<&Record>, index: &Index) -> BTreeMap<JobId, Wall> {
    let mut all = record.map(|record| record.cancelled.clone()).unwrap_or_default();
    for job in index.jobs.iter().filter(|job| job.state == JobState::Cancelled) {
        all.entry(job.job_id).or_insert(index.issued);
    }
    all
}

/// The highest revision of each job, by both.
pub(super) fn revisions(record: Option<&Record>, index: &Index) -> BTreeMap<JobId, u64> {
    let mut all = record.map(|record| record.revisions.clone()).unwrap_or_default();
    for job in &index.jobs {
        let highest = all.entry(job.job_id).or_default();
        *highest = (*highest).max(job.revision);
    }
    all
}

/// The same, with what the folder says now. One that is active again is so by somebody's word (`--expect`).
pub(super) fn cancelled_now(
    before: Option<&BTreeMap<JobId, Wall>>,
    source: &Source,
    now: Wall,
) -> BTreeMap<JobId, Wall> {
    let mut all = before.cloned().unwrap_or_default();
    for (id, (_, word)) in &source.jobs {
        match word.state {
            JobState::Cancelled => drop(all.entry(*id).or_insert(word.since.unwrap_or(now).min(now))),
            JobState::Active | JobState::Suspended => drop(all.remove(id)),
        }
    }
    all
}

/// The jobs that are suspended, and since when, as their files say it: in whole seconds.
pub(super) fn suspended_now(source: &Source) -> BTreeMap<JobId, Wall> {
    let suspended = source.jobs.iter().filter(|(_, (_, word))| word.state == JobState::Suspended);
    suspended.filter_map(|(id, (_, word))| Some((*id, word.since?.trunc_subsecs(0)))).collect()
}
