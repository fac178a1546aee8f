//! What a machine keeps: after many runs there is as much of it as after few, but for history, transcripts and results on
//! the share; and of those what is old goes (`[retention]`).

use super::common::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something is tidied ten seconds after it was before, and what was put away ten seconds after that.
const TIDIED: Duration = Duration::from_secs(60);

fn id(n: usize) -> String {
    format!("BP0{n:04}")
}

fn due(site: &Site, ids: impl IntoIterator<Item = usize>, script: &str) -> Vec<Request> {
    let hash = site.package("BP00000A", &format!("{}\n{script}", site.say("ran")));
    ids.into_iter().map(|n| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""))).collect()
}

fn result(site: &Site, run: &str) -> PathBuf {
    site.share().join("despoolr.box").join(MACHINE).join(format!("{run}.MIF"))
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// All files below the state folder, but for the log, and for the journal, which is there while something is written.
fn kept(site: &Site) -> BTreeSet<PathBuf> {
    let walk = walkdir::WalkDir::new(site.state()).into_iter().map(Result::unwrap);
    let passes = ["log", "history.db-journal"].map(|name| site.state().join(name));
    let files = walk.filter(|entry| !passes.iter().any(|pass| entry.path().starts_with(pass)));
    files.map(|entry| entry.path().strip_prefix(site.state()).unwrap().to_owned()).collect()
}

fn wait_tidied(site: &Site, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for_or(TIDIED, &mut condition)
        .unwrap_or_else(|()| panic!("it never happened: {what}\n{:?}\n{}", kept(site), site.log()));
}

fn wait_no_runs(site: &Site) {
    wait_tidied(site, "nothing is left of what was delivered", || {
        names(&site.state().join("runs")).is_empty()
    });
}

#[test]
fn after_many_runs_a_machine_keeps_no_more_than_after_few() {
    let mut site = Site::new();
    let print = "echo what it printed; [ $PCM_REQUEST_ID != BP00003 ] || exit 17; echo x > \"${PCM_STATUS_MIF%/*}/more\"";
    let few = due(&site, 1..=4, print);
    site.publish(&few);
    let service = site.service();
    let done = |site: &Site, upto: usize| (1..=upto).all(|n| result(site, &format!("{}-1", id(n))).exists());
    wait_for("few have run", || done(&site, 4));
    wait_no_runs(&site);
    let after_few = kept(&site);

    let many = due(&site, 1..=40, print);
    site.publish(&many);
    wait_for_or(Duration::from_secs(120), || done(&site, 40)).unwrap_or_else(|()| panic!("{}", site.log()));
    wait_no_runs(&site);
    assert_eq!(kept(&site), after_few);
    service.terminate();

    // What an operator looks at is all there, of what failed as well.
    let transcripts = names(&site.state().join("log/runs"));
    assert_eq!(transcripts.len(), 40);
    assert_eq!((site.ran("ran"), site.json(&["history"])["attempts"].as_array().unwrap().len()), (40, 40));
    let failed = site.json(&["show", "BP00003"])["attempts"][0].take();
    assert_eq!((failed["state"].as_str(), failed["exit_code"].as_i64()), (Some("failed"), Some(17)));
    assert_eq!(fs::read_to_string(failed["transcript"].as_str().unwrap()).unwrap(), "what it printed\n");
    let until: chrono::DateTime<chrono::Utc> = failed["transcript_until"].as_str().unwrap().parse().unwrap();
    assert!((until - now()).num_days() >= 89, "{until}");
    assert!(text(&site.pcm(&["explain", "BP00003"])).contains("BP00003-1.log, kept until "));
}

#[test]
fn what_was_not_delivered_stays_and_no_kill_in_the_middle_loses_a_result_or_repeats_a_run() {
    let mut site = Site::new();
    let requests = due(&site, 1..=12, "echo output");
    site.publish(&requests);
    // Nothing can be delivered for now.
    let (results, aside) = (site.share().join("despoolr.box"), site.share().join("aside"));
    fs::rename(&results, &aside).unwrap();
    let service = site.service();
    wait_for_or(Duration::from_secs(60), || site.ran("ran") >= 3).unwrap();
    service.kill();
    fs::rename(&aside, &results).unwrap();
    // While they run, are delivered and go.
    let delivered =
        |site: &Site| (1..=12).filter(|n| result(site, &format!("{}-1", id(*n))).exists()).count();
    for enough in [1, 2, 3, 4, 6, 7, 8, 10, 11] {
        let service = site.service_begun();
        wait_for("some more were delivered", || delivered(&site) >= enough);
        service.kill();
    }
    let _service = site.service();
    wait_for_or(Duration::from_secs(120), || delivered(&site) == 12)
        .unwrap_or_else(|()| panic!("{}", site.log()));
    wait_no_runs(&site);
    let attempts = site.json(&["history"])["attempts"].as_array().unwrap().clone();
    // A service that dies between claim and launch has launched nothing, and that is tried again much later.
    let launched = attempts.iter().filter(|a| !a["result"].as_str().unwrap().starts_with("not launched"));
    let runs: BTreeSet<&str> = launched.clone().map(|a| a["request_id"].as_str().unwrap()).collect();
    assert!(launched.clone().all(|a| a["state"] == "succeeded"), "{attempts:?}");
    assert_eq!((attempts.len(), site.ran("ran"), runs.len()), (12, launched.count(), site.ran("ran")));
    // A result is on the share a moment before it goes from here.
    // What a service was writing when it was killed goes after an hour.
    let is_unfinished = |name: &String| name.starts_with('.') && name.ends_with(".tmp");
    wait_tidied(&site, "nothing waits to be delivered", || {
        names(&site.state().join("outbox")).iter().all(is_unfinished)
    });
}

#[test]
fn a_result_that_waits_keeps_its_run_and_adoption_still_finds_it() {
    let mut site = Site::new();
    let requests = due(&site, 1..=2, "echo output");
    site.publish(&requests[..1]);
    fs::rename(site.share().join("despoolr.box"), site.share().join("aside")).unwrap();
    let service = site.service();
    wait_for("it has ended", || site.state_of(&id(1)) == "succeeded");
    site.wait_log("did not reach the share");
    let exit = site.state().join("runs").join(format!("{}-1", id(1))).join("exit");
    // Two times of tidying: at the next start, and after another run.
    drop(service);
    let _service = site.service();
    site.publish(&requests);
    wait_for("another has ended", || site.state_of(&id(2)) == "succeeded");
    assert!(exit.is_file());
    fs::remove_file(site.state().join("history.db")).unwrap();
    wait_for("adopted", || site.pcm(&["init", "--adopt=done"]).status.success());
    assert!(!exit.exists());
    let aside = names(&site.state()).into_iter().find(|name| name.starts_with("runs.lost-")).unwrap();
    assert!(site.state().join(aside).join(format!("{}-1/exit", id(1))).is_file());
}

#[test]
fn old_transcripts_and_results_go_and_are_said_to_be_kept_no_longer() {
    let mut site = Site::with_config("[retention]\ntranscripts = \"1s\"\nresults = \"10d\"\n");
    let requests = due(&site, 1..=3, "echo output; exit 17");
    site.publish(&requests);
    let foreign = site.share().join("despoolr.box/BP004001/BP00001-1.MIF");
    make_dir(foreign.parent().unwrap());
    write(&foreign, b"of another machine");
    let service = site.service();
    wait_for("they were delivered", || (1..=3).all(|n| result(&site, &format!("{}-1", id(n))).exists()));
    service.terminate();
    let own = site.share().join("despoolr.box").join(MACHINE);
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(11 * 86_400);
    for result in names(&own) {
        let result = fs::File::options().write(true).open(own.join(result)).unwrap();
        result.set_modified(long_ago).unwrap();
    }
    let service = site.service();
    wait_tidied(&site, "the old results are gone", || names(&own).len() == 1);
    wait_tidied(&site, "the old transcripts are gone", || names(&site.state().join("log/runs")).is_empty());
    assert!(foreign.is_file());
    let attempt = site.json(&["show", &id(1)])["attempts"][0].take();
    assert!(attempt["transcript"].is_null() && attempt["transcript_until"].is_string(), "{attempt}");
    let explained = text(&site.pcm(&["explain", &id(1)]));
    assert!(explained.contains("Its transcript is kept no longer ([retention] transcripts)."), "{explained}");
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 3);
    // The newest says that this machine had a history, however old it is.
    service.terminate();
    let _service = site.service();
    site.wait_log("Removed by [retention]: 2 results");
    assert_eq!(names(&own).len(), 1);
}

/// However many run and however much they print; and what is needed stays, however much that is.
#[test]
fn above_their_size_the_oldest_transcripts_go_and_none_of_a_run_that_goes_on_or_is_still_to_be_told() {
    const PRINTED: u64 = 100 << 10;
    let mut site = Site::with_config("[retention]\ntranscripts_size = \"250KB\"\n");
    let go = site.state().join("go");
    let print = format!(
        "bytes={PRINTED}; [ $PCM_REQUEST_ID != BP00004 ] || bytes={}; head -c $bytes /dev/zero | tr '\\0' x
        [ $PCM_REQUEST_ID != BP00004 ] || until [ -e '{}' ]; do sleep 0.1; done",
        3 * PRINTED,
        go.display()
    );
    let requests = due(&site, 1..=4, &print);
    site.publish(&requests[..3]);
    let (results, aside) = (site.share().join("despoolr.box"), site.share().join("aside"));
    fs::rename(&results, &aside).unwrap();
    let log = site.state().join("log/runs");
    let transcript = |n: usize| format!("{}-1.log", id(n));
    let service = site.service();
    for n in 1..=3 {
        site.wait_state(&id(n), "succeeded");
    }
    // Everything is tidied at the next start, and then measured.
    service.terminate();
    let service = site.service();
    let space = |site: &Site| site.json_of(&["status"])["space"].take();
    wait_tidied(&site, "the files are measured", || space(&site).is_object());
    assert_eq!(names(&log), (1..=3).map(transcript).collect(), "nothing of them is on the share");
    let took = space(&site);
    let bytes = |what: &str| took[what].as_u64().unwrap();
    assert!(bytes("transcripts") >= 3 * PRINTED, "{took}");
    assert!(bytes("history") >= 4096 && bytes("runs") > 0 && bytes("outbox") > 0, "{took}");
    assert!(bytes("history") + bytes("runs") + bytes("outbox") <= bytes("state"), "{took}");
    service.terminate();

    let mut by_age: Vec<_> =
        (1..=3).map(|n| (fs::metadata(log.join(transcript(n))).unwrap().modified().unwrap(), n)).collect();
    by_age.sort_unstable();
    let newest: BTreeSet<String> = by_age[1..].iter().map(|(_, n)| transcript(*n)).collect();
    fs::rename(&aside, &results).unwrap();
    let service = site.service();
    wait_tidied(&site, "only the oldest is gone", || names(&log) == newest);
    let attempt = site.json(&["show", &id(by_age[0].1)])["attempts"][0].take();
    assert_eq!((attempt["state"].as_str(), attempt["transcript"].is_null()), (Some("succeeded"), true));
    let explained = text(&site.pcm(&["explain", &id(by_age[0].1)]));
    assert!(explained.contains("it went to make room ([retention] transcripts_size)"), "{explained}");
    wait_no_runs(&site);
    assert_eq!(names(&log), newest);

    // One that goes on takes more than all may: the others go.
    site.publish(&requests);
    let last = log.join(transcript(4));
    wait_for("it prints", || fs::metadata(&last).is_ok_and(|found| found.len() >= 3 * PRINTED));
    service.terminate();
    let _service = site.service();
    wait_tidied(&site, "only that of the run is left", || names(&log) == BTreeSet::from([transcript(4)]));
    wait_tidied(&site, "it is measured", || space(&site)["transcripts"].as_u64() >= Some(3 * PRINTED));
    assert_eq!((site.state_of(&id(4)).as_str(), last.exists()), ("running", true));
    write(&go, b"");
    wait_for("it was delivered", || result(&site, &format!("{}-1", id(4))).exists());
    wait_tidied(&site, "it is too large, and told", || !last.exists());
}

/// The longest that a share may be away before what waits for it is given up; never sooner than after 30 days, and never
/// without a word.
#[test]
fn a_result_that_nobody_takes_is_given_up_after_its_time_and_the_audit_says_so() {
    let mut site = Site::with_config("[retention]\nresults = \"1d\"\n");
    let requests = due(&site, 1..=2, "true");
    fs::remove_dir(site.share().join("despoolr.box")).unwrap();
    site.publish(&requests);
    let service = site.service();
    let outbox = site.state().join("outbox");
    wait_for("both wait", || (1..=2).all(|n| outbox.join(format!("{}-1.MIF", id(n))).is_file()));
    service.terminate();
    let [young, old] = [1, 2].map(|n| outbox.join(format!("{}-1.MIF", id(n))));
    let aged = |path: &std::path::Path, days: u64| {
        let at = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    aged(&young, 20);
    aged(&old, 31);
    let service = site.service();
    wait_tidied(&site, "the old one is gone", || !old.exists());
    service.terminate();
    let _service = site.service();
    two_looks(&site);
    assert!(young.is_file(), "it is kept for 30 days, whatever [retention] results says");
    let audit = site.json(&["audit"]);
    let given_up: Vec<(&str, &str)> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["verb"] == "give-up")
        .map(|entry| (entry["request_id"].as_str().unwrap(), entry["result"].as_str().unwrap()))
        .collect();
    let id = id(2);
    let mut told = given_up.clone();
    told.sort_unstable();
    assert_eq!(told, [(id.as_str(), "asked"), (id.as_str(), "done")], "{audit}");
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 2);
}

/// The share was looked at twice more.
fn two_looks(site: &Site) {
    let looks = || site.log().matches("Looking for instruction file").count();
    let before = looks();
    wait_for("two more looks", || looks() >= before + 2);
}

#[test]
fn above_its_size_the_stage_loses_what_nothing_needs_and_a_rerun_has_it_copied_again() {
    let mut site = Site::with_config("[retention]\nstage_size = \"1MB\"\n");
    // 700 KB each.
    let filling = "#".repeat(700 << 10);
    let package =
        |site: &Site, id: &str| format!("\"{}\"", site.package(id, &format!("{}\n{filling}", site.say(id))));
    let (a, b, c) = (package(&site, "BP00000A"), package(&site, "BP00000B"), package(&site, "BP00000C"));
    let of = |id: &str, package: &str, hash: &str| {
        Request::due(id).set("package_id", format!("\"{package}\"")).set("content_sha256", hash)
    };
    let optional = |request: Request| request.set("mandatory_after", "");
    let requests = [
        of("BP00001", "BP00000A", &a),
        optional(of("BP00002", "BP00000B", &b)),
        optional(of("BP00003", "BP00000C", &c)),
    ];
    site.publish(&requests[..1]);
    let _service = site.service();
    site.wait_state("BP00001", "succeeded");
    site.publish(&requests[..2]);
    let stage = site.state().join("stage");
    let staged = |hash: &str| stage.join(hash.trim_matches('"')).is_dir();
    wait_tidied(&site, "what has run goes", || staged(&b) && !staged(&a));
    let problem = |site: &Site| {
        let status = site.json_of(&["status"]);
        status["problems"].as_array().unwrap().iter().any(|p| p["code"] == "stage-size")
    };
    assert!(!problem(&site), "what is needed fits");

    // Whoever wants to run it again gets it.
    let refused = site.refused(&["rerun", "BP00001", "--reason", "again", "--wait"], 3);
    assert_eq!(refused["code"], "content-missing");
    wait_for("it was copied and runs", || {
        site.pcm(&["rerun", "BP00001", "--reason", "again", "--wait"]).status.success()
    });
    assert_eq!(site.ran("BP00000A"), 2);

    // What may yet run stays, and that it is too large is said.
    site.publish(&requests);
    wait_tidied(&site, "it is said", || problem(&site));
    assert!(staged(&b) && staged(&c));
    let said = text(&site.pcm(&["status"]));
    assert!(said.contains("stage_size"), "{said}");
}
