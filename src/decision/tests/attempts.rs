//! What is worked out of all attempts together is what they say at that moment, whatever was asked of them before.

use super::super::attempts::Attempts;
use super::super::model::*;
use super::super::{decide, foretell, next_runs, next_up, restart_plan};
use super::scene::*;
use crate::clock::between;
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::instruction::Request;
use crate::terms::State;
use chrono::TimeDelta;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Something that becomes of the attempts of a machine.
#[derive(Debug, Clone)]
enum Change {
    /// A request runs once more; how it ended, and when and how long, in minutes.
    Ran { which: usize, package: usize, command: usize, state: State, began: i64, took: i64, release: u64 },
    /// The newest attempt of a request turns out to be in this state.
    Ended { which: usize, state: State },
    /// Another start of it is known.
    Started { which: usize, began: i64 },
    /// The machine has restarted.
    Restarted,
    /// Nothing is known of a request any more.
    Gone { which: usize },
    /// What is held is read anew.
    Reread,
}

const NAMES: [&str; 4] = ["BP00010", "BP00011", "BP00012", "BP0ZZZZ"];

fn package(n: usize) -> PackageId {
    format!("BP00100{n}").parse().unwrap()
}

fn job(n: usize) -> JobId {
    format!("BP00200{n}").parse().unwrap()
}

fn command(n: usize) -> &'static str {
    ["Typical", "Uninstall"][n]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let state = || {
        proptest::sample::select(vec![
            State::Succeeded,
            State::SucceededRestart,
            State::Failed,
            State::Running,
            State::Interrupted,
        ])
    };
    let ran = (0usize..4, 0usize..3, 0usize..2, state(), 1i64..5_000, 0i64..90, 0u64..4);
    let change = prop_oneof![
        6 => ran.prop_map(|(which, package, command, state, began, took, release)| Change::Ran {
            which,
            package,
            command,
            state,
            began,
            took,
            release
        }),
        3 => (0usize..4, state()).prop_map(|(which, state)| Change::Ended { which, state }),
        1 => (0usize..4, 1i64..5_000).prop_map(|(which, began)| Change::Started { which, began }),
        1 => Just(Change::Restarted),
        1 => (0usize..4).prop_map(|which| Change::Gone { which }),
        1 => Just(Change::Reread),
    ];
    proptest::collection::vec(change, 1..14)
}

/// Three requests that are due together, of three packages.
fn three() -> Scene {
    let mut scene = Scene::due();
    scene.requests().clear();
    for (n, name) in NAMES.iter().take(3).enumerate() {
        scene.add(Request { package_id: package(n), job_id: job(n), ..request(name) });
    }
    scene
}

/// The same, and nothing was asked of its attempts yet.
fn fresh(scene: &Scene) -> Scene {
    let mut attempts = Attempts::default();
    attempts.extend(scene.history.attempts.iter().map(|(id, all)| (*id, all.clone())));
    scene.clone().with(|scene| scene.history.attempts = attempts)
}

fn apply(scene: &mut Scene, change: &Change) {
    let newest = |scene: &mut Scene, which: usize, with: &dyn Fn(&mut Attempt)| {
        let all = scene.history.attempts.get_mut(&id(NAMES[which]));
        if let Some(one) = all.and_then(|all| all.last_mut()) {
            with(Arc::make_mut(one));
        }
    };
    match change {
        Change::Ran { which, package: of, command: how, state, began, took, release } => {
            let began = now() - TimeDelta::minutes(*began);
            let all = scene.history.attempts.entry(id(NAMES[*which])).or_default();
            let number = all.len() as u32 + 1;
            all.push(Arc::new(Attempt {
                package_id: package(*of),
                job_id: job(*of),
                command: command(*how).into(),
                claimed_at: began,
                started_at: Some(began),
                ended_at: (*state != State::Running).then(|| began + TimeDelta::minutes(*took)),
                release: Some(*release).filter(|n| *n > 0),
                by: if took % 2 == 0 { "service".into() } else { "ola".into() },
                ..attempt(number, *state)
            }));
        }
        Change::Ended { which, state } => newest(scene, *which, &|one| {
            (one.state, one.ended_at) = (*state, one.started_at.map(|at| at + TimeDelta::minutes(7)));
        }),
        Change::Started { which, began } => newest(scene, *which, &|one| {
            one.started_at = Some(now() - TimeDelta::minutes(*began));
        }),
        Change::Restarted => scene.facts.boot_id = format!("boot-{}", scene.facts.boot_id.len()),
        Change::Gone { which } => drop(scene.history.attempts.remove(&id(NAMES[*which]))),
        Change::Reread => scene.history = scene.history.clone(),
    }
}

/// Everything that any view or step says.
fn said(scene: &Scene) -> impl PartialEq + std::fmt::Debug + use<> {
    let inputs = scene.inputs();
    let mut list = decide(&inputs);
    foretell(&inputs, &mut list, || Arc::new(next_runs(&inputs)));
    let next = next_up(&scene.history, &list);
    (list, next, next_runs(&inputs), restart_plan(&inputs))
}

fn all(scene: &Scene) -> impl Iterator<Item = (&RequestId, &Attempt)> {
    scene.history.attempts.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, &**one)))
}

/// The median of the five newest, found anew.
fn usual(scene: &Scene, request: &Request) -> Duration {
    let own = all(scene).map(|(_, one)| one).filter(|one| {
        one.package_id == request.package_id && one.command == request.command && one.state.is_success()
    });
    let mut runs: Vec<_> =
        own.filter_map(|one| Some((one.started_at?, between(one.started_at?, one.ended_at?)))).collect();
    runs.sort_unstable();
    let mut took: Vec<Duration> = runs.iter().rev().take(5).map(|(_, took)| *took).collect();
    took.sort_unstable();
    took.get(took.len().saturating_sub(1) / 2).copied().unwrap_or_default().min(request.max_run_time)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_is_kept_of_all_attempts_is_what_would_be_found_anew(changes in changes(), asked in any::<u16>()) {
        let mut scene = three();
        for (n, change) in changes.iter().enumerate() {
            apply(&mut scene, change);
            // Where nobody asks in between, the next answer is made of several changes.
            if asked & (1 << n) == 0 {
                continue;
            }
            prop_assert_eq!(said(&scene), said(&fresh(&scene)), "after {:?}", &changes[..=n]);
            let kept = &scene.history.attempts;
            for (n, name) in NAMES.iter().enumerate().take(3) {
                let releases = all(&scene).filter(|(_, one)| one.package_id == package(n));
                let highest = releases.filter_map(|(_, one)| one.release).max();
                prop_assert_eq!(kept.highest_release(package(n)), highest);
                let newest = kept.iter().filter_map(|(id, all)| Some((*id, all.last()?)));
                let mut well = newest.filter(|(_, one)| one.job_id == job(n) && one.state.is_success());
                prop_assert_eq!(kept.succeeded(job(n)), well.next().map(|(id, _)| id));
                for how in 0..2 {
                    let request =
                        Request { package_id: package(n), command: command(how).into(), ..request(name) };
                    prop_assert_eq!(kept.usual_times().get(&request), usual(&scene, &request));
                }
            }
            let wanting = all(&scene).filter(|(_, one)| one.state == State::SucceededRestart);
            let mut wanting: Vec<RequestId> = wanting.map(|(id, _)| *id).collect();
            wanting.dedup();
            prop_assert_eq!(kept.restarts(), wanting.as_slice());
        }
    }
}
