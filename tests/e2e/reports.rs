//! Results and the machine report: where they go, what is said while they cannot go there, and that a report speaks of no
//! result that is not on the share.

use super::common::reports::report_at;
use super::common::*;
use super::pty::Terminal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Two requests that run at once.
fn two(site: &mut Site) {
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let due = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    site.publish(&[due("BP00001"), due("BP00002")]);
}

fn report(folder: &Path) -> Value {
    report_at(&folder.join("machines/BP004000.json"))
}

/// The state in which a report shows a request.
fn shown(report: &Value, id: &str) -> Option<String> {
    let requests = report["requests"].as_array()?;
    let request = requests.iter().find(|request| request["request_id"] == id)?;
    Some(request["state"].as_str()?.to_owned())
}

fn wait_long(site: &Site, what: &str, condition: impl FnMut() -> bool) {
    wait_for_or(Duration::from_secs(60), condition)
        .unwrap_or_else(|()| panic!("it never happened: {what}\n{}", site.log()));
}

fn undelivered(site: &Site) -> Option<String> {
    let status = site.json_of(&["status"]);
    let problem = status["problems"].as_array()?.iter().find(|p| p["code"] == "undelivered")?.clone();
    assert!(status["undelivered"]["cause"].is_string(), "{status}");
    Some(problem["message"].as_str()?.to_owned())
}

#[test]
fn what_cannot_be_delivered_is_a_problem_in_every_view_until_it_can() {
    let mut site = Site::new();
    fs::rename(site.share().join("machines"), site.share().join("machines.away")).unwrap();
    two(&mut site);
    let _service = site.service();
    wait_long(&site, "it is a problem", || {
        undelivered(&site).is_some_and(|why| why.contains("machine report"))
    });
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10), "{}", text(&status));
    assert!(text(&status).contains("have not reached the share"), "{}", text(&status));
    assert!(site.json(&["list"])["problems"].to_string().contains("\"undelivered\""));
    let check = site.pcm(&["check"]);
    assert!(check.status.code() == Some(10) && text(&check).contains("machine-report"), "{}", text(&check));
    let console = Terminal::start(&site.command(&[]), 120, 40);
    console.wait("undelivered");
    drop(console);
    // The results went there all the same.
    let results = site.share().join("despoolr.box").join(MACHINE);
    wait_long(&site, "both results", || fs::read_dir(&results).is_ok_and(|all| all.count() == 2));
    fs::rename(site.share().join("machines.away"), site.share().join("machines")).unwrap();
    wait_long(&site, "it is delivered", || shown(&report(&site.share()), "BP00002").is_some());
    wait_long(&site, "all is well", || site.pcm(&["status"]).status.code() == Some(0));
}

/// Two polling intervals of this machine are two hours.
#[test]
fn a_place_that_refuses_reports_is_a_problem_at_once_and_one_that_is_away_is_not() {
    let mut site = Site::with_config("polling_interval = \"1h\"\n");
    two(&mut site);
    let folder = site.share().join("machines");
    let away = site.path("machines.away");
    fs::rename(&folder, &away).unwrap();
    let service = site.service();
    site.wait_log("did not reach the share");
    assert_eq!(undelivered(&site), None, "it may be mounted again");
    service.terminate();
    fs::write(&folder, "in the way").unwrap();
    let _service = site.service();
    wait_long(&site, "it is a problem", || {
        undelivered(&site).is_some_and(|why| why.contains("machine report"))
    });
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10), "{}", text(&status));
    assert!(site.json(&["list"])["problems"].to_string().contains("\"undelivered\""));
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    wait_long(&site, "it is over", || undelivered(&site).is_none() && report(&site.share()).is_object());
}

#[test]
fn a_named_place_gets_reports_and_results_although_the_instructions_are_refused() {
    let mut site = Site::reporting_elsewhere();
    let place = site.path("reports");
    two(&mut site);
    // Anybody may write there: nothing of it is believed.
    mode(&site.share().join("pcmins.box"), 0o777);
    let _service = site.service();
    wait_long(&site, "a report", || report(&place)["machine"] == MACHINE);
    assert_eq!(site.ran("ran"), 0, "{}", site.log());
    assert_eq!(report(&site.share()), Value::default(), "not there");
    let check = site.json_of(&["check"]);
    let item =
        check["items"].as_array().unwrap().iter().find(|item| item["item"] == "machine-report").unwrap();
    assert_eq!(item["verdict"], "pass", "{item}");
    assert!(item["evidence"].to_string().contains(&place.display().to_string()), "{item}");
    assert_eq!(undelivered(&site), None);
}

#[test]
fn without_a_share_that_is_trusted_it_is_said_why_nothing_is_delivered() {
    let mut site = Site::new();
    two(&mut site);
    mode(&site.share().join("pcmins.box"), 0o777);
    let _service = site.service();
    wait_long(&site, "it is a problem", || undelivered(&site).is_some_and(|why| why.contains("not trusted")));
    mode(&site.share().join("pcmins.box"), 0o755);
    wait_long(&site, "it is over", || undelivered(&site).is_none() && report(&site.share()).is_object());
}

#[test]
fn a_report_leaves_out_what_is_not_on_the_share_and_goes_on_for_the_others() {
    let mut site = Site::new();
    let results = site.share().join("despoolr.box").join(MACHINE);
    // Whatever it is, it is in the way of one result.
    make_dir(&results.join("BP00001-1.MIF"));
    two(&mut site);
    let _service = site.service();
    site.wait_state("BP00001", "succeeded");
    site.wait_state("BP00002", "succeeded");
    let share = site.share();
    wait_long(&site, "the other one is reported", || {
        let report = report(&share);
        shown(&report, "BP00002").as_deref() == Some("succeeded")
            && report["undelivered"] == serde_json::json!(["BP00001-1.MIF"])
    });
    assert_eq!(shown(&report(&share), "BP00001"), None, "its result is not there");
    wait_long(&site, "it is a problem", || {
        undelivered(&site).is_some_and(|why| why.contains("BP00001-1.MIF"))
    });
    fs::remove_dir(results.join("BP00001-1.MIF")).unwrap();
    wait_long(&site, "now it is", || shown(&report(&share), "BP00001").as_deref() == Some("succeeded"));
    assert_eq!(report(&share)["undelivered"], serde_json::json!([]));
    assert!(results.join("BP00001-1.MIF").is_file());
}

#[test]
fn a_report_says_how_the_machine_stands_and_when_things_run_as_every_view_does_and_nothing_secret() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", "echo a-secret-line; exit 7"));
    let due = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    let later = due("BP00002").set("mandatory_after", "2099-01-01T00:00:00Z");
    site.publish(&[due("BP00001"), later, due("BP00003").set("mandatory_after", "")]);
    let service = site.service();
    let path = site.share().join("machines/BP004000.json");
    wait_long(&site, "the failure is reported", || {
        shown(&report(&site.share()), "BP00001").as_deref() == Some("failed")
    });
    let told = report(&site.share());
    let request = |id: &str| {
        let requests = told["requests"].as_array().unwrap();
        requests.iter().find(|request| request["request_id"] == id).unwrap().clone()
    };
    let listed = site.request("BP00002").unwrap();
    assert_eq!(request("BP00002")["next_run"], listed["next_run"]);
    assert_eq!(told["next_run"], listed["next_run"]);
    assert!(listed["next_run"].as_str().unwrap().starts_with("2099-01-01"), "{listed}");
    assert_eq!((&request("BP00003")["never"], request("BP00003").get("next_run")), (&true.into(), None));
    assert!(request("BP00001")["started_late_s"].as_u64().unwrap() > 3_600, "{told}");
    assert_eq!(told["states"], serde_json::json!({"failed": 1, "offered": 2}));
    assert_eq!((&told["trust"]["mode"], &told["heartbeat_s"]), (&"permissions".into(), &1.into()));
    let status = site.json_of(&["status"]);
    assert_eq!(told["zone"], status["zone"]);
    let codes: Vec<&Value> =
        status["problems"].as_array().unwrap().iter().map(|problem| &problem["code"]).collect();
    assert_eq!(told["problems"].as_array().unwrap().iter().collect::<Vec<_>>(), codes);
    assert!(told["uptime_s"].as_u64().unwrap() > 0 && told["disk_free"].as_u64().unwrap() > 0, "{told}");
    // This service has only begun to look: of what was before the boot it knows nothing.
    let week = told["uptime_s"].as_u64().unwrap() >= 7 * 86_400;
    assert_eq!(told["hours_on_7d"], serde_json::json!(week.then_some(168)), "{told}");
    let text = fs::read_to_string(&path).unwrap();
    for secret in ["setup.sh", "a-secret-line", "--silent"] {
        assert!(!text.contains(secret), "{text}");
    }
    let before = told["report"].as_u64().unwrap();
    site.json(&["hold", "--until", "1h", "--reason", "a reason"]);
    wait_long(&site, "the hold is reported", || report(&site.share())["held_until"].is_string());
    assert!(report(&site.share())["report"].as_u64().unwrap() > before);
    assert!(!fs::read_to_string(&path).unwrap().contains("a reason"));
    service.terminate();
}
