//! What an operator may do: which gates a trigger passes by itself, which by name, which never, and the other verbs.

use super::super::model::*;
use super::super::{Replace, allowed, judge, judge_hold};
use super::gates::OVERRIDABLE;
use super::scene::*;
use crate::clock::{Wall, When};
use crate::site::trust::TrustVerdict;
use crate::terms::*;
use crate::text::SafeText;
use chrono::TimeDelta;

fn reason() -> Option<SafeText> {
    Some("the customer waits".into())
}

fn run(overrides: &[Gate]) -> Verb {
    Verb::Run { overrides: overrides.to_vec(), no_queue: true }
}

fn rerun(overrides: &[Gate]) -> Verb {
    Verb::Rerun { overrides: overrides.to_vec(), no_queue: true }
}

fn defer(until: Wall) -> Verb {
    Verb::Defer { until }
}

#[track_caller]
fn refused(scene: &Scene, verb: &Verb, code: &str) -> Refusal {
    refused_for(scene, verb, reason().as_ref(), code)
}

#[track_caller]
fn refused_for(scene: &Scene, verb: &Verb, reason: Option<&SafeText>, code: &str) -> Refusal {
    let refusal = judge(&scene.inputs(), id(ID), verb, reason).expect_err(&format!("{verb:?} is refused"));
    assert_eq!(refusal.code.as_str(), code, "{refusal:?}");
    assert!(!refusal.why.is_empty() && !refusal.remedy.is_empty(), "{refusal:?}");
    assert!(!refusal.why.as_str().contains(refusal.remedy.as_str()), "what helps is said once: {refusal:?}");
    refusal
}

#[track_caller]
fn carried_out(scene: &Scene, verb: &Verb) {
    carried_out_for(scene, verb, reason().as_ref());
}

#[track_caller]
fn carried_out_for(scene: &Scene, verb: &Verb, reason: Option<&SafeText>) {
    match judge(&scene.inputs(), id(ID), verb, reason) {
        Ok(decision) => assert_eq!(decision, scene.decision(), "as it stands"),
        Err(refusal) => panic!("{verb:?} is refused: {refusal:?}"),
    }
}

/// Each obstacle alone, with the gate it closes and its code.
fn obstacles() -> Vec<(Gate, Code, Scene)> {
    let due = Scene::due;
    let change = |change: fn(&mut Scene)| due().with(change);
    vec![
        (Gate::Source, Code::ShareStale, change(|s| s.instructions.share_seen = None)),
        (Gate::Trust, Code::Unsigned, change(|s| s.instructions.trust = TrustVerdict::Unchecked)),
        (
            Gate::Trust,
            Code::Rollback,
            change(|s| {
                s.instructions.trust = TrustVerdict::Refused(Code::Rollback, "serial 41 after 42".into());
            }),
        ),
        (
            Gate::Platform,
            Code::Platform,
            change(|s| {
                s.request().platforms = vec![crate::terms::Platform::WindowsX86];
            }),
        ),
        (
            Gate::Kind,
            Code::NeedsInput,
            change(|s| {
                (s.request().automated, s.request().background) = (false, false);
            }),
        ),
        (Gate::Kind, Code::ApplicationOnly, change(|s| s.request().background = false)),
        (Gate::Job, Code::Suspended, change(|s| s.request().suspended = true)),
        (Gate::Job, Code::Dependency, change(|s| s.request().depends_on = vec![id(OTHER)])),
        (Gate::History, Code::Done, change(|s| s.attempted(ID, vec![attempt(1, State::Failed)]))),
        (Gate::History, Code::Interrupted, change(|s| s.attempted(ID, vec![attempt(1, State::Interrupted)]))),
        (Gate::History, Code::HistoryLost, change(|s| s.history.lost = Some("gone".into()))),
        (Gate::History, Code::TwoMachines, change(|s| s.history.two_machines = Some("another".into()))),
        (
            Gate::History,
            Code::StateUnreadable,
            change(|s| s.history.unreadable = Some("the disk gives no answer".into())),
        ),
        (
            Gate::Offer,
            Code::NotOffered,
            change(|s| {
                s.request().offer_after = When::Instant(now() + TimeDelta::hours(1));
            }),
        ),
        (Gate::Expiry, Code::Expired, change(|s| s.request().expire_after = Some(When::Instant(now())))),
        (Gate::Mandatory, Code::Optional, change(|s| s.request().mandatory_after = None)),
        (
            Gate::Mandatory,
            Code::NotMandatoryYet,
            change(|s| {
                s.request().mandatory_after = Some(When::Instant(now() + TimeDelta::hours(1)));
            }),
        ),
        (Gate::Hold, Code::Held, change(|s| s.held(now() + TimeDelta::hours(1)))),
        (
            Gate::Hold,
            Code::Frozen,
            change(|s| {
                s.instructions.site_freezes = vec![freeze("2026-11-22T10:00:00", "2026-11-22T14:00:00")];
            }),
        ),
        (Gate::Deferral, Code::Deferred, change(|s| s.deferred(now() + TimeDelta::hours(1)))),
        (Gate::Window, Code::WindowClosed, change(|s| s.windows(&["Sun 22:00-06:00"]))),
        (Gate::Window, Code::WindowTooShort, change(|s| s.windows(&["Sun 11:00-12:10", "Tue 22:00-23:00"]))),
        (Gate::Window, Code::WindowNeverFits, change(|s| s.windows(&["Tue 22:00-22:10"]))),
        (
            Gate::Users,
            Code::UserLoggedOn,
            change(|s| {
                s.request().run_when = crate::site::instruction::RunWhen::NoUser;
                s.facts.users = Some(vec![user("anna")]);
            }),
        ),
        (
            Gate::Users,
            Code::UsersUnknown,
            change(|s| {
                s.request().run_when = crate::site::instruction::RunWhen::NoUser;
                s.facts.users = None;
            }),
        ),
        (Gate::Clock, Code::ClockSuspect, change(|s| s.facts.clock_suspect = Some("it went back".into()))),
        (
            Gate::Host,
            Code::RestartPending,
            change(|s| {
                s.attempted(OTHER, vec![attempt(1, State::SucceededRestart)]);
            }),
        ),
        (Gate::Host, Code::DiskSpace, change(|s| s.request().disk_space = Some(u64::MAX))),
        (Gate::Policy, Code::PolicyUnreadable, change(|s| s.policy.unreadable = Some("line 3".into()))),
        (Gate::Content, Code::ContentMissing, change(|s| s.request().content_sha256 = Some(hash()))),
        (Gate::Executor, Code::Busy, change(|s| s.facts.running = Some((id(OTHER), now())))),
    ]
}

#[test]
fn a_trigger_passes_mandatory_and_application_only_by_itself_some_gates_by_name_and_the_rest_never() {
    carried_out(&Scene::due(), &run(&[]));
    for (gate, code, scene) in obstacles() {
        if gate == Gate::Mandatory || code == Code::ApplicationOnly {
            carried_out(&scene, &run(&[]));
            continue;
        }
        let refusal = refused(&scene, &run(&[]), code.as_str());
        if OVERRIDABLE.contains(&gate) {
            assert!(refusal.remedy.as_str().contains(&format!("--override {gate}")), "{refusal:?}");
            carried_out(&scene, &run(&[gate]));
            carried_out(&scene, &run(&OVERRIDABLE));
        } else {
            refused(&scene, &run(&OVERRIDABLE), code.as_str());
            refused(&scene, &run(&[gate]), "not-permitted");
        }
    }
}

#[test]
fn a_rejected_record_cannot_be_triggered() {
    use crate::site::instruction::{Entry, Rejected};
    let mut scene = Scene::due();
    *scene.requests() = vec![Entry::Rejected(Rejected {
        request_id: Some(id(ID)),
        job_id: None,
        package_id: None,
        package: None,
        command: None,
        problems: vec![problem("contradiction")],
    })];
    for verb in [run(&OVERRIDABLE), defer(now() + TimeDelta::hours(1))] {
        let refusal = refused(&scene, &verb, "contradiction");
        assert!(refusal.why.as_str().starts_with("record: "), "by what is wrong itself: {refusal:?}");
    }
}

#[test]
fn an_override_needs_a_reason_and_blanks_are_none() {
    let scene = Scene::due().with(|s| s.windows(&["Sun 22:00-06:00"]));
    for reason in [None, Some(SafeText::from("")), Some(SafeText::from("  "))] {
        refused_for(&scene, &run(&[Gate::Window]), reason.as_ref(), "reason-required");
    }
    carried_out_for(&Scene::due(), &run(&[]), None);
    refused_for(&scene, &run(&[]), None, "window-closed");
}

#[test]
fn naming_a_gate_that_does_not_block_is_fine() {
    carried_out(&Scene::due(), &run(&[Gate::Window, Gate::Users]));
}

#[test]
fn all_gates_that_would_have_to_be_named_are_said_at_once() {
    let scene = Scene::due().with(|s| {
        s.windows(&["Sun 22:00-06:00"]);
        s.held(now() + TimeDelta::hours(1));
    });
    let refusal = refused(&scene, &run(&[]), "held");
    assert_eq!(refusal.remedy, "To run it all the same: --override hold,window --reason WHY");
    assert!(refusal.why.as_str().contains("window: closed"), "{refusal:?}");
    refused(&scene, &run(&[Gate::Hold]), "window-closed");
}

#[test]
fn what_was_attempted_is_not_run_but_rerun() {
    for state in [State::Succeeded, State::Failed, State::TimedOut, State::Stopped, State::SucceededRestart] {
        let mut scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, state)]));
        scene.facts.boot_id = "boot-2".into();
        let refusal = refused(&scene, &run(&OVERRIDABLE), "done");
        assert!(refusal.remedy.as_str().contains("pcm rerun BP0000Y"), "{refusal:?}");
        carried_out(&scene, &rerun(&[]));
        refused_for(&scene, &rerun(&[]), None, "reason-required");
    }
    let interrupted = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Interrupted)]));
    refused(&interrupted, &run(&[]), "interrupted");
    carried_out(&interrupted, &rerun(&[]));
}

#[test]
fn a_pending_retry_is_not_run_either() {
    for minutes in [-5, 5] {
        let mut failed = attempt(1, State::Failed);
        failed.retry_at = Some(now() + TimeDelta::minutes(minutes));
        let scene = Scene::due().with(|s| s.attempted(ID, vec![failed]));
        refused(&scene, &run(&OVERRIDABLE), "done");
        carried_out(&scene, &rerun(&[]));
        carried_out(&scene, &defer(now() + TimeDelta::hours(1)));
    }
}

#[test]
fn a_rerun_needs_an_attempt_that_has_ended() {
    let refusal = refused(&Scene::due(), &rerun(&[]), "not-attempted");
    assert!(refusal.remedy.as_str().contains("pcm run BP0000Y"));
    for state in [State::Running, State::Stopping] {
        let scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, state)]));
        let later = defer(now() + TimeDelta::hours(1));
        for (verb, code) in [(rerun(&[]), "busy"), (run(&[]), "done"), (later, "done")] {
            let refusal = refused(&scene, &verb, code);
            assert!(refusal.remedy.as_str().starts_with("Wait for its end, or pcm stop"), "{refusal:?}");
        }
    }
    let adopted = Scene::due().with(|s| {
        s.history.adopted.insert(id(ID), now());
    });
    refused(&adopted, &run(&[]), "done");
    carried_out(&adopted, &rerun(&[]));
}

#[test]
fn a_rerun_passes_no_gate_but_history_that_a_trigger_would_not() {
    for (gate, code, mut scene) in obstacles() {
        if gate == Gate::History && !matches!(code, Code::HistoryLost | Code::StateUnreadable) {
            continue;
        }
        scene.attempted(ID, vec![attempt(1, State::Failed)]);
        if gate == Gate::Mandatory || code == Code::ApplicationOnly {
            carried_out(&scene, &rerun(&[]));
        } else if OVERRIDABLE.contains(&gate) {
            refused(&scene, &rerun(&[]), code.as_str());
            carried_out(&scene, &rerun(&[gate]));
        } else {
            refused(&scene, &rerun(&OVERRIDABLE), code.as_str());
        }
    }
}

#[test]
fn an_unknown_or_withdrawn_request_is_no_request() {
    let scene = Scene::due();
    let verbs = [run(&[]), rerun(&[]), defer(now()), Verb::Undefer, Verb::Stop];
    for verb in &verbs {
        let refusal = judge(&scene.inputs(), id(OTHER), verb, reason().as_ref()).unwrap_err();
        assert_eq!(refusal.code.as_str(), "no-such-request");
    }
    let mut withdrawn = Scene::due();
    withdrawn.requests().clear();
    withdrawn.attempted(ID, vec![attempt(1, State::Failed)]);
    for verb in &verbs[..3] {
        refused(&withdrawn, verb, "no-such-request");
    }
    withdrawn.attempted(ID, vec![attempt(1, State::Running)]);
    carried_out(&withdrawn, &Verb::Stop);
}

#[test]
fn only_what_is_pending_and_runs_by_itself_can_be_deferred() {
    let tomorrow = now() + TimeDelta::days(1);
    carried_out(&Scene::due(), &defer(tomorrow));
    for (gate, code, scene) in obstacles() {
        let refusing = match gate {
            Gate::Platform | Gate::Kind | Gate::History | Gate::Expiry => true,
            Gate::Trust => code == Code::Rollback,
            Gate::Mandatory => code == Code::Optional,
            _ => false,
        };
        if refusing {
            refused(&scene, &defer(tomorrow), code.as_str());
        } else {
            carried_out(&scene, &defer(tomorrow));
        }
    }
    let running = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Running)]));
    refused(&running, &defer(tomorrow), "done");
}

#[test]
fn a_deferral_needs_a_time_to_come_and_a_reason() {
    for until in [now(), now() - TimeDelta::seconds(1)] {
        refused(&Scene::due(), &defer(until), "until-passed");
    }
    let until = now() + TimeDelta::hours(1);
    refused_for(&Scene::due(), &defer(until), None, "reason-required");
}

#[test]
fn deferrals_are_limited_by_count_and_by_time_in_all() {
    let mut scene = Scene::due();
    let spent = |count, total_s| Deferrals { count, total_s, ..Deferrals::default() };
    scene.history.deferrals.insert(id(ID), spent(2, 0));
    carried_out(&scene, &defer(now() + TimeDelta::hours(1)));
    scene.history.deferrals.insert(id(ID), spent(3, 0));
    refused(&scene, &defer(now() + TimeDelta::hours(1)), "deferral-limit");
    scene.history.deferrals.insert(id(ID), spent(1, 6 * 86_400));
    carried_out(&scene, &defer(now() + TimeDelta::days(1)));
    refused(&scene, &defer(now() + TimeDelta::days(1) + TimeDelta::seconds(1)), "deferral-limit");
}

#[test]
fn a_new_deferral_ends_the_one_in_force_whose_rest_no_longer_counts() {
    let mut scene = Scene::due();
    scene.deferred(now() + TimeDelta::days(5));
    // Set a day ago: one day is spent, five are to come.
    scene.history.deferrals.get_mut(&id(ID)).unwrap().total_s = 6 * 86_400;
    carried_out(&scene, &defer(now() + TimeDelta::days(6)));
    refused(&scene, &defer(now() + TimeDelta::days(6) + TimeDelta::seconds(1)), "deferral-limit");
    carried_out(&scene, &defer(now() + TimeDelta::hours(1)));
}

#[test]
fn a_deferral_never_reaches_the_last_hour_before_expiry() {
    let mut scene = Scene::due();
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::hours(3)));
    carried_out(&scene, &defer(now() + TimeDelta::hours(2)));
    let refusal =
        refused(&scene, &defer(now() + TimeDelta::hours(2) + TimeDelta::seconds(1)), "deferral-too-late");
    assert!(refusal.remedy.as_str().contains("Sun 2026-11-22 14:00 +00:00"), "{refusal:?}");
    refused(&scene, &defer(now() + TimeDelta::hours(4)), "deferral-too-late");
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::minutes(40)));
    let refusal = refused(&scene, &defer(now() + TimeDelta::seconds(1)), "deferral-too-late");
    assert!(refusal.why.as_str().ends_with("in 40m"), "{refusal:?}");
}

#[test]
fn only_a_deferral_in_force_can_be_ended_and_only_what_runs_can_be_stopped() {
    refused(&Scene::due(), &Verb::Undefer, "not-deferred");
    let deferred = Scene::due().with(|s| s.deferred(now() + TimeDelta::hours(1)));
    carried_out(&deferred, &Verb::Undefer);
    refused(&deferred.with(|s| s.now = now() + TimeDelta::hours(1)), &Verb::Undefer, "not-deferred");
    refused(&Scene::due(), &Verb::Stop, "not-running");
    let running = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Running)]));
    carried_out(&running, &Verb::Stop);
    refused_for(&running, &Verb::Stop, None, "reason-required");
}

#[test]
fn a_hold_needs_a_time_to_come_and_a_reason() {
    let scene = Scene::due();
    let hold = |until, reason: Option<&SafeText>| {
        judge_hold(&scene.inputs(), until, &Replace::Nothing, reason).map_err(|r| r.code.to_string())
    };
    let (soon, why) = (now() + TimeDelta::hours(1), reason());
    assert_eq!(hold(soon, why.as_ref()), Ok(()));
    assert_eq!(hold(soon, None), Err("reason-required".into()));
    assert_eq!(hold(now(), why.as_ref()), Err("until-passed".into()));
}

#[test]
fn a_hold_in_force_is_replaced_only_by_name() {
    let until = now() + TimeDelta::hours(1);
    let mut scene = Scene::due();
    scene.history.hold = Some(Hold { until, by: "ola".into(), reason: "an audit".into(), at: now() });
    let hold = |scene: &Scene, replace| {
        judge_hold(&scene.inputs(), now() + TimeDelta::hours(5), &replace, reason().as_ref())
    };
    let refused = hold(&scene, Replace::Nothing).unwrap_err();
    assert_eq!(refused.code.as_str(), "hold-in-force");
    for named in ["ola", "an audit", "until"] {
        assert!(refused.why.as_str().contains(named), "{}", refused.why);
    }
    let seen = scene.history.hold.as_ref().unwrap().id();
    assert!(refused.remedy.as_str().contains(&format!("--replace={seen}")));
    assert!(hold(&scene, Replace::Any).is_ok());
    assert!(hold(&scene, Replace::This(seen.clone())).is_ok());
    // Another one took its place since it was seen.
    let newer = Hold { until, by: "jan".into(), reason: "a move".into(), at: now() + TimeDelta::seconds(1) };
    scene.history.hold = Some(newer.clone());
    let refused = hold(&scene, Replace::This(seen.clone())).unwrap_err();
    assert!(refused.why.as_str().starts_with("meanwhile jan holds"), "{}", refused.why);
    assert!(refused.remedy.as_str().contains(&format!("--replace={}", newer.id())), "{}", refused.remedy);
    scene.now = until;
    assert!(hold(&scene, Replace::Nothing).is_ok(), "one that is over is in nobody's way");
    assert!(hold(&scene, Replace::This(seen)).is_ok());
}

#[test]
fn what_is_allowed_is_what_judging_says_with_the_overrides_that_would_be_enough() {
    for (gate, code, scene) in obstacles() {
        let docs = allowed(&scene.inputs(), id(ID));
        let verbs: Vec<_> = docs.iter().map(|d| d.verb.as_str()).collect();
        assert_eq!(verbs, ["run", "rerun", "defer", "undefer", "stop"]);
        let plain = Verb::Run { overrides: Vec::new(), no_queue: false };
        let first = judge(&scene.inputs(), id(ID), &plain, reason().as_ref());
        assert_eq!((docs[0].ok, &docs[0].code), (first.is_ok(), &first.err().map(|r| r.code)), "{code}");
        let enough = if OVERRIDABLE.contains(&gate) { vec![gate] } else { Vec::new() };
        assert_eq!(docs[0].overrides, enough, "{code}");
        assert!(docs.iter().all(|d| !d.why.is_empty()));
    }
    assert!(allowed(&Scene::due().inputs(), id(OTHER)).is_empty());
}
