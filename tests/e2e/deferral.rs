//! Deferrals within policy, and the ledger of them.

use super::common::*;

/// Mandatory long ago, in a machine that lets nothing start before it has been up for years.
fn waiting(policy: &str, change: impl FnOnce(Request) -> Request) -> Site {
    let mut site = Site::with_config(&format!("[run]\nafter_boot = \"3000d\"\n\n[deferral]\n{policy}\n"));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[change(Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")))]);
    site
}

#[test]
fn deferrals_are_limited_by_count_and_each_is_in_the_ledger_with_its_next_decision() {
    let site = waiting("max_count = 2", |r| r);
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    let first = site.json(&["defer", "BP0000Y", "--for", "1h", "--reason", "a release"]);
    let second = site.json(&["defer", "BP0000Y", "--for", "2h", "--reason", "a longer release"]);
    assert!(second["deferred_until"].as_str() > first["deferred_until"].as_str(), "{first} {second}");
    let limit = site.refused(&["defer", "BP0000Y", "--for", "3h", "--reason", "once more"], 3);
    assert_eq!(limit["code"], "deferral-limit", "{limit}");
    let show = site.json(&["show", "BP0000Y"]);
    let ledger = show["deferrals"].as_array().unwrap();
    let reasons: Vec<_> = ledger.iter().map(|d| d["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["a release", "a longer release"]);
    for entry in ledger {
        assert!(!entry["who"].as_str().unwrap().is_empty() && entry["at"].is_string(), "{entry}");
    }
    assert!(ledger[0]["ended_at"].is_string() && ledger[1]["ended_at"].is_null(), "one is in force: {show}");
    assert_eq!(show["deferred_until"], ledger[1]["until"]);
    let gate = show["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "deferral").unwrap().clone();
    assert_eq!((&gate["code"], &gate["next_change"]), (&"deferred".into(), &ledger[1]["until"]), "{gate}");
}

#[test]
fn a_deferral_that_was_undone_does_not_use_up_the_limit() {
    let site = waiting("max_count = 1", |r| r);
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    for _ in 0..3 {
        site.json(&["defer", "BP0000Y", "--for", "1h", "--reason", "a release"]);
        site.json(&["undefer", "BP0000Y"]);
    }
    assert_eq!(site.json(&["show", "BP0000Y"])["deferrals_used"], 0);
    site.json(&["defer", "BP0000Y", "--for", "1h", "--reason", "a release"]);
    let show = site.json(&["show", "BP0000Y"]);
    assert_eq!((&show["deferrals_used"], &show["deferrals_limit"]), (&1.into(), &1.into()));
    let limit = site.refused(&["defer", "BP0000Y", "--for", "2h", "--reason", "once more"], 3);
    assert_eq!(limit["code"], "deferral-limit", "{limit}");
}

#[test]
fn deferrals_are_limited_in_all_and_never_come_close_to_expiry() {
    let expires = now() + seconds(4 * 3600);
    let site =
        waiting("max_total = \"2h\"\nnever_within = \"3h\"", |r| r.set("expire_after", stamp(expires)));
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    let defer = |how: &str| site.refused(&["defer", "BP0000Y", "--for", how, "--reason", "a release"], 3);
    assert_eq!(defer("150m")["code"], "deferral-limit");
    let late = defer("90m");
    assert_eq!(late["code"], "deferral-too-late", "{late}");
    assert!(late["remedy"].as_str().unwrap().contains("at the latest"), "{late}");
    site.json(&["defer", "BP0000Y", "--for", "30m", "--reason", "a release"]);
    assert_eq!(site.state_of("BP0000Y"), "deferred");
}

#[test]
fn nothing_runs_by_itself_right_after_the_start_and_an_operator_may_override_that() {
    let site = waiting("", |r| r);
    let _service = site.service();
    site.wait_blocked("BP0000Y", &["booting"]);
    let explain = site.json(&["explain", "BP0000Y"]);
    let gate = explain["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "host").unwrap();
    assert_eq!((&gate["code"], &gate["changes_on"]), (&"booting".into(), &"time".into()), "{gate}");
    assert!(gate["evidence"].as_str().unwrap().contains("the machine started"), "{gate}");
    assert_eq!(explain["next_run"], gate["next_change"], "{explain}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "booting");
    let run = site.json(&["run", "BP0000Y", "--override", "host", "--reason", "urgent", "--wait"]);
    assert_eq!(run["state"], "succeeded");
}
