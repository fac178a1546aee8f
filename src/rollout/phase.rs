//! Counts the machines of a phase by what they say (SITE.md 3): who has ended, with or without success, on whom it runs, who
//! says nothing that can be counted and why. Doubt is counted against going on. Pure: the time is an argument.

use super::gate::Counts;
use super::reports::{Account, Accounts};
use crate::clock::{Wall, earlier, later};
use crate::site::ids::MachineId;
use crate::site::index::job::{Job, Word};
use crate::site::index::members::Member;
use crate::site::index::{audience, target};
use crate::site::report::ReportedRequest;
use crate::terms::State;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a job is judged by beside its file.
#[derive(Debug, Clone)]
pub struct Stand<'a> {
    /// The job.
    pub job: &'a Job,
    /// The publisher's word on it.
    pub word: &'a Word,
    /// The publication that set its phase and its state, by trust list and number.
    pub published: (u64, u64),
    /// The newest publication: nobody can have seen a later one.
    pub newest: (u64, u64),
    /// Now.
    pub now: Wall,
}

/// A phase, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phase {
    /// The numbers.
    pub counts: Counts,
    /// On whom it failed since the job was resumed.
    pub failed: Vec<MachineId>,
    /// Why how many are silent.
    pub silent: BTreeMap<SafeText, u64>,
    /// So many say that it is not for them.
    pub not_targets: u64,
    /// The longest time between two polls of its machines.
    pub interval: Option<Duration>,
}

/// What one machine is to a phase.
enum Part {
    /// It ended; `counts` where that was since the job was resumed.
    Ended {
        success: bool,
        counts: bool,
    },
    /// It has nothing to do: ended, and it says nothing of the package.
    Nothing,
    /// It was stopped by an operator: the same.
    Stopped,
    Running,
    Waiting,
    Silent(SafeText),
    NotForIt,
}

/// Whether a machine is among those that a share of a job's machines reaches; 0: those that come first.
pub fn reaches(job: &Job, word: &Word, percent: u32, member: &Member) -> bool {
    let meant = audience::is_for(&job.targets, &job.exclude, None, member) == Some(true);
    let condition = job.condition.as_ref();
    let decided = audience::is_for(&job.targets, &job.exclude, condition, member) != Some(false);
    let reached = match percent {
        0 => word.canary.contains(&member.machine),
        percent => target::place(job.job_id, member.machine) < percent,
    };
    meant && decided && reached
}

/// Counts the machines of a job that a share of them reaches.
pub fn count<'a>(
    stand: &Stand<'_>,
    percent: u32,
    members: impl IntoIterator<Item = &'a Member>,
    accounts: &Accounts,
) -> Phase {
    let mut phase = Phase::default();
    let (job, word) = (stand.job, stand.word);
    let before = job.phases.iter().map(|phase| phase.percent).filter(|before| *before < percent).max();
    let is_earlier = |member: &Member| {
        let by_share = before.is_some_and(|before| reaches(job, word, before, member));
        by_share || percent > 0 && reaches(job, word, 0, member)
    };
    let mut first: BTreeSet<MachineId> = BTreeSet::new();
    if percent == 0 {
        first.extend(&word.canary);
    }
    for member in members {
        if !reaches(stand.job, stand.word, percent, member) {
            continue;
        }
        let account = accounts.get(&member.machine);
        if let Some(Ok(account)) = account {
            phase.interval = phase.interval.max(Some(account.interval));
        }
        let part = match account {
            Some(Ok(account)) => part(stand, account),
            Some(Err(why)) => Part::Silent(why.clone()),
            None => Part::Silent("its report was not read".into()),
        };
        // Who comes first has to show something.
        let part = match part {
            Part::NotForIt if percent == 0 => Part::Silent("it comes first, and it is not for it".into()),
            part => part,
        };
        first.remove(&member.machine);
        let counts = &mut phase.counts;
        counts.machines += 1;
        if !matches!(part, Part::NotForIt) && is_earlier(member) {
            counts.earlier += 1;
            let ended = matches!(part, Part::Ended { .. } | Part::Nothing | Part::Stopped);
            counts.earlier_ended += u64::from(ended);
        }
        match part {
            Part::Ended { success, counts: since } => {
                counts.ended += 1;
                counts.n += u64::from(since);
                counts.f += u64::from(since && !success);
                if since && !success {
                    phase.failed.push(member.machine);
                }
            }
            Part::Nothing => {
                counts.ended += 1;
                counts.nothing += 1;
            }
            Part::Stopped => {
                counts.ended += 1;
                counts.stopped += 1;
            }
            Part::Running => counts.running += 1,
            Part::Waiting => {}
            Part::Silent(why) => {
                counts.silent += 1;
                *phase.silent.entry(why).or_default() += 1;
            }
            Part::NotForIt => {
                counts.machines -= 1;
                phase.not_targets += 1;
            }
        }
    }
    let gone = first.len() as u64;
    if gone > 0 {
        phase.counts.machines += gone;
        phase.counts.silent += gone;
        *phase.silent.entry("it comes first, and is no machine of the job any more".into()).or_default() +=
            gone;
    }
    phase
}

/// The machines of a phase that may not have begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ahead {
    /// How many they are, as far as the publisher knows.
    pub machines: u64,
    /// So many do not report, or not as they should.
    pub silent: u64,
    /// The longest time between two polls of them.
    pub interval: Option<Duration>,
}

/// Looks at the machines that a share reaches, whether it has been reached or not.
pub fn ahead<'a>(
    stand: &Stand<'_>,
    percent: u32,
    members: impl IntoIterator<Item = &'a Member>,
    accounts: &Accounts,
) -> Ahead {
    let mut ahead = Ahead::default();
    for member in members {
        if !reaches(stand.job, stand.word, percent, member) {
            continue;
        }
        ahead.machines += 1;
        let account = accounts.get(&member.machine).and_then(|account| account.as_ref().ok());
        let heard = account.filter(|account| !account.two_machines && !is_late(stand, account));
        ahead.silent += u64::from(heard.is_none());
        ahead.interval = ahead.interval.max(heard.map(|account| account.interval));
    }
    ahead
}

fn is_late(stand: &Stand<'_>, account: &Account) -> bool {
    signed(stand.now - account.written) > account.interval.saturating_mul(2).max(SOON)
}

fn part(stand: &Stand<'_>, account: &Account) -> Part {
    if account.two_machines {
        return Part::Silent("two machines report with its id".into());
    }
    if account.publication > stand.newest {
        return Part::Silent("it names a publication that was never made here".into());
    }
    let said = account.requests.iter().find(|request| request.request_id == stand.job.request_id);
    let said = said.filter(|request| request.job_id.is_none_or(|id| id == stand.job.job_id));
    if let Some(said) = said
        && let Some(over) = over(stand, account, said)
    {
        // That it failed counts, whatever else it has heard of; that it succeeded only from who has heard of the phase.
        let fails = matches!(over, Part::Ended { success: false, .. });
        if fails || account.publication >= stand.published {
            return over;
        }
    }
    if account.publication < stand.published {
        return Part::Silent("it has not seen this phase yet".into());
    }
    if is_late(stand, account) {
        return Part::Silent("it has not reported for two intervals".into());
    }
    match said.map(|said| said.state) {
        Some(State::Running | State::Stopping) => Part::Running,
        // Another platform's machine is none of its targets.
        Some(State::NotApplicable) => Part::NotForIt,
        Some(_) => Part::Waiting,
        // Only the machine knows whether the conditions of the job and of its package hold there.
        None if account.not_targeted.contains(&stand.job.job_id) => Part::NotForIt,
        None => Part::Silent("its report does not name the request".into()),
    }
}

/// A machine that reports every minute may be a little late.
const SOON: Duration = Duration::from_secs(300);

/// What has ended, or should have.
fn over(stand: &Stand<'_>, account: &Account, said: &ReportedRequest) -> Option<Part> {
    let ended = |success: bool| {
        let counts = since(stand, account, said.ended_at.or(said.since), !success);
        Part::Ended { success, counts }
    };
    match said.state {
        State::Succeeded | State::SucceededRestart => Some(ended(true)),
        State::Failed | State::TimedOut | State::Interrupted => Some(ended(false)),
        State::Stopped => Some(Part::Stopped),
        State::NotNeeded => Some(Part::Nothing),
        State::Running | State::Stopping => {
            let longest = stand.job.how.max_run_time.unwrap_or(crate::site::package::MAX_RUN_TIME);
            let allowed = longest.saturating_add(account.interval.saturating_mul(2).max(SOON));
            // By the machine's own clock until it wrote, and by the share's since.
            let began = said.started_at.or(said.since)?;
            let runs =
                signed(account.reported_at - began).saturating_add(signed(stand.now - account.written));
            let overdue = runs.checked_sub(allowed).filter(|overdue| !overdue.is_zero())?;
            // What was overdue before the job was resumed is as little news as what failed before; doubt counts.
            let by_either = [later(began, allowed), earlier(stand.now, overdue)];
            let counts = stand.word.since.is_none_or(|since| by_either.iter().any(|at| *at >= since));
            Some(Part::Ended { success: false, counts })
        }
        State::Scheduled
        | State::Offered
        | State::Deferred
        | State::RetryWait
        | State::Waiting
        | State::Queued
        | State::Due
        | State::Countdown
        | State::Expired
        | State::NotApplicable
        | State::Rejected => None,
    }
}

/// Whether something ended since the job got its state. The machine's clock may be wrong: what failed counts where either
/// clock says so, what succeeded where both do.
fn since(stand: &Stand<'_>, account: &Account, ended: Option<Wall>, failed: bool) -> bool {
    let Some(state) = stand.word.since else { return true };
    let Some(ended) = ended else { return failed };
    let own = ended >= state;
    let shares =
        account.written.checked_sub_signed(account.reported_at - ended).is_some_and(|at| at >= state);
    if failed { own || shares } else { own && shares }
}

/// How long; none where it is the other way round.
fn signed(delta: TimeDelta) -> Duration {
    delta.to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests;
