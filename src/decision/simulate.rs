//! The same decision on a virtual clock: when each request will run if nothing happens but time, or that it never will
//! and why. It steps from one gate change to the next, gives notice, starts what is due and restarts the machine as the
//! service would, and lets every run succeed. Pure; called by `pcm simulate` and by forecasts. `assume` holds what is taken for granted, `machine` the
//! machine as it will be.

mod assume;
mod machine;

pub use super::usual::RunTime;
pub use assume::{Assumptions, Content, Obstacle, possible};

use super::decide::{next_instant, next_up};
use super::model::{Decision, Facts, HistoryView, Inputs, Instructions, NextRun, Policy};
use crate::clock::{Wall, Zone};
use crate::site::ids::RequestId;
use crate::terms::{Code, Group, State};
use crate::text::{SafeText, short};
use machine::{Machine, policy_of};

/// What a decision depends on beside the time, owned: so that a simulation needs nobody's lock.
#[derive(Debug, Clone)]
pub struct Situation {
    /// What is published for this machine.
    pub instructions: Instructions,
    /// What was attempted, deferred and held here.
    pub history: HistoryView,
    /// What the machine is like now.
    pub facts: Facts,
    /// What the configuration allows.
    pub policy: Policy,
    /// The machine's own zone.
    pub zone: Zone,
}

impl Situation {
    /// The same at an instant, as the core takes it.
    pub fn inputs(&self, now: Wall) -> Inputs<'_> {
        Inputs {
            instructions: &self.instructions,
            history: &self.history,
            facts: &self.facts,
            policy: &self.policy,
            zone: &self.zone,
            now,
        }
    }
}

/// What becomes of all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// How far it was followed: as wanted, or less where too much would have happened.
    pub until: Wall,
    /// In the order of `decide`.
    pub timelines: Vec<Timeline>,
}

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// The package's name.
    pub package: SafeText,
    /// When it starts by itself, at the earliest.
    pub at: Option<Wall>,
    /// When that is at the latest, perhaps after this time. None: perhaps not at all, or nobody knows.
    pub latest: Option<Wall>,
    /// It never will, whatever happens.
    pub never: bool,
    /// What opens the way where it runs; else, as the list would say it at the end, why it does not.
    pub why: SafeText,
    /// Every change of state or of the first code in the way; the first entry is where it begins.
    pub changes: Vec<Step>,
    /// What was in the way when it was last seen waiting, and what ran then.
    waited_for: Vec<(Code, Option<RequestId>)>,
    /// It has started.
    started: bool,
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

/// More decisions of one request than any real file needs in a year; a bound all the same, of some seconds.
const MAX_WORK: usize = 4_000_000;

/// What becomes of every request from one instant until another (not included). The clock starts at `from`: nothing is
/// taken to have happened between now and then. The share is taken to go on answering if it answers now.
pub fn simulate(inputs: &Inputs, from: Wall, until: Wall, assumptions: &Assumptions) -> Course {
    let course = simulate_while(inputs, from, until, assumptions, &|| true);
    course.expect("it goes on as long as it likes")
}

/// The same as long as `go_on` says so, which is asked in every round; None: it did not.
pub fn simulate_while(
    inputs: &Inputs,
    from: Wall,
    until: Wall,
    assumptions: &Assumptions,
    go_on: &dyn Fn() -> bool,
) -> Option<Course> {
    let policy = policy_of(inputs, assumptions);
    let mut machine = Machine::new(inputs, &policy, from, assumptions);
    let mut decisions = machine.decide();
    let mut timelines: Vec<Timeline> = decisions.iter().map(Timeline::new).collect();
    let mut changed: Vec<usize> = (0..decisions.len()).collect();
    // When a gate of each can next change by time, where anything can still become of it: looked at in every round.
    let mut next_of: Vec<Option<Wall>> = vec![None; decisions.len()];
    let mut work = 0;
    let done = |machine: &Machine, until: Wall, mut timelines: Vec<Timeline>, decisions: Vec<Decision>| {
        for (timeline, decision) in timelines.iter_mut().zip(decisions) {
            timeline.ends(decision);
            let next = timeline.request_id.and_then(|id| machine.outlook.get(&id)).copied();
            timeline.foretold(next, until);
        }
        Some(Course { until, timelines })
    };
    loop {
        for index in &changed {
            let decision = &decisions[*index];
            timelines[*index].note(decision, &machine);
            next_of[*index] = next_instant(std::slice::from_ref(decision), machine.now);
        }
        if !go_on() {
            return None;
        }
        work += changed.len().max(1);
        if work > MAX_WORK {
            return done(&machine, machine.now, timelines, decisions);
        }
        changed = match step(&mut machine, &decisions, &mut timelines) {
            Some(changed) => changed,
            None => {
                let next = next_of.iter().copied().flatten().chain(machine.next()).min();
                let Some(next) = next.filter(|next| *next < until) else {
                    return done(&machine, until, timelines, decisions);
                };
                machine.now = next;
                // The end of a run can open anything; time only what says that it changes now.
                match machine.end_what_is_over() {
                    true => which(&decisions, live),
                    false => {
                        let changes = |i: &usize| {
                            decisions[*i].queued.is_some() || next_of[*i].is_some_and(|at| at <= next)
                        };
                        (0..next_of.len()).filter(changes).collect()
                    }
                }
            }
        };
        machine.decide_again(&mut decisions, &changed);
    }
}

/// What the service does at this instant, in its order: restart the machine, count down, start. The places of what has
/// to be decided anew; None: nothing is to be done before time passes.
fn step(machine: &mut Machine, decisions: &[Decision], timelines: &mut [Timeline]) -> Option<Vec<usize>> {
    if machine.restart_step() {
        return Some((0..decisions.len()).collect());
    }
    // Seen running first: where it begins, every request is as the list has it.
    if machine.run.is_some() {
        return machine.end_what_is_over().then(|| which(decisions, live));
    }
    if machine.empty_queue(decisions) {
        return Some((0..decisions.len()).collect());
    }
    let next = next_up(machine.history(), decisions);
    let first = next.filter(|next| !next.queued).map(|next| next.index);
    let (start, announced) = machine.count_down(first.map(|index| &decisions[index]));
    if let Some(index) = next.filter(|next| start || next.queued).map(|next| next.index)
        && machine.start(&decisions[index])
    {
        timelines[index].starts(machine.now);
        return Some(which(decisions, live));
    }
    let named = |d: &Decision| d.request_id.is_some_and(|id| announced.contains(&id));
    (!announced.is_empty()).then(|| which(decisions, named))
}

fn which(decisions: &[Decision], wanted: impl Fn(&Decision) -> bool) -> Vec<usize> {
    (0..decisions.len()).filter(|index| wanted(&decisions[*index])).collect()
}

/// Whether anything can still become of it. What is for others may be for this machine once another job has run here, and
/// what has nothing to do has it once another one has removed or installed something.
fn live(decision: &Decision) -> bool {
    match decision.state.group() {
        Group::Pending | Group::Running => true,
        Group::Skipped => !decision.never,
        Group::Executed | Group::Expired | Group::Rejected => false,
    }
}

impl Timeline {
    fn new(decision: &Decision) -> Timeline {
        Timeline {
            request_id: decision.request_id,
            package: decision.package.clone(),
            at: None,
            latest: None,
            never: false,
            why: SafeText::default(),
            changes: Vec::new(),
            waited_for: Vec::new(),
            started: false,
        }
    }

    fn note(&mut self, decision: &Decision, machine: &Machine) {
        let code = decision.gates.iter().find_map(|gate| gate.code);
        let step = Step { at: machine.now, state: decision.state, code };
        // As every view says it when this begins: what may still happen before it expires is not known here.
        if self.changes.is_empty() {
            self.never = decision.never;
        }
        let same = |last: &Step| (last.state, last.code) == (step.state, step.code);
        if !self.changes.last().is_some_and(same) {
            self.changes.push(step);
        }
        if !self.started {
            self.why = SafeText::EMPTY;
            // It has not expired yet, and the history of a virtual time does not say what was in its way then.
            let waits = |step: &&Step| step.state.group() == Group::Pending || step.state == State::NotNeeded;
            let before = self.changes.iter().rev().find(waits);
            if let (State::Expired, Some(code)) = (decision.state, before.and_then(|step| step.code)) {
                let expires = decision.expire_after.unwrap_or(machine.now);
                let at = short(expires, machine.began(), machine.zone());
                self.why = format!("expires {at}: {}", code.row().brief).into();
            }
            if decision.state.group() == Group::Pending && decision.state != State::Due {
                // Put into words where it starts: most are seen waiting many times.
                let runs = machine.run.as_ref().map(|run| run.id);
                self.waited_for.clear();
                for code in decision.gates.iter().filter_map(|gate| gate.code) {
                    if !self.waited_for.iter().any(|(known, _)| *known == code) {
                        self.waited_for.push((code, runs));
                    }
                }
            }
        }
    }

    /// Takes the words of the last decision, where nothing else was said: most are decided many times before.
    fn ends(&mut self, last: Decision) {
        if !self.started && self.why.is_empty() {
            self.why = last.why;
        }
    }

    fn starts(&mut self, now: Wall) {
        // Also where it takes no time.
        self.changes.push(Step { at: now, state: State::Running, code: Some(Code::Done) });
        if !self.started {
            self.started = true;
            self.never = false;
            let words: Vec<String> =
                self.waited_for.iter().map(|(code, runs)| opened(*code, *runs)).collect();
            self.why = match words.as_slice() {
                [] => "nothing is in its way".into(),
                words => words.join("; ").into(),
            };
        }
    }

    /// Puts in when it starts, as every view says it.
    fn foretold(&mut self, next: Option<NextRun>, until: Wall) {
        let Some(next) = next.filter(|next| next.at < until) else { return };
        (self.at, self.latest, self.never) = (Some(next.at), next.latest, false);
        if !self.started {
            self.why = "its turn comes if others take another time than usual".into();
        }
    }
}

/// What happens when this code goes, in a few words. `runs`: what ran while it was in the way.
fn opened(code: Code, runs: Option<RequestId>) -> String {
    match runs.filter(|_| code == Code::Busy) {
        Some(run) => format!("{run} ends"),
        None => code.row().opens.to_owned(),
    }
}
