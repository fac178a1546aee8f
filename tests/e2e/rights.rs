//! Who may view and who may operate: the kernel's word about the peer decides (PROMISES.md 5, P14).

use super::common::*;
use std::os::unix::process::CommandExt;
use std::process::Output;

/// The same command as the account `nobody`; None, with the skip printed, where that cannot be tried.
pub(super) fn as_nobody(site: &Site, args: &[&str]) -> Option<Output> {
    let root = std::process::Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let mut command = site.command(args);
    command.uid(65_534).gid(65_534);
    match command.output() {
        Ok(output) if root => Some(output),
        _ => {
            skipped("needs root, and a binary that other accounts may start");
            None
        }
    }
}

fn one_due() -> Site {
    let mut site = Site::new();
    mode(&site.path(""), 0o755);
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    site
}

#[test]
fn an_account_without_rights_may_view_and_not_operate_and_its_try_is_recorded() {
    let site = one_due();
    let _service = site.service();
    let Some(list) = as_nobody(&site, &["list", "--json"]) else { return };
    assert!(list.status.success(), "{}", text(&list));
    let status = as_nobody(&site, &["status", "--json"]).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["may_operate"], false);
    let explained = as_nobody(&site, &["explain", "BP0000Y", "--json"]).unwrap();
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    for verb in explained["allowed"].as_array().unwrap() {
        assert_eq!((&verb["ok"], &verb["code"]), (&false.into(), &"not-permitted".into()), "{verb}");
        let why = verb["why"].as_str().unwrap();
        assert!(why.contains("usermod -aG pcm-operators nobody"), "{why}");
    }
    let explained = text(&as_nobody(&site, &["explain", "BP0000Y"]).unwrap());
    assert!(
        !explained.contains("You may") && explained.contains("Nothing is possible for you"),
        "{explained}"
    );
    assert_eq!(
        site.json(&["explain", "BP0000Y"])["allowed"][0]["ok"],
        true,
        "who may operate is told otherwise"
    );
    for args in [
        &["run", "BP0000Y"][..],
        &["hold", "--for", "1h", "--reason", "x"],
        &["poll"],
        &["run", "BP0000Y", "--override", "hold", "--reason", "x"],
    ] {
        let output = as_nobody(&site, args).unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
        assert!(text(&output).contains("not-permitted"), "{}", text(&output));
    }
    assert_eq!(site.ran("ran"), 0);
    let entries = site.json(&["audit"])["entries"].take();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 4, "{entries:?}");
    for entry in entries {
        assert_eq!((entry["uid"].as_u64(), entry["result"].as_str()), (Some(65_534), Some("not-permitted")));
    }
}

#[test]
fn without_a_service_an_account_without_rights_is_told_so_and_nothing_is_lost() {
    let site = one_due();
    let Some(list) = as_nobody(&site, &["list"]) else { return };
    assert_eq!(list.status.code(), Some(6), "{}", text(&list));
    assert!(text(&list).contains("may not be read"), "{}", text(&list));
    assert!(!text(&list).contains("history-lost"), "{}", text(&list));
    let run = as_nobody(&site, &["run", "BP0000Y"]).unwrap();
    assert_eq!(run.status.code(), Some(3), "{}", text(&run));
    assert_eq!(site.ran("ran"), 0);
}

#[test]
fn nonsense_on_the_socket_ends_its_own_connection_and_nothing_else() {
    use std::io::{Read, Write};
    let site = one_due();
    let _service = site.service();
    let socket = site.state().join("pcm.sock");
    for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0; 64], &[0xff; 4096], &[0, 0, 0, 0, 2, b'{', b'}']] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || String::from_utf8_lossy(&answer).contains("bad-call"));
    }
    assert_eq!(site.json(&["list"])["service"], "running");
}

#[test]
fn a_configuration_that_may_not_be_read_is_said_to_be_that_and_not_wrong() {
    let site = one_due();
    mode(&site.config(), 0o600);
    let Some(check) = as_nobody(&site, &["list"]) else { return };
    let said = text(&check);
    assert!(said.contains("may not be read by nobody: permission denied"), "{said}");
    assert!(!said.contains("Correct the file"), "{said}");
}

/// The configuration, with this instead of what stands there.
fn reconfigure(site: &Site, from: &str, to: &str) {
    let text = std::fs::read_to_string(site.config()).unwrap();
    assert!(text.contains(from), "{text}");
    write(&site.config(), text.replace(from, to).as_bytes());
}

/// The name of the group with this number.
fn group(gid: u32) -> String {
    let known = std::fs::read_to_string("/etc/group").unwrap();
    let of = |line: &str| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == gid.to_string()).then(|| name.to_owned())
    };
    known.lines().find_map(of).unwrap_or_default()
}

#[test]
fn the_operators_group_counts_from_the_next_call_on_and_no_longer_than_it_stands_there() {
    let mut site = Site::with_config("[operators]\ngroup = \"no-such-group\"\n");
    mode(&site.path(""), 0o755);
    site.publish(&[]);
    let _service = site.service();
    let hold = ["hold", "--for", "1h", "--reason", "x"];
    let Some(refused) = as_nobody(&site, &hold) else { return };
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    let theirs = format!("group = \"{}\"", group(65_534));
    reconfigure(&site, "group = \"no-such-group\"", &theirs);
    let done = as_nobody(&site, &hold).unwrap();
    assert!(done.status.success(), "{}", text(&done));
    reconfigure(&site, &theirs, "group = \"another-group\"");
    let refused = as_nobody(&site, &["unhold"]).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("members of the group another-group"), "{}", text(&refused));
    assert!(site.json(&["status"])["held_until"].is_string(), "the hold stays");
}

#[test]
fn a_setting_that_is_changed_is_obeyed_or_status_says_that_it_needs_a_restart() {
    let mut site = Site::with_config("[log]\nformat = \"cmtrace\"\n");
    site.publish(&[]);
    let service = site.service();
    site.json(&["poll"]);
    assert!(!site.log().contains("] Package Command Manager ==>"), "{}", site.log());
    reconfigure(&site, "format = \"cmtrace\"", "format = \"classic\"");
    site.json(&["poll"]);
    wait_for("the log is written in the other format", || {
        site.log().contains("] Package Command Manager ==>")
    });
    assert!(site.json(&["status"])["problems"].as_array().unwrap().is_empty());
    let elsewhere = site.path("elsewhere");
    reconfigure(&site, "format = \"classic\"", &format!("dir = \"{}\"", elsewhere.display()));
    let needs = || {
        site.json_of(&["status"])["problems"].as_array().unwrap().iter().any(|p| p["code"] == "needs-restart")
    };
    wait_for("status says that it needs a restart", needs);
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    let said = text(&site.pcm(&["status"]));
    assert!(said.contains("[log] dir was changed since the service started"), "{said}");
    service.terminate();
    let again = site.service();
    assert!(!needs());
    assert!(elsewhere.join("PACMAN.LOG").exists());
    // What is in force is of the machine that the service was started for, whatever the file says meanwhile.
    reconfigure(&site, "machine = \"BP004000\"", "machine = \"BP004001\"");
    let error = site.refused(&["status"], 3);
    assert_eq!(error["code"], "other-machine", "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("counts when the service starts again"), "{error}");
    site.publish(&[]);
    let log = || std::fs::read_to_string(elsewhere.join("PACMAN.LOG")).unwrap_or_default();
    let polls = || log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("it has read the configuration and polls", || polls() > before + 2);
    assert!(!log().contains("BP004001.INS"), "{}", log());
    drop(again);
}
