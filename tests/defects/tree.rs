//! Packages that hang, and launchers that end before what they launched.

use super::common::*;
use std::time::Duration;

/// Names, in the environment of the living, of the packages of this site.
fn alive(site: &Site) -> usize {
    let mark = format!("PCM_STATUS_MIF={}", site.state().display());
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = entries.map(|entry| std::fs::read(entry.path().join("environ")).unwrap_or_default());
    environments.filter(|bytes| String::from_utf8_lossy(bytes).contains(&mark)).count()
}

fn of(site: &Site, id: &str, package: &str, script: &str) -> Request {
    let hash = site.package(package, script);
    Request::due(id).set("package_id", format!("\"{package}\"")).set("content_sha256", format!("\"{hash}\""))
}

/// A hung installer blocked everything for ever. Here it is reported while it hangs, ended whole by its time limit, and
/// what waits behind it runs.
#[test]
fn q214448_q201764_a_hung_installer_is_reported_ended_whole_and_blocks_nothing_afterwards() {
    let mut site = Site::new();
    let hung = "cd \"${PCM_STATUS_MIF%/*}\"; mkfifo answer; (trap '' TERM; sleep 298) & exec 3<>answer; read line <&3";
    site.publish(&[
        of(&site, "BP0000Y", "BP00000A", hung).set("max_run_time", "\"12s\""),
        of(&site, "BP0000Z", "BP00000B", &site.say("ran")).set("mandatory_after", "2026-11-02T00:00:00Z"),
    ]);
    let _service = site.service();
    wait_for("it is reported while it hangs", || {
        let why = site.request("BP0000Y").map(|request| request["why"].clone()).unwrap_or_default();
        why.as_str().is_some_and(|why| why.contains("appears to wait for input"))
    });
    assert_eq!(site.request("BP0000Z").unwrap()["blocked_by"][0], "busy");
    wait_for_or(Duration::from_secs(90), || site.state_of("BP0000Y") == "timed-out").unwrap();
    site.wait_state("BP0000Z", "succeeded");
    assert_eq!((site.ran("ran"), alive(&site)), (1, 0));
}

/// The launcher exited while its children still installed: the share was disconnected under them, and success was
/// reported.
#[test]
fn q156271_q128612_q158734_q274592_a_run_ends_when_its_whole_tree_has_and_needs_no_share() {
    let mut site = Site::new();
    // The child reads its own package after the launcher has ended and the share has gone.
    let told = site.path("told").display().to_string();
    let child = format!(
        "while [ ! -e '{told}' ]; do sleep 0.1; done; grep -q setsid \"$PCM_PACKAGE_DIR/setup.sh\" && {}",
        site.say("installed")
    );
    site.publish(&[of(
        &site,
        "BP0000Y",
        "BP00000A",
        &format!("{}; (setsid sh -c '{}' &) ; exit 0", site.say("launched"), child.replace('\'', "'\\''")),
    )]);
    let _service = site.service();
    wait_for("the launcher has run", || site.ran("launched") == 1);
    let away = site.path("away");
    std::fs::rename(site.share(), &away).unwrap();
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("it is looked at again", || polls() >= before + 2);
    assert_eq!(site.state_of("BP0000Y"), "running", "its child still installs");
    std::fs::write(told, b"").unwrap();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!((site.ran("installed"), alive(&site)), (1, 0));
    let attempt = site.json(&["history", "BP0000Y"])["attempts"][0].take();
    assert_eq!((attempt["exit_code"].as_i64(), attempt["attempt"].as_i64()), (Some(0), Some(1)));
}

/// A number was taken for another one. What a package returns means what its table says, and nothing else.
#[test]
fn q149672_an_exit_code_means_what_the_table_says() {
    let mut site = Site::new();
    // 6 is "invalid handle" elsewhere, 3 "still running" here and there; 17 is this publisher's success.
    for (id, code, state) in
        [("BP00001", 6, "failed"), ("BP00002", 3, "failed"), ("BP00003", 17, "succeeded")]
    {
        let request = of(&site, id, &format!("BP00000{}", &id[6..]), &format!("exit {code}"));
        site.publish(&[request.set("exit_codes", "{ \"17\" = \"success\" }")]);
        let run = site.json_of(&["run", id, "--wait"]);
        assert_eq!((run["state"].as_str(), run["exit_code"].as_i64()), (Some(state), Some(code)), "{run}");
        assert!(run["result"].as_str().unwrap().starts_with(&format!("exit {code} ")), "{run}");
    }
}

/// The cure for what never ended wedged the queue for ever: whatever runs ends by itself or by an operator, and then the
/// next one runs.
#[test]
fn q193784_what_runs_ends_by_an_operator_and_the_next_one_runs() {
    let mut site = Site::new();
    site.publish(&[
        of(&site, "BP0000Y", "BP00000A", &format!("{}; exec sleep 297", site.say("begun"))),
        of(&site, "BP0000Z", "BP00000B", &site.say("ran")).set("mandatory_after", "2026-11-02T00:00:00Z"),
    ]);
    let _service = site.service();
    wait_for("it has begun", || site.ran("begun") == 1);
    site.json(&["stop", "BP0000Y", "--reason", "it hangs"]);
    site.wait_state("BP0000Y", "stopped");
    site.wait_state("BP0000Z", "succeeded");
    assert_eq!((site.ran("begun"), site.ran("ran"), alive(&site)), (1, 1, 0));
}
