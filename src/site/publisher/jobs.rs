//! The jobs of a publication: which are in force, what they have to be together, and what they run.

use super::packages::Wanted;
use super::{Publication, render};
use crate::error::Result;
use crate::site::ids::PackageId;
use crate::site::index::{job, together};
use std::collections::BTreeMap;

impl Publication<'_> {
    /// The jobs that are in force.
    pub(super) fn live(&self) -> impl Iterator<Item = &job::Job> {
        let live = move |(job, word): &&(job::Job, job::Word)| render::is_live(job, word, self.how.now);
        self.source.jobs.values().filter(live).map(|(job, _)| job)
    }

    /// What all jobs together have to be.
    pub(super) fn check_jobs(&self) -> Result<()> {
        let is_over = |(job, word): &&(job::Job, job::Word)| !render::is_live(job, word, self.how.now);
        let ended = self.source.jobs.values().filter(is_over).map(|(job, _)| job);
        let faults = together::faults(self.live(), ended);
        match faults.first() {
            None => Ok(()),
            Some(first) => {
                let all: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
                Err(self.refuse(first.item, &all.join("; "), first.remedy))
            }
        }
    }

    /// The packages that jobs in force run.
    pub(super) fn wanted(&self) -> BTreeMap<(PackageId, u64), Wanted> {
        let mut wanted: BTreeMap<(PackageId, u64), Wanted> = BTreeMap::new();
        for job in self.live() {
            let one = wanted.entry((job.package_id, job.release)).or_insert_with(|| Wanted {
                sha256: job.package_sha256.clone(),
                content: job.content_sha256.clone(),
                jobs: Vec::new(),
                withdrawn: self
                    .list
                    .and_then(|list| list.withdrawn.get(&job.package_id))
                    .is_some_and(|below| job.release < *below),
            });
            one.jobs.push(job.clone());
        }
        wanted
    }
}
