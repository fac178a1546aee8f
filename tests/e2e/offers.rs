//! Self-service: what whoever is logged on may have installed without a right, and nothing else.

use super::common::*;
use super::indexed::{ID, Indexed, Job, OTHER_ID};
use super::logind::Logind;
use super::rights::as_nobody;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

const ABSENT: &str = "BP0000Q";

/// A machine of which other accounts may start pcm, with a logind of its own.
fn machine() -> Option<(Indexed, Logind)> {
    let mut indexed = Indexed::by_permissions();
    mode(&indexed.site.path(""), 0o755);
    let logind = Logind::start(&indexed.site.path("."))?;
    indexed.site.bus = Some(logind.address.clone());
    Some((indexed, logind))
}

/// Never by itself, and for whoever is logged on.
fn offered(job: Job) -> Job {
    job.set("mandatory_after", "").set("offer_to", "\"users\"")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)))
}

fn error(output: &Output) -> Value {
    let mut doc: Value =
        serde_json::from_slice(&output.stderr).unwrap_or_else(|e| panic!("{e}: {}", text(output)));
    doc["error"].take()
}

/// The entries of the audit about installations.
fn installs(site: &Site) -> Vec<Value> {
    let audit = site.json(&["audit"])["entries"].take();
    let entries = audit.as_array().unwrap().iter();
    entries.filter(|entry| entry["verb"] == "install").cloned().collect()
}

#[test]
fn whoever_is_logged_on_installs_what_is_offered_and_can_do_nothing_else() {
    let Some((mut indexed, logind)) = machine() else { return };
    let jobs = [offered(indexed.job()), indexed.other().set("mandatory_after", "")];
    indexed.publish(&jobs);
    let site = &indexed.site;
    let _service = site.service();
    site.json(&["poll"]);
    site.wait_blocked(ID, &["optional"]);
    let Some(refused) = as_nobody(site, &["offers", "--json"]) else { return };
    assert_eq!((refused.status.code(), &error(&refused)["code"]), (Some(3), &"not-logged-on".into()));
    let refused = as_nobody(site, &["install", ID, "--json"]).unwrap();
    assert_eq!((refused.status.code(), &error(&refused)["code"]), (Some(3), &"not-logged-on".into()));

    logind.log_on("c1", "nobody", "tty99");
    wait_for("it is seen who has logged on", || {
        as_nobody(site, &["offers"]).is_some_and(|output| output.status.success())
    });
    let offers = json(&as_nobody(site, &["offers", "--json"]).unwrap());
    let all = offers["offers"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{offers}");
    let told = [&all[0]["request_id"], &all[0]["offer"], &all[0]["why"], &all[0]["can_install"]];
    let wanted: [Value; 4] = [ID.into(), "available".into(), "it can be installed now".into(), true.into()];
    assert_eq!(told, wanted.each_ref(), "{offers}");
    assert_eq!(site.json(&["show", ID])["offer_to"], "users");
    let shown = text(&as_nobody(site, &["offers"]).unwrap());
    assert!(shown.contains("Acme Workstation 4.0") && shown.contains(&format!("install {ID}")), "{shown}");

    // What is not offered is not told from what is not there.
    let not_there = |id: &str| {
        let refused = as_nobody(site, &["install", id, "--json"]).unwrap();
        assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
        error(&refused).to_string().replace(id, "ID")
    };
    assert_eq!(not_there(OTHER_ID), not_there(ABSENT));
    for args in [
        &["run", ID][..],
        &["rerun", ID, "--reason", "x"],
        &["stop", ID, "--reason", "x"],
        &["defer", ID, "--for", "1h", "--reason", "x"],
        &["hold", "--for", "1h", "--reason", "x"],
        &["notice", "x"],
        &["poll"],
    ] {
        let refused = as_nobody(site, args).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{args:?}: {}", text(&refused));
        assert!(text(&refused).contains("not-permitted"), "{}", text(&refused));
    }

    // An operator's hold holds for users, who are told nothing of whose it is and why.
    site.json(&["hold", "--for", "1h", "--reason", "zebra crossing"]);
    let refused = as_nobody(site, &["install", ID, "--json"]).unwrap();
    assert_eq!((refused.status.code(), &error(&refused)["code"]), (Some(3), &"held".into()));
    assert!(!error(&refused).to_string().contains("root"), "{}", text(&refused));
    let waiting = as_nobody(site, &["offers"]).unwrap();
    for said in [text(&refused), text(&waiting)] {
        assert!(said.contains("as soon as the hold ends"), "{said}");
        assert!(!said.contains("zebra"), "{said}");
    }
    site.json(&["unhold"]);
    assert_eq!(site.ran("ran"), 0);

    let would = json(&as_nobody(site, &["install", ID, "--dry-run", "--json"]).unwrap());
    assert_eq!((&would["dry_run"], site.ran("ran")), (&true.into(), 0));
    let done = as_nobody(site, &["install", ID, "--wait", "--json"]).unwrap();
    assert!(done.status.success(), "{}", text(&done));
    assert_eq!((&json(&done)["state"], site.ran("ran")), (&"succeeded".into(), 1));
    let installed = json(&as_nobody(site, &["offers", "--json"]).unwrap());
    assert_eq!(installed["offers"][0]["offer"], "installed", "{installed}");
    let again = as_nobody(site, &["install", ID, "--json"]).unwrap();
    assert_eq!((again.status.code(), site.ran("ran")), (Some(3), 1));
    assert!(text(&again).contains("it is installed already"), "{}", text(&again));
    assert_eq!(site.json(&["history", ID])["attempts"][0]["by"], "nobody");
    let entries = installs(site);
    let carried_out: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["request_id"] == ID)
        .filter(|entry| ["asked", "done"].map(Value::from).contains(&entry["result"]))
        .collect();
    assert_eq!(carried_out.len(), 2, "{entries:?}");
    for entry in &entries {
        assert_eq!((&entry["who"], &entry["uid"]), (&"nobody".into(), &65_534.into()), "{entry}");
    }
    let refusals: Vec<&str> = entries.iter().filter_map(|entry| entry["result"].as_str()).collect();
    // Those that followed are counted and written together, as all that is refused.
    for result in ["not-logged-on", "no-such-request", "done"] {
        assert!(refusals.contains(&result), "{result}: {refusals:?}");
    }

    // Who operates needs no log-on, and gets no more by it than what is offered.
    assert_eq!(site.json(&["offers"])["offers"].as_array().unwrap().len(), 1);
    assert_eq!(site.refused(&["install", OTHER_ID], 4)["code"], "no-such-request");
    logind.log_off("c1");
    wait_for("it is seen who has logged off", || {
        as_nobody(site, &["offers"]).is_some_and(|output| output.status.code() == Some(3))
    });
}

#[test]
fn the_audit_says_done_of_what_was_installed_only() {
    let Some((mut indexed, logind)) = machine() else { return };
    let job = offered(indexed.job());
    indexed.publish(&[job]);
    let site = &indexed.site;
    let _service = site.service();
    site.json(&["poll"]);
    site.wait_blocked(ID, &["optional"]);
    logind.log_on("c1", "nobody", "tty99");
    let Some(_) = as_nobody(site, &["offers"]) else { return };
    wait_for("it is seen who has logged on", || {
        as_nobody(site, &["offers"]).is_some_and(|output| output.status.success())
    });
    let done = as_nobody(site, &["install", ID, "--wait"]).unwrap();
    assert!(done.status.success(), "{}", text(&done));
    let again = as_nobody(site, &["install", ID]).unwrap();
    assert_eq!(again.status.code(), Some(3), "{}", text(&again));
    let results: Vec<Value> = installs(site).iter().map(|entry| entry["result"].clone()).collect();
    assert_eq!(results, ["asked", "done", "already-attempted"]);
}

#[test]
fn what_users_ask_for_while_a_package_runs_waits_leaves_room_and_goes_with_its_offer() {
    let Some((mut indexed, logind)) = machine() else { return };
    indexed.does = indexed.site.waits_for_go();
    let first = offered(indexed.job());
    let numbered = |n: u32| {
        let job = offered(indexed.job());
        let id = format!("BP0000B{n}");
        let job = job.set("job_id", format!("\"{id}\"")).set("request_id", format!("\"BP0000{n}\""));
        Job { id, ..job }
    };
    let mut jobs: Vec<Job> = (1..=6).map(numbered).collect();
    jobs.push(first);
    indexed.publish(&jobs);
    let service = indexed.site.service();
    indexed.site.json(&["poll"]);
    indexed.site.wait_blocked(ID, &["optional"]);
    logind.log_on("c1", "nobody", "tty99");
    indexed.site.json(&["run", ID]);
    indexed.site.wait_state(ID, "running");
    let install = |n: u32| as_nobody(&indexed.site, &["install", &format!("BP0000{n}"), "--json"]);
    if install(1).is_none() {
        return;
    }
    wait_for("the first one waits", || install(1).is_some_and(|output| output.status.success()));
    for n in 1..=5 {
        let queued = install(n).unwrap();
        assert!(queued.status.success(), "{}", text(&queued));
        assert_eq!(json(&queued)["state"], "queued", "{n}");
    }
    let refused = install(6).unwrap();
    assert_eq!((refused.status.code(), &error(&refused)["code"]), (Some(3), &"queue-full".into()));
    assert_eq!(indexed.site.json(&["status"])["queue"].as_array().unwrap().len(), 5);

    // An operator wants the last of them, which keeps its place.
    indexed.site.json(&["run", "BP00005"]);
    let queue = indexed.site.json(&["status"])["queue"].take();
    assert_eq!((&queue[4], queue.as_array().unwrap().len()), (&"BP00005".into(), 5), "{queue}");
    let by = |id: &str| indexed.site.json(&["show", id])["queued"]["by"].take();
    assert_eq!(by("BP00004"), "nobody");
    assert_ne!(by("BP00005"), "nobody");
    assert!(install(5).unwrap().status.success(), "that does for the user");
    assert_ne!(by("BP00005"), "nobody");

    // The publisher takes two back: what an operator wants stays.
    for n in [0, 4] {
        jobs[n] = jobs[n].clone().revision(2).set("offer_to", "");
    }
    indexed.publish(&jobs);
    let site = &indexed.site;
    site.json(&["poll"]);
    site.wait_state("BP00001", "offered");
    site.go();
    for id in [ID, "BP00002", "BP00003", "BP00004", "BP00005"] {
        site.wait_state(id, "succeeded");
    }
    assert_eq!((site.ran("ran"), site.state_of("BP00001").as_str()), (5, "offered"));
    service.terminate();
}

/// What a process of another account sends by itself: each call as it is, and what is answered, one a line.
const RAW: &str = concat!(
    include_str!("../common/letters.py"),
    r#"
for line in sys.stdin:
    s = connect(sys.argv[1], 60)
    try:
        s.sendall(letter(json.loads(line)))
        told = answer(s)
    except OSError: told = b""
    print(told.decode() or "nothing", flush=True)
    s.close()
"#
);

/// The answers to these calls; None where that cannot be tried.
fn raw(site: &Site, calls: &[Value]) -> Option<Vec<String>> {
    let said: String = calls.iter().map(|call| format!("{call}\n")).collect();
    let file = site.path("calls");
    write(&file, said.as_bytes());
    let mut command = Command::new("python3");
    command.args(["-c", RAW]).arg(site.state().join("pcm.sock")).uid(65_534).gid(65_534);
    let output = command.stdin(std::fs::File::open(&file).unwrap()).stderr(Stdio::inherit()).output();
    let Ok(output) = output else {
        skipped("needs root and python3");
        return None;
    };
    let answers: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), calls.len(), "{answers:?}");
    Some(answers)
}

fn change(what: Value) -> Value {
    serde_json::json!({"change": {"what": what, "reason": "x", "dry_run": false}})
}

fn install(id: &str) -> Value {
    serde_json::json!({"change": {"what": {"install": id}, "reason": null, "dry_run": false}})
}

#[test]
fn whatever_a_user_sends_to_the_socket_by_hand_only_an_installation_is_carried_out() {
    let Some((mut indexed, logind)) = machine() else { return };
    let job = offered(indexed.job());
    indexed.publish(&[job]);
    let site = &indexed.site;
    let service = site.service();
    site.json(&["poll"]);
    site.wait_blocked(ID, &["optional"]);
    logind.log_on("c1", "nobody", "tty99");
    wait_for("it is seen who has logged on", || {
        site.json(&["who"])["sessions"].as_array().is_some_and(|all| !all.is_empty())
    });
    let until = "2031-01-01T00:00:00Z";
    let plain = serde_json::json!({"overrides": []});
    let past = serde_json::json!({"overrides": ["users", "window"]});
    let calls: Vec<Value> = [
        serde_json::json!({"request": [ID, {"run": plain}]}),
        serde_json::json!({"request": [ID, {"run": past}]}),
        serde_json::json!({"request": [ID, {"rerun": plain}]}),
        serde_json::json!({"request": [ID, {"defer": {"until": until}}]}),
        serde_json::json!({"request": [ID, "undefer"]}),
        serde_json::json!({"request": [ID, "stop"]}),
        serde_json::json!({"hold": {"until": until, "replace": false}}),
        "unhold".into(),
        serde_json::json!({"restart": "now"}),
        serde_json::json!({"restart": {"defer": until}}),
        serde_json::json!({"restart": "cancel"}),
        "notice".into(),
        serde_json::json!({"seen": null}),
        serde_json::json!({"seen": ID}),
        "poll".into(),
        serde_json::json!({"accept-serial": 1}),
        serde_json::json!({"keep-id": {"done": true}}),
    ]
    .into_iter()
    .map(change)
    .collect();
    let Some(answers) = raw(site, &calls) else { return };
    for (call, answer) in calls.iter().zip(&answers) {
        assert!(answer.contains("\"not-permitted\""), "{call}: {answer}");
    }
    // Its own verb takes nothing with it, and nothing that is no call of this service is carried out.
    let huge = serde_json::json!({"change": {"what": {"install": ID}, "reason": "x".repeat(200_000), "dry_run": false}});
    let odd = [
        change(serde_json::json!({"install": ID})),
        change(serde_json::json!({"install": [ID, plain]})),
        change(serde_json::json!({"install": ID, "hold": {"until": until}})),
        serde_json::json!({"change": {"what": {"install": ID}, "reason": null, "dry_run": false, "overrides": ["users"]}}),
        change(serde_json::json!({"uninstall": ID})),
        huge,
    ];
    let answers = raw(site, &odd).unwrap();
    assert!(answers[0].contains("\"usage\""), "{}", answers[0]);
    for answer in &answers[1..] {
        assert!(answer.contains("\"bad-call\"") || answer == "nothing", "{answer}");
    }
    assert_eq!(site.ran("ran"), 0);

    // However often it is asked for: that is bounded, and so is what is recorded of it.
    let flood: Vec<Value> = (0..400).map(|_| install(ABSENT)).collect();
    let answers = raw(site, &flood).unwrap();
    let too_many = answers.iter().filter(|answer| answer.contains("\"too-many\"")).count();
    assert!(too_many > 300, "{too_many}: {:?}", answers.last());
    assert!(site.json(&["hold", "--for", "1h", "--reason", "meanwhile"])["held_until"].is_string());
    site.json(&["unhold"]);
    assert_eq!(
        site.json(&["install", ID, "--wait"])["state"],
        "succeeded",
        "operators are not bounded by it"
    );
    service.terminate();
    let entries = installs(site);
    assert!(entries.len() < 30, "{} entries", entries.len());
    let all: u64 = entries.iter().map(|entry| entry["times"].as_u64().unwrap_or(1)).sum();
    assert!(all >= 400, "all of it is counted: {all}");
}
