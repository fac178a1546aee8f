//! A package that does all it can to be found no more: another session, an empty environment, and its run host killed.
//! It is interrupted, and nothing of it lives on (PROMISES.md P7).

use super::common::*;
use std::process::{Command, Stdio};

/// A process that nothing links to its run but what pcm itself keeps, then the death of the run host. `before` comes
/// between the two.
fn escaping(site: &mut Site, before: &str) {
    let script = format!(
        "env -i setsid sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 296' >/dev/null 2>&1 & \
         until [ -e {pid} ]; do sleep 0.01; done; {}; {before}; kill -9 $PPID; sleep 296",
        site.say("ran"),
        pid = site.path("pid").display(),
    );
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
}

fn ends_without_a_trace(site: &Site) {
    site.wait_state("BP0000Y", "interrupted");
    let pid = std::fs::read_to_string(site.path("pid")).unwrap();
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
    let lives = String::from_utf8_lossy(&line).replace("\0", " ").starts_with("sleep 296");
    if lives {
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    }
    assert!(!lives, "it lives on although the run is said to be over\n{}", site.log());
    assert_eq!(site.ran("ran"), 1);
}

fn started(site: &Site) -> serde_json::Value {
    let bytes = std::fs::read(site.state().join("runs/BP0000Y-1/started")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn one_that_hides_and_kills_its_run_host_at_once_is_found_by_its_control_group() {
    let mut site = Site::new();
    escaping(&mut site, ":");
    let _service = site.service();
    wait_for("the package has run", || site.ran("ran") == 1);
    let started = started(&site);
    let Some(group) = started["cgroup"].as_str() else {
        // What is left of it is this test's to end.
        let pid = std::fs::read_to_string(site.path("pid")).unwrap();
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
        skipped(format_args!("no control group can be made here: {}", started["no_cgroup"]));
        return;
    };
    ends_without_a_trace(&site);
    assert!(!std::path::Path::new(group).exists(), "it goes with what it held");
}

#[test]
fn a_service_that_starts_after_the_death_of_the_run_host_finds_the_control_group_in_its_record() {
    let mut site = Site::new();
    // The executor is the command alone, and gone by then.
    escaping(&mut site, "sleep 1");
    let launched = site.pcm(&["run", "BP0000Y"]);
    assert!(launched.status.success(), "{}", text(&launched));
    if started(&site)["cgroup"].is_null() {
        skipped(format_args!("no control group can be made here: {}", started(&site)["no_cgroup"]));
        return;
    }
    let host = started(&site)["host"]["pid"].to_string();
    wait_for("the run host is dead", || !std::path::Path::new("/proc").join(&host).join("exe").exists());
    let _service = site.service();
    ends_without_a_trace(&site);
}

#[test]
fn where_no_control_group_can_be_made_the_run_host_keeps_a_list_of_what_it_sees_and_it_is_said() {
    let hidden = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", "umount -R -l /sys/fs/cgroup && exec \"$0\" \"$@\""]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    if !hidden().arg("true").status().is_ok_and(|status| status.success()) {
        skipped("control groups cannot be hidden here");
        return;
    }
    let mut site = Site::new();
    let seen = format!(
        "until grep -q \"$(cat {})\" \"${{PCM_STATUS_MIF%/out/*}}/seen\"; do sleep 0.05; done",
        site.path("pid").display()
    );
    escaping(&mut site, &seen);
    let service = site.command(&["service", "run"]);
    let child =
        hidden().arg(service.get_program()).args(service.get_args()).env("TZ", "UTC").spawn().unwrap();
    let _service = Service { child };
    site.wait_service();
    site.wait_log("no control group");
    ends_without_a_trace(&site);
    assert!(started(&site)["no_cgroup"].is_string());
}
