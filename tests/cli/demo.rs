//! `pcm demo --headless`: packages run while one watches, and the folder is gone afterwards.

use super::{command, text};
#[cfg(unix)]
use crate::common::{install_script, pty::Terminal};

#[test]
fn the_demo_runs_packages_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("tmp");
    std::fs::create_dir(&place).unwrap();
    let demo =
        command(dir.path(), &["demo", "--headless", "--for", "12s"]).env("TMPDIR", &place).output().unwrap();
    let said = text(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", text(&demo.stderr));
    for wanted in [
        "DEM0001  Printer driver 5.2: running -> failed",
        "DEM0002  Inventory agent 7",
        "deferred",
        "rejected",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(said.contains("Packages after filter:"), "{said}");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{said}");
    // Nothing of the caller's own installation was made.
    assert!(!dir.path().join("state").exists() && !dir.path().join("pcm.toml").exists());
}

#[test]
fn the_demo_is_signed_by_keys_of_its_own() {
    if !std::path::Path::new("/usr/bin/ssh-keygen").exists() {
        return super::super::common::skipped("there is no ssh-keygen");
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("tmp");
    std::fs::create_dir(&place).unwrap();
    let args = ["demo", "--headless", "--for", "1s", "--keep"];
    let demo = command(dir.path(), &args).env("TMPDIR", &place).output().unwrap();
    assert!(demo.status.success(), "{}", text(&demo.stderr));
    let folder = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
    let (config, state) = (folder.join("pcm.toml"), folder.join("state"));
    let (config, state) = (config.display().to_string(), state.display().to_string());
    let json = |args: &[&str]| -> serde_json::Value {
        let all = [&["--config", &config, "--state", &state, "--json"], args].concat();
        let said = command(dir.path(), &all).output().unwrap();
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said.stderr)))
    };
    let status = json(&["status"]);
    assert_eq!(status["trust"]["mode"], "signed", "{status}");
    assert_eq!(status["trust"]["principal"], "demo-publish", "{status}");
    // The machine's own SSH host key has no part in it.
    let known = std::fs::read_to_string(folder.join("site/machines.csv")).unwrap();
    let own = std::fs::read_to_string(folder.join("keys/report.pub")).unwrap();
    let own = own.split(' ').nth(1).unwrap().to_owned();
    assert!(known.contains(&own), "{known}");
    let checked = json(&["check"]);
    let items = checked["items"].as_array().unwrap();
    let key = items.iter().find(|item| item["item"] == "host-key").unwrap();
    assert!(key["evidence"].to_string().contains("keys/report"), "{key}");
    let list = json(&["list", "--all"]);
    let state = |id: &str| {
        let found = list["requests"].as_array().unwrap().iter().find(|r| r["request_id"] == id);
        found.unwrap_or_else(|| panic!("{id}: {list}"))["state"].as_str().unwrap().to_owned()
    };
    // All that a site without signatures shows, and what is not believed.
    for (id, wanted) in [
        ("DEM0007", "deferred"),
        ("DEM0009", "expired"),
        ("DEM000A", "not-applicable"),
        ("DEM000C", "offered"),
        ("DEM000D", "scheduled"),
        ("DEM000E", "rejected"),
    ] {
        assert_eq!(state(id), wanted, "{id}");
    }
    assert_eq!(list["requests"].as_array().unwrap().len(), 14);
    let why = json(&["explain", "DEM000E"]);
    let trust = why["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "trust").unwrap();
    assert_eq!((&trust["verdict"], &trust["code"]), (&"block".into(), &"bad-signature".into()), "{trust}");
}

#[test]
fn without_a_terminal_the_console_names_what_shows_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // The console's flags may stand before the verb as well.
    for args in [&["demo"][..], &["--ascii", "demo"]] {
        let demo = command(dir.path(), args).output().unwrap();
        assert_eq!(demo.status.code(), Some(2));
        assert!(text(&demo.stderr).contains("pcm demo --headless"), "{}", text(&demo.stderr));
    }
    let console = command(dir.path(), &[]).output().unwrap();
    assert_eq!(console.status.code(), Some(2));
    assert!(text(&console.stderr).contains("pcm status"));
}

/// Others may have machines of these names.
#[cfg(unix)]
#[test]
fn no_machine_of_the_demo_is_connected_to() {
    let dir = tempfile::tempdir().unwrap();
    let (ssh, called) = (dir.path().join("ssh"), dir.path().join("called"));
    install_script(&ssh, &format!("#!/bin/sh\necho \"$*\" >> {}\nexit 255\n", called.display()));
    let mut start = command(dir.path(), &["demo", "--site"]);
    start.env("PCM_SSH", &ssh);
    let mut console = Terminal::start(&start, 100, 30);
    console.wait("Acme Workstation");
    console.keys("\r\r");
    let listed = |screen: &str| screen.contains("SMSID") && screen.lines().any(|line| line.starts_with("> "));
    console.wait_until("a machine is selected", listed);
    console.keys("l");
    console.wait("the machines of the demo do not exist");
    console.keys("c");
    console.wait(": the machines of the demo do not exist");
    assert_eq!(console.quit('q'), 0);
    assert!(!called.exists(), "{}", std::fs::read_to_string(&called).unwrap_or_default());
}
