//! Histories and results that were lost, and restarts in the middle.

use super::common::reports::report_at;
use super::common::*;
use std::fs;

fn published() -> Site {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    site
}

fn two_polls(site: &Site) {
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

/// The history was deleted, damaged or purged, and everything was installed again.
#[test]
fn q229809_a_history_that_was_deleted_damaged_or_purged_installs_nothing_again() {
    for harm in [
        |db: &std::path::Path| fs::remove_file(db).unwrap(),
        |db: &std::path::Path| fs::write(db, b"").unwrap(),
        |db: &std::path::Path| {
            let db = rusqlite::Connection::open(db).unwrap();
            db.execute_batch("DELETE FROM attempts").unwrap();
        },
    ] {
        let site = published();
        let service = site.service();
        site.wait_state("BP0000Y", "succeeded");
        service.terminate();
        harm(&site.state().join("history.db"));
        let _service = site.service();
        two_polls(&site);
        assert_eq!(site.ran("ran"), 1, "{}", site.log());
        let problems = site.json(&["list", "--all"])["problems"].to_string();
        assert!(problems.contains("history-lost"), "{problems}");
    }
}

/// A package that restarts the machine never left pending and was repeated for ever. Here it takes the service and its
/// own run host with it, as a restart does.
#[test]
fn q175652_q158644_q164887_q191348_a_package_that_restarts_the_machine_is_never_repeated() {
    let mut site = Site::new();
    let all = "read pid name state service rest < /proc/$PPID/stat; kill -9 $service $PPID $$";
    let hash = site.package("BP00000A", &format!("{}; {all}", site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request.set("restarts", "\"program\"")]);
    let mut first = Service { child: site.command(&["service", "run"]).spawn().unwrap() };
    wait_for("it restarts the machine", || !matches!(first.child.try_wait(), Ok(None)));
    for start in 1..=2 {
        let service = site.service();
        site.wait_state("BP0000Y", "interrupted");
        two_polls(&site);
        assert_eq!(site.ran("ran"), 1, "after start {start}: {}", site.log());
        service.terminate();
    }
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 1);
}

/// The same that says so by its exit code, in order: it has succeeded, a restart is pending, and it is not repeated.
#[test]
fn q175652_a_package_that_asks_for_a_restart_has_succeeded_and_is_never_repeated() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &format!("{}; exit 194", site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request.set("restarts", "\"program\"").set("exit_codes", "{ \"194\" = \"restart\" }")]);
    for _ in 1..=2 {
        let service = site.service();
        site.wait_state("BP0000Y", "succeeded-restart");
        two_polls(&site);
        assert_eq!(site.ran("ran"), 1, "{}", site.log());
        service.terminate();
    }
}

/// Without a status MIF a job was never complete: pcm always writes a result, whatever became of the run.
#[test]
fn q164877_q166833_every_end_has_a_result_on_the_share_without_a_status_mif() {
    let mut site = Site::new();
    let of = |id: &str, package: &str, script: &str| {
        let hash = site.package(package, script);
        Request::due(id)
            .set("package_id", format!("\"{package}\""))
            .set("content_sha256", format!("\"{hash}\""))
    };
    let requests = [
        of("BP00001", "BP00000A", "exit 0"),
        of("BP00002", "BP00000B", "exit 5"),
        of("BP00003", "BP00000C", "kill -9 $PPID; sleep 1"),
        of("BP00004", "BP00000D", "exec sleep 296").set("max_run_time", "\"2s\""),
    ];
    site.publish(&requests);
    let _service = site.service();
    for (id, success, words) in [
        ("BP00001", "Success", "exit 0"),
        ("BP00002", "Failed", "exit 5"),
        ("BP00003", "Failed", "interrupted"),
        ("BP00004", "Failed", "time limit"),
    ] {
        let result = site.share().join("despoolr.box").join(MACHINE).join(format!("{id}-1.MIF"));
        wait_for(&format!("the result of {id}"), || result.is_file());
        let text = fs::read_to_string(&result).unwrap();
        assert!(text.contains(success) && text.contains(words), "{id}: {text}");
    }
}

/// The trigger was written before the result, and failures became successes: no report says that a run has ended before
/// its result is on the share.
#[test]
fn q138241_the_report_speaks_of_a_result_only_when_that_is_there() {
    let site = published();
    let despool = site.share().join("despoolr.box");
    fs::remove_dir(&despool).unwrap();
    write(&despool, b"in the way");
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let report = site.share().join("machines").join(format!("{MACHINE}.json"));
    let said = || report_at(&report)["requests"][0]["state"].as_str().unwrap_or_default().to_owned();
    two_polls(&site);
    assert_ne!(said(), "succeeded", "its result cannot be delivered yet");
    fs::remove_file(&despool).unwrap();
    make_dir(&despool);
    let result = despool.join(MACHINE).join("BP0000Y-1.MIF");
    wait_for_or(std::time::Duration::from_secs(90), || said() == "succeeded")
        .unwrap_or_else(|()| panic!("{}", site.log()));
    assert!(result.is_file());
}
