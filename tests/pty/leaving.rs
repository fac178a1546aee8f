//! Every way out leaves the terminal as it was, and no process behind.

use super::common::*;
use super::pty::Terminal;
use std::process::Command;
use std::time::{Duration, Instant};

fn console(site: &Site) -> Terminal {
    let console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("LOGGED ON");
    assert!(console.alternate(), "it draws on the other screen");
    console
}

fn signal(console: &Terminal, name: &str) {
    let pid = console.child.process_id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

fn is_restored(console: &Terminal) {
    wait_for("the first screen is back", || !console.alternate());
    let bytes = String::from_utf8_lossy(&console.bytes()).into_owned();
    assert!(bytes.rfind("\x1b[?25h") > bytes.rfind("\x1b[?25l"), "the cursor is shown again");
}

#[test]
fn q_and_ctrl_c_leave_the_terminal_as_it_was() {
    let site = Site::new();
    for key in ["q", "\x03"] {
        let mut console = console(&site);
        console.keys(key);
        assert_eq!(console.wait_exit(), 0);
        is_restored(&console);
    }
}

#[test]
fn sigterm_restores_the_terminal() {
    let site = Site::new();
    let mut console = console(&site);
    signal(&console, "-TERM");
    console.wait_exit();
    is_restored(&console);
}

#[test]
fn a_dropped_line_ends_the_console_at_once() {
    let site = Site::new();
    let mut console = console(&site);
    console.hang_up();
    signal(&console, "-HUP");
    let clock = Instant::now();
    console.wait_exit();
    assert!(clock.elapsed() < Duration::from_secs(5), "{:?}", clock.elapsed());
}

#[test]
fn an_idle_console_writes_nothing_for_five_seconds() {
    let site = Site::with_config("polling_interval = \"60m\"");
    let _service = site.service();
    let console = console(&site);
    // It may still be taking in what the first second brings, and the minute of its clock may change once.
    let (mut last, mut since) = (console.bytes().len(), Instant::now());
    let quiet = wait_for_or(Duration::from_secs(30), || {
        let now = console.bytes().len();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() >= Duration::from_secs(5)
    });
    let bytes = console.bytes();
    let newest = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(300)..]).into_owned();
    assert!(quiet.is_ok(), "never quiet for five seconds: {newest:?}");
}

#[test]
fn without_a_terminal_it_names_the_headless_twin() {
    let site = Site::new();
    let output = site.pcm(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains(" status`"), "{}", text(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn no_size_makes_it_panic() {
    let site = Site::new();
    let mut console = console(&site);
    for (cols, rows) in [(40, 15), (20, 5), (1, 1), (200, 50), (10, 3), (300, 100), (80, 24)] {
        console.resize(cols, rows);
        console.keys("j?\x1b");
    }
    console.wait("LOGGED ON");
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}
