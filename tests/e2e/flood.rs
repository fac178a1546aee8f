//! Another local user who asks for more than a socket can give: operators are answered, and memory and history stay small.

use super::common::*;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the user's process can do with the socket; it says `ready` when it has done all of it, and stays until it is ended.
const USER: &str = concat!(
    include_str!("../common/letters.py"),
    r#"
import time
path, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

calls = {
    "audit": {"view": {"audit": None}},
    "list": {"view": "list"},
    "simulate": {"view": {"simulate": {"request": None, "from": "2026-01-01T00:00:00Z",
                                       "until": "2027-01-01T00:00:00Z", "assume": {}}}},
    "refused": {"change": {"what": {"hold": {"until": "2030-01-01T00:00:00Z", "replace": False}}, "reason": "x", "dry_run": False}},
}
kept = []
if what == "refused":
    # Its other connections may have all places for a while: then it is turned away, and asks again.
    s, refused = None, 0
    while refused < count:
        try:
            s = s or connect(path, 20)
            s.sendall(letter(calls[what]))
            told = answer(s)
        except OSError: told = b""
        if b"not-permitted" in told: refused += 1
        else: s = None
else:
    for n in range(count):
        try:
            s = connect(path, 20)
            if what != "idle": s.sendall(letter(calls[what]))
            kept.append(s)
        except OSError: pass
print("ready", flush=True)
time.sleep(600)
"#
);

struct User(Child);

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Another account does this so often; None, with the skip printed, where that cannot be tried.
fn user(site: &Site, what: &str, count: u32) -> Option<User> {
    let mut command = Command::new("python3");
    command.args(["-c", USER]).arg(site.state().join("pcm.sock")).args([what, &count.to_string()]);
    command.uid(65_534).gid(65_534).stdout(Stdio::piped()).stdin(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        skipped("needs root and python3");
        return None;
    };
    let mut said = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).unwrap();
    assert_eq!(said, "ready\n", "{what}");
    Some(User(child))
}

/// The service's memory in KiB: the most that it ever had.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How long the first answer took, with the start of a process, which a busy machine makes longer than any bound.
fn operator_is_answered(site: &Site, during: &str) -> Duration {
    let begun = Instant::now();
    let status = site.json_of(&["status"]);
    let took = begun.elapsed();
    assert_eq!(status["service"], "running", "{during}: {status}");
    let held = site.json(&["hold", "--for", "1h", "--reason", during]);
    assert!(held["held_until"].is_string(), "{during}: {held}");
    site.json(&["unhold"]);
    took
}

#[test]
fn a_user_who_floods_the_socket_keeps_no_operator_from_it_and_fills_nothing() {
    let mut site = Site::new();
    mode(&site.path(""), 0o755);
    let requests: Vec<_> =
        (0..300).map(|n| Request::due(&format!("BP0{n:04}")).set("mandatory_after", "")).collect();
    site.publish(&requests);
    let service = site.service();
    // Asked once by one of each kind: what the program itself takes, which grows with every release, is in memory then.
    for what in ["list", "audit", "simulate", "refused"] {
        let Some(one) = user(&site, what, 1) else { return };
        operator_is_answered(&site, what);
        drop(one);
    }
    let begun_with = memory(&service);
    let mut users = Vec::new();
    for (what, count) in [("idle", 200), ("list", 60), ("audit", 60), ("simulate", 60), ("refused", 2000)] {
        let Some(user) = user(&site, what, count) else { return };
        users.push(user);
        let took = operator_is_answered(&site, what).as_millis();
        println!(
            "flood: {what} x {count}: the operator is answered in {took} ms, VmHWM {} KiB",
            memory(&service)
        );
    }
    let more = memory(&service) - begun_with;
    assert!(more < 12 << 10, "{more} KiB more than the {begun_with} KiB of one of each");
    drop(users);
    // What was refused is in the audit, all of it, in a few entries.
    service.terminate();
    let audit = site.json(&["audit"]);
    let refused: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["result"] == "not-permitted")
        .collect();
    assert!(refused.len() <= 20, "{} entries", refused.len());
    let all: u64 = refused.iter().map(|entry| entry["times"].as_u64().unwrap_or(1)).sum();
    assert_eq!(all, 2001);
    let said = text(&site.pcm(&["audit"]));
    assert!(said.contains(" times since "), "{said}");
}

#[test]
fn an_audit_of_many_pages_is_shown_whole_and_in_order() {
    let site = Site::new();
    let service = site.service();
    // Two entries each.
    let polls = 300;
    for _ in 0..polls {
        site.json(&["unhold"]);
    }
    let whole = |site: &Site| {
        let audit = site.json(&["audit"]);
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2 * polls, "with and without a service");
        assert!(entries.is_sorted_by_key(|entry| entry["at"].as_str().unwrap()));
        assert!(audit.get("older").is_none(), "{}", audit["older"]);
    };
    whole(&site);
    service.terminate();
    whole(&site);
}
