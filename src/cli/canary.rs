//! The machines that a job reaches first (`--canary`), as `pcm site status` looks at them: one failure among so few halts
//! nothing and proves nothing, and somebody has to look at it.

use super::App;
use crate::rollout::course::Published;
use crate::rollout::phase;
use crate::rollout::reports::{self, Asked};
use crate::site::folder::{Folder, Source};
use crate::site::ids::{JobId, MachineId};
use crate::site::index::JobState;
use crate::site::index::job::{Job, Word};
use crate::site::publisher::render::ended;
use crate::site::publisher::standing::Standing;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(20);

/// A job that failed on machines that come first.
#[derive(Debug, Serialize)]
pub struct FailedFirstDoc {
    /// Which.
    pub job_id: JobId,
    /// On these.
    pub machines: Vec<MachineId>,
}

/// The jobs that are for the machines that come first alone, and failed on some of these. Whoever may have written a report:
/// it only lets somebody look. None: the share does not say it.
pub fn failed(
    app: &App,
    folder: &Folder,
    source: &Source,
    standing: &Standing,
) -> Option<Vec<FailedFirstDoc>> {
    let is_first = |(job, word): &&(Job, Word)| {
        let goes_on = ended(&job.times, word).is_none_or(|at| at > app.now);
        word.state == JobState::Active && word.is_canary() && goes_on
    };
    let jobs: Vec<&(Job, Word)> = source.jobs.values().filter(is_first).collect();
    if jobs.is_empty() {
        return Some(Vec::new());
    }
    app.reaches(&folder.share()).ok()?;
    let first: BTreeSet<MachineId> = jobs.iter().flat_map(|(_, word)| word.canary.iter().copied()).collect();
    let members = source.machines.values().map(|machine| machine.member());
    let members: Vec<_> = members.filter(|member| first.contains(&member.machine)).collect();
    let asked = Asked {
        requests: jobs.iter().map(|(job, _)| job.request_id).collect(),
        jobs: jobs.iter().map(|(job, _)| job.job_id).collect(),
    };
    let accounts = reports::read(&folder.share(), first, asked, PATIENCE);
    if accounts.values().flat_map(|account| account.as_ref().err()).any(reports::is_of_share) {
        return None;
    }
    let published = Published { standing: Some(standing), counted: true };
    let failed = jobs.into_iter().map(|(job, word)| FailedFirstDoc {
        job_id: job.job_id,
        machines: phase::count(&published.stand(job, word, app.now), 0, &members, &accounts).failed,
    });
    Some(failed.filter(|failed| !failed.machines.is_empty()).collect())
}
