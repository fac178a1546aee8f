//! Who a machine is to its share: set up anew it does not run again what it has run before, whether the share is there or
//! not.

use super::common::*;
use super::hanging::Hang;
use std::fs;
use std::time::{Duration, Instant};

fn ran_once() -> Site {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let reported = || fs::read_to_string(site.share().join("machines/BP004000.json")).unwrap_or_default();
    wait_for("result and report arrive", || {
        let results = fs::read_dir(site.share().join("despoolr.box").join(MACHINE));
        results.is_ok_and(|all| all.count() == 1) && reported().contains("\"succeeded\"")
    });
    service.terminate();
    site
}

/// As a machine is that was installed anew: state and mark are gone.
fn set_up_anew(site: &Site) {
    fs::remove_dir_all(site.state()).unwrap();
    fs::remove_file(site.path("etc/pcm.mark")).unwrap();
}

/// As a share is that is not mounted.
fn take_away(site: &Site) {
    fs::rename(site.share(), site.path("share.away")).unwrap();
    make_dir(&site.share());
}

fn bring_back(site: &Site) {
    fs::remove_dir(site.share()).unwrap();
    fs::rename(site.path("share.away"), site.share()).unwrap();
}

fn two_polls(site: &Site) {
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

/// Every view says that nothing runs, with these words of the problem.
fn closed_everywhere(site: &Site, words: &str) {
    for view in ["status", "list"] {
        let doc = site.json_of(&[view]);
        let problems = doc["problems"].as_array().unwrap();
        let found = problems.iter().find(|p| p["code"] == "history-lost");
        let found = found.unwrap_or_else(|| panic!("{view}: {doc}"));
        assert!(found["message"].as_str().unwrap().contains(words), "{view}: {found}");
    }
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10), "{}", text(&status));
    let check = site.json_of(&["check"]);
    let history = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "history").unwrap();
    assert_eq!(history["verdict"], "block", "{history}");
    assert!(history["evidence"].as_str().unwrap().contains(words), "{history}");
    assert!(history["remedy"].as_str().unwrap().contains("init --adopt=done"), "{history}");
}

#[test]
fn a_machine_set_up_anew_while_its_share_is_away_runs_nothing_again() {
    let site = ran_once();
    let report = site.share().join("machines/BP004000.json");
    let before = fs::read(&report).unwrap();
    set_up_anew(&site);
    take_away(&site);
    let init = site.json(&["init"]);
    assert_eq!(init["history"], "created");
    assert_eq!(init["unseen"], serde_json::json!([site.share().display().to_string()]));
    assert!(init["message"].as_str().unwrap().contains("is the share mounted?"), "{init}");
    closed_everywhere(&site, "it is not known whether this machine has run anything before");
    let _service = site.service();
    two_polls(&site);
    closed_everywhere(&site, "it is not known whether this machine has run anything before");
    bring_back(&site);
    wait_for("what was there before is found", || {
        site.json(&["list"])["problems"].to_string().contains("earlier results of BP004000")
    });
    closed_everywhere(&site, "earlier results of BP004000");
    two_polls(&site);
    let request = site.request("BP0000Y").unwrap();
    assert!(request["blocked_by"].to_string().contains("history-lost"), "{request}");
    let explained = site.json(&["explain", "BP0000Y"])["gates"].to_string();
    assert!(explained.contains("pcm init --adopt=done"), "{explained}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "history-lost");
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    site.json(&["init", "--adopt=done"]);
    two_polls(&site);
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    assert_ne!(fs::read(&report).unwrap(), before, "it reports again");
}

#[test]
fn the_report_alone_tells_of_an_earlier_life_and_is_kept_until_that_is_decided() {
    let site = ran_once();
    fs::remove_dir_all(site.share().join("despoolr.box").join(MACHINE)).unwrap();
    let report = site.share().join("machines/BP004000.json");
    let before = fs::read(&report).unwrap();
    set_up_anew(&site);
    take_away(&site);
    site.json(&["init"]);
    bring_back(&site);
    let service = site.service();
    wait_for("what was there before is found", || {
        site.json(&["list"])["problems"].to_string().contains("speaks of earlier attempts")
    });
    two_polls(&site);
    service.terminate();
    assert_eq!((site.ran("ran"), fs::read(&report).unwrap() == before), (1, true), "{}", site.log());
}

#[test]
fn a_new_machine_whose_share_comes_later_goes_on_by_itself() {
    let mut site = Site::bare("");
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    take_away(&site);
    let init = site.pcm(&["init"]);
    let told = text(&init);
    assert!(init.status.success() && told.contains("nothing runs") && told.contains("share"), "{told}");
    let _service = site.service();
    two_polls(&site);
    bring_back(&site);
    site.wait_state("BP0000Y", "succeeded");
    assert!(!site.json(&["status"])["problems"].to_string().contains("history-lost"));
}

#[test]
fn every_configured_share_has_to_be_seen_once_and_init_looks_again() {
    let mut site = Site::bare("");
    let other = site.path("other");
    let config = fs::read_to_string(site.config()).unwrap();
    let both = format!("shares = [{:?}, {other:?}]", site.share());
    let one = format!("shares = [{:?}]", site.share());
    write(&site.config(), config.replace(&one, &both).as_bytes());
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let unseen = || site.json(&["init"])["unseen"].clone();
    assert_eq!(unseen(), serde_json::json!([other.display().to_string()]));
    // The first one was seen and need not be there any more.
    fs::rename(site.share(), site.path("share.away")).unwrap();
    make_dir(&other);
    write(&other.join("PCM.SITE"), b"format = 1\nsite = \"BP0\"\nname = \"Head office\"\n");
    let healthy = site.json(&["init"]);
    assert_eq!(healthy["history"], "healthy", "{healthy}");
}

#[test]
fn init_does_not_hang_with_its_share() {
    let site = Site::bare("[share]\ntimeout = \"2s\"\n");
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let start = Instant::now();
    let init = site.json(&["init"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(init["message"].as_str().unwrap().contains("does not answer"), "{init}");
    assert_eq!(init["unseen"].as_array().map(Vec::len), Some(1), "{init}");
}
