//! `pcm site machine replace` on the machine (SITE.md 5): a state that the site names in the machine's line lets it go on
//! once, with everything that is listed as done.

use super::common::reports::{report_at, report_lines};
use super::common::{MACHINE, make_dir, wait_for, wait_for_or, write};
use super::identity::Double;
use super::indexed::{ID, Indexed};
use serde_json::Value;
use std::fs;
use std::time::Duration;

fn report(share: &Indexed) -> Value {
    report_at(&share.site.share().join("machines/BP004000.json"))
}

fn has(share: &Indexed, problem: &str) -> bool {
    share.site.json_of(&["list"])["problems"].to_string().contains(&format!("\"{problem}\""))
}

fn two_polls(share: &Indexed) {
    let polls = || share.site.log().matches("Looking for index").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

fn name(share: &mut Indexed, state: &str) {
    share.members = format!("{MACHINE} web-01 {state} web\n");
}

/// The job has run once, and that is reported; the state that the report names.
fn ran_once(share: &mut Indexed) -> String {
    let job = share.job();
    share.publish(&[job]);
    let service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    wait_for("it is reported", || report(share)["requests"].to_string().contains("\"succeeded\""));
    service.terminate();
    report(share)["state_id"].as_str().unwrap().to_owned()
}

/// The audit's entries of what the site decided: the verb and the reason.
fn decided(share: &Indexed) -> Vec<(String, String)> {
    decided_by(&share.site.json(&["audit"]))
}

fn decided_by(audit: &Value) -> Vec<(String, String)> {
    let entries = audit["entries"].as_array().unwrap().iter();
    let by_site = entries.filter(|entry| entry["who"] == "the site" && entry["result"] == "done");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    by_site.map(|entry| (text(entry, "verb"), text(entry, "reason"))).collect()
}

#[test]
fn a_lost_history_is_adopted_once_where_the_site_names_exactly_its_state() {
    let Some(mut share) = Indexed::signed() else { return };
    share.enrol();
    let state = ran_once(&mut share);
    fs::remove_file(share.site.state().join("history.db")).unwrap();
    let _service = share.site.service();
    wait_for("the loss is reported", || {
        let report = report(&share);
        report.is_object() && report["report"].is_null()
    });
    assert_eq!(report(&share)["state_id"], state.as_str(), "the site can name it");

    // Another state, and one that nobody signed who may.
    name(&mut share, "0123456789abcdef0123456789abcdef");
    let job = share.job();
    let other = share.publish(std::slice::from_ref(&job));
    two_polls(&share);
    assert!(has(&share, "history-lost"));
    name(&mut share, &state);
    let head = share.head();
    let text = share.parts(&head, std::slice::from_ref(&job));
    share.place(&text);
    two_polls(&share);
    share.place(&share.sign("stranger", "pcm-publish", &text));
    two_polls(&share);
    assert!(has(&share, "history-lost") && share.site.ran("ran") == 1, "{}", share.site.log());

    share.publish(std::slice::from_ref(&job));
    wait_for("it goes on", || !has(&share, "history-lost"));
    let request = share.site.request(ID).unwrap();
    assert!(request.to_string().contains("adopted as done"), "{request}");
    let [(verb, reason)] = &decided(&share)[..] else { panic!("{}", share.site.json(&["audit"])) };
    assert!(verb == "adopt" && reason.contains(&state), "{verb} {reason}");
    wait_for("it reports its new state", || {
        report(&share)["report"].is_number() && report(&share)["state_id"] != state.as_str()
    });

    // What is published still says so, and an older index would: neither means this history.
    fs::remove_file(share.site.state().join("history.db")).unwrap();
    wait_for("it is lost again", || has(&share, "history-lost"));
    two_polls(&share);
    share.place(&other);
    two_polls(&share);
    assert!(has(&share, "history-lost") && share.site.ran("ran") == 1, "{}", share.site.log());
}

#[test]
fn a_machine_that_was_set_up_anew_does_not_go_on_from_the_state_that_a_report_tells_of() {
    let mut share = Indexed::by_permissions();
    let state = ran_once(&mut share);
    fs::remove_dir_all(share.site.state()).unwrap();
    fs::remove_file(share.site.path("etc/pcm.mark")).unwrap();
    assert!(!share.site.pcm(&["init"]).status.success(), "it has had an earlier life");
    let _service = share.site.service();
    // Another machine may live on with the state before, and anybody may have written that report.
    name(&mut share, &state);
    let job = share.job();
    share.publish(&[job]);
    two_polls(&share);
    assert!(has(&share, "history-lost") && share.site.ran("ran") == 1, "{}", share.site.log());
}

#[test]
fn a_machine_that_was_set_up_anew_names_its_state_and_goes_on_once_where_the_site_names_that() {
    let mut share = Indexed::by_permissions();
    let before = ran_once(&mut share);
    let number = report(&share)["report"].clone();
    fs::remove_dir_all(share.site.state()).unwrap();
    fs::remove_file(share.site.path("etc/pcm.mark")).unwrap();
    assert!(!share.site.pcm(&["init"]).status.success(), "it has had an earlier life");
    let _service = share.site.service();
    wait_for("it reports", || report(&share)["problems"].to_string().contains("history-lost"));
    let told = report(&share);
    let state = told["state_id"].as_str().unwrap().to_owned();
    assert_ne!(state, before, "{told}");
    assert_eq!((&told["report"], &told["before"]["number"]), (&Value::Null, &number), "{told}");
    two_polls(&share);
    assert!(has(&share, "history-lost") && share.site.ran("ran") == 1, "{}", share.site.log());

    name(&mut share, &state);
    let job = share.job();
    share.publish(&[job]);
    wait_for("it goes on", || !has(&share, "history-lost"));
    two_polls(&share);
    let request = share.site.request(ID).unwrap();
    assert!(request.to_string().contains("adopted as done"), "{request}");
    let [(verb, reason)] = &decided(&share)[..] else { panic!("{}", share.site.json(&["audit"])) };
    assert!(verb == "adopt" && reason.contains(&state), "{verb} {reason}");
    wait_for("its reports count on", || report(&share)["report"].as_u64() > number.as_u64());
    assert_eq!(share.site.ran("ran"), 1, "{}", share.site.log());
}

/// Another machine writes a report in this one's name; `decided`: after it was let go on.
fn another_reports(share: &Indexed, decided: bool) {
    let file = share.site.share().join("machines/BP004000.json");
    let mut forged = report(share);
    forged["report"] = (forged["report"].as_u64().unwrap() + 1_000).into();
    forged["boot_id"] = "another".into();
    if decided {
        forged["kept_id"] = forged["report"].clone();
    }
    make_dir(file.parent().unwrap());
    // A report of this machine may be on its way there, and takes the place of it unseen: another machine writes again, too.
    wait_for("it is noticed", || {
        let noticed = has(share, "two-machines");
        if !noticed && report(share)["report"].as_u64() < forged["report"].as_u64() {
            write(&file.with_file_name(".other"), report_lines(&forged).concat().as_bytes());
            fs::rename(file.with_file_name(".other"), &file).unwrap();
        }
        noticed
    });
}

#[test]
fn of_two_copies_the_one_that_reads_that_the_other_obeyed_does_not() {
    let mut share = Indexed::by_permissions();
    let later = share.job().later();
    share.publish(std::slice::from_ref(&later));
    let _service = share.site.service();
    wait_for("it reports", || report(&share)["report"].is_number());
    let state = report(&share)["state_id"].as_str().unwrap().to_owned();
    another_reports(&share, true);
    name(&mut share, &state);
    share.publish(&[later]);
    share.site.wait_log("another machine keeps this id");
    two_polls(&share);
    assert!(has(&share, "two-machines") && decided(&share).is_empty(), "{}", share.site.log());
}

#[test]
fn of_two_machines_the_one_that_the_site_names_keeps_the_id_once() {
    let mut share = Indexed::by_permissions();
    let later = share.job().later();
    share.publish(&[later]);
    let _service = share.site.service();
    wait_for("it reports", || report(&share)["report"].is_number());
    let state = report(&share)["state_id"].as_str().unwrap().to_owned();
    another_reports(&share, false);
    let due = share.job().revision(2);
    name(&mut share, "0123456789abcdef0123456789abcdef");
    share.publish(std::slice::from_ref(&due));
    two_polls(&share);
    assert!(has(&share, "two-machines"));
    name(&mut share, &state);
    share.publish(std::slice::from_ref(&due));
    wait_for("it keeps its id", || !has(&share, "two-machines"));
    two_polls(&share);
    assert_eq!(share.site.ran("ran"), 0, "all that is listed counts as done: {}", share.site.log());
    let [(verb, reason)] = &decided(&share)[..] else { panic!("{}", share.site.json(&["audit"])) };
    assert!(verb == "keep-id" && reason.contains(&state), "{verb} {reason}");

    another_reports(&share, false);
    two_polls(&share);
    assert!(has(&share, "two-machines"), "once only");
    assert_eq!(decided(&share).len(), 1);

    // Nor is what stays published about a history that is lost later.
    fs::remove_file(share.site.state().join("history.db")).unwrap();
    wait_for("it is lost", || has(&share, "history-lost"));
    two_polls(&share);
    assert!(has(&share, "history-lost"), "{}", share.site.log());
    share.site.wait_log("it did so before");
}

/// Whether each of them knows of the other one; None: it does not answer.
fn stopped(share: &Indexed, double: &Double) -> [Option<bool>; 2] {
    let first = share.site.json_of(&["list"])["problems"].to_string();
    [first, double.problems("list")].map(|problems| match problems.as_str() {
        "" => None,
        problems => Some(problems.contains("\"two-machines\"")),
    })
}

#[test]
fn of_two_copies_that_the_site_names_at_once_only_the_one_whose_report_stands_goes_on() {
    let mut share = Indexed::by_permissions();
    let later = share.job().later();
    share.publish(&[later]);
    let service = share.site.service();
    wait_for("it reports", || report(&share)["report"].is_number());
    service.terminate();
    let state = report(&share)["state_id"].as_str().unwrap().to_owned();
    let double = Double::of(&share.site, true);
    let (_first, _second) = (share.site.service(), double.service());
    let minute = Duration::from_secs(60);
    wait_for_or(minute, || stopped(&share, &double) == [Some(true), Some(true)])
        .expect("both know of each other");

    name(&mut share, &state);
    let job = share.job();
    share.publish(&[job]);
    wait_for_or(minute, || stopped(&share, &double).contains(&Some(false)))
        .unwrap_or_else(|()| panic!("neither goes on: {}", share.site.log()));
    for _ in 0..3 {
        two_polls(&share);
    }
    let ends = stopped(&share, &double);
    assert!(ends == [Some(true), Some(false)] || ends == [Some(false), Some(true)], "{ends:?}");
    let audit = double.command(&["audit", "--json"]).output().unwrap();
    let others = decided_by(&serde_json::from_slice(&audit.stdout).unwrap());
    let all = [decided(&share), others].concat();
    let [(verb, reason)] = &all[..] else { panic!("{all:?}") };
    assert!(verb == "keep-id" && reason.contains(&state), "{verb} {reason}");
    assert_eq!(share.site.ran("ran"), 0, "what is listed counts as done: {}", share.site.log());
}

/// One image, copied after its history was lost: all copies have one state.
#[test]
fn of_two_copies_without_a_history_only_the_one_whose_report_stands_goes_on() {
    let mut share = Indexed::by_permissions();
    let state = ran_once(&mut share);
    fs::remove_file(share.site.state().join("history.db")).unwrap();
    let double = Double::of(&share.site, true);
    let (_first, _second) = (share.site.service(), double.service());
    let lost = |share: &Indexed| {
        let first = share.site.json_of(&["list"])["problems"].to_string();
        [first, double.problems("list")].map(|problems| match problems.as_str() {
            "" => None,
            problems => Some(problems.contains("\"history-lost\"")),
        })
    };
    let minute = Duration::from_secs(60);
    wait_for_or(minute, || lost(&share) == [Some(true), Some(true)]).expect("both have lost it");
    wait_for_or(minute, || report(&share)["state_id"] == state.as_str()).expect("one of them reports it");
    name(&mut share, &state);
    let job = share.job();
    share.publish(&[job]);
    wait_for_or(minute, || lost(&share).contains(&Some(false)))
        .unwrap_or_else(|()| panic!("neither goes on: {}", share.site.log()));
    for _ in 0..5 {
        two_polls(&share);
    }
    let ends = lost(&share);
    assert!(ends == [Some(true), Some(false)] || ends == [Some(false), Some(true)], "{ends:?}");
    assert_eq!(share.site.ran("ran"), 1, "what is listed counts as done: {}", share.site.log());
}
