//! What operators ask for while a package runs waits for its turn (DESIGN.md 4): in order, over the death of the service,
//! decided again before it starts, and taken out with a reason.

use super::common::*;
use serde_json::Value;
use std::process::Stdio;

const RUNS: &str = "BP0000Y";

/// `RUNS` runs until it may go; the others are optional, and each says its id to the witness.
fn published(site: &mut Site, others: &[&str]) -> Vec<Request> {
    let waits = format!("{}; {}", site.waits_for_go(), site.say(RUNS));
    let hash = site.package("BP00000A", &waits);
    let mut requests = vec![Request::due(RUNS).set("content_sha256", format!("\"{hash}\""))];
    for (n, id) in others.iter().enumerate() {
        let package = format!("BP0000{n}B");
        let hash = site.package(&package, &site.say(id));
        let request = Request::due(id).set("content_sha256", format!("\"{hash}\""));
        let request = request.set("package_id", format!("\"{package}\"")).set("mandatory_after", "");
        requests.push(request);
    }
    site.publish(&requests);
    requests
}

/// The same, with a service in which `RUNS` runs and the files of the others are copied.
fn busy(others: &[&str]) -> (Site, Vec<Request>, Service) {
    let mut site = Site::new();
    let requests = published(&mut site, others);
    let service = site.service();
    site.wait_state(RUNS, "running");
    for id in others {
        site.wait_blocked(id, &["optional", "busy"]);
    }
    (site, requests, service)
}

/// What the audit says of a request: who did what with what result.
fn audited(site: &Site, id: &str) -> Vec<(String, String)> {
    let audit = site.json(&["audit"]);
    let entries = audit["entries"].as_array().unwrap().iter().filter(|entry| entry["request_id"] == id);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.map(|entry| (text(&entry["verb"]), text(&entry["result"]))).collect()
}

fn queue(site: &Site) -> Vec<String> {
    let status = site.json_of(&["status"]);
    status["queue"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_waits_for_the_package_that_runs_and_starts_after_it_in_the_order_of_asking() {
    let (site, _, _service) = busy(&["BP00001", "BP00002"]);
    let second = site.json(&["run", "BP00002"]);
    assert_eq!((second["state"].as_str(), second["queue_position"].as_i64()), (Some("queued"), Some(1)));
    assert_eq!((second["attempt"].as_i64(), second["started_at"].is_null()), (Some(1), true), "{second}");
    let first = site.json(&["run", "BP00001"]);
    assert_eq!(first["queue_position"], 2, "{first}");
    let again = site.json(&["run", "BP00002"]);
    assert_eq!((again["state"].as_str(), again["queue_position"].as_i64()), (Some("queued"), Some(1)));

    let row = site.request("BP00001").unwrap();
    assert_eq!((row["state"].as_str(), row["group"].as_str()), (Some("queued"), Some("pending")));
    assert_eq!(row["queue_position"], 2);
    assert!(row["queued"]["by"].is_string() && row["queued"]["at"].is_string(), "{row}");
    assert!(row["why"].as_str().unwrap().contains("2 of 2"), "{row}");
    assert_eq!(queue(&site), ["BP00002", "BP00001"]);
    let listed = text(&site.pcm(&["list"]));
    assert!(listed.find("BP00002").unwrap() < listed.find("BP00001").unwrap(), "in its order: {listed}");
    let explained = text(&site.pcm(&["explain", "BP00001"]));
    assert!(explained.contains("is queued") && explained.contains("In the queue: 2 of 2"), "{explained}");

    site.go();
    site.wait_state("BP00001", "succeeded");
    let said = std::fs::read_to_string(site.witness()).unwrap();
    let order: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(order, [RUNS, "BP00002", "BP00001"]);
    assert!(queue(&site).is_empty());
    let entries = audited(&site, "BP00001");
    let entry = |verb: &str, result: &str| (verb.to_owned(), result.to_owned());
    assert_eq!(entries, [entry("run", "asked"), entry("run", "queued"), entry("run", "done")]);
}

#[test]
fn wait_stays_in_the_queue_too_and_ends_as_the_run_does() {
    let (site, mut requests, _service) = busy(&["BP00001"]);
    let hash = site.package("BP00000C", "exit 17");
    let fails = Request::due("BP00002").set("content_sha256", format!("\"{hash}\""));
    requests.push(fails.set("package_id", "\"BP00000C\"").set("mandatory_after", ""));
    let mut site = site;
    site.publish(&requests);
    site.json(&["poll"]);
    site.wait_blocked("BP00002", &["optional", "busy"]);
    let wait = |id: &str| {
        let mut command = site.command(&["run", id, "--wait", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (good, bad) = (wait("BP00001"), wait("BP00002"));
    wait_for("both are queued", || queue(&site).len() == 2);
    site.go();
    let good = good.wait_with_output().unwrap();
    assert_eq!(good.status.code(), Some(0), "{}", text(&good));
    assert_eq!(serde_json::from_slice::<Value>(&good.stdout).unwrap()["state"], "succeeded");
    let bad = bad.wait_with_output().unwrap();
    assert_eq!(bad.status.code(), Some(7), "{}", text(&bad));
    assert_eq!(serde_json::from_slice::<Value>(&bad.stdout).unwrap()["exit_code"], 17);
}

#[test]
fn no_queue_refuses_as_does_a_machine_without_a_service() {
    let (site, _, service) = busy(&["BP00001"]);
    assert_eq!(site.refused(&["run", "BP00001", "--no-queue"], 3)["code"], "busy");
    assert_eq!(site.state_of("BP00001"), "offered");
    let would = site.json(&["run", "BP00001", "--dry-run"]);
    assert!(would["would"].as_str().unwrap().contains("into the queue, position 1"), "{would}");
    service.terminate();
    let refused = site.refused(&["run", "BP00001"], 3);
    assert_eq!(refused["code"], "busy");
    assert!(refused["remedy"].as_str().unwrap().contains("without a service"), "{refused}");
    site.go();
}

#[test]
fn stop_takes_a_run_out_of_the_queue_and_who_waits_for_it_is_told() {
    let (site, _, _service) = busy(&["BP00001"]);
    let mut waits = site.command(&["run", "BP00001", "--wait", "--json"]);
    let waits = waits.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("it is queued", || queue(&site) == ["BP00001"]);
    let stopped = site.json(&["stop", "BP00001", "--reason", "wrong day"]);
    assert_eq!(stopped["state"], "offered", "{stopped}");
    let told = waits.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(3), "{}", text(&told));
    assert!(text(&told).contains("wrong day"), "{}", text(&told));
    let explained = text(&site.pcm(&["explain", "BP00001"]));
    assert!(explained.contains("took a run of it out of the queue"), "who and why: {explained}");
    assert!(explained.contains("\"wrong day\""), "{explained}");
    assert!(queue(&site).is_empty());
    site.go();
    site.wait_state(RUNS, "succeeded");
    assert_eq!(site.ran("BP00001"), 0);
    assert_eq!(site.refused(&["stop", "BP00001", "--reason", "again"], 3)["code"], "not-running");
}

#[test]
fn the_queue_survives_the_death_of_the_service_and_each_run_in_it_starts_once() {
    let (site, _, service) = busy(&["BP00001", "BP00002"]);
    for id in ["BP00001", "BP00002"] {
        assert_eq!(site.json(&["run", id, "--reason", "a release"])["state"], "queued");
    }
    service.kill();
    // Nobody works it off, and everybody can see that.
    let row = site.request("BP00002").unwrap();
    assert_eq!((row["state"].as_str(), row["queue_position"].as_i64()), (Some("queued"), Some(2)));
    assert!(row["why"].as_str().unwrap().contains("no service runs"), "{row}");
    let again = site.service();
    assert_eq!(queue(&site), ["BP00001", "BP00002"]);
    again.kill();
    // It dies again and again while what runs ends and the next ones are claimed. Where that is between a claim and its
    // launch, the run is used up and its record says that nothing was launched.
    site.go();
    let is_over = |id: &str| ["succeeded", "failed"].contains(&site.state_of(id).as_str());
    for _ in 0..100 {
        if is_over("BP00001") && is_over("BP00002") {
            break;
        }
        let service = site.service();
        let _ = wait_for_or(std::time::Duration::from_millis(150), || is_over("BP00002"));
        service.kill();
    }
    let _service = site.service();
    for id in ["BP00001", "BP00002"] {
        wait_for("it is over", || is_over(id));
        let attempts = site.json(&["history", id])["attempts"].take();
        let only = &attempts[0];
        match only["state"].as_str() {
            Some("succeeded") => assert_eq!(site.ran(id), 1, "{attempts}"),
            _ => {
                assert_eq!(site.ran(id), 0, "{attempts}");
                // Where the service died before it said go, the run host says so itself, or nobody can.
                let result = only["result"].as_str().unwrap();
                let words = ["its run host never started", "not launched: the executor went away"];
                assert!(words.iter().any(|words| result.contains(words)), "{attempts}");
            }
        }
        assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts}");
    }
    let by = site.json(&["history", "BP00002"])["attempts"][0].take();
    assert_eq!((by["attempt"].as_i64(), by["reason"].as_str()), (Some(1), Some("a release")), "{by}");
}

#[test]
fn what_was_withdrawn_deferred_or_has_expired_leaves_the_queue_with_a_reason() {
    let (mut site, mut requests, _service) = busy(&["BP00001", "BP00002", "BP00003"]);
    for id in ["BP00001", "BP00002", "BP00003"] {
        site.json(&["run", id]);
    }
    let mut waits = site.command(&["run", "BP00003", "--wait", "--json"]);
    let waits = waits.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Deferring what never runs by itself is refused: the queue changes nothing about that.
    site.refused(&["defer", "BP00002", "--for", "1h", "--reason", "later"], 3);
    requests.remove(1);
    let expired = requests.pop().unwrap().set("expire_after", stamp(now() + seconds(2)));
    requests.push(expired);
    site.publish(&requests);
    site.json(&["poll"]);
    wait_for("two of them are taken out", || queue(&site) == ["BP00002"]);
    assert_eq!(audited(&site, "BP00001").pop().unwrap(), ("run".into(), "no-such-request".into()));
    assert_eq!(audited(&site, "BP00003").pop().unwrap(), ("run".into(), "expired".into()));
    let told = waits.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(3), "{}", text(&told));
    assert!(text(&told).contains("expired"), "{}", text(&told));
    let explained = text(&site.pcm(&["explain", "BP00003"])).replace("\n", " ");
    assert!(explained.contains("the service took a run of it out of the queue"), "{explained}");
    site.wait_log("BP00001 is taken out of the queue and was not started");
    site.go();
    site.wait_state("BP00002", "succeeded");
    assert_eq!((site.ran("BP00001"), site.ran("BP00003")), (0, 0));
}

#[test]
fn a_hold_keeps_the_queue_waiting_and_its_end_lets_it_go_on() {
    let (site, _, _service) = busy(&["BP00001", "BP00002"]);
    site.json(&["run", "BP00001"]);
    site.json(&["hold", "--for", "1h", "--reason", "looking into something"]);
    let passes = ["run", "BP00002", "--override", "hold", "--reason", "the owner wants it"];
    assert_eq!(site.json(&passes)["queue_position"], 2);
    site.go();
    // The one that passes the hold by name does not wait for the one that does not.
    site.wait_state("BP00002", "succeeded");
    let row = site.request("BP00001").unwrap();
    assert_eq!((row["state"].as_str(), site.ran("BP00001")), (Some("queued"), 0));
    assert!(row["why"].as_str().unwrap().contains("held"), "{row}");
    site.json(&["unhold"]);
    site.wait_state("BP00001", "succeeded");
}

#[test]
fn asked_for_otherwise_what_is_in_the_queue_is_refused() {
    let (site, _, _service) = busy(&["BP00001"]);
    site.json(&["run", "BP00001"]);
    let refused = site.refused(&["run", "BP00001", "--override", "window", "--reason", "now"], 3);
    assert_eq!(refused["code"], "already-queued");
    assert!(refused["remedy"].as_str().unwrap().contains("pcm stop BP00001"), "{refused}");
    site.go();
    site.wait_state("BP00001", "succeeded");
}
