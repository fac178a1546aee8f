//! What an operator does, through the service and without one.

use super::common::*;

/// One request that is due, with this script; `%ran%` in it says so to the witness.
fn one_due(site: &mut Site, script: &str) {
    let hash = site.package("BP00000A", &script.replace("%ran%", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
}

/// When its only attempt was claimed.
fn claimed(site: &Site) -> chrono::DateTime<chrono::Utc> {
    site.json(&["history"])["attempts"][0]["claimed_at"].as_str().unwrap().parse().unwrap()
}

/// Mandatory in `n` seconds.
fn one_soon(site: &mut Site, n: i64) {
    let hash = site.package("BP00000A", &site.say("ran"));
    let request =
        Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")).mandatory(now() + seconds(n));
    site.publish(&[request]);
}

#[test]
fn a_deferred_request_does_not_start_until_its_time_and_then_starts() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%");
    // Before there is a service, which would start it.
    let until = now() + seconds(6);
    let done = site.json(&["defer", "BP0000Y", "--until", &stamp(until), "--reason", "a release"]);
    assert_eq!(done["state"], "deferred", "{done}");
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert!(claimed(&site) >= until - seconds(1), "{} before {until}", claimed(&site));
}

#[test]
fn an_action_right_after_the_start_waits_for_the_first_look() {
    let mut site = Site::new();
    one_soon(&mut site, 600);
    for _ in 0..3 {
        let service = site.service();
        // Whether or not the first look has ended: what is published is known.
        site.json(&["defer", "BP0000Y", "--for", "2h", "--reason", "a release"]);
        site.refused(&["explain", "BP0NONE"], 4);
        service.kill();
        std::fs::remove_file(site.state().join("held.INS")).unwrap();
    }
}

#[test]
fn undefer_starts_a_deferred_request_at_once() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%");
    site.json(&["defer", "BP0000Y", "--for", "2h", "--reason", "a release"]);
    let _service = site.service();
    site.wait_state("BP0000Y", "deferred");
    let show = site.json(&["show", "BP0000Y"]);
    assert_eq!(show["deferrals"][0]["reason"], "a release");
    assert!(show["blocked_by"].as_array().unwrap().iter().any(|code| code == "deferred"), "{show}");
    site.json(&["undefer", "BP0000Y"]);
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.refused(&["undefer", "BP0000Y"], 3)["code"], "not-deferred");
}

#[test]
fn a_hold_keeps_everything_from_starting_and_unhold_lets_it_start() {
    let mut site = Site::new();
    let held = site.json(&["hold", "--for", "1h", "--reason", "looking into something"]);
    assert!(held["held_until"].is_string());
    one_due(&mut site, "%ran%");
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    assert_eq!(site.request("BP0000Y").unwrap()["blocked_by"][0], "held");
    assert!(site.json(&["list"])["held_until"].is_string());
    assert_eq!(site.ran("ran"), 0);
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "held");
    site.json(&["unhold"]);
    site.wait_state("BP0000Y", "succeeded");
}

#[test]
fn a_hold_takes_the_place_of_another_only_by_name_and_status_says_whose_it_is() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%");
    let first = site.json(&["hold", "--for", "5h", "--reason", "waits for the auditors"]);
    let mut service = None;
    for _ in 0..2 {
        let refused = site.refused(&["hold", "--for", "1m", "--reason", "mine"], 3);
        assert_eq!(refused["code"], "hold-in-force");
        assert!(refused["message"].as_str().unwrap().contains("waits for the auditors"), "{refused}");
        assert!(refused["remedy"].as_str().unwrap().contains("--replace"), "{refused}");
        let status = site.json_of(&["status"]);
        assert_eq!(status["hold"]["held_until"], first["held_until"]);
        assert_eq!(status["hold"]["reason"], "waits for the auditors");
        assert_eq!(status["hold"]["by"], first["by"]);
        service.get_or_insert_with(|| site.service());
    }
    let would = site.json(&["hold", "--for", "3h", "--reason", "mine", "--replace", "--dry-run"]);
    assert!(would["would"].as_str().unwrap().contains("in the place of the hold that"), "{would}");
    let mine = site.json(&["hold", "--for", "3h", "--reason", "mine", "--replace"]);
    assert_eq!(site.json_of(&["status"])["held_until"], mine["held_until"]);
    let text = text(&site.pcm(&["status"]));
    assert!(text.contains(" by ") && text.contains("\"mine\""), "{text}");
    // The one that was shown, and no other one that came since.
    let shown = format!("--replace={}", first["id"].as_str().unwrap());
    let refused = site.refused(&["hold", "--for", "2h", "--reason", "later", &shown], 3);
    assert_eq!(refused["code"], "hold-in-force");
    assert!(refused["message"].as_str().unwrap().contains("meanwhile "), "{refused}");
    let named = format!("--replace={}", mine["id"].as_str().unwrap());
    assert!(refused["remedy"].as_str().unwrap().contains(&named), "{refused}");
    site.json(&["hold", "--for", "2h", "--reason", "later", &named]);
}

#[test]
fn a_hold_ends_by_itself_at_its_time() {
    let mut site = Site::new();
    let held = site.json(&["hold", "--for", "4s", "--reason", "a moment"]);
    let until: chrono::DateTime<chrono::Utc> = held["held_until"].as_str().unwrap().parse().unwrap();
    one_due(&mut site, "%ran%");
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert!(claimed(&site) >= until - seconds(1), "{} before {until}", claimed(&site));
}

#[test]
fn a_freeze_of_the_machine_keeps_everything_from_starting_until_its_end() {
    let far = stamp(now() + seconds(3600));
    let mut site = Site::with_config(&format!(
        "[[freeze]]\nfrom = 2026-11-01T00:00:00Z\nuntil = {far}\nreason = \"end of year\"\n"
    ));
    one_due(&mut site, "%ran%");
    let _service = site.service();
    // While its content is copied nobody can say when it runs.
    site.wait_blocked("BP0000Y", &["frozen"]);
    assert_eq!(site.request("BP0000Y").unwrap()["next_run"], far);
    let end = now() + seconds(4);
    let config = std::fs::read_to_string(site.config()).unwrap();
    write(&site.config(), config.replace(&far, &stamp(end)).as_bytes());
    site.wait_state("BP0000Y", "succeeded");
    assert!(claimed(&site) >= end - seconds(1), "{} before {end}", claimed(&site));
}

#[test]
fn an_override_needs_its_name_and_a_reason() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%");
    site.json(&["hold", "--for", "1h", "--reason", "looking"]);
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "held");
    assert_eq!(site.refused(&["run", "BP0000Y", "--override", "hold"], 3)["code"], "reason-required");
    let run =
        site.json(&["run", "BP0000Y", "--override", "hold", "--reason", "asked for by the owner", "--wait"]);
    assert_eq!(run["state"], "succeeded");
}

#[test]
fn stop_ends_the_whole_tree_and_says_who_did_it() {
    let mut site = Site::new();
    one_due(&mut site, "(trap '' HUP; sleep 300) & %ran%; sleep 300");
    let _service = site.service();
    site.wait_state("BP0000Y", "running");
    wait_for("the package is under way", || site.ran("ran") == 1);
    let stopped = site.json(&["stop", "BP0000Y", "--reason", "wrong day"]);
    assert_eq!(stopped["state"], "stopping");
    site.wait_state("BP0000Y", "stopped");
    let audit = site.json(&["audit"]);
    let stops: Vec<_> =
        audit["entries"].as_array().unwrap().iter().filter(|e| e["verb"] == "stop").cloned().collect();
    assert_eq!(stops.len(), 2, "asked and done: {audit}");
    assert_eq!(
        (stops[0]["reason"].as_str(), stops[0]["result"].as_str()),
        (Some("wrong day"), Some("asked"))
    );
    assert_eq!(stops[1]["result"], "done");
    assert_eq!(site.refused(&["stop", "BP0000Y", "--reason", "again"], 3)["code"], "not-running");
}

#[test]
fn rerun_is_a_new_attempt_with_a_reason_and_run_is_not() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%; exit 17");
    let run = site.pcm(&["run", "BP0000Y", "--wait"]);
    assert_eq!(run.status.code(), Some(7), "{}", text(&run));
    assert_eq!(site.state_of("BP0000Y"), "failed");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "done");
    let again = site.pcm(&["rerun", "BP0000Y", "--reason", "mended", "--wait"]);
    assert_eq!(again.status.code(), Some(7), "{}", text(&again));
    assert_eq!(site.ran("ran"), 2);
    let attempts = site.json(&["history", "BP0000Y"])["attempts"].take();
    assert_eq!((attempts[0]["attempt"].as_i64(), attempts[0]["reason"].as_str()), (Some(2), Some("mended")));
    assert_eq!(attempts[1]["exit_code"], 17);
}

#[test]
fn without_wait_a_run_without_a_service_goes_on_and_is_recorded_later() {
    let mut site = Site::new();
    // A process of Unix returns 8 bits: a restart is told by the publisher's table there.
    let script = format!("{}; {}; exit 94", site.waits_for_go(), site.say("ran"));
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("exit_codes", "{ \"94\" = \"restart\" }")]);
    let run = site.json(&["run", "BP0000Y"]);
    assert_eq!((run["state"].as_str(), run["attempt"].as_i64()), (Some("running"), Some(1)));
    assert_eq!(site.state_of("BP0000Y"), "running");
    site.go();
    site.wait_state("BP0000Y", "succeeded-restart");
    assert_eq!(site.json(&["list"])["service"], "stopped");
    assert_eq!(site.ran("ran"), 1);
}

#[test]
fn dry_run_says_what_it_would_do_and_changes_nothing() {
    let mut site = Site::new();
    one_due(&mut site, "%ran%");
    site.json(&["poll"]);
    let events = site.json(&["audit"])["entries"].as_array().unwrap().len();
    for args in [
        &["run", "BP0000Y", "--dry-run"][..],
        &["defer", "BP0000Y", "--for", "1h", "--reason", "x", "--dry-run"],
        &["hold", "--for", "1h", "--reason", "x", "--dry-run"],
        &["poll", "--dry-run"],
    ] {
        let doc = site.json(args);
        assert_eq!(doc["dry_run"], true, "{doc}");
        assert!(!doc["would"].as_str().unwrap().is_empty());
    }
    assert_eq!(site.json(&["audit"])["entries"].as_array().unwrap().len(), events);
    assert_eq!((site.ran("ran"), site.json(&["list"])["held_until"].is_null()), (0, true));
}

#[test]
fn what_does_not_exist_is_exit_4_with_its_code() {
    let mut site = Site::new();
    one_due(&mut site, "true");
    for args in
        [&["show", "BP0000X"][..], &["explain", "BP0000X"], &["run", "BP0000X"], &["history", "BP0000X"]]
    {
        assert_eq!(site.refused(args, 4)["code"], "no-such-request");
    }
    assert_eq!(site.pcm(&["show", "../../etc"]).status.code(), Some(2));
}

#[test]
fn the_audit_holds_every_action_and_its_chain_verifies() {
    let mut site = Site::new();
    one_due(&mut site, "true");
    site.json(&["hold", "--for", "1h", "--reason", "first"]);
    site.json(&["unhold"]);
    site.json(&["run", "BP0000Y", "--wait"]);
    let entries = site.json(&["audit"])["entries"].take();
    let verbs: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("{} {}", e["verb"].as_str().unwrap(), e["result"].as_str().unwrap()))
        .collect();
    assert_eq!(verbs, ["hold asked", "hold done", "unhold asked", "unhold done", "run asked", "run done"]);
    let verified = site.json(&["audit", "verify"]);
    assert_eq!((verified["ok"].as_bool(), verified["first_bad"].is_null()), (Some(true), true), "{verified}");
}
