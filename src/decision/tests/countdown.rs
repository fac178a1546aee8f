//! A request that is announced and not launched: shown as such while every gate passes, and what an operator may do.

use super::super::model::*;
use super::super::simulate::{Assumptions, simulate};
use super::super::{due_in_order, judge};
use super::scene::*;
use crate::clock::When;
use crate::terms::*;
use crate::text::SafeText;
use chrono::TimeDelta;

fn announced() -> Scene {
    let ends = now() + TimeDelta::seconds(252);
    Scene::due().with(|s| s.facts.countdown = Some(Announced { request: id(ID), ends }))
}

#[test]
fn what_is_announced_counts_down_to_its_start_and_is_still_first_in_order() {
    let scene = announced();
    let decision = scene.decision();
    assert_eq!((decision.state, decision.attempt), (State::Countdown, 0));
    assert_eq!(decision.next_run, Some(now() + TimeDelta::seconds(252)));
    assert_eq!(decision.why, "starts in 4m12s, announced");
    assert!(decision.blocked_by().is_empty());
    assert_eq!(due_in_order(&scene.decide()), [0]);
}

#[test]
fn another_gate_that_closes_ends_it() {
    let later = now() + TimeDelta::hours(1);
    let deferred = announced().with(|s| s.deferred(later));
    assert_eq!(deferred.decision().state, State::Deferred);
    let held = announced().with(|s| s.held(later));
    assert_eq!(held.decision().state, State::Waiting);
    let expired = announced().with(|s| s.request().expire_after = Some(When::Instant(now())));
    assert_eq!(expired.decision().state, State::Expired);
    for scene in [deferred, held, expired] {
        assert!(due_in_order(&scene.decide()).is_empty());
    }
}

#[test]
fn an_operator_may_run_defer_or_stop_it_and_there_is_nothing_to_repeat() {
    let scene = announced();
    let judged = |verb: &Verb, reason: Option<&SafeText>| {
        judge(&scene.inputs(), id(ID), verb, reason).map(|d| d.state).map_err(|r| r.code.to_string())
    };
    let reason = SafeText::from("anna asked");
    let asked = |verb: &Verb| judged(verb, Some(&reason));
    let ready = Ok(State::Countdown);
    assert_eq!(judged(&Verb::Run { overrides: Vec::new(), no_queue: false }, None), ready);
    assert_eq!(asked(&Verb::Defer { until: now() + TimeDelta::hours(1) }), ready);
    assert_eq!(asked(&Verb::Stop), ready);
    let again = Verb::Rerun { overrides: Vec::new(), no_queue: false };
    assert_eq!(asked(&again), Err("not-attempted".to_owned()));
}

#[test]
fn the_announced_repetition_of_a_retry_can_be_made_at_once() {
    let scene = announced().with(|s| {
        let ended = attempt(1, State::Failed);
        s.attempted(ID, vec![Attempt { retry_at: Some(now()), ..ended }]);
    });
    assert_eq!(scene.decision().state, State::Countdown);
    let again = Verb::Rerun { overrides: Vec::new(), no_queue: false };
    assert!(judge(&scene.inputs(), id(ID), &again, Some(&"now".into())).is_ok());
}

#[test]
fn the_virtual_clock_starts_what_is_announced() {
    let scene = announced();
    let until = now() + TimeDelta::days(1);
    let course = simulate(&scene.inputs(), now(), until, &Assumptions::default());
    assert!(course.timelines[0].at.is_some());
}

/// DEFECTS: a deferral never survives into running after expiry, however long it was allowed to be.
#[test]
fn a_deferral_never_survives_into_running_after_expiry() {
    let expires = now() + TimeDelta::hours(3);
    for until in [1, 2, 3, 4, 48] {
        let mut scene = Scene::due().with(|s| s.deferred(now() + TimeDelta::hours(until)));
        scene.request().expire_after = Some(When::Instant(expires));
        for quarter in 0..4 * 60 {
            scene.now = now() + TimeDelta::minutes(quarter * 15);
            let state = scene.decision().state;
            assert!(scene.now < expires || state == State::Expired, "{state} at {}", scene.now);
        }
        scene.now = now();
        let next = scene.decision().next_run;
        assert_eq!(next.is_some(), until < 3, "deferred for {until} h: {next:?}");
    }
}

/// Nobody's presence is ever counted as a deferral: waiting for a user to go spends nothing of what may be deferred.
#[test]
fn waiting_for_a_user_is_no_deferral() {
    let mut scene = Scene::due();
    scene.request().run_when = crate::site::instruction::RunWhen::NoUser;
    scene.facts.users = Some(vec![user("anna")]);
    scene.policy.config.deferral.max_count = 1;
    for days in 0..20 {
        scene.now = now() + TimeDelta::days(days);
        scene.instructions.share_seen = Some(scene.now);
        let decision = scene.decision();
        assert_eq!((decision.state, decision.deferred_until), (State::Waiting, None));
        let verb = Verb::Defer { until: scene.now + TimeDelta::days(7) };
        assert!(judge(&scene.inputs(), id(ID), &verb, Some(&"release".into())).is_ok(), "day {days}");
    }
}
