//! The machine as it will be: its own copies of what changes while time passes, with the assumptions in force. `simulate`
//! moves its clock and starts what is due.

use super::super::countdown::{self, Countdown, room};
use super::super::decide::{decide, decide_some};
use super::super::model::{
    Attempt, Decision, Facts, HistoryView, Inputs, Instructions, NextRun, Policy, Power, Queued, SERVICE,
};
use super::super::outlook::{arrive, outlook};
use super::super::restart::{RestartState, restart_plan};
use super::super::restart_count::{self, Restart};
use super::super::usual::{RunTime, UsualTimes};
use super::super::world::{Kept, running, windows};
use super::assume::{Assumptions, Content, Obstacle};
use crate::clock::{Monotonic, Wall, Zone, between, later};
use crate::site::ids::RequestId;
use crate::site::instruction::{Entry, Request, Restarts};
use crate::site::share::SourceFault;
use crate::terms::{Code, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Machine<'a> {
    inputs: &'a Inputs<'a>,
    pub now: Wall,
    instructions: Instructions,
    history: HistoryView,
    facts: Facts,
    policy: &'a Policy,
    kept: Kept<'a>,
    /// What runs on it.
    pub run: Option<Run>,
    runs_take: RunTime,
    usual: &'a UsualTimes,
    /// When each starts, as every view says it.
    pub outlook: BTreeMap<RequestId, NextRun>,
    /// Where the virtual clock began; the other clock counts from there.
    began: Wall,
    countdown: Countdown,
    restart: Restart,
    /// How often it has restarted.
    boots: u32,
}

/// A run on the virtual machine.
pub(super) struct Run {
    pub id: RequestId,
    pub ends: Wall,
}

/// The configuration under these assumptions.
pub(super) fn policy_of(inputs: &Inputs, assumptions: &Assumptions) -> Policy {
    let mut policy = inputs.policy.clone();
    if let Some(windows) = &assumptions.windows {
        policy.config.windows.weekly.clone_from(windows);
        policy.groups.iter_mut().for_each(|group| group.windows = None);
    }
    if assumptions.without.contains(&Obstacle::Freeze) {
        policy.config.freezes.clear();
        policy.groups.iter_mut().for_each(|group| group.freezes.clear());
    }
    policy
}

impl<'a> Machine<'a> {
    /// `policy`: what [`policy_of`] made of the inputs' own.
    pub fn new(
        inputs: &'a Inputs<'a>,
        policy: &'a Policy,
        from: Wall,
        assumptions: &Assumptions,
    ) -> Machine<'a> {
        let mut machine = Machine {
            inputs,
            now: from,
            instructions: inputs.instructions.clone(),
            history: inputs.history.clone(),
            facts: inputs.facts.clone(),
            policy,
            kept: Kept::new(inputs, windows(policy, from)),
            run: None,
            runs_take: assumptions.runs_take,
            usual: inputs.history.attempts.usual_times(),
            outlook: BTreeMap::new(),
            began: from,
            countdown: Countdown::default(),
            restart: Restart::default(),
            boots: 0,
        };
        if let Some(announced) = machine.facts.countdown {
            let left = between(from, announced.ends);
            machine.countdown = Countdown::going_on(announced.request, left, machine.monotonic());
        }
        machine.assume(assumptions);
        machine.see_share();
        machine.outlook = outlook(&machine.inputs_now(), assumptions.runs_take);
        // What runs already ends as well.
        if let Some((id, since)) = machine.facts.running {
            let request = machine.request(id);
            let longest = request.map_or(inputs.policy.config.run.max_run_time, |r| r.max_run_time);
            machine.run = Some(Run { id, ends: later(since, machine.takes(request, longest)).max(from) });
        }
        machine
    }

    fn assume(&mut self, assumptions: &Assumptions) {
        if let Some(users) = &assumptions.users {
            self.facts.users = Some(users.clone());
        }
        match assumptions.share {
            Some(true) => {
                self.instructions.fault = None;
                self.instructions.share_seen = Some(self.now);
            }
            Some(false) => {
                self.instructions.fault =
                    Some(SourceFault { code: Code::ShareMissing, problems: Vec::new() });
            }
            None => {}
        }
        match assumptions.content {
            Content::AsItIs => {}
            // From a share that does not answer nothing arrives.
            Content::Arrives if self.instructions.fault.is_some() => {}
            Content::Arrives => arrive(&self.instructions, &mut self.facts, false),
            Content::Copied => arrive(&self.instructions, &mut self.facts, true),
        }
        for obstacle in &assumptions.without {
            self.without(*obstacle);
        }
    }

    fn without(&mut self, obstacle: Obstacle) {
        match obstacle {
            Obstacle::Hold => self.history.hold = None,
            Obstacle::Freeze => self.instructions.site_freezes.clear(),
            Obstacle::Deferral => self.history.deferrals.clear(),
            Obstacle::Clock => self.facts.clock_suspect = None,
            Obstacle::Service => self.facts.service = true,
            Obstacle::Restart => {
                // Another boot than that of any attempt: whatever was pending is done.
                self.facts.boot_id = "assumed".to_owned();
            }
            Obstacle::Boot => self.facts.host.started = Some(Wall::UNIX_EPOCH),
            Obstacle::Power => self.facts.host.power = Power::Mains,
            Obstacle::Disk => self.facts.disk_free = Some(u64::MAX),
            Obstacle::Platform => {
                let entries = self.instructions.file.iter_mut().flat_map(|file| &mut file.requests);
                for entry in entries {
                    if let Entry::Good(request) = entry {
                        request.platforms.clear();
                    }
                }
            }
        }
    }

    fn takes(&self, request: Option<&Request>, longest: Duration) -> Duration {
        match self.runs_take {
            RunTime::Usual => request.map_or(Duration::ZERO, |request| self.usual.get(request)),
            RunTime::Longest => longest,
            RunTime::Nothing => Duration::ZERO,
            RunTime::About(time) => time.min(longest),
        }
    }

    /// Where the virtual clock began.
    pub fn began(&self) -> Wall {
        self.began
    }

    /// The machine's own zone.
    pub fn zone(&self) -> &Zone {
        self.inputs.zone
    }

    /// What is decided of every request now.
    pub fn decide(&mut self) -> Vec<Decision> {
        self.see_share();
        decide(&self.inputs_now())
    }

    /// Decides anew about some of them, by their places in what `decide` gave.
    pub fn decide_again(&mut self, decisions: &mut [Decision], which: &[usize]) {
        self.see_share();
        decide_some(&self.inputs_now(), &self.kept, decisions, which);
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(between(self.began, self.now))
    }

    /// One step of the countdown, as the service makes it. `first`: what is due, first in order. Returns whether that may
    /// start now, and the requests that are announced no more or from now on.
    pub fn count_down(&mut self, first: Option<&Decision>) -> (bool, Vec<RequestId>) {
        let due = first.and_then(|d| Some((d.request_id?, room(d, self.now))));
        let notice = self.policy.config.run.countdown;
        let seen = countdown::Seen { due, attended: self.facts.attended(), notice };
        let act = self.countdown.step(self.monotonic(), &seen);
        let announced = self.countdown.announced(self.monotonic(), self.now);
        let before = std::mem::replace(&mut self.facts.countdown, announced);
        let changed = if before == announced { [None, None] } else { [before, announced] };
        (act.start.is_some(), changed.into_iter().flatten().map(|a| a.request).collect())
    }

    /// One step of a pending restart, as the service makes it. True: the machine has restarted, which takes no time here.
    pub fn restart_step(&mut self) -> bool {
        if !self.restart_is_pending() {
            return false;
        }
        let plan = restart_plan(&self.inputs_now());
        let (due, attended) = (plan.state == RestartState::Due, self.facts.attended());
        let notice = self.policy.config.restart.countdown;
        let seen = restart_count::Seen { due, room: plan.room, attended, notice };
        // Without a countdown it takes two steps.
        let mut restarts = false;
        for _ in 0..2 {
            restarts |= self.restart.step(self.monotonic(), &seen).restart;
        }
        if restarts {
            self.boots += 1;
            self.facts.boot_id = format!("simulated-{}", self.boots);
            self.facts.host.started = self.facts.host.started.map(|_| self.now);
            self.facts.countdown = None;
            (self.countdown, self.restart) = (Countdown::default(), Restart::default());
        }
        restarts
    }

    fn restart_is_pending(&self) -> bool {
        self.facts.service
            && self.policy.config.restart.allow
            && self.kept.restart(&self.inputs_now()).is_some()
    }

    /// When something begins, ends or opens that is no gate of a request: what is announced starts, what runs ends, what
    /// keeps the machine from its restart is over.
    pub fn next(&self) -> Option<Wall> {
        // Who is told once more before the end is no matter here.
        let start = self.facts.countdown.map(|announced| announced.ends);
        let counted = start.into_iter().chain(self.restart.announced(self.monotonic(), self.now));
        let counted = counted.chain(self.history.queue.iter().map(Queued::ends));
        let restart = self.restart_is_pending().then(|| restart_plan(&self.inputs_now()).next).flatten();
        counted.chain(restart).chain(self.run.as_ref().map(|run| run.ends)).filter(|at| *at > self.now).min()
    }

    fn see_share(&mut self) {
        if self.instructions.fault.is_none() && self.instructions.share_seen.is_some() {
            self.instructions.share_seen = Some(self.now);
        }
    }

    fn inputs_now(&self) -> Inputs<'_> {
        Inputs {
            instructions: &self.instructions,
            history: &self.history,
            facts: &self.facts,
            policy: self.policy,
            zone: self.inputs.zone,
            now: self.now,
        }
    }

    fn request(&self, id: RequestId) -> Option<&Request> {
        self.instructions.file.iter().flat_map(|file| &file.requests).find_map(|entry| match entry {
            Entry::Good(request) => Some(&**request).filter(|request| request.request_id == id),
            Entry::Rejected(_) => None,
        })
    }

    /// What its history holds.
    pub fn history(&self) -> &HistoryView {
        &self.history
    }

    /// Takes out of the queue what will not start. False: nothing.
    pub fn empty_queue(&mut self, decisions: &[Decision]) -> bool {
        let stays = |id: RequestId| {
            let decision = decisions.iter().find(|decision| decision.request_id == Some(id));
            decision.and_then(|decision| decision.queued).is_some_and(|place| place.leaves.is_none())
        };
        let before = self.history.queue.len();
        self.history.queue.retain(|queued| stays(queued.request));
        self.history.queue.len() < before
    }

    /// Starts what is due, or an operator's run out of the queue. False: it cannot be started, and nothing has changed.
    pub fn start(&mut self, decision: &Decision) -> bool {
        let Some(request) = decision.request_id.and_then(|id| self.request(id)) else { return false };
        let (id, ends) =
            (request.request_id, later(self.now, self.takes(Some(request), request.max_run_time)));
        let number = decision.attempt + 1;
        let queued = self.history.queue.iter().find(|queued| queued.request == id);
        let by = queued.map_or(SERVICE.into(), |queued| queued.by.clone());
        let claimed = Attempt::claimed(request, number, by, self.now, &self.facts.boot_id);
        let attempt = Attempt {
            started_at: Some(self.now),
            removes: self.instructions.removes(&request.request_id, &request.command),
            ..claimed
        };
        self.history.queue.retain(|queued| queued.request != id);
        self.history.attempts.entry(id).or_default().push(Arc::new(attempt));
        self.facts.running = Some((id, self.now));
        self.facts.countdown = None;
        self.countdown.launched();
        self.run = Some(Run { id, ends });
        self.end_what_is_over();
        true
    }

    /// Ends what has had its time; false: nothing has.
    pub fn end_what_is_over(&mut self) -> bool {
        let Some(run) = self.run.take_if(|run| run.ends <= self.now) else { return false };
        self.facts.running = None;
        let newest = self.history.attempts.get_mut(&run.id).and_then(|attempts| attempts.last_mut());
        if let Some(attempt) = newest.filter(|a| running(a.state)).map(Arc::make_mut) {
            // As the engine judges it: what wants pcm to restart the machine wants it.
            attempt.state = match attempt.restart.restarts {
                Restarts::Pcm => State::SucceededRestart,
                Restarts::No | Restarts::Program => State::Succeeded,
            };
            attempt.ended_at = Some(run.ends);
            self.kept.ended(run.id, attempt.state);
            if let Some(need) = self.instructions.need_of(&run.id).cloned() {
                self.facts.turn(&need);
            }
        }
        true
    }
}
