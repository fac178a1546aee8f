//! The figures of a rollout (SITE.md 6): each machine of a job is one row, and every figure is a number of rows, counted
//! over the same set at the same time: `targets = done + not needed + running + waiting + failed + interrupted + silent`.
//! What a machine says counts here as it counts for the gate (`phase`), but for one thing: what has ended has ended, whether
//! the machine has seen the newest phase or not. Pure: the time is an argument.

use super::account::{Account, Forecast, Said};
use super::forecast::{Run, Seen};
use super::frees::{can_be_told, frees};
use super::phase::{self, Stand};
use super::reports::NOT_YET;
use crate::clock::{Wall, between, later};
use crate::site::index::audience;
use crate::site::index::members::Member;
use crate::terms::{Code, State, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most different results, versions and reasons of silence that have a row of their own; all others are one row.
const MOST: usize = 200;
/// The row of all others.
pub const OTHERS: &str = "others";
/// The row of those that several gates hold up.
pub const SEVERAL: &str = "several";
const DAY: Duration = Duration::from_secs(86_400);

words!(
    /// What a machine is to a job; each of its targets is one of these.
    Part {
        /// It succeeded there.
        Done = "done",
        /// There is nothing to do there.
        NotNeeded = "not-needed",
        /// It runs there.
        Running = "running",
        /// It has not run there.
        Waiting = "waiting",
        /// It ended there without success.
        Failed = "failed",
        /// It was stopped there by an operator, or what became of it is not known.
        Interrupted = "interrupted",
        /// The machine says nothing that can be counted.
        Silent = "silent",
    }
);

impl Part {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Part::NotNeeded => "not needed",
            Part::Done | Part::Running | Part::Waiting | Part::Failed | Part::Interrupted | Part::Silent => {
                self.as_str()
            }
        }
    }
}

words!(
    /// For how long a silent machine has been silent.
    Age {
        /// It has never reported.
        Never = "never-reported",
        /// There is a report, and it says nothing.
        Unusable = "unusable",
        /// It reported within a day.
        Day = "under-1d",
        /// Within three days.
        ThreeDays = "under-3d",
        /// Within a week.
        Week = "under-7d",
        /// Within 30 days.
        Month = "under-30d",
        /// Before that.
        Longer = "over-30d",
    }
);

impl Age {
    /// After `silent`.
    pub fn words(self) -> &'static str {
        match self {
            Age::Never => "never reported",
            Age::Unusable => "report cannot be used",
            Age::Day => "for less than a day",
            Age::ThreeDays => "for 1 to 3 days",
            Age::Week => "for 3 to 7 days",
            Age::Month => "for 7 to 30 days",
            Age::Longer => "for more than 30 days",
        }
    }

    fn of(since: Duration) -> Self {
        match since.as_secs() / DAY.as_secs() {
            0 => Age::Day,
            1..3 => Age::ThreeDays,
            3..7 => Age::Week,
            7..30 => Age::Month,
            _ => Age::Longer,
        }
    }
}

/// A machine of a job, as it is counted.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Which.
    pub member: &'a Member,
    /// What it says of itself, where that can be used.
    pub account: Option<&'a Account>,
    /// What it says of the job, where that counts.
    pub said: Option<&'a Said>,
    /// What it is counted as.
    pub part: Part,
    /// Why it is silent, where it is.
    pub silent: Option<&'a str>,
}

/// What a machine of the site is to a job.
#[derive(Debug, Clone)]
pub enum Place<'a> {
    /// One of its targets.
    Target(Row<'a>),
    /// It would be one, but was taken out: why.
    TakenOut(&'static str),
    /// Its phase has not come.
    Later,
    /// The job does not mean it.
    Elsewhere,
}

/// Where a machine belongs; `account` is what it says, or why it says nothing.
pub fn place<'a>(
    stand: &Stand<'_>,
    member: &'a Member,
    account: Option<Result<&'a Account, &'a SafeText>>,
) -> Place<'a> {
    let (job, word) = (stand.job, stand.word);
    if !job.targets.iter().any(|target| target.means(member)) {
        return Place::Elsewhere;
    }
    if job.exclude.iter().any(|target| target.means(member)) {
        return Place::TakenOut("excluded");
    }
    if audience::is_for(&job.targets, &[], job.condition.as_ref(), member) == Some(false) {
        return Place::TakenOut("where");
    }
    if !phase::is_in(job, word, word.percent, member) {
        return Place::Later;
    }
    let row = |part, said| Row { member, account: account.and_then(Result::ok), said, part, silent: None };
    let silent = |why| Place::Target(Row { silent: Some(why), ..row(Part::Silent, None) });
    let account = match account {
        Some(Ok(account)) => account,
        Some(Err(why)) => return silent(why.as_str()),
        None => return silent(phase::NOT_READ),
    };
    if let Some(why) = phase::disbelieved(stand, account) {
        return silent(why);
    }
    let said = phase::said(stand, account);
    let counted = said.and_then(|said| counted_as(said.state));
    // What has ended has ended.
    if let Some(part) = counted.filter(|part| !matches!(part, Part::Running | Part::Waiting)) {
        return Place::Target(row(part, said));
    }
    if let Some(why) = phase::outdated(stand, account) {
        return silent(why);
    }
    let not_for_it = |code| match word.percent {
        0 => silent(phase::FIRST_AND_NOT_FOR_IT),
        _ => Place::TakenOut(code),
    };
    let Some(said) = said else {
        return phase::nameless(stand, account).map_or_else(|| not_for_it("not-targeted"), silent);
    };
    match counted {
        Some(part) => Place::Target(row(part, Some(said))),
        None => {
            let code = said.blocked_by.iter().find(|code| code.row().leads_to == State::NotApplicable);
            not_for_it(code.map_or("not-applicable", |code| code.as_str()))
        }
    }
}

/// What a target in this state is counted as; None: the job is not for it.
fn counted_as(state: State) -> Option<Part> {
    Some(match state {
        State::Succeeded | State::SucceededRestart => Part::Done,
        State::NotNeeded => Part::NotNeeded,
        State::Failed | State::TimedOut => Part::Failed,
        State::Stopped | State::Interrupted => Part::Interrupted,
        State::Running | State::Stopping => Part::Running,
        State::Scheduled
        | State::Offered
        | State::Deferred
        | State::RetryWait
        | State::Waiting
        | State::Queued
        | State::Due
        | State::Countdown
        | State::Expired
        | State::Rejected => Part::Waiting,
        State::NotApplicable => return None,
    })
}

impl Row<'_> {
    /// What alone holds a waiting machine up: a code, the state where no gate is closed, or [`SEVERAL`].
    pub fn holder(&self) -> Option<&'static str> {
        let said = self.said.filter(|_| self.part == Part::Waiting)?;
        Some(match said.blocked_by.as_slice() {
            [] => said.state.as_str(),
            [code, more @ ..] if more.iter().all(|other| other == code) => code.as_str(),
            _ => SEVERAL,
        })
    }

    /// It waits, and will never run by itself.
    pub fn is_never(&self) -> bool {
        self.part == Part::Waiting
            && self
                .said
                .is_some_and(|said| said.forecast == Some(Forecast::Never) || said.state == State::Expired)
    }

    /// When it runs, where it waits and says so; never in the past.
    pub fn runs(&self, now: Wall) -> Option<(Wall, Option<Wall>)> {
        match self.said.filter(|_| self.part == Part::Waiting && !self.is_never())?.forecast? {
            Forecast::Runs { next, latest } => {
                let next = next.max(now);
                Some((next, latest.map(|latest| latest.max(next))))
            }
            Forecast::Never => None,
        }
    }

    /// When it was done, where it is and says so.
    pub fn done_at(&self) -> Option<Wall> {
        let said = self.said.filter(|_| matches!(self.part, Part::Done | Part::NotNeeded))?;
        said.ended_at.or(said.since)
    }

    /// How long its run took, where it is done and says so.
    fn took(&self) -> Option<Duration> {
        let said = self.said.filter(|_| self.part == Part::Done)?;
        Some(between(said.started_at?, said.ended_at?))
    }

    /// How it ended without success: exit code and result line.
    pub fn result(&self) -> Option<(Option<i64>, SafeText)> {
        let said = self.said.filter(|_| matches!(self.part, Part::Failed | Part::Interrupted))?;
        let result = said.result.clone().filter(|result| !result.is_empty());
        Some((said.exit_code, result.unwrap_or_else(|| said.state.as_str().into())))
    }

    /// For how long it had been silent when reports were looked at.
    pub fn age(&self, as_of: Wall) -> Option<Age> {
        let why = self.silent?;
        Some(match self.account {
            Some(account) => Age::of((as_of - account.written).to_std().unwrap_or_default()),
            None if why == NOT_YET => Age::Never,
            None => Age::Unusable,
        })
    }
}

/// The machines that one thing alone holds up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub machines: u64,
    /// So many of them say when they will run, or that they never will.
    pub foretold: u64,
    /// So many of those run within a day.
    pub in_a_day: u64,
    /// The first of them runs then.
    pub first: Option<Wall>,
    /// Since then it holds up the one that waits longest.
    pub since: Option<Wall>,
}

/// The figures of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its targets, each counted once.
    parts: BTreeMap<Part, u64>,
    /// Those that say a state, by it.
    pub states: BTreeMap<State, u64>,
    /// Those that wait, by what alone holds them up.
    pub held: BTreeMap<&'static str, Held>,
    /// So many would run within a day if this alone were gone; nothing of what reports do not tell.
    pub frees: BTreeMap<Code, u64>,
    /// Those that failed or were interrupted, by exit code and result line.
    pub results: BTreeMap<(Option<i64>, SafeText), u64>,
    /// The silent ones, by how long.
    pub ages: BTreeMap<Age, u64>,
    /// The silent ones, by why.
    pub silent_because: BTreeMap<SafeText, u64>,
    /// Those that say something, by the version of pcm there.
    pub versions: BTreeMap<SafeText, u64>,
    /// Those that were taken out, by why. They are no targets.
    pub taken_out: BTreeMap<&'static str, u64>,
    /// Those whose phase has not come. They are no targets yet.
    pub later: u64,
    /// So many of those that wait never run by themselves.
    pub never: u64,
    /// So many targets have results that could not be delivered.
    pub undelivered: u64,
    /// So many began late.
    pub late: u64,
    /// The longest that one began late, in seconds.
    pub latest_s: u64,
    /// When those run that say so.
    pub runs: Vec<Run>,
    /// When those were done that say so.
    pub ended: Vec<Wall>,
    /// How long the runs of those took together that say so, in seconds, and how many they are.
    took: (u64, u64),
}

impl Tally {
    /// Counts a machine.
    pub fn add(&mut self, place: &Place<'_>, stand: &Stand<'_>) {
        match place {
            Place::Target(row) => self.target(row, stand),
            Place::TakenOut(why) => *self.taken_out.entry(why).or_default() += 1,
            Place::Later => self.later += 1,
            Place::Elsewhere => {}
        }
    }

    fn target(&mut self, row: &Row<'_>, stand: &Stand<'_>) {
        let now = stand.now;
        *self.parts.entry(row.part).or_default() += 1;
        if let Some(said) = row.said {
            *self.states.entry(said.state).or_default() += 1;
            let late = said.late_s.filter(|late| *late > 0);
            self.late += u64::from(late.is_some());
            self.latest_s = self.latest_s.max(late.unwrap_or(0));
        }
        if let Some(account) = row.account {
            one_more(&mut self.versions, &account.pcm_version, || OTHERS.into());
            self.undelivered += u64::from(account.undelivered > 0);
        }
        self.ended.extend(row.done_at());
        if let Some(took) = row.took() {
            // Whatever one machine says of its clock.
            let longest = stand.job.how.max_run_time.unwrap_or(DAY);
            self.took = (self.took.0.saturating_add(took.min(longest).as_secs()), self.took.1 + 1);
        }
        let runs = row.runs(now);
        self.never += u64::from(row.is_never());
        let always_on = row.account.is_some_and(Account::is_always_on);
        self.runs.extend(runs.map(|(next, latest)| Run { next, latest, always_on }));
        if let Some(holder) = row.holder() {
            let held = self.held.entry(holder).or_default();
            held.machines += 1;
            held.foretold += u64::from(runs.is_some() || row.is_never());
            held.in_a_day += u64::from(runs.is_some_and(|(next, _)| next <= later(now, DAY)));
            held.first = [held.first, runs.map(|(next, _)| next)].into_iter().flatten().min();
            let since = row.said.and_then(|said| said.since);
            held.since = [held.since, since].into_iter().flatten().min();
        }
        if let (Part::Waiting, Some(account), Some(said)) = (row.part, row.account, row.said) {
            for code in frees(account, said, now) {
                *self.frees.entry(code).or_default() += 1;
            }
        }
        if let Some(result) = row.result() {
            one_more(&mut self.results, &result, || (None, OTHERS.into()));
        }
        if let Some(age) = row.age(stand.as_of) {
            *self.ages.entry(age).or_default() += 1;
        }
        if let Some(why) = row.silent {
            one_more(&mut self.silent_because, &why.into(), || OTHERS.into());
        }
    }

    /// So many would run within a day if this were gone; None: reports do not tell.
    pub fn frees(&self, holder: &str) -> Option<u64> {
        let code = Code::ALL.iter().find(|code| code.as_str() == holder && can_be_told(**code))?;
        Some(self.frees.get(code).copied().unwrap_or(0))
    }

    /// So many targets are counted as this.
    pub fn of(&self, part: Part) -> u64 {
        self.parts.get(&part).copied().unwrap_or(0)
    }

    /// What its forecast goes by.
    pub fn seen(&self, now: Wall) -> Seen<'_> {
        let lately = self.ages.get(&Age::Day).copied().unwrap_or(0);
        Seen {
            now,
            done: self.done(),
            ended: &self.ended,
            took: self.took.0.checked_div(self.took.1).map(Duration::from_secs),
            failed: self.of(Part::Failed) + self.of(Part::Interrupted),
            running: self.of(Part::Running),
            runs: &self.runs,
            open: self.of(Part::Waiting).saturating_sub(self.never + self.runs.len() as u64),
            silent: [lately, self.of(Part::Silent).saturating_sub(lately)],
        }
    }

    /// All of its targets.
    pub fn targets(&self) -> u64 {
        self.parts.values().sum()
    }

    /// So many have nothing to do any more.
    pub fn done(&self) -> u64 {
        self.of(Part::Done) + self.of(Part::NotNeeded)
    }

    /// So many were taken out.
    pub fn not_targets(&self) -> u64 {
        self.taken_out.values().sum()
    }

    /// Nothing is left to wait for: every target has ended, or never runs.
    pub fn is_over(&self) -> bool {
        self.of(Part::Running) + self.of(Part::Silent) == 0 && self.of(Part::Waiting) == self.never
    }
}

/// One more in this row, or in that of all others where there are too many. Nearly every machine says what one before it has
/// said: nothing is made for it.
fn one_more<K: Ord + Clone>(rows: &mut BTreeMap<K, u64>, key: &K, others: impl FnOnce() -> K) {
    if let Some(n) = rows.get_mut(key) {
        *n += 1;
        return;
    }
    let key = if rows.len() >= MOST { others() } else { key.clone() };
    *rows.entry(key).or_default() += 1;
}

/// What holds machines up, in a few words.
pub fn holder_words(holder: &str) -> &str {
    let code = Code::ALL.iter().find(|code| code.as_str() == holder);
    match (code, holder) {
        (Some(code), _) => code.row().brief,
        (None, SEVERAL) => "more than one",
        (None, "due") => "nothing: they start now",
        (None, "countdown") => "nothing: their users were told",
        (None, "queued") => "an operator's run before it",
        (None, other) => other,
    }
}

/// Why machines are no targets, in a few words.
pub fn taken_out_words(why: &str) -> &str {
    match why {
        "excluded" => "left out by the job",
        "where" => "the job's condition does not hold",
        "not-targeted" => "they say that it is not for them",
        "not-applicable" => "not applicable",
        code => holder_words(code),
    }
}

#[cfg(test)]
pub(crate) mod tests;
