//! The documents of a rollout (SITE.md 8). Every figure of them is counted in one pass; text, CSV, metrics and the view of the
//! console are made of them, so that nothing says another number.

use super::account::Forecast;
use super::attention::Attention;
use super::count::{Part, Place, Row, Tally};
use super::course::{self, Course};
use super::figures::Figures;
use super::forecast::{Point, before, beyond, expected, measured, reached};
use super::foretold::{Foretold, Of, Then};
use super::gate::{self, Answer};
use super::ground::Ground;
use super::phase::Stand;
use super::refresh::Look;
use super::shared::{Shared, Texts};
use crate::clock::Wall;
use crate::site::ids::{JobId, MachineId, RequestId, SiteCode};
use crate::site::index::job::Word;
use crate::site::index::{JobState, target};
use crate::site::publisher::render::ended;
use crate::terms::{Code, State};
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeMap;

/// `rollout --json`
#[derive(Debug, Serialize)]
pub struct RolloutDoc {
    /// The site's code.
    pub site: SiteCode,
    /// The site's name.
    pub name: SafeText,
    /// When it was counted.
    pub at: Wall,
    /// How old that is, in seconds: as old as what a collector has read, or as the last look before the share was gone.
    pub age_s: u64,
    /// What a collector has read is counted; None: the reports themselves were looked at.
    pub collected: Option<CollectedDoc>,
    /// The machines of the site: those that were read, those that were not, and those without a report.
    pub machines: u64,
    /// How many of them have a report that was read.
    pub read: u64,
    /// How many of them have a report that could not be read.
    pub unread: u64,
    /// How many of them have no report.
    pub without_report: u64,
    /// The share answered for every report.
    pub whole: bool,
    /// Only machines that match are counted; None: all.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Reports without a signature are counted at a site that signs.
    pub unsigned_reports: bool,
    /// The jobs, or the one that was asked for.
    pub jobs: Vec<JobDoc>,
    /// The reports that cannot be used, and files that are none; at most a thousand.
    pub unusable: Vec<UnusableDoc>,
    /// So many files there are no report of a machine of the site.
    pub strangers: u64,
    /// The machines at which somebody has to look.
    pub attention: Attention,
    /// What went wrong beside.
    pub warnings: Vec<SafeText>,
}

/// What a collector has read.
#[derive(Debug, Serialize)]
pub struct CollectedDoc {
    /// When it began to read.
    pub at: Wall,
    /// How old that is, in seconds.
    pub age_s: u64,
}

impl CollectedDoc {
    pub fn of(at: Wall, now: Wall) -> Self {
        Self { at, age_s: u64::try_from((now - at).num_seconds()).unwrap_or(0) }
    }
}

/// A report that cannot be used.
#[derive(Debug, Serialize)]
pub struct UnusableDoc {
    /// The file's name.
    pub file: SafeText,
    /// Whose report it should be; None: the name does not say it.
    pub machine: Option<MachineId>,
    /// Why it cannot be used.
    pub reason: SafeText,
}

/// One job.
#[derive(Debug, Serialize)]
pub struct JobDoc {
    /// The job.
    pub job_id: JobId,
    /// The request that machines make of it.
    pub request_id: RequestId,
    /// The package's name.
    pub package: SafeText,
    /// The command's name.
    pub command: SafeText,
    /// Its state.
    pub state: JobState,
    /// Why it is suspended or cancelled; None: it is neither, or nobody said why.
    pub reason: Option<SafeText>,
    /// It was suspended because too many failed.
    pub halted: bool,
    /// The share of its machines that it has reached, in percent.
    pub percent: f64,
    /// The same in hundredths, which two of can be compared.
    #[serde(skip)]
    pub hundredths: u32,
    /// Which phase this is; None: only the site folder knows. The index says 100 % of the few machines that come first, too.
    pub phase: Option<usize>,
    /// Of how many; None: as `phase`.
    pub phases: Option<usize>,
    /// The share that comes next, in percent; None: there is no next phase.
    pub next_phase: Option<f64>,
    /// When that may begin at the earliest; None: at no time of its own.
    pub next_at: Option<Wall>,
    /// None: only the site folder knows the limits.
    pub gate: Option<GateDoc>,
    /// How many machines it is for now: the sum of the seven numbers from `done` to `silent`.
    pub targets: u64,
    /// Only for one job: so many machines came to it since it is published as it is; None: that is not kept.
    pub came: Option<u64>,
    /// So many went from it; None: as `came`.
    pub went: Option<u64>,
    /// On so many it succeeded.
    pub done: u64,
    /// So many have nothing to do: what it brings is there already.
    pub not_needed: u64,
    /// On so many it runs.
    pub running: u64,
    /// On so many it has not begun.
    pub waiting: u64,
    /// On so many it failed.
    pub failed: u64,
    /// On so many it was interrupted.
    pub interrupted: u64,
    /// So many say nothing that can be counted.
    pub silent: u64,
    /// What was taken out: no targets.
    pub not_targets: u64,
    /// The same by why.
    pub not_targets_because: BTreeMap<&'static str, u64>,
    /// Their phase has not come: no targets yet.
    pub later: u64,
    /// So many of those that wait never run by themselves.
    pub never: u64,
    /// So many have results that have not reached the share.
    pub undelivered: u64,
    /// The targets that are not silent, by the state that they say.
    pub by_state: BTreeMap<State, u64>,
    /// Those that wait, by what alone holds them up.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// The same with what is foretold of them.
    pub reasons: Vec<ReasonDoc>,
    /// Those that failed or were interrupted.
    pub by_result: Vec<ResultDoc>,
    /// The targets with a report, by their version of pcm.
    pub by_version: BTreeMap<SafeText, u64>,
    /// The silent ones, by how long they are.
    pub by_silence: BTreeMap<&'static str, u64>,
    /// And by why.
    pub silent_because: Vec<SilentDoc>,
    /// Late starts.
    pub late: LateDoc,
    /// How many will be done by when in eight of ten cases, as far as it can be foretold.
    pub expected: Vec<Point>,
    /// What comes before that, as far as a day and more.
    #[serde(skip)]
    pub before: Vec<Point>,
    /// How that goes on, for a day and more.
    #[serde(skip)]
    pub beyond: Vec<Point>,
    /// What was foretold a day ago for now; None: that is not kept.
    pub foretold: Option<ForetoldDoc>,
    /// How many were done by when.
    #[serde(skip)]
    pub measured: Vec<(Wall, u64)>,
    /// When 95 % of those that can run have run, in eight of ten cases: at the earliest and at the latest; None: it cannot be said.
    pub expected_95: Option<ReachedDoc>,
    /// Its targets, one by one; absent where all jobs were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<Vec<MachineDoc>>,
    /// Nothing is left to wait for; None: what phases are left is not known.
    pub over: Option<bool>,
    #[serde(skip)]
    pub answer: Option<Answer>,
}

/// The gate's answer with its numbers.
#[derive(Debug, Serialize)]
pub struct GateDoc {
    /// What the gate says.
    pub answer: Answer,
    /// On so many machines it has ended since the job was resumed last.
    pub n: u64,
    /// So many of those without success.
    pub f: u64,
    /// From 0 to 1.
    pub limit: f64,
    /// So many more have to end without a failure; None: no number of them is enough.
    pub needs: Option<u64>,
    /// The failure rate that so many leave possible, at 90 %.
    pub rate_low: f64,
    /// The highest failure rate that they leave possible.
    pub rate_high: f64,
    /// What is missing, or what was proven.
    pub words: Vec<SafeText>,
    /// Only its time is missing.
    #[serde(skip)]
    pub only_time: bool,
}

/// What holds machines up.
#[derive(Debug, Serialize)]
pub struct ReasonDoc {
    /// A code, or why in words.
    pub reason: &'static str,
    /// So many it holds up alone; 0: it frees machines that something else holds up, too, and that opens within a day.
    pub machines: u64,
    /// So many machines would run within a day if this alone were gone, those that something else holds up until then with
    /// them; None: what they report does not tell.
    pub frees_in_a_day: Option<u64>,
    /// So many of them say that they run within a day as things stand; None: none of them says when.
    pub runs_in_a_day: Option<u64>,
    /// When the first of them does; None: none of them says when.
    pub first_at: Option<Wall>,
    /// Since when the one that waits longest has been in its state; None: none of them says so.
    pub since: Option<Wall>,
}

/// How machines ended.
#[derive(Debug, Serialize)]
pub struct ResultDoc {
    /// What the package returned; None: it returned nothing.
    pub exit_code: Option<i64>,
    /// What became of it, in words.
    pub result: SafeText,
    /// On how many machines.
    pub count: u64,
}

/// Why machines are silent.
#[derive(Debug, Serialize)]
pub struct SilentDoc {
    /// Why, in words.
    pub reason: SafeText,
    /// How many machines.
    pub machines: u64,
}

/// Late starts.
#[derive(Debug, Serialize)]
pub struct LateDoc {
    /// How many machines began late.
    pub machines: u64,
    /// How late the latest of them was, in seconds.
    pub longest_s: u64,
}

/// What was foretold a day ago.
#[derive(Debug, Serialize)]
pub struct ForetoldDoc {
    /// When it was foretold.
    pub made_at: Wall,
    /// Of so many targets as there were.
    pub targets: u64,
    /// So many would be done now, at least.
    pub done_low: u64,
    /// So many would be done now, at most.
    pub done_high: u64,
}

impl From<Then> for ForetoldDoc {
    fn from(then: Then) -> Self {
        let Then { made_at, targets, done_low, done_high } = then;
        Self { made_at, targets, done_low, done_high }
    }
}

/// When so many have run.
#[derive(Debug, Serialize)]
pub struct ReachedDoc {
    /// At the earliest.
    pub at: Wall,
    /// At the latest; None: it cannot be said.
    pub latest: Option<Wall>,
}

/// One machine of a job.
#[derive(Debug, Serialize)]
pub struct MachineDoc {
    /// Which machine.
    pub machine: MachineId,
    /// Its host name, as the site's list says; None: it does not.
    pub host: Option<SafeText>,
    /// What it is counted as.
    pub part: Part,
    /// What it says; None: it is silent.
    pub state: Option<State>,
    /// What alone holds it up, where it waits; why it is silent, where it is; None: neither.
    pub reason: Option<Shared>,
    /// Codes of the gates that do not pass there.
    pub blocked_by: Vec<Code>,
    /// The newest attempt's number, 0: none; None where it is silent.
    pub attempt: Option<u32>,
    /// What the newest attempt returned; None: nothing, or there is none.
    pub exit_code: Option<i64>,
    /// The newest attempt's result in words; None: there is none.
    pub result: Option<Shared>,
    /// When the newest attempt was launched; None: there is none.
    pub started_at: Option<Wall>,
    /// When the newest attempt ended; None: it has not.
    pub ended_at: Option<Wall>,
    /// How late it was launched, in seconds; None: not late, or there is no attempt.
    pub started_late_s: Option<u64>,
    /// When it starts there by itself, at the earliest; None: not said.
    pub next_run: Option<Wall>,
    /// The same at the latest; None: not said.
    pub latest: Option<Wall>,
    /// It never starts there by itself.
    pub never: bool,
    /// When its report was written; None: there is none.
    pub last_seen: Option<Wall>,
    /// Its version of pcm; None: there is no report.
    pub pcm_version: Option<Shared>,
}

impl MachineDoc {
    /// Of a row. `texts`: those of all rows.
    pub fn of(row: &Row<'_>, now: Wall, texts: &mut Texts) -> Self {
        let said = row.said;
        let runs = row.runs(now);
        Self {
            machine: row.member.machine,
            host: row.member.host.as_deref().map(SafeText::new),
            part: row.part,
            state: said.map(|said| said.state),
            reason: row.silent.or(row.holder()).map(|reason| texts.of(&reason.into())),
            blocked_by: said.map(|said| said.blocked_by.clone()).unwrap_or_default(),
            attempt: said.map(|said| said.attempt),
            exit_code: said.and_then(|said| said.exit_code),
            result: said.and_then(|said| said.result.as_ref()).map(|result| texts.of(result)),
            started_at: said.and_then(|said| said.started_at),
            ended_at: said.and_then(|said| said.ended_at),
            started_late_s: said.and_then(|said| said.late_s),
            next_run: runs.map(|(next, _)| next),
            latest: runs.and_then(|(_, latest)| latest),
            never: row.is_never() || said.is_some_and(|said| said.forecast == Some(Forecast::Never)),
            last_seen: row.account.map(|account| account.written),
            pcm_version: row.account.map(|account| texts.of(&account.pcm_version)),
        }
    }

    /// Of a target.
    pub fn of_place(place: &Place<'_>, now: Wall, texts: &mut Texts) -> Option<Self> {
        match place {
            Place::Target(row) => Some(Self::of(row, now, texts)),
            Place::TakenOut(_) | Place::Later | Place::Elsewhere => None,
        }
    }
}

fn in_percent(hundredths: u32) -> f64 {
    f64::from(hundredths) / 100.0
}

impl JobDoc {
    /// The document of a job that was counted; `moved`: how many machines came to it and went from it.
    pub fn of(
        ground: &Ground,
        stand: &Stand<'_>,
        figures: &Figures,
        machines: Option<Vec<MachineDoc>>,
        moved: Option<(u64, u64)>,
    ) -> Self {
        let (job, word, tally) = (stand.job, stand.word, &figures.tally);
        let course = ground.gates().map(|published| published.course(stand, &figures.phase));
        let next = course::next(job, word);
        let phase = course.is_some().then(|| phase(stand));
        let answer = course.as_ref().map(|course| course.judged.answer);
        let seen = tally.seen(stand.now);
        let expected = expected(&seen);
        Self {
            job_id: job.job_id,
            request_id: job.request_id,
            package: job.package.clone(),
            command: job.command.clone(),
            state: word.state,
            reason: word.reason.clone(),
            halted: is_halted(word),
            percent: in_percent(word.percent),
            hundredths: word.percent,
            phase: phase.map(|(phase, _)| phase),
            phases: phase.map(|(_, phases)| phases),
            next_phase: next.map(|(percent, _)| in_percent(percent)),
            next_at: course.as_ref().and_then(|course| course.next_at),
            gate: course.map(|course| gate_doc(stand, figures, &course)),
            targets: tally.targets(),
            came: moved.map(|(came, _)| came),
            went: moved.map(|(_, went)| went),
            done: tally.of(Part::Done),
            not_needed: tally.of(Part::NotNeeded),
            running: tally.of(Part::Running),
            waiting: tally.of(Part::Waiting),
            failed: tally.of(Part::Failed),
            interrupted: tally.of(Part::Interrupted),
            silent: tally.of(Part::Silent),
            not_targets: tally.not_targets(),
            not_targets_because: tally.taken_out.clone(),
            later: tally.later,
            never: tally.never,
            undelivered: tally.undelivered,
            by_state: tally.states.clone(),
            by_reason: tally.held.iter().map(|(holder, held)| (*holder, held.machines)).collect(),
            reasons: reasons(tally),
            by_result: results(tally),
            by_version: tally.versions.clone(),
            by_silence: tally.ages.iter().map(|(age, n)| (age.as_str(), *n)).collect(),
            silent_because: silent(tally),
            late: LateDoc { machines: tally.late, longest_s: tally.latest_s },
            measured: measured(tally.done(), &tally.ended, stand.now),
            before: before(&seen, &expected),
            beyond: beyond(&seen, &expected),
            expected,
            expected_95: reached(&seen, 0.95).map(|(at, latest)| ReachedDoc { at, latest }),
            foretold: None,
            machines,
            over: phase.map(|_| is_over(stand, tally)),
            answer,
        }
    }

    /// Of what its forecasts are.
    pub fn foretells(&self) -> Of {
        Of { job_id: self.job_id, request_id: self.request_id, percent: self.hundredths }
    }

    /// Its forecast, to be compared with what comes; None: nothing is foretold of it.
    pub fn forecast(&self, at: Wall) -> Option<Foretold> {
        let (of, targets, done) = (self.foretells(), self.targets, self.done + self.not_needed);
        let parts = [&self.before, &self.expected, &self.beyond];
        let curve: Vec<Point> = parts.into_iter().flatten().copied().collect();
        (!curve.is_empty()).then_some(Foretold { of, at, targets, done, curve })
    }

    /// The sum of SITE.md 6, in its order.
    pub fn parts(&self) -> [(Part, u64); 7] {
        [
            (Part::Done, self.done),
            (Part::NotNeeded, self.not_needed),
            (Part::Running, self.running),
            (Part::Waiting, self.waiting),
            (Part::Failed, self.failed),
            (Part::Interrupted, self.interrupted),
            (Part::Silent, self.silent),
        ]
    }

    /// So many ended without success.
    pub fn unsuccessful(&self) -> u64 {
        self.failed + self.interrupted
    }
}

/// It was suspended because too many failed.
fn is_halted(word: &Word) -> bool {
    let reason = word.reason.as_ref().filter(|_| word.state == JobState::Suspended);
    reason.is_some_and(|reason| gate::is_halt(reason.as_str()))
}

/// All of its machines are reached, and none of them is waited for; or it was cancelled or expired, so that none begins any
/// more, and none runs.
fn is_over(stand: &Stand<'_>, tally: &Tally) -> bool {
    let (job, word) = (stand.job, stand.word);
    let is_ended =
        word.state == JobState::Cancelled || ended(&job.times, word).is_some_and(|at| at <= stand.now);
    if is_ended {
        return tally.of(Part::Running) == 0;
    }
    word.state == JobState::Active && word.percent >= target::WHOLE && tally.is_over()
}

fn phase(stand: &Stand<'_>) -> (usize, usize) {
    let shares = course::shares(stand.job, stand.word);
    let reached = shares.iter().filter(|share| **share <= stand.word.percent).count();
    (reached.max(1), shares.len())
}

fn gate_doc(stand: &Stand<'_>, figures: &Figures, course: &Course) -> GateDoc {
    let (counts, limits) = (&figures.phase.counts, &stand.word.limits);
    let (rate_low, rate_high) = gate::bounds(counts.f, counts.n);
    let lacks = &course.judged.lacks;
    let missing = lacks.iter().map(|lacks| gate::missing(*lacks, counts, limits));
    let words: Vec<String> = match course.judged.answer {
        Answer::Halt => vec![gate::halted(counts, limits)],
        Answer::GoOn | Answer::AsSeen => vec![gate::known(counts)],
        Answer::Undecided => course.unjudged.iter().cloned().chain(missing).collect(),
    };
    GateDoc {
        answer: course.judged.answer,
        n: counts.n,
        f: counts.f,
        limit: f64::from(limits.max_failure_rate) / f64::from(target::WHOLE),
        needs: gate::needs(counts, limits),
        rate_low,
        rate_high,
        words: words.iter().map(|words| SafeText::new(words)).collect(),
        only_time: course.unjudged.is_none() && lacks.as_slice() == [gate::Lacks::Time],
    }
}

fn reasons(tally: &Tally) -> Vec<ReasonDoc> {
    let mut reasons: Vec<ReasonDoc> = tally
        .held
        .iter()
        .map(|(reason, held)| ReasonDoc {
            reason,
            machines: held.machines,
            frees_in_a_day: tally.frees(reason),
            runs_in_a_day: (held.foretold > 0).then_some(held.in_a_day),
            first_at: held.first,
            since: held.since,
        })
        .collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.machines));
    // What holds none alone may be what frees most. It adds nothing to the sum of those that wait.
    let others = tally.frees.iter().filter(|(code, _)| !tally.held.contains_key(code.as_str()));
    let mut others: Vec<ReasonDoc> = others
        .map(|(code, frees)| ReasonDoc {
            reason: code.as_str(),
            machines: 0,
            frees_in_a_day: Some(*frees),
            runs_in_a_day: None,
            first_at: None,
            since: None,
        })
        .collect();
    others.sort_by_key(|reason| std::cmp::Reverse(reason.frees_in_a_day));
    reasons.append(&mut others);
    reasons
}

fn results(tally: &Tally) -> Vec<ResultDoc> {
    let mut results: Vec<ResultDoc> = tally
        .results
        .iter()
        .map(|((exit_code, result), count)| ResultDoc {
            exit_code: *exit_code,
            result: result.clone(),
            count: *count,
        })
        .collect();
    results.sort_by_key(|result| std::cmp::Reverse(result.count));
    results
}

fn silent(tally: &Tally) -> Vec<SilentDoc> {
    let because = tally.silent_because.iter();
    let mut silent: Vec<SilentDoc> =
        because.map(|(reason, machines)| SilentDoc { reason: reason.clone(), machines: *machines }).collect();
    silent.sort_by_key(|silent| std::cmp::Reverse(silent.machines));
    silent
}

/// The reports that cannot be used, and files that are none.
pub fn unusable(look: &Look, faults: BTreeMap<MachineId, SafeText>) -> Vec<UnusableDoc> {
    let own = faults.into_iter().map(|(machine, reason)| UnusableDoc {
        file: SafeText::new(&crate::site::report::report_name(machine)),
        machine: Some(machine),
        reason,
    });
    let strange = look.strange.iter().map(|strange| UnusableDoc {
        file: strange.file.clone(),
        machine: strange.machine,
        reason: strange.why.clone(),
    });
    own.chain(strange).take(MOST).collect()
}

const MOST: usize = 1_000;
