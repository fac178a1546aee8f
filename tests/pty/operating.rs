//! An operator at work: run, defer, stop, with keys.

use super::common::*;
use super::pty::Terminal;

/// One optional request with this script, `%ran%` in it says so to the witness and `%go%` waits for the test, and a service.
fn optional(script: &str) -> (Site, Service) {
    let mut site = Site::new();
    let hash = site.package(
        "BP00000A",
        &script.replace("%ran%", &site.say("ran")).replace("%go%", &site.waits_for_go()),
    );
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let service = site.service();
    site.wait_blocked("BP0000Y", &["optional"]);
    (site, service)
}

#[test]
fn a_package_is_triggered_with_keys_and_seen_to_succeed() {
    let (site, _service) = optional("echo working; %ran%");
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP0000Y");
    console.wait("offered");
    console.keys("r");
    // The question says what, where and as whom, before anything happens.
    console.wait("Acme Workstation 4.0");
    console.wait_until("the question", |s| s.contains(MACHINE) && s.contains("as "));
    assert_eq!(site.ran("ran"), 0);
    console.keys("\r");
    console.wait("cancelled, nothing was done");
    console.keys("r");
    console.confirm();
    console.wait("succeeded");
    assert_eq!(site.ran("ran"), 1, "Enter did not confirm, y did, once");
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    let audit = site.json(&["audit"])["entries"].take();
    assert_eq!((audit[0]["verb"].as_str(), audit[0]["request_id"].as_str()), (Some("run"), Some("BP0000Y")));
}

#[test]
fn a_confirmation_that_is_declined_does_nothing() {
    let (site, _service) = optional("%ran%");
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("offered");
    for no in ["n", "\x1b"] {
        console.keys("r");
        console.wait_until("the question", |s| s.contains("as "));
        console.keys(no);
        console.wait_until("the list again", |s| !s.contains("as "));
    }
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    assert_eq!(site.json(&["audit"])["entries"].as_array().unwrap().len(), 0);
}

#[test]
fn a_mandatory_package_is_deferred_with_a_reason() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(now() + seconds(3600))]);
    let _service = site.service();
    let mut console = Terminal::start(&site.command(&[]), 100, 30);
    console.wait("BP0000Y");
    console.keys("d");
    console.wait_until("the form", |s| s.to_lowercase().contains("reason"));
    console.keys("2h\t");
    console.keys("release week");
    console.wait("release week");
    console.keys("\r");
    console.confirm();
    console.wait("deferred");
    site.wait_state("BP0000Y", "deferred");
    assert_eq!(site.json(&["show", "BP0000Y"])["deferrals"][0]["reason"], "release week");
}

#[test]
fn quitting_while_a_package_runs_does_not_end_it() {
    let (site, _service) = optional("%go%; %ran%");
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("offered");
    console.keys("r");
    console.wait_until("the question", |s| s.contains("as "));
    console.confirm();
    console.wait("running");
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    site.go();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
}

#[test]
fn keys_that_are_typed_into_a_question_run_nothing() {
    let (site, _service) = optional("%ran%");
    let mut console = Terminal::start(&site.command(&[]), 100, 30);
    console.wait("offered");
    // Both in one write, as what is typed ahead arrives.
    console.keys("ry");
    console.wait("too soon");
    console.wait("Run BP0000Y on BP004000 (host ");
    // A key that has no name here, and what comes after it.
    console.keys("\x1b[25~y");
    console.wait_until("no question", |s| !s.contains("carries it out"));
    assert!(console.screen().contains("offered"), "{}", console.screen());
    console.keys("r");
    console.confirm();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
}

#[test]
fn the_overview_says_what_happened_and_the_log_each_poll_as_well() {
    let (site, _service) = optional("%ran%");
    let mut console = Terminal::start(&site.command(&[]), 100, 30);
    console.wait("New packages found.");
    console.keys("3");
    console.wait("Looking for instruction file");
    console.keys("1");
    console.wait_until("the overview", |s| s.contains("LOGGED ON") && s.contains("New packages found."));
    let screen = console.screen();
    for poll in ["Looking for instruction file", "Packages before filter", "sleeping "] {
        assert!(!screen.contains(poll), "{screen}");
    }
}

#[test]
fn the_help_names_the_keys_and_read_only_says_so() {
    let (site, _service) = optional("%ran%");
    let mut console = Terminal::start(&site.command(&["--read-only"]), 80, 24);
    console.wait("[RO]");
    console.keys("?");
    console.wait_until("the help", |s| s.contains("KEYS of") && s.contains("run") && s.contains("defer"));
    // Below the keys every command stands in words.
    console.keys("\x1b[6~");
    console.wait("run this request now");
    console.keys("\x1b");
    console.wait("LOGGED ON");
    console.keys("ry");
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    assert_eq!(site.ran("ran"), 0);
}

#[test]
fn a_lost_history_is_said_by_the_console_and_by_its_checklist() {
    let (site, service) = optional("%ran%");
    service.terminate();
    std::fs::remove_file(site.state().join("history.db")).unwrap();
    let _service = site.service();
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("history-lost");
    console.keys("7");
    console.wait("platform"); // the rows are there: before that, there is no page
    console.keys("\x1b[6~\x1b[6~"); // two pages on
    console.wait_until("the row of the history", |s| {
        s.lines().any(|line| line.contains("FAIL history") && line.contains("history-lost"))
    });
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}

#[test]
fn several_are_run_at_once_those_that_wait_are_seen_in_the_queue_and_x_takes_one_out() {
    let mut site = Site::new();
    let mut requests = Vec::new();
    for (n, id) in ["BP00001", "BP00002", "BP00003"].iter().enumerate() {
        let script = format!("{}; {}", site.waits_for_go(), site.say(id));
        let package = format!("BP0000{n}B");
        let hash = site.package(&package, &script);
        let request = Request::due(id).set("content_sha256", format!("\"{hash}\""));
        requests.push(request.set("package_id", format!("\"{package}\"")).set("mandatory_after", ""));
    }
    site.publish(&requests);
    let _service = site.service();
    for id in ["BP00001", "BP00002", "BP00003"] {
        site.wait_blocked(id, &["optional"]);
    }
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP00003");
    console.keys("   ");
    console.wait("3 marked");
    console.keys("r");
    console.wait("RUN 3 REQUESTS");
    console.confirm();
    console.wait("run: 1 of 3 done, 2 queued");
    console.keys("q");
    console.wait("1 of 2, ");
    console.wait("2 of 2, ");
    console.keys("G");
    console.wait_until("the last one selected", |s| s.lines().any(|line| line.starts_with("> BP00003")));
    console.keys("x");
    console.wait("takes it out of the queue");
    console.keys("wrong day\r");
    console.confirm();
    console.wait("1 of 1, ");
    site.go();
    site.wait_state("BP00002", "succeeded");
    assert_eq!((site.ran("BP00001"), site.ran("BP00002"), site.ran("BP00003")), (1, 1, 0));
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}
