//! Notice before an automatic run: who is told what, and what may happen in between.

use super::common::*;
use super::logind::Logind;
use portable_pty::{PtySize, native_pty_system};
use std::io::Read;
use std::sync::{Arc, Mutex};

/// A machine with a logind of its own, and one request that is due; None where there is no imitation of logind.
fn site(countdown: &str, script: &str) -> Option<(Site, Logind)> {
    let mut site = Site::with_config(&format!("[run]\ncountdown = \"{countdown}\"\n"));
    let logind = Logind::start(&site.path("."))?;
    site.bus = Some(logind.address.clone());
    let hash = site.package("BP00000A", &format!("{}; {script}", site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    Some((site, logind))
}

fn attempts(site: &Site) -> usize {
    site.json(&["history"])["attempts"].as_array().unwrap().len()
}

fn allowed(site: &Site, verb: &str) -> bool {
    let explain = site.json(&["explain", "BP0000Y"]);
    explain["allowed"].as_array().unwrap().iter().any(|a| a["verb"] == verb && a["ok"] == true)
}

#[test]
fn a_user_at_a_real_terminal_is_told_before_a_mandatory_package_starts() {
    let Some((site, logind)) = site("8s", "exit 0") else { return };
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let terminal = pair.master.tty_name().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut reader, into) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&seen));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            into.lock().unwrap().extend(&buffer[..n]);
        }
    });
    logind.log_on("c1", "anna", terminal.strip_prefix("/dev").unwrap().to_str().unwrap());
    let _service = site.service();
    site.wait_state("BP0000Y", "countdown");
    let request = site.request("BP0000Y").unwrap();
    assert_eq!(
        (request["group"].as_str(), request["attempt"].as_i64()),
        (Some("running"), Some(0)),
        "{request}"
    );
    assert!(request["next_run"].is_string(), "{request}");
    assert_eq!(request["blocked_by"].as_array().unwrap().len(), 0, "{request}");
    assert!(request["why"].as_str().unwrap().starts_with("starts in "), "{request}");
    assert_eq!(attempts(&site), 0, "nothing is claimed yet");
    let text = || String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    wait_for("the notice is on the terminal", || text().contains("Acme Workstation 4.0 will be installed"));
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!((text().matches("Message from pcm").count(), site.ran("ran")), (1, 1), "{}", text());
    assert!(site.log().contains("Notice to anna on pts/"), "{}", site.log());
    let times = |name: &str| -> chrono::DateTime<chrono::Utc> {
        site.json(&["history"])["attempts"][0][name].as_str().unwrap().parse().unwrap()
    };
    let planned: chrono::DateTime<chrono::Utc> = request["next_run"].as_str().unwrap().parse().unwrap();
    assert!(times("claimed_at") >= planned - seconds(1), "{} before {planned}", times("claimed_at"));
}

#[test]
fn where_nobody_is_logged_on_nothing_is_counted() {
    let Some((site, _logind)) = site("10m", "exit 0") else { return };
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert!(!site.log().contains("Notice"), "{}", site.log());
}

#[test]
fn an_operator_may_defer_stop_and_run_what_counts_down_and_no_attempt_comes_of_the_first_two() {
    let Some((site, logind)) = site("10m", "exit 0") else { return };
    logind.log_on("c1", "anna", "tty99");
    let _service = site.service();
    site.wait_state("BP0000Y", "countdown");
    for verb in ["run", "defer", "stop"] {
        assert!(allowed(&site, verb), "{verb}: {}", site.json(&["explain", "BP0000Y"]));
    }
    let deferred = site.json(&["defer", "BP0000Y", "--for", "1h", "--reason", "a release"]);
    assert_eq!(deferred["state"], "deferred", "{deferred}");
    site.wait_log("The countdown of BP0000Y is over, nothing was started: it is deferred");
    site.json(&["undefer", "BP0000Y"]);
    site.wait_state("BP0000Y", "countdown");

    let would = site.json(&["stop", "BP0000Y", "--reason", "anna asked", "--dry-run"]);
    assert!(would["would"].as_str().unwrap().contains("end the countdown"), "{would}");
    let stopped = site.json(&["stop", "BP0000Y", "--reason", "anna asked"]);
    assert_eq!(stopped["state"], "deferred", "{stopped}");
    assert!(stopped["deferred_until"].is_string(), "the next decision is known: {stopped}");
    let ledger = site.json(&["show", "BP0000Y"])["deferrals"].take();
    assert_eq!(ledger[1]["reason"], "stopped during its countdown: anna asked", "{ledger}");
    assert_eq!((attempts(&site), site.ran("ran")), (0, 0));

    site.json(&["undefer", "BP0000Y"]);
    site.wait_state("BP0000Y", "countdown");
    let run = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!((run["state"].as_str(), run["attempt"].as_i64()), (Some("succeeded"), Some(1)), "{run}");
    assert_eq!((attempts(&site), site.ran("ran")), (1, 1));
}

#[test]
fn a_service_that_starts_anew_counts_anew_and_in_full() {
    let Some((site, logind)) = site("10m", "exit 0") else { return };
    logind.log_on("c1", "anna", "tty99");
    let next = |site: &Site| -> chrono::DateTime<chrono::Utc> {
        site.request("BP0000Y").unwrap()["next_run"].as_str().unwrap().parse().unwrap()
    };
    let service = site.service();
    site.wait_state("BP0000Y", "countdown");
    let first = next(&site);
    wait_for("a part of it is over", || now() > first - seconds(597));
    service.kill();
    assert_eq!(attempts(&site), 0);
    let started = now();
    let _service = site.service();
    site.wait_state("BP0000Y", "countdown");
    let second = next(&site);
    assert!(second > first && second >= started + seconds(599), "{first}, then {second}");
}
