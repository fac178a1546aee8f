//! `pcm job advance` (SITE.md 3): lets jobs reach their next machines where what the machines report proves that most of them
//! do well, and suspends those of which too many failed. Somebody's word alone does the first as well.

mod shown;

use super::args::AdvanceArgs;
use super::jobs::{no_such_job, reason};
use super::{App, folder, lint, renew, standing};
use crate::clock::{Wall, later};
use crate::error::{Exit, Failure, Result};
use crate::rollout::course::{self, Course, Published, begun, next};
use crate::rollout::gate::{self, Answer, Judged, Lacks};
use crate::rollout::phase::{self, Phase, Stand};
use crate::rollout::reports::{self, Accounts};
use crate::rollout::whose::Whose;
use crate::site::folder::{Folder, Source};
use crate::site::ids::{JobId, MachineId, RequestId};
use crate::site::index::job::{Job, Word};
use crate::site::index::members::Member;
use crate::site::index::policy::EVERYBODY;
use crate::site::index::{JobState, target};
use crate::site::publisher::past;
use crate::site::publisher::render::ended;
use crate::site::publisher::standing::Standing;
use crate::text::SafeText;
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(60);
/// From here on it is said more loudly that nobody decides.
const ALARM: TimeDelta = TimeDelta::days(1);
/// The most reasons for silence that are said.
const MOST: usize = 5;

/// `job advance --json`
#[derive(Debug, Serialize)]
struct AdvanceDoc {
    /// The jobs, each with what becomes of it.
    jobs: Vec<StepDoc>,
    /// Reports without a signature were counted at a site that signs (`unsigned_reports`).
    unsigned_reports: bool,
    /// The publication of it; None: nothing changed, or `--no-publish`.
    published: Option<folder::PublishDoc>,
    /// Nothing was changed: it is what would be done.
    dry_run: bool,
}

/// What becomes of one job.
#[derive(Debug, Serialize)]
struct StepDoc {
    /// The job.
    job_id: JobId,
    /// The request that machines make of it.
    request_id: RequestId,
    /// From now on.
    state: JobState,
    /// Why it is suspended or cancelled; None: it is neither, or nobody said why.
    reason: Option<SafeText>,
    /// The share of its machines that is reached from now on.
    percent: f64,
    /// The share of its machines that comes next, in percent; None: there is no next phase.
    next_phase: Option<f64>,
    /// When that may begin at the earliest; None: at no time of its own.
    next_at: Option<Wall>,
    /// None: nobody asked, it goes on by somebody's word.
    gate: Option<GateDoc>,
    /// How many machines the phase has; with `--reason` nobody counts, and this and the numbers after it are 0.
    machines: u64,
    /// On so many of them it has ended.
    ended: u64,
    /// On so many of them it runs.
    running: u64,
    /// So many of them say nothing that can be counted.
    silent: u64,
    /// So many machines were taken out, as they are no targets.
    not_targets: u64,
    /// The machines on which it failed or was interrupted since the job was resumed last.
    failed: Vec<MachineId>,
    /// Why machines are silent.
    silent_because: Vec<ReasonDoc>,
    /// What is missing, or what was proven.
    words: Vec<SafeText>,
    /// Why nothing came of it; absent where something did, or nothing was to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// Nothing has been decided since then; None: something was decided now, or by somebody's word.
    since: Option<Wall>,
    /// The phases before they come, with `--dry-run`; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phases: Vec<PhaseDoc>,
    #[serde(skip)]
    title: String,
    #[serde(skip)]
    moved: bool,
}

/// The gate's answer with its numbers.
#[derive(Debug, Serialize)]
struct GateDoc {
    /// What the gate says.
    answer: Answer,
    /// On so many machines it has ended since the job was resumed last.
    n: u64,
    /// So many of those without success.
    f: u64,
    /// From 0 to 1.
    limit: f64,
    /// So many more have to end without a failure; None: no number of them is enough.
    needs: Option<u64>,
}

/// Why machines are silent.
#[derive(Debug, Serialize)]
struct ReasonDoc {
    /// Why, in words.
    reason: SafeText,
    /// How many machines.
    machines: u64,
}

/// One phase before it comes, with `--dry-run`.
#[derive(Debug, Serialize)]
struct PhaseDoc {
    /// 0: the machines that come first.
    percent: f64,
    /// How many machines it has.
    machines: u64,
    /// So many machines can prove that the limit is kept.
    provable: bool,
    /// So many are needed for that; None: no number is enough.
    provable_from: Option<u64>,
    /// So many of them say nothing that can be counted.
    silent: u64,
    /// So many will have launched before a halt can reach them.
    launched_before_halt: u64,
}

/// A job that was asked about, and what becomes of it.
struct Step<'a> {
    job: &'a Job,
    /// As it is.
    was: &'a Word,
    /// As it is from now on; as it was where nothing changes.
    word: Word,
    doc: StepDoc,
}

/// `pcm job advance`
pub fn run(app: &App, args: &AdvanceArgs) -> Result<Exit> {
    let alone = || folder::open_alone(app, &args.then.folder);
    let (ground, accounts, _alone) = match &args.reason {
        Some(_) => {
            let (folder, alone) = alone()?;
            (Ground::of(app, folder, None)?, Accounts::new(), alone)
        }
        // Reading what 100,000 machines report takes minutes, in which others may want to change the folder.
        None => folder::then_alone(
            || {
                let folder = folder::open(app, &args.then.folder)?;
                let standing = standing::of(app, &folder)?;
                Ground::of(app, folder, standing)
            },
            |ground| Ok(ground.accounts(app, &asked(app, args, &ground.source)?)),
            || Ok(alone()?.1),
        )?,
    };
    let Ground { folder, source, signs, wrong, .. } = &ground;
    let (folder, source, signs) = (folder, source, *signs);
    let asked = asked(app, args, source)?;
    // What is counted now must not be taken back by an older report.
    if let Some(whose) = ground.whose.as_ref().filter(|_| args.reason.is_none() && !app.dry_run) {
        let newest = whose.counted_with(&accounts);
        if newest != *whose.counted() {
            folder.keep_counted(&newest)?;
        }
    }
    let mut steps: Vec<Step<'_>> = match &args.reason {
        Some(why) => by_word(app, args, source, &asked, why)?,
        None => Gates::new(app, &ground, &asked, accounts).steps(),
    };
    // A halt waits for nothing else. What is wrong with one job keeps no other back.
    steps.sort_by_key(|step| step.word.state != JobState::Suspended);
    let (mut published, mut failed) = (None, None);
    for step in steps.iter_mut().filter(|step| step.doc.moved) {
        // What goes on waits until its own file can be read, and says what is published.
        if let Some(wrong) = wrong.as_ref().filter(|_| step.word.state != JobState::Suspended)
            && folder.read_job(step.job.job_id, &lint::programs(app)).as_ref()
                != source.jobs.get(&step.job.job_id)
        {
            step.stays(wrong);
            continue;
        }
        let (words, word) = (log_words(step, args), (step.job, &step.word));
        match renew::step(app, folder, &args.then, words, word, source, args.reason.is_some()) {
            Ok(done) => published = done.map(|done| folder::doc(app, &done)).or(published),
            Err(failure) => {
                step.stays(&failure);
                failed = failed.or(Some(failure));
            }
        }
    }
    let halted = steps.iter().any(|step| step.doc.moved && step.word.state == JobState::Suspended);
    let doc = AdvanceDoc {
        jobs: steps.drain(..).map(|step| step.doc).collect(),
        unsigned_reports: signs && folder.settings.unsigned_reports && args.reason.is_none(),
        published,
        dry_run: app.dry_run,
    };
    app.out.view(&doc, || shown::page(app, &doc))?;
    match failed.or_else(|| wrong.clone()) {
        // What is wrong with another job hides no halt.
        Some(failure) if halted => app.out.error(&failure),
        Some(failure) => return Err(failure),
        None => {}
    }
    Ok(if halted { Exit::Findings } else { Exit::Done })
}

impl Step<'_> {
    /// The job is as it was.
    fn stays(&mut self, failure: &Failure) {
        self.word = self.was.clone();
        self.doc.stand(self.job, self.was);
        self.doc.moved = false;
        self.doc.error = Some(failure.clone());
    }
}

/// The jobs that are meant: one, or all that have somewhere to go or may still be halted.
fn asked<'a>(app: &App, args: &AdvanceArgs, source: &'a Source) -> Result<Vec<&'a (Job, Word)>> {
    let Some(id) = args.job else {
        let on_the_way = |(job, word): &&(Job, Word)| {
            word.state == JobState::Active
                && !(job.phases.is_empty() && word.canary.is_empty())
                && ended(&job.times, word).is_none_or(|at| at > app.now)
        };
        return Ok(source.jobs.values().filter(on_the_way).collect());
    };
    let one = source.jobs.get(&id).ok_or_else(|| no_such_job(id))?;
    if one.1.state != JobState::Active {
        let message = format!("{id} is {}", one.1.state);
        let remedy = match one.1.state {
            JobState::Cancelled => "Send it as a new job",
            JobState::Active | JobState::Suspended => "Resume it first: pcm job resume",
        };
        return Err(Failure::new(Exit::Refused, "no-change", message, remedy));
    }
    Ok(vec![one])
}

/// The next phase of one job, because somebody says so.
fn by_word<'a>(
    app: &App,
    args: &AdvanceArgs,
    source: &Source,
    asked: &[&'a (Job, Word)],
    why: &str,
) -> Result<Vec<Step<'a>>> {
    let why = reason(why)?;
    let mut steps = Vec::new();
    for (job, word) in asked {
        let (percent, _) = next(job, word).ok_or_else(|| {
            let message = format!("{} has reached all of its machines", job.job_id);
            Failure::new(Exit::Refused, "no-change", message, "Nothing has to be done")
        })?;
        folder::expect(super::jobs::met(job, source).0, &args.then)?;
        let (was, word) = (word, Word { percent, reached: Some(app.now), ..word.clone() });
        let mut doc = StepDoc::of(job, &word, Phase::default());
        doc.moved = true;
        doc.words = vec![SafeText::new(&format!("on your word: {why}"))];
        steps.push(Step { job, was, word, doc });
    }
    Ok(steps)
}

/// What the log of publications says of a step.
fn log_words(step: &Step<'_>, args: &AdvanceArgs) -> String {
    let id = step.job.job_id;
    let words: Vec<&str> = step.doc.words.iter().map(SafeText::as_str).collect();
    match (&args.reason, &step.word.reason) {
        (None, Some(reason)) if step.word.state == JobState::Suspended => {
            format!("job advance {id} {reason}")
        }
        (Some(why), _) => {
            let why = SafeText::new(why);
            format!("job advance {id} to {} % ({why})", target::percent(step.word.percent))
        }
        (None, _) => {
            format!("job advance {id} to {} % ({})", target::percent(step.word.percent), words.join("; "))
        }
    }
}

/// What jobs are judged by, beside what machines report.
#[derive(PartialEq)]
struct Ground {
    folder: Folder,
    source: Source,
    /// What is published.
    standing: Option<Standing>,
    /// Somebody's signature counts at this site.
    signs: bool,
    /// Reports count.
    counted: bool,
    /// What is wrong with a file of the folder: `source` is what is published then.
    wrong: Option<Failure>,
    /// Whose reports, where they have to be signed.
    whose: Option<Whose>,
}

impl Ground {
    fn of(app: &App, folder: Folder, standing: Option<Standing>) -> Result<Self> {
        let programs = lint::programs(app);
        let (source, wrong) = match folder.read(&programs) {
            Ok(source) => (source, None),
            // A file that somebody is writing keeps no halt back.
            Err(wrong) => {
                let serial = standing.as_ref().map(|standing| standing.index.serial);
                let then = serial.and_then(|serial| past::published(&folder, serial, &programs));
                (then.ok_or_else(|| wrong.clone())?, Some(wrong))
            }
        };
        let signs = folder.trust_list()?.is_some();
        let whose = Whose::of(&folder, &source.machines)?;
        let counted = whose.as_ref().is_none_or(|whose| !whose.knows_nobody());
        Ok(Self { folder, source, standing, signs, counted, whose, wrong })
    }

    /// What the machines report that these jobs have reached, or, where they are only thought about, can reach.
    fn accounts(&self, app: &App, asked: &[&(Job, Word)]) -> Accounts {
        let reached = |member: &&Member| {
            let whole = |word: &Word| if app.dry_run { target::WHOLE } else { word.percent };
            asked.iter().any(|(job, word)| {
                phase::reaches(job, word, whole(word), member)
                    || app.dry_run && phase::reaches(job, word, 0, member)
            })
        };
        let members = self.source.members();
        let machines: BTreeSet<MachineId> =
            members.iter().filter(reached).map(|member| member.machine).collect();
        let wanted = reports::Asked {
            requests: asked.iter().map(|(job, _)| job.request_id).collect(),
            jobs: asked.iter().map(|(job, _)| job.job_id).collect(),
        };
        if machines.is_empty() {
            return Accounts::new();
        }
        let accounts = reports::read(&self.folder.share(), machines, wanted, PATIENCE);
        match &self.whose {
            Some(whose) => whose.verify(accounts),
            None => accounts,
        }
    }
}

/// What the gates of jobs go by.
struct Gates<'a> {
    app: &'a App,
    asked: &'a [&'a (Job, Word)],
    standing: Option<&'a Standing>,
    members: Vec<Member>,
    accounts: Accounts,
    /// Reports count.
    counted: bool,
    /// Launches of all jobs are spread over this time.
    spread: Duration,
}

impl<'a> Gates<'a> {
    fn new(app: &'a App, ground: &'a Ground, asked: &'a [&'a (Job, Word)], accounts: Accounts) -> Self {
        let Ground { source, standing, counted, .. } = ground;
        let spread = source.policies.get(EVERYBODY).and_then(|rules| rules.spread).unwrap_or_default();
        let (standing, counted) = (standing.as_ref(), *counted);
        Self { app, asked, standing, members: source.members(), accounts, counted, spread }
    }

    fn steps(&self) -> Vec<Step<'a>> {
        self.asked.iter().map(|(job, word)| self.step(job, word)).collect()
    }

    fn step(&self, job: &'a Job, word: &'a Word) -> Step<'a> {
        let published = Published { standing: self.standing, counted: self.counted };
        let stand = published.stand(job, word, self.app.now);
        let mut phase = phase::count(&stand, word.percent, &self.members, &self.accounts);
        let Course { next, next_at, judged, unjudged } = published.course(&stand, &phase);
        let mut words: Vec<String> = unjudged.into_iter().collect();
        let mut after = word.clone();
        match (judged.answer, next) {
            (Answer::Halt, _) => {
                after.state = JobState::Suspended;
                after.reason = Some(SafeText::new(&gate::halted(&phase.counts, &word.limits)));
                after.since = Some(self.app.now);
            }
            (Answer::GoOn | Answer::AsSeen, Some(percent)) => {
                after.percent = percent;
                after.reached = Some(self.app.now);
            }
            (Answer::GoOn | Answer::AsSeen, None) | (Answer::Undecided, _) => {}
        }
        words.extend(self.words(&judged, &phase, word, next_at));
        let counts = phase.counts;
        let moved = after != *word;
        let silent = std::mem::take(&mut phase.silent);
        let mut doc = StepDoc::of(job, &after, phase);
        doc.gate = Some(GateDoc {
            answer: judged.answer,
            n: counts.n,
            f: counts.f,
            limit: f64::from(word.limits.max_failure_rate) / f64::from(target::WHOLE),
            needs: gate::needs(&counts, &word.limits),
        });
        if !moved {
            (doc.next_phase, doc.next_at) = (next.map(in_percent), next_at);
        }
        let mut silent: Vec<ReasonDoc> =
            silent.into_iter().map(|(reason, machines)| ReasonDoc { reason, machines }).collect();
        silent.sort_by_key(|reason| std::cmp::Reverse(reason.machines));
        doc.silent_because = silent;
        doc.since = begun(word).max(word.since).filter(|_| judged.answer == Answer::Undecided);
        doc.words = words.iter().map(|words| SafeText::new(words)).collect();
        doc.moved = moved;
        if self.app.dry_run {
            doc.phases = self.phases(&stand);
        }
        Step { job, was: word, word: after, doc }
    }

    fn words(&self, judged: &Judged, phase: &Phase, word: &Word, next_at: Option<Wall>) -> Vec<String> {
        let counts = &phase.counts;
        match judged.answer {
            Answer::Halt => vec![gate::halted(counts, &word.limits)],
            Answer::GoOn => vec![gate::known(counts)],
            Answer::AsSeen if counts.machines == 0 && phase.not_targets > 0 => {
                vec![format!("all {} say that it is not for them", phase.not_targets)]
            }
            Answer::AsSeen if counts.machines == 0 => {
                vec!["none of its machines is in this phase".to_owned()]
            }
            Answer::AsSeen if counts.machines == counts.nothing => {
                vec![format!("all {} have nothing to do", counts.machines)]
            }
            Answer::AsSeen => {
                let all = format!("all {} have ended, {} of {} failed", counts.machines, counts.f, counts.n);
                vec![format!("{all}: as seen, not proven")]
            }
            Answer::Undecided => {
                let lacks = judged.lacks.iter().map(|lacks| match (lacks, next_at) {
                    (Lacks::Time, Some(at)) => {
                        format!("its time comes at {}", self.app.look().time_and_distance(at))
                    }
                    (Lacks::Time, None) => {
                        "when its phase began is not known: write reached = TIME into the job's file"
                            .to_owned()
                    }
                    (lacks, _) => gate::missing(*lacks, counts, &word.limits),
                });
                let known = (!judged.lacks.is_empty() && counts.n > 0).then(|| gate::known(counts));
                known.into_iter().chain(lacks).collect()
            }
        }
    }

    /// Every phase of a job, and what a halt in it could still keep back.
    fn phases(&self, stand: &Stand<'_>) -> Vec<PhaseDoc> {
        let (job, word) = (stand.job, stand.word);
        let shares = course::shares(job, word);
        let from = gate::provable_from(&word.limits);
        let spread = job.spread.unwrap_or_default().max(self.spread);
        shares
            .into_iter()
            .map(|percent| {
                let ahead = phase::ahead(stand, percent, &self.members, &self.accounts);
                let reach = ahead.interval.unwrap_or(self.app.setup.config.polling_interval);
                PhaseDoc {
                    percent: in_percent(percent),
                    machines: ahead.machines,
                    provable: from.is_some_and(|from| ahead.machines >= from),
                    provable_from: from,
                    silent: ahead.silent,
                    launched_before_halt: launched(ahead.machines, reach, spread),
                }
            })
            .collect()
    }
}

/// So many launch within the time in which a halt reaches nobody: until their next poll.
fn launched(machines: u64, reach: Duration, spread: Duration) -> u64 {
    if spread <= reach {
        return machines;
    }
    let share = u128::from(machines) * reach.as_millis();
    u64::try_from(share.div_ceil(spread.as_millis())).unwrap_or(machines)
}

fn in_percent(hundredths: u32) -> f64 {
    f64::from(hundredths) / 100.0
}

impl StepDoc {
    fn of(job: &Job, word: &Word, phase: Phase) -> Self {
        let counts = phase.counts;
        let mut doc = Self {
            job_id: job.job_id,
            request_id: job.request_id,
            state: word.state,
            reason: word.reason.clone(),
            percent: in_percent(word.percent),
            next_phase: None,
            next_at: None,
            gate: None,
            machines: counts.machines,
            ended: counts.ended,
            running: counts.running,
            silent: counts.silent,
            not_targets: phase.not_targets,
            failed: phase.failed,
            silent_because: Vec::new(),
            words: Vec::new(),
            error: None,
            since: None,
            phases: Vec::new(),
            title: format!("{}  {}: {}", job.job_id, job.package, job.command),
            moved: false,
        };
        doc.stand(job, word);
        doc
    }

    /// Where the job stands by this word.
    fn stand(&mut self, job: &Job, word: &Word) {
        let following = next(job, word);
        self.state = word.state;
        self.reason.clone_from(&word.reason);
        self.percent = in_percent(word.percent);
        self.next_phase = following.map(|(percent, _)| in_percent(percent));
        self.next_at = following.and_then(|(_, after)| word.reached.map(|at| later(at, after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_launches_before_a_halt_arrives_is_a_share_of_the_spread() {
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        assert_eq!(launched(1_000, hours(1), hours(4)), 250);
        assert_eq!(launched(1_000, hours(1), hours(1)), 1_000);
        assert_eq!(launched(1_000, hours(1), Duration::ZERO), 1_000);
        assert_eq!(launched(3, hours(1), hours(100)), 1);
        assert_eq!(launched(0, hours(1), hours(100)), 0);
    }
}
