//! What went wrong between the notice and the start, and with restarts.

use super::common::*;
use super::logind::Logind;

/// A job archived during the countdown was half gone. Withdrawn, suspended, held, or with its configuration broken: in each
/// case nothing is started, nothing is left of it, and the log says why.
#[test]
fn q122202_what_is_taken_back_during_the_countdown_is_not_started_and_leaves_no_attempt() {
    let mut site = Site::with_config("[run]\ncountdown = \"10m\"\n");
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    site.bus = Some(logind.address.clone());
    logind.log_on("c1", "anna", "tty99");
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(std::slice::from_ref(&request));
    let _service = site.service();
    site.wait_state("BP0000Y", "countdown");

    site.publish(&[request.clone().set("suspended", "true")]);
    site.wait_log("The countdown of BP0000Y is over, nothing was started: it is waiting: suspended");
    site.publish(std::slice::from_ref(&request));
    site.wait_state("BP0000Y", "countdown");

    site.json(&["hold", "--for", "1h", "--reason", "looking into something"]);
    site.wait_state("BP0000Y", "waiting");
    site.json(&["unhold"]);
    site.wait_state("BP0000Y", "countdown");

    site.publish(&[]);
    site.wait_state("BP0000Y", "absent");
    site.wait_log("The countdown of BP0000Y is over, nothing was started: it was withdrawn");
    assert!(site.json(&["history"])["attempts"].as_array().unwrap().is_empty());
    assert_eq!(site.ran("ran"), 0, "{}", site.log());
}

/// Expiry is checked again at the end of the countdown: what expires meanwhile is not started, and the countdown is as
/// short as it has to be for it to start at all.
#[test]
fn q225056_a_request_that_is_about_to_expire_has_a_shorter_countdown_and_never_starts_late() {
    let mut site = Site::with_config("[run]\ncountdown = \"10m\"\n");
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    site.bus = Some(logind.address.clone());
    logind.log_on("c1", "anna", "tty99");
    let hash = site.package("BP00000A", &site.say("ran"));
    let expires = now() + seconds(25);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("expire_after", stamp(expires))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "countdown");
    let next = site.request("BP0000Y").unwrap()["next_run"].as_str().unwrap().to_owned();
    assert!(next.parse::<chrono::DateTime<chrono::Utc>>().unwrap() < expires, "{next}");
    wait_for("it has run, or expired where this machine was too busy", || {
        ["succeeded", "expired"].contains(&site.state_of("BP0000Y").as_str())
    });
    for attempt in site.json(&["history"])["attempts"].as_array().unwrap() {
        let claimed: chrono::DateTime<chrono::Utc> = attempt["claimed_at"].as_str().unwrap().parse().unwrap();
        assert!(claimed < expires, "{attempt}");
    }
}

/// A restart was requested and silently not carried out: here it is shown until it is done, wherever one looks, and
/// nothing else starts by itself before.
#[test]
fn q171070_a_restart_that_nobody_carries_out_stays_in_sight() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &format!("{}; exit 10", site.say("ran"))));
    let wants = Request::due("BP0000Y").set("exit_codes", "{ \"10\" = \"restart\" }");
    let next = Request::due("BP0000Z").set("mandatory_after", "2026-11-02T00:00:00Z");
    site.publish(&[wants.set("content_sha256", hash.clone()), next.set("content_sha256", hash)]);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded-restart");
    site.wait_state("BP0000Z", "waiting");
    let seen = |site: &Site| {
        let status = site.json_of(&["status"]);
        assert_eq!(status["restart_pending"], true, "{status}");
        assert_eq!(status["restart"]["requests"][0], "BP0000Y", "{status}");
        assert_eq!(site.request("BP0000Z").unwrap()["blocked_by"][0], "restart-pending");
    };
    seen(&site);
    wait_for("the site is told", || {
        let report = std::fs::read(site.share().join("machines/BP004000.json")).unwrap_or_default();
        String::from_utf8_lossy(&report).contains("\"restart_pending\":true")
    });
    service.terminate();
    seen(&site);
    let _service = site.service();
    seen(&site);
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
}
