//! How many machines the jobs of a publication are for (SITE.md 3): a job that would be for many from now on wants its number to
//! be expected, whoever wrote its file. One that goes on to its next phase was published with its number before. Pure.

use super::begun::Before;
use super::colleagues::was_first;
use super::record::{Meets, Ran};
use super::refusals::{Of, Refusal};
use super::render::{Rendered, ended};
use crate::clock::{Wall, When};
use crate::site::folder::Source;
use crate::site::ids::JobId;
use crate::site::index::JobState;
use crate::site::index::audience::is_for;
use crate::site::index::job::Job;
use crate::site::index::members::Member;
use crate::site::index::target::Target;
use chrono::TimeDelta;
use std::cell::LazyCell;

/// So many machines may be met without a word.
pub const FEW: usize = 100;
/// Where a local time comes first, it is over so long before it is over in UTC.
const EARLIEST: TimeDelta = TimeDelta::hours(14);

/// Every job that would be for many machines from now on.
pub(super) fn grown(
    source: &Source,
    rendered: &Rendered,
    before: Option<&Before>,
    now: Wall,
) -> Vec<Refusal> {
    let members = LazyCell::new(|| source.members());
    let jobs = source.jobs.values().filter(|(job, word)| {
        word.state == JobState::Active && ended(&job.times, word).is_none_or(|at| at > now)
    });
    let mut all = Vec::new();
    for (job, word) in jobs {
        let entry =
            before.and_then(|before| before.previous.index.jobs.iter().find(|old| old.job_id == job.job_id));
        let ran = before.and_then(|before| before.ran.get(&job.job_id));
        let was_over = ran.is_some_and(|ran| was_over(ran, job, now));
        let met = match entry.filter(|old| old.state == JobState::Active && !was_over) {
            None => Some(newly(job, None, &members)),
            // What the share has of it names only the machines that come first.
            Some(old) if was_first(old, job, word) => match whole(job.job_id, ran, before) {
                Some(meets) if meets.is_of(job) => None,
                Some(meets) => Some(newly(job, Some(meets.targets()), &members)),
                // The number of all of them was asked for when it was sent.
                None => None,
            },
            Some(old) => match ran.and_then(|ran| ran.meets.as_ref()) {
                Some(meets) if meets.is_of(job) => None,
                Some(meets) => Some(newly(job, Some(meets.targets()), &members)),
                None => {
                    let now = rendered.index.jobs.iter().find(|now| now.job_id == job.job_id);
                    let same = now.is_none_or(|now| now.sha256 == old.sha256);
                    (!same).then(|| newly(job, None, &members))
                }
            },
        };
        if let Some(met) = met.filter(|met| met.are_many()) {
            let words = format!("{} would be for {} machines", job.job_id, met.now);
            all.push(Refusal { count: met.now, of: Of::Met(job.job_id), words });
        }
    }
    all
}

/// Whom a job was for as a whole, by this folder's own record; None: it has never published it.
fn whole<'a>(id: JobId, ran: Option<&'a Ran>, before: Option<&'a Before>) -> Option<&'a Meets> {
    match before?.own.as_ref() {
        None => ran?.meets.as_ref(),
        Some(own) => own.meets(id),
    }
}

/// Whether a job that is to run longer was over by then, on some machine at least: there it starts anew.
fn was_over(ran: &Ran, job: &Job, now: Wall) -> bool {
    let over = |at: When| match at {
        When::Instant(at) => at <= now,
        When::Local(at) => at.and_utc().checked_sub_signed(EARLIEST).is_none_or(|at| at <= now),
    };
    ran.expire != job.times.expire && ran.expire.is_some_and(over)
}

/// How many machines a job is for.
struct Met {
    now: usize,
    before: usize,
    new: usize,
}

impl Met {
    /// Whether so many come that somebody has to say that he means it.
    fn are_many(&self) -> bool {
        self.now > FEW && self.new > 0 && (self.before <= FEW || self.new > FEW)
    }
}

fn newly(job: &Job, before: Option<(Vec<Target>, Vec<Target>)>, members: &[Member]) -> Met {
    let mut met = Met { now: 0, before: 0, new: 0 };
    for member in members {
        let is = is_for(&job.targets, &job.exclude, None, member) == Some(true);
        let was = before.as_ref().is_some_and(|(to, but)| is_for(to, but, None, member) == Some(true));
        met.now += usize::from(is);
        met.before += usize::from(was);
        met.new += usize::from(is && !was);
    }
    met
}
