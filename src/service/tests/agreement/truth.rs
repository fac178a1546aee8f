//! One truth about the next run: in random worlds, with and without a service and with whatever else may be wrong, every
//! view says the same of every request, as text, as a document and as the console shows it: when it runs at the earliest
//! and at the latest, or that it never will. `PCM_TRUTH_WORLDS=10000` is the number that was asked for.

use super::site::{self, Plan};
use super::world::{Shared, World};
use super::{Random, Service, folder, layout, make_past, number, ola};
use crate::clock::Wall;
use crate::config::{Config, Unusable};
use crate::console::tests::shown::Shown;
use crate::decision::Queued;
use crate::decision::simulate::Assumptions;
use crate::executor::engine::Executor;
use crate::executor::history::History;
use crate::executor::talk::protocol::{Answer, View, Wanted};
use crate::executor::talk::view::{ExplainDoc, ListDoc, SimulateDoc, StatusDoc};
use crate::host::paths::Layout;
use crate::site::ids::RequestId;
use crate::site::instruction::Entry;
use crate::terms::{Code, Gate, Group, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What else is wrong with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ill {
    Not,
    /// The configuration cannot be read any more.
    Configuration,
    /// The history takes nothing.
    Unwritten,
    /// The clock went back.
    Clock,
}

/// What the views of one world said.
struct Said {
    now: Wall,
    list: ListDoc,
    status: StatusDoc,
    week: SimulateDoc,
    explained: BTreeMap<RequestId, ExplainDoc>,
    shown: BTreeMap<RequestId, Value>,
}

impl Said {
    fn by(ask: &mut dyn FnMut(View) -> Answer, now: Wall) -> Said {
        let Answer::List(list) = ask(View::List) else { panic!("no list") };
        let Answer::Status(status) = ask(View::Status) else { panic!("no status") };
        // As the console asks for its week.
        let (until, assume) = (now + TimeDelta::days(7), Assumptions::usual());
        let wanted = Wanted { request: None, from: now, until, assume };
        let Answer::Simulate(week) = ask(View::Simulate(wanted)) else { panic!("no week") };
        let (mut explained, mut shown) = (BTreeMap::new(), BTreeMap::new());
        for id in list.requests.iter().filter_map(|row| row.request_id) {
            let Answer::Explain(doc) = ask(View::Explain(id)) else { panic!("no reasons of {id}") };
            explained.insert(id, doc);
            let Answer::Show(doc) = ask(View::Show(id)) else { panic!("nothing of {id}") };
            shown.insert(id, json(&doc));
        }
        Said { now, list, status, week, explained, shown }
    }

    /// What they did not agree about.
    fn disagreements(&self, plan: &Plan, dead: bool, ill: Ill) -> Vec<String> {
        let mut wrong = Vec::new();
        let rows = json(&self.list)["requests"].as_array().cloned().unwrap_or_default();
        // Of two records with one id all of them but the list show the first.
        let twins = |id: &str| rows.iter().filter(|row| row["request_id"] == id).count() > 1;
        let console =
            Shown::of(self.list.clone(), self.status.clone(), self.week.clone(), &plan.zone, self.now);
        for (row, json_row) in self.list.requests.iter().zip(&rows) {
            let Some(id) = row.request_id.filter(|id| !twins(id.as_str())) else { continue };
            let listed = said_in(json_row);
            let of_explain = said_in(&json(&self.explained[&id]));
            if of_explain != listed {
                wrong.push(format!("{id}: list {listed:?}, explain {of_explain:?}"));
            }
            let of_show = said_in(&self.shown[&id]);
            if of_show != listed {
                wrong.push(format!("{id}: list {listed:?}, show {of_show:?}"));
            }
            if row.never && row.next_run.is_some() || row.latest < row.next_run && row.latest.is_some() {
                wrong.push(format!("{id}: {listed:?} contradicts itself"));
            }
            let course = self.week.requests.iter().find(|course| course.request_id == Some(id));
            let Some(course) = course else {
                wrong.push(format!("{id} is not simulated"));
                continue;
            };
            let at = row.next_run.filter(|at| *at < self.week.until);
            let never = row.never && (row.group == Group::Pending);
            let simulated = (course.at, course.latest, course.never && row.group == Group::Pending);
            if simulated != (at, at.and(row.latest), never) {
                wrong.push(format!("{id} {}: list {listed:?}, simulate {simulated:?}", row.state));
            }
            if row.group == Group::Pending
                && row.next_run.is_none()
                && course.why.as_str().contains("never ran")
            {
                wrong.push(format!("{id} is pending and simulate says: {}", course.why));
            }
            wrong.extend(console.differs(row, self.week.until));
            let stopped = dead || ill != Ill::Not;
            if stopped && row.next_run.is_some() && row.state != State::Countdown {
                wrong
                    .push(format!("{id}: {listed:?} is promised where nothing starts: dead {dead}, {ill:?}"));
            }
        }
        let promised = self.list.requests.iter().filter(|row| row.group != Group::Rejected);
        let first = promised.filter_map(|row| Some((row.next_run?, row.latest, row.request_id)));
        let first: Vec<_> = first.collect();
        let next = (self.status.next_run, self.status.latest, self.status.next_request);
        let earliest = first.iter().map(|(at, ..)| *at).min();
        let among = first.iter().any(|(at, latest, id)| (Some(*at), *latest, *id) == next);
        if next.0 != earliest || earliest.is_some() && !among {
            wrong.push(format!("status {next:?}, list {first:?}"));
        }
        let stands = |code: Code| self.status.standstill.iter().any(|stands| stands.code == code);
        let said = match ill {
            _ if dead => stands(Code::NoService),
            Ill::Not => true,
            Ill::Configuration => stands(Code::PolicyUnreadable),
            Ill::Unwritten => {
                self.status.standstill.iter().any(|stands| stands.why.as_str().contains("disk is full"))
            }
            Ill::Clock => stands(Code::ClockSuspect),
        };
        if !said {
            wrong.push(format!("{ill:?}, dead {dead}: status says {:?}", self.status.standstill));
        }
        if self.list.service != self.status.service || self.list.held_until != self.status.held_until {
            wrong.push("list and status differ about service or hold".into());
        }
        wrong
    }
}

fn json(doc: &impl serde::Serialize) -> Value {
    serde_json::to_value(doc).unwrap()
}

/// Earliest, latest, never.
fn said_in(doc: &Value) -> (Value, Value, Value) {
    assert!(doc["never"].is_boolean(), "{doc}");
    (doc["next_run"].clone(), doc["latest"].clone(), doc["never"].clone())
}

/// Operators' runs that wait.
fn queue(r: &mut Random, plan: &Plan, layout: &Layout) {
    let Ok(mut history) = History::open(layout) else { return };
    for entry in &plan.file.requests {
        let Entry::Good(request) = entry else { continue };
        let id = request.request_id;
        let queued = history.snapshot().unwrap().view.queue.iter().any(|queued| queued.request == id);
        if queued || !r.chance(12) {
            continue;
        }
        let overrides = r.pick(&[&[][..], &[], &[Gate::Window], &[Gate::Window, Gate::Users]]).to_vec();
        let _ = history
            .enqueue(&Queued {
                request: id,
                rerun: plan.attempts.iter().any(|(row, _)| row.request == id),
                overrides,
                by: (*r.pick(&["ola", "anna"])).into(),
                reason: "it has to be today".into(),
                at: plan.from - TimeDelta::minutes(r.between(0, 50)),
                offered: false,
            })
            .unwrap();
    }
    history.write_mark().unwrap();
}

fn unusable() -> Unusable {
    SafeText::from("line 3: no such key").into()
}

/// Lets a service of this world go on for a while, and asks; or ends it, and asks what is left.
fn ask(plan: Plan, r: &mut Random, layout: Layout, dead: bool, ill: Ill) -> Said {
    make_past(&plan, &layout);
    queue(r, &plan, &layout);
    let config: Config = plan.config.clone();
    let read_config = || Ok(config.clone());
    let world = Arc::new(World::new(plan, layout));
    let mut service = Service::start(&world, &read_config);
    service.steps.step();
    service.hear();
    for _ in 0..r.below(5) {
        let wait = service.settle();
        let most = Duration::from_secs(r.below(20_000));
        world.lock().advance(wait.min(most));
    }
    let back = |world: &World| world.lock().wall -= TimeDelta::minutes(40);
    if !dead {
        let executor = &mut service.steps.executor;
        match ill {
            Ill::Not => {}
            Ill::Configuration => executor.set_config(Err(unusable())),
            Ill::Unwritten => executor.cannot_write(),
            Ill::Clock => {
                back(&world);
                let now = world.lock().wall;
                executor.refresh(now);
            }
        }
        let now = world.lock().wall;
        return Said::by(&mut |view| service.view(view), now);
    }
    drop(service);
    world.lock().dead = true;
    if ill == Ill::Clock {
        back(&world);
    }
    let shared = Arc::new(Shared(Arc::clone(&world)));
    let mut executor = Executor::of(shared, &world.layout, &config, false).unwrap();
    executor.look_now();
    if ill == Ill::Configuration {
        executor.set_config(Err(unusable()));
    }
    let now = world.lock().wall;
    Said::by(&mut |view| executor.known().view(&view, &ola(), now).unwrap(), now)
}

/// Worlds in which two views once said different things; they are looked at whatever else is.
const ONCE: [u64; 6] = [3927, 4284, 5030, 5420, 6165, 8093];

#[test]
fn every_view_says_the_same_next_run_whether_the_service_lives_or_not() {
    let folder = folder();
    let one = std::env::var_os("PCM_TRUTH_SEED").map(|_| number("PCM_TRUTH_SEED", 0));
    let first = one.unwrap_or_else(|| number("PCM_TRUTH_FIRST", 1));
    let (worlds, once) =
        if one.is_some() { (1, &[][..]) } else { (number("PCM_TRUTH_WORLDS", 150), &ONCE[..]) };
    let range = first..first + worlds;
    let seeds: Vec<u64> =
        once.iter().filter(|seed| !range.contains(seed)).copied().chain(range.clone()).collect();
    let worlds = seeds.len();
    let (mut alive, mut requests, mut promised, mut never, mut queued, mut bad) = (0, 0, 0, 0, 0, 0);
    let (mut idle, mut idle_for_now) = (0, 0);
    let mut ills: BTreeMap<Ill, u32> = BTreeMap::new();
    let began = Instant::now();
    for seed in seeds {
        let r = &mut Random::new(seed);
        let plan = site::plan(r);
        let dead = r.chance(35);
        let ill = *r.pick(&[
            Ill::Not,
            Ill::Not,
            Ill::Not,
            Ill::Not,
            Ill::Not,
            Ill::Not,
            Ill::Not,
            Ill::Configuration,
            Ill::Unwritten,
            Ill::Clock,
        ]);
        if one.is_some() {
            println!("{plan:#?} dead {dead}, {ill:?}");
        }
        let said = ask(plan.clone(), r, layout(folder.path()), dead, ill);
        let rows = || said.list.requests.iter();
        alive += u32::from(!dead);
        *ills.entry(ill).or_default() += 1;
        requests += rows().count();
        promised += rows().filter(|row| row.next_run.is_some()).count();
        never += rows().filter(|row| row.never && row.group == Group::Pending).count();
        let not_needed = || rows().filter(|row| row.state == State::NotNeeded);
        idle += not_needed().count();
        idle_for_now += not_needed().filter(|row| row.next_run.is_some()).count();
        queued += rows().filter(|row| row.state == State::Queued).count();
        let wrong = said.disagreements(&plan, dead, ill);
        if !wrong.is_empty() {
            bad += 1;
            println!("PCM_TRUTH_SEED={seed}: {}", wrong.join("\n    "));
        }
        if bad >= 20 {
            break;
        }
    }
    println!(
        "one truth: {worlds} worlds, {alive} with a service, ill {ills:?}; {requests} requests, {promised} promised, \
         {never} pending that never run, {queued} queued, {idle} not needed and {idle_for_now} of them later; disagreements {bad} ({:.1} s)",
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(bad, 0, "two views say different things");
    assert!(
        one.is_some() || promised.min(never).min(queued).min(idle) > 0,
        "hardly anything is in these worlds"
    );
}
