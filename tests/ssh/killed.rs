//! Whatever dies with the operator's connection, the package goes on, once, and its end is known (PROMISES.md P1, P6).

use super::common::stat::stat;
use super::common::*;
use super::pty::Terminal;
use super::sshd::Sshd;
use std::process::Command;

/// A package that an operator may run: it says that it begins and that it ends, and ends with 5.
fn optional() -> Site {
    let mut site = Site::new();
    let script = format!("{}; {}; {}; exit 5", site.say("begin"), site.waits_for_go(), site.say("end"));
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    site
}

/// The package is run with keys from a console over SSH, and has begun.
fn triggered(site: &Site, sshd: &Sshd) -> Terminal {
    site.wait_blocked("BP0000Y", &["optional"]);
    let mut console = Terminal::start(&sshd.terminal(&site.command(&[])), 80, 24);
    console.wait("offered");
    console.keys("r");
    console.wait_until("the question", |s| s.contains("as "));
    console.confirm();
    wait_for("the package has begun", || site.ran("begin") == 1);
    console
}

/// One run, one attempt, its true exit status, and the operator's name on it.
fn once_with_its_true_exit_status(site: &Site) {
    let _service = site.service();
    site.wait_state("BP0000Y", "failed");
    let attempts = site.json(&["history"])["attempts"].take();
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts}");
    assert_eq!((&attempts[0]["exit_code"], &attempts[0]["attempt"]), (&5.into(), &1.into()), "{attempts}");
    assert_eq!((site.ran("begin"), site.ran("end")), (1, 1));
    let audit = site.json(&["audit"])["entries"].take();
    assert_eq!((&audit[0]["verb"], &audit[0]["request_id"]), (&"run".into(), &"BP0000Y".into()), "{audit}");
    assert!(audit[0].to_string().contains("127.0.0.1"), "the audit names where it came from: {audit}");
}

fn kill_9(pids: &[u32]) {
    let words: Vec<String> = pids.iter().map(u32::to_string).collect();
    // One of them may already have died of another's death: what counts is that none is left.
    let _ = Command::new("kill").arg("-9").args(&words).stderr(std::process::Stdio::null()).status().unwrap();
    wait_for("they are dead", || pids.iter().all(|pid| stat(*pid).is_none_or(|stat| stat.dead)));
}

#[test]
fn kill_9_of_service_and_console_together_during_a_run_leaves_one_run_with_its_true_exit_status() {
    let Some(sshd) = Sshd::start() else { return };
    let site = optional();
    let service = site.service();
    let _console = triggered(&site, &sshd);
    let consoles = sshd.processes_with(|line| line.starts_with(env!("CARGO_BIN_EXE_pcm")));
    assert_eq!(consoles.len(), 1, "{consoles:?}");
    kill_9(&[consoles[0], service.child.id()]);
    assert_eq!(site.ran("end"), 0, "they died while it ran");
    site.go();
    once_with_its_true_exit_status(&site);
}

#[test]
fn a_service_in_the_connection_that_breaks_leaves_one_run_with_its_true_exit_status() {
    let Some(sshd) = Sshd::start() else { return };
    let site = optional();
    let service = Terminal::start(&sshd.terminal(&site.command(&["service", "run"])), 80, 24);
    site.wait_service();
    let console = triggered(&site, &sshd);
    // sshd's own processes of both connections, service and console: all that a break can take with it, at once.
    let taken = sshd.processes_with(|line| {
        line.starts_with("sshd") || line.starts_with(env!("CARGO_BIN_EXE_pcm")) && !line.contains("run-host")
    });
    assert!(taken.len() >= 4, "{taken:?}");
    kill_9(&taken);
    assert_eq!(site.ran("end"), 0, "they died while it ran");
    site.go();
    drop((service, console));
    once_with_its_true_exit_status(&site);
}
