//! The main job: a share, a service, a package at its time.

use super::common::reports::report_at;
use super::common::*;
use super::small::Small;
use pcm::testing::ExclusiveLock;
use std::process::Command;
use std::time::{Duration, Instant};

/// The article's own example.
#[test]
fn the_service_runs_a_background_mandatory_request_at_its_time_and_says_so_in_the_log() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &format!("echo installing; {}", site.say("ran")));
    let mandatory = now() + seconds(3);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(mandatory)]);
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let ins = site.share().join("pcmins.box").join(format!("{MACHINE}.INS"));
    for phrase in [
        &format!("Looking for instruction file: {}", ins.display()),
        "Packages before filter: 1",
        "Packages after filter: 1",
        "New packages found.",
        "No new packages found.",
        "Executing command line: setup.sh --silent",
        "Job completed.",
        "Reporting job status.",
        "sleeping ",
    ] {
        site.wait_log(phrase);
    }
    let attempt = site.json(&["history", "BP0000Y"])["attempts"][0].take();
    assert_eq!((attempt["attempt"].as_i64(), attempt["state"].as_str()), (Some(1), Some("succeeded")));
    assert_eq!((attempt["exit_code"].as_i64(), attempt["by"].as_str()), (Some(0), Some("service")));
    let transcript = std::fs::read_to_string(attempt["transcript"].as_str().unwrap()).unwrap();
    assert_eq!(transcript, "installing\n");
    let result = site.share().join("despoolr.box").join(MACHINE).join("BP0000Y-1.MIF");
    wait_for("the result on the share", || result.is_file());
    let report = site.share().join("machines").join(format!("{MACHINE}.json"));
    wait_for("the machine report with the result", || {
        report_at(&report)["requests"][0]["state"] == "succeeded"
    });
}

#[test]
fn a_package_sees_a_clean_environment_no_terminal_and_an_empty_standard_input() {
    let mut site = Site::new();
    let script =
        "env | sort; echo --; cat; echo eof; pwd; tty; test -r \"$PCM_PACKAGE_DIR/setup.sh\" && echo own";
    let hash = site.package("BP00000A", script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let run = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(run["state"], "succeeded");
    let show = site.json(&["show", "BP0000Y"]);
    let transcript = std::fs::read_to_string(show["attempts"][0]["transcript"].as_str().unwrap()).unwrap();
    let keys: Vec<_> =
        transcript.lines().take_while(|l| *l != "--").filter_map(|l| l.split('=').next()).collect();
    for key in [
        "PCM_REQUEST_ID",
        "PCM_PACKAGE_ID",
        "PCM_JOB_ID",
        "PCM_MACHINE_ID",
        "PCM_PACKAGE_DIR",
        "PCM_STATUS_MIF",
        "PCM_ATTEMPT",
    ] {
        assert!(keys.contains(&key), "{key} is missing:\n{transcript}");
    }
    for key in &keys {
        let expected = key.starts_with("PCM_")
            || ["PATH", "LANG", "HOME", "DEBIAN_FRONTEND", "PWD", "OLDPWD", "SHLVL", "_"].contains(key);
        assert!(expected, "{key} was inherited:\n{transcript}");
    }
    assert!(
        !keys.contains(&"PCM_CONFIG") && transcript.contains("eof") && transcript.contains("not a tty"),
        "{transcript}"
    );
    assert!(transcript.ends_with("own\n"), "{transcript}");
}

#[test]
fn one_package_at_a_time_and_the_other_says_that_it_waits_for_it() {
    let mut site = Site::new();
    let slow =
        format!("\"{}\"", site.package("BP00000A", &format!("{}; {}", site.say("ran"), site.waits_for_go())));
    site.publish(&[
        Request::due("BP00001").set("content_sha256", slow.clone()),
        Request::due("BP00002").set("content_sha256", slow).set("mandatory_after", "2026-11-01T02:00:00Z"),
    ]);
    let _service = site.service();
    site.wait_state("BP00001", "running");
    site.wait_blocked("BP00002", &["busy"]);
    assert_eq!(site.refused(&["run", "BP00002", "--no-queue"], 3)["code"], "busy");
    site.go();
    site.wait_state("BP00002", "succeeded");
}

#[test]
fn a_starting_service_waits_for_the_one_that_holds_the_executor() {
    let site = Site::new();
    let first = site.service();
    let mut second = site.command(&["service", "run"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut says = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(second.stderr.take().unwrap()), &mut says)
        .unwrap();
    assert!(says.contains("pcm service") && says.contains("held by"), "it names the holder: {says}");
    assert!(second.try_wait().unwrap().is_none(), "it does not exit because of it");
    first.terminate();
    wait_for("the second one takes over", || site.json(&["list"])["service"] == "running");
    second.kill().unwrap();
    second.wait().unwrap();
}

/// Neither the log nor standard error can be written: on a full disk they often share it.
#[test]
fn a_service_that_can_say_nothing_anywhere_runs_what_is_due() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let log = site.state().join("log");
    let _ = std::fs::remove_dir_all(&log);
    std::fs::write(&log, b"in the way").unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut service = site.command(&["service", "run"]).stderr(full).spawn().unwrap();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    assert!(service.try_wait().unwrap().is_none(), "it is still there");
    service.kill().unwrap();
    service.wait().unwrap();
}

#[test]
fn rust_log_shows_polls_decisions_claims_launches_ends_calls_and_reports() {
    let mut site = Site::new();
    let content = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP00001").set("content_sha256", content)]);
    let file = site.path("diagnostics");
    let mut command = site.command(&["service", "run"]);
    command.env("RUST_LOG", "pcm=debug").stderr(std::fs::File::create(&file).unwrap());
    let mut service = command.spawn().unwrap();
    let wanted = ["poll:", "decision", "claim protocol:", "launch", "end ", "socket:", "report:"];
    let said = || std::fs::read_to_string(&file).unwrap_or_default();
    wait_for("all of it is said", || {
        let _ = site.pcm(&["list"]);
        wanted.iter().all(|words| said().contains(words))
    });
    assert!(!said().contains('\u{1b}'), "{}", said());
    service.kill().unwrap();
    service.wait().unwrap();
}

/// What a view made without the service would say, that nothing runs by itself, is not so.
#[test]
fn a_service_that_cannot_be_reached_is_not_told_as_none() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(now() + seconds(20))]);
    let _service = site.service();
    let socket = site.state().join("pcm.sock");
    wait_for("it can be reached", || socket.exists() && site.pcm(&["list"]).status.success());
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, b"").unwrap();
    for args in [
        &["status"][..],
        &["list"],
        &["explain", "BP0000Y"],
        &["simulate"],
        &["hold", "--for", "1h", "--reason", "audit"],
        &["run", "BP0000Y"],
    ] {
        let failure = site.refused(args, 1);
        assert_eq!(failure["code"], "executor-not-answering", "{args:?}: {failure}");
        assert!(failure["message"].as_str().unwrap().contains("pcm service (pid "), "{args:?}: {failure}");
    }
    wait_for("it goes on all the same", || site.ran("ran") == 1);
    std::fs::remove_file(&socket).unwrap();
    site.wait_state("BP0000Y", "succeeded");
}

/// Nobody waits for minutes for a service that answers nobody.
#[test]
fn what_a_service_that_hangs_was_told_is_known_to_be_unknown_within_half_a_minute() {
    let site = Site::new();
    let service = site.service();
    wait_for("it can be reached", || site.pcm(&["list"]).status.success());
    let signal = |signal: &str| {
        let done = Command::new("kill").args([signal, &service.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    };
    signal("-STOP");
    let clock = Instant::now();
    std::thread::scope(|all| {
        for (args, exit, code) in [
            (&["hold", "--for", "1h", "--reason", "audit"][..], 8, "outcome-unknown"),
            (&["poll"], 8, "outcome-unknown"),
            (&["simulate"], 1, "executor-not-answering"),
            (&["status"], 1, "executor-not-answering"),
        ] {
            let site = &site;
            all.spawn(move || assert_eq!(site.refused(args, exit)["code"], code, "{args:?}"));
        }
    });
    let took = clock.elapsed();
    signal("-CONT");
    assert!(took < Duration::from_secs(60), "they took {took:?}");
    wait_for("it answers again", || site.pcm(&["list"]).status.success());
    // Nobody waited for it any more: what was asked while it hung is not done when it comes back.
    assert!(site.json_of(&["status"])["held_until"].is_null());
    assert_eq!(site.json(&["audit"])["entries"], serde_json::json!([]));
}

/// A log on a full disk is a problem of every view, and says afterwards what it lacks.
#[test]
fn a_log_whose_disk_was_full_says_how_many_lines_it_lacks() {
    let site = Site::new();
    let log = site.state().join("log");
    make_dir(&log);
    let Some(small) = Small::over(log) else { return };
    let _service = site.service();
    site.wait_log("Looking for instruction file");
    small.fill();
    let problem = || {
        let doc = site.json_of(&["status"]);
        doc["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "log-unwritable")
    };
    wait_for("it is said", problem);
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    small.make_room();
    wait_for("the log goes on", || !problem());
    let said = site.log();
    let told = said
        .lines()
        .filter(|line| line.contains(" line(s) are missing here: this log could not be written from "))
        .count();
    assert_eq!(told, 1, "{said}");
}

#[test]
fn a_service_that_waits_for_who_works_by_hand_says_it_as_the_original_did() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", "true");
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    // What `pcm run` holds while no service runs: for milliseconds, which no test can meet for sure.
    assert!(site.pcm(&["poll"]).status.success());
    let lock = ExclusiveLock::try_take(&site.state().join("lock"), "root").unwrap().unwrap();
    let _service = site.service_begun();
    site.wait_log("The desktop version already has the mutex.");
    drop(lock);
    site.wait_state("BP0000Y", "succeeded");
}
