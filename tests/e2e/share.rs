//! What a share can be: away, denied, loose, half-written, hostile.

use super::common::*;
use std::fs;

#[test]
fn missing_denied_and_unpublished_are_told_apart() {
    let site = Site::new();
    let _service = site.service();
    wait_for("no instruction file", || site.json(&["list"])["problems"].to_string().contains("ins-missing"));
    site.wait_log("No instruction file.");
    let poll = site.refused(&["poll"], 4);
    assert_eq!(poll["code"], "ins-missing");
    assert!(poll["remedy"].as_str().unwrap().contains("withdrawn"), "what is held is not in force: {poll}");
    fs::rename(site.share(), site.path("away")).unwrap();
    wait_for("the share is away", || site.json(&["list"])["problems"].to_string().contains("share-missing"));
    assert_eq!(site.refused(&["poll"], 5)["code"], "share-missing");
    make_dir(&site.share());
    wait_for("an empty mount point is not a share", || {
        site.json(&["list"])["problems"].to_string().contains("share-missing")
    });
}

#[test]
fn the_last_valid_file_stays_in_force_while_the_share_is_away() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    let service = site.service();
    site.publish_for(&Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")), 5);
    fs::rename(site.share(), site.path("away")).unwrap();
    service.kill();
    let _again = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
}

#[test]
fn one_bad_request_does_not_hide_the_others_and_is_named_with_its_line() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let text = site.instructions(&[
        Request::due("BP00001").set("content_sha256", hash.clone()),
        Request::due("BP00002").set("run_when", "\"sometimes\""),
        Request::due("BP00003").set("command_line", "\"../../bin/sh -c evil\""),
        Request::due("BP00004").set("content_sha256", hash).set("mandatory_after", "2026-11-01T02:00:00Z"),
    ]);
    site.publish_text(&text);
    let _service = site.service();
    site.wait_state("BP00004", "succeeded");
    assert_eq!(site.state_of("BP00001"), "succeeded");
    let bad = site.request("BP00002").unwrap();
    assert_eq!((bad["state"].as_str(), bad["blocked_by"][0].as_str()), (Some("rejected"), Some("malformed")));
    let line = 1 + text.lines().position(|l| l.contains("sometimes")).unwrap();
    assert_eq!(bad["problems"][0]["line"].as_u64(), Some(line as u64), "{bad}");
    assert!(bad["problems"][0]["field"].as_str().unwrap().contains("run_when"));
    assert_eq!(site.request("BP00003").unwrap()["blocked_by"][0], "command-refused");
}

#[test]
fn a_half_written_file_is_never_acted_on_and_the_old_one_stays_in_force() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP00001").set("content_sha256", hash.clone()).set("mandatory_after", "")]);
    let _service = site.service();
    site.wait_state("BP00001", "offered");
    let whole = site.instructions(&[Request::due("BP00002").set("content_sha256", hash)]);
    let cut = whole.find("[end]").unwrap();
    site.publish_text(&whole[..cut]);
    wait_for("it is told", || site.json(&["list"])["problems"].to_string().contains("malformed"));
    assert_eq!((site.state_of("BP00001"), site.state_of("BP00002")), ("offered".into(), "absent".into()));
    site.publish_text(&whole);
    site.wait_state("BP00002", "succeeded");
    assert_eq!(site.state_of("BP00001"), "absent", "withdrawn and never attempted");
}

#[test]
fn a_share_that_somebody_else_may_write_runs_nothing_and_names_the_path() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    mode(&site.share().join("pcmins.box"), 0o777);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "rejected");
    let request = site.request("BP0000Y").unwrap();
    assert_eq!(request["blocked_by"][0], "loose-permissions");
    let explained = site.json(&["explain", "BP0000Y"]).to_string();
    assert!(explained.contains("pcmins.box"), "{explained}");
    mode(&site.share().join("pcmins.box"), 0o755);
    site.wait_state("BP0000Y", "succeeded");
}

#[test]
fn in_mode_signed_everything_is_unsigned() {
    let mut site = Site::new();
    let config = fs::read_to_string(site.config()).unwrap().replace("\"permissions\"", "\"signed\"");
    write(&site.config(), config.as_bytes());
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    assert_eq!(site.refused(&["poll"], 1)["code"], "unsigned");
    let _service = site.service();
    wait_for("it is said", || {
        let problems = site.json(&["list"])["problems"].as_array().unwrap().clone();
        problems.iter().any(|p| p["code"] == "unsigned" && p.to_string().contains("pcm init --trust-key"))
    });
    assert!(site.request("BP0000Y").is_none(), "nothing of it is read");
    assert!(!site.pcm(&["run", "BP0000Y"]).status.success());
}

#[test]
fn a_job_that_is_cancelled_directly_before_its_time_does_not_start() {
    let mut site = Site::with_config("polling_interval = \"60m\"");
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(now() + seconds(25))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "offered");
    site.publish(&[]);
    let looks = || site.log().matches("Looking for instruction file").count();
    let before = looks();
    wait_for("the share is asked once more before the launch", || looks() > before);
    wait_for("it is withdrawn", || site.state_of("BP0000Y") == "absent");
    assert_eq!(site.ran("ran"), 0);
}

#[test]
fn pipes_and_links_in_the_place_of_the_instruction_file_hold_nothing_up() {
    let site = Site::new();
    let ins = site.share().join("pcmins.box").join(format!("{MACHINE}.INS"));
    assert!(std::process::Command::new("mkfifo").arg(&ins).status().unwrap().success());
    let _service = site.service();
    site.wait_log("Looking for instruction file");
    wait_for("polls go on", || site.log().matches("Looking for instruction file").count() >= 3);
    fs::remove_file(&ins).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &ins).unwrap();
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("polls go on", || polls() >= before + 3);
    assert!(!site.log().contains("root:"), "nothing of the link's target is read");
}

/// `polling_interval` of `PCM.SITE` is obeyed by machines that do not say themselves.
#[test]
fn the_site_says_how_often_where_the_machine_does_not() {
    let mut site = Site::with_config("# The polling_interval is the site's.");
    let of_site = |interval: &str| {
        format!("format = 1\nsite = \"BP0\"\nname = \"Head office\"\npolling_interval = \"{interval}\"\n")
    };
    write(&site.share().join("PCM.SITE"), of_site("1s").as_bytes());
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "")]);
    let status = || {
        let output = site.pcm(&["status", "--json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let _service = site.service();
    let looks = || site.log().matches("Looking for instruction file").count();
    wait_for("several looks within an hour", || looks() >= 4);
    assert_eq!(
        (status()["polling_interval_s"].as_u64(), status()["polling_by"].as_str()),
        (Some(1), Some("site"))
    );
    let text = String::from_utf8(site.pcm(&["status"]).stdout).unwrap();
    assert!(text.contains("every 1s as the site says"), "{text}");
    // The machine's own word goes before the site's.
    let config = std::fs::read_to_string(site.config()).unwrap();
    write(&site.config(), format!("polling_interval = \"2h\"\n{config}").as_bytes());
    wait_for("the machine's own interval", || status()["polling_by"] == "configuration");
    assert_eq!(status()["polling_interval_s"], 7200);
}
