//! How many machines the jobs of a publication are for (SITE.md 3): a job that would be for many from now on wants its number to
//! be expected, whoever wrote its file. One that goes on to its next phase was published with its number before. Pure.

use super::begun::Before;
use super::colleagues::was_first;
use super::record::Ran;
use super::refusals::{Of, Refusal};
use super::render::{Rendered, ended};
use crate::clock::Wall;
use crate::site::folder::Source;
use crate::site::index::JobState;
use crate::site::index::audience::is_for;
use crate::site::index::job::Job;
use crate::site::index::members::Member;
use crate::site::index::target::Target;
use std::cell::LazyCell;

/// So many machines may be met without a word.
pub const FEW: usize = 100;

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
        let met = match entry.filter(|old| old.state == JobState::Active) {
            None => Some(newly(job, None, &members)),
            // It was for the machines that come first, and the number of all of them was asked for when it was sent.
            Some(old) if !knows_all(ran, before) && was_first(old, job, word) => None,
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

/// Whether it is known whom a job was for as a whole: what the share has of it may name only the machines that come first.
fn knows_all(ran: Option<&Ran>, before: Option<&Before>) -> bool {
    before.is_some_and(|before| before.own.is_none()) && ran.is_some_and(|ran| ran.meets.is_some())
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
