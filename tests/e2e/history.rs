//! Lost, damaged or older history never causes a run; an operator's adoption is the way out.

use super::common::*;
use std::fs;

/// A machine that has run one request, and has another one due, with its service stopped.
fn with_history() -> Site {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash.clone())]);
    site.json(&["run", "BP0000Y", "--wait"]);
    site.publish(&[
        Request::due("BP0000Y").set("content_sha256", hash.clone()),
        Request::due("BP0000Z").set("content_sha256", hash),
    ]);
    site
}

/// List, checklist, log and status, which is what the console's header and its list of problems show.
fn says_so_everywhere(site: &Site, service: bool) {
    for view in ["list", "status"] {
        let shown = site.pcm(&[view, "--json"]);
        let doc: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let problems = doc["problems"].as_array().unwrap();
        let lost =
            problems.iter().find(|p| p["code"] == "history-lost").unwrap_or_else(|| panic!("{view}: {doc}"));
        assert!(lost["message"].as_str().unwrap().contains("pcm init --adopt"), "{view}: {lost}");
    }
    let checked = site.pcm(&["check", "--json"]);
    assert_eq!(checked.status.code(), Some(10), "{}", text(&checked));
    let doc: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let row = doc["items"].as_array().unwrap().iter().find(|i| i["item"] == "history").unwrap();
    assert_eq!(row["verdict"], "block");
    assert!(row["evidence"].as_str().unwrap().starts_with("history-lost: "), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains("init --adopt=done"), "{row}");
    if service {
        site.wait_log("history-lost: nothing runs by itself");
    }
}

/// The service runs nothing, says so everywhere, and `init --adopt` is the way out.
fn runs_nothing_until_adopted(site: &Site) {
    let _service = site.service();
    site.wait_log("Packages before filter: 2");
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 0), "{}", site.log());
    let list = site.json(&["list", "--all"]);
    let problems = list["problems"].as_array().unwrap();
    assert!(problems.iter().any(|p| p["code"] == "history-lost"), "{list}");
    for request in list["requests"].as_array().unwrap() {
        assert!(request["blocked_by"].as_array().unwrap().iter().any(|c| c == "history-lost"), "{request}");
    }
    says_so_everywhere(site, true);
    assert_eq!(site.refused(&["history"], 6)["code"], "history-lost");
    assert_eq!(site.refused(&["run", "BP0000Z"], 3)["code"], "history-lost");
    assert_eq!(
        site.pcm(&["init"]).status.code().map(|code| code != 0),
        Some(true),
        "init alone does not adopt"
    );
    let adopted = site.pcm(&["init", "--adopt=done"]);
    assert!(adopted.status.success(), "{}", text(&adopted));
    wait_for("the service sees the new history", || {
        site.json(&["list"])["problems"].as_array().unwrap().iter().all(|p| p["code"] != "history-lost")
    });
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
    assert_eq!(site.ran("ran BP0000Z"), 0, "what was adopted as done does not run by itself");
}

#[test]
fn a_deleted_history_runs_nothing_until_it_is_adopted() {
    let site = with_history();
    fs::remove_file(site.state().join("history.db")).unwrap();
    says_so_everywhere(&site, false);
    runs_nothing_until_adopted(&site);
}

#[test]
fn a_truncated_history_runs_nothing_until_it_is_adopted() {
    let site = with_history();
    let file = fs::File::options().write(true).open(site.state().join("history.db")).unwrap();
    let half = file.metadata().unwrap().len() / 2;
    file.set_len(half).unwrap();
    runs_nothing_until_adopted(&site);
}

#[test]
fn a_zeroed_history_runs_nothing_until_it_is_adopted() {
    let site = with_history();
    let path = site.state().join("history.db");
    let length = fs::metadata(&path).unwrap().len();
    fs::write(&path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    runs_nothing_until_adopted(&site);
}

#[test]
fn yesterdays_history_runs_nothing_until_it_is_adopted() {
    let site = Site::new();
    let old = fs::read(site.state().join("history.db")).unwrap();
    drop(site);
    let mut site = Site::new();
    let yesterday = fs::read(site.state().join("history.db")).unwrap();
    assert_ne!(old, yesterday, "every history is of a generation of its own");
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash.clone())]);
    site.json(&["run", "BP0000Y", "--wait"]);
    fs::write(site.state().join("history.db"), yesterday).unwrap();
    site.publish(&[
        Request::due("BP0000Y").set("content_sha256", hash.clone()),
        Request::due("BP0000Z").set("content_sha256", hash),
    ]);
    runs_nothing_until_adopted(&site);
}

/// The folders of the runs before it are out of the way: what is due runs at once, as attempt 1, with its own outcome.
#[test]
fn what_is_adopted_as_not_done_runs_anew_and_meets_nothing_of_the_runs_before() {
    let site = with_history();
    let old = site.state().join("runs/BP0000Y-1/exit");
    assert!(old.is_file());
    fs::remove_file(site.state().join("history.db")).unwrap();
    let adopted = site.pcm(&["init", "--adopt=not-done"]);
    assert!(adopted.status.success(), "{}", text(&adopted));
    assert!(!old.exists());
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(
        (site.ran("ran BP0000Y 1"), site.request("BP0000Y").unwrap()["attempt"].as_i64()),
        (2, Some(1))
    );
    let aside = fs::read_dir(site.state()).unwrap().flatten().map(|entry| entry.path());
    let kept = |path: std::path::PathBuf| path.join("BP0000Y-1/exit").is_file();
    assert!(aside.filter(|path| path.to_string_lossy().contains("runs.lost-")).any(kept), "they are kept");
}

/// The new history would know nothing of that run and start another beside it.
#[test]
fn nothing_is_adopted_while_a_package_runs_and_what_a_dead_run_host_left_is_ended() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &format!("{}; exec sleep 296.5", site.say("begin")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    fs::remove_file(site.state().join("history.db")).unwrap();
    let folder = site.state().join("runs/BP0000Y-1");
    let refused = site.pcm(&["init", "--adopt=done"]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!(text(&refused).contains("BP0000Y-1 still runs"), "{}", text(&refused));
    assert!(folder.join("started").is_file() && !site.state().join("history.db").exists());
    let started: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("started")).unwrap()).unwrap();
    let pid = started["host"]["pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    wait_for("adopted", || site.pcm(&["init", "--adopt=done"]).status.success());
    let mark = format!("PCM_STATUS_MIF={}", site.state().display());
    let alive = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).contains(&mark)
    });
    assert!(!alive && !folder.exists());
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("begin"), 1, "what was adopted as done does not run again");
}

/// Its number is taken: with a history that does not know of it, another attempt would go by the same name.
#[test]
fn a_history_from_before_an_attempt_that_was_claimed_and_not_launched_is_not_believed() {
    let mut site = Site::new();
    let file = site.state().join("history.db");
    let before = fs::read(&file).unwrap();
    let hash = site.package("BP00000A", &site.say("ran"));
    // What is in the way of the run's folder fails the attempt between its claim and its mark.
    make_dir(&site.state().join("runs/BP0000Y-1"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let service = site.service();
    site.wait_state("BP0000Y", "retry-wait");
    let result = site.json(&["history"])["attempts"][0]["result"].to_string();
    assert!(result.contains("not launched: ") && result.contains("folder is there already"), "{result}");
    drop(service);
    fs::write(&file, before).unwrap();
    says_so_everywhere(&site, false);
    assert_eq!(site.ran("ran"), 0);
}

/// Put back from a backup that misses nothing: it is believed, and it is another file than the one the service has open.
#[test]
fn a_believable_history_put_in_the_place_of_its_own_is_opened_by_the_service() {
    let site = with_history();
    let _service = site.service();
    site.wait_state("BP0000Z", "succeeded");
    site.wait_state("BP0000Y", "succeeded");
    site.json(&["hold", "--for", "1h", "--reason", "quiet"]);
    let file = site.state().join("history.db");
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    wait_for("it takes what an operator does again", || site.pcm(&["unhold"]).status.success());
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(site.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn any_changed_byte_of_an_event_is_found() {
    let site = with_history();
    let path = site.state().join("history.db");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(14).position(|w| w == b"\"verb\":\"run\",\"").unwrap();
    bytes[at + 8] = b'R';
    fs::write(&path, bytes).unwrap();
    let verified = site.pcm(&["audit", "verify", "--json"]);
    let doc: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((doc["ok"].as_bool(), doc["first_bad"].is_u64()), (Some(false), true), "{doc}");
}

#[test]
fn a_machine_without_a_history_runs_nothing_and_names_init() {
    let mut site = Site::bare("");
    fs::create_dir(site.state()).unwrap();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_log("Packages before filter: 1");
    assert_eq!(site.ran("ran"), 0);
    let problems = site.json(&["list"])["problems"].take();
    assert!(problems.to_string().contains("pcm init"), "{problems}");
    assert!(site.pcm(&["init"]).status.success());
    site.wait_state("BP0000Y", "succeeded");
}

#[test]
fn init_on_a_healthy_state_changes_nothing() {
    let site = with_history();
    let before = fs::read(site.state().join("history.db")).unwrap();
    for args in [&["init"][..], &["init", "--adopt=done"], &["init", "--adopt=not-done"]] {
        let output = site.pcm(args);
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(fs::read(site.state().join("history.db")).unwrap(), before);
}

#[test]
fn a_new_history_of_a_machine_with_earlier_results_is_closed() {
    let site = Site::bare("");
    let results = site.share().join("despoolr.box").join(MACHINE);
    make_dir(&results);
    write(&results.join("BP0000X-1.MIF"), b"an earlier life");
    let init = site.pcm(&["init"]);
    assert!(!init.status.success(), "{}", text(&init));
    assert!(text(&init).contains("earlier results"), "{}", text(&init));
    assert!(site.pcm(&["init", "--adopt=not-done"]).status.success());
}

#[test]
fn a_history_of_a_newer_version_runs_nothing_and_is_not_taken_for_damaged() {
    let site = with_history();
    let db = rusqlite::Connection::open(site.state().join("history.db")).unwrap();
    db.pragma_update(None, "user_version", 1_000).unwrap();
    drop(db);
    let _service = site.service();
    site.wait_log("Packages before filter: 2");
    let list = site.json(&["list", "--all"])["problems"].to_string();
    assert!(list.contains("state-unreadable") && list.contains("newer pcm"), "{list}");
    assert!(!list.contains("history-lost") && !list.contains("--adopt"), "it is not lost: {list}");
    assert_eq!(site.ran("ran BP0000Z"), 0);
}

/// Somebody has installed an older pcm: it decides nothing about what it cannot read.
#[test]
fn the_history_of_a_newer_pcm_is_not_lost_and_nobody_is_asked_to_put_it_aside() {
    let site = Site::new();
    let tables = |version: i64| {
        let history = rusqlite::Connection::open(site.state().join("history.db")).unwrap();
        let before: i64 = history.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        history.pragma_update(None, "user_version", version).unwrap();
        before
    };
    let known = tables(1000);
    for adopt in [&["init"][..], &["init", "--adopt=done"], &["init", "--adopt=not-done"]] {
        let refused = site.refused(adopt, 6);
        assert_eq!(refused["code"], "state-unreadable", "{refused}");
        let (message, remedy) = (refused["message"].as_str().unwrap(), refused["remedy"].as_str().unwrap());
        assert!(message.contains("its tables are of version 1000"), "{refused}");
        assert!(remedy.contains("install the newer pcm again") && !remedy.contains("--adopt"), "{refused}");
    }
    assert_eq!(tables(known), 1000, "nobody has touched it");
    assert!(text(&site.pcm(&["init"])).contains("is healthy"));
}
