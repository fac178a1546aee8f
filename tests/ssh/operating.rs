//! An operator at the other end of a line: keys, sizes, and a line that drops during a run.

use super::common::*;
use super::escapes::forbidden;
use super::pty::Terminal;
use super::sshd::Sshd;
use std::time::{Duration, Instant};

/// An optional package that says when it begins and ends, and waits for the test in between if it is told to.
fn optional(waits: bool) -> (Site, Service) {
    let mut site = Site::new();
    let between = if waits { site.waits_for_go() } else { ":".to_owned() };
    let script = format!("{}; {between}; {}", site.say("begin"), site.say("end"));
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let service = site.service();
    site.wait_blocked("BP0000Y", &["optional"]);
    (site, service)
}

fn consoles(sshd: &Sshd) -> Vec<u32> {
    sshd.processes_with(|line| line.starts_with(env!("CARGO_BIN_EXE_pcm")))
}

#[test]
fn keys_and_sizes_come_through_and_the_end_leaves_nothing_behind() {
    let Some(sshd) = Sshd::start() else { return };
    let (site, _service) = optional(false);
    let since = Instant::now();
    let mut console = Terminal::start(&sshd.terminal(&site.command(&[])), 80, 24);
    console.wait("BP0000Y");
    println!("first screen over ssh: {:?}", since.elapsed());
    wait_for("24 rows", || console.rows()[23].contains("? help"));
    for (cols, rows) in [(120, 36), (60, 15), (80, 24)] {
        console.resize(cols, rows);
        wait_for("the new size", || {
            let drawn = console.rows();
            drawn.len() == usize::from(rows) && drawn[usize::from(rows) - 1].contains("help")
        });
    }
    console.keys("e");
    console.wait("mandatory");
    console.keys("\x1b");
    console.wait("LOGGED ON");
    console.keys("r");
    console.wait_until("the question", |s| s.contains("as "));
    console.confirm();
    console.wait("succeeded");
    assert_eq!(consoles(&sshd).len(), 1);
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    console.wait_end();
    assert!(!console.alternate() && console.cursor() && !console.brackets());
    assert_eq!(forbidden(&console.bytes(), 120, 36), Vec::<String>::new());
    wait_for("nothing is left", || sshd.processes().is_empty());
    assert_eq!(site.ran("end"), 1);
}

#[test]
fn a_line_that_drops_during_a_run_ends_the_console_and_nothing_else() {
    let Some(sshd) = Sshd::start() else { return };
    let (site, _service) = optional(true);
    let mut console = Terminal::start(&sshd.terminal(&site.command(&[])), 80, 24);
    console.wait("offered");
    console.keys("r");
    console.wait_until("the question", |s| s.contains("as "));
    console.confirm();
    wait_for("the package has begun", || site.ran("begin") == 1);
    console.wait("running");
    assert_eq!(consoles(&sshd).len(), 1);
    // The client is gone from one moment to the next: what drops is the connection.
    console.signal("-9");
    let since = Instant::now();
    wait_for("console and session have gone", || sshd.processes().is_empty());
    println!("line dropped: console and session gone after {:?}", since.elapsed());
    assert_eq!(site.ran("end"), 0, "the package went on meanwhile");
    site.go();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!((site.ran("begin"), site.ran("end")), (1, 1));
    // Whoever comes back sees what became of it.
    let mut again = Terminal::start(&sshd.terminal(&site.command(&[])), 80, 24);
    again.wait("succeeded");
    again.keys("q");
    assert_eq!(again.wait_exit(), 0);
}

#[test]
fn a_client_that_stops_reading_holds_up_neither_service_nor_the_end_of_the_console() {
    let Some(sshd) = Sshd::start() else { return };
    let (site, _service) = optional(false);
    let console = Terminal::start(&sshd.terminal(&site.command(&[])), 80, 24);
    console.wait("offered");
    let pid = consoles(&sshd)[0].to_string();
    // The other end is stopped: nothing is read, no key comes, the connection stands.
    console.signal("-STOP");
    assert!(site.pcm(&["run", "BP0000Y", "--wait"]).status.success(), "the machine goes on");
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    wait_for_or(Duration::from_secs(30), || consoles(&sshd).is_empty()).unwrap();
    console.signal("-CONT");
}
