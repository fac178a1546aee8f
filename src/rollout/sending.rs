//! The course of a job before it is sent (SITE.md 8): when it would start on each of its machines at the earliest, by what these
//! reported last, by its times, phases and spread, and by the site's policies. Each machine is counted once: it runs then, it
//! never does by itself as things stand, or its report does not say. What only a machine knows and does not report, as its own
//! windows, can make it later. Pure: the time is an argument.

use super::account::{Account, Forecast};
use super::cache::Heard;
use super::figures::Machine;
use super::phase::{self, Stand};
use crate::clock::{Wall, Zone, later};
use crate::site::ids::MachineId;
use crate::site::index::audience;
use crate::site::index::members::Member;
use crate::site::index::policy::{EVERYBODY, Rules};
use crate::site::index::target;
use crate::terms::Code;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most points in time; those that lie near each other are one.
const POINTS: usize = 24;

/// What of the site counts beside the job.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Of each group.
    pub policies: &'a BTreeMap<String, Rules>,
    /// Where a time without a zone is meant: no report says a machine's own.
    pub zone: &'a Zone,
}

/// So many start from then on, at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// The first of them.
    pub at: Wall,
    /// How many.
    pub count: u64,
}

/// So many never start by themselves, as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Never {
    /// Why.
    pub code: Code,
    /// How many.
    pub count: u64,
}

/// The course. All of it is as many machines as the job's targets meet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Foretold {
    /// Their reports do not say whether it runs there.
    pub silent: u64,
    /// Those that run, in the order of their times.
    pub runs: Vec<Runs>,
    /// Those that do not, most of them first.
    pub never: Vec<Never>,
}

/// What becomes of it on one machine.
enum Will {
    Run(Wall),
    Never(Code),
    Silent,
}

/// Foretells the course of a job. `heard`: what a machine says, where that counts.
pub fn foretell(
    stand: &Stand<'_>,
    around: &Around<'_>,
    members: &[Member],
    mut heard: impl FnMut(MachineId) -> Heard,
) -> Foretold {
    let job = stand.job;
    let (mut silent, mut starts, mut never) = (0, Vec::new(), BTreeMap::new());
    let shares = shares(stand);
    for member in members {
        if audience::is_for(&job.targets, &job.exclude, None, member) != Some(true) {
            continue;
        }
        match will(stand, around, &shares, member, &heard(member.machine)) {
            Will::Run(at) => starts.push(at),
            Will::Never(code) => *never.entry(code).or_insert(0) += 1,
            Will::Silent => silent += 1,
        }
    }
    let mut never: Vec<Never> = never.into_iter().map(|(code, count)| Never { code, count }).collect();
    never.sort_by_key(|never| std::cmp::Reverse(never.count));
    Foretold { silent, runs: points(starts), never }
}

/// When each share of the machines is reached, where each phase goes on as soon as its time has come.
fn shares(stand: &Stand<'_>) -> Vec<(u32, Wall)> {
    let (job, word) = (stand.job, stand.word);
    let mut shares = vec![(word.percent, stand.now)];
    let mut at = stand.now;
    for phase in job.phases.iter().filter(|phase| phase.percent > word.percent) {
        at = later(at, phase.after);
        shares.push((phase.percent, at));
    }
    if shares.last().is_none_or(|(share, _)| *share < target::WHOLE) {
        shares.push((target::WHOLE, at));
    }
    shares
}

fn will(
    stand: &Stand<'_>,
    around: &Around<'_>,
    shares: &[(u32, Wall)],
    member: &Member,
    heard: &Heard,
) -> Will {
    let (job, now) = (stand.job, stand.now);
    let Ok(account) = heard else { return Will::Silent };
    if phase::disbelieved(stand, account).is_some() || phase::is_late(stand, account) {
        return Will::Silent;
    }
    let condition =
        job.condition.as_ref().map(|condition| condition.holds(&Machine::by(member, account, now)));
    match condition {
        Some(Some(false)) => return Will::Never(Code::NotTargeted),
        // Only the machine knows.
        Some(None) => return Will::Silent,
        Some(Some(true)) | None => {}
    }
    if let Some(code) = closed(stand, account) {
        return Will::Never(code);
    }
    let Some(mandatory) = job.times.mandatory else { return Will::Never(Code::Optional) };
    let mandatory = mandatory.resolve(around.zone);
    let expire = job.times.expire.map(|at| at.resolve(around.zone));
    let room = expire.map_or(Duration::MAX, |expire| (expire - mandatory).to_std().unwrap_or_default());
    let rules = || around.policies.iter().filter(|(group, _)| *group == EVERYBODY || member.is_in(group));
    let spread = rules().filter_map(|(_, rules)| rules.spread).chain(job.spread).max().unwrap_or_default();
    let turn = Duration::from_secs(member.machine.part_of(spread.min(room)).as_secs());
    let place = target::place(job.job_id, member.machine);
    let reached = match stand.word.canary.contains(&member.machine) {
        true => Some(now),
        false => shares.iter().find(|(share, _)| place < *share).map(|(_, at)| *at),
    };
    let Some(reached) = reached else { return Will::Never(Code::PhaseNotReached) };
    let mut start = later(mandatory, turn).max(now).max(reached);
    start = first(stand, account).map_or(start, |first| start.max(first));
    let mut freezes: Vec<(Wall, Wall)> = rules()
        .flat_map(|(_, rules)| &rules.freezes)
        .map(|freeze| (freeze.from.resolve(around.zone), freeze.until.resolve(around.zone)))
        .collect();
    freezes.sort_unstable();
    for (from, until) in freezes {
        if from <= start && start < until {
            start = until;
        }
    }
    match expire {
        Some(expire) if start >= expire => Will::Never(Code::Expired),
        Some(_) | None => Will::Run(start),
    }
}

/// What keeps it from that machine, as things stand there.
fn closed(stand: &Stand<'_>, account: &Account) -> Option<Code> {
    let how = &stand.job.how;
    if account.platform.is_some_and(|own| !how.platforms.is_empty() && !how.platforms.contains(&own)) {
        return Some(Code::Platform);
    }
    if !how.automated {
        return Some(Code::NeedsInput);
    }
    if !how.background {
        return Some(Code::ApplicationOnly);
    }
    let of_all = |code: &&Code| ON_EVERYTHING.contains(code);
    if let Some(code) = account.requests.iter().flat_map(|said| &said.blocked_by).find(of_all) {
        return Some(*code);
    }
    how.disk_space
        .zip(account.disk_free)
        .is_some_and(|(wanted, free)| wanted > free)
        .then_some(Code::DiskSpace)
}

/// What holds up everything on a machine until somebody comes.
const ON_EVERYTHING: [Code; 5] = [
    Code::HistoryLost,
    Code::StateUnreadable,
    Code::PolicyUnreadable,
    Code::LoosePermissions,
    Code::StateUnwritable,
];

/// When something starts there at the earliest, where a hold, a frozen period or a window keeps everything from it.
fn first(stand: &Stand<'_>, account: &Account) -> Option<Wall> {
    let keeps = |code: &Code| match code {
        Code::WindowClosed => !stand.job.how.ignore_windows,
        code => [Code::Held, Code::Frozen].contains(code),
    };
    let kept = account.requests.iter().filter(|said| said.blocked_by.iter().any(keeps));
    let next = kept.filter_map(|said| match said.forecast {
        Some(Forecast::Runs { next, .. }) => Some(next),
        Some(Forecast::Never) | None => None,
    });
    next.min()
}

/// As few points as can be read.
fn points(mut starts: Vec<Wall>) -> Vec<Runs> {
    starts.sort_unstable();
    let mut all: Vec<Runs> = Vec::new();
    for at in starts {
        match all.last_mut().filter(|last| last.at == at) {
            Some(last) => last.count += 1,
            None => all.push(Runs { at, count: 1 }),
        }
    }
    let together = all.len().div_ceil(POINTS).max(1);
    let joined = all
        .chunks(together)
        .map(|near| Runs { at: near[0].at, count: near.iter().map(|runs| runs.count).sum() });
    joined.collect()
}

#[cfg(test)]
mod tests;
