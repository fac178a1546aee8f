//! Times that were missed, or passed unnoticed.

use super::common::*;

/// A job first seen after its expiry ran.
#[test]
fn q255284_a_request_first_seen_after_its_expiry_never_runs() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    let content = format!("\"{hash}\"");
    site.publish(&[
        Request::due("BP0000Y")
            .set("content_sha256", content.clone())
            .set("expire_after", stamp(now() - seconds(60))),
        Request::due("BP0000Z").set("content_sha256", content),
    ]);
    let _service = site.service();
    site.wait_state("BP0000Z", "succeeded");
    assert_eq!(site.state_of("BP0000Y"), "expired");
    assert_eq!(site.ran("ran BP0000Y"), 0);
    let refusal = site.refused(&["run", "BP0000Y"], 3);
    assert_eq!(refusal["code"], "expired");
}

/// Expiry is checked again directly before the launch: what expires while another package runs does not start.
#[test]
fn q255284_a_request_that_expires_while_it_waits_its_turn_never_runs() {
    let mut site = Site::new();
    let quick = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let slow = format!("\"{}\"", site.package("BP00000B", &format!("{}; sleep 6", site.say("ran"))));
    site.publish(&[
        Request::due("BP00001").set("package_id", "\"BP00000B\"").set("content_sha256", slow),
        Request::due("BP00002")
            .set("content_sha256", quick)
            .set("mandatory_after", "2026-11-01T02:00:00Z")
            .set("expire_after", stamp(now() + seconds(5))),
    ]);
    let _service = site.service();
    site.wait_state("BP00001", "succeeded");
    site.wait_state("BP00002", "expired");
    assert_eq!((site.ran("ran BP00001"), site.ran("ran BP00002")), (1, 0), "{}", site.log());
}

/// The instruction file was evaluated only when it changed; times that passed went unnoticed. Here it is read once, the
/// next poll is an hour away, and the mandatory time passes in between.
#[test]
fn q163488_a_mandatory_time_that_passes_between_polls_starts_the_package() {
    let mut site = Site::with_config("polling_interval = \"60m\"");
    let hash = site.package("BP00000A", &site.say("ran"));
    let mandatory = now() + seconds(4);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(mandatory)]);
    let _service = site.service();
    site.wait_log("Packages before filter: 1");
    assert_eq!(site.state_of("BP0000Y"), "offered");
    site.wait_state("BP0000Y", "succeeded");
    let attempt = site.json(&["history", "BP0000Y"])["attempts"][0].take();
    let claimed: chrono::DateTime<chrono::Utc> = attempt["claimed_at"].as_str().unwrap().parse().unwrap();
    assert!(claimed >= mandatory - seconds(1), "never before mandatory after");
    // The next poll is an hour away: whatever started it, it was the time.
    assert!(claimed - mandatory < seconds(30), "late by {}", claimed - mandatory);
}
