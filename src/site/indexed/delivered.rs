//! One job of an index as a request of this machine: compared with its package field by field, and with what the index says of
//! it beside. Pure.

use super::Delivery;
use crate::clock::When;
use crate::site::expression::Expression;
use crate::site::ids::RequestId;
use crate::site::index::copies;
use crate::site::index::job::{Job, Needed};
use crate::site::index::{Index, IndexedJob, JobState};
use crate::site::installed::Need;
use crate::site::instruction::Request;
use crate::site::package::{MAX_RUN_TIME, Package};
use crate::site::signed::Distrust;
use crate::terms::Code;

/// What only the package says of a command.
pub(super) struct More {
    pub bound: Option<Expression>,
    pub need: Option<Need>,
    pub after: Vec<Needed>,
    pub ignore_windows: bool,
}

/// Whether a job says the same as its package wherever only the package may choose.
pub(super) fn same(job: &Job, package: &Package) -> Result<More, Distrust> {
    let mismatch = |what: &str| {
        let (id, release) = (job.package_id, job.release);
        let why = format!("{what} of job {} is not what release {release} of {id} says", job.job_id);
        Distrust::new(Code::PackageMismatch, why)
    };
    if let Some(what) = copies::differs(job, package) {
        return Err(mismatch(what));
    }
    let command = copies::command(job, package).ok_or_else(|| mismatch("command"))?;
    // A bound that cannot be read must not be as good as none.
    let unread = |what: &str, why: String| {
        Distrust::new(
            Code::PackageMismatch,
            format!("{what} of release {} of {}: {why}", job.release, job.package_id),
        )
    };
    let bound = command.bound.as_ref().map(|text| Expression::parse(text.as_str())).transpose();
    let bound = bound.map_err(|e| unread("where", e.to_string()))?;
    let after: Result<Vec<Needed>, String> =
        command.depends_on.iter().map(|text| text.as_str().parse()).collect();
    let after = after.map_err(|e| unread("depends_on", e))?;
    let need = package.installed_if.clone().map(|test| Need { test, removes: command.removes });
    Ok(More { bound, need, after, ignore_windows: command.how.ignore_windows })
}

pub(super) fn request(index: &Index, named: &IndexedJob, job: &Job) -> Request {
    Request {
        request_id: job.request_id,
        job_id: job.job_id,
        package_id: job.package_id,
        package: job.package.clone(),
        command: job.command.clone(),
        command_line: job.command_line.clone(),
        automated: job.how.automated,
        background: job.how.background,
        offer_after: job.times.offer.unwrap_or(When::Instant(index.issued)),
        mandatory_after: job.times.mandatory,
        expire_after: job.times.expire,
        platforms: job.how.platforms.clone(),
        run_when: job.how.run_when,
        max_run_time: job.how.max_run_time.unwrap_or(MAX_RUN_TIME),
        restarts: job.how.restarts,
        // Only the package says it, and only where the machine lets that count.
        ignore_windows: false,
        disk_space: job.how.disk_space.filter(|bytes| *bytes > 0),
        depends_on: job.depends_on.iter().filter_map(request_needed).collect(),
        suspended: named.state == JobState::Suspended,
        content_sha256: job.content_sha256.clone(),
        exit_codes: job.how.exit_codes.clone(),
        line: 0,
    }
}

fn request_needed(needed: &Needed) -> Option<RequestId> {
    match needed {
        Needed::Request(id) => Some(*id),
        Needed::Package(_) => None,
    }
}

pub(super) fn delivery(
    named: &IndexedJob,
    job: &Job,
    bound: Option<Expression>,
    distrust: Option<Distrust>,
) -> Delivery {
    let packages = job.depends_on.iter().filter_map(|needed| match needed {
        Needed::Package(id) => Some(*id),
        Needed::Request(_) => None,
    });
    Delivery {
        job_id: job.job_id,
        revision: named.revision,
        release: job.release,
        state: named.state,
        percent: named.percent,
        reason: named.reason.clone(),
        targets: job.targets.clone(),
        exclude: job.exclude.clone(),
        condition: job.condition.clone(),
        bound,
        need: None,
        removes: job.removes,
        packages: packages.collect(),
        supersedes: job.supersedes.clone(),
        spread: job.spread,
        offer_to: job.offer_to,
        distrust,
    }
}

pub(super) fn add(needed: Needed, request: &mut Request, delivery: &mut Delivery) {
    match needed {
        Needed::Request(id) if !request.depends_on.contains(&id) => request.depends_on.push(id),
        Needed::Package(id) if !delivery.packages.contains(&id) => delivery.packages.push(id),
        Needed::Request(_) | Needed::Package(_) => {}
    }
}
