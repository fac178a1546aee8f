//! How many machines the jobs of a publication are for (SITE.md 3): a job that would be for many from now on wants its number to
//! be expected, whoever wrote its file, its phases, or the list of machines. One that goes on to its next phase was published
//! with its number before. Pure.

use super::begun::Before;
use super::colleagues::was_first;
use super::listed::Listed;
use super::record::Ran;
use super::refusals::{Of, Refusal};
use super::render::{Rendered, ended};
use crate::clock::{Wall, When};
use crate::site::folder::Source;
use crate::site::ids::{JobId, MachineId};
use crate::site::index::JobState;
use crate::site::index::audience::is_for;
use crate::site::index::job::{Job, Phase, Word};
use crate::site::index::members::Member;
use crate::site::index::target::{self, Target, place};
use chrono::TimeDelta;
use std::cell::LazyCell;
use std::collections::BTreeSet;

/// So many machines may be met without a word.
pub const FEW: usize = 100;
/// Where a local time comes first, it is over so long before it is over in UTC.
const EARLIEST: TimeDelta = TimeDelta::hours(14);

/// Every job that would be for many machines from now on, or reach them earlier than was said.
pub(super) fn grown(
    source: &Source,
    rendered: &Rendered,
    before: Option<&Before>,
    listed: &Listed,
    now: Wall,
) -> Vec<Refusal> {
    let members = LazyCell::new(|| source.members());
    let jobs = source.jobs.values().filter(|(job, word)| {
        word.state == JobState::Active && ended(&job.times, word).is_none_or(|at| at > now)
    });
    let (mut all, mut come) = (Vec::new(), Come::default());
    for (job, word) in jobs {
        let entry =
            before.and_then(|before| before.previous.index.jobs.iter().find(|old| old.job_id == job.job_id));
        let ran = before.and_then(|before| before.ran.get(&job.job_id));
        // What was over, or has another request id, runs anew wherever it ran.
        let anew = ran.is_some_and(|ran| was_over(ran, job, now) || ran.request_id != job.request_id);
        let entry = entry.filter(|old| old.state == JobState::Active && !anew);
        let first = entry.is_some_and(|old| was_first(old, job, word));
        // What the share has of it names only the machines that come first.
        let whole = if first { whole(job.job_id, ran, before) } else { ran };
        let meets = whole.and_then(|ran| ran.meets.as_ref());
        let met = match (entry, meets) {
            (None, _) => Some(newly(job, None, &members, listed)),
            (Some(_), Some(meets)) if meets.is_of(job) => {
                if !listed.is_as_before() {
                    come.to(job, &members, listed);
                }
                None
            }
            (Some(_), Some(meets)) => Some(newly(job, Some(meets.targets()), &members, listed)),
            // The number of all of them was asked for when it was sent.
            (Some(_), None) if first => None,
            (Some(old), None) => {
                let now = rendered.index.jobs.iter().find(|now| now.job_id == job.job_id);
                let same = now.is_none_or(|now| now.sha256 == old.sha256);
                (!same).then(|| newly(job, None, &members, listed))
            }
        };
        let (id, from) = (job.job_id, entry.map(|old| if first { 0 } else { old.percent }));
        if let Some(met) = met.filter(Met::are_many) {
            let words = format!("{id} would be for {} machines", met.now);
            all.push(Refusal { count: met.now, of: Of::Met(id), words });
        } else if let Some(from) = from
            && let Some(to) = further(job, word, from, whole.or(ran))
            && let Some(targets) = reached(job, from, to, &members)
        {
            let words = format!(
                "{id} would be for {targets} machines, and reach {} % of them earlier than its published phases say",
                target::percent(to)
            );
            all.push(Refusal { count: targets, of: Of::Met(id), words });
        }
    }
    all.extend(come.refusal(listed));
    all
}

/// What a job was as a whole, by this folder's own record; None: it has never published it.
fn whole<'a>(id: JobId, ran: Option<&'a Ran>, before: Option<&'a Before>) -> Option<&'a Ran> {
    match before?.own.as_ref() {
        None => ran,
        Some(own) => own.ran(id),
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

fn newly(job: &Job, before: Option<(Vec<Target>, Vec<Target>)>, members: &[Member], listed: &Listed) -> Met {
    let mut met = Met { now: 0, before: 0, new: 0 };
    for member in members {
        let is = is_for(&job.targets, &job.exclude, None, member) == Some(true);
        let was = before.as_ref().zip(listed.before(member));
        let was = was.is_some_and(|((to, but), old)| is_for(to, but, None, old) == Some(true));
        met.now += usize::from(is);
        met.before += usize::from(was);
        met.new += usize::from(is && !was);
    }
    met
}

/// The machines that the list brings to jobs that were published before, whoever wrote it.
#[derive(Default)]
struct Come {
    jobs: Vec<JobId>,
    machines: BTreeSet<MachineId>,
}

impl Come {
    /// Counts those that come to one job: few to each of several are many, too.
    fn to(&mut self, job: &Job, members: &[Member], listed: &Listed) {
        let is_of = |member: &Member| is_for(&job.targets, &job.exclude, None, member) == Some(true);
        let new = listed.moved(members).filter(|now| is_of(now) && !listed.before(now).is_some_and(is_of));
        let mut new = new.map(|member| member.machine).peekable();
        if new.peek().is_some() {
            self.jobs.push(job.job_id);
            self.machines.extend(new);
        }
    }

    fn refusal(self, listed: &Listed) -> Option<Refusal> {
        let (first, rest) = self.jobs.split_first().filter(|_| self.machines.len() > FEW)?;
        let more = match rest.len() {
            0 => String::new(),
            1 => " and one more job".to_owned(),
            n => format!(" and {n} more jobs"),
        };
        let count = self.machines.len();
        // Of some it is not known where they stood before.
        let up_to = if listed.unread.is_empty() { "" } else { "up to " };
        let words = format!("the list of machines would bring {up_to}{count} more machines to {first}{more}");
        Some(Refusal { count, of: Of::Come, words })
    }
}

/// The share that a job reaches now, or with its next phase, where that is more than the phase that was published as its next
/// one: whoever published that said a number for it.
fn further(job: &Job, word: &Word, from: u32, ran: Option<&Ran>) -> Option<u32> {
    let next = |phases: &[Phase], from: u32| {
        phases.iter().map(|phase| phase.percent).find(|share| *share > from).unwrap_or(target::WHOLE)
    };
    let published = ran.and_then(Ran::phases).unwrap_or_else(|| job.phases.clone());
    let shares = |phases: &[Phase]| phases.iter().map(|phase| phase.percent).collect::<Vec<_>>();
    let to = match shares(&published) == shares(&job.phases) {
        true => word.percent,
        false => next(&job.phases, word.percent),
    };
    (to > next(&published, from)).then_some(to)
}

/// How many machines a job is for, where many more of them are reached by a greater share.
fn reached(job: &Job, from: u32, to: u32, members: &[Member]) -> Option<usize> {
    let its = members.iter().filter(|member| is_for(&job.targets, &job.exclude, None, member) == Some(true));
    let places: Vec<u32> = its.map(|member| place(job.job_id, member.machine)).collect();
    let below = |share: u32| places.iter().filter(|place| **place < share).count();
    let (before, now) = (below(from), below(to));
    Met { now, before, new: now - before }.are_many().then_some(places.len())
}
