//! The queue of operators' runs: what is in it is decided again as time passes, starts in order, or leaves with a reason.

use super::super::model::*;
use super::super::simulate::{Assumptions, RunTime, simulate};
use super::super::{allowed, decide_one, judge, leaving, next_runs, next_up};
use super::scene::*;
use crate::clock::When;
use crate::site::instruction::RunWhen;
use crate::site::share::SourceFault;
use crate::terms::*;
use chrono::TimeDelta;

/// `ID` runs, and `OTHER`, which nothing is in the way of, can be asked for.
fn busy() -> Scene {
    Scene::due().with(|s| {
        s.add(optional(OTHER));
        s.attempted(ID, vec![attempt(1, State::Running)]);
        s.facts.running = Some((id(ID), now() - TimeDelta::minutes(10)));
    })
}

fn optional(name: &str) -> crate::site::instruction::Request {
    crate::site::instruction::Request { mandatory_after: None, ..request(name) }
}

fn queued(name: &str) -> Queued {
    Queued {
        request: id(name),
        rerun: false,
        overrides: Vec::new(),
        by: "ola".into(),
        reason: Default::default(),
        at: now() - TimeDelta::minutes(5),
        offered: false,
    }
}

/// The same, and it is in the queue.
fn waiting() -> Scene {
    busy().with(|s| s.history.queue.push(queued(OTHER)))
}

/// Nothing runs any more.
fn free(s: &mut Scene) {
    s.facts.running = None;
    s.attempted(ID, vec![attempt(1, State::Succeeded)]);
}

fn decided(scene: &Scene, name: &str) -> Decision {
    scene.decide().into_iter().find(|d| d.request_id == Some(id(name))).unwrap()
}

fn next(scene: &Scene) -> Option<(RequestIdWord, bool)> {
    let decisions = scene.decide();
    let next = next_up(&scene.history, &decisions)?;
    Some((decisions[next.index].request_id?.to_string(), next.queued))
}

type RequestIdWord = String;

fn run(no_queue: bool) -> Verb {
    Verb::Run { overrides: Vec::new(), no_queue }
}

#[test]
fn a_run_waits_for_what_runs_and_is_refused_where_nobody_works_off_a_queue() {
    let scene = busy();
    let decision = judge(&scene.inputs(), id(OTHER), &run(false), None).unwrap();
    assert!(decision.is_busy());
    let refused = judge(&scene.inputs(), id(OTHER), &run(true), None).unwrap_err();
    assert_eq!(refused.code, Code::Busy.into());
    let alone = busy().with(|s| s.facts.service = false);
    let refused = judge(&alone.inputs(), id(OTHER), &run(false), None).unwrap_err();
    assert_eq!(refused.code, Code::Busy.into());
    assert!(refused.remedy.as_str().contains("without a service"), "{}", refused.remedy);
}

#[test]
fn every_gate_but_what_runs_is_in_the_way_of_queueing_as_of_running() {
    let held = busy().with(|s| s.held(now() + TimeDelta::hours(1)));
    assert_eq!(judge(&held.inputs(), id(OTHER), &run(false), None).unwrap_err().code, Code::Held.into());
    let named = Verb::Run { overrides: vec![Gate::Hold], no_queue: false };
    assert!(judge(&held.inputs(), id(OTHER), &named, Some(&"a release".into())).unwrap().is_busy());
    let own = judge(&busy().inputs(), id(ID), &run(false), None).unwrap_err();
    assert_eq!(own.code, Code::Done.into(), "what runs does not wait for itself");
}

#[test]
fn a_run_in_the_queue_is_a_state_with_its_place_and_whose_it_is() {
    let scene = waiting();
    let decision = decided(&scene, OTHER);
    assert_eq!((decision.state, decision.state.group()), (State::Queued, Group::Pending));
    let place = decision.queued.unwrap();
    assert_eq!((place.position, place.ready, place.leaves), (1, true, None));
    assert_eq!(decision.why.as_str(), "1 of 1, ola; BP0000Y runs");
    assert_eq!((decision.next_run, decision.never), (None, false));
    assert_eq!(decided(&scene, ID).state, State::Running);
    let stop = allowed(&scene.inputs(), id(OTHER)).into_iter().find(|a| a.verb == VerbKind::Stop).unwrap();
    assert!(stop.ok && stop.why.as_str().contains("out of the queue"), "{stop:?}");
    assert!(leaving(&scene.inputs()).is_empty());
}

/// A time is no promise where nothing starts.
#[test]
fn what_is_deferred_or_waits_for_its_retry_says_that_no_service_runs() {
    let later = now() + TimeDelta::hours(3);
    let deferred = Scene::due().with(|s| s.deferred(later));
    assert!(!deferred.decision().why.as_str().contains("no service"));
    let dead = deferred.with(|s| s.facts.service = false);
    assert!(dead.decision().why.as_str().ends_with("; no service runs"), "{}", dead.decision().why);
    let mut failed = attempt(1, State::Failed);
    failed.retry_at = Some(later);
    let retry = Scene::due().with(|s| {
        s.attempted(ID, vec![failed]);
        s.facts.service = false;
    });
    assert_eq!(retry.decision().state, State::RetryWait);
    assert!(retry.decision().why.as_str().ends_with("; no service runs"), "{}", retry.decision().why);
}

#[test]
fn a_rerun_in_the_queue_waits_like_a_first_run() {
    let scene = busy().with(|s| {
        s.attempted(OTHER, vec![attempt(1, State::Failed)]);
        s.history.queue.push(Queued { rerun: true, reason: "mended".into(), ..queued(OTHER) });
    });
    assert_eq!(decided(&scene, OTHER).state, State::Queued);
    assert_eq!(next(&scene.with(free)), Some((OTHER.into(), true)));
}

#[test]
fn what_is_in_the_queue_starts_when_nothing_runs_in_the_order_of_asking() {
    let scene = waiting().with(|s| {
        s.add(optional("BP0000W"));
        s.history.queue.push(queued("BP0000W"));
        free(s);
    });
    assert_eq!(next(&scene), Some((OTHER.into(), true)));
    assert_eq!(decided(&scene, OTHER).why.as_str(), "1 of 2, ola; starts at the next step");
    assert_eq!(decided(&scene, OTHER).next_run, Some(now()));
    assert_eq!(decided(&scene, "BP0000W").queued.unwrap().position, 2);
}

/// What was started could not be recorded: no view promises it, and it is not taken out either.
#[test]
fn nothing_starts_out_of_the_queue_while_the_history_cannot_be_written() {
    let scene = waiting().with(|s| {
        s.add(request("BP0000Z"));
        free(s);
        s.facts.unwritten = Some("the disk is full".into());
    });
    let decision = decided(&scene, OTHER);
    assert_eq!(decision.why.as_str(), "1 of 1, ola; the history cannot be written");
    assert_eq!(decision.queued.map(|place| (place.ready, place.leaves)), Some((false, None)));
    assert_eq!((next(&scene), leaving(&scene.inputs()).len()), (None, 0));
    assert!(next_runs(&scene.inputs()).is_empty(), "neither it nor what is due");
    let refused = judge(&scene.inputs(), id("BP0000Z"), &run(false), None).unwrap_err();
    assert_eq!(refused.code, Code::StateUnwritable.into());
}

#[test]
fn one_that_waits_for_something_else_keeps_none_behind_it_from_starting() {
    let scene = waiting().with(|s| {
        let Some(crate::site::instruction::Entry::Good(first)) = s.requests().last_mut() else { panic!() };
        first.run_when = RunWhen::NoUser;
        s.facts.users = Some(vec![user("anna")]);
        s.add(optional("BP0000W"));
        s.history.queue.push(queued("BP0000W"));
        free(s);
    });
    let first = decided(&scene, OTHER);
    assert_eq!((first.state, first.queued.unwrap().ready), (State::Queued, false));
    assert_eq!(first.why.as_str(), "1 of 2, ola; user anna");
    assert_eq!(next(&scene), Some(("BP0000W".into(), true)));
}

#[test]
fn the_queue_goes_before_what_is_due_and_after_each_operators_run_one_that_is_due_goes() {
    let scene = waiting().with(|s| {
        s.add(request("BP0000Z"));
        free(s);
    });
    assert_eq!(decided(&scene, "BP0000Z").state, State::Due);
    assert_eq!(next(&scene), Some((OTHER.into(), true)), "the run before was the service's");
    let asked = scene.clone().with(|s| {
        s.attempted(ID, vec![Attempt { by: "ola".into(), ..attempt(1, State::Succeeded) }]);
    });
    assert_eq!(next(&asked), Some(("BP0000Z".into(), false)), "the run before was an operator's");
    let alone = asked.with(|s| s.history.queue.clear());
    assert_eq!(next(&alone), Some(("BP0000Z".into(), false)));
}

#[test]
fn what_can_open_is_waited_for_and_what_cannot_takes_a_run_out_of_the_queue() {
    let leaves = |change: &dyn Fn(&mut Scene)| {
        let scene = waiting().with(free).with(|s| change(s));
        let place = decided(&scene, OTHER).queued.unwrap();
        assert!(!place.ready);
        assert_eq!(next(&scene), None);
        let left = leaving(&scene.inputs());
        assert_eq!(left.first().map(|(_, refusal)| refusal.code), place.leaves);
        assert!(left.iter().all(|(_, refusal)| !refusal.why.as_str().is_empty()));
        place.leaves
    };
    fn other(s: &mut Scene) -> &mut crate::site::instruction::Request {
        match s.requests().last_mut() {
            Some(crate::site::instruction::Entry::Good(request)) => request,
            _ => panic!("no usable request"),
        }
    }
    let gone = |code: Code| Some(RefusalCode::from(code));
    // Somebody has decided otherwise, or it can never start.
    assert_eq!(leaves(&|s| other(s).expire_after = Some(When::Instant(now()))), gone(Code::Expired));
    assert_eq!(leaves(&|s| other(s).suspended = true), gone(Code::Suspended));
    assert_eq!(
        leaves(&|s| other(s).offer_after = When::Instant(now() + TimeDelta::hours(1))),
        gone(Code::NotOffered)
    );
    assert_eq!(leaves(&|s| other(s).platforms = vec![Platform::WindowsX86]), gone(Code::Platform));
    let deferral = Deferrals { until: Some(now() + TimeDelta::hours(1)), ..Deferrals::default() };
    assert_eq!(
        leaves(&|s| drop(s.history.deferrals.insert(id(OTHER), deferral.clone()))),
        gone(Code::Deferred)
    );
    assert_eq!(
        leaves(&|s| s.history.queue[0].at = now() - TimeDelta::hours(12)),
        Some(Refused::QueuedTooLong.into())
    );
    // It opens by itself, or by somebody.
    assert_eq!(leaves(&|s| s.held(now() + TimeDelta::hours(1))), None);
    assert_eq!(leaves(&|s| s.windows(&["Sun 22:00-23:00"])), None);
    assert_eq!(leaves(&|s| s.facts.clock_suspect = Some("it went back".into())), None);
    assert_eq!(leaves(&|s| other(s).content_sha256 = Some(hash())), None);
    assert_eq!(leaves(&|s| other(s).depends_on = vec![id("BP0000Q")]), None);
    assert_eq!(leaves(&|s| s.facts.service = false), None);
    let far = now() - TimeDelta::days(9);
    assert_eq!(
        leaves(&|s| {
            s.instructions.share_seen = Some(far);
            s.instructions.fault = Some(SourceFault { code: Code::ShareMissing, problems: Vec::new() });
        }),
        None
    );
}

#[test]
fn a_gate_that_was_passed_by_name_is_passed_in_the_queue_and_no_other() {
    let scene = waiting().with(free).with(|s| {
        s.held(now() + TimeDelta::hours(1));
        s.history.queue[0].overrides = vec![Gate::Hold];
    });
    assert_eq!(next(&scene), Some((OTHER.into(), true)));
    let closed = scene.with(|s| s.windows(&["Sun 22:00-23:00"]));
    assert_eq!(next(&closed), None);
    assert_eq!(decided(&closed, OTHER).next_run, Some(at("2026-11-22T22:00:00Z")));
}

#[test]
fn what_was_withdrawn_leaves_the_queue_and_what_nobody_has_read_yet_does_not() {
    let scene = waiting().with(|s| drop(s.requests().pop()));
    let left = leaving(&scene.inputs());
    assert_eq!((left[0].0.request, left[0].1.code), (id(OTHER), Refused::NoSuchRequest.into()));
    assert!(decide_one(&scene.inputs(), id(OTHER)).is_none());
    let unread = waiting().with(|s| s.instructions.file = None);
    assert!(leaving(&unread.inputs()).is_empty());
}

#[test]
fn the_next_run_of_what_waits_is_a_pair_and_what_is_due_beside_it_has_no_latest_time() {
    let scene = waiting().with(|s| {
        s.add(optional("BP0000W"));
        s.history.queue.push(queued("BP0000W"));
    });
    let pair =
        |scene: &Scene, name: &str| next_runs(&scene.inputs()).get(&id(name)).map(|n| (n.at, n.latest));
    let after = |minutes| now() + TimeDelta::minutes(minutes);
    // `ID` began ten minutes ago; each takes half an hour at the longest, and no time where it never ran.
    assert_eq!(pair(&scene, OTHER), Some((now(), Some(after(20)))));
    assert_eq!(pair(&scene, "BP0000W"), Some((now(), Some(after(50)))));
    let due = scene.with(|s| s.add(request("BP0000Z")));
    assert_eq!(pair(&due, OTHER), Some((now(), Some(after(20)))), "the queue goes first");
    assert_eq!(pair(&due, "BP0000W"), Some((now(), None)));
    assert_eq!(pair(&due, "BP0000Z"), Some((now(), None)));
    let held = due.with(|s| s.held(after(60)));
    assert_eq!(pair(&held, OTHER), Some((after(60), None)));
}

#[test]
fn a_simulation_works_off_the_queue_as_the_service_does() {
    let scene = waiting().with(|s| {
        s.add(optional("BP0000W"));
        s.add(optional("BP0000V"));
        s.history.queue.push(queued("BP0000W"));
        s.history.queue.push(Queued { at: now() - TimeDelta::hours(13), ..queued("BP0000V") });
    });
    let assumed = Assumptions { runs_take: RunTime::Longest, ..Assumptions::default() };
    let until = now() + TimeDelta::days(1);
    let course = simulate(&scene.inputs(), now(), until, &assumed);
    let at = |name: &str| course.timelines.iter().find(|t| t.request_id == Some(id(name))).unwrap().at;
    // `ID` began ten minutes ago; each takes half an hour at the longest.
    assert_eq!(at(OTHER), Some(now() + TimeDelta::minutes(20)));
    assert_eq!(at("BP0000W"), Some(now() + TimeDelta::minutes(50)));
    assert_eq!(at("BP0000V"), None, "it has waited for too long");
}
