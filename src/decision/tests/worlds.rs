//! Rules that hold in every world: random machines, requests and times.

use super::super::model::*;
use super::super::simulate::{Assumptions, simulate};
use super::super::{decide_one, due_in_order, next_instant};
use super::scene::*;
use crate::clock::{Wall, When, Zone};
use crate::site::instruction::*;
use crate::site::share::SourceFault;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustVerdict;
use crate::terms::*;
use chrono::TimeDelta;
use proptest::prelude::*;

/// A quarter of an hour, counted from noon: everything in these worlds happens on this grid.
pub fn grid(n: i64) -> Wall {
    now() + TimeDelta::minutes(n * 15)
}

/// What can be in the way, each with some likelihood.
#[derive(Debug, Clone)]
pub struct Ways {
    offer: i64,
    mandatory: Option<i64>,
    expire: Option<i64>,
    kind: u8,
    need: u64,
    hold: Option<i64>,
    deferral: Option<i64>,
    freezes: Vec<(i64, i64)>,
    windows: Vec<(usize, u32, u32)>,
    valid_until: Option<i64>,
    share: Option<i64>,
    pub attempt: u8,
    retry: i64,
    rare: u16,
    zone: usize,
}

pub fn ways() -> impl Strategy<Value = Ways> {
    let maybe = |range: std::ops::Range<i64>| proptest::option::of(range);
    let first =
        (-40i64..60, maybe(-20..200), maybe(1..700), 0u8..12, 1u64..12, maybe(-10..200), maybe(-10..200));
    let second = (
        proptest::collection::vec((-50i64..300, 1i64..100), 0..3),
        proptest::collection::vec((0usize..7, 0u32..96, 0u32..=96), 0..4),
        proptest::option::weighted(0.2, 1i64..700),
        proptest::option::weighted(0.2, -100i64..0),
        0u8..14,
        -20i64..100,
        0u16..120,
        0usize..3,
    );
    (first, second).prop_map(|(a, b)| Ways {
        offer: a.0,
        mandatory: a.1,
        expire: a.2,
        kind: a.3,
        need: a.4,
        hold: a.5,
        deferral: a.6,
        freezes: b.0,
        windows: b.1,
        valid_until: b.2,
        share: b.3,
        attempt: b.4,
        retry: b.5,
        rare: b.6,
        zone: b.7,
    })
}

fn zone(which: usize) -> Zone {
    // The second has a clock change on the first Sunday of these worlds, the third one on the next.
    let posix = ["UTC0", "AAA3BBB,M11.4.0/13,M3.2.0", "AAA-5BBB,M3.2.0,M11.5.0"][which];
    Zone::from_posix("Z", posix).unwrap()
}

pub fn scene(ways: &Ways) -> Scene {
    let mut scene = Scene::due();
    let instant = |n: i64| When::Instant(grid(n));
    {
        let request = scene.request();
        request.offer_after = instant(ways.offer);
        request.mandatory_after = ways.mandatory.map(instant);
        request.expire_after = ways.expire.map(instant);
        request.max_run_time = minutes(ways.need * 15);
        request.background = ways.kind != 1;
        request.automated = ways.kind > 1;
        request.ignore_windows = ways.kind == 2;
    }
    if let Some(until) = ways.hold {
        scene.held(grid(until));
    }
    if let Some(until) = ways.deferral {
        scene.deferred(grid(until));
    }
    for (index, (from, length)) in ways.freezes.iter().enumerate() {
        let freeze = Freeze { from: instant(*from), until: instant(from + length), reason: "quiet".into() };
        let freezes = match index % 2 {
            0 => &mut scene.instructions.site_freezes,
            _ => &mut scene.policy.config.freezes,
        };
        freezes.push(freeze);
    }
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let windows = ways.windows.iter().filter(|(_, s, e)| s != e).map(|(day, s, e)| {
        format!("{} {:02}:{:02}-{:02}:{:02}", days[*day], s / 4, s % 4 * 15, e / 4, e % 4 * 15)
    });
    scene.policy.config.windows.weekly = windows.collect();
    scene.policy.window_zone = Ok(zone(ways.zone));
    scene.zone = zone(ways.zone);
    scene.instructions.file.as_mut().unwrap().valid_until = ways.valid_until.map(grid);
    if let Some(seen) = ways.share {
        scene.instructions.share_seen = Some(grid(seen));
        scene.instructions.fault = Some(SourceFault { code: Code::ShareMissing, problems: Vec::new() });
    }
    match ways.attempt {
        0 => scene.attempted(ID, vec![attempt(1, State::Succeeded)]),
        1 => scene.attempted(ID, vec![attempt(1, State::Interrupted)]),
        2 => scene.attempted(ID, vec![attempt(1, State::Running)]),
        3..=5 => {
            let mut failed = attempt(1, State::Failed);
            failed.retry_at = Some(grid(ways.retry));
            scene.attempted(ID, vec![failed]);
        }
        _ => {}
    }
    match ways.rare {
        0 => scene.request().platforms = vec![Platform::WindowsX86],
        1 => scene.request().suspended = true,
        2 => scene.request().run_when = RunWhen::User,
        3 => (scene.facts.users, scene.request().run_when) = (None, RunWhen::NoUser),
        4 => scene.facts.clock_suspect = Some("it went back".into()),
        5 => scene.attempted(OTHER, vec![attempt(1, State::SucceededRestart)]),
        6 => scene.policy.unreadable = Some("line 1".into()),
        7 => scene.request().content_sha256 = Some(hash()),
        8 => scene.facts.running = Some((id(OTHER), now())),
        9 => scene.history.lost = Some("gone".into()),
        10 => scene.instructions.trust = TrustVerdict::Unchecked,
        11 => scene.windows(&["Someday"]),
        _ => {}
    }
    scene
}

/// The same world later, if nothing but time changes: a share that answers goes on answering.
pub fn later(scene: &Scene, t: Wall) -> Scene {
    let mut scene = scene.clone();
    if scene.instructions.fault.is_none() && scene.instructions.share_seen.is_some() {
        scene.instructions.share_seen = Some(t);
    }
    scene.now = t;
    scene
}

fn closed(decision: &Decision) -> bool {
    decision.gates.iter().any(|g| g.verdict != Verdict::Pass)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_due_has_every_gate_open_and_is_within_its_times(ways in ways(), t in -50i64..700) {
        let scene = later(&scene(&ways), grid(t));
        let decision = scene.decision();
        prop_assert_eq!(decision.gates.iter().map(|g| g.gate).collect::<Vec<_>>(), Gate::ALL);
        for gate in &decision.gates {
            prop_assert_eq!(gate.code.is_none(), gate.verdict == Verdict::Pass, "{:?}", gate);
            prop_assert!(!gate.evidence.is_empty());
            if let Change::At(at) = gate.change {
                prop_assert!(at > scene.now, "{:?} changes in the past", gate);
            }
        }
        prop_assert_eq!(decision.state == State::Due, !closed(&decision));
        if decision.state == State::Due {
            prop_assert!(decision.mandatory_after.unwrap() <= scene.now);
            prop_assert!(decision.offer_after.unwrap() <= scene.now);
            prop_assert!(decision.expire_after.is_none_or(|e| scene.now < e));
            prop_assert_eq!(decision.next_run, Some(scene.now));
        }
        prop_assert!(!(decision.never && decision.next_run.is_some()));
        prop_assert!(!decision.why.is_empty());
        prop_assert!(decision.why.as_str().chars().count() < 120, "{}", decision.why);
    }

    #[test]
    fn nothing_changes_by_time_before_the_next_instant(ways in ways(), part in 0.0f64..1.0) {
        let scene = scene(&ways);
        let decisions = scene.decide();
        let next = next_instant(&decisions, scene.now);
        let far = scene.now + TimeDelta::days(8);
        let until = next.unwrap_or(far).min(far);
        prop_assert!(until > scene.now);
        let seconds = (until - scene.now).num_seconds();
        let verdicts = |all: &[Decision]| -> Vec<_> {
            let live = all.iter().filter(|d| matches!(d.state.group(), Group::Pending | Group::Running));
            live.map(|d| (d.request_id, d.state, d.gates.iter().map(|g| g.verdict).collect::<Vec<_>>())).collect()
        };
        for ahead in [(seconds as f64 * part) as i64, seconds - 1] {
            let then = scene.clone().with(|s| s.now += TimeDelta::seconds(ahead));
            prop_assert_eq!(verdicts(&then.decide()), verdicts(&decisions), "{} s ahead of {}", ahead, seconds);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_next_run_is_the_first_step_at_which_it_is_due(ways in ways()) {
        let scene = scene(&ways);
        let decision = scene.decision();
        // What runs now is taken to have ended by then; what could start but for it has no time that can be named.
        let free = scene.clone().with(|s| s.facts.running = None);
        let due = |t: &Wall| decide_one(&later(&free, *t).inputs(), id(ID)).unwrap().state == State::Due;
        let first = (0..800).map(grid).find(due);
        match decision.next_run {
            None if scene.facts.running.is_some() && first == Some(scene.now) => {}
            Some(t) if t < grid(800) => {
                prop_assert_eq!(first, Some(t));
                if t > scene.now {
                    let before = later(&free, t - TimeDelta::seconds(1));
                    prop_assert!(closed(&before.decision()), "a second earlier it is not yet due");
                }
            }
            _ => prop_assert_eq!(first, None),
        }
        // The virtual clock finds the same, unless what runs now ends before.
        if scene.facts.running.is_none() {
            let until = grid(800);
            let timelines = simulate(&scene.inputs(), scene.now, until, &Assumptions::default()).timelines;
            let found = timelines.iter().find(|t| t.request_id == Some(id(ID))).unwrap();
            prop_assert_eq!(found.at, decision.next_run.filter(|t| *t < until));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// P2: each published request and each attempted one is shown once, in one state, whatever the mixture.
    #[test]
    fn no_request_disappears_and_none_is_doubled(
        published in proptest::collection::btree_map(0u8..40, ways(), 0..12),
        attempted in proptest::collection::btree_set(0u8..40, 0..12),
    ) {
        let name = |n: u8| format!("BP000{n:02}");
        let mut all = Scene::due();
        all.requests().clear();
        for (n, ways) in &published {
            let mut one = scene(ways).request().clone();
            one.request_id = id(&name(*n));
            all.add(one);
        }
        for n in &attempted {
            all.attempted(&name(*n), vec![attempt(1, State::Failed)]);
        }
        let decisions = all.decide();
        let mut shown: Vec<_> = decisions.iter().filter_map(|d| d.request_id).collect();
        shown.sort();
        let mut wanted: Vec<_> = published.keys().chain(&attempted).map(|n| id(&name(*n))).collect();
        wanted.sort();
        wanted.dedup();
        prop_assert_eq!(&shown, &wanted);
        for decision in &decisions {
            let n: u8 = decision.request_id.unwrap().as_str()[5..].parse().unwrap();
            prop_assert_eq!(decision.entry.is_some(), published.contains_key(&n));
            prop_assert_eq!(decision.gates.len(), if decision.entry.is_some() { Gate::ALL.len() } else { 0 });
            prop_assert_eq!(decision.state == State::Failed, attempted.contains(&n));
            prop_assert!(State::ALL.contains(&decision.state));
        }
        let due = due_in_order(&decisions);
        prop_assert_eq!(due.len(), decisions.iter().filter(|d| d.state == State::Due).count());
        let keys: Vec<_> = due.iter().map(|i| (decisions[*i].mandatory_after, decisions[*i].request_id)).collect();
        prop_assert!(keys.is_sorted());
    }
}
