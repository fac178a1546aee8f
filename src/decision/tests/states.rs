//! The precedence of states (DESIGN.md 3), requests that are only in history, and the rows of DEFECTS.md that the core
//! can answer for.

use super::super::model::*;
use super::super::{decide, due_in_order, next_instant};
use super::gates::OVERRIDABLE;
use super::scene::*;
use crate::clock::When;
use crate::site::instruction::*;
use crate::site::trust::TrustVerdict;
use crate::terms::*;
use chrono::TimeDelta;
use proptest::prelude::*;

/// A state, and what brings a request into it.
type Layer = (State, fn(&mut Scene));

/// Lays the obstacles of the precedence on one request, from the weakest to the strongest.
fn layers() -> Vec<Layer> {
    vec![
        (State::Due, |_| ()),
        (State::Waiting, |s| s.windows(&["Mon 03:00-04:00"])),
        (State::Offered, |s| s.request().mandatory_after = Some(When::Instant(now() + TimeDelta::hours(1)))),
        (State::Deferred, |s| s.deferred(now() + TimeDelta::hours(2))),
        (State::RetryWait, |s| {
            let mut failed = attempt(1, State::Failed);
            failed.retry_at = Some(now() + TimeDelta::minutes(5));
            s.attempted(ID, vec![failed]);
        }),
        (State::Scheduled, |s| s.request().offer_after = When::Instant(now() + TimeDelta::hours(1))),
        (State::Expired, |s| {
            s.history.attempts.clear();
            s.request().expire_after = Some(When::Instant(now()));
        }),
        (State::NotApplicable, |s| s.request().platforms = vec![Platform::WindowsX86]),
        (State::Rejected, |s| {
            s.instructions.trust = TrustVerdict::Refused(Code::Unsigned, "no signature".into());
        }),
        (State::Running, |s| s.attempted(ID, vec![attempt(1, State::Running)])),
        (State::Succeeded, |s| s.attempted(ID, vec![attempt(1, State::Succeeded)])),
    ]
}

#[test]
fn states_take_precedence_as_designed() {
    let mut scene = Scene::due();
    for (state, lay) in layers() {
        lay(&mut scene);
        assert_eq!(scene.decision().state, state);
    }
}

#[test]
fn each_state_is_in_one_group() {
    for state in State::ALL {
        assert_eq!(state.is_terminal(), matches!(state.group(), Group::Executed | Group::Expired), "{state}");
    }
}

#[test]
fn an_expired_request_with_an_attempt_keeps_the_attempts_state() {
    let mut scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Failed)]));
    scene.request().expire_after = Some(When::Instant(now()));
    assert_eq!(scene.decision().state, State::Failed);
}

#[test]
fn a_withdrawn_request_leaves_pending_and_stays_where_it_was_attempted() {
    let mut scene = Scene::due();
    let gone = scene.requests().remove(0);
    assert!(scene.decide().is_empty(), "never attempted: nothing is left of it");
    let mut failed = attempt(2, State::Failed);
    failed.exit_code = Some(17);
    scene.attempted(ID, vec![attempt(1, State::Interrupted), failed]);
    let decision = scene.decision();
    assert_eq!((decision.state, decision.entry, decision.attempt), (State::Failed, None, 2));
    assert!(decision.gates.is_empty() && decision.never && decision.next_run.is_none());
    assert_eq!(
        (decision.package.as_str(), decision.why.as_str()),
        ("Acme Workstation 4.0", "exit 17 after 1m")
    );
    scene.instructions.file = None;
    assert_eq!(scene.decide().len(), 1, "without any instruction file too");
    scene.instructions = Scene::due().instructions;
    *scene.requests() = vec![gone];
    assert_eq!(scene.decide().len(), 1, "published again: one line, not two");
}

#[test]
fn an_expired_request_says_what_kept_it() {
    let expired = |change: fn(&mut Scene)| {
        let mut scene = Scene::due();
        scene.request().expire_after = Some(When::Instant(now()));
        change(&mut scene);
        let decision = scene.decision();
        assert_eq!(decision.state, State::Expired);
        decision.why.to_string()
    };
    assert_eq!(expired(|s| s.windows(&["Mon 22:00-23:00"])), "never ran: window closed");
    assert_eq!(expired(|s| s.request().mandatory_after = None), "never ran: optional");
    assert_eq!(expired(|s| s.request().background = false), "never ran: application only");
    assert_eq!(expired(|s| s.deferred(now())), "never ran: deferred");
    assert_eq!(
        expired(|s| s.policy.config.freezes = vec![freeze("2026-11-22T00:00:00", "2026-11-23T00:00:00")]),
        "never ran: frozen"
    );
    assert_eq!(expired(|_| ()), "never ran");
    // A hold of now, long after it expired, was no cause of then.
    assert_eq!(expired(|s| s.held(now() + TimeDelta::hours(9))), "never ran");
    let before = |s: &mut Scene| {
        s.held(now() + TimeDelta::hours(9));
        s.history.hold.as_mut().unwrap().at = now() - TimeDelta::hours(4);
    };
    assert_eq!(expired(before), "never ran: held");
}

#[test]
fn the_lists_last_column_reads_as_in_the_picture() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 22:00-23:00"]));
    scene.request().run_when = RunWhen::NoUser;
    scene.facts.users = Some(vec![user("anna")]);
    assert_eq!(scene.decision().why, "user anna; window 22:00");
    let ended = |state, exit_code| {
        let mut one = attempt(1, state);
        (one.exit_code, one.ended_at) = (exit_code, one.started_at.map(|s| s + TimeDelta::seconds(41)));
        Scene::due().with(|s| s.attempted(ID, vec![one])).decision().why.to_string()
    };
    assert_eq!(ended(State::Failed, Some(17)), "exit 17 after 41s");
    let mut told = attempt(1, State::Failed);
    (told.exit_code, told.result) = (Some(0), "the licence has run out".into());
    let told = Scene::due().with(|s| s.attempted(ID, vec![told]));
    assert_eq!(told.decision().why, "the licence has run out", "by its status MIF, whatever it returned");
    assert_eq!(ended(State::Succeeded, Some(0)), "done after 41s");
    assert_eq!(ended(State::SucceededRestart, Some(3010)), "done after 41s, restart wanted");
    assert_eq!(ended(State::TimedOut, None), "time limit after 41s");
    assert_eq!(ended(State::Interrupted, None), "outcome unknown; rerun is yours");
    let mut scheduled = Scene::due();
    scheduled.request().offer_after = When::Instant(at("2026-11-25T08:00:00Z"));
    assert_eq!(scheduled.decision().why, "offered Wed 08:00");
    let mut later = Scene::due();
    later.request().mandatory_after = Some(When::Instant(at("2026-11-24T20:00:00Z")));
    assert_eq!(later.decision().why, "runs Tue 20:00");
    later.windows(&["Tue 22:00-23:00"]);
    assert_eq!(later.decision().why, "runs Tue 22:00");
    later.request().expire_after = Some(When::Instant(at("2026-11-24T21:00:00Z")));
    assert_eq!(later.decision().why, "expires before it may run");
    assert_eq!(later.decision().next_run, None);
}

#[test]
fn nothing_ever_runs_for_a_request_that_runs_already() {
    let mut scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Running)]));
    scene.facts.running = Some((id(ID), now()));
    assert!(due_in_order(&scene.decide()).is_empty());
}

/// A job first seen after its expiry ran.
#[test]
fn q255284_a_job_first_seen_after_its_expiry_never_runs() {
    for hours in [1, 24, 24 * 365] {
        let mut scene = Scene::due();
        scene.request().expire_after = Some(When::Instant(now() - TimeDelta::minutes(30)));
        scene.now = now() + TimeDelta::hours(hours);
        scene.instructions.share_seen = Some(scene.now);
        let decision = scene.decision();
        assert_eq!((decision.state, decision.never), (State::Expired, true));
        assert!(due_in_order(&scene.decide()).is_empty());
        let run = Verb::Run { overrides: OVERRIDABLE.to_vec(), no_queue: false };
        let refusal = super::super::judge(&scene.inputs(), id(ID), &run, Some(&"now".into())).unwrap_err();
        assert_eq!(refusal.code.as_str(), "expired");
    }
}

/// Overdue jobs ran in random order after the machine had been off.
#[test]
fn q173388_overdue_jobs_run_by_mandatory_time_and_then_by_request_id() {
    let mut scene = Scene::due();
    scene.requests().clear();
    for (name, hours) in [("BP00004", 1), ("BP00002", 3), ("BP00003", 1), ("BP00009", 2), ("BP00001", 2)] {
        let mut one = request(name);
        one.offer_after = When::Instant(now() - TimeDelta::days(1));
        one.mandatory_after = Some(When::Instant(now() - TimeDelta::hours(hours)));
        scene.add(one);
    }
    let decisions = scene.decide();
    let order = due_in_order(&decisions);
    let order: Vec<_> = order.iter().map(|i| decisions[*i].request_id.unwrap().to_string()).collect();
    assert_eq!(order, ["BP00002", "BP00001", "BP00009", "BP00003", "BP00004"]);
}

/// The instruction file was evaluated only when it changed; times that passed went unnoticed.
#[test]
fn q163488_a_time_that_passes_is_noticed_without_any_other_change() {
    let mut scene = Scene::due();
    let mandatory = now() + TimeDelta::minutes(7);
    scene.request().offer_after = When::Instant(now() + TimeDelta::minutes(3));
    scene.request().mandatory_after = Some(When::Instant(mandatory));
    let mut seen = Vec::new();
    // A service that sleeps until the next instant sees every change at its time.
    while seen.len() < 10 {
        let decisions = decide(&scene.inputs());
        seen.push((scene.now, decisions[0].state));
        match next_instant(&decisions, scene.now) {
            Some(next) if decisions[0].state != State::Due => scene.now = next,
            _ => break,
        }
    }
    let expected =
        [(now(), State::Scheduled), (now() + TimeDelta::minutes(3), State::Offered), (mandatory, State::Due)];
    assert_eq!(seen, expected);
}

/// The application ran service-only packages; here each kind says in words what becomes of it.
#[test]
fn q165147_what_is_not_for_the_service_is_shown_and_skipped_in_words() {
    let mut scene = Scene::due();
    scene.request().background = false;
    let decision = scene.decision();
    assert_eq!(decision.state, State::Offered);
    assert!(due_in_order(&scene.decide()).is_empty());
    let kind = decision.gates.iter().find(|g| g.gate == Gate::Kind).unwrap();
    assert!(kind.evidence.as_str().contains("the service skips it"), "{}", kind.evidence);
}

/// A background job that was not mandatory never ran, and nothing said so.
#[test]
fn q174933_a_background_job_that_is_not_mandatory_says_that_it_never_runs_by_itself() {
    let mut scene = Scene::due();
    scene.request().mandatory_after = None;
    let decision = scene.decision();
    assert_eq!((decision.state, decision.never, decision.next_run), (State::Offered, true, None));
    assert_eq!(decision.blocked_by(), [Code::Optional]);
    assert_eq!(decision.why, "optional");
    // What keeps an operator's run from it is said, too.
    scene.windows(&["Sun 03:00-05:00"]);
    let decision = scene.decision();
    assert_eq!(decision.blocked_by(), [Code::Optional, Code::WindowClosed]);
    assert!(decision.why.as_str().starts_with("optional; window "), "{}", decision.why);
}

/// A run that is under way is over one day: it hides no time at which something else starts.
#[test]
fn what_runs_now_does_not_hide_when_something_else_runs_later() {
    let tomorrow = now() + TimeDelta::days(1);
    let busy = |s: &mut Scene| s.facts.running = Some((id(OTHER), now()));
    let mut later = Scene::due().with(busy);
    later.request().mandatory_after = Some(When::Instant(tomorrow));
    assert_eq!(later.decision().next_run, Some(tomorrow));
    // What is due waits for the end of the run, and nobody knows when that is.
    assert_eq!(Scene::due().with(busy).decision().next_run, None);
    // With another thing in the way that no time opens, no time is named.
    let held_up = later.with(|s| {
        s.request().run_when = RunWhen::NoUser;
        s.facts.users = Some(vec![user("anna")]);
    });
    assert_eq!(held_up.decision().next_run, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Files may name them in any order, and one twice.
    #[test]
    fn each_request_has_its_own_newest_attempt_in_whatever_order_they_are_named(
        named in prop::collection::vec(0u32..12, 1..12), attempted in prop::collection::btree_set(0u32..12, 0..12)
    ) {
        let name = |n: u32| format!("BP000{n:02}");
        let mut scene = Scene::due();
        scene.requests().clear();
        named.iter().for_each(|n| scene.add(request(&name(*n))));
        attempted.iter().for_each(|n| scene.attempted(&name(*n), vec![attempt(n + 1, State::Succeeded)]));
        for (decision, n) in scene.decide().iter().zip(&named) {
            let is_attempted = attempted.contains(n);
            prop_assert_eq!(decision.attempt, if is_attempted { n + 1 } else { 0 });
            prop_assert_eq!(decision.state == State::Succeeded, is_attempted);
        }
    }
}
