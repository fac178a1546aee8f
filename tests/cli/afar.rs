//! What view 5 does to machines through `ssh`, in a real terminal. The `ssh` here is a script in PATH that does for each host
//! what its file says; behind one of them is pcm itself on a machine that is enrolled.

use super::rollout::{id, phased, report};
use super::rollout_view::on_the_job;
use super::{command, text};
use crate::common::pty::Terminal;
use crate::common::{install_script, make_dir, wait_for};
use crate::e2e::small::Small;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Nothing more comes for so long once a key has been answered.
const QUIET: Duration = Duration::from_millis(700);

/// Its words are written down; what the host then does stands in a file of its name, and reads them, too.
const SSH: &str = r#"#!/bin/sh
all="$*"
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
printf '%s\n' "$all" >> "DIR/calls/$host"
. "DIR/hosts/$host"
"#;

/// A site of so many machines with a job for them, and the client that reaches them.
fn site(dir: &Path, machines: usize) {
    phased(dir, machines, "100%");
    for folder in ["bin", "calls", "hosts"] {
        fs::create_dir(dir.join(folder)).unwrap();
    }
    let script = dir.join("bin/ssh");
    install_script(&script, &SSH.replace("DIR", dir.to_str().unwrap()));
}

fn host(dir: &Path, n: usize, does: &str) {
    fs::write(dir.join(format!("hosts/node-{n}")), does.replace("DIR", dir.to_str().unwrap())).unwrap();
}

fn calls(dir: &Path, n: usize) -> String {
    fs::read_to_string(dir.join(format!("calls/node-{n}"))).unwrap_or_default()
}

/// The list of the machines, which all say that they wait, with none marked.
fn console(dir: &Path, machines: usize) -> Terminal {
    // None has said so before it was enrolled: it would have lost its history.
    (0..machines).for_each(|n| report(dir, n, 2, "deferred"));
    let own = Path::new(env!("CARGO_BIN_EXE_pcm")).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut start: Command = command(dir, &["--folder", "site"]);
    start.env_remove("PCM_SSH").env("PATH", format!("{}/bin:{}:{path}", dir.display(), own.display()));
    let mut console = on_the_job(&start, &machines.to_string());
    console.keys("\r\r");
    console.wait(&format!("BP0000AB deferred {machines}"));
    console
}

const REFUSES: &str =
    "echo '{\"error\":{\"code\":\"x\",\"message\":\"no\",\"remedy\":\"Ask ola\",\"exit\":3}}' >&2; exit 3";
const NO_ROUTE: &str = "echo \"ssh: connect to host $host port 22: No route to host\" >&2; exit 255";
const CUT: &str = "while [ ! -e DIR/go ]; do sleep 0.1; done; echo 'client_loop: Broken pipe' >&2; exit 255";
const STARTS: &str =
    "while [ ! -e DIR/go ]; do sleep 0.1; done; echo '{\"request_id\":\"BP0000Z\",\"state\":\"running\"}'";

#[test]
fn each_of_the_marked_machines_is_asked_and_what_became_of_it_is_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, 12);
    let there = |args: &[&str]| {
        let mut pcm = command(dir, args);
        pcm.env("PCM_CONFIG", dir.join("far/pcm.toml")).env("PCM_STATE", dir.join("far/state"));
        let done = pcm.output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let share = dir.join("site/share").display().to_string();
    there(&["init", "--machine", &id(0), "--share", &share, "--trust", "permissions"]);
    host(dir, 0, "PCM_CONFIG=DIR/far/pcm.toml PCM_STATE=DIR/far/state exec sh -c \"$*\"");
    (1..10).for_each(|n| host(dir, n, REFUSES));
    host(dir, 10, NO_ROUTE);
    host(dir, 11, CUT);
    let mut console = console(dir, 12);
    console.keys("*");
    console.wait("12 marked");
    console.keys("h");
    console.wait("HOLD on 12 machines");
    console.wait("node-[0-11]");
    // Without the number nothing is done.
    console.keys("\t\t\ty");
    console.wait("type the number of machines: 12");
    console.keys("\x1b");
    console.wait("nothing was done");
    console.keys("h");
    console.wait("HOLD on 12 machines");
    console.keys("12\r2h\rit's; $(touch x)\r");
    console.wait_quiet(QUIET);
    console.keys("y");
    console.wait("hold: 1 of 12 done, 1 not reached, 9 refused, 1 not answered yet");
    let screen = console.screen();
    for wanted in ["node-[1-9]: no. Ask ola", "node-10: No route to host", "node-0: held until"] {
        assert!(screen.contains(wanted), "{wanted}: {screen}");
    }
    fs::write(dir.join("go"), "").unwrap();
    console.wait("1 not known, 1 not reached, 9 refused");
    console.keys("g");
    console.wait("Broken pipe");
    console.keys("\x1b");
    console.wait_quiet(QUIET);
    let held: serde_json::Value = serde_json::from_str(&there(&["unhold", "--json"])).unwrap();
    assert!(held["held_until"].is_null());
    let audit = there(&["audit", "--json"]);
    assert!(audit.contains("it's; $(touch x)"), "{audit}");
    assert!(!dir.join("x").exists());
    for (n, call) in (0..12).map(|n| (n, calls(dir, n))) {
        assert_eq!(call.lines().count(), 1, "{call}");
        let wanted = format!("-- node-{n} pcm --expect-machine {} hold --until=", id(n));
        assert!(
            call.contains(&wanted) && call.contains("BatchMode=yes") && call.contains("ConnectTimeout="),
            "{call}"
        );
    }
    // Its log has the terminal until Ctrl-C, and stays readable until Enter.
    console.keys("g");
    console.wait_quiet(QUIET);
    console.keys("l");
    console.wait("log of node-0; Ctrl-C ends it");
    console.wait("Held until");
    console.keys("\x03");
    console.wait("Enter goes back to the console");
    console.keys("\r");
    console.wait("the log is closed");
    // So does the console of the machine under the cursor, and gives it back at its end.
    host(dir, 0, "case \"$all\" in -t*) echo \"FAR $*\"; read line;; esac");
    console.keys("c");
    console.wait(&format!("FAR pcm --expect-machine {}", id(0)));
    console.keys("\r");
    console.wait(&format!("the console of {} has ended", id(0)));
    host(dir, 0, NO_ROUTE);
    console.keys("c");
    console.wait("Enter goes back to the console");
    console.keys("\r");
    console.wait("No route to host");
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn no_more_than_32_are_asked_at_once_and_the_rest_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, 40);
    (0..40).for_each(|n| host(dir, n, STARTS));
    let mut console = console(dir, 40);
    console.keys("*");
    console.wait("40 marked");
    console.keys("r");
    console.wait("RUN BP0000Z on 40 machines");
    console.keys("40\r");
    console.wait_quiet(QUIET);
    console.keys("y");
    console.wait("0 of 40 done, 32 not answered yet, 8 not asked yet");
    console.keys("x");
    console.wait("8 machines not asked any more; 32 begun, and not taken back");
    let begun = || (0..40).filter(|n| !calls(dir, *n).is_empty()).count();
    wait_for("those that have begun are called", || begun() == 32);
    fs::write(dir.join("go"), "").unwrap();
    console.keys("j");
    console.wait("run BP0000Z: 32 of 40 done, 8 not asked");
    assert_eq!(begun(), 32);
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn evidence_of_marked_machines_is_a_file_of_each_in_a_folder_here_or_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, 7);
    let there = |args: &[&str]| {
        let mut pcm = command(dir, args);
        pcm.env("PCM_CONFIG", dir.join("far/pcm.toml")).env("PCM_STATE", dir.join("far/state"));
        let done = pcm.output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
    };
    let share = dir.join("site/share").display().to_string();
    there(&["init", "--machine", &id(0), "--share", &share, "--trust", "permissions"]);
    there(&["evidence", "BP0000Z", "--out", &dir.join("good").display().to_string()]);
    let far = "PCM_CONFIG=DIR/far/pcm.toml PCM_STATE=DIR/far/state exec sh -c \"$*\"";
    host(dir, 0, far);
    host(dir, 1, REFUSES);
    host(dir, 2, NO_ROUTE);
    host(dir, 3, "head -c 2000 DIR/good; exit 0");
    host(dir, 4, "echo Welcome; cat DIR/good");
    host(dir, 5, "cat DIR/good /dev/zero");
    host(dir, 6, "cat DIR/good");
    make_dir(&dir.join("kept"));
    let name = |n: usize| format!("pcm-evidence-BP0000Z-{}.tar.zst", id(n));
    fs::write(dir.join("kept").join(name(6)), "mine").unwrap();
    let mut console = console(dir, 7);
    console.keys("*");
    console.wait("7 marked");
    let ask = |console: &mut Terminal, folder: &Path| {
        console.keys(":evidence\r");
        console.wait("EVIDENCE BP0000Z on ");
        console.keys(&format!("7\r\x15{}\r", folder.display()));
        console.wait_quiet(QUIET);
        console.keys("y");
    };
    ask(&mut console, &dir.join("kept"));
    console.wait("evidence BP0000Z: 1 of 7 done, 1 not reached, 4 failed, 1 refused");
    for (n, word) in
        [(1, "no. Ask ola"), (2, "No route"), (3, "a part of"), (4, "no archive"), (5, "than 64 MB")]
    {
        console.wait(&format!("node-{n}: "));
        let row = console.rows().into_iter().find(|row| row.contains(&format!("node-{n}: ")));
        assert!(row.as_ref().is_some_and(|row| row.contains(word)), "{word}: {}", console.screen());
    }
    let mut kept: Vec<String> = fs::read_dir(dir.join("kept"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, [name(0), name(6)], "nothing of the others is left");
    assert_eq!(fs::read(dir.join("kept").join(name(6))).unwrap(), b"mine");
    assert!(calls(dir, 6).is_empty(), "it was not asked");
    let file = dir.join("kept").join(name(0));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&file).unwrap().starts_with(b"\x28\xb5\x2f\xfd"));
    let call = calls(dir, 0);
    let words = format!("-- node-0 pcm --expect-machine {} evidence BP0000Z --out - --json", id(0));
    assert!(call.trim_end().ends_with(&words) && call.contains("BatchMode=yes"), "{call}");
    // A disk that is full is said of each, and nothing is left there either.
    console.keys("\x1b");
    console.wait_quiet(QUIET);
    make_dir(&dir.join("small"));
    if let Some(small) = Small::over(dir.join("small")) {
        small.fill();
        let before = fs::read_dir(&small.0).unwrap().count();
        console.keys("*");
        console.wait("7 marked");
        ask(&mut console, &small.0);
        console.wait("evidence BP0000Z: 0 of 7 done, 1 not reached, 5 failed, 1 refused");
        assert!(console.screen().contains("No space left"), "{}", console.screen());
        assert_eq!(fs::read_dir(&small.0).unwrap().count(), before);
    }
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn a_console_that_ends_leaves_nothing_of_evidence_that_has_not_come_whole() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, 2);
    // It begins as an archive does.
    let slow = "printf '\\050\\265\\057\\375'; while [ -e DIR/calls ] && [ ! -e DIR/go ]; do sleep 0.1; done";
    (0..2).for_each(|n| host(dir, n, slow));
    for (n, end) in ["q", "-TERM", "-HUP"].into_iter().enumerate() {
        let kept = dir.join(format!("kept{n}"));
        let mut console = console(dir, 2);
        console.keys("*");
        console.wait("2 marked");
        console.keys(":evidence\r");
        console.wait("EVIDENCE BP0000Z on ");
        console.keys(&format!("2\r\x15{}\r", kept.display()));
        console.wait_quiet(QUIET);
        console.keys("y");
        let names = || fs::read_dir(&kept).map_or(0, Iterator::count);
        wait_for("both grow", || names() == 2);
        match end {
            "q" => assert_eq!(console.quit('q'), 0),
            signal => {
                console.signal(signal);
                console.wait_exit();
            }
        }
        assert_eq!(names(), 0, "{end}");
    }
    fs::write(dir.join("go"), "").unwrap();
}
