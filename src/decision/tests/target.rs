//! Gates `target` and `job` of a job under an index: whom it is for, how far it has got, and what its publisher says of it
//! now.

use super::super::model::*;
use super::super::simulate::{Assumptions, simulate};
use super::gates::blocks;
use super::scene::*;
use crate::site::expression::Expression;
use crate::site::index::JobState;
use crate::site::index::members::Member;
use crate::site::index::target::{Target, WHOLE, place};
use crate::site::indexed::{Delivery, InForce, Membership, Replaced};
use crate::site::instruction::{Entry, Rejected};
use crate::site::signed::Distrust;
use crate::terms::*;
use chrono::TimeDelta;
use proptest::prelude::*;

pub fn delivery() -> Delivery {
    Delivery {
        job_id: "BP0000AA".parse().unwrap(),
        revision: 3,
        release: 2,
        state: JobState::Active,
        percent: WHOLE,
        reason: None,
        targets: vec!["@web".parse().unwrap()],
        exclude: Vec::new(),
        condition: None,
        bound: None,
        need: None,
        removes: false,
        packages: Vec::new(),
        supersedes: Vec::new(),
        spread: None,
        offer_to: None,
        distrust: None,
    }
}

fn member(groups: &[&str]) -> Membership {
    Membership::Listed(Member {
        machine: "BP004000".parse().unwrap(),
        host: Some("web-01.example".into()),
        adopt: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    })
}

/// The scene's request as a job of an index, on a machine of group `web`.
pub fn indexed(change: impl FnOnce(&mut Delivery)) -> Scene {
    Scene::due().with(|s| {
        let mut delivery = delivery();
        change(&mut delivery);
        s.instructions.index = Some(InForce {
            site_id: "abcdefgh23456723".parse().unwrap(),
            epoch: 2,
            member: member(&["web"]),
            deliveries: [(id(ID), delivery)].into(),
            elsewhere: Vec::new(),
            policies: Vec::new(),
            cancelled: [].into(),
            replaced: Vec::new(),
        });
    })
}

pub fn index(scene: &mut Scene) -> &mut InForce {
    scene.instructions.index.as_mut().unwrap()
}

fn of(scene: &Scene, gate: Gate) -> GateResult {
    scene.decision().gates.into_iter().find(|g| g.gate == gate).unwrap()
}

pub fn condition(text: &str) -> Option<Expression> {
    Some(Expression::parse(text).unwrap())
}

#[test]
fn a_job_for_a_group_of_this_machine_is_due() {
    let scene = indexed(|_| {});
    assert_eq!(scene.decision().state, State::Due);
    let gate = of(&scene, Gate::Target);
    assert!(gate.evidence.as_str().starts_with("for @web; 100 %"), "{}", gate.evidence);
    assert!(of(&scene, Gate::Record).evidence.as_str().contains("revision 3 of job BP0000AA"));
    assert!(of(&Scene::due(), Gate::Target).evidence.as_str().contains("for this machine alone"));
}

#[test]
fn one_for_others_is_no_request_of_this_machine_and_says_why() {
    for (change, says) in [
        (
            Box::new(|d: &mut Delivery| d.targets = vec!["@db".parse().unwrap(), "BP00401*".parse().unwrap()])
                as Box<dyn Fn(&mut Delivery)>,
            "is for @db, BP00401*; this machine is in web",
        ),
        (Box::new(|d| d.exclude = vec!["BP004000".parse().unwrap()]), "excludes BP004000"),
        (
            Box::new(|d| d.condition = condition("host == \"db-*\"")),
            "only for machines where host == \"db-*\"",
        ),
        (
            Box::new(|d| d.bound = condition("group == \"retired\"")),
            "signer allows it only where group == \"retired\"",
        ),
    ] {
        let scene = indexed(change);
        let gate = blocks(&scene, Gate::Target, Code::NotTargeted, Change::Event);
        assert!(gate.evidence.as_str().contains(says), "{}", gate.evidence);
        assert_eq!(scene.decision().state, State::NotApplicable);
        assert!(!scene.decision().is_listed());
    }
    let gone = indexed(|_| {}).with(|s| index(s).member = Membership::NotListed);
    assert!(
        blocks(&gone, Gate::Target, Code::NotTargeted, Change::Event)
            .evidence
            .as_str()
            .contains("not in the site's list")
    );
    let bare = indexed(|_| {}).with(|s| index(s).deliveries.clear());
    let gate = of(&bare, Gate::Target);
    assert_eq!((gate.verdict, gate.code), (Verdict::Unknown, Some(Code::NotTargeted)));
}

#[test]
fn what_cannot_be_known_closes_and_is_listed() {
    for scene in [
        indexed(|d| d.condition = condition("fact(\"rack\") == \"b7\"")),
        indexed(|d| d.condition = condition("!(fact(\"rack\") == \"b7\")")),
        indexed(|d| d.bound = condition("os == \"debian\"")),
        indexed(|_| {})
            .with(|s| index(s).member = Membership::Unknown("members/all.3 cannot be read".into())),
    ] {
        let gate = of(&scene, Gate::Target);
        assert_eq!(
            (gate.verdict, gate.code),
            (Verdict::Unknown, Some(Code::NotTargeted)),
            "{}",
            gate.evidence
        );
        assert_eq!(scene.decision().state, State::Waiting);
        assert!(scene.decision().is_listed());
    }
    let known = indexed(|d| d.condition = condition("os == \"debian\" && os_version >= 12")).with(|s| {
        (s.facts.host.os, s.facts.host.os_version) = (Some("debian".into()), Some("13".into()));
    });
    assert_eq!(known.decision().state, State::Due);
}

#[test]
fn facts_are_those_that_the_configuration_names() {
    let asks = |text: &str, facts: &[(&str, &str)]| {
        let condition = condition(text);
        let owned = facts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let owned: Vec<_> = owned.collect();
        indexed(|d| d.condition = condition).with(|s| s.policy.config.report.facts = owned)
    };
    for right in ["fact(\"rack\") == \"a3\"", "fact(\"rack\") == \"A*\"", "!(fact(\"rack\") == \"b7\")"] {
        assert_eq!(asks(right, &[("row", "2"), ("rack", "a3")]).decision().state, State::Due, "{right}");
    }
    let other = asks("fact(\"rack\") == \"a3\"", &[("rack", "b7")]);
    let gate = blocks(&other, Gate::Target, Code::NotTargeted, Change::Event);
    let says = "where fact(\"rack\") == \"a3\"; rack is \"b7\" here ([report] facts)";
    assert!(gate.evidence.as_str().ends_with(says), "{}", gate.evidence);
    // A name is itself, in its own case; what is not named closes, and so does its opposite.
    for facts in [&[("Rack", "a3")][..], &[]] {
        for text in ["fact(\"rack\") == \"a3\"", "fact(\"rack\") != \"a3\""] {
            let gate = of(&asks(text, facts), Gate::Target);
            assert_eq!((gate.verdict, gate.code), (Verdict::Unknown, Some(Code::NotTargeted)), "{text}");
            let says = "cannot be known here; this machine names no rack ([report] facts)";
            assert!(gate.evidence.as_str().ends_with(says), "{}", gate.evidence);
        }
    }
    // The signer's bound asks the same.
    let facts = vec![("rack".to_owned(), "b7".to_owned())];
    let bound = indexed(|d| d.bound = condition("fact(\"rack\") == \"a3\""))
        .with(|s| s.policy.config.report.facts = facts);
    assert_eq!(bound.decision().state, State::NotApplicable);
}

#[test]
fn what_was_cancelled_once_stays_so_although_a_later_index_calls_it_active() {
    let scene = indexed(|_| {}).with(|s| s.history.cancelled = ["BP0000AA".parse().unwrap()].into());
    let gate = blocks(&scene, Gate::Job, Code::Cancelled, Change::Never);
    assert!(
        gate.evidence.as_str().contains("cancelled job BP0000AA before, which is final"),
        "{}",
        gate.evidence
    );
    assert_eq!(scene.decision().state, State::NotApplicable);
    let other = indexed(|_| {}).with(|s| s.history.cancelled = ["BP0000AB".parse().unwrap()].into());
    assert_eq!(other.decision().state, State::Due);
}

#[test]
fn a_phase_that_has_not_come_is_scheduled_until_the_job_is_advanced() {
    let own = place("BP0000AA".parse().unwrap(), "BP004000".parse().unwrap());
    let gate = blocks(&indexed(|d| d.percent = own), Gate::Target, Code::PhaseNotReached, Change::Event);
    assert!(gate.evidence.as_str().contains("has reached"), "{}", gate.evidence);
    let decision = indexed(|d| d.percent = own).decision();
    assert_eq!((decision.state, decision.why.as_str()), (State::Scheduled, "its phase has not come"));
    assert!(decision.is_listed());
    assert_eq!(indexed(|d| d.percent = own + 1).decision().state, State::Due);
}

#[test]
fn what_has_an_attempt_is_shown_by_its_history_whatever_the_target_says() {
    for change in [
        (|d: &mut Delivery| d.targets = vec!["@db".parse().unwrap()]) as fn(&mut Delivery),
        |d| d.percent = 0,
        |d| d.state = JobState::Cancelled,
    ] {
        for state in [State::Succeeded, State::Failed, State::Running] {
            let scene = indexed(change).with(|s| s.attempted(ID, vec![attempt(1, state)]));
            assert_eq!(scene.decision().state, state);
            assert!(scene.decision().is_listed());
        }
    }
}

#[test]
fn of_two_jobs_with_one_request_only_the_one_that_ran_counts_as_run() {
    let twin = |job: &str| {
        let problems = vec![Problem::of_file("duplicate", "jobs", "both are refused")];
        let (job_id, request_id) = (Some(job.parse().unwrap()), Some(id(ID)));
        Entry::Rejected(Rejected { job_id, request_id, problems, ..Rejected::default() })
    };
    let twins = |first: &str, second: &str| {
        indexed(|_| {}).with(|s| {
            s.instructions.file.as_mut().unwrap().requests = vec![twin(first), twin(second)];
            // Of job BP0000AA.
            s.attempted(ID, vec![attempt(1, State::Succeeded)]);
        })
    };
    for (first, second, states) in [
        ("BP0000AA", "BP0000AB", vec![State::Succeeded, State::Rejected]),
        ("BP0000AB", "BP0000AA", vec![State::Rejected, State::Succeeded]),
        // History is shown all the same where neither of them ran.
        ("BP0000AB", "BP0000AC", vec![State::Succeeded, State::Succeeded]),
    ] {
        let scene = twins(first, second);
        let all: Vec<State> = scene.decide().iter().map(|d| d.state).collect();
        assert_eq!(all, states, "{first} {second}");
        let one = super::super::decide_one(&scene.inputs(), id(ID)).unwrap();
        assert_eq!(one.state, State::Succeeded, "{first} {second}");
    }
}

#[test]
fn a_simulation_sees_a_job_that_becomes_this_machines_once_another_one_has_run() {
    let scene = indexed(|d| d.condition = condition("job(BP0000AB) == \"succeeded\"")).with(|s| {
        let mut first = request(OTHER);
        first.job_id = "BP0000AB".parse().unwrap();
        index(s).deliveries.insert(id(OTHER), Delivery { job_id: first.job_id, ..delivery() });
        s.add(first);
    });
    assert!(!scene.decision().is_listed());
    let until = scene.now + chrono::TimeDelta::days(1);
    let timelines = simulate(&scene.inputs(), scene.now, until, &Assumptions::default()).timelines;
    let own = timelines.iter().find(|t| t.request_id == Some(id(ID))).unwrap();
    let other = timelines.iter().find(|t| t.request_id == Some(id(OTHER))).unwrap();
    let states: Vec<State> = own.changes.iter().map(|step| step.state).collect();
    assert_eq!(states, [State::NotApplicable, State::Due, State::Running, State::Succeeded]);
    assert_eq!(own.changes[1].at, other.changes.last().unwrap().at, "as the other one has ended");
}

#[test]
fn what_is_for_others_or_not_wanted_any_more_is_so_whatever_else_is_wrong_with_it() {
    let distrust = || Some(Distrust::new(Code::PackageMismatch, "its exit_codes are others"));
    for (change, code) in [
        ((|d| d.condition = condition("host == \"db-*\"")) as fn(&mut Delivery), Code::NotTargeted),
        (|d| d.state = JobState::Cancelled, Code::Cancelled),
    ] {
        let scene = indexed(|d| {
            d.distrust = distrust();
            change(d);
        });
        let decision = scene.decision();
        assert_eq!((decision.state, decision.why.as_str()), (State::NotApplicable, code.row().brief));
        assert_eq!(decision.is_listed(), code == Code::Cancelled);
    }
    assert_eq!(indexed(|d| d.distrust = distrust()).decision().state, State::Rejected);
    // Also where its file cannot be read.
    let unread = |cancelled: bool| {
        indexed(|_| {}).with(|s| {
            let job_id = "BP0000AA".parse().unwrap();
            let problems =
                vec![Problem::of_file("malformed", "jobs/BP0000AA.3.toml", "revision 3 cannot be read")];
            let rejected =
                Rejected { job_id: Some(job_id), request_id: Some(id(ID)), problems, ..Rejected::default() };
            s.instructions.file.as_mut().unwrap().requests = vec![Entry::Rejected(rejected)];
            if cancelled {
                index(s).cancelled = [(job_id, Some("no longer needed".into()))].into();
            }
        })
    };
    assert_eq!(unread(false).decision().state, State::Rejected);
    let decision = unread(true).decision();
    assert_eq!((decision.state, decision.why.as_str()), (State::NotApplicable, "cancelled"));
    let gate = of(&unread(true), Gate::Job);
    assert_eq!((gate.code, gate.change), (Some(Code::Cancelled), Change::Never));
    assert!(gate.evidence.as_str().contains("no longer needed"), "{}", gate.evidence);
    let ran = unread(true).with(|s| s.attempted(ID, vec![attempt(1, State::Failed)]));
    assert_eq!(ran.decision().state, State::Failed, "history is not overwritten");
}

#[test]
fn states_of_packages_and_jobs_come_from_the_history() {
    let asks = |text: &str| {
        indexed(|d| d.condition = condition(text)).with(|s| {
            let mut other = attempt(1, State::Succeeded);
            (other.job_id, other.package_id) = ("BP0000AB".parse().unwrap(), "BP00000B".parse().unwrap());
            s.attempted(OTHER, vec![other]);
        })
    };
    for (text, due) in [
        ("job(BP0000AB) == \"succeeded\"", true),
        ("package(BP00000B) == \"succeeded\"", true),
        ("package(BP00000B) != \"succeeded\"", false),
        ("package(BP00000C) == \"never\"", true),
        ("job(BP0000AC) == \"failed\"", false),
    ] {
        assert_eq!(asks(text).decision().state == State::Due, due, "{text}");
    }
    let lost = asks("package(BP00000C) == \"never\"").with(|s| s.history.lost = Some("gone".into()));
    assert_eq!(of(&lost, Gate::Target).verdict, Verdict::Unknown);
}

#[test]
fn the_publisher_suspends_cancels_and_replaces() {
    let suspended =
        indexed(|d| d.reason = Some("halted: 9.1 %".into())).with(|s| s.request().suspended = true);
    let gate = blocks(&suspended, Gate::Job, Code::Suspended, Change::Event);
    assert!(gate.evidence.as_str().contains("halted: 9.1 %"), "{}", gate.evidence);
    let cancelled = indexed(|d| d.state = JobState::Cancelled);
    blocks(&cancelled, Gate::Job, Code::Cancelled, Change::Never);
    assert_eq!(cancelled.decision().why.as_str(), "cancelled");
    let newer = |state: State| {
        indexed(|_| {}).with(|s| {
            let newer = Delivery {
                job_id: "BP0000AB".parse().unwrap(),
                supersedes: vec!["BP0000AA".parse().unwrap()],
                ..delivery()
            };
            index(s).deliveries.insert(id(OTHER), newer);
            s.attempted(OTHER, vec![attempt(1, state)]);
        })
    };
    let gate = blocks(&newer(State::Succeeded), Gate::Job, Code::Superseded, Change::Event);
    assert!(gate.evidence.as_str().contains("job BP0000AB replaces"), "{}", gate.evidence);
    assert_eq!(newer(State::Failed).decision().state, State::Due);
    // It is sent once more, and has not run as that yet: the old one does not come back meanwhile.
    let again = |state: State| {
        newer(State::Failed).with(|s| {
            let job_id = "BP0000AB".parse().unwrap();
            s.attempted("BP0000X", vec![Attempt { job_id, ..attempt(1, state) }]);
        })
    };
    let gate = blocks(&again(State::Succeeded), Gate::Job, Code::Superseded, Change::Event);
    assert!(gate.evidence.as_str().contains("its BP0000X has succeeded"), "{}", gate.evidence);
    assert_eq!(again(State::Failed).decision().state, State::Due);
    // Its file is lost: it is rejected, and what it has replaced does not come back.
    let unread = |state: State| {
        newer(state).with(|s| {
            index(s).deliveries.remove(&id(OTHER));
            let (older, newer) = ("BP0000AA".parse().unwrap(), "BP0000AB".parse().unwrap());
            index(s).replaced = vec![Replaced { older, newer, by: id(OTHER) }];
        })
    };
    let gate = blocks(&unread(State::Succeeded), Gate::Job, Code::Superseded, Change::Event);
    assert!(gate.evidence.as_str().contains("job BP0000AB replaces"), "{}", gate.evidence);
    assert_eq!(unread(State::Failed).decision().state, State::Due);
}

#[test]
fn a_package_that_has_to_come_first_comes_by_any_of_its_requests() {
    let needs = |what: &str| indexed(|d| d.packages = vec![what.parse().unwrap()]);
    let gate = blocks(&needs("BP00000B"), Gate::Job, Code::Dependency, Change::Event);
    assert!(gate.evidence.as_str().contains("package BP00000B"), "{}", gate.evidence);
    assert_eq!(needs("BP00000B").decision().next_run, None);
    let done = needs("BP00000A").with(|s| s.attempted(OTHER, vec![attempt(1, State::Succeeded)]));
    assert_eq!(done.decision().state, State::Due);
    let failed = needs("BP00000A").with(|s| {
        s.attempted(OTHER, vec![attempt(1, State::Succeeded), attempt(2, State::Failed)]);
    });
    blocks(&failed, Gate::Job, Code::Dependency, Change::Event);
}

/// The scene's request needs a package, of which the other one is, and BP00001 has removed it.
fn removed(change: impl FnOnce(&mut Attempt)) -> Scene {
    indexed(|d| d.packages = vec!["BP00000A".parse().unwrap()]).with(|s| {
        s.attempted(OTHER, vec![attempt(1, State::Succeeded)]);
        let mut one = Attempt { removes: true, ..attempt(1, State::Succeeded) };
        change(&mut one);
        s.attempted("BP00001", vec![one]);
    })
}

#[test]
fn a_package_that_was_removed_since_has_to_come_again() {
    let waits = |scene: &Scene, why: &str| {
        let gate = blocks(scene, Gate::Job, Code::Dependency, Change::Event);
        assert!(gate.evidence.as_str().ends_with(why), "{}", gate.evidence);
        assert_eq!(scene.decision().next_run, None);
    };
    let at = |minutes| move |one: &mut Attempt| one.claimed_at += TimeDelta::minutes(minutes);
    for minutes in [0, 5] {
        waits(&removed(at(minutes)), "BP00001 has removed it, and none has since");
    }
    // What was put there again is there; and what was not removed is.
    assert_eq!(removed(at(-5)).decision().state, State::Due);
    for state in [State::Failed, State::TimedOut, State::Interrupted] {
        assert_eq!(removed(|one| one.state = state).decision().state, State::Due, "{state}");
    }
    let restarted = |one: &mut Attempt| (one.state, one.boot_id) = (State::SucceededRestart, "boot-0".into());
    waits(&removed(restarted), "none has since");
    // It alone puts nothing there.
    let alone = removed(|_| {}).with(|s| drop(s.history.attempts.remove(&id(OTHER))));
    waits(&alone, "BP00001 has removed it, and none has since");
    // Where it was removed before, and to do so once more failed.
    let once_more = removed(|_| {}).with(|s| {
        let first = Attempt { removes: true, ..attempt(1, State::Succeeded) };
        s.attempted("BP00001", vec![first, Attempt { removes: true, ..attempt(2, State::Failed) }]);
    });
    waits(&once_more, "none has since");
    // History of before it kept what removes: the name says it, and the package as long as its job is listed.
    waits(&removed(|one| (one.removes, one.command) = (false, "Uninstall".into())), "none has since");
    let unsaid = removed(|one| one.removes = false);
    assert_eq!(unsaid.decision().state, State::Due);
    let listed = unsaid.with(|s| {
        index(s).deliveries.insert(id("BP00001"), Delivery { removes: true, ..delivery() });
        s.add(request("BP00001"));
    });
    waits(&listed, "none has since");
}

#[test]
fn what_was_adopted_as_done_puts_a_package_there_unless_it_removes_and_until_it_is_removed() {
    let adopted = |removes, gone: Option<i64>| {
        indexed(|d| d.packages = vec!["BP00000A".parse().unwrap()]).with(|s| {
            index(s).deliveries.insert(id(OTHER), Delivery { removes, ..delivery() });
            s.add(request(OTHER));
            s.history.adopted.insert(id(OTHER), now());
            if let Some(minutes) = gone {
                let claimed_at = now() + TimeDelta::minutes(minutes);
                let one = Attempt { removes: true, claimed_at, ..attempt(1, State::Succeeded) };
                s.attempted("BP00001", vec![one]);
            }
        })
    };
    assert_eq!(adopted(false, None).decision().state, State::Due);
    assert_eq!(adopted(false, Some(-5)).decision().state, State::Due);
    for scene in [adopted(false, Some(5)), adopted(true, None)] {
        blocks(&scene, Gate::Job, Code::Dependency, Change::Event);
    }
}

#[test]
fn nobody_is_told_a_latest_time_for_what_waits_again_once_another_one_has_removed_what_it_needs() {
    let both = |removes| {
        indexed(|d| d.packages = vec!["BP00000A".parse().unwrap()]).with(|s| {
            s.attempted("BP00001", vec![attempt(1, State::Succeeded)]);
            index(s).deliveries.insert(id(OTHER), Delivery { removes, ..delivery() });
            s.add(request(OTHER));
        })
    };
    let course = |scene: &Scene| {
        let until = scene.now + TimeDelta::days(1);
        simulate(&scene.inputs(), scene.now, until, &Assumptions::default()).timelines
    };
    let of = |scene: &Scene| course(scene).into_iter().find(|line| line.request_id == Some(id(ID))).unwrap();
    let runs = |scene: &Scene| of(scene).changes.iter().any(|step| step.state == State::Running);
    assert!(of(&both(false)).latest.is_some() && runs(&both(false)));
    assert!(of(&both(true)).latest.is_none() && !runs(&both(true)));
}

#[test]
fn what_differs_from_its_package_and_what_is_below_a_release_that_ran_is_not_trusted() {
    let differs = indexed(|d| d.distrust = Some(Distrust::new(Code::PackageMismatch, "restarts differs")));
    blocks(&differs, Gate::Trust, Code::PackageMismatch, Change::Event);
    let ran = |release| {
        indexed(|_| {}).with(|s| {
            let newer = Attempt { release: Some(release), ..attempt(1, State::Succeeded) };
            s.attempted(OTHER, vec![newer]);
        })
    };
    blocks(&ran(3), Gate::Trust, Code::PackageWithdrawn, Change::Event);
    assert_eq!(ran(2).decision().state, State::Due);
}

#[test]
fn launches_are_spread_over_the_longer_of_both_times() {
    let own = |job: Option<u64>, config: u64| {
        let mut scene = indexed(|d| d.spread = job.map(minutes));
        scene.policy.config.machine = Some("BP004000".parse().unwrap());
        scene.policy.config.run.spread = minutes(config);
        scene.decision().starts
    };
    assert_eq!(own(Some(60), 0), own(None, 60));
    assert_eq!(own(Some(60), 120), own(None, 120));
    assert!(own(Some(60), 0) > own(None, 0));
}

/// Whether it is for a machine, by the words of the contract.
fn plainly(
    groups: &[u8],
    targets: &[u8],
    exclude: &[u8],
    holds: Option<bool>,
    percent: u32,
    own: u32,
) -> (Option<Code>, bool) {
    let met = |all: &[u8]| all.iter().any(|n| *n == 9 || groups.contains(n));
    if met(exclude) || !met(targets) || holds == Some(false) {
        return (Some(Code::NotTargeted), false);
    }
    match holds {
        None => (Some(Code::NotTargeted), true),
        _ if own >= percent => (Some(Code::PhaseNotReached), true),
        _ => (None, true),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Targets, exclusions, condition and phase in every combination: group 9 is `all`.
    #[test]
    fn whom_a_job_is_for_is_what_the_contract_says(
        groups in prop::collection::vec(0..4u8, 0..3),
        targets in prop::collection::vec(prop_oneof![3 => 0..4u8, 1 => Just(9)], 1..4),
        exclude in prop::collection::vec(prop_oneof![6 => 0..4u8, 1 => Just(9)], 0..2),
        holds in prop_oneof![Just(Some(true)), Just(Some(false)), Just(None)],
        percent in 0..=WHOLE,
        state in 0..6u8,
    ) {
        let group = |n: &u8| -> Target { if *n == 9 { "@all".parse().unwrap() } else { format!("@g{n}").parse().unwrap() } };
        let mut names: Vec<String> = groups.iter().map(|n| format!("g{n}")).collect();
        names.sort();
        names.dedup();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let scene = indexed(|d| {
            d.targets = targets.iter().map(group).collect();
            d.exclude = exclude.iter().map(group).collect();
            d.condition = match holds {
                Some(true) => condition("host == \"web*\""),
                Some(false) => condition("!(host == \"web*\")"),
                None => condition("fact(\"a\") == \"b\" && host == \"*\""),
            };
            d.percent = percent;
            d.state = if state == 0 { JobState::Cancelled } else { JobState::Active };
        }).with(|s| index(s).member = member(&names));
        let own = place("BP0000AA".parse().unwrap(), "BP004000".parse().unwrap());
        let (code, listed) = plainly(&groups, &targets, &exclude, holds, percent, own);
        let decision = scene.decision();
        let gate = decision.gates.iter().find(|g| g.gate == Gate::Target).unwrap();
        prop_assert_eq!(gate.code, code);
        prop_assert_eq!(decision.is_listed(), listed);
        prop_assert_eq!(decision.state == State::Due, code.is_none() && state != 0);
        prop_assert!(code.is_none() || decision.next_run.is_none());
    }
}
