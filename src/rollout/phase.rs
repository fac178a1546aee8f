//! Counts the machines of a phase by what they say (SITE.md 3): who has ended, with or without success, on whom it runs, who
//! says nothing that can be counted and why. Doubt is counted against going on. Pure: the time is an argument.

use super::account::{Account, Accounts, Said};
use super::gate::Counts;
use crate::clock::{Wall, earlier, later};
use crate::site::ids::MachineId;
use crate::site::index::job::{Job, Word};
use crate::site::index::members::Member;
use crate::site::index::{audience, target};
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
    /// When reports were looked at: what a machine has not said by then may have been written since.
    pub as_of: Wall,
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
    /// It has nothing to do, or somebody said that it is done: ended, and it says nothing of the package.
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
    is_in(job, word, percent, member) && is_meant(job, member)
}

/// Whether a share of the machines reaches this one, whomever the job is for.
pub(super) fn is_in(job: &Job, word: &Word, percent: u32, member: &Member) -> bool {
    match percent {
        0 => word.canary.contains(&member.machine),
        target::WHOLE.. => true,
        percent => target::place(job.job_id, member.machine) < percent,
    }
}

/// Whether a job is for a machine, as far as the publisher knows.
fn is_meant(job: &Job, member: &Member) -> bool {
    audience::is_for(&job.targets, &job.exclude, job.condition.as_ref(), member) != Some(false)
}

/// Counts the machines of a job that a share of them reaches.
pub fn count<'a>(
    stand: &Stand<'_>,
    percent: u32,
    members: impl IntoIterator<Item = &'a Member>,
    accounts: &Accounts,
) -> Phase {
    let mut counter = Counter::new(stand, percent);
    for member in members {
        counter.add(member, accounts.get(&member.machine).map(Result::as_ref));
    }
    counter.phase()
}

/// Counts them one after the other.
#[derive(Debug)]
pub struct Counter<'a> {
    stand: &'a Stand<'a>,
    percent: u32,
    /// The share that was reached before.
    before: Option<u32>,
    /// The machines that come first and were not met so far.
    first: BTreeSet<MachineId>,
    phase: Phase,
}

impl<'a> Counter<'a> {
    /// Of the machines that this share of a job's reaches.
    pub fn new(stand: &'a Stand<'a>, percent: u32) -> Self {
        let phases = stand.job.phases.iter().map(|phase| phase.percent);
        let first = if percent == 0 { stand.word.canary.iter().copied().collect() } else { BTreeSet::new() };
        let before = phases.filter(|before| *before < percent).max();
        Self { stand, percent, before, first, phase: Phase::default() }
    }

    fn is_earlier(&self, member: &Member) -> bool {
        let (job, word) = (self.stand.job, self.stand.word);
        let by_share = self.before.is_some_and(|before| reaches(job, word, before, member));
        by_share || self.percent > 0 && reaches(job, word, 0, member)
    }

    /// One more machine, and what it says; None: its report was not read.
    pub fn add(&mut self, member: &Member, account: Option<Result<&Account, &SafeText>>) {
        if !reaches(self.stand.job, self.stand.word, self.percent, member) {
            return;
        }
        if let Some(Ok(account)) = account {
            self.phase.interval = self.phase.interval.max(Some(account.interval));
        }
        let part = match account {
            Some(Ok(account)) => part(self.stand, account),
            Some(Err(why)) => Part::Silent(why.clone()),
            None => Part::Silent(NOT_READ.into()),
        };
        // Who comes first has to show something.
        let part = match part {
            Part::NotForIt if self.percent == 0 => Part::Silent(FIRST_AND_NOT_FOR_IT.into()),
            part => part,
        };
        self.first.remove(&member.machine);
        let earlier = !matches!(part, Part::NotForIt) && self.is_earlier(member);
        let phase = &mut self.phase;
        let counts = &mut phase.counts;
        counts.machines += 1;
        if earlier {
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

    /// All of them.
    pub fn phase(self) -> Phase {
        let mut phase = self.phase;
        let gone = self.first.len() as u64;
        if gone > 0 {
            phase.counts.machines += gone;
            phase.counts.silent += gone;
            *phase.silent.entry(GONE.into()).or_default() += gone;
        }
        phase
    }
}

/// Why a machine says nothing whose report nobody has read.
pub(super) const NOT_READ: &str = "its report was not read";
/// Why one says nothing that comes first.
pub(super) const FIRST_AND_NOT_FOR_IT: &str = "it comes first, and it is not for it";
/// Why one says nothing that the list does not have.
pub(super) const GONE: &str = "it comes first, and is no machine of the job any more";

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

/// Whether it has not reported for so long that nobody knows how things are there.
pub(super) fn is_late(stand: &Stand<'_>, account: &Account) -> bool {
    signed(stand.as_of - account.written) > account.heartbeat.saturating_mul(2).max(SOON)
}

/// Why what a machine says counts for nothing, whatever it is.
pub(super) fn disbelieved(stand: &Stand<'_>, account: &Account) -> Option<&'static str> {
    if account.two_machines {
        return Some("two machines report with its id");
    }
    if account.site_id.as_ref().is_some_and(|site| *site != stand.job.site_id) {
        return Some("its report is of another site");
    }
    (account.publication > stand.newest).then_some("it names a publication that was never made here")
}

/// What it says of the job.
pub(super) fn said<'a>(stand: &Stand<'_>, account: &'a Account) -> Option<&'a Said> {
    let said = account.requests.iter().find(|request| request.request_id == stand.job.request_id);
    said.filter(|request| request.job_id.is_none_or(|id| id == stand.job.job_id))
}

/// Why what it says of a job that has not ended there is not how it is now.
pub(super) fn outdated(stand: &Stand<'_>, account: &Account) -> Option<&'static str> {
    if account.publication < stand.published {
        return Some("it has not seen this phase yet");
    }
    is_late(stand, account).then_some("it has not reported for two intervals")
}

/// Why it counts for nothing where it says nothing of the job; None: it says that it is not for it.
pub(super) fn nameless(stand: &Stand<'_>, account: &Account) -> Option<&'static str> {
    // Only the machine knows whether the conditions of the job and of its package hold there.
    (!account.not_targeted.contains(&stand.job.job_id)).then_some("its report does not name the request")
}

fn part(stand: &Stand<'_>, account: &Account) -> Part {
    if let Some(why) = disbelieved(stand, account) {
        return Part::Silent(why.into());
    }
    let said = said(stand, account);
    if let Some(said) = said
        && let Some(over) = over(stand, account, said)
    {
        // That it failed counts, whatever else it has heard of; that it succeeded only from who has heard of the phase.
        let fails = matches!(over, Part::Ended { success: false, .. });
        if fails || account.publication >= stand.published {
            return over;
        }
    }
    if let Some(why) = outdated(stand, account) {
        return Part::Silent(why.into());
    }
    match said.map(|said| said.state) {
        Some(State::Running | State::Stopping) => Part::Running,
        // Another platform's machine is none of its targets.
        Some(State::NotApplicable) => Part::NotForIt,
        Some(_) => Part::Waiting,
        None => nameless(stand, account).map_or(Part::NotForIt, |why| Part::Silent(why.into())),
    }
}

/// A machine that reports every minute may be a little late.
const SOON: Duration = Duration::from_secs(300);

/// What has ended, or should have.
fn over(stand: &Stand<'_>, account: &Account, said: &Said) -> Option<Part> {
    let ended = |success: bool| {
        let counts = since(stand, account, said.ended_at.or(said.since), !success);
        Part::Ended { success, counts }
    };
    match said.state {
        // What was adopted as done was never attempted here.
        State::Succeeded | State::SucceededRestart if said.attempt == 0 => Some(Part::Nothing),
        State::Succeeded | State::SucceededRestart => Some(ended(true)),
        State::Failed | State::TimedOut | State::Interrupted => Some(ended(false)),
        State::Stopped => Some(Part::Stopped),
        State::NotNeeded => Some(Part::Nothing),
        State::Running | State::Stopping => {
            let longest = stand.job.how.max_run_time.unwrap_or(crate::site::package::MAX_RUN_TIME);
            let allowed = longest.saturating_add(account.heartbeat.saturating_mul(2).max(SOON));
            // By the machine's own clock until it wrote, and by the share's since.
            let began = said.started_at.or(said.since)?;
            let runs =
                signed(account.reported_at - began).saturating_add(signed(stand.as_of - account.written));
            let overdue = runs.checked_sub(allowed).filter(|overdue| !overdue.is_zero())?;
            // What was overdue before the job was resumed is as little news as what failed before; doubt counts.
            let by_either = [later(began, allowed), earlier(stand.as_of, overdue)];
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
