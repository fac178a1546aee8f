//! The virtual clock: it starts what the service would start, when the service would start it.

use super::super::model::*;
use super::super::simulate::*;
use super::scene::*;
use crate::clock::{Wall, When};
use crate::site::instruction::Restarts;
use crate::terms::*;
use chrono::TimeDelta;

fn run(scene: &Scene, days: i64, assumptions: &Assumptions) -> Vec<Timeline> {
    simulate(&scene.inputs(), scene.now, scene.now + TimeDelta::days(days), assumptions).timelines
}

fn states(timeline: &Timeline) -> Vec<(String, State, Option<Code>)> {
    timeline.changes.iter().map(|s| (s.at.format("%a %H:%M").to_string(), s.state, s.code)).collect()
}

fn at_hours(n: i64) -> Wall {
    now() + TimeDelta::hours(n)
}

#[test]
fn a_request_goes_through_its_states_and_ends_well() {
    let mut scene = Scene::due();
    scene.request().offer_after = When::Instant(at_hours(1));
    scene.request().mandatory_after = Some(When::Instant(at_hours(2)));
    scene.windows(&["Sun 22:00-06:00"]);
    let timeline = &run(&scene, 3, &Assumptions::default())[0];
    assert_eq!(
        states(timeline),
        [
            ("Sun 12:00".into(), State::Scheduled, Some(Code::NotOffered)),
            ("Sun 13:00".into(), State::Offered, Some(Code::NotMandatoryYet)),
            ("Sun 14:00".into(), State::Waiting, Some(Code::WindowClosed)),
            ("Sun 22:00".into(), State::Due, None),
            ("Sun 22:00".into(), State::Running, Some(Code::Done)),
            ("Sun 22:30".into(), State::Succeeded, Some(Code::Done)),
        ]
    );
    assert_eq!((timeline.at, timeline.never), (Some(at_hours(10)), false));
}

#[test]
fn what_expires_in_the_simulation_says_what_was_in_its_way() {
    let mut scene = Scene::due().with(|s| s.facts.service = false);
    scene.request().expire_after = Some(When::Instant(at_hours(3)));
    let timeline = &run(&scene, 1, &Assumptions::default())[0];
    assert_eq!(
        (timeline.why.as_str(), timeline.at, timeline.never),
        ("expires 15:00: no service runs", None, false),
        "as the list says it, for somebody may start one"
    );
}

#[test]
fn one_after_the_other_and_what_no_longer_fits_takes_the_next_window() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 13:00-14:10", "Tue 03:00-04:00"]));
    for (name, minutes_ago) in [("BP00001", 90), ("BP00002", 30)] {
        let mut one = request(name);
        one.mandatory_after = Some(When::Instant(now() - TimeDelta::minutes(minutes_ago)));
        scene.add(one);
    }
    let starts = |assumptions| -> Vec<_> {
        let format =
            |t: Timeline| (t.request_id.unwrap().to_string(), t.at.unwrap().format("%a %H:%M").to_string());
        run(&scene, 7, &assumptions).into_iter().map(format).collect()
    };
    let named = |times: [&str; 3]| -> Vec<_> {
        [ID, "BP00001", "BP00002"].iter().zip(times).map(|(n, t)| (n.to_string(), t.to_owned())).collect()
    };
    assert_eq!(starts(Assumptions::default()), named(["Sun 13:30", "Sun 13:00", "Tue 03:00"]));
    let quick = Assumptions { runs_take: RunTime::Nothing, ..Assumptions::default() };
    assert_eq!(starts(quick), named(["Sun 13:00", "Sun 13:00", "Sun 13:00"]));
}

#[test]
fn a_dependency_runs_first_whatever_the_order() {
    let mut scene = Scene::due();
    scene.request().depends_on = vec![id("BP00009")];
    let mut other = request("BP00009");
    other.mandatory_after = Some(When::Instant(now() + TimeDelta::hours(1)));
    scene.add(other);
    let timelines = run(&scene, 2, &Assumptions::default());
    assert_eq!(timelines[1].at, Some(at_hours(1)));
    assert_eq!(timelines[0].at, Some(at_hours(1) + TimeDelta::minutes(30)));
}

#[test]
fn what_runs_already_ends_at_its_limit_and_makes_room() {
    let mut scene = Scene::due();
    scene.add(request(OTHER));
    scene.attempted(OTHER, vec![attempt(1, State::Running)]);
    scene.facts.running = Some((id(OTHER), now() - TimeDelta::minutes(10)));
    let timelines = run(&scene, 1, &Assumptions::default());
    assert_eq!(timelines[0].at, Some(now() + TimeDelta::minutes(20)));
    assert_eq!((timelines[1].at, timelines[1].changes.last().unwrap().state), (None, State::Succeeded));
}

#[test]
fn what_never_runs_says_so_and_what_needs_an_event_does_not() {
    let mut scene = Scene::due();
    scene.request().mandatory_after = None;
    let mut waits = request(OTHER);
    waits.content_sha256 = Some(hash());
    scene.add(waits);
    let timelines = run(&scene, 30, &Assumptions::default());
    assert_eq!((timelines[0].at, timelines[0].never), (None, true));
    assert_eq!((timelines[1].at, timelines[1].never), (None, false));
    assert_eq!(timelines[1].why, "files not copied");
    let arriving = Assumptions { content: Content::Arrives, ..Assumptions::default() };
    assert_eq!(run(&scene, 30, &arriving)[1].at, Some(now()));
}

#[test]
fn users_can_be_assumed() {
    let mut scene = Scene::due();
    scene.request().run_when = crate::site::instruction::RunWhen::NoUser;
    scene.facts.users = None;
    assert_eq!(run(&scene, 1, &Assumptions::default())[0].at, None);
    let nobody = Assumptions { users: Some(Vec::new()), ..Assumptions::default() };
    assert_eq!(run(&scene, 1, &nobody)[0].at, Some(now()));
}

#[test]
fn what_expires_before_its_window_never_runs() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 22:00-06:00"]));
    scene.request().expire_after = Some(When::Instant(at_hours(9)));
    let timeline = &run(&scene, 7, &Assumptions::default())[0];
    assert_eq!((timeline.at, timeline.never), (None, true));
    assert_eq!(timeline.changes.last().map(|s| (s.at, s.state)), Some((at_hours(9), State::Expired)));
    assert_eq!(timeline.why, "expires 21:00: window closed");
}

/// Found by the comparison of all views: the list took files that were still to be copied for a way out.
#[test]
fn that_it_never_runs_is_a_matter_of_its_own_times_whatever_else_is_in_the_way() {
    let scene = Scene::due().with(|s| {
        s.windows(&["Sun 22:00-06:00"]);
        s.request().expire_after = Some(When::Instant(at_hours(9)));
    });
    let others: [fn(&mut Scene); 4] = [
        |s| s.facts.service = false,
        |s| s.request().content_sha256 = Some(hash()),
        |s| s.facts.running = Some((id(OTHER), now())),
        |s| s.policy.unreadable = Some("line 3".into()),
    ];
    for other in others {
        assert!(scene.clone().with(other).decision().never);
        let in_time = scene.clone().with(other).with(|s| {
            s.request().expire_after = Some(When::Instant(at_hours(11)));
        });
        assert!(!in_time.decision().never, "something else may happen before");
    }
    let held = Scene::due().with(|s| {
        s.held(at_hours(12));
        s.request().expire_after = Some(When::Instant(at_hours(9)));
    });
    assert_eq!((held.decision().next_run, held.decision().never), (None, false), "a hold can be ended");
}

#[test]
fn users_who_are_logged_on_are_given_their_countdown_and_the_start_is_after_it() {
    let mut scene = Scene::due().with(|s| s.facts.users = Some(vec![user("anna")]));
    let five = TimeDelta::minutes(5);
    assert_eq!(
        states(&run(&scene, 1, &Assumptions::default())[0]),
        [
            ("Sun 12:00".into(), State::Due, None),
            ("Sun 12:00".into(), State::Countdown, None),
            ("Sun 12:05".into(), State::Running, Some(Code::Done)),
            ("Sun 12:35".into(), State::Succeeded, Some(Code::Done)),
        ]
    );
    let start = |scene: &Scene, assume: &Assumptions| run(scene, 1, assume)[0].at;
    let nobody = Assumptions { users: Some(Vec::new()), ..Assumptions::default() };
    assert_eq!(start(&scene, &nobody), Some(now()), "nobody is told");
    scene.facts.users = None;
    assert_eq!(start(&scene, &Assumptions::default()), Some(now() + five), "somebody may be there");
    // A countdown under way goes on where it is.
    let ends = now() + TimeDelta::seconds(90);
    scene.facts.countdown = Some(Announced { request: id(ID), ends });
    assert_eq!(start(&scene, &Assumptions::default()), Some(ends));
    // As short as it has to be for the request to start at all.
    scene.facts.countdown = None;
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::minutes(3)));
    let at = start(&scene, &Assumptions::default()).unwrap();
    assert!(at > now() + TimeDelta::minutes(2) && at < now() + TimeDelta::minutes(3), "{at}");
}

#[test]
fn a_package_that_wants_the_machine_restarted_keeps_the_others_waiting_until_that_is_done() {
    let mut scene = Scene::due();
    scene.request().restarts = Restarts::Pcm;
    let mut next = request("BP0000Z");
    next.mandatory_after = Some(When::Instant(now()));
    scene.add(next);
    let timelines = run(&scene, 1, &Assumptions::default());
    assert_eq!(timelines[0].changes.last().unwrap().state, State::SucceededRestart);
    assert_eq!((timelines[1].at, timelines[1].why.as_str()), (None, "restart pending"));
    // Where pcm may restart it: in the window, and then it has to be up for a while.
    scene.policy.config.restart.allow = true;
    scene.windows(&["Sun 12:00-13:00", "Sun 22:00-23:00"]);
    let after = |minutes| Some(now() + TimeDelta::minutes(minutes));
    assert_eq!(
        run(&scene, 1, &Assumptions::default())[1].at,
        after(600),
        "the rest of this window is too short"
    );
    scene.policy.config.run.after_boot = minutes(0);
    assert_eq!(run(&scene, 1, &Assumptions::default())[1].at, after(30));
    scene.held(now() + TimeDelta::minutes(5));
    scene.windows(&[]);
    scene.policy.config.run.after_boot = minutes(10);
    let timelines = run(&scene, 1, &Assumptions::default());
    assert_eq!((timelines[0].at, timelines[1].at), (after(5), after(45)));
    assert_eq!(timelines[1].why, "the machine is up for long enough");
    assert_eq!(timelines[0].changes.last().unwrap().state, State::Succeeded, "restarted");
}
