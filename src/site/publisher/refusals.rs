//! What `publish` does not do without being told that it is meant (SITE.md 3): changes that are a slip of the pen more often
//! than not, and that no machine could be kept from afterwards. Pure.

use super::record::Ran;
use super::render::{Previous, Rendered, ended, live_of};
use crate::clock::Wall;
use crate::site::folder::Source;
use crate::site::ids::{JobId, PackageId};
use crate::site::index::JobState;
use crate::site::index::job::{self, Word};
use std::collections::BTreeMap;

/// The share of the machines of a site that may go at once: one in so many.
const FEW: usize = 10;

/// A change that wants to be expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// How many changes it is.
    pub count: usize,
    /// What kind of.
    pub of: Of,
    /// What, as a clause.
    pub words: String,
}

/// What is counted of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// It is one change.
    Change,
    /// Fewer people sign it than signed the one before.
    Fewer,
    /// Machines that are no more.
    Gone,
    /// Machines that the policy of all machines keeps from less.
    Everybody,
    /// Machines that another policy keeps from less.
    Group,
    /// Machines that come to jobs by the list of machines.
    Come,
    /// Machines that this job is for from now on.
    Met(JobId),
}

/// What changes of one publication are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// The publication before.
    pub previous: &'a Previous,
    /// What each of its jobs runs, as far as that is known.
    pub ran: &'a BTreeMap<JobId, Ran>,
    /// The jobs that were ever cancelled.
    pub cancelled: &'a BTreeMap<JobId, Wall>,
    /// The jobs that are suspended by it, and since when.
    pub suspended: &'a BTreeMap<JobId, Wall>,
    /// How many machines it had.
    pub machines: usize,
    /// How many of them are no more.
    pub gone: usize,
    /// The parts of the list of machines of before that cannot be read.
    pub unread: &'a [String],
    /// What the folder says now.
    pub source: &'a Source,
    /// What it becomes.
    pub rendered: &'a Rendered,
    /// Now.
    pub now: Wall,
}

/// Every change that wants to be expected.
pub fn refusals(changes: Changes<'_>) -> Vec<Refusal> {
    let Changes { previous, ran, cancelled, suspended, machines, gone, unread, source, rendered, now } =
        changes;
    let mut all = Vec::new();
    let mut one = |words: String| all.push(Refusal { count: 1, of: Of::Change, words });
    if rendered.index.epoch < previous.index.epoch {
        one(format!(
            "trust list {} is published, and the site folder's newest is {}",
            previous.index.epoch, rendered.index.epoch
        ));
    }
    for id in cancelled.keys() {
        if let Some((_, word)) = source.jobs.get(id)
            && word.state != JobState::Cancelled
        {
            one(format!(
                "{id} was cancelled and would be {}: cancelled is final on every machine",
                word.state
            ));
        }
    }
    for old in &previous.index.jobs {
        let id = old.job_id;
        match source.jobs.get(&id) {
            Some((_, word)) => {
                // Whoever resumes it says so later, or edits the file that says since when it is suspended.
                let knows = |since: &Wall| word.since.is_some_and(|said| said >= *since);
                if (old.state, word.state) == (JobState::Suspended, JobState::Active)
                    && !suspended.get(&id).is_none_or(knows)
                {
                    let why = old.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                    one(format!(
                        "{id} was suspended{why}, and its file, which is from before that, would resume it"
                    ));
                }
            }
            None => {
                let expired = ran.get(&id).is_some_and(|ran| {
                    let times = job::Times { expire: ran.expire, ..Default::default() };
                    ended(&times, &Word::default()).is_some_and(|at| at <= now)
                });
                let replaced = || live_of(&ran.get(&id)?.supersedes, source, now);
                let is_cancelled = old.state == JobState::Cancelled;
                if is_cancelled && rendered.index.jobs.iter().any(|job| job.job_id == id) {
                    // Its entry stays by itself, as long as the share has the file that it names.
                } else if !is_cancelled && !expired {
                    one(format!("{id} is published and its file is gone, though it has not ended"));
                } else if let Some(older) = replaced() {
                    one(format!(
                        "{id} took the place of {older}, which is in force, and its file is gone: {older} would run where \
                         {id} has run"
                    ));
                }
            }
        }
    }
    let mut highest: BTreeMap<PackageId, u64> = BTreeMap::new();
    for ran in ran.values() {
        let release = highest.entry(ran.package_id).or_default();
        *release = (*release).max(ran.release);
    }
    for (job, word) in source.jobs.values() {
        let before = highest.get(&job.package_id).copied().unwrap_or_default();
        // One that goes on as it was runs what it ran.
        let known = ran.get(&job.job_id).is_some_and(|ran| ran.runs_the_same(&Ran::of(job)));
        if !known && word.state != JobState::Cancelled && job.release < before {
            one(format!(
                "{} runs release {} of {}, and release {before} is published: no machine that ran that goes back",
                job.job_id, job.release, job.package_id
            ));
        }
    }
    for (job, _) in source.jobs.values() {
        let (id, entry) = (job.job_id, previous.index.jobs.iter().find(|old| old.job_id == job.job_id));
        let now = rendered.index.jobs.iter().find(|now| now.job_id == id);
        if let Some(old) = entry
            && !ran.contains_key(&id)
            && now.is_none_or(|now| now.sha256 != old.sha256)
        {
            one(format!(
                "{id} is another than before, and {}/{id}.{}.toml, which says what it ran under its request id, cannot be \
                 read",
                job::FOLDER,
                old.revision
            ));
        }
    }
    match unread {
        [] => {}
        [one_only] => {
            one(format!("{one_only} cannot be read, so it is not known which machines would come or go"))
        }
        [first, ..] => one(format!(
            "{first} and {} more parts cannot be read, so it is not known which machines would come or go",
            unread.len() - 1
        )),
    }
    if gone * FEW > machines {
        all.push(Refusal {
            count: gone,
            of: Of::Gone,
            words: format!("{gone} of {machines} machines would be gone, more than 10 %"),
        });
    }
    all
}

/// Fewer keys than signatures: what machines want that ask for as many, a halt for one, would not reach them.
pub fn fewer(keys: usize, before: usize) -> Option<Refusal> {
    let words = format!(
        "{before} people signed the publication before, and this one has {keys}: machines with [trust] publish_signatures = \
         {before} would take nothing of it"
    );
    (1..before).contains(&keys).then_some(Refusal { count: 1, of: Of::Fewer, words })
}

/// Jobs that would run something else under the id that they have: no flag lets that pass.
pub fn run_otherwise(ran: &BTreeMap<JobId, Ran>, source: &Source) -> Vec<(JobId, String)> {
    let mut all = Vec::new();
    for (job, _) in source.jobs.values() {
        let now = Ran::of(job);
        let Some(before) = ran.get(&job.job_id) else {
            // An id belongs to one job for ever.
            if let Some((other, _)) = ran.iter().find(|(_, ran)| ran.request_id == job.request_id) {
                let words =
                    format!("{} has the request id {}, which is {other}'s", job.job_id, job.request_id);
                all.push((job.job_id, words));
            }
            continue;
        };
        if before.request_id == now.request_id && !before.runs_the_same(&now) {
            let words = |ran: &Ran| format!("{} of {} release {}", ran.command, ran.package_id, ran.release);
            let words = format!(
                "{} would run {} under request id {}, and it was {}",
                job.job_id,
                words(&now),
                now.request_id,
                words(before)
            );
            all.push((job.job_id, words));
        }
    }
    all
}
