//! What no job can say of itself: whether all jobs of a site go together. Pure.

use super::job::{Job, Needed};
use crate::site::ids::{JobId, RequestId};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is wrong with several jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `request-ids` or `dependencies`.
    pub item: &'static str,
    /// What.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Everything that is wrong with these jobs. `ended`: those that machines start no more: what has run of them is what others may
/// depend on still.
pub fn faults<'a>(jobs: impl Iterator<Item = &'a Job>, ended: impl Iterator<Item = &'a Job>) -> Vec<Fault> {
    let (jobs, ended): (Vec<&Job>, Vec<&Job>) = (jobs.collect(), ended.collect());
    let mut faults = Vec::new();
    // An id that was ever used is used, though its job has ended.
    unique(jobs.iter().chain(&ended).copied(), &mut faults);
    needs(&jobs, &ended, &mut faults);
    faults
}

/// One id belongs to one job for ever.
fn unique<'a>(jobs: impl Iterator<Item = &'a Job>, faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<RequestId, JobId> = BTreeMap::new();
    for job in jobs {
        if let Some(other) = seen.insert(job.request_id, job.job_id) {
            let message = format!(
                "{} and {other} have one request id, {}: both are refused",
                job.job_id, job.request_id
            );
            faults.push(Fault { item: "request-ids", message, remedy: "Send one of them again" });
        }
    }
}

/// What has to be done first is something that can be done.
fn needs(jobs: &[&Job], ended: &[&Job], faults: &mut Vec<Fault>) {
    let own = |job: &&Job| {
        let own = [Needed::Request(job.request_id), Needed::Package(job.package_id)];
        own.map(|needed| (needed, job.job_id))
    };
    // What is offered still goes before what has ended.
    let named: BTreeMap<Needed, JobId> = ended.iter().chain(jobs).flat_map(own).collect();
    let mut ahead: BTreeMap<JobId, BTreeSet<JobId>> = BTreeMap::new();
    for job in jobs {
        for needed in &job.depends_on {
            match named.get(needed) {
                Some(other) => {
                    ahead.entry(job.job_id).or_default().insert(*other);
                }
                None => faults.push(Fault {
                    item: "dependencies",
                    message: format!("{} depends on {needed}, which no job of the site delivers", job.job_id),
                    remedy: "Send that first, or take it out of depends_on",
                }),
            }
        }
    }
    for job in jobs {
        let (mut reached, mut next) = (BTreeSet::new(), vec![job.job_id]);
        while let Some(at) = next.pop() {
            next.extend(ahead.get(&at).into_iter().flatten().filter(|other| reached.insert(**other)));
        }
        if reached.contains(&job.job_id) {
            faults.push(Fault {
                item: "dependencies",
                message: format!("{} depends on itself by way of others", job.job_id),
                remedy: "Take one out of the circle",
            });
        }
    }
}
