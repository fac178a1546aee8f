//! When a request runs next, at the earliest and at the latest: the same in every view, and what then happens lies between.

use super::super::model::*;
use super::super::simulate::{Assumptions, RunTime, Timeline, simulate};
use super::super::{decide, decide_one, foretell, next_runs};
use super::scene::*;
use super::stepping::world;
use super::worlds::ways;
use crate::clock::{Wall, When};
use crate::site::ids::{PackageId, RequestId};
use crate::site::instruction::{Entry, Restarts};
use crate::terms::*;
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Pair = (Option<Wall>, Option<Wall>);

fn foretold(scene: &Scene) -> Vec<Decision> {
    let mut decisions = decide(&scene.inputs());
    foretell(&scene.inputs(), &mut decisions, || Arc::new(next_runs(&scene.inputs())));
    decisions
}

fn pairs(scene: &Scene) -> BTreeMap<RequestId, Pair> {
    foretold(scene).iter().filter_map(|d| Some((d.request_id?, (d.next_run, d.latest)))).collect()
}

fn pair_of(scene: &Scene, name: &str) -> Pair {
    pairs(scene)[&id(name)]
}

fn after(minutes: i64) -> Option<Wall> {
    Some(now() + TimeDelta::minutes(minutes))
}

/// The package of one request only, which took so long in the past.
fn took(scene: &mut Scene, name: &str, package: &str, time: Duration) {
    let before = Attempt {
        package_id: package.parse().unwrap(),
        started_at: Some(now() - TimeDelta::days(1)),
        ended_at: Some(now() - TimeDelta::days(1) + TimeDelta::from_std(time).unwrap()),
        ..attempt(1, State::Succeeded)
    };
    scene.attempted(&format!("BP0Z{}", &name[4..]), vec![before]);
}

fn package(n: usize) -> PackageId {
    format!("BP001{n:03}").parse().unwrap()
}

#[test]
fn only_what_expires_can_expire_before_its_turn() {
    for expires in [None, Some(When::Instant(now() + TimeDelta::hours(1)))] {
        let mut scene = Scene::due();
        scene.request().expire_after = expires;
        let decision = Decision { state: State::Due, next_run: after(5), ..foretold(&scene).remove(0) };
        let said = super::super::why::foretold(&decision, None, &scene.inputs());
        assert_eq!(said.is_some(), expires.is_some(), "{said:?}");
    }
}

/// Three that are due together, each of a package of its own.
fn three() -> Scene {
    let mut scene = Scene::due();
    for name in ["BP00010", "BP00011"] {
        scene.add(request(name));
    }
    for (n, entry) in scene.requests().iter_mut().enumerate() {
        if let Entry::Good(request) = entry {
            request.package_id = package(n);
        }
    }
    scene
}

#[test]
fn those_that_are_due_together_start_between_the_usual_times_and_the_limits_of_those_before() {
    let mut scene = three();
    assert_eq!(pair_of(&scene, ID), (after(0), after(0)));
    assert_eq!(pair_of(&scene, "BP00010"), (after(0), after(30)), "how long it takes is not known yet");
    took(&mut scene, ID, "BP001000", minutes(4));
    took(&mut scene, "BP00010", "BP001001", minutes(7));
    assert_eq!(pair_of(&scene, "BP00010"), (after(4), after(30)));
    assert_eq!(pair_of(&scene, "BP00011"), (after(11), after(60)));
    scene.facts.users = Some(vec![user("anna")]);
    assert_eq!(pair_of(&scene, ID), (after(5), after(5)), "users are told five minutes before");
    assert_eq!(pair_of(&scene, "BP00010"), (after(14), after(40)));
    assert_eq!(pair_of(&scene, "BP00011"), (after(26), after(75)));
}

#[test]
fn what_would_start_as_what_is_published_ends_has_no_latest_time() {
    let mut scene = three();
    took(&mut scene, ID, "BP001000", minutes(4));
    scene.facts.users = Some(vec![user("anna")]);
    for (valid, latest) in [(41, after(40)), (40, None)] {
        scene.instructions.file.as_mut().unwrap().valid_until = after(valid);
        assert_eq!(pair_of(&scene, "BP00010"), (after(14), latest), "valid for {valid} minutes");
    }
}

#[test]
fn the_usual_time_is_the_median_of_the_newest_successes_and_never_more_than_the_limit() {
    let mut scene = three();
    let past = |number: u32, minutes: i64, state: State| {
        let began = now() - TimeDelta::days(9) + TimeDelta::hours(number.into());
        let ended_at = Some(began + TimeDelta::minutes(minutes));
        let package_id = package(0);
        Attempt {
            number,
            state,
            package_id,
            started_at: Some(began),
            ended_at,
            ..attempt(1, State::Succeeded)
        }
    };
    let old = (1..20).map(|n| past(n, 29, State::Succeeded));
    let new = [(20, 9), (21, 3), (22, 5), (23, 28), (24, 1)]
        .map(|(n, took)| past(n, took, State::SucceededRestart));
    let failed = [past(25, 17, State::Failed)];
    let restarted = |mut a: Attempt| {
        a.boot_id = "before".into();
        a
    };
    scene.attempted("BP0ZZZZ", old.chain(new).chain(failed).map(restarted).collect());
    assert_eq!(pair_of(&scene, "BP00010"), (after(5), after(30)));
    let long = (26..40).map(|n| past(n, 300, State::Succeeded)).collect();
    scene.attempted("BP0ZZZY", long);
    assert_eq!(pair_of(&scene, "BP00010"), (after(30), after(30)));
}

#[test]
fn what_may_no_longer_fit_into_the_window_runs_in_the_next_one_at_the_latest() {
    let scene = three().with(|s| s.windows(&["Sun 11:00-13:00", "Tue 03:00-04:00"]));
    let tuesday = Some(at("2026-11-24T03:00:00Z"));
    assert_eq!(pair_of(&scene, "BP00010"), (after(0), after(30)));
    assert_eq!(pair_of(&scene, "BP00011"), (after(0), tuesday), "two before it may take all of this one");
    let words = foretold(&scene).iter().map(|d| d.why.to_string()).collect::<Vec<_>>();
    assert_eq!(words, ["starts at the next step", "runs 12:00-12:30", "runs 12:00-Tue 03:00"]);
    let later = scene.with(|s| s.windows(&["Sun 22:00-23:00", "Tue 03:00-04:00"]));
    let words = foretold(&later).iter().map(|d| d.why.to_string()).collect::<Vec<_>>();
    assert_eq!(words[1..], ["window 22:00; next 22:00-22:30", "window 22:00; next 22:00-Tue 03:00"]);
}

#[test]
fn a_longer_run_can_bring_another_one_forward_and_that_lies_within_the_pair() {
    // The second fits into the window only if the first is quick. Then it may take all of the window, and the third comes
    // later than behind the longest run of the first, after which only the third fits.
    let mut scene = three().with(|s| s.windows(&["Sun 11:00-13:00", "Tue 03:00-06:00"]));
    for (entry, limit) in scene.requests().iter_mut().zip([40, 50, 5]) {
        if let Entry::Good(request) = entry {
            request.max_run_time = minutes(limit);
        }
    }
    let tuesday = Some(at("2026-11-24T03:00:00Z"));
    assert_eq!(pair_of(&scene, "BP00010"), (after(0), tuesday));
    let longest = Assumptions { runs_take: RunTime::Longest, ..Assumptions::usual() };
    let course = simulate(&scene.inputs(), now(), now() + TimeDelta::days(7), &longest);
    assert_eq!(course.timelines[2].at, after(40), "behind the longest runs it starts today");
    assert_eq!(pair_of(&scene, "BP00011"), (after(0), tuesday), "and all the same it may be Tuesday");
}

#[test]
fn what_runs_now_ends_between_its_usual_time_and_its_limit() {
    let mut scene = three();
    let began = now() - TimeDelta::minutes(10);
    scene.attempted(ID, vec![Attempt { package_id: package(0), ..attempt(1, State::Running) }]);
    scene.facts.running = Some((id(ID), began));
    assert_eq!(pair_of(&scene, ID), (None, None), "it runs");
    assert_eq!(pair_of(&scene, "BP00010"), (after(0), after(20)));
    took(&mut scene, ID, "BP001000", minutes(12));
    assert_eq!(pair_of(&scene, "BP00010"), (after(2), after(20)));
    assert_eq!(decide_one(&scene.inputs(), id("BP00010")).unwrap().next_run, None, "alone it has no time");
}

#[test]
fn without_a_service_nothing_is_foretold_and_what_may_expire_first_has_no_latest_time() {
    let mut scene = three();
    for entry in scene.requests() {
        if let Entry::Good(request) = entry {
            request.expire_after = Some(When::Instant(now() + TimeDelta::minutes(45)));
        }
    }
    assert_eq!(pair_of(&scene, "BP00011"), (after(0), None), "it may expire while the others run");
    scene.facts.service = false;
    assert!(pairs(&scene).values().all(|pair| *pair == (None, None)));
}

#[test]
fn files_that_are_still_to_be_copied_arrive_and_a_share_that_is_away_brings_none() {
    let mut scene = three();
    scene.request().content_sha256 = Some(hash());
    scene.facts.copying.insert(hash(), now());
    assert_eq!(pair_of(&scene, ID), (after(0), after(0)));
    scene.instructions.fault =
        Some(crate::site::share::SourceFault { code: Code::ShareMissing, problems: Vec::new() });
    assert_eq!(pair_of(&scene, ID), (None, None));
}

#[test]
fn a_pending_restart_that_pcm_does_comes_first_and_another_one_is_waited_for() {
    let mut scene = three();
    scene.request().restarts = Restarts::Pcm;
    assert_eq!(pair_of(&scene, "BP00010"), (None, None), "the restart is an operator's");
    scene.policy.config.restart.allow = true;
    scene.policy.config.run.after_boot = minutes(10);
    assert_eq!(pair_of(&scene, "BP00010"), (after(10), after(40)));
    scene.facts.users = Some(vec![user("anna")]);
    let told = scene.policy.config.restart.countdown.as_secs() as i64 / 60;
    assert_eq!(pair_of(&scene, "BP00010"), (after(5 + told + 10 + 5), after(5 + 30 + told + 10 + 5)));
}

#[test]
fn five_hundred_that_are_due_at_once_have_their_times_in_little_work() {
    let mut scene =
        Scene::due().with(|s| s.windows(&["Mon 22:00-06:00", "Wed 22:00-06:00", "Sat 22:00-06:00"]));
    scene.requests().clear();
    for n in 0..500 {
        let mut one = request(&format!("BP0{n:04}"));
        one.max_run_time = minutes(10 + n % 7 * 10);
        scene.add(one);
    }
    let began = std::time::Instant::now();
    let pairs = pairs(&scene);
    let first = Some(at("2026-11-23T22:00:00Z"));
    assert!(pairs.values().all(|(at, _)| *at >= first), "none before the window");
    assert_eq!(pairs[&id("BP00000")], (first, first));
    assert!(pairs[&id("BP00005")].1.is_some());
    // Some milliseconds where it is optimised; this only catches the square.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// Each waits for the one behind it, so that all that cannot start yet are asked before the one that can.
#[test]
fn who_waits_for_whom_is_no_work_without_a_bound() {
    let chain = |links: usize| {
        let mut scene = Scene::due();
        scene.requests().clear();
        for n in 0..links {
            let mut one = request(&format!("BP0{n:04}"));
            one.depends_on = (n + 1 < links).then(|| id(&format!("BP0{:04}", n + 1))).into_iter().collect();
            scene.add(one);
        }
        pairs(&scene)
    };
    let short = chain(200);
    assert!(short.values().all(|(at, latest)| at.is_some() && latest.is_some()));
    let long = chain(1500);
    assert!(long[&id("BP01499")].1.is_some());
    assert_eq!(long[&id("BP00000")].1, None, "it was followed to its end");
}

#[test]
fn who_waits_for_what_never_starts_never_starts_through_any_number_of_others() {
    let mut scene = Scene::due();
    scene.requests().clear();
    for n in 0..200 {
        let mut one = request(&format!("BP0{n:04}"));
        one.depends_on = vec![id(&format!("BP0{:04}", n + 1))];
        scene.add(one);
    }
    scene.add(request("BP00300"));
    let pairs = pairs(&scene);
    assert!(pairs[&id("BP00300")].0.is_some());
    assert!((0..200).all(|n| pairs[&id(&format!("BP0{n:04}"))] == (None, None)));
}

/// When each really starts in this course.
fn started(timelines: &[Timeline]) -> BTreeMap<RequestId, Wall> {
    let runs =
        |state: State| matches!(state.group(), Group::Running | Group::Executed) && state != State::Countdown;
    let start = |t: &Timeline| {
        let first = t.changes.first().filter(|step| !runs(step.state) || step.state == State::Failed)?;
        let start = t
            .changes
            .iter()
            .find(|step| step.at >= first.at && runs(step.state) && step.state != State::Failed)?;
        Some((t.request_id?, start.at))
    };
    timelines.iter().filter_map(start).collect()
}

/// What makes a world of several packages.
#[derive(Debug, Clone)]
struct Many {
    depends: u8,
    /// Per request: its limit in minutes, the part of it that is usual, those that runs take.
    times: Vec<(u64, u64, u64)>,
    restarts: u8,
    allowed: bool,
    users: u8,
    after_boot: u64,
    /// The last one runs since so many minutes.
    runs: Option<u64>,
    announced: Option<u64>,
    /// The machine, so many minutes ago.
    started: Option<u64>,
    service: bool,
}

fn many() -> impl Strategy<Value = Many> {
    let percent = || 0u64..=100;
    let times = proptest::collection::vec((1u64..200, percent(), percent()), 6);
    let first = (any::<u8>(), times, 0u8..64, any::<bool>(), 0u8..3, 0u64..30);
    let second = (
        proptest::option::weighted(0.3, 0u64..60),
        proptest::option::weighted(0.2, 0u64..300),
        proptest::option::weighted(0.3, 0u64..60),
        proptest::bool::weighted(0.9),
    );
    (first, second).prop_map(|(a, b)| Many {
        depends: a.0,
        times: a.1,
        restarts: a.2 & a.2 >> 1,
        allowed: a.3,
        users: a.4,
        after_boot: a.5,
        runs: b.0,
        announced: b.1,
        started: b.2,
        service: b.3,
    })
}

/// That world, with what runs of each package took before: usually, or, to see what happens then, what they really take.
fn apply(world: &Scene, many: &Many, really: bool) -> Scene {
    let mut world = world.clone();
    let names: Vec<RequestId> = world
        .requests()
        .iter()
        .filter_map(|entry| match entry {
            Entry::Good(request) => Some(request.request_id),
            Entry::Rejected(_) => None,
        })
        .collect();
    for (n, (limit, usual, more)) in many.times.iter().enumerate().take(names.len()) {
        let limit = minutes(*limit);
        let Entry::Good(request) = &mut world.requests()[n] else { unreachable!("all are usable") };
        (request.package_id, request.max_run_time) = (package(n), limit);
        if many.restarts & (1 << n) != 0 {
            request.restarts = Restarts::Pcm;
        }
        let usual = limit.as_secs() * usual / 100;
        let takes = if really { usual + (limit.as_secs() - usual) * more / 100 } else { usual };
        took(&mut world, &names[n].to_string(), package(n).as_str(), Duration::from_secs(takes));
    }
    world.policy.config.restart.allow = many.allowed;
    world.policy.config.run.after_boot = minutes(many.after_boot);
    if let Some(ago) = many.started {
        world.facts.host.started = Some(now() - TimeDelta::minutes(ago as i64));
        // What is in the way behind that: too little space.
        world.facts.disk_free = Some(1 << 20);
        world.request().disk_space = Some(1 << (ago % 8 * 4));
    }
    world.facts.service = many.service;
    world.facts.users = [Some(Vec::new()), Some(vec![user("anna")]), None][usize::from(many.users)].clone();
    if let Some((since, last)) = many.runs.zip(names.last().filter(|_| names.len() > 1)) {
        let began = now() - TimeDelta::minutes(since as i64);
        let rule = world.requests().last().map(|entry| match entry {
            Entry::Good(request) => RestartRule::of(request),
            Entry::Rejected(_) => unreachable!("all are usable"),
        });
        let run = Attempt { started_at: Some(began), restart: rule.unwrap(), ..attempt(1, State::Running) };
        world.attempted(last.as_str(), vec![run]);
        world.facts.running = Some((*last, began));
    }
    if let Some(seconds) = many.announced.filter(|_| world.facts.running.is_none()) {
        let ends = now() + TimeDelta::seconds(seconds as i64);
        world.facts.countdown = Some(Announced { request: names[0], ends });
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// One truth about "next": every view tells the same pair, and what the machine then does lies within it, however long
    /// its runs take between their usual time and their limit.
    #[test]
    fn every_view_says_the_same_pair_and_what_then_happens_lies_within(
        first in ways(),
        others in proptest::collection::vec(ways(), 0..5),
        many in many(),
    ) {
        let plain = world(&first, &others, many.depends);
        let scene = apply(&plain, &many, false);
        let decisions = foretold(&scene);
        let until = now() + TimeDelta::days(9);
        let course = |scene: &Scene| simulate(&scene.inputs(), now(), until, &Assumptions::usual()).timelines;
        let next_runs = Arc::new(next_runs(&scene.inputs()));
        let one = &decisions[usize::from(many.depends) % decisions.len()];
        let mut alone = [decide_one(&scene.inputs(), one.request_id.unwrap()).unwrap()];
        foretell(&scene.inputs(), &mut alone, || Arc::clone(&next_runs));
        prop_assert_eq!((alone[0].next_run, alone[0].latest, &alone[0].why), (one.next_run, one.latest, &one.why));
        for (decision, timeline) in decisions.iter().zip(course(&scene)) {
            let said = decision.next_run.filter(|at| *at < until);
            prop_assert_eq!((said, said.and(decision.latest)), (timeline.at, timeline.latest), "{:?}", decision.request_id);
            prop_assert!(decision.latest.is_none_or(|latest| decision.next_run.is_some_and(|at| at <= latest)));
            prop_assert!(many.service || decision.next_run.is_none());
            prop_assert!(!(timeline.never && timeline.at.is_some()));
            let next = next_runs.get(&decision.request_id.unwrap());
            prop_assert_eq!((decision.next_run, decision.latest), (next.map(|n| n.at), next.and_then(|n| n.latest)));
        }
        let starts = started(&course(&apply(&plain, &many, true)));
        for decision in &decisions {
            let id = decision.request_id.unwrap();
            match (decision.next_run, decision.latest, starts.get(&id)) {
                (Some(at), latest, Some(started)) => prop_assert!(
                    at <= *started && latest.is_none_or(|latest| *started <= latest),
                    "{} starts {}, and not from {} to {:?}", id, started, at, latest
                ),
                (Some(_), Some(latest), None) => prop_assert!(latest >= until, "{} does not start", id),
                (None, _, Some(started)) => prop_assert!(false, "{} starts {} all the same", id, started),
                (_, _, None) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Where runs take one time only, both times are that of the one course there is.
    #[test]
    fn where_nothing_is_uncertain_both_times_are_the_same(
        first in ways(),
        others in proptest::collection::vec(ways(), 0..5),
        many in many(),
    ) {
        let scene = apply(&world(&first, &others, many.depends), &many, false);
        let until = now() + TimeDelta::days(9);
        let longest = Assumptions { runs_take: RunTime::Longest, ..Assumptions::usual() };
        let timelines = simulate(&scene.inputs(), now(), until, &longest).timelines;
        let said = timelines.iter().filter_map(|t| Some((t.request_id?, t.at?))).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(&said, &started(&timelines));
        prop_assert!(timelines.iter().all(|t| t.at == t.latest));
    }
}
