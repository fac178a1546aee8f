//! What a package's own test says of it (SITE.md 2, `installed_if`): nothing to do, something, or not known; for a command
//! that removes the other way round.

use super::super::model::*;
use super::super::simulate::{Assumptions, Timeline, simulate};
use super::super::{decide_one, judge};
use super::gates::{blocks, only};
use super::scene::*;
use super::target::{condition, delivery, index, indexed};
use crate::clock::When;
use crate::site::ids::RequestId;
use crate::site::index::JobState;
use crate::site::indexed::Delivery;
use crate::site::installed::{Answer, Finding, Need};
use crate::site::package::{InstalledIf, Named};
use crate::terms::*;
use chrono::TimeDelta;
use std::sync::Arc;

fn test(name: &str) -> InstalledIf {
    InstalledIf::Dpkg(Named { name: name.into(), version: None })
}

fn need(removes: bool) -> Option<Need> {
    Some(Need { test: test("acme"), removes })
}

fn find(scene: &mut Scene, name: &str, answer: Answer) {
    let words = match answer {
        Answer::Yes => "dpkg has acme 4.0-1",
        Answer::No => "dpkg does not have acme",
        Answer::Unknown => "dpkg-query: timed out",
    };
    Arc::make_mut(&mut scene.facts.installed).insert(test(name), Finding::new(answer, words));
}

/// The scene's request with a test that gives this.
fn tested(removes: bool, answer: Answer) -> Scene {
    indexed(|d| d.need = need(removes)).with(|s| find(s, "acme", answer))
}

/// Another request of that index.
fn beside(scene: &mut Scene, name: &str, job: &str, change: impl FnOnce(&mut Delivery)) {
    let mut other = Delivery { job_id: job.parse().unwrap(), ..delivery() };
    change(&mut other);
    index(scene).deliveries.insert(id(name), other);
    let mut one = request(name);
    one.job_id = job.parse().unwrap();
    scene.add(one);
}

fn state(scene: &Scene, name: &str) -> State {
    let id: RequestId = id(name);
    scene.decide().iter().find(|d| d.request_id == Some(id)).unwrap().state
}

#[test]
fn what_is_installed_is_not_needed_and_what_is_not_runs_and_the_other_way_round_where_it_removes() {
    for (removes, answer, says, why) in [
        (false, Answer::Yes, "it is installed already: dpkg has acme 4.0-1", "installed already"),
        (true, Answer::No, "there is nothing to remove: dpkg does not have acme", "nothing to remove"),
    ] {
        let scene = tested(removes, answer);
        let gate = blocks(&scene, Gate::History, Code::AlreadyInstalled, Change::Event);
        assert_eq!(gate.evidence.as_str(), says);
        let decision = scene.decision();
        assert_eq!((decision.state, decision.why.as_str()), (State::NotNeeded, why));
        assert_eq!((decision.next_run, decision.never, decision.attempt), (None, false, 0));
        assert_eq!(decision.state.group(), Group::Skipped);
        assert!(!decision.state.is_terminal() && decision.is_listed());
        let run = Verb::Run { overrides: Vec::new(), no_queue: false };
        let refused = judge(&scene.inputs(), id(ID), &run, None).unwrap_err();
        assert_eq!(refused.code, Code::AlreadyInstalled.into());
    }
    for (removes, answer) in [(false, Answer::No), (true, Answer::Yes)] {
        assert_eq!(tested(removes, answer).decision().state, State::Due);
    }
}

#[test]
fn what_is_not_known_closes_and_says_why() {
    for removes in [false, true] {
        let scene = tested(removes, Answer::Unknown);
        let gate = only(&scene, Gate::History, Code::InstalledUnknown, Verdict::Unknown, Change::Event);
        assert!(gate.evidence.as_str().ends_with("cannot be known: dpkg-query: timed out"), "{gate:?}");
        assert_eq!(scene.decision().state, State::Waiting);
        let unlooked = tested(removes, Answer::Yes).with(|s| s.facts.installed = Arc::default());
        let gate = only(&unlooked, Gate::History, Code::InstalledUnknown, Verdict::Unknown, Change::Event);
        assert!(gate.evidence.as_str().contains("not looked up yet"), "{gate:?}");
    }
}

#[test]
fn it_stands_between_not_applicable_and_expired_and_below_whatever_was_attempted() {
    let installed = || tested(false, Answer::Yes);
    let cancelled = installed().with(|s| {
        index(s).deliveries.get_mut(&id(ID)).unwrap().state = JobState::Cancelled;
    });
    assert_eq!(cancelled.decision().state, State::NotApplicable);
    let expired = installed().with(|s| {
        s.request().expire_after = Some(When::Instant(now() - TimeDelta::minutes(1)));
    });
    assert_eq!(expired.decision().state, State::NotNeeded);
    let scheduled = installed().with(|s| {
        index(s).deliveries.get_mut(&id(ID)).unwrap().percent = 0;
        s.request().offer_after = When::Instant(now() + TimeDelta::hours(1));
        s.request().mandatory_after = None;
    });
    assert_eq!(scheduled.decision().state, State::NotNeeded);
    for ended in [State::Succeeded, State::Failed, State::Interrupted] {
        let scene = installed().with(|s| s.attempted(ID, vec![attempt(1, ended)]));
        assert_eq!(scene.decision().state, ended);
        assert!(!scene.decision().blocked_by().contains(&Code::AlreadyInstalled));
        let rerun = Verb::Rerun { overrides: Vec::new(), no_queue: false };
        judge(&scene.inputs(), id(ID), &rerun, Some(&"repair".into())).unwrap();
    }
    // Another attempt that is due by policy is not made.
    let retry = installed().with(|s| {
        let failed = Attempt { retry_at: Some(now() - TimeDelta::minutes(1)), ..attempt(1, State::Failed) };
        s.attempted(ID, vec![failed]);
    });
    assert_eq!(retry.decision().state, State::Failed);
    assert_eq!(retry.decision().blocked_by(), [Code::AlreadyInstalled]);
    // Nothing that is not known of the past is taken for nothing to do.
    let lost = installed().with(|s| s.history.lost = Some("its file is gone".into()));
    assert_eq!(lost.decision().blocked_by(), [Code::HistoryLost]);
}

#[test]
fn what_waits_for_it_waits_no_longer_and_what_it_replaces_is_replaced() {
    let depends = |answer| {
        tested(false, answer).with(|s| {
            beside(s, OTHER, "BP0000AB", |_| {});
            let Some(crate::site::instruction::Entry::Good(other)) = s.requests().last_mut() else {
                panic!()
            };
            other.depends_on = vec![id(ID)];
        })
    };
    assert_eq!(state(&depends(Answer::Yes), OTHER), State::Due);
    for answer in [Answer::No, Answer::Unknown] {
        assert_eq!(state(&depends(answer), OTHER), State::Waiting);
    }
    // What failed here is not made good by its being there now.
    let failed = depends(Answer::Yes).with(|s| s.attempted(ID, vec![attempt(1, State::Failed)]));
    assert_eq!(state(&failed, OTHER), State::Waiting);
    // For others or of another platform it is no request that anybody could wait for.
    let elsewhere = depends(Answer::Yes).with(|s| {
        index(s).deliveries.get_mut(&id(ID)).unwrap().condition = condition("host == \"db*\"");
    });
    assert_eq!(state(&elsewhere, OTHER), State::Waiting);
    let replaces = |answer| {
        tested(false, answer).with(|s| {
            index(s).deliveries.get_mut(&id(ID)).unwrap().supersedes = vec!["BP0000AB".parse().unwrap()];
            beside(s, OTHER, "BP0000AB", |_| {});
        })
    };
    assert_eq!(state(&replaces(Answer::Yes), OTHER), State::NotApplicable);
    let other = decide_one(&replaces(Answer::Yes).inputs(), id(OTHER)).unwrap();
    let gate = other.gates.iter().find(|g| g.gate == Gate::Job).unwrap();
    assert_eq!(gate.code, Some(Code::Superseded));
    assert!(gate.evidence.as_str().ends_with("has nothing to do here"), "{}", gate.evidence);
    for answer in [Answer::No, Answer::Unknown] {
        assert_eq!(state(&replaces(answer), OTHER), State::Due);
    }
}

#[test]
fn a_package_that_is_there_is_as_good_as_one_that_was_installed_and_one_that_is_gone_is_not() {
    let waits = |removes, answer| {
        tested(removes, answer).with(|s| {
            beside(s, OTHER, "BP0000AB", |d| d.packages = vec!["BP00000A".parse().unwrap()]);
        })
    };
    assert_eq!(state(&waits(false, Answer::Yes), OTHER), State::Due);
    assert_eq!(state(&waits(false, Answer::No), OTHER), State::Waiting);
    assert_eq!(state(&waits(true, Answer::No), OTHER), State::Waiting);
}

#[test]
fn a_condition_may_ask_for_it_by_its_word() {
    let asks = |text: &str, answer| {
        tested(false, answer).with(|s| {
            beside(s, OTHER, "BP0000AB", |d| d.condition = condition(text));
        })
    };
    for text in ["job(BP0000AA) == \"not-needed\"", "job(BP0000AA) != \"never\""] {
        assert_eq!(state(&asks(text, Answer::Yes), OTHER), State::Due, "{text}");
        assert_eq!(state(&asks(text, Answer::No), OTHER), State::NotApplicable, "{text}");
    }
    // One that asks for itself has an answer, too.
    let itself = tested(false, Answer::Yes).with(|s| {
        index(s).deliveries.get_mut(&id(ID)).unwrap().condition = condition("job(BP0000AA) == \"never\"");
    });
    assert_eq!(state(&itself, ID), State::NotApplicable);
}

fn course(scene: &Scene) -> Vec<Timeline> {
    let until = scene.now + TimeDelta::days(3);
    simulate(&scene.inputs(), scene.now, until, &Assumptions::default()).timelines
}

fn states(timeline: &Timeline) -> Vec<State> {
    timeline.changes.iter().map(|step| step.state).collect()
}

#[test]
fn in_a_simulation_a_run_that_succeeds_turns_the_test_for_all_that_ask_for_it() {
    // Two that would install the same: one of them does.
    let both = tested(false, Answer::No).with(|s| beside(s, OTHER, "BP0000AB", |d| d.need = need(false)));
    let [second, first] = &course(&both)[..] else { panic!("two requests") };
    assert_eq!(states(first), [State::Due, State::Running, State::Succeeded]);
    assert_eq!(states(second).last(), Some(&State::NotNeeded));
    assert!(first.at.is_some() && second.at.is_none() && !second.never);
    // One that removes makes room for one that installs; its own test is not turned by that of others.
    let again = tested(false, Answer::Yes).with(|s| {
        beside(s, OTHER, "BP0000AB", |d| d.need = need(true));
        find(s, "other", Answer::Yes);
        beside(s, "BP00001", "BP0000AC", |d| d.need = Some(Need { test: test("other"), removes: false }));
    });
    let [install, remove, other] = &course(&again)[..] else { panic!("three requests") };
    assert_eq!(states(install), [State::NotNeeded, State::Due, State::Running, State::Succeeded]);
    assert_eq!(states(remove)[..3], [State::Due, State::Running, State::Succeeded]);
    assert!(remove.at < install.at && install.at.is_some(), "{:?} {:?}", remove.at, install.at);
    assert_eq!(states(other), [State::NotNeeded]);
    // What cannot be known is not known after a run either.
    let unknown =
        tested(false, Answer::Unknown).with(|s| beside(s, OTHER, "BP0000AB", |d| d.need = need(true)));
    assert!(course(&unknown).iter().all(|timeline| timeline.at.is_none()));
}

#[test]
fn a_simulation_begins_with_what_the_list_says_also_while_something_runs_that_could_be_over() {
    // Both install the same. One runs and takes no time as far as anybody knows; the other expires before its time.
    let scene = tested(false, Answer::No).with(|s| {
        s.attempted(ID, vec![Attempt { started_at: Some(now()), ..attempt(1, State::Running) }]);
        s.facts.running = Some((id(ID), now()));
        beside(s, OTHER, "BP0000AB", |d| d.need = need(false));
        let Some(crate::site::instruction::Entry::Good(other)) = s.requests().last_mut() else { panic!() };
        other.mandatory_after = Some(When::Instant(now() + TimeDelta::hours(2)));
        other.expire_after = Some(When::Instant(now() + TimeDelta::hours(1)));
    });
    let until = scene.now + TimeDelta::days(7);
    let course = simulate(&scene.inputs(), scene.now, until, &Assumptions::usual()).timelines;
    for (decision, timeline) in scene.decide().iter().zip(&course) {
        assert_eq!((timeline.changes[0].state, timeline.never), (decision.state, decision.never));
    }
    let [runs, other] = &course[..] else { panic!("two requests") };
    assert_eq!(states(runs), [State::Running, State::Succeeded]);
    assert!(other.never && states(other) == [State::Offered, State::NotNeeded], "{other:?}");
}
