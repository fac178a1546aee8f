//! A disk that is really full and a service that really has no descriptors left (PROMISES.md P15): nothing runs, every view
//! says so, and when there is room again the same service goes on. (Errors at every single call: `tests/harness`.)

use super::common::*;
use super::pty::Terminal;
use super::small::Small;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

/// Publishes a request that becomes due so many seconds from now; witness and share are elsewhere.
fn due_in(site: &mut Site, wait: i64) {
    let hash = site.package("BP00000A", &site.say("ran"));
    let at = now() + seconds(wait);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")).mandatory(at)]);
}

fn is_staged(site: &Site) {
    wait_for("its content is staged", || {
        site.request("BP0000Y").is_some_and(|request| !request["blocked_by"].to_string().contains("content"))
    });
}

fn unwritable(site: &Site, view: &str) -> bool {
    site.json_of(&[view])["problems"].to_string().contains("\"state-unwritable\"")
}

/// List, status, checklist and console, in whose first problem these words are.
fn is_said(site: &Site, words: &str) {
    wait_for_or(Duration::from_secs(60), || unwritable(site, "list") && unwritable(site, "status"))
        .unwrap_or_else(|()| panic!("{}\n{}", text(&site.pcm(&["status"])), site.log()));
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10));
    assert!(!text(&status).contains("automatic runs on"), "{}", text(&status));
    // Every view says that it does not run, and none when it would.
    let row = site.request("BP0000Y").unwrap();
    assert!(row["next_run"].is_null() && row["blocked_by"].to_string().contains("state-unwritable"), "{row}");
    let explained = site.json_of(&["explain", "BP0000Y"]);
    assert!(explained["next_run"].is_null(), "{explained}");
    let standstill = site.json_of(&["status"])["standstill"].take();
    assert!(standstill.to_string().contains("state-unwritable"), "{standstill}");
    let items = site.json_of(&["check"])["items"].take();
    let state = items.as_array().unwrap().iter().find(|item| item["item"] == "state").unwrap().clone();
    assert_eq!(state["verdict"], "block", "{state}");
    let console = Terminal::start(&site.command(&[]), 120, 40);
    console.wait(words);
    drop(console);
    assert_eq!(site.ran("ran"), 0);
}

fn heals(site: &Site, service: Service) {
    wait_for_or(Duration::from_secs(90), || site.state_of("BP0000Y") == "succeeded")
        .unwrap_or_else(|()| panic!("it does not heal: {}\n{}", text(&site.pcm(&["list"])), site.log()));
    wait_for("it is not said any more", || !unwritable(site, "list") && !unwritable(site, "status"));
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    assert_eq!(site.json(&["audit", "verify"])["ok"], true);
    service.terminate();
    let said = std::fs::read_to_string(site.path("service.err")).unwrap_or_default();
    assert!(!said.contains("panicked at"), "{said}");
    let told = ["was not recorded", "was not started", "Nothing runs by itself: "]
        .iter()
        .any(|words| site.log().contains(words));
    assert!(told, "{}", site.log());
}

#[test]
fn a_full_disk_starts_nothing_is_said_in_every_view_and_heals_without_a_restart() {
    let mut site = Site::bare("");
    make_dir(&site.state());
    let Some(small) = Small::over(site.state()) else { return };
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
    due_in(&mut site, 3600);
    let service = site.service();
    is_staged(&site);
    small.fill();
    due_in(&mut site, -3600);
    is_said(&site, "! state-unwritable: ");
    small.make_room();
    heals(&site, service);
}

#[test]
fn a_service_without_descriptors_starts_nothing_is_said_in_every_view_and_heals_without_a_restart() {
    let mut site = Site::new();
    // Without descriptors nobody can be sent to the share: it becomes due by the clock.
    due_in(&mut site, 12);
    let service = site.service();
    is_staged(&site);
    let limit = |soft: &str| {
        let pid = service.child.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]).output();
        set.is_ok_and(|set| set.status.success())
    };
    // All numbers below the limit are taken for good: what is open only for a moment leaves no room behind.
    let open = || -> BTreeSet<u32> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", service.child.id())).unwrap().flatten();
        descriptors.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    };
    let mut lasting = open();
    let polls = || site.log().matches("sleeping ").count();
    let before = polls();
    wait_for("two polls", || {
        lasting = &lasting & &open();
        polls() >= before + 2
    });
    let free = (0..).find(|number| !lasting.contains(number)).unwrap();
    if !limit(&free.to_string()) {
        skipped("no prlimit, or it may not limit the service");
        return;
    }
    is_said(&site, "Too many open files");
    assert!(limit("1024"));
    heals(&site, service);
}
