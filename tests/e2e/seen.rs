//! `pcm seen`: what expired or failed is a finding until an operator has seen it, for everybody and with a name.

use super::common::*;

/// BP0000F and BP0000G have failed; BP0000Y waits.
fn two_failed() -> Site {
    let mut site = Site::with_config("[run]\ncountdown = \"0s\"\n");
    let hash = site.package("BP00000A", "exit 17");
    let due = |id: &str| Request::due(id).set("content_sha256", format!("\"{hash}\""));
    site.publish(&[due("BP0000F"), due("BP0000G"), due("BP0000Y").mandatory(now() + seconds(86_400))]);
    site
}

fn listed(site: &Site, args: &[&str]) -> Vec<String> {
    let list = site.json(&[&["list"], args].concat());
    let ids =
        list["requests"].as_array().unwrap().iter().map(|r| r["request_id"].as_str().unwrap().to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

#[test]
fn a_failure_is_a_finding_and_listed_until_an_operator_has_seen_it() {
    let site = two_failed();
    let service = site.service();
    for id in ["BP0000F", "BP0000G"] {
        site.wait_state(id, "failed");
    }
    assert_eq!(listed(&site, &[]), ["BP0000F", "BP0000G", "BP0000Y"]);
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));

    let would = site.json(&["seen", "--all", "--dry-run"]);
    assert!(would["would"].as_str().unwrap().contains("BP0000F, BP0000G"), "{would}");
    let seen = site.json(&["seen", "BP0000F"]);
    assert_eq!(seen["request_ids"], serde_json::json!(["BP0000F"]));
    assert_eq!(listed(&site, &[]), ["BP0000G", "BP0000Y"]);
    assert_eq!(listed(&site, &["--failed"]), ["BP0000F", "BP0000G"], "seen or not");
    let status = site.json_of(&["status"]);
    assert_eq!((&status["seen"], &status["counts"]["failed"]), (&1.into(), &2.into()), "{status}");
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10), "one is left");

    assert_eq!(
        site.json(&["seen", "--all"])["request_ids"],
        serde_json::json!(["BP0000G"]),
        "what nobody had seen"
    );
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status));
    let said = text(&status);
    assert!(said.contains("2 failed (2 seen)") && said.contains("All is well"), "{said}");
    assert!(text(&site.pcm(&["list", "--failed"])).contains("; seen by "));

    // Again it changes nothing: who saw it first stays who saw it.
    let again = site.json(&["seen", "BP0000F"]);
    assert_eq!((&again["by"], &again["at"]), (&seen["by"], &seen["at"]));
    let audit = site.json(&["audit"])["entries"].take();
    let done = audit.as_array().unwrap().iter().filter(|e| e["verb"] == "seen" && e["result"] == "done");
    assert_eq!(done.count(), 3, "{audit}");

    // It outlives the service, and holds without one.
    service.terminate();
    assert_eq!(site.json_of(&["status"])["seen"], 2);
    let _service = site.service();
    assert_eq!(site.json_of(&["status"])["seen"], 2);
    assert!(site.pcm(&["audit", "verify"]).status.success());

    // A further failure is another one.
    assert_eq!(site.pcm(&["rerun", "BP0000F", "--reason", "again", "--wait"]).status.code(), Some(7));
    assert_eq!(listed(&site, &[]), ["BP0000F", "BP0000Y"]);
    assert_eq!(site.json_of(&["status"])["seen"], 1);
}

#[test]
fn what_expired_unseen_is_a_finding_of_status_as_the_console_lists_it_and_seen_ends_it() {
    let mut site = Site::new();
    let expires = Request::due("BP0000X").set("expire_after", stamp(now() - seconds(60)));
    site.publish(&[expires]);
    let _service = site.service();
    site.wait_state("BP0000X", "expired");
    let status = site.pcm(&["status"]);
    let said = text(&status);
    assert_eq!(status.status.code(), Some(10), "{said}");
    assert!(said.contains("1 request expired without having run") && !said.contains("All is well"), "{said}");
    assert_eq!(site.json(&["seen", "BP0000X"])["request_ids"], serde_json::json!(["BP0000X"]));
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status));
    assert!(text(&status).contains("Nothing is wrong; 1 thing to know of below"), "{}", text(&status));
    assert_eq!(site.json_of(&["status"])["seen"], 1);
}

#[test]
fn what_neither_failed_nor_is_there_is_refused_and_so_is_a_call_without_either() {
    let site = two_failed();
    assert_eq!(site.refused(&["seen", "BP0000Y"], 3)["code"], "not-failed");
    assert_eq!(site.refused(&["seen", "BP0ZZZZ"], 4)["code"], "no-such-request");
    assert_eq!(site.refused(&["seen"], 2)["code"], "usage");
    assert_eq!(site.refused(&["seen", "BP0000F", "--all"], 2)["code"], "usage");
    assert_eq!(site.json(&["seen", "--all"])["request_ids"], serde_json::json!([]));
}
