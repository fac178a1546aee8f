//! A configuration that cannot be read closes the gate and is loud; nothing fails open.

use super::common::*;

#[test]
fn a_configuration_that_cannot_be_read_stops_automatic_runs_until_it_is_mended() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    let _service = site.service();
    site.publish_for(&request, 8);
    let good = std::fs::read(site.config()).unwrap();
    write(
        &site.config(),
        &[good.as_slice(), b"[windows]\nweekly = [\"Sat 22:00-06:00\", 7]\nnonsense = 1\n"].concat(),
    );
    site.wait_log("The configuration cannot be read");
    wait_for("its time has come and it waits", || site.state_of("BP0000Y") == "waiting");
    let request = site.request("BP0000Y").unwrap();
    assert!(request["blocked_by"].as_array().unwrap().iter().any(|c| c == "policy-unreadable"), "{request}");
    assert_eq!(site.ran("ran"), 0);
    write(&site.config(), &good);
    site.wait_state("BP0000Y", "succeeded");
}

#[test]
fn a_maintenance_window_keeps_a_mandatory_package_waiting_and_an_override_passes_it() {
    // A window of a minute on another day of the week than this one.
    let other = (now() + chrono::TimeDelta::days(3)).format("%a").to_string();
    let mut site =
        Site::with_config(&format!("[windows]\nweekly = [\"{other} 03:00-03:01\"]\nzone = \"local\"\n"));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("max_run_time", "\"1m\"")]);
    let _service = site.service();
    site.wait_blocked("BP0000Y", &["window-closed"]);
    let request = site.request("BP0000Y").unwrap();
    assert!(request["next_run"].is_string(), "the next window is known: {request}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "window-closed");
    let run = site.json(&["run", "BP0000Y", "--override", "window", "--reason", "asked for", "--wait"]);
    assert_eq!(run["state"], "succeeded");
}
