//! The same decision on a virtual clock: when each request will run if nothing happens but time, or that it never will
//! and why. It steps from one gate change to the next, starts what is due as the service would, and lets every run
//! succeed. Pure; called by `pcm simulate` and by forecasts.

use super::decide::{decide, due_in_order, next_instant};
use super::model::{
    Attempt, Code, ContentFact, Decision, Facts, HistoryView, Inputs, Instructions, State, UserFact,
};
use super::words::later;
use super::world::running;
use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::site::instruction::{Entry, Request};
use crate::text::SafeText;
use std::time::Duration;

/// What is taken for granted about the time to come, beside that every run succeeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// How long runs take.
    pub runs_take: RunTime,
    /// Who will be logged on; None: as the facts say.
    pub users: Option<Vec<UserFact>>,
    /// Files that are not copied yet will have been copied. Wrong or loose ones stay so.
    pub content_arrives: bool,
}

/// How long runs take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunTime {
    /// As long as they may: `max_run_time`.
    #[default]
    Longest,
    /// No time at all.
    Nothing,
}

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// When it starts by itself.
    pub at: Option<Wall>,
    /// It never will, whatever happens.
    pub never: bool,
    /// In a few words, as the list would say at the end.
    pub why: SafeText,
    /// Every change of state or of the first code in the way; the first entry is where it begins.
    pub changes: Vec<Step>,
}

/// From here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Wall,
    /// The state.
    pub state: State,
    /// The first gate's code that does not pass.
    pub code: Option<Code>,
}

/// More steps than any real file needs in a year; a bound all the same.
const MAX_STEPS: usize = 100_000;

/// What becomes of every request from one instant until another (not included), in the order of `decide`. The share is
/// taken to go on answering if it answers now.
pub fn simulate(inputs: &Inputs, from: Wall, until: Wall, assumptions: &Assumptions) -> Vec<Timeline> {
    let mut world = Virtual::new(inputs, from, assumptions);
    let mut timelines: Vec<Timeline> = Vec::new();
    for _ in 0..MAX_STEPS {
        let decisions = world.decide();
        note(&mut timelines, &decisions, world.now);
        if world.run.is_none()
            && let Some(index) = due_in_order(&decisions).first()
            && world.start(&decisions[*index])
        {
            timelines[*index].at.get_or_insert(world.now);
            continue;
        }
        let change = next_instant(&decisions, world.now);
        let end = world.run.as_ref().map(|run| run.ends);
        let Some(next) = change.into_iter().chain(end).min().filter(|next| *next < until) else { break };
        world.now = next;
        world.end_what_is_over();
    }
    timelines
}

/// Adds what changed.
fn note(timelines: &mut Vec<Timeline>, decisions: &[Decision], now: Wall) {
    for (index, decision) in decisions.iter().enumerate() {
        if index == timelines.len() {
            timelines.push(Timeline {
                request_id: decision.request_id,
                at: None,
                never: false,
                why: SafeText::default(),
                changes: Vec::new(),
            });
        }
        let timeline = &mut timelines[index];
        let step = Step { at: now, state: decision.state, code: decision.gates.iter().find_map(|g| g.code) };
        let same = |last: &Step| (last.state, last.code) == (step.state, step.code);
        if !timeline.changes.last().is_some_and(same) {
            timeline.changes.push(step);
        }
        timeline.never = timeline.at.is_none() && decision.never;
        timeline.why.clone_from(&decision.why);
    }
}

/// The machine as it will be: its own copies of what changes while time passes.
struct Virtual<'a> {
    inputs: &'a Inputs<'a>,
    now: Wall,
    instructions: Instructions,
    history: HistoryView,
    facts: Facts,
    run: Option<Run>,
    runs_take: RunTime,
}

/// What runs on the virtual machine.
struct Run {
    id: RequestId,
    ends: Wall,
}

impl<'a> Virtual<'a> {
    fn new(inputs: &'a Inputs<'a>, from: Wall, assumptions: &Assumptions) -> Virtual<'a> {
        let mut facts = inputs.facts.clone();
        if let Some(users) = &assumptions.users {
            facts.users = Some(users.clone());
        }
        // What is announced is due; the virtual machine gives no notice.
        facts.countdown = None;
        let instructions = inputs.instructions.clone();
        let mut world = Virtual {
            inputs,
            now: from,
            instructions,
            history: inputs.history.clone(),
            facts,
            run: None,
            runs_take: assumptions.runs_take,
        };
        if assumptions.content_arrives {
            world.copy_everything();
        }
        // What runs already ends as well, at its time limit.
        if let Some((id, since)) = world.facts.running {
            let take = world.request(id).map_or(inputs.policy.config.run.max_run_time, |r| r.max_run_time);
            world.run = Some(Run { id, ends: later(since, world.takes(take)).max(from) });
            world.end_what_is_over();
        }
        world
    }

    fn takes(&self, longest: Duration) -> Duration {
        match self.runs_take {
            RunTime::Longest => longest,
            RunTime::Nothing => Duration::ZERO,
        }
    }

    fn copy_everything(&mut self) {
        let entries = self.instructions.file.iter().flat_map(|f| &f.requests);
        for entry in entries {
            let Entry::Good(request) = entry else { continue };
            let Some(hash) = &request.content_sha256 else { continue };
            let here = self.facts.content.entry(hash.clone()).or_insert(ContentFact::Staged);
            if matches!(here, ContentFact::Missing(_)) {
                *here = ContentFact::Staged;
            }
        }
    }

    fn decide(&mut self) -> Vec<Decision> {
        if self.instructions.fault.is_none() && self.instructions.share_seen.is_some() {
            self.instructions.share_seen = Some(self.now);
        }
        decide(&Inputs {
            instructions: &self.instructions,
            history: &self.history,
            facts: &self.facts,
            policy: self.inputs.policy,
            zone: self.inputs.zone,
            now: self.now,
        })
    }

    fn request(&self, id: RequestId) -> Option<&Request> {
        self.instructions.file.iter().flat_map(|f| &f.requests).find_map(|entry| match entry {
            Entry::Good(request) if request.request_id == id => Some(&**request),
            _ => None,
        })
    }

    /// Starts what is due. False: it cannot be started, and nothing has changed.
    fn start(&mut self, decision: &Decision) -> bool {
        let Some(request) = decision.request_id.and_then(|id| self.request(id)) else { return false };
        let (id, ends) = (request.request_id, later(self.now, self.takes(request.max_run_time)));
        let attempt = Attempt {
            number: decision.attempt + 1,
            state: State::Running,
            retry_at: None,
            package: request.package.clone(),
            command: request.command.clone(),
            job_id: request.job_id,
            package_id: request.package_id,
            claimed_at: self.now,
            started_at: Some(self.now),
            ended_at: None,
            exit_code: None,
            result: SafeText::default(),
            by: "service".into(),
            reason: SafeText::default(),
            boot_id: self.facts.boot_id.clone(),
        };
        self.history.attempts.entry(id).or_default().push(attempt);
        self.facts.running = Some((id, self.now));
        self.run = Some(Run { id, ends });
        self.end_what_is_over();
        true
    }

    fn end_what_is_over(&mut self) {
        let Some(run) = self.run.take_if(|run| run.ends <= self.now) else { return };
        self.facts.running = None;
        let newest = self.history.attempts.get_mut(&run.id).and_then(|attempts| attempts.last_mut());
        if let Some(attempt) = newest.filter(|a| running(a.state)) {
            attempt.state = State::Succeeded;
            attempt.ended_at = Some(run.ends);
        }
    }
}
