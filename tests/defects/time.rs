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
    let _service = site.service();
    let mandatory = now() + seconds(4);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(mandatory)]);
    site.json(&["poll"]);
    site.wait_log("Packages before filter: 1");
    assert_eq!(site.state_of("BP0000Y"), "offered");
    site.wait_state("BP0000Y", "succeeded");
    let attempt = site.json(&["history", "BP0000Y"])["attempts"][0].take();
    let claimed: chrono::DateTime<chrono::Utc> = attempt["claimed_at"].as_str().unwrap().parse().unwrap();
    assert!(claimed >= mandatory - seconds(1), "never before mandatory after");
    // The next poll is an hour away: whatever started it, it was the time.
    assert!(claimed - mandatory < seconds(30), "late by {}", claimed - mandatory);
}

/// An hour off around daylight saving. Times without a zone follow the clock on this machine's wall: what that skips
/// means the first instant after it, what it shows twice the first of the two.
#[test]
fn q189305_q169474_q186132_local_times_over_a_clock_change_mean_one_instant_by_rule() {
    let mut site = Site::new();
    // Noon is in no doubt; the others are an hour that the clock skips, the night after it, and an hour that comes twice.
    let times = [
        ("BP00001", "2027-03-13T12:00:00", "2027-03-13T17:00:00Z"),
        ("BP00002", "2027-03-14T02:30:00", "2027-03-14T07:00:00Z"),
        ("BP00003", "2027-03-15T02:30:00", "2027-03-15T06:30:00Z"),
        ("BP00004", "2027-11-07T01:30:00", "2027-11-07T05:30:00Z"),
        ("BP00005", "2027-11-08T01:30:00", "2027-11-08T06:30:00Z"),
    ];
    // A program of the system's list, so that there are no files to be copied.
    let request = |id: &str, local: &str| {
        Request::due(id).set("command_line", "\"dpkg\"").set("mandatory_after", local)
    };
    let instructions = site.instructions(&times.map(|(id, local, _)| request(id, local)));
    write(&site.path("BP004000.INS"), instructions.as_bytes());
    let file = site.path("BP004000.INS").display().to_string();
    let from = ["--from", "2027-03-10T00:00:00Z", "--until", "2027-11-30T00:00:00Z"];
    let assumed = ["--assume", "power=mains", "--assume", "runs=none", "--assume", "boot=long-ago"];
    let args = [&["simulate", "--file", &file, "--json"][..], &from, &assumed].concat();
    let output = site.command(&args).env("TZ", "EST5EDT,M3.2.0,M11.1.0").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (id, local, instant) in times {
        let one = said["requests"].as_array().unwrap().iter().find(|r| r["request_id"] == id).unwrap();
        assert_eq!(one["at"], instant, "{local}: {one}");
    }
}

/// Expiry overwrote the result: here it is an event that changes nothing after an attempt.
#[test]
fn q152229_what_was_attempted_keeps_its_result_when_its_expiry_comes() {
    let mut site = Site::new();
    let good = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let bad = format!("\"{}\"", site.package("BP00000B", "exit 17"));
    let requests = |expiry| {
        let request = |id: &str, hash: &str| {
            Request::due(id).set("content_sha256", hash).set("expire_after", stamp(expiry))
        };
        [request("BP00001", &good), request("BP00002", &bad).set("package_id", "\"BP00000B\"")]
    };
    site.publish(&requests(now() + seconds(3600)));
    let _service = site.service();
    site.wait_state("BP00001", "succeeded");
    site.wait_state("BP00002", "failed");
    let attempts = site.json(&["history"])["attempts"].take();
    let expiry = now() + seconds(2);
    site.publish(&requests(expiry));
    wait_for("their expiry has come", || now() > expiry);
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
    assert_eq!((site.state_of("BP00001"), site.state_of("BP00002")), ("succeeded".into(), "failed".into()));
    assert_eq!(site.json(&["history"])["attempts"], attempts, "nothing of it has changed");
    let expired = site.json(&["list", "--expired"]);
    assert_eq!(expired["requests"].as_array().unwrap().len(), 0, "{expired}");
}

/// Expired records wrote a result at every cycle and flooded the servers: that it has expired is recorded once, and what
/// was never attempted has no result.
#[test]
fn q188042_an_expired_request_is_recorded_once_and_writes_no_result() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y").set("expire_after", stamp(now() - seconds(60)))]);
    let service = site.service();
    site.wait_state("BP0000Y", "expired");
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("six more polls", || polls() >= before + 6);
    service.terminate();
    let again = site.service();
    let before = polls();
    wait_for("polls of the next service", || polls() >= before + 3);
    again.terminate();
    let results = std::fs::read_dir(site.share().join("despoolr.box").join(MACHINE));
    assert_eq!(results.map_or(0, Iterator::count), 0, "no result of what never ran");
    let db = rusqlite::Connection::open(site.state().join("history.db")).unwrap();
    let noted: i64 = db
        .query_row(
            "SELECT COUNT(*) FROM events WHERE kind = 'states' AND instr(body, 'BP0000Y') > 0",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(noted, 1, "{}", site.log());
}

/// A client's clock in the future held its result back for years: no decision uses another machine's clock, neither the
/// publisher's nor that of a file server.
#[test]
fn q172899_clocks_of_others_in_the_future_hold_nothing_back() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let report = site.share().join(format!("machines/{MACHINE}.json"));
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(10 * 365 * 86_400);
    let instructions = site.instructions(&[Request::due("BP0000Y").set("content_sha256", hash)]);
    site.publish_text(&instructions.replace("issued = 2026-11-01", "issued = 2038-01-01"));
    for file in [format!("pcmins.box/{MACHINE}.INS"), "PCM.SITE".to_owned()] {
        let file = std::fs::File::options().write(true).open(site.share().join(file)).unwrap();
        file.set_modified(ahead).unwrap();
    }
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    wait_for("its result is on the share", || {
        site.share().join(format!("despoolr.box/{MACHINE}/BP0000Y-1.MIF")).is_file()
    });
    wait_for("and its report", || {
        std::fs::read_to_string(&report).is_ok_and(|text| text.contains("\"succeeded\""))
    });
}
