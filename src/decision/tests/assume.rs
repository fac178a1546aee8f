//! Assumptions as an operator writes them, and what each of them opens.

use super::super::model::*;
use super::super::simulate::*;
use super::scene::*;
use crate::site::content::ContentFact;
use crate::site::instruction::RunWhen;
use crate::site::share::SourceFault;
use crate::terms::Platform;
use crate::terms::*;
use crate::text::SafeText;
use chrono::TimeDelta;

fn assume(texts: &[&str]) -> Result<Assumptions, String> {
    let mut all = Assumptions::default();
    texts.iter().try_for_each(|text| all.add(text)).map(|()| all)
}

/// A scene that one thing keeps from running within a day, and the assumption without which it does not run.
fn obstacles() -> Vec<(&'static str, Scene)> {
    let scene = |change: fn(&mut Scene)| Scene::due().with(change);
    vec![
        (
            "users=none",
            scene(|s| {
                s.request().run_when = RunWhen::NoUser;
                s.facts.users = Some(vec![user("anna")]);
            }),
        ),
        ("users=anna, bob", scene(|s| s.request().run_when = RunWhen::User)),
        ("window=none", scene(|s| s.windows(&["Wed 03:00-04:00"]))),
        ("window=Sun 11:00-14:00,Tue 03:00-04:00", scene(|s| s.windows(&["Wed 03:00-04:00"]))),
        ("hold=none", scene(|s| s.held(now() + TimeDelta::days(3)))),
        (
            "freeze=none",
            scene(|s| s.policy.config.freezes.push(freeze("2026-11-20T00:00:00", "2026-11-30T00:00:00"))),
        ),
        (
            "freeze=none",
            scene(|s| s.instructions.site_freezes.push(freeze("2026-11-20T00:00:00", "2026-11-30T00:00:00"))),
        ),
        ("deferral=none", scene(|s| s.deferred(now() + TimeDelta::days(3)))),
        ("clock=ok", scene(|s| s.facts.clock_suspect = Some("it went back".into()))),
        ("restart=none", scene(|s| s.attempted(OTHER, vec![attempt(1, State::SucceededRestart)]))),
        (
            "boot=long-ago",
            scene(|s| {
                s.policy.config.run.after_boot = minutes(24 * 60 * 2);
                s.facts.host.started = Some(now());
            }),
        ),
        ("power=mains", scene(|s| s.facts.host.power = Power::Battery("BAT0, 41%".into()))),
        (
            "disk=ok",
            scene(|s| {
                s.request().disk_space = Some(1 << 40);
                s.facts.disk_free = Some(1 << 20);
            }),
        ),
        ("content=copied", scene(|s| s.request().content_sha256 = Some(hash()))),
        (
            "content=copied",
            scene(|s| {
                s.request().content_sha256 = Some(hash());
                s.facts.content.insert(hash(), ContentFact::Missing("no such folder".into()));
            }),
        ),
        (
            "share=ok",
            scene(|s| {
                s.instructions.fault = Some(SourceFault { code: Code::ShareMissing, problems: Vec::new() });
                s.instructions.share_seen = Some(now() - TimeDelta::days(3));
            }),
        ),
        ("platform=any", scene(|s| s.request().platforms = vec![Platform::WindowsX86])),
    ]
}

#[test]
fn each_assumption_takes_its_obstacle_away_and_is_said() {
    for (text, scene) in obstacles() {
        let run = |assumptions: &Assumptions| {
            let course = simulate(&scene.inputs(), now(), now() + TimeDelta::days(1), assumptions);
            course.timelines[0].at
        };
        assert_eq!(run(&Assumptions::default()), None, "{text}: it is in the way");
        let assumptions = assume(&[text]).unwrap();
        // Users who are assumed to be there are told first.
        let told = assumptions.users.as_ref().is_some_and(|users| !users.is_empty());
        assert_eq!(run(&assumptions), Some(now() + TimeDelta::minutes(if told { 5 } else { 0 })), "{text}");
        let said = |a: &Assumptions| a.words(&scene.instructions, &scene.facts);
        assert_ne!(said(&assumptions), said(&Assumptions::default()), "{text} is told");
    }
}

#[test]
fn a_share_that_stays_away_makes_what_is_held_stale() {
    let mut scene = Scene::due();
    scene.request().mandatory_after = Some(crate::clock::When::Instant(now() + TimeDelta::days(2)));
    let run = |texts: &[&str]| {
        let assumptions = assume(texts).unwrap();
        simulate(&scene.inputs(), now(), now() + TimeDelta::days(7), &assumptions).timelines[0].at
    };
    assert_eq!(run(&["share=ok"]), Some(now() + TimeDelta::days(2)));
    assert_eq!(run(&["share=missing"]), None);
}

#[test]
fn runs_take_as_long_as_assumed_and_never_longer_than_they_may() {
    let mut scene = Scene::due();
    scene.add(request("BP0000Z"));
    let second = |text: &str| {
        let course = simulate(&scene.inputs(), now(), now() + TimeDelta::days(1), &assume(&[text]).unwrap());
        course.timelines[1].at.unwrap() - now()
    };
    assert_eq!(second("runs=longest"), TimeDelta::minutes(30));
    assert_eq!(second("runs=10m"), TimeDelta::minutes(10));
    assert_eq!(second("runs=3h"), TimeDelta::minutes(30));
    assert_eq!(second("runs=none"), TimeDelta::zero());
}

#[test]
fn what_cannot_be_assumed_is_refused_with_what_can() {
    for bad in ["users", "", "=none", "moon=full", "Users=none"] {
        let why = assume(&[bad]).unwrap_err();
        assert!(why.contains("What can be assumed: users=none"), "{bad}: {why}");
        assert!(why.contains("runs=longest"), "all of it: {why}");
    }
    for bad in ["window=Xyz 22:00-06:00", "window=", "runs=soon", "share=maybe", "hold=2h", "users="] {
        let why = assume(&[bad]).unwrap_err();
        let key = bad.split_once('=').unwrap().0;
        assert!(why.contains(&format!("possible is {key}=")), "{bad}: {why}");
    }
    assert!(assume(&["window=Xyz 22:00-06:00"]).unwrap_err().contains("the day is not one of"));
}

#[test]
fn what_opens_the_way_is_said_and_what_follows_another_names_it() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 22:00-23:59"]));
    scene.add(request("BP0000Z"));
    let mut free = request("BP00010");
    free.ignore_windows = true;
    scene.add(free);
    let course = simulate(&scene.inputs(), now(), now() + TimeDelta::days(1), &Assumptions::default());
    let why: Vec<&SafeText> = course.timelines.iter().map(|t| &t.why).collect();
    assert_eq!(why, ["the maintenance window opens", "BP0000Y ends", "nothing is in its way"]);
}

#[test]
fn hundreds_that_are_due_together_run_one_after_the_other() {
    let mut scene = Scene::due();
    scene.requests().clear();
    for n in 0..200 {
        let mut one = request(&format!("BP0{n:04}"));
        one.mandatory_after = Some(crate::clock::When::Instant(now() + TimeDelta::minutes(n)));
        one.max_run_time = std::time::Duration::from_secs(1);
        scene.add(one);
    }
    let until = now() + TimeDelta::days(1);
    let course = simulate(&scene.inputs(), now(), until, &Assumptions::default());
    let ran = course.timelines.iter().filter(|t| t.at.is_some()).count();
    assert!(course.until == until && ran == 200, "it fits: {ran} until {}", course.until);
}
