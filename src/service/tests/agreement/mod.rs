//! What `pcm simulate` says and what a service does: in random worlds where nothing changes but the time, the service is
//! asked what will become of every request, and then it goes on, step by step on a virtual clock, with the real steps,
//! the real engine and the real history. The first start of each request has to be the one that was said, or none where
//! none was. How it is run longer: tests/README.md.

#![allow(clippy::unwrap_used)]

mod before;
mod folding;
mod many;
mod notices;
mod phrases;
mod plain;
mod site;
mod truth;
mod verifying;
mod views;
mod world;

use super::random::Random;
use crate::clock::{Monotonic, Wall};
use crate::config::{Config, Unusable};
use crate::decision::simulate::{Assumptions, Content, RunTime};
use crate::executor::engine::Executor;
use crate::executor::history::{self, Adopt, By, History};
use crate::executor::talk::protocol::{Answer, Call, View, Wanted};
use crate::executor::talk::view::SimulateDoc;
use crate::host::account::Actor;
use crate::host::paths::Layout;
use crate::service::server::Asked;
use crate::service::steps::Steps;
use crate::service::worker::Carrier;
use crate::site::ids::RequestId;
use chrono::TimeDelta;
use site::Plan;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use views::Promise;
use world::{Shared, World};

/// The service looks a moment after each instant, and again after it has heard of the share.
const LATE: TimeDelta = TimeDelta::seconds(1);
/// Steps at one instant: more is no progress.
const MOST_STEPS: u32 = 200;

/// What was compared.
#[derive(Debug, Default)]
struct Figures {
    worlds: u64,
    requests: u64,
    first_runs: u64,
    restarts: u64,
    steps: u64,
}

/// A new history with what happened before.
fn make_past(plan: &Plan, layout: &Layout) {
    let _ = std::fs::remove_dir_all(&layout.state);
    for dir in [&layout.state, layout.config.parent().unwrap()] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let _ = std::fs::remove_file(layout.mark());
    if plan.lost {
        return;
    }
    let first = plan.attempts.iter().map(|(row, _)| row.attempt.claimed_at - TimeDelta::hours(3)).min();
    let before = first.unwrap_or(plan.from).min(plan.from - TimeDelta::hours(5));
    match plan.adopted.as_slice() {
        [] => drop(history::init(layout, before, "00000001", None).unwrap()),
        adopted => drop(
            history::adopt(layout, before, "00000001", Adopt::Done, adopted, &By::Operator(&ola())).unwrap(),
        ),
    }
    let mut history = History::open(layout).unwrap();
    for (row, result) in &plan.attempts {
        let _ = history.claim(row.attempt.claimed_at, row).unwrap();
        if let Some(result) = result {
            let _ =
                history.finish(result.ended_at.unwrap(), row.request, row.attempt.number, result).unwrap();
            history.reported(&row.run()).unwrap();
        }
    }
    for row in &plan.deferrals {
        let _ = history.defer(row).unwrap();
    }
    if let Some(hold) = &plan.hold {
        let _ = history.set_hold(hold.at, Some(hold), &hold.by).unwrap();
    }
    history.write_mark().unwrap();
}

/// One world: what was said, and the launches that came of it.
struct Compared {
    said: SimulateDoc,
    /// What every view said of each, where its runs take their usual time or longer.
    promised: Vec<Promise>,
    launches: Vec<(RequestId, Wall)>,
    restarts: u64,
    steps: u64,
}

struct Service<'a> {
    world: Arc<World>,
    read_config: &'a dyn Fn() -> Result<Config, Unusable>,
    steps: Steps<'a>,
    made: u64,
}

impl<'a> Service<'a> {
    fn start(world: &Arc<World>, read_config: &'a dyn Fn() -> Result<Config, Unusable>) -> Service<'a> {
        let shared = Shared(Arc::clone(world));
        let config = &world.plan.config;
        let executor = Executor::of(Arc::new(shared.clone()), &world.layout, config, true).unwrap();
        let carrier = || -> Box<dyn Carrier> { Box::new(shared.clone()) };
        let steps = Steps::new(executor, read_config, [(); 5].map(|()| carrier()));
        Service { world: Arc::clone(world), read_config, steps, made: 0 }
    }

    fn hear(&mut self) -> bool {
        let mut heard = false;
        loop {
            let Some(news) = self.world.lock().news.pop_front() else { return heard };
            self.steps.hear(news);
            heard = true;
        }
    }

    /// What `pcm simulate` asks for and gets.
    fn ask(&mut self, from: Wall, until: Wall) -> SimulateDoc {
        let runs_take = self.world.plan.runs_take;
        let assume = Assumptions { content: Content::Arrives, runs_take, ..Assumptions::default() };
        match self.view(View::Simulate(Wanted { request: None, from, until, assume })) {
            Answer::Simulate(doc) => doc,
            other => panic!("no simulation: {other:?}"),
        }
    }

    /// What a view gives to an operator.
    fn view(&mut self, view: View) -> Answer {
        let actor = ola();
        let (answer, mut answered) = oneshot::channel();
        let call = Call::View(view);
        self.steps.answer(Asked { call, machine: None, actor, until: None, answer });
        if let Some(errand) = self.steps.errand() {
            errand.run();
        }
        answered.try_recv().unwrap().unwrap()
    }

    /// Steps until nothing more is to be done at this instant. Returns how long to wait.
    fn settle(&mut self) -> Duration {
        for _ in 0..MOST_STEPS {
            let before = self.world.lock().launches.len();
            self.made += 1;
            self.steps.step();
            let heard = self.hear();
            if self.world.lock().restarts {
                self.world.lock().start_again();
                *self = Service { made: self.made, ..Service::start(&self.world, self.read_config) };
                continue;
            }
            let (now, mono) = {
                let inner = self.world.lock();
                (inner.wall, Monotonic(inner.mono))
            };
            if !heard && self.world.lock().launches.len() == before {
                return self.steps.next_change(now, mono).max(Duration::from_millis(1));
            }
        }
        panic!("the service goes on and on at {}", self.world.lock().wall);
    }
}

/// An operator.
fn ola() -> Actor {
    Actor { name: "ola".into(), uid: Some(0), login_uid: None, terminal: None, from: None, may_operate: true }
}

fn layout(folder: &Path) -> Layout {
    Layout {
        config: folder.join("etc/pcm.toml"),
        state: folder.join("state"),
        log: folder.join("log"),
        socket: folder.join("sock"),
    }
}

/// A folder in memory, where there is one.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn live(plan: Plan, folder: &Path) -> Compared {
    live_after(plan, folder, &|_| ())
}

/// After something has become of its past.
fn live_after(plan: Plan, folder: &Path, meanwhile: &dyn Fn(&Layout)) -> Compared {
    let layout = layout(folder);
    make_past(&plan, &layout);
    meanwhile(&layout);
    let (from, until) = (plan.from, plan.until);
    let config = plan.config.clone();
    let read_config = move || Ok(config.clone());
    let world = Arc::new(World::new(plan, layout));
    let mut service = Service::start(&world, &read_config);
    // The first look, and what it brings; a start would come with the next step.
    service.steps.step();
    service.hear();
    let said = service.ask(from, until);
    assert_eq!(said.until, until, "all of it was simulated");
    let usual_or_longer = world.plan.runs_take == RunTime::Longest;
    let mut promised = views::promises(&mut service, until);
    promised.retain(|_| usual_or_longer);
    let mut restarts = 0;
    while world.lock().wall < until + LATE {
        let mono = world.lock().mono;
        let wait = service.settle();
        restarts += u64::from(world.lock().mono < mono);
        world.lock().advance(wait);
    }
    let launches = world.lock().launches.clone();
    Compared { said, promised, launches, restarts, steps: service.made }
}

/// What is different, if anything is.
fn differences(compared: &Compared) -> Vec<String> {
    let mut first: BTreeMap<RequestId, Wall> = BTreeMap::new();
    for (id, at) in &compared.launches {
        first.entry(*id).or_insert(*at);
    }
    let mut wrong = Vec::new();
    for said in &compared.said.requests {
        let Some(id) = said.request_id else { continue };
        let did = first.get(&id).copied();
        let agree = match (said.at, did) {
            (Some(said), Some(did)) => (did - said).abs() < LATE,
            (None, Some(did)) => did >= compared.said.until,
            (Some(_), None) => false,
            (None, None) => true,
        };
        if !agree {
            wrong.push(format!("{id}: said {:?} ({}), did {did:?}", said.at, said.why));
        }
    }
    for promise in &compared.promised {
        let did = first.get(&promise.request).copied();
        if !promise.allows(did, compared.said.until) {
            let (at, latest) = (promise.at, promise.latest);
            wrong.push(format!("{}: promised {at:?} to {latest:?}, did {did:?}", promise.request));
        }
    }
    let said_of = |id: &RequestId| compared.said.requests.iter().find(|d| d.request_id == Some(*id))?.at;
    let mut order: Vec<(RequestId, Wall)> = first.into_iter().collect();
    order.sort_by_key(|(id, _)| compared.launches.iter().position(|(launched, _)| launched == id));
    let said_order: Vec<Wall> = order.iter().filter_map(|(id, _)| said_of(id)).collect();
    if !said_order.is_sorted() {
        wrong.push(format!("in another order: {order:?}"));
    }
    wrong
}

fn number(knob: &str, default: u64) -> u64 {
    std::env::var(knob).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{knob} is no number")))
}

/// Compares in so many worlds, or in the one that is named, and prints the figures.
fn compare(how: &str, worlds: u64, live: impl Fn(Plan) -> Compared) {
    let one = std::env::var_os("PCM_AGREEMENT_SEED").map(|_| number("PCM_AGREEMENT_SEED", 0));
    let first = one.unwrap_or_else(|| number("PCM_AGREEMENT_FIRST", 1));
    let worlds = if one.is_some() { 1 } else { worlds };
    let (mut figures, mut disagreements) = (Figures::default(), 0);
    let began = Instant::now();
    for seed in first..first + worlds {
        let plan = site::plan(&mut Random::new(seed));
        if one.is_some() {
            println!("{plan:#?}");
        }
        let compared = live(plan);
        let ran = compared.said.requests.iter().filter(|d| d.at.is_some()).count() as u64;
        figures.worlds += 1;
        figures.requests += compared.said.requests.len() as u64;
        figures.first_runs += ran;
        figures.restarts += compared.restarts;
        figures.steps += compared.steps;
        let wrong = differences(&compared);
        if !wrong.is_empty() {
            disagreements += 1;
            println!("{how}, PCM_AGREEMENT_SEED={seed}: {}", wrong.join("\n    "));
        }
        if disagreements >= 20 {
            break;
        }
    }
    println!(
        "agreement: {} worlds, {} requests, first runs {}, never {}, disagreements {disagreements} ({how}; {} steps, \
         {} restarts of the machine, {:.1} s)",
        figures.worlds,
        figures.requests,
        figures.first_runs,
        figures.requests - figures.first_runs,
        figures.steps,
        figures.restarts,
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(disagreements, 0, "simulate and the service disagree");
    assert!(
        one.is_some() || figures.first_runs * 6 > figures.requests,
        "hardly anything runs in these worlds"
    );
}

#[test]
fn what_simulate_says_of_every_first_run_is_what_the_service_does() {
    let folder = folder();
    let worlds = number("PCM_AGREEMENT_SERVICES", 50);
    compare("the whole service", worlds, |plan| live(plan, folder.path()));
}

#[test]
fn what_simulate_says_of_every_first_run_is_what_the_pure_parts_of_the_service_do() {
    compare("its pure parts", number("PCM_AGREEMENT_WORLDS", 500), plain::live);
}
