//! What an open window did to the service.

use super::common::*;
use super::pty::Terminal;

/// An open details window blocked a mandatory run: a console holds no lock, whatever it shows.
#[test]
fn q160853_open_details_and_an_open_confirmation_do_not_block_a_mandatory_run() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request.clone().mandatory(now() + seconds(3600))]);
    let _service = site.service();
    site.wait_blocked("BP0000Y", &["not-mandatory-yet"]);
    let mut details = Terminal::start(&site.command(&[]), 120, 36);
    details.wait("BP0000Y");
    details.keys("\r");
    details.wait("mandatory");
    let mut asking = Terminal::start(&site.command(&[]), 80, 24);
    asking.wait("BP0000Y");
    asking.keys("r");
    asking.wait_until("the question", |screen| screen.contains("as "));
    site.publish(&[request]);
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    assert!(details.child.try_wait().unwrap().is_none() && asking.child.try_wait().unwrap().is_none());
}

/// Without a service too: two consoles look on while a command takes the lock for its own run.
#[test]
fn q160853_consoles_without_a_service_do_not_keep_a_command_from_running() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP0000Y");
    let run = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(run["state"], "succeeded");
    console.wait("succeeded");
}
