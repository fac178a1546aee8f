//! Where a job stands on its way to all of its machines (SITE.md 3): which share comes next and when, and what the gate says
//! of the one that has been reached. The one place where that is worked out, for whoever acts on it and for whoever only
//! shows it. Pure: the time is an argument.

use super::gate::{self, Answer, Judged};
use super::phase::{Phase, Stand};
use crate::clock::{Wall, later};
use crate::site::content::hash_bytes;
use crate::site::index::job::{Job, Word};
use crate::site::index::{render, target};
use crate::site::publisher::standing::Standing;
use std::time::Duration;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The share that comes next; None: all of its machines are reached.
    pub next: Option<u32>,
    /// When its time comes; None: there is none, or when this phase began is not known.
    pub next_at: Option<Wall>,
    /// What the gate says.
    pub judged: Judged,
    /// Why it says nothing, whatever machines report.
    pub unjudged: Option<String>,
}

/// The share that comes next, and how long after the one before.
pub fn next(job: &Job, word: &Word) -> Option<(u32, Duration)> {
    let next = job.phases.iter().find(|phase| phase.percent > word.percent);
    let next = next.map(|phase| (phase.percent, phase.after));
    next.or((word.percent < target::WHOLE).then_some((target::WHOLE, Duration::ZERO)))
}

/// All shares that a job reaches, one after the other, to the whole; 0: the machines that come first.
pub fn shares(job: &Job, word: &Word) -> Vec<u32> {
    let first = (!word.canary.is_empty()).then_some(0);
    let mut shares: Vec<u32> =
        first.into_iter().chain(job.phases.iter().map(|phase| phase.percent)).collect();
    if shares.last().is_none_or(|last| *last < target::WHOLE) {
        shares.push(target::WHOLE);
    }
    shares
}

/// Since when the share is reached that is.
pub fn begun(word: &Word) -> Option<Wall> {
    word.reached.or(word.since)
}

/// What is published of a job, and whether what its machines report counts.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// None: nothing is published yet.
    pub standing: Option<&'a Standing>,
    /// Reports count.
    pub counted: bool,
}

impl Published<'_> {
    /// What a job is judged by.
    pub fn stand<'b>(&self, job: &'b Job, word: &'b Word, now: Wall) -> Stand<'b> {
        let newest = self.standing.map_or((0, 0), |s| (s.index.epoch, s.index.serial));
        let published = self.standing.map_or(newest, |standing| standing.since(job.job_id));
        Stand { job, word, published, newest, now, as_of: now }
    }

    /// Where a job stands whose phase was counted.
    pub fn course(&self, stand: &Stand<'_>, phase: &Phase) -> Course {
        let (job, word) = (stand.job, stand.word);
        let next = next(job, word);
        let next_at = next.and_then(|(_, after)| match after {
            Duration::ZERO => Some(stand.now),
            after => begun(word).map(|begun| later(begun, after)),
        });
        let due = next.is_none() || next_at.is_some_and(|at| at <= stand.now);
        let mut judged = gate::judge(&phase.counts, &word.limits, due);
        let mut unjudged = self.unjudged(job, word);
        // An edit that waits for somebody keeps back what goes on, and no halt.
        if unjudged.is_none() && judged.answer != Answer::Halt && self.is_edited(job, word) {
            unjudged =
                Some("the site folder says another job than what is published: pcm site publish".to_owned());
        }
        if unjudged.is_some() {
            judged = Judged { answer: Answer::Undecided, lacks: Vec::new() };
        }
        Course { next: next.map(|(percent, _)| percent), next_at, judged, unjudged }
    }

    /// Whether the site folder says another job than what is published, so that machines speak of another one.
    fn is_edited(&self, job: &Job, word: &Word) -> bool {
        let entries = self.standing.iter().flat_map(|standing| &standing.index.jobs);
        let mut entry = entries.filter(|entry| entry.job_id == job.job_id);
        let text = |revision: u64| render::job(&Job { revision, ..render::for_now(job, word).0 });
        entry.any(|entry| hash_bytes(text(entry.revision).as_bytes()) != entry.sha256)
    }

    /// Why nothing can be said of a job, whatever its machines report.
    fn unjudged(&self, job: &Job, word: &Word) -> Option<String> {
        let Some(standing) = self.standing else {
            return Some("nothing is published yet: pcm site publish".to_owned());
        };
        let entry = standing.index.jobs.iter().find(|entry| entry.job_id == job.job_id);
        let percent = render::for_now(job, word).1;
        if entry.is_none_or(|entry| (entry.state, entry.percent) != (word.state, percent)) {
            return Some("what the site folder says of it is not published yet: pcm site publish".to_owned());
        }
        (!self.counted).then(|| {
            "machines.csv has no host_key of any machine, so no report can be verified, and those without a signature count \
             only where site.toml says unsigned_reports = true"
                .to_owned()
        })
    }
}
