//! What operators are told by `[notify] command`, on a virtual clock: each thing once for as long as it is so, and that
//! nobody could be told is seen until somebody is.

use super::site::Plan;
use super::verifying::{Stage, on_stage_of, plan_of};
use crate::clock::When;
use crate::decision::Hold;
use crate::executor::history::faults;
use crate::executor::talk::protocol::{Answer, Call, View};
use crate::site::content::ContentFact;
use crate::site::instruction::Entry;
use chrono::TimeDelta;

fn plan() -> Plan {
    let mut plan = plan_of(500);
    plan.config.notify.command = vec!["/usr/local/bin/page".into(), "now".into()];
    plan
}

/// For three days, since almost a day.
fn held(plan: &Plan) -> Hold {
    Hold {
        until: plan.from + TimeDelta::hours(72),
        by: "ola".into(),
        reason: "migration".into(),
        at: plan.from - TimeDelta::minutes(23 * 60 + 30),
    }
}

fn on_stage(plan: Plan, act: impl FnOnce(&mut Stage)) {
    on_stage_of(plan, |shared| Box::new(shared), act);
}

fn told(stage: &Stage) -> Vec<String> {
    let inner = stage.world.lock();
    inner.told.iter().map(|told| told["event"].as_str().unwrap().to_owned()).collect()
}

/// The messages of this code that `pcm status` shows.
fn problems(stage: &mut Stage, code: &str) -> Vec<String> {
    let Ok(Ok(Answer::Status(status))) = stage.ask(Call::View(View::Status)).try_recv() else {
        panic!("a service answers at once")
    };
    status.problems.iter().filter(|p| p.code == code).map(|p| p.message.to_string()).collect()
}

#[test]
fn content_that_is_wrong_for_hours_is_told_once() {
    let mut plan = plan();
    plan.contents.values_mut().for_each(|fact| *fact = ContentFact::Mismatch("setup.sh: it differs".into()));
    on_stage(plan, |stage| {
        stage.pass(12 * 60);
        assert_eq!(told(stage), ["content-mismatch"]);
        let inner = stage.world.lock();
        assert_eq!(inner.told[0]["package_id"], "BP00000A");
        assert!(inner.told[0]["message"].as_str().unwrap().contains("setup.sh: it differs"));
    });
}

#[test]
fn a_disk_that_stays_full_and_a_hold_of_more_than_a_day_are_told_once_each() {
    let mut plan = plan();
    plan.disk_free = Some(50 << 20);
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        stage.pass(20);
        assert_eq!(told(stage), ["disk-low"]);
        let said = stage.world.lock().said.clone();
        let low =
            said.iter().filter(|line| line.starts_with("Hardly any disk space is left: 50 MB is free for "));
        assert_eq!(low.count(), 1, "{said:#?}");
        stage.pass(3 * 60);
        assert_eq!(told(stage), ["disk-low", "held-too-long"]);
        let message = stage.world.lock().told[1]["message"].to_string();
        assert!(message.contains("held by ola since") && message.contains("migration"), "{message}");
    });
}

/// Copies of its request that are mandatory an hour from now and expire so many hours from now, on a machine that is held.
fn expiring(ends: &[i64]) -> Plan {
    let mut plan = plan();
    plan.hold = Some(Hold { at: plan.from, ..held(&plan) });
    let first = plan.file.requests.remove(0);
    let Entry::Good(first) = first else { panic!("it is a good one") };
    for (n, hours) in ends.iter().enumerate() {
        let at = |hours: i64| When::Instant(plan.from + TimeDelta::hours(hours));
        let mut request = first.clone();
        request.request_id = format!("BP0000{}", n + 1).parse().unwrap();
        (request.mandatory_after, request.expire_after) = (Some(at(hours - 1)), Some(at(*hours)));
        request.offer_after = at(hours - 2);
        plan.file.requests.push(Entry::Good(request));
    }
    plan
}

#[test]
fn what_happens_at_once_is_kept_once_before_it_is_recorded() {
    on_stage(expiring(&[2; 3]), |stage| {
        stage.pass(3 * 60);
        assert_eq!(told(stage), ["missed"; 3]);
        let kept = stage.world.lock().kept.clone();
        assert_eq!(kept[0], (3, 0), "a service that dies now tells all of them: {kept:?}");
        let later: Vec<usize> = kept.iter().map(|(waiting, _)| *waiting).collect();
        assert_eq!(later, [3, 2, 1], "once, and once for each call");
        let said = stage.world.lock().said.clone();
        let missed = said.iter().filter(|line| line.contains(" has expired; never ran"));
        assert_eq!(missed.count(), 3, "{said:#?}");
    });
}

#[test]
fn what_cannot_be_recorded_is_told_once_all_the_same() {
    on_stage(expiring(&[2; 3]), |stage| {
        stage.pass(60);
        faults::set(Some(Box::new(|point| match point {
            "commit" => Err(std::io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        })));
        stage.pass(2 * 60);
        let unrecorded = told(stage);
        faults::set(None);
        assert_eq!(unrecorded, ["missed"; 3]);
        stage.pass(60);
        assert_eq!(told(stage), ["missed"; 3]);
    });
}

#[test]
fn what_was_suspended_or_over_before_this_machine_was_there_is_not_missed() {
    // The history began five hours ago.
    let mut plan = expiring(&[-100, -6, -4, 2, 3]);
    let Some(Entry::Good(suspended)) = plan.file.requests.last_mut() else { panic!("it is a good one") };
    suspended.suspended = true;
    on_stage(plan, |stage| {
        stage.pass(5 * 60);
        let inner = stage.world.lock();
        let missed: Vec<&str> = inner.told.iter().map(|told| told["request_id"].as_str().unwrap()).collect();
        assert_eq!(missed, ["BP00003", "BP00004"]);
    });
}

#[test]
fn a_command_that_fails_is_a_problem_until_it_has_told_somebody() {
    let mut plan = plan();
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        stage.world.lock().pages = Err("it ended with exit 7".into());
        stage.pass(20);
        assert!(told(stage).is_empty());
        while told(stage).is_empty() {
            stage.pass(1);
        }
        // It hears how that went.
        stage.step();
        let found = problems(stage, "notify-failed");
        assert!(found.len() == 1 && found[0].contains("it ended with exit 7"), "{found:?}");
        stage.world.lock().pages = Ok(());
        stage.pass(2);
        assert_eq!(told(stage), ["held-too-long", "held-too-long"], "it is told again");
        assert!(problems(stage, "notify-failed").is_empty());
        let said = stage.world.lock().said.clone();
        assert!(said.iter().any(|line| line.starts_with("[notify] command /usr/local/bin/page told nobody: it ended with exit 7; 1 event told again in 1m")), "{said:#?}");
        assert!(said.iter().any(|line| line == "[notify] command works again."), "{said:#?}");
        stage.pass(2 * 60);
        assert_eq!(told(stage).len(), 2);
    });
}

#[test]
fn a_command_that_was_mended_tells_what_was_given_up_and_is_no_problem_any_more() {
    let mut plan = plan();
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        stage.world.lock().pages = Err("it ended with exit 7".into());
        stage.pass(45);
        assert_eq!(told(stage), ["held-too-long"; 3]);
        assert_eq!(problems(stage, "notify-failed").len(), 1);
        stage.pass(3 * 60);
        assert_eq!(told(stage)[3..], ["digest"; 3], "nobody was told of it yet");
        stage.world.lock().pages = Ok(());
        stage.pass(60);
        let newest = stage.world.lock().told.last().unwrap().clone();
        assert_eq!(newest["message"], "1 event that is not listed: 1 held-too-long");
        assert!(problems(stage, "notify-failed").is_empty());
        let calls = told(stage).len();
        stage.pass(3 * 60);
        assert_eq!(told(stage).len(), calls);
    });
}

#[test]
fn another_command_is_tried_at_once() {
    let mut plan = plan();
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        stage.world.lock().pages = Err("it ended with exit 7".into());
        while told(stage).is_empty() {
            stage.pass(1);
        }
        stage.pass(3);
        assert_eq!(told(stage).len(), 2, "the next one is ten minutes later");
        stage.world.lock().pages = Ok(());
        stage.config.borrow_mut().notify.command = vec!["/usr/local/bin/page-2".into()];
        stage.pass(2);
        assert_eq!(told(stage).len(), 3);
        assert!(problems(stage, "notify-failed").is_empty());
    });
}

#[test]
fn what_a_command_failed_at_is_told_of_it_and_not_of_the_one_that_is_configured_meanwhile() {
    let mut plan = plan();
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        (stage.world.lock().pages, stage.world.lock().hangs) = (Err("it ended with exit 7".into()), true);
        while told(stage).is_empty() {
            stage.pass(1);
        }
        stage.config.borrow_mut().notify.command = vec!["/usr/local/bin/page-2".into()];
        stage.pass(5);
        assert_eq!(told(stage).len(), 1, "one at a time");
        stage.world.lock().hangs = false;
        stage.pass(1);
        let said = stage.world.lock().said.clone();
        for program in ["page", "page-2"] {
            let line =
                format!("[notify] command /usr/local/bin/{program} told nobody: it ended with exit 7; ");
            assert_eq!(said.iter().filter(|said| said.starts_with(&line)).count(), 1, "{line} in {said:#?}");
        }
    });
}

#[test]
fn a_demo_calls_no_command_whatever_its_configuration_says() {
    let mut plan = plan();
    plan.hold = Some(held(&plan));
    on_stage(plan, |stage| {
        stage.world.lock().demo = true;
        stage.pass(90);
        assert!(told(stage).is_empty());
        let said = stage.world.lock().said.clone();
        let line = "held-too-long: [notify] command is not called. A demo tells nobody.";
        assert_eq!(said.iter().filter(|said| *said == line).count(), 1, "{said:#?}");
        assert!(problems(stage, "notify-failed").is_empty());
    });
}

#[test]
fn without_a_command_nothing_is_told_and_nothing_is_wrong() {
    let mut plan = plan();
    (plan.disk_free, plan.config.notify.command) = (Some(50 << 20), Vec::new());
    on_stage(plan, |stage| {
        stage.pass(60);
        assert!(told(stage).is_empty());
        stage.config.borrow_mut().notify.command = vec!["/usr/local/bin/page".into()];
        stage.pass(60);
        assert!(told(stage).is_empty(), "what was so before is no news");
    });
}
