//! `explain` of what has happened: why it ran when it did, why it never did, and what nobody saw.

use super::common::*;
use serde_json::Value;

fn told(doc: &Value) -> String {
    let told: Vec<&str> = doc["told"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    told.join("\n")
}

fn other_day() -> String {
    (now() + chrono::TimeDelta::days(3)).format("%a").to_string()
}

fn closed() -> String {
    format!("[windows]\nweekly = [\"{} 03:00-06:00\"]\n", other_day())
}

#[test]
fn a_missed_request_says_which_gate_blocked_from_when_to_when_and_what_would_have_helped() {
    let mut site = Site::with_config(&closed());
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", hash).set("max_run_time", "\"1m\"");
    site.publish(&[request.clone().mandatory(now() + seconds(3600))]);
    let _service = site.service();
    site.wait_blocked("BP0000Y", &["not-mandatory-yet", "window-closed"]);
    let (mandatory, expire) = (now() + seconds(4), now() + seconds(10));
    site.publish(&[request.mandatory(mandatory).set("expire_after", stamp(expire))]);
    site.wait_state("BP0000Y", "expired");
    let doc = site.json(&["explain", "BP0000Y"]);
    assert!(told(&doc).contains("without an attempt"), "{doc}");
    assert!(told(&doc).contains("had a long enough maintenance window been open"), "{doc}");
    let blocked = doc["blocked"].as_array().unwrap();
    assert_eq!(blocked[0]["codes"], serde_json::json!(["window-closed"]), "{doc}");
    let from: chrono::DateTime<chrono::Utc> = blocked[0]["from"].as_str().unwrap().parse().unwrap();
    assert!(from >= mandatory - seconds(1) && from < expire, "{doc}");
    assert_eq!(blocked.last().unwrap()["until"], stamp(expire), "until it expired");
    let text = String::from_utf8(site.pcm(&["explain", "BP0000Y"]).stdout).unwrap();
    assert!(text.contains("How it came to that:") && text.contains("window-closed"), "{text}");
    assert_eq!(site.ran("ran"), 0);
}

#[test]
fn a_run_says_who_started_it_when_and_what_opened_last() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    site.json(&["hold", "--for", "2h", "--reason", "move"]);
    site.publish(&[request("BP00001"), request("BP00002").set("mandatory_after", "")]);
    let _service = site.service();
    site.wait_state("BP00001", "waiting");
    wait_for("what is in the way is noted", || {
        let doc = site.json(&["explain", "BP00001"]);
        let last = doc["blocked"].as_array().and_then(|b| b.last().cloned()).unwrap_or_default();
        last["codes"] == serde_json::json!(["held"]) && last["until"].is_null()
    });
    site.json(&["unhold"]);
    site.wait_state("BP00001", "succeeded");
    let ran = site.json(&["explain", "BP00001"]);
    assert!(told(&ran).contains("the service started attempt 1 by itself"), "{ran}");
    assert!(told(&ran).contains("what opened last: held was over"), "{ran}");
    let run = ["run", "BP00002", "--reason", "asked for", "--wait"];
    site.json(&run);
    let by_hand = told(&site.json(&["explain", "BP00002"]));
    assert!(by_hand.contains("started attempt 1") && by_hand.ends_with(": \"asked for\""), "{by_hand}");
    assert!(!by_hand.contains("the service started"), "{by_hand}");
}

#[test]
fn what_happened_while_no_service_ran_is_said_to_be_unknown() {
    let mut site = Site::with_config(&closed());
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash).set("max_run_time", "\"1m\"")]);
    let service = site.service();
    site.wait_state("BP0000Y", "waiting");
    let noted = |doc: &Value| doc["blocked"].as_array().is_some_and(|b| !b.is_empty());
    wait_for("it is noted", || noted(&site.json(&["explain", "BP0000Y"])));
    service.kill();
    // As if the last service had ended half an hour ago.
    let db = rusqlite::Connection::open(site.state().join("history.db")).unwrap();
    let then = (now() - chrono::TimeDelta::minutes(30)).to_rfc3339();
    let sql =
        "INSERT INTO meta (key, value) VALUES ('last_time', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1";
    db.execute(sql, [then]).unwrap();
    drop(db);
    let _service = site.service();
    wait_for("the time without a service is recorded", || {
        let doc = site.json(&["explain", "BP0000Y"]);
        let blocked = doc["blocked"].as_array().unwrap();
        blocked.iter().any(|b| b["codes"].is_null())
            && blocked.last().unwrap()["codes"] == serde_json::json!(["window-closed"])
    });
    assert_eq!(site.json(&["audit", "verify"])["ok"], true, "it is part of the chain");
}
