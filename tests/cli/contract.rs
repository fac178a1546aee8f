//! Exit statuses and error documents (DESIGN.md 7).

use super::{command, enrolled, pcm, text};
use std::process::Stdio;

/// The exit status and the code of the error document; nothing may be on standard output.
fn refused(dir: &std::path::Path, args: &[&str]) -> (i32, String) {
    let done = pcm(dir, &[args, &["--json"]].concat());
    assert_eq!(text(&done.stdout), "", "{args:?}");
    let document: serde_json::Value = serde_json::from_slice(&done.stderr).unwrap();
    let error = &document["error"];
    assert!(error["message"].is_string() && error["remedy"].is_string(), "{document}");
    (done.status.code().unwrap(), error["code"].as_str().unwrap().to_owned())
}

#[test]
fn every_refusal_has_its_exit_status_and_its_code() {
    let dir = enrolled();
    let of = |args: &[&str]| refused(dir.path(), args);
    assert_eq!(of(&["explain", "BP0ZZZZ"]), (4, "no-such-request".into()));
    assert_eq!(of(&["undefer", "BP0000Y"]), (3, "not-deferred".into()));
    assert_eq!(of(&["rerun", "BP0000Y", "--reason", "x"]).0, 3);
    assert_eq!(of(&["defer", "BP0000Y", "--reason", "x"]), (2, "usage".into()));
    assert_eq!(of(&["defer", "BP0000Y", "--until", "2001-01-01", "--reason", "x"]), (2, "usage".into()));
    assert_eq!(of(&["nonsense"]), (2, "usage".into()));
    assert_eq!(of(&["status", "--dry-run"]), (2, "usage".into()));
    // 2 and not 4: `pcm log` ends as grep does.
    assert_eq!(of(&["log", "missing.log"]), (2, "no-such-file".into()));
    std::fs::rename(dir.path().join("share"), dir.path().join("gone")).unwrap();
    assert_eq!(of(&["poll"]), (5, "share-missing".into()));
    std::fs::remove_file(dir.path().join("state/history.db")).unwrap();
    assert_eq!(of(&["history"]), (6, "history-lost".into()));
}

#[test]
fn a_machine_that_is_not_enrolled_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let done = pcm(dir.path(), &["list"]);
    let said = text(&done.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("not enrolled") && said.contains("init --machine"), "{said}");
}

#[test]
fn without_a_service_status_finds_something() {
    let dir = enrolled();
    assert_eq!(pcm(dir.path(), &["status"]).status.code(), Some(10));
    let quiet = pcm(dir.path(), &["status", "--quiet"]);
    assert_eq!((quiet.status.code(), quiet.stdout.len(), quiet.stderr.len()), (Some(10), 0, 0));
}

#[test]
fn a_dry_run_changes_nothing() {
    let dir = enrolled();
    let would = pcm(dir.path(), &["hold", "--for", "2h", "--reason", "x", "--dry-run", "--json"]);
    let would: serde_json::Value = serde_json::from_slice(&would.stdout).unwrap();
    assert_eq!(would["dry_run"], true);
    let status = pcm(dir.path(), &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["held_until"].is_null());
}

#[test]
fn what_was_done_is_visible_to_the_next_view() {
    let dir = enrolled();
    assert!(pcm(dir.path(), &["defer", "BP0000Y", "--for", "2h", "--reason", "release"]).status.success());
    let list = pcm(dir.path(), &["list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["requests"][0]["state"], "deferred");
    assert!(pcm(dir.path(), &["hold", "--for", "1h", "--reason", "move"]).status.success());
    assert!(text(&pcm(dir.path(), &["list"]).stdout).contains("HELD until"));
    let audit = text(&pcm(dir.path(), &["audit"]).stdout);
    assert!(audit.contains("defer") && audit.contains("release") && audit.contains("hold"), "{audit}");
    assert!(pcm(dir.path(), &["audit", "verify"]).status.success());
}

#[test]
fn a_reader_that_goes_away_ends_pcm_quietly() {
    let dir = enrolled();
    let mut child =
        command(dir.path(), &["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
}

#[test]
fn hostile_arguments_reach_no_terminal_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let done = pcm(dir.path(), &["explain", "\u{1b}]0;x\u{7}"]);
    assert!(!done.stderr.contains(&0x1b) && !done.stderr.contains(&7), "{}", text(&done.stderr));
}

#[test]
fn a_share_is_linted_by_folder_by_file_and_as_configured() {
    let dir = enrolled();
    let share = dir.path().join("share");
    let lint = |args: &[&str]| {
        let done = pcm(dir.path(), &[&["site", "lint", "--json"], args].concat());
        let doc: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(if doc["ok"] == true { 0 } else { 10 }), "{doc}");
        doc
    };
    let configured = lint(&[]);
    assert_eq!(configured["ok"], true, "{configured}");
    assert_eq!(configured, lint(&[share.to_str().unwrap()]));
    let file = share.join("pcmins.box/BP004000.INS");
    assert_eq!(lint(&[file.to_str().unwrap()])["ok"], true);
    let wrong = std::fs::read_to_string(&file).unwrap().replace("background = true", "background = false");
    let draft = dir.path().join("draft.INS");
    std::fs::write(&draft, wrong).unwrap();
    let doc = lint(&[draft.to_str().unwrap()]);
    let item = doc["items"].as_array().unwrap().iter().find(|i| i["verdict"] == "block").unwrap();
    assert_eq!(item["item"], "contradictions");
    assert!(item["evidence"].as_str().unwrap().contains("draft.INS, line "), "{item}");
    let of = |args: &[&str]| refused(dir.path(), &[&["site", "lint"], args].concat());
    assert_eq!(of(&["/no/such/share"]), (4, "no-such-file".into()));
    assert_eq!(of(&["--zone", "Atlantis/Capital"]), (2, "usage".into()));
    assert_eq!(of(&["--dry-run"]), (2, "usage".into()));
}

#[test]
fn help_is_there_for_every_verb_and_a_group_alone_lists_what_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let done = pcm(dir.path(), args);
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    };
    assert_eq!(said(&["help"]).1, said(&["--help"]).1);
    for verb in ["run", "site lint", "restart defer", "help"] {
        let words: Vec<&str> = verb.split(' ').collect();
        let (status, help, _) = said(&[&["help"], &words[..]].concat());
        assert_eq!((status, &help), (0, &said(&[&words[..], &["--help"]].concat()).1), "{verb}");
    }
    let (status, _, wrong) = said(&["help", "nonsense"]);
    assert!(status == 2 && wrong.contains("no verb `nonsense`"), "{wrong}");
    for (group, what) in
        [("restart", "cancel"), ("service", "install"), ("site", "lint"), ("package", "content")]
    {
        let (status, _, list) = said(&[group]);
        assert!(status == 2 && list.contains(&format!("\n  {what}")), "{group}: {list}");
    }
    assert_eq!(refused(dir.path(), &["restart"]), (2, "usage".into()));
}

#[test]
fn a_notice_is_said_to_whom_it_went_or_why_to_nobody() {
    let dir = enrolled();
    assert_eq!(refused(dir.path(), &["notice"]), (2, "usage".into()));
    assert_eq!(refused(dir.path(), &["notice", " "]), (2, "no-text".into()));
    let would = pcm(dir.path(), &["notice", "we", "restart", "at", "six", "--dry-run"]);
    assert!(text(&would.stdout).contains("tell everybody who is logged on"), "{}", text(&would.stderr));
}

#[test]
fn log_ends_as_grep_does() {
    let dir = enrolled();
    std::fs::write(dir.path().join("a.log"), "2026-11-24 10:00:00 one thing\n").unwrap();
    let status = |args: &[&str]| pcm(dir.path(), &[&["log"], args].concat()).status.code().unwrap();
    assert_eq!(status(&["a.log"]), 0);
    assert_eq!(status(&["a.log", "--grep", "thing"]), 0);
    assert_eq!(status(&["a.log", "--grep", "nothing of it"]), 1);
    assert_eq!(refused(dir.path(), &["log", "missing.log"]), (2, "no-such-file".into()));
    assert_eq!(refused(dir.path(), &["log", "share"]), (2, "unreadable".into()), "a folder is no log");
    // Beside one that can be read, too: what is missing is not silently missing.
    assert_eq!(refused(dir.path(), &["log", "a.log", "share"]), (2, "unreadable".into()));
}
