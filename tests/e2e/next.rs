//! When a package runs next is the same in every view, and none promises a run that will not come.

use super::common::*;
use serde_json::Value;

/// What every view says of the next run of a request, at the earliest and at the latest: list, show, explain, simulate.
fn pairs(site: &Site, id: &str) -> [[Value; 2]; 4] {
    let doc = site.json(&["simulate"]);
    let simulated = doc["requests"].as_array().unwrap().iter().find(|r| r["request_id"] == id).unwrap();
    let pair = |doc: &Value, at: &str| [doc[at].clone(), doc["latest"].clone()];
    [
        pair(&site.request(id).unwrap(), "next_run"),
        pair(&site.json(&["show", id]), "next_run"),
        pair(&site.json(&["explain", id]), "next_run"),
        pair(simulated, "at"),
    ]
}

/// The earliest of them.
fn said(site: &Site, id: &str) -> [Value; 4] {
    pairs(site, id).map(|[at, _]| at)
}

#[test]
fn three_in_one_window_have_one_pair_of_times_in_every_view() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    // Published to the second.
    let later: chrono::DateTime<chrono::Utc> = stamp(now() + chrono::TimeDelta::hours(2)).parse().unwrap();
    let request = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    // What the first of them took is known then.
    let before = request("BP00001").set("max_run_time", "\"1h\"");
    site.publish(std::slice::from_ref(&before));
    let service = site.service();
    site.wait_state("BP00001", "succeeded");
    let three = ["BP00002", "BP00003", "BP00004"];
    let tonight = |id: &&str| request(id).mandatory(later).set("max_run_time", "\"1h\"");
    site.publish(&[vec![before], three.iter().map(tonight).collect()].concat());
    site.json(&["poll"]);
    wait_for("they are looked at", || site.request("BP00004").is_some());
    let attempts = site.json(&["history", "BP00001"])["attempts"][0].clone();
    let time =
        |field: &str| attempts[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let usual = time("ended_at") - time("started_at");
    for (n, id) in (0..).zip(three) {
        let [earliest, latest] = [later + usual * n, later + chrono::TimeDelta::hours(n.into())];
        for pair in pairs(&site, id) {
            let [at, until] =
                pair.map(|time| time.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap());
            assert!((at - earliest).abs() < chrono::TimeDelta::milliseconds(10), "{id}: {at}, {earliest}");
            assert_eq!(until, latest, "{id}");
        }
    }
    let status = site.json_of(&["status"]);
    assert_eq!(status["next_request"], "BP00002", "{status}");
    assert_eq!([&status["next_run"], &status["latest"]], [&Value::from(stamp(later)); 2], "{status}");
    let words = text(&site.pcm(&["explain", "BP00003"]));
    assert!(words.contains("Next run: from ") && words.contains(", at the latest "), "{words}");
    service.kill();
    for id in three {
        assert!(pairs(&site, id).iter().flatten().all(Value::is_null), "{id}");
    }
    assert!(site.json_of(&["status"])["next_run"].is_null());
}

fn codes(doc: &Value) -> Vec<&str> {
    doc["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["code"] != "warning")
        .map(|p| p["code"].as_str().unwrap())
        .collect()
}

#[test]
fn without_a_service_no_view_promises_a_run_and_each_says_how_to_start_it() {
    let mut site = Site::new();
    let later = now() + chrono::TimeDelta::hours(2);
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")).mandatory(later)]);
    let service = site.service();
    wait_for("it is known when it runs", || {
        site.request("BP0000Y").is_some_and(|r| r["next_run"].is_string())
    });
    let promised = said(&site, "BP0000Y");
    assert!(promised.iter().all(|at| *at == stamp(later)), "{promised:?}");
    assert!(codes(&site.json_of(&["status"])).is_empty());
    service.kill();
    let promised = said(&site, "BP0000Y");
    assert!(promised.iter().all(Value::is_null), "{promised:?}");
    let request = site.request("BP0000Y").unwrap();
    assert!(request["why"].as_str().unwrap().contains("no service runs"), "{request}");
    let explain = site.json(&["explain", "BP0000Y"]);
    let gate = explain["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "executor").unwrap().clone();
    assert_eq!((&gate["code"], &gate["changes_on"]), (&"no-service".into(), &"event".into()), "{gate}");
    // The command is that of this very installation.
    let starts = format!("pcm --config {}", site.config().display());
    let evidence = gate["evidence"].as_str().unwrap();
    assert!(evidence.contains(&starts) && evidence.contains("service run"), "{gate}");
    for view in ["list", "status"] {
        let doc = site.json_of(&[view]);
        let codes = codes(&doc);
        assert_eq!(codes, ["no-service"], "{view}");
        let message = doc["problems"][0]["message"].as_str().unwrap();
        assert!(message.contains(&starts) && message.contains("service run"), "{message}");
    }
    let status = site.json_of(&["status"]);
    assert_eq!(status["standstill"][0]["code"], "no-service", "{status}");
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10));
    assert!(!text(&status).contains("All is well"), "{}", text(&status));
    let simulated = text(&site.pcm(&["simulate"]));
    assert!(
        simulated.contains("Nothing runs by itself") && simulated.contains("no service runs"),
        "{simulated}"
    );
    let assumed = text(&site.pcm(&["simulate", "--assume", "service=running"]));
    assert!(assumed.contains("1 request will run"), "{assumed}");
}

#[test]
fn an_operator_needs_no_service_for_a_run_of_their_own() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let run = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(run["state"], "succeeded", "{run}");
}

#[test]
fn a_mandatory_request_that_no_window_fits_is_a_problem_of_the_machine() {
    let mut site = Site::with_config("[windows]\nweekly = [\"Sun 03:00-03:30\"]\n");
    site.publish(&[Request::due("BP0000Y").set("max_run_time", "\"2h\"")]);
    let _service = site.service();
    wait_for("it is looked at", || site.request("BP0000Y").is_some());
    let status = site.pcm(&["status"]);
    let said = text(&status);
    assert_eq!(status.status.code(), Some(10), "{said}");
    assert!(!said.contains("All is well") && said.contains("BP0000Y is mandatory and never runs"), "{said}");
    let doc = site.json_of(&["status"]);
    assert_eq!(codes(&doc), ["window-never-fits"], "{doc}");
    assert_eq!(doc["problems"][0]["field"], "windows.weekly", "{doc}");
}

#[test]
fn what_closes_everything_for_more_than_a_month_is_a_problem_of_the_machine() {
    for (days, long) in [(29, false), (40, true)] {
        let until = stamp(now() + chrono::TimeDelta::days(days));
        let freeze = format!("[[freeze]]\nfrom = 2026-11-01T00:00:00Z\nuntil = {until}\n");
        let mut site = Site::with_config(&freeze);
        site.publish(&[Request::due("BP0000Y")]);
        let _service = site.service();
        wait_for("it is looked at", || site.request("BP0000Y").is_some());
        for view in ["list", "status"] {
            let doc = site.json_of(&[view]);
            assert_eq!(codes(&doc).contains(&"closed-for-long"), long, "{view}: {doc}");
            let told = doc["problems"].to_string();
            assert_eq!(told.contains("(this machine) let nothing start by itself before"), long, "{told}");
        }
        let status = site.pcm(&["status"]);
        assert!(!long || status.status.code() == Some(10), "{}", text(&status));
    }
}

#[test]
fn a_hold_and_an_unreadable_configuration_stand_in_every_view_of_the_machine() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y").mandatory(now() + chrono::TimeDelta::hours(2))]);
    let _service = site.service();
    wait_for("it is looked at", || site.request("BP0000Y").is_some());
    site.json(&["hold", "--for", "1h", "--reason", "audit"]);
    let doc = site.json_of(&["status"]);
    assert_eq!(doc["standstill"][0]["code"], "held", "{doc}");
    assert_eq!(doc["standstill"][0]["until"], doc["held_until"], "{doc}");
    assert_eq!(codes(&doc), ["held"], "{doc}");
    assert!(doc["problems"][0]["message"].as_str().unwrap().contains("pcm unhold"), "{doc}");
    site.json(&["unhold"]);
    assert!(codes(&site.json_of(&["status"])).is_empty());
    let good = std::fs::read(site.config()).unwrap();
    write(&site.config(), &[good.as_slice(), b"[windows]\nnonsense = 1\n"].concat());
    site.wait_log("The configuration cannot be read");
    wait_for("the gate is closed", || codes(&site.json_of(&["status"])).contains(&"policy-unreadable"));
    let doc = site.json_of(&["status"]);
    assert_eq!(doc["standstill"][0]["code"], "policy-unreadable", "{doc}");
    let place = &doc["problems"][0];
    assert_eq!(
        (&place["code"], &place["field"]),
        (&"policy-unreadable".into(), &"windows.nonsense".into()),
        "{doc}"
    );
    assert!(place["line"].is_number() && place["file"].as_str().unwrap().ends_with("pcm.toml"), "{doc}");
    let said = text(&site.pcm(&["status"]));
    assert!(said.contains("OFF: configuration unreadable"), "{said}");
    assert!(site.request("BP0000Y").unwrap()["next_run"].is_null());
}
