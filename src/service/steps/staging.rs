//! Which content is copied next: one after the other, what runs first first.

use super::Steps;
use crate::clock::Wall;
use crate::executor::share::job::{STAGE_DEADLINE, ShareJob};
use crate::site::instruction::ContentHash;

impl Steps<'_> {
    /// What is to be copied from now on, in order.
    pub(super) fn stage_anew(&mut self, now: Wall) {
        self.to_stage = self.executor.known().stage_jobs(now).into();
        self.to_stage.retain(|job| !self.staging.as_ref().is_some_and(|hash| copies(job, hash)));
        self.stage_next();
    }

    /// One copy after the other, so that what turns out to be older need not wait for all that was asked for before.
    pub(super) fn stage_next(&mut self) {
        while self.staging.is_none()
            && let Some(job) = self.to_stage.pop_front()
        {
            let ShareJob::Stage { hash, .. } = &job else { continue };
            let hash = hash.clone();
            self.staging = self.carries.give(job, STAGE_DEADLINE).then_some(hash);
        }
    }

    /// What failed and is copied once more comes after what was not tried yet.
    pub(super) fn stage_again(&mut self, now: Wall) {
        for job in self.executor.known().stage_jobs_again(now) {
            let ShareJob::Stage { hash, .. } = &job else { continue };
            if self.staging.as_ref() != Some(hash) && !self.to_stage.iter().any(|known| copies(known, hash)) {
                self.to_stage.push_back(job);
            }
        }
        self.stage_next();
    }
}

fn copies(job: &ShareJob, content: &ContentHash) -> bool {
    matches!(job, ShareJob::Stage { hash, .. } if hash == content)
}
