//! View 5 of the console in a real terminal, on a site of 200 machines whose reports are written here.

use super::keys::json;
use super::rollout::{IN, phased, report};
use super::{command, pcm, text};
use crate::common::pty::Terminal;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Nothing more comes for so long once a key has been answered.
const QUIET: Duration = Duration::from_millis(700);

/// View 5 with the cursor on the job that was sent: it has so many targets, of which none is done.
pub fn on_the_job(start: &Command, targets: &str) -> Terminal {
    let mut console = Terminal::start(start, 80, 24);
    console.wait("BP0000AB");
    console.keys("j");
    console.wait(&format!("targets {targets} = done 0"));
    console
}

#[test]
fn figures_lead_to_their_machines_and_a_job_is_suspended_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 200, "100%");
    for machine in 0..120 {
        report(dir, machine, 2, "succeeded");
    }
    for machine in 120..126 {
        report(dir, machine, 2, "failed");
    }
    for machine in 126..170 {
        report(dir, machine, 2, "deferred");
    }
    // A minimal installation has no data of zones.
    let zone = Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists();
    if zone {
        let toml = dir.join("site/site.toml");
        let before = fs::read_to_string(&toml).unwrap();
        fs::write(&toml, format!("{before}zone = \"Asia/Tokyo\"\n")).unwrap();
    }
    let mut console = Terminal::start(&command(dir, &["--folder", "site"]), 80, 24);
    console.wait("BP0000AB");
    if zone {
        console.wait(" +09:00");
    }
    console.keys("j");
    console.wait("targets 200 = done 120");
    console.wait("failed 6");
    console.wait("silent 30");
    // What is counted is what `pcm rollout` counts.
    let told = json(dir, &[&["rollout", "BP0000AB"][..], &IN].concat());
    assert_eq!(
        (told["jobs"][0]["waiting"].as_u64(), told["jobs"][0]["done"].as_u64()),
        (Some(44), Some(120))
    );
    console.keys("\r\r");
    console.wait("BP0000AB deferred 44");
    // What it costs to move in a list.
    let mut costs = Vec::new();
    for key in ["j", "j", "k", "j", "j"] {
        console.wait_quiet(QUIET);
        let before = console.count();
        console.keys(key);
        crate::common::wait_for("the key shows", || console.count() > before);
        costs.push(console.wait_quiet(QUIET) - before);
    }
    costs.sort_unstable();
    assert!(costs[3] < 300, "{costs:?}");
    console.keys("/");
    console.wait("where:");
    console.keys("host == \"node-13*\"\r");
    console.wait("10 of 44");
    console.keys("o");
    console.wait("failed or interrupted 6");
    console.keys("\r");
    console.wait("reports every");
    console.wait("node-120");
    console.keys("\x1b");
    console.wait("failed or interrupted 6");
    console.keys("P");
    console.wait("SUSPEND-JOB BP0000AB");
    console.keys("200\rtoo many calls\r");
    console.wait_quiet(QUIET);
    console.keys("y");
    console.wait("Enter goes back to the console");
    // Ctrl-C is for the verb, even where that has just ended.
    console.keys("\x03");
    console.wait_quiet(QUIET);
    console.keys("\r");
    console.wait("job suspend BP0000AB");
    console.keys("\x1b");
    console.wait("suspended: too many calls");
    assert_eq!(console.quit('q'), 0);
    let shown = json(dir, &[&["job", "show", "BP0000AB"][..], &IN].concat());
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&"suspended".into(), &"too many calls".into()),
        "{shown}"
    );
}

#[test]
fn targets_that_came_since_the_job_was_sent_are_named_in_the_console() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 10, "100%");
    json(dir, &["site", "machine", "add", "BP051001", "--group", "lab", "--folder", "site"]);
    let mut console = on_the_job(&command(dir, &["--folder", "site"]), "11 (+1)");
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn without_a_site_the_view_says_what_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for args in [
        &["site", "init", "share", "--hand-made", "--site", "BP0", "--example", "BP004000"][..],
        &["init", "--machine", "BP004000", "--share", "share", "--trust", "permissions"],
    ] {
        let done = pcm(dir, args);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let mut console = Terminal::start(&command(dir, &[]), 80, 24);
    console.wait("BP004000");
    console.keys("5");
    console.wait("no site folder is named");
    console.wait("--folder DIR");
    assert_eq!(console.quit('q'), 0);
}
