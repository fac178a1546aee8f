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
    site.wait_blocked("BP0000Y", &["optional"]);
    let request = site.request("BP0000Y").unwrap();
    assert_eq!(request["state"], "offered");
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
    site.wait_blocked("BP0000Y", &["application-only"]);
    assert_eq!(site.state_of("BP0000Y"), "offered");
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

/// A package not yet offered counted as pending and opened an empty window. Here the list, the filter of the log, the
/// operator's trigger and the service go by the same gates.
#[test]
fn q149683_a_request_that_is_not_offered_yet_is_so_for_the_list_the_log_the_operator_and_the_service() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let later = stamp(now() + seconds(3600));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", hash)
        .set("offer_after", later.clone())
        .set("mandatory_after", later.clone())]);
    let _service = site.service();
    site.wait_log("Packages before filter: 1");
    site.wait_log("Packages after filter: 0");
    // While its files are copied nobody can say when it runs.
    wait_for("it is known when it runs", || site.request("BP0000Y").unwrap()["next_run"] == later);
    let request = site.request("BP0000Y").unwrap();
    assert_eq!((&request["state"], &request["blocked_by"][0]), (&"scheduled".into(), &"not-offered".into()));
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "not-offered");
    assert_eq!(site.ran("ran"), 0);
}

/// A declared constraint was not enforced: what cannot be enforced is refused, with its place, and never ignored.
#[test]
fn q154931_a_constraint_that_cannot_be_enforced_refuses_the_request() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let constraints = [
        ("BP00001", "run_when", "\"weekends\""),
        ("BP00002", "platforms", "[\"amiga\"]"),
        ("BP00003", "max_run_time", "\"48h\""),
        ("BP00004", "disk_space", "\"plenty\""),
        ("BP00005", "restarts", "\"twice\""),
        ("BP00006", "depends_on", "[\"everything\"]"),
    ];
    let mut requests: Vec<Request> = constraints
        .iter()
        .map(|(id, key, value)| Request::due(id).set("content_sha256", hash.clone()).set(key, *value))
        .collect();
    requests.push(Request::due("BP00009").set("content_sha256", hash.clone()));
    let instructions = site.instructions(&requests);
    site.publish_text(&instructions);
    let _service = site.service();
    site.wait_state("BP00009", "succeeded");
    for (id, key, value) in constraints {
        let request = site.request(id).unwrap();
        assert_eq!(
            (&request["state"], &request["blocked_by"][0]),
            (&"rejected".into(), &"malformed".into()),
            "{request}"
        );
        let gates = site.json(&["explain", id])["gates"].take();
        let record = gates.as_array().unwrap().iter().find(|gate| gate["gate"] == "record").unwrap().clone();
        let evidence = record["evidence"].as_str().unwrap();
        let line = 1 + instructions.lines().position(|line| line == format!("{key} = {value}")).unwrap();
        assert!(evidence.contains(&format!("{MACHINE}.INS, line {line}: ")), "{id}: {evidence}");
    }
    assert_eq!(site.ran("ran"), 1, "the neighbour of bad records ran, and nothing else");
}

/// A pending package was shown once and never again: here it is shown for as long as it is pending, to whoever asks.
#[test]
fn q187287_what_is_pending_is_shown_every_time() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash).set("mandatory_after", "")]);
    let shown = |site: &Site| {
        for _ in 0..3 {
            let pending = site.json(&["list", "--pending"]);
            let ids: Vec<_> =
                pending["requests"].as_array().unwrap().iter().map(|r| &r["request_id"]).collect();
            assert_eq!(ids, ["BP0000Y"], "{pending}");
            assert_eq!(site.json_of(&["status"])["counts"]["offered"], 1);
        }
    };
    let service = site.service();
    site.wait_state("BP0000Y", "offered");
    shown(&site);
    service.terminate();
    shown(&site);
    let _service = site.service();
    shown(&site);
    site.wait_blocked("BP0000Y", &["optional"]);
    site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(site.json(&["list", "--pending"])["requests"].as_array().unwrap().len(), 0);
}
