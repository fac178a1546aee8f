//! What happens in a simulated world: time passes, the service steps, operators act, and everything that can die dies.

mod day;
mod tamper;
mod year;

use super::check::Checks;
use super::mutants::Mutant;
use super::share::{Mood, SimCarrier};
use super::world::{Crash, Death, FIRST_GENERATION, Fault, Figures, SimWorld};
use super::{Failure, Focus, World, hosts};
use crate::config::{Config, Unusable};
use crate::decision::{Replace, Verb};
use crate::executor::engine::Executor;
use crate::executor::history::{self, InitOutcome, faults};
use crate::executor::talk::protocol::{Action, Call, Change};
use crate::host::account::Actor;
use crate::host::paths::Layout;
use crate::service::server::Asked;
use crate::service::steps::Steps;
use crate::service::tests::random::Random;
use crate::service::worker::Carrier;
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// More steps of the service than this in one step of the simulation: the machine sleeps for the rest of the time.
const MOST_STEPS: u32 = 40;
/// At the end it stays awake.
const STEPS_AT_REST: u32 = 2_000;

/// Where the history of a seed is: in memory, where the system has such a folder.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// One simulation.
pub struct Sim<'a> {
    pub world: Arc<SimWorld>,
    read_config: &'a dyn Fn() -> Result<Config, Unusable>,
    pub service: Option<Steps<'a>>,
    random: Random,
    pub checks: Checks,
    /// A copy of the history's file.
    backup: Option<tamper::Backup>,
    focus: Option<Focus>,
    /// The promises are looked at after every step.
    checking: bool,
}

/// Runs one seed.
pub fn run(
    seed: u64,
    steps: u32,
    mutant: Option<Mutant>,
    focus: Option<Focus>,
) -> Result<Figures, Box<Failure>> {
    begin(seed, mutant, focus, |sim| {
        let mut done = 0;
        while done < steps && sim.broken().is_none() {
            sim.step();
            done += 1;
        }
        if sim.broken().is_none() {
            sim.end_quietly();
        }
        let broken = sim.broken();
        let mut inner = sim.world.lock();
        inner.figures.steps += u64::from(done);
        match broken {
            None => Ok(inner.figures.clone()),
            Some(what) => {
                let events = inner.events.drain(..).collect();
                Err(Box::new(Failure { seed, step: done, what, events, figures: inner.figures.clone() }))
            }
        }
    })
}

/// A world of this seed in which nothing has happened yet.
fn begin<T>(
    seed: u64,
    mutant: Option<Mutant>,
    focus: Option<Focus>,
    act: impl FnOnce(&mut Sim<'_>) -> T,
) -> T {
    let folder = folder();
    let layout = Layout {
        config: folder.path().join("etc/pcm.toml"),
        state: folder.path().join("state"),
        log: folder.path().join("log"),
        socket: folder.path().join("sock"),
    };
    for dir in ["etc", "state"] {
        std::fs::create_dir(folder.path().join(dir)).unwrap();
    }
    let mut random = Random::new(seed);
    let world = Arc::new(SimWorld::new(Random::new(random.next()), layout.clone()));
    world.lock().mutant = mutant;
    let made = history::init(&layout, world.lock().wall, FIRST_GENERATION, None);
    assert_eq!(made, Ok(InitOutcome::Created));
    let hooked = Arc::clone(&world);
    faults::set(Some(Box::new(move |name| hooked.point(name, name != "committed"))));
    let config = Arc::clone(&world);
    let read_config = move || Ok(config.lock().config.clone());
    let mut sim = Sim {
        world: Arc::clone(&world),
        read_config: &read_config,
        service: None,
        random,
        checks: Checks::default(),
        backup: None,
        focus,
        checking: true,
    };
    let done = act(&mut sim);
    faults::set(None);
    done
}

impl<'a> Sim<'a> {
    /// What promise is broken, if one is.
    fn broken(&self) -> Option<Vec<String>> {
        let found = &self.world.lock().violations;
        (!found.is_empty()).then(|| found.clone())
    }

    /// Does something in the service's process, which may die of it.
    fn in_service<T>(&mut self, act: impl FnOnce(&mut Steps<'a>) -> T) -> Option<T> {
        let mut service = self.service.take()?;
        {
            let mut inner = self.world.lock();
            inner.speaking = service.executor.generation().and_then(|it| inner.generations.get(&it).copied());
        }
        match catch_unwind(AssertUnwindSafe(|| act(&mut service))) {
            Ok(done) => {
                self.service = Some(service);
                Some(done)
            }
            Err(payload) if payload.is::<Crash>() => {
                drop(service);
                self.bury();
                None
            }
            Err(payload) => {
                let what = payload
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
                let Some(what) = what else { resume_unwind(payload) };
                self.world.lock().violation(format!("the service panics: {what}"));
                None
            }
        }
    }

    /// The service's process is gone, and maybe more.
    fn bury(&mut self) {
        self.service = None;
        let mut inner = self.world.lock();
        inner.figures.crashes += 1;
        inner.figures.faults += 1;
        inner.tampered += 1;
        inner.fault = None;
        let died = inner.died.take();
        let waiting: Vec<String> = inner.hosts.keys().cloned().collect();
        for run in waiting {
            inner.close_pipe(&run);
        }
        inner.forget_jobs();
        match died {
            Some(Death::Machine) => inner.machine_crash(),
            Some(Death::ServiceAndHost) => hosts::kill_hosts(&mut inner),
            _ => {}
        }
    }

    fn die(&mut self, death: Death) {
        {
            let mut inner = self.world.lock();
            inner.note(format!("{death:?} dies"));
            inner.died = Some(death);
        }
        self.service = None;
        self.bury();
    }

    fn start(&mut self) {
        let world: Arc<SimWorld> = Arc::clone(&self.world);
        let (layout, config) = (world.layout.clone(), (self.read_config)().unwrap());
        let outside = Arc::new(World(Arc::clone(&world)));
        let made = catch_unwind(AssertUnwindSafe(|| Executor::of(outside, &layout, &config, true)));
        match made {
            Ok(executor) => {
                let carrier = |worker| -> Box<dyn Carrier> {
                    Box::new(SimCarrier { world: Arc::clone(&world), worker })
                };
                let steps = Steps::new(executor.unwrap(), self.read_config, [0, 1, 2, 3, 4].map(carrier));
                self.service = Some(steps);
                world.lock().note("the service starts".into());
            }
            Err(payload) if payload.is::<Crash>() => self.bury(),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Time passes, and the service does what it does.
    pub fn pass(&mut self, time: Duration) {
        self.pass_in(time, MOST_STEPS);
    }

    fn pass_in(&mut self, time: Duration, most_steps: u32) {
        let end = self.world.lock().mono + time;
        let boot = self.world.lock().boot;
        for _ in 0..most_steps {
            self.one_step();
            let (now, mono) = {
                let inner = self.world.lock();
                if inner.boot != boot || inner.mono >= end || !inner.violations.is_empty() {
                    return;
                }
                (inner.wall, inner.mono)
            };
            let wake = match &self.service {
                Some(service) => service.next_change(now, crate::clock::Monotonic(mono)),
                None => Duration::MAX,
            };
            let target = mono.saturating_add(wake.max(Duration::from_millis(1))).min(end);
            self.world.lock().advance(target);
            self.hear();
        }
        let mut inner = self.world.lock();
        while inner.mono < end {
            inner.advance(end);
        }
        drop(inner);
        self.hear();
        self.one_step();
    }

    fn one_step(&mut self) {
        self.in_service(Steps::step);
        self.world.lock().figures.service_steps += 1;
        if let Some(service) = self.service.as_ref().filter(|_| self.checking) {
            self.checks.after_step(&self.world, &service.executor);
        }
    }

    fn hear(&mut self) {
        loop {
            let Some(news) = self.world.lock().news.pop_front() else { return };
            self.in_service(|service| service.hear(news));
        }
    }

    /// Something happens.
    fn step(&mut self) {
        let up = self.service.is_some();
        if !up && self.random.chance(60) {
            self.start();
        }
        // What stands still for long shows nothing.
        if self.random.chance(10) {
            self.world.lock().disk_full = false;
        }
        if self.world.lock().lost && self.random.chance(8) {
            self.adopt();
        }
        if self.random.chance(5) {
            self.world.lock().touch_content();
        }
        match self.focus.filter(|_| self.random.chance(50)) {
            Some(Focus::Instants) => return self.exactly(),
            Some(Focus::Ends) => return self.await_an_end(),
            Some(Focus::At(point)) => {
                let death = *self.random.pick(&[Death::Service, Death::ServiceAndHost, Death::Machine]);
                self.world.lock().fault = Some((0, Some(point), Fault::Dies(death)));
                return self.seconds(60, 3600);
            }
            None => {}
        }
        match self.random.below(100) {
            0..=25 => self.seconds(1, 120),
            26..=39 => self.seconds(60, 3600),
            40..=41 => self.seconds(3600, 100_000),
            42..=43 => self.await_an_end(),
            44..=49 => self.exactly(),
            50..=52 => self.clock_jumps(),
            53..=56 => self.world.lock().share_event(),
            57..=61 => self.world.lock().publish(),
            62..=64 => self.users(),
            65..=77 => self.operator(),
            78..=80 => self.die(Death::Service),
            81..=82 => self.kill_host(),
            83 => self.die(Death::ServiceAndHost),
            84 => self.die(Death::Machine),
            85..=90 => self.arm(),
            91..=92 => self.fill_disk(),
            93 => self.lose_history(),
            94 => self.back_up(),
            95..=96 => self.adopt(),
            _ => self.fresh(),
        }
        self.pass(Duration::from_millis(20));
    }

    fn seconds(&mut self, from: i64, until: i64) {
        let seconds = self.random.between(from, until).unsigned_abs();
        self.pass(Duration::from_secs(seconds));
    }

    /// To exactly an instant at which something of a request changes. The machine may have been asleep until then, or
    /// held by an operator who lets it go at that very instant.
    fn exactly(&mut self) {
        let mut instants: Vec<_> = {
            let inner = self.world.lock();
            let at = |when: crate::clock::When| when.resolve(&inner.zone);
            let all = inner
                .published
                .values()
                .flat_map(|r| [Some(at(r.offer_after)), r.mandatory_after.map(&at), r.expire_after.map(&at)]);
            let soon = inner.wall + TimeDelta::hours(30);
            all.flatten().filter(|t| *t > inner.wall + TimeDelta::seconds(30) && *t < soon).collect()
        };
        instants.sort();
        if instants.is_empty() {
            return;
        }
        let to = *self.random.pick(&instants);
        let held = self.random.chance(50);
        let now = self.world.lock().wall;
        if held {
            let until = now + TimeDelta::days(3);
            self.ask(Action::Hold { until, replace: Replace::Any });
        }
        if held || self.random.chance(50) {
            self.pass((to - now).to_std().unwrap_or_default().saturating_sub(Duration::from_secs(5)));
            self.ask(Action::Poll);
            self.pass(Duration::from_secs(3));
        }
        {
            let mut inner = self.world.lock();
            let target = inner.mono + (to - inner.wall).to_std().unwrap_or_default();
            while inner.mono < target {
                inner.advance(target);
            }
        }
        if held {
            self.ask(Action::Unhold);
        }
    }

    /// Until a package that runs has ended and its end is known; then the power may be cut.
    fn await_an_end(&mut self) {
        for _ in 0..20 {
            let next = {
                let inner = self.world.lock();
                let hosts = inner.hosts.values().filter(|host| host.alive);
                hosts
                    .filter_map(super::hosts::SimHost::next_event)
                    .min()
                    .map(|at| at.saturating_sub(inner.mono))
            };
            let Some(next) = next else { break };
            self.pass(next + Duration::from_millis(1));
        }
        self.pass(Duration::from_secs(1));
        if self.random.chance(40) {
            self.die(Death::Machine);
        }
    }

    fn clock_jumps(&mut self) {
        let mut inner = self.world.lock();
        let minutes = *self.random.pick(&[-90, -30, -5, 5, 45, 600]);
        inner.wall += TimeDelta::minutes(minutes) + TimeDelta::seconds(self.random.between(0, 59));
        inner.figures.faults += 1;
        inner.note(format!("the clock jumps by {minutes} min"));
    }

    fn users(&mut self) {
        let mut inner = self.world.lock();
        inner.users = match self.random.below(6) {
            0 => None,
            1 | 2 => Some(vec!["anna"]),
            _ => Some(Vec::new()),
        };
        let users = format!("users: {:?}", inner.users);
        inner.note(users);
    }

    fn kill_host(&mut self) {
        hosts::kill_hosts(&mut self.world.lock());
    }

    fn arm(&mut self) {
        let fault = match self.random.below(10) {
            0..=4 => Fault::Error,
            5..=7 => Fault::Dies(Death::Service),
            8 => Fault::Dies(Death::ServiceAndHost),
            _ => Fault::Dies(Death::Machine),
        };
        hosts::arm(&mut self.world.lock(), fault);
    }

    fn fill_disk(&mut self) {
        let mut inner = self.world.lock();
        inner.disk_full = !inner.disk_full;
        let full = inner.disk_full;
        inner.figures.faults += u64::from(full);
        inner.note(format!("disk full: {full}"));
    }

    /// Faults end, so that not everything stands still all the time.
    fn fresh(&mut self) {
        let mut inner = self.world.lock();
        inner.disk_full = false;
        inner.share.mood = Mood::Well;
        inner.users = Some(Vec::new());
        inner.note("everything is well".into());
        drop(inner);
        self.adopt();
    }

    fn operator(&mut self) {
        let (now, ids) = {
            let inner = self.world.lock();
            (inner.wall, inner.published.keys().copied().collect::<Vec<_>>())
        };
        let request = *self.random.pick(&ids);
        let until = now + TimeDelta::minutes(self.random.between(1, 900));
        let overrides = if self.random.chance(30) { vec![crate::terms::Gate::Window] } else { Vec::new() };
        let verb = match self.random.below(9) {
            0 | 1 => Verb::Run { overrides, no_queue: false },
            2 => Verb::Rerun { overrides, no_queue: false },
            3 => Verb::Defer { until },
            4 => Verb::Undefer,
            5 => Verb::Stop,
            6 => return self.ask(Action::Hold { until, replace: Replace::Any }),
            7 => return self.ask(Action::Unhold),
            _ => return self.ask(Action::Poll),
        };
        self.ask(Action::Request(request, verb));
    }

    /// Asks the service as an operator, and remembers what it promised.
    pub fn ask(&mut self, what: Action) {
        if self.service.is_none() {
            return;
        }
        self.world.lock().note(format!("operator: {what:?}"));
        let actor = Actor {
            name: "ola".into(),
            uid: Some(0),
            login_uid: None,
            terminal: None,
            from: None,
            may_operate: true,
        };
        let (answer, mut answered) = oneshot::channel();
        let reason = Some(SafeText::new("simulated"));
        let call = Call::Change(Change { what: what.clone(), reason, dry_run: false, id: None });
        let asked = Asked { call, machine: None, actor, until: None, answer };
        self.in_service(|service| service.answer(asked));
        let answer = answered.try_recv().ok();
        let mut inner = self.world.lock();
        inner.figures.actions += 1;
        let said = match &answer {
            Some(Err(failure)) => failure.code.clone(),
            Some(Ok(_)) => "carried out".into(),
            None => "no answer".into(),
        };
        inner.note(format!("answer: {said}"));
        let done = matches!(answer, Some(Ok(_)));
        match what {
            Action::Hold { until, .. } if done => inner.held_until = Some(until),
            // Whether it counts is not known where it failed.
            Action::Hold { .. } | Action::Unhold => inner.held_until = None,
            Action::Request(request, Verb::Defer { until }) if done => {
                inner.deferred.insert(request, until);
            }
            Action::Request(request, Verb::Defer { .. } | Verb::Undefer)
                if said != "deferral-limit" && said != "deferral-too-late" =>
            {
                inner.deferred.remove(&request);
            }
            _ => {}
        }
    }

    /// No more faults: everything comes to rest, every result arrives, and another start changes nothing.
    fn end_quietly(&mut self) {
        for _ in 0..2 {
            self.fresh();
            self.world.lock().fault = None;
            if self.service.is_none() {
                self.start();
            }
            let mut before = BTreeSet::new();
            for _ in 0..8 {
                self.pass_in(Duration::from_secs(3 * 3600), STEPS_AT_REST);
                before = self.never_late(&before);
            }
        }
        // What a window has let in at the very end, and its retries.
        for _ in 0..48 {
            if self.is_quiet() {
                break;
            }
            self.pass_in(Duration::from_secs(1800), STEPS_AT_REST);
        }
        self.checks.at_rest(&self.world, self.service.as_ref().map(|service| &service.executor));
        let before = self.checks.attempts(self.service.as_ref().map(|service| &service.executor));
        self.die(Death::Service);
        self.start();
        self.pass(Duration::from_secs(120));
        let after = self.checks.attempts(self.service.as_ref().map(|service| &service.executor));
        // What another day brings may still start; what has ended stays as it is.
        if before.iter().filter(|row| row.state.is_terminal()).any(|row| !after.contains(row)) {
            self.world.lock().violation(format!("another start changes {before:?} to {after:?}"));
        }
    }

    /// Nothing runs, and no result is on its way.
    fn is_quiet(&self) -> bool {
        let running = self.service.as_ref().is_some_and(|service| service.executor.known().is_running());
        let inner = self.world.lock();
        !running && inner.jobs.is_empty() && inner.disk.names("outbox").is_empty()
    }

    /// What is due is launched: nothing is due now that was `before`, three hours ago, and has come no further since.
    fn never_late(&mut self, before: &BTreeSet<(RequestId, u32)>) -> BTreeSet<(RequestId, u32)> {
        let Some(service) = &self.service else { return BTreeSet::new() };
        if service.executor.known().is_running() {
            return BTreeSet::new();
        }
        let decisions = service.executor.known().decide(service.executor.world().now());
        let due = decisions.iter().filter(|d| d.state == State::Due);
        let due = due.filter_map(|d| Some((d.request_id?, d.attempt))).collect::<BTreeSet<_>>();
        for (id, attempt) in due.intersection(before) {
            let what = format!("P5: {id} is due after attempt {attempt}, and is not launched for hours");
            self.world.lock().violation(what);
        }
        due
    }
}
