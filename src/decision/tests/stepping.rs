//! The virtual clock against plain steps: a machine that looks every quarter of an hour, decides, and starts the first
//! that is due, as the service does. What `simulate` says must be what that machine does.

use super::super::simulate::{Assumptions, RunTime, simulate};
use super::super::{decide, due_in_order};
use super::scene::*;
use super::worlds::{Ways, grid, later, scene, ways};
use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::site::instruction::Entry;
use crate::terms::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many quarters of an hour are followed: four days.
const STEPS: i64 = 4 * 96;

/// Several requests on one machine; the second and third may depend on the one before.
pub fn world(first: &Ways, others: &[Ways], depends: u8) -> Scene {
    let mut world = scene(first);
    for (n, ways) in others.iter().enumerate() {
        let mut other = scene(ways).request().clone();
        other.request_id = id(&format!("BP0010{n}"));
        if depends & (1 << n) != 0 {
            let before = world.requests().last().map(|entry| match entry {
                Entry::Good(request) => request.request_id,
                Entry::Rejected(_) => unreachable!("all are usable"),
            });
            other.depends_on.extend(before);
        }
        world.add(other);
    }
    world
}

/// When each starts on the machine that looks at every step, and every state it was seen in before.
fn stepped(scene: &Scene, quick: bool) -> BTreeMap<RequestId, Wall> {
    let mut machine = scene.clone();
    let mut ends: Option<(RequestId, Wall)> = None;
    let mut started = BTreeMap::new();
    for step in 0..STEPS {
        machine = later(&machine, grid(step));
        if let Some((id, _)) = ends.filter(|(_, at)| *at <= machine.now) {
            end(&mut machine, id);
            ends = None;
        }
        // What takes no time makes room for the next at once.
        while ends.is_none() {
            let decisions = decide(&machine.inputs());
            let Some(first) = due_in_order(&decisions).first().map(|i| &decisions[*i]) else { break };
            let id = first.request_id.unwrap();
            started.entry(id).or_insert(machine.now);
            let need = machine.requests().iter().find_map(|entry| match entry {
                Entry::Good(request) if request.request_id == id => Some(request.max_run_time),
                _ => None,
            });
            let mut begun = attempt(first.attempt + 1, State::Running);
            begun.started_at = Some(machine.now);
            machine.history.attempts.entry(id).or_default().push(Arc::new(begun));
            machine.facts.running = Some((id, machine.now));
            if quick {
                end(&mut machine, id);
            } else {
                ends = Some((id, machine.now + need.unwrap()));
            }
        }
    }
    started
}

fn end(machine: &mut Scene, id: RequestId) {
    machine.facts.running = None;
    let newest = machine.history.attempts.get_mut(&id).unwrap().last_mut().unwrap();
    Arc::make_mut(newest).state = State::Succeeded;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_simulate_says_is_what_a_machine_does_that_looks_at_every_step(
        first in ways(),
        others in proptest::collection::vec(ways(), 0..4),
        depends in 0u8..16,
        quick in any::<bool>(),
    ) {
        let mut world = world(&first, &others, depends);
        // This machine gives no notice; one that does is in `service::tests::agreement`.
        world.policy.config.run.countdown = std::time::Duration::ZERO;
        // A run that was under way before is somebody else's: when it ends is not known to either.
        prop_assume!(world.facts.running.is_none() && first.attempt != 2);
        let runs_take = if quick { RunTime::Nothing } else { RunTime::Longest };
        let assumptions = Assumptions { runs_take, ..Assumptions::default() };
        let course = simulate(&world.inputs(), world.now, grid(STEPS), &assumptions);
        let said: BTreeMap<RequestId, Wall> =
            course.timelines.iter().filter_map(|t| Some((t.request_id?, t.at?))).collect();
        prop_assert_eq!(&said, &stepped(&world, quick));
        for timeline in &course.timelines {
            prop_assert!(!(timeline.never && timeline.at.is_some()));
            prop_assert!(!timeline.why.is_empty());
            prop_assert!(timeline.changes.windows(2).all(|w| w[0].at <= w[1].at), "{:?}", timeline);
            if let Some(at) = timeline.at {
                let runs = timeline.changes.iter().find(|step| step.state == State::Running || step.state == State::Succeeded);
                prop_assert_eq!(runs.map(|step| step.at), Some(at));
            }
        }
    }
}
