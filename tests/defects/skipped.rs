//! Packages that did not run, or ran, without a word.

use super::common::*;

/// A background job that was not mandatory never ran, and nothing said so.
#[test]
fn q174933_a_background_request_that_is_not_mandatory_says_why_it_does_not_run() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let _service = site.service();
    site.wait_state("BP0000Y", "offered");
    let request = site.request("BP0000Y").unwrap();
    assert_eq!(request["blocked_by"][0], "optional");
    assert!(request["why"].as_str().unwrap().contains("optional"), "{request}");
    let explained = site.json(&["explain", "BP0000Y"]);
    assert_eq!(explained["never"], true);
    let text = String::from_utf8(site.pcm(&["explain", "BP0000Y"]).stdout).unwrap();
    assert!(text.contains("pcm run BP0000Y"), "it names the way out:\n{text}");
    assert_eq!(site.ran("ran"), 0);
    site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(site.ran("ran"), 1);
}

/// The article's own example: a request without the background flag is skipped with its reason in list, explain and log,
/// and can be triggered by the operator if it needs no input.
#[test]
fn q165147_a_request_that_is_not_for_the_service_is_skipped_in_words_and_can_be_triggered() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[
        Request::due("BP0000Y").set("content_sha256", hash.clone()).set("background", "false"),
        Request::due("BP0000Z").set("content_sha256", hash).set("background", "").set("automated", ""),
    ]);
    let _service = site.service();
    site.wait_log("is not marked for service-only execution, skipping it.");
    assert_eq!(site.state_of("BP0000Y"), "offered");
    assert_eq!(site.request("BP0000Y").unwrap()["blocked_by"][0], "application-only");
    assert_eq!(site.state_of("BP0000Z"), "not-applicable");
    assert_eq!(site.request("BP0000Z").unwrap()["blocked_by"][0], "needs-input");
    let gates = site.json(&["explain", "BP0000Y"])["gates"].take();
    let kind = gates.as_array().unwrap().iter().find(|gate| gate["gate"] == "kind").unwrap().clone();
    assert_eq!((kind["verdict"].as_str(), kind["code"].as_str()), (Some("block"), Some("application-only")));
    assert_eq!(site.ran("ran"), 0);
    assert_eq!(site.refused(&["run", "BP0000Z"], 3)["code"], "needs-input");
    let run = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!((run["state"].as_str(), run["exit_code"].as_i64()), (Some("succeeded"), Some(0)));
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 0));
}
