//! Restarts by pcm: only for what wants one, only where that is allowed, in a window, under the users rule.

use super::super::model::*;
use super::super::{RestartState, RestartVerb, judge_restart, restart_plan};
use super::scene::*;
use crate::site::instruction::*;
use crate::terms::*;
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;

/// A package succeeded, and its publisher wants pcm to restart the machine.
fn wanting(restarts: Restarts) -> Scene {
    Scene::due().with(|s| {
        let mut done = attempt(1, State::SucceededRestart);
        done.restart = RestartRule { restarts, run_when: RunWhen::Any, ignore_windows: false };
        s.attempted(OTHER, vec![done]);
        s.policy.config.restart.allow = true;
    })
}

#[track_caller]
fn plan(scene: &Scene) -> (RestartState, Option<Code>, Option<crate::clock::Wall>) {
    let plan = restart_plan(&scene.inputs());
    assert!(!plan.why.is_empty());
    (plan.state, plan.code, plan.next)
}

fn rule(scene: &mut Scene) -> &mut RestartRule {
    &mut Arc::make_mut(&mut scene.history.attempts.get_mut(&id(OTHER)).unwrap()[0]).restart
}

#[test]
fn pcm_restarts_only_what_asked_for_it_and_only_where_that_is_allowed() {
    assert_eq!(plan(&Scene::due()).0, RestartState::None);
    assert_eq!(plan(&wanting(Restarts::Pcm)), (RestartState::Due, None, None));
    assert_eq!(plan(&wanting(Restarts::No)).0, RestartState::ByHand);
    let forbidden = wanting(Restarts::Pcm).with(|s| s.policy.config.restart.allow = false);
    assert_eq!(plan(&forbidden).0, RestartState::ByHand);
    let restarted = wanting(Restarts::Pcm).with(|s| s.facts.boot_id = "boot-2".into());
    assert_eq!(plan(&restarted).0, RestartState::None, "it is done");
}

#[test]
fn what_is_in_the_way_is_said_with_its_code() {
    let soon = now() + TimeDelta::hours(1);
    let waits = |change: &dyn Fn(&mut Scene)| plan(&wanting(Restarts::Pcm).with(|s| change(s)));
    let waiting = |code, next| (RestartState::Waiting, Some(code), next);
    assert_eq!(waits(&|s| s.facts.running = Some((id(ID), now()))), waiting(Code::Busy, None));
    assert_eq!(waits(&|s| s.held(soon)), waiting(Code::Held, Some(soon)));
    assert_eq!(
        waits(&|s| s.instructions.site_freezes = vec![freeze("2026-11-22T10:00:00", "2026-11-22T14:00:00")]),
        waiting(Code::Frozen, Some(at("2026-11-22T14:00:00Z")))
    );
    assert_eq!(
        waits(&|s| s.windows(&["Sun 22:00-06:00"])),
        waiting(Code::WindowClosed, Some(at("2026-11-22T22:00:00Z")))
    );
    assert_eq!(waits(&|s| s.windows(&["nonsense"])), waiting(Code::PolicyUnreadable, None));
    assert_eq!(waits(&|s| s.facts.clock_suspect = Some("back".into())), waiting(Code::ClockSuspect, None));
    assert_eq!(
        waits(&|s| s.policy.unreadable = Some("line 3".into())),
        waiting(Code::PolicyUnreadable, None)
    );
}

#[test]
fn the_users_rule_is_that_of_the_request() {
    let with = |run_when, users| {
        let mut scene = wanting(Restarts::Pcm).with(|s| s.facts.users = users);
        rule(&mut scene).run_when = run_when;
        plan(&scene)
    };
    let waiting = |code| (RestartState::Waiting, Some(code), None);
    assert_eq!(with(RunWhen::Any, Some(vec![user("anna")])).0, RestartState::Due);
    assert_eq!(with(RunWhen::NoUser, Some(vec![user("anna")])), waiting(Code::UserLoggedOn));
    assert_eq!(with(RunWhen::NoUser, None), waiting(Code::UsersUnknown));
    assert_eq!(with(RunWhen::NoUser, Some(Vec::new())).0, RestartState::Due);
}

#[test]
fn it_is_over_before_the_window_closes() {
    let scene = wanting(Restarts::Pcm).with(|s| s.windows(&["Sun 11:00-12:10"]));
    assert_eq!(restart_plan(&scene.inputs()).room, minutes(10));
    assert_eq!(restart_plan(&wanting(Restarts::Pcm).inputs()).room, Duration::MAX);
    let mut ignoring = wanting(Restarts::Pcm).with(|s| s.windows(&["Sun 22:00-23:00"]));
    rule(&mut ignoring).ignore_windows = true;
    assert_eq!(plan(&ignoring).0, RestartState::Due);
}

#[test]
fn an_operator_defers_or_cancels_it_for_this_boot_and_for_what_wanted_it_then() {
    let order = |until| RestartOrder {
        until,
        by: "ola".into(),
        reason: "backup".into(),
        at: now(),
        boot_id: "boot-1".into(),
    };
    let soon = now() + TimeDelta::hours(1);
    let deferred = wanting(Restarts::Pcm).with(|s| s.history.restart = Some(order(Some(soon))));
    assert_eq!(plan(&deferred), (RestartState::Deferred, None, Some(soon)));
    assert_eq!(plan(&deferred.with(|s| s.now = soon)).0, RestartState::Due);
    let cancelled = wanting(Restarts::Pcm).with(|s| s.history.restart = Some(order(None)));
    assert_eq!(plan(&cancelled).0, RestartState::Cancelled);
    assert!(
        restart_plan(&cancelled.inputs()).why.as_str().contains("ola wants pcm not to do it: \"backup\"")
    );
    let later = cancelled.clone().with(|s| {
        let done = s.history.attempts.get_mut(&id(OTHER)).unwrap();
        Arc::make_mut(&mut done[0]).ended_at = Some(now() + TimeDelta::seconds(1));
    });
    assert_eq!(plan(&later).0, RestartState::Due, "a package that wants one after that was not meant");
    let other_boot = cancelled.with(|s| s.history.restart.as_mut().unwrap().boot_id = "boot-0".into());
    assert_eq!(plan(&other_boot).0, RestartState::Due);
}

#[test]
fn an_operator_restarts_what_is_pending_and_never_while_a_package_runs() {
    let asked = |scene: &Scene, verb| {
        judge_restart(&scene.inputs(), verb).map(|_| ()).map_err(|r| r.code.to_string())
    };
    let scene = wanting(Restarts::No);
    assert_eq!(asked(&scene, RestartVerb::Now), Ok(()));
    assert_eq!(asked(&Scene::due(), RestartVerb::Now), Err("restart-not-pending".to_owned()));
    assert_eq!(asked(&Scene::due(), RestartVerb::Cancel), Err("restart-not-pending".to_owned()));
    let later = RestartVerb::Defer(now() + TimeDelta::hours(1));
    for verb in [later, RestartVerb::Cancel] {
        assert_eq!(
            asked(&scene, verb),
            Err("restart-by-hand".to_owned()),
            "its publisher left it to an operator"
        );
        let forbidden = wanting(Restarts::Pcm).with(|s| s.policy.config.restart.allow = false);
        assert_eq!(asked(&forbidden, verb), Err("restart-by-hand".to_owned()));
    }
    let scene = wanting(Restarts::Pcm);
    assert_eq!(asked(&scene, later), Ok(()));
    assert_eq!(asked(&scene, RestartVerb::Defer(now())), Err("until-passed".to_owned()));
    let busy = scene.with(|s| s.facts.running = Some((id(ID), now())));
    assert_eq!(asked(&busy, RestartVerb::Now), Err("busy".to_owned()));
    assert_eq!(asked(&busy, RestartVerb::Cancel), Ok(()));
}
