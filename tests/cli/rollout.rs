//! A job phase by phase, by what machines report: `pcm job advance` goes on, halts, or says what is missing.

use super::keys::{json, ssh_keygen};
use super::{pcm, text};
use crate::common::reports::report_lines;
use crate::common::{now, seconds, stamp};
use serde_json::{Value, json as doc};
use std::fs;
use std::path::Path;

pub const IN: [&str; 2] = ["--folder", "site"];

fn site(dir: &Path, args: &[&str]) -> Value {
    json(dir, &[args, &IN].concat())
}

/// `pcm job advance`, and how it ended.
fn advance(dir: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let done = pcm(dir, &[&["job", "advance", "--json"][..], args, &IN].concat());
    let parsed = serde_json::from_slice(&done.stdout);
    let mut read: Value = parsed.unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)));
    if let Some(step) = read["jobs"].get(0).cloned() {
        read["job"] = step;
    }
    (done.status.code(), read)
}

pub fn id(n: usize) -> String {
    format!("BP05{n:04}")
}

/// A site folder with so many machines of group `lab`, published, and a job for them in phases.
pub fn phased(dir: &Path, machines: usize, phases: &str) {
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    let list: String = (0..machines).map(|n| format!("{},node-{n},lab\n", id(n))).collect();
    fs::write(dir.join("site/machines.csv"), format!("BP004000\n{list}")).unwrap();
    site(dir, &["site", "publish"]);
    let expect = machines.to_string();
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "2h", "--expect", &expect];
    site(dir, &[&send[..], &["--phases", phases]].concat());
}

/// A machine has seen the job and says that it is not for it.
fn not_for(dir: &Path, n: usize, serial: u64) {
    report(dir, n, serial, "waiting");
    let path = dir.join(format!("site/share/machines/{}.json", id(n)));
    let mut own: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (own["requests"], own["not_targeted"]) = (doc!([]), doc!(["BP0000AB"]));
    fs::write(path, own.to_string()).unwrap();
}

/// What a machine says of the job.
pub fn report(dir: &Path, n: usize, serial: u64, state: &str) {
    let at = stamp(now());
    let before = stamp(now() - seconds(600));
    let ended = matches!(state, "succeeded" | "failed").then(|| before.clone());
    let text = doc!({
        "format": 1, "machine": id(n), "site": "BP0", "host": format!("node-{n}"), "platform": "linux-x86_64",
        "pcm_version": "0.1.0", "reported_at": at, "polled_at": at, "polling_interval_s": 3600, "instruction_serial": serial,
        "epoch": 0, "source": "/mnt/share", "users": 0, "restart_pending": false, "clock_ok": true, "audit_head": null,
        "state_id": format!("state{n}"),
        "requests": [{
            "request_id": "BP0000Z", "job_id": "BP0000AB", "package_id": "BP00000A", "state": state, "since": at,
            "attempt": 1, "blocked_by": [], "next_change": null, "exit_code": 0, "result": null,
            "started_at": before, "ended_at": ended,
        }],
    });
    fs::write(dir.join(format!("site/share/machines/{}.json", id(n))), text.to_string()).unwrap();
}

fn percent(dir: &Path) -> (Value, Value) {
    let shown = site(dir, &["job", "show", "BP0000AB"]);
    (shown["percent"].clone(), shown["state"].clone())
}

fn numbers(step: &Value) -> [u64; 4] {
    ["ended", "running", "silent", "machines"].map(|key| step[key].as_u64().unwrap())
}

#[test]
fn a_job_goes_on_where_its_machines_prove_it_and_says_what_is_missing_before() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 200, "50%,100%");
    let (exit, first) = advance(dir, &["BP0000AB"]);
    let step = &first["job"];
    let reached = step["machines"].as_u64().unwrap();
    assert_eq!((exit, &step["gate"]["answer"]), (Some(0), &"undecided".into()));
    assert_eq!(numbers(step), [0, 0, reached, reached]);
    assert!(
        (70..=130).contains(&reached) && step["silent_because"][0]["reason"] == "it has not reported yet"
    );
    assert_eq!(percent(dir), (50.0.into(), "active".into()));

    // Before anybody has run it, the publisher sees what each phase can prove, and what a halt could keep back.
    let (_, dry) = advance(dir, &["--dry-run"]);
    let phases = dry["job"]["phases"].as_array().unwrap();
    assert_eq!(
        (phases.len(), &phases[0]["provable"], &phases[1]["machines"]),
        (2, &true.into(), &200.into())
    );
    assert_eq!((&phases[0]["silent"], &phases[0]["provable_from"]), (&reached.into(), &40.into()));
    assert_eq!(
        phases[0]["launched_before_halt"].as_u64(),
        Some(reached),
        "an hour to poll, an hour's spread"
    );

    // Those of the phase that succeeded are not half of it, then they are; the others lie outside of it.
    for n in 0..200 {
        report(dir, n, 2, if n < 60 { "succeeded" } else { "waiting" });
    }
    let (exit, some) = advance(dir, &["BP0000AB"]);
    let [ended, ..] = numbers(&some["job"]);
    assert_eq!((exit, &some["job"]["gate"]["answer"]), (Some(0), &"undecided".into()), "{some}");
    assert_eq!(some["job"]["gate"]["n"].as_u64(), Some(ended));
    assert!(ended < 50 && some["published"].is_null());
    let human = text(&pcm(dir, &[&["job", "advance"][..], &IN].concat()).stdout);
    assert!(human.contains("undecided: 0 of ") && human.contains("have to"), "{human}");
    for n in 0..200 {
        report(dir, n, 2, "succeeded");
    }
    let (exit, dry) = advance(dir, &["--dry-run"]);
    assert_eq!((exit, &dry["job"]["gate"]["answer"]), (Some(0), &"go on".into()));
    assert_eq!(percent(dir), (50.0.into(), "active".into()), "a dry run changes nothing");
    let (exit, on) = advance(dir, &[]);
    assert_eq!(
        (exit, &on["job"]["gate"]["answer"], &on["job"]["percent"]),
        (Some(0), &"go on".into(), &100.0.into())
    );
    assert_eq!(on["published"]["written"][0]["path"], "PCM.INDEX");
    assert_eq!(percent(dir), (100.0.into(), "active".into()));
    let log = fs::read_to_string(dir.join("site/publications.log")).unwrap();
    assert!(log.contains("job advance BP0000AB to 100 % (0 of "), "{log}");

    // They have not seen the phase that has just begun: nothing that they say counts for it.
    let (_, after) = advance(dir, &[]);
    assert_eq!(
        (&after["job"]["gate"]["answer"], numbers(&after["job"])),
        (&"undecided".into(), [0, 0, 200, 200])
    );
    for n in 0..200 {
        report(dir, n, 3, "succeeded");
    }
    let (exit, done) = advance(dir, &[]);
    assert_eq!(
        (exit, &done["job"]["gate"]["answer"], &done["published"]),
        (Some(0), &"go on".into(), &Value::Null)
    );
}

#[test]
fn a_job_of_which_too_many_fail_is_halted_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 100, "50%,100%");
    for n in 0..100 {
        report(dir, n, 2, if n % 4 == 0 { "failed" } else { "succeeded" });
    }
    let (exit, dry) = advance(dir, &["--dry-run"]);
    assert_eq!((exit, &dry["job"]["state"]), (Some(10), &"suspended".into()));
    assert_eq!(percent(dir).1, "active");
    let (exit, halted) = advance(dir, &[]);
    let step = &halted["job"];
    let (n, f) = (step["gate"]["n"].as_u64().unwrap(), step["gate"]["f"].as_u64().unwrap());
    assert_eq!(
        (exit, &step["gate"]["answer"], &step["gate"]["limit"]),
        (Some(10), &"halt".into(), &0.05.into())
    );
    let reason = step["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.starts_with("halted: ") && reason.ends_with(&format!("% of {n} failed, limit 5 %")),
        "{reason}"
    );
    assert_eq!(step["failed"].as_array().unwrap().len() as u64, f);
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(index.contains("state = \"suspended\"") && index.contains(&reason), "{index}");
    // Nobody but the publisher lets it go on, and what failed before says nothing of what comes then.
    let (exit, none) = advance(dir, &[]);
    assert_eq!((exit, &none["jobs"]), (Some(0), &doc!([])));
    site(dir, &["job", "resume", "BP0000AB"]);
    for n in 0..100 {
        report(dir, n, 4, if n % 4 == 0 { "failed" } else { "succeeded" });
    }
    let (exit, resumed) = advance(dir, &["BP0000AB"]);
    assert_eq!(
        (exit, &resumed["job"]["gate"]["answer"], &resumed["job"]["gate"]["n"]),
        (Some(0), &"undecided".into(), &0.into())
    );
    // On somebody's word it goes on all the same, and the log says whose.
    let refused = pcm(dir, &[&["job", "advance", "BP0000AB", "--now"][..], &IN].concat());
    assert_eq!(refused.status.code(), Some(2), "without a reason");
    let (exit, now) = advance(dir, &["BP0000AB", "--now", "--reason", "the driver was replaced"]);
    assert_eq!((exit, &now["job"]["percent"], &now["job"]["gate"]), (Some(0), &100.0.into(), &Value::Null));
    let log = fs::read_to_string(dir.join("site/publications.log")).unwrap();
    assert!(log.contains("to 100 % (the driver was replaced)") && log.contains("BP0000AB halted: "), "{log}");
}

/// Whoever is editing anything keeps no halt back, and what is half written is left to them.
#[test]
fn a_file_that_is_half_written_keeps_no_halt_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 40, "50%,100%");
    let file = |name: &str| dir.join("site").join(name);
    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    let own = fs::read_to_string(file("jobs/BP0000AB.toml")).unwrap();
    let list = fs::read_to_string(file("machines.csv")).unwrap();
    for n in 0..40 {
        report(dir, n, 2, "failed");
    }
    fs::write(file("machines.csv"), format!("{list}BP09,")).unwrap();
    fs::write(file("jobs/BP0000AB.toml"), own.replace("state = ", "# mine\nmin_ended = 0.9\nstate = "))
        .unwrap();
    let (exit, dry) = advance(dir, &["--dry-run"]);
    assert_eq!((exit, &dry["job"]["state"]), (Some(10), &"suspended".into()), "{dry}");
    let (exit, halted) = advance(dir, &[]);
    assert_eq!((exit, &halted["job"]["state"]), (Some(10), &"suspended".into()), "{halted}");
    assert!(index().contains("state = \"suspended\"\n"), "{}", index());
    assert_eq!(fs::read_to_string(file("machines.csv")).unwrap(), format!("{list}BP09,"));
    let said = fs::read_to_string(file("jobs/BP0000AB.toml")).unwrap();
    assert!(said.contains("state = \"suspended\"") && said.contains("min_ended = 0.9"), "{said}");
    fs::write(file("machines.csv"), &list).unwrap();
    site(dir, &["job", "resume", "BP0000AB"]);

    // The very file is being written: it is its author's, and publishing it does not resume the job by an oversight.
    for n in 0..40 {
        report(dir, n, 4, "failed");
        let path = file(&format!("share/machines/{}.json", id(n)));
        let later = stamp(now() + seconds(5));
        let text = fs::read_to_string(&path).unwrap();
        let mut report: Value = serde_json::from_str(&text).unwrap();
        report["requests"][0]["ended_at"] = later.into();
        fs::write(path, report.to_string()).unwrap();
    }
    let resumed = fs::read_to_string(file("jobs/BP0000AB.toml")).unwrap();
    fs::write(file("jobs/BP0000AB.toml"), "state = ").unwrap();
    let (exit, halted) = advance(dir, &[]);
    assert_eq!((exit, &halted["job"]["state"]), (Some(10), &"suspended".into()), "{halted}");
    assert!(halted["published"]["warnings"].to_string().contains("left as it is"), "{halted}");
    assert!(index().contains("state = \"suspended\"\n"), "{}", index());
    assert_eq!(fs::read_to_string(file("jobs/BP0000AB.toml")).unwrap(), "state = ");
    fs::write(file("jobs/BP0000AB.toml"), resumed.replace("since = ", "since = 2026-01-01T00:00:00Z # "))
        .unwrap();
    assert_eq!(super::keys::refused(dir, &[&["site", "publish"][..], &IN].concat()), "not-expected");
    assert!(index().contains("state = \"suspended\"\n"), "{}", index());
}

/// What goes on waits for the file of the job, and for no other.
#[test]
fn a_job_goes_on_whatever_else_is_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 100, "50%,100%");
    for n in 0..100 {
        report(dir, n, 2, "succeeded");
    }
    fs::create_dir_all(dir.join("site/policy")).unwrap();
    fs::write(dir.join("site/policy/web.toml"), "spread = ").unwrap();
    let own = dir.join("site/jobs/BP0000AB.toml");
    let text_of_it = fs::read_to_string(&own).unwrap();
    fs::write(&own, "state = ").unwrap();
    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    let waits = pcm(dir, &[&["job", "advance"][..], &IN].concat());
    assert!(text(&waits.stdout).contains("It stays as it is"), "{}", text(&waits.stdout));
    assert!(index().contains("percent = 50\n"), "{}", index());
    fs::write(&own, text_of_it).unwrap();
    let goes = pcm(dir, &[&["job", "advance"][..], &IN].concat());
    // That something is wrong is said all the same.
    assert_eq!(goes.status.code(), Some(1), "{}", text(&goes.stderr));
    assert!(text(&goes.stderr).contains("web.toml"), "{}", text(&goes.stderr));
    assert!(!index().contains("percent = 50\n"), "{}", index());
    assert!(fs::read_to_string(&own).unwrap().contains("percent = 100\n"));
}

#[test]
fn limits_and_times_of_a_job_stand_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 40, "50%,100%+1d");
    for n in 0..40 {
        report(dir, n, 2, "succeeded");
    }
    let (_, early) = advance(dir, &[]);
    assert_eq!(
        (&early["job"]["gate"]["answer"], &early["job"]["next_phase"]),
        (&"undecided".into(), &100.0.into())
    );
    assert!(early["job"]["next_at"].as_str().unwrap() > stamp(now() + seconds(80_000)).as_str(), "{early}");
    let path = dir.join("site/jobs/BP0000AB.toml");
    let file = fs::read_to_string(&path).unwrap();
    let day_ago = stamp(now() - seconds(90_000));
    let (before, rest) = file.split_once("reached = ").unwrap();
    let rest = rest.split_once('\n').unwrap().1;
    fs::write(&path, format!("{before}reached = {day_ago}\nmax_failure_rate = 0.2\nmin_ended = 1\n{rest}"))
        .unwrap();
    let (_, seen) = advance(dir, &[]);
    assert_eq!(
        (&seen["job"]["gate"]["answer"], &seen["job"]["gate"]["limit"]),
        (&"go on".into(), &0.2.into())
    );
    let published = fs::read_to_string(dir.join("site/share/jobs/BP0000AB.1.toml")).unwrap();
    assert!(!published.contains("max_failure_rate") && !published.contains("reached"), "{published}");
    let wrong = fs::read_to_string(&path).unwrap().replace("min_ended = 1.0", "min_ended = 7");
    fs::write(&path, wrong).unwrap();
    let refused = pcm(dir, &[&["job", "advance"][..], &IN].concat());
    assert!(
        text(&refused.stderr).contains("min_ended: wanted a share from 0 to 1"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn a_site_that_signs_counts_reports_without_a_signature_only_where_it_says_so() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 4, "100%");
    json(dir, &["key", "generate", "root"]);
    site(dir, &["key", "trust", "root.pub", "--role", "trust", "--principal", "anna", "--key", "root"]);
    // As machines in mode permissions see it.
    site(dir, &["site", "publish"]);
    for n in 0..4 {
        report(dir, n, 9, "failed");
        let path = dir.join(format!("site/share/machines/{}.json", id(n)));
        let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
        let serial = index.split_once("serial = ").unwrap().1.split_once('\n').unwrap().0;
        let own = fs::read_to_string(&path).unwrap();
        let own = own
            .replace("\"epoch\":0", "\"epoch\":1")
            .replace("\"instruction_serial\":9", &format!("\"instruction_serial\":{serial}"));
        fs::write(&path, own).unwrap();
    }
    let (exit, silent) = advance(dir, &[]);
    assert_eq!((exit, numbers(&silent["job"])), (Some(0), [0, 0, 4, 4]));
    assert!(silent["job"]["words"][0].as_str().unwrap().contains("unsigned_reports = true"), "{silent}");
    let toml = dir.join("site/site.toml");
    let own = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, own + "unsigned_reports = true\n").unwrap();
    let (exit, counted) = advance(dir, &[]);
    assert_eq!((exit, &counted["unsigned_reports"]), (Some(10), &true.into()), "{counted}");
    assert_eq!(counted["job"]["reason"], "halted: 100 % of 4 failed, limit 5 %");
}

#[test]
fn a_few_machines_come_first_and_the_others_by_the_next_revision() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    let list: String = (0..40).map(|n| format!("{},node-{n},lab\n", id(n))).collect();
    fs::write(dir.join("site/machines.csv"), format!("BP004000\n{list}")).unwrap();
    site(dir, &["site", "publish"]);
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "2h", "--phases", "50%,100%"];
    assert_eq!(
        super::keys::refused(dir, &[&send[..], &["--canary", "BP050001,BP004000"], &IN].concat()),
        "no-targets"
    );
    let sent = site(dir, &[&send[..], &["--canary", "BP050001,BP050002"]].concat());
    assert_eq!((sent["targets"].as_u64(), &sent["request_id"]), (Some(40), &"BP0000Z".into()));
    let published = |revision: u64| {
        fs::read_to_string(dir.join(format!("site/share/jobs/BP0000AB.{revision}.toml"))).unwrap()
    };
    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(published(1).contains("targets = [\"BP050001\", \"BP050002\"]"), "{}", published(1));
    assert!(index().contains("percent = 100\n"), "{}", index());
    // The others do not count, whatever they say.
    for n in 3..40 {
        report(dir, n, 2, "failed");
    }
    let (exit, silent) = advance(dir, &["--dry-run"]);
    assert_eq!((exit, numbers(&silent["job"])), (Some(0), [0, 0, 2, 2]));
    let phases = silent["job"]["phases"].as_array().unwrap();
    let shares: Vec<f64> = phases.iter().map(|phase| phase["percent"].as_f64().unwrap()).collect();
    assert_eq!((shares, &phases[0]["machines"]), (vec![0.0, 50.0, 100.0], &2.into()));
    report(dir, 1, 2, "succeeded");
    let (_, one) = advance(dir, &[]);
    assert_eq!(one["job"]["gate"]["answer"], "undecided");
    // One failure among so few halts nothing: the site says it.
    let status = || -> Value {
        let done = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
        serde_json::from_slice(&done.stdout).unwrap()
    };
    assert_eq!((&status()["failed_first"], &status()["problems"]), (&doc!([]), &doc!([])));
    report(dir, 2, 2, "failed");
    let (exit, failed) = advance(dir, &[]);
    assert_eq!((exit, &failed["job"]["gate"]["answer"]), (Some(0), &"undecided".into()));
    let well = status();
    assert_eq!(well["failed_first"], doc!([{"job_id": "BP0000AB", "machines": ["BP050002"]}]), "{well}");
    assert_eq!(well["problems"][0]["code"], "canary-failed", "{well}");
    report(dir, 2, 2, "succeeded");
    let (exit, seen) = advance(dir, &[]);
    assert_eq!(
        (exit, &seen["job"]["gate"]["answer"], &seen["job"]["percent"]),
        (Some(0), &"as seen".into(), &50.0.into())
    );
    assert!(
        published(2).contains("targets = [\"@lab\"]") && published(2).contains("request_id = \"BP0000Z\"")
    );
    assert!(index().contains("percent = 50\n"), "{}", index());
    // Sent again, they come first again.
    let again = site(dir, &["job", "send", "--again", "BP0000AB"]);
    assert_eq!(again["request_id"], "BP00010");
    assert!(published(3).contains("targets = [\"BP050001\", \"BP050002\"]"), "{}", published(3));
}

#[test]
fn a_job_with_a_condition_goes_on_only_by_what_its_machines_say_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 6, "50%,100%");
    let path = dir.join("site/jobs/BP0000AB.toml");
    let file = fs::read_to_string(&path).unwrap();
    let (first, rest) = file.split_once("targets = ").unwrap();
    fs::write(&path, format!("{first}where = 'os_version >= 12'\ntargets = {rest}")).unwrap();
    // As it is published it has no condition yet, so nobody speaks of that; a halt does not wait for the edit.
    (0..6).for_each(|n| report(dir, n, 2, "succeeded"));
    let (_, changed) = advance(dir, &[]);
    assert!(changed["job"]["words"][0].as_str().unwrap().contains("says another job"), "{changed}");
    (0..6).for_each(|n| report(dir, n, 2, "failed"));
    assert_eq!(advance(dir, &["--dry-run"]).0, Some(10));
    site(dir, &["site", "publish"]);
    let answer = |dir: &Path| {
        let (exit, step) = advance(dir, &["--dry-run"]);
        assert_eq!(exit, Some(0), "{step}");
        let step = &step["job"];
        let [_, _, silent, machines] = numbers(step);
        (step["gate"]["answer"].as_str().unwrap().to_owned(), silent == machines && machines > 0)
    };
    let undecided = || ("undecided".to_owned(), true);
    // They have heard of it, and do not name it: nobody could read the file of the job, or the result is not on the share.
    for n in 0..6 {
        not_for(dir, n, 3);
        let path = dir.join(format!("site/share/machines/{}.json", id(n)));
        let own = fs::read_to_string(&path).unwrap().replace("BP0000AB", "BP0000ZZ");
        fs::write(path, own).unwrap();
    }
    assert_eq!(answer(dir), undecided());
    // What they say of a publication in which the job had no condition is nothing.
    (0..6).for_each(|n| not_for(dir, n, 2));
    assert_eq!(answer(dir), undecided());
    (0..6).for_each(|n| not_for(dir, n, 3));
    assert_eq!(answer(dir), ("as seen".to_owned(), false));
    let human = text(&pcm(dir, &[&["job", "advance", "--dry-run"][..], &IN].concat()).stdout);
    assert!(human.contains("say that it is not for them"), "{human}");
    // Sent again it has the same state and share: what was said of the request before is nothing.
    site(dir, &["job", "send", "--again", "BP0000AB"]);
    assert_eq!(answer(dir), undecided());
}

#[test]
fn a_halt_is_said_although_another_job_cannot_be_published() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 40, "50%,100%");
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "2h", "--phases", "50%,100%"];
    let sent = site(dir, &[&send[..], &["--canary", "BP050001,BP050002"]].concat());
    assert_eq!((&sent["job_id"], &sent["request_id"]), (&"BP0000AC".into(), &"BP00010".into()));
    for n in 0..40 {
        report(dir, n, 3, "failed");
        let path = dir.join(format!("site/share/machines/{}.json", id(n)));
        let mut own: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let mut other = own["requests"][0].clone();
        (other["request_id"], other["job_id"]) = ("BP00010".into(), "BP0000AC".into());
        other["state"] = "succeeded".into();
        own["requests"].as_array_mut().unwrap().push(other);
        fs::write(path, own.to_string()).unwrap();
    }
    // The second job goes on as its next revision, and its package is nowhere any more.
    fs::remove_dir_all(dir.join("site/packages/BP00000A")).unwrap();
    fs::remove_dir_all(dir.join("site/share/packages")).unwrap();
    let (exit, both) = advance(dir, &[]);
    let [halted, stays] = [&both["jobs"][0], &both["jobs"][1]];
    assert_eq!(
        (exit, &halted["job_id"], &halted["state"]),
        (Some(10), &"BP0000AB".into(), &"suspended".into()),
        "{both}"
    );
    assert!(halted["error"].is_null() && stays["error"]["message"].is_string(), "{both}");
    assert_eq!((&stays["gate"]["answer"], &stays["percent"]), (&"as seen".into(), &0.0.into()), "{both}");
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(index.contains("state = \"suspended\""), "{index}");
    // Nothing else is halted now: the error says how it ended, and what became of each job is said all the same.
    let (exit, one) = advance(dir, &[]);
    assert_eq!((exit == Some(0) || exit == Some(10), one["jobs"].as_array().map(Vec::len)), (false, Some(1)));
    let human = pcm(dir, &[&["job", "advance"][..], &IN].concat());
    assert!(text(&human.stdout).contains("It stays as it is: "), "{}", text(&human.stdout));
    assert!(!text(&human.stderr).is_empty());
}

/// What a machine says of the job, signed with a key of its own.
fn signed_report(dir: &Path, n: usize, serial: u64, number: u64, key: &str) {
    report(dir, n, serial, "succeeded");
    let path = dir.join(format!("site/share/machines/{}.json", id(n)));
    let mut one: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let toml = fs::read_to_string(dir.join("site/site.toml")).unwrap();
    let site_id = toml.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap().to_owned();
    (one["serial"], one["epoch"], one["report"]) = (serial.into(), 1.into(), number.into());
    (one["site_id"], one["heartbeat_s"]) = (site_id.into(), 3_600.into());
    let [summary, rest] = report_lines(&one);
    let file = dir.join("summary");
    fs::write(&file, &summary).unwrap();
    let _ = fs::remove_file(dir.join("summary.sig"));
    let mut sign = std::process::Command::new(ssh_keygen().unwrap());
    sign.args(["-q", "-Y", "sign", "-n", "pcm-report", "-f", key]).arg(&file).current_dir(dir);
    assert!(sign.output().unwrap().status.success());
    let armour = fs::read_to_string(dir.join("summary.sig")).unwrap();
    fs::write(&path, format!("{summary}{rest}{}\n", doc!({ "signature": armour }))).unwrap();
}

/// Whoever sends a job is told when it runs where, each machine once.
#[test]
fn who_sends_a_job_is_told_on_how_many_machines_it_runs_and_from_when() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 6, "100%");
    (0..4).for_each(|n| report(dir, n, 2, "waiting"));
    let other = dir.join(format!("site/share/machines/{}.json", id(3)));
    let text_of = fs::read_to_string(&other).unwrap();
    fs::write(&other, text_of.replace("linux-x86_64", "linux-aarch64")).unwrap();
    let send = ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "3h"];
    for more in [&["--dry-run"][..], &[]] {
        let sent = site(dir, &[&send[..], more].concat());
        let sum = |key: &str| -> u64 {
            sent[key].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum()
        };
        let (runs, never, silent) = (sum("runs"), sum("never"), sent["silent"].as_u64().unwrap());
        assert_eq!(Some(runs + never + silent), sent["targets"].as_u64(), "{sent}");
        assert_eq!((runs + never, silent), (4, 2), "{sent}");
    }
    let said = pcm(dir, &[&send[..], &["--dry-run"], &IN].concat());
    let said = text(&said.stdout).replace('\n', " ");
    assert!(said.contains("By what they reported last, it runs on") && said.contains("2 machines"), "{said}");
    // Who cancels one has nothing foretold.
    let cancelled = site(dir, &["job", "cancel", "BP0000AC", "--reason", "x"]);
    assert!(cancelled.get("runs").is_none() && cancelled.get("silent").is_none(), "{cancelled}");
}

/// Machines of which somebody has to decide are named where a site is looked at, with what to do.
#[test]
fn machines_of_which_somebody_has_to_decide_are_named_by_status_and_rollout() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 3, "100%");
    let toml = fs::read_to_string(dir.join("site/site.toml")).unwrap();
    let site_id = toml.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap().to_owned();
    (0..3).for_each(|n| report(dir, n, 2, "waiting"));
    for (n, number, twice) in [(0, Some(7), true), (1, None, false)] {
        let path = dir.join(format!("site/share/machines/{}.json", id(n)));
        let mut one: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (one["serial"], one["site_id"], one["heartbeat_s"]) =
            (2.into(), site_id.clone().into(), 3_600.into());
        (one["report"], one["two_machines"]) = (number.into(), twice.into());
        one["state_id"] = format!("{n:032x}").into();
        fs::write(&path, report_lines(&one).concat()).unwrap();
    }
    let status = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
    assert_eq!(status.status.code(), Some(10));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let named = |doc: &Value| {
        let rows = doc["attention"]["machines"].as_array().unwrap().clone();
        rows.iter().map(|row| (row["machine"].clone(), row["code"].clone())).collect::<Vec<_>>()
    };
    let wanted = vec![(id(0).into(), "two-machines".into()), (id(1).into(), "history-lost".into())];
    assert_eq!(named(&status), wanted, "{status}");
    assert_eq!(named(&site(dir, &["rollout"])), wanted);
    for (code, n) in [("two-machines", 0), ("history-lost", 1)] {
        let problems = status["problems"].as_array().unwrap();
        let problem = problems.iter().find(|problem| problem["code"] == code).unwrap();
        let remedy = problem["remedy"].as_str().unwrap();
        assert!(remedy.contains(&format!("pcm site machine replace {}", id(n))), "{remedy}");
        assert_eq!(remedy.contains("node-0"), n == 0, "{remedy}");
        let shown = text(&pcm(dir, &[&["rollout"][..], &IN].concat()).stdout).replace('\n', " ");
        assert!(shown.contains(&format!("[{code}]")), "{shown}");
        // What is said to be done can be done.
        site(dir, &["site", "machine", "replace", &id(n)]);
    }
}

#[test]
fn at_a_site_that_signs_a_machine_counts_by_its_own_newest_signed_report_alone() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    let mut list = String::new();
    for n in 0..4 {
        json(dir, &["key", "generate", &format!("k{n}")]);
        let key = fs::read_to_string(dir.join(format!("k{n}.pub"))).unwrap();
        list += &format!("{},node-{n},lab,{}\n", id(n), key.trim());
    }
    let machines = dir.join("site/machines.csv");
    fs::write(&machines, &list).unwrap();
    json(dir, &["key", "generate", "root"]);
    site(dir, &["key", "trust", "root.pub", "--role", "trust", "--principal", "anna", "--key", "root"]);
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "2h", "--phases", "100%"];
    site(dir, &[&send[..], &["--canary", &format!("{},{}", id(0), id(1))]].concat());
    let serial = || {
        let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
        let serial = index.split_once("serial = ").unwrap().1.split_once('\n').unwrap().0;
        serial.parse::<u64>().unwrap()
    };
    let path = |n: usize| dir.join(format!("site/share/machines/{}.json", id(n)));
    let at = serial();
    let both = || (0..2).for_each(|n| signed_report(dir, n, at, 7, &format!("k{n}")));
    let said = || {
        let (exit, step) = advance(dir, &["--dry-run"]);
        assert_eq!(exit, Some(0), "{step}");
        let why = step["job"]["silent_because"][0]["reason"].as_str().unwrap_or_default().to_owned();
        // The figures of a rollout are of the same reports.
        let rollout = site(dir, &["rollout"]);
        let jobs = rollout["jobs"].as_array().unwrap();
        let job = jobs.iter().find(|job| job["job_id"] == step["job"]["job_id"]).unwrap();
        let gate = |doc: &Value, key: &str| doc["gate"][key].clone();
        // What has ended has ended; a gate wants to hear of the phase, too.
        if !why.contains("not seen this phase") {
            assert_eq!(job["silent"], step["job"]["silent"], "{job} {step}");
        }
        assert_eq!(
            (gate(job, "answer"), gate(job, "n")),
            (gate(&step["job"], "answer"), gate(&step["job"], "n"))
        );
        // And so is what somebody has to look at; `site status` says the same.
        let status = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status["attention"], rollout["attention"]);
        let odd = ["signed", "believed", "site", "host_key", "older"].iter().any(|word| why.contains(word));
        let codes: Vec<&str> =
            status["problems"].as_array().unwrap().iter().filter_map(|p| p["code"].as_str()).collect();
        assert_eq!(codes.contains(&"not-verified"), odd, "{why} {status}");
        (numbers(&step["job"]), why)
    };
    both();
    assert_eq!(said(), ([2, 0, 0, 2], String::new()));
    let silent = |words: &str| {
        let (numbers, why) = said();
        assert_eq!(numbers, [1, 0, 1, 2], "{why}");
        assert!(why.contains(words), "{why}");
        both();
    };
    report(dir, 1, at, "succeeded");
    silent("is not signed");
    signed_report(dir, 1, at, 9, "k2");
    silent("signed with another key");
    signed_report(dir, 2, at, 9, "k2");
    fs::copy(path(2), path(1)).unwrap();
    silent("its report is of BP050002");
    let own = fs::read_to_string(path(1)).unwrap();
    fs::write(path(1), own.replace("\"report\":7", "\"report\":8")).unwrap();
    silent("is not believed");
    signed_report(dir, 1, at - 1, 9, "k1");
    silent("not seen this phase");
    let toml = fs::read_to_string(dir.join("site/site.toml")).unwrap();
    let site_id = toml.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap().to_owned();
    fs::write(dir.join("site/site.toml"), toml.replace(&site_id, "zzzzzzzzzzzzzzzz")).unwrap();
    signed_report(dir, 1, at, 9, "k1");
    fs::write(dir.join("site/site.toml"), toml).unwrap();
    silent("of no publication of this site");
    // One key of two machines is nobody's.
    let key = |n: usize| fs::read_to_string(dir.join(format!("k{n}.pub"))).unwrap().trim().to_owned();
    fs::write(&machines, list.replace(&key(3), &key(1))).unwrap();
    silent("same host_key");
    fs::write(&machines, list.replace(&key(1), "")).unwrap();
    silent("no host_key");
    fs::write(&machines, &list).unwrap();

    let (exit, on) = advance(dir, &[]);
    assert_eq!((exit, &on["job"]["gate"]["answer"]), (Some(0), &"as seen".into()), "{on}");
    assert_eq!((&on["job"]["percent"], &on["unsigned_reports"]), (&100.0.into(), &false.into()));
    // A report from before the one that was counted is no news, whatever it names.
    let at = serial();
    for n in 0..4 {
        signed_report(dir, n, at, if n == 1 { 6 } else { 8 }, &format!("k{n}"));
    }
    let (numbers, why) = said();
    assert_eq!(
        (numbers, why.as_str()),
        ([3, 0, 1, 4], "its report is older than one that was counted before")
    );
    signed_report(dir, 1, at, 8, "k1");
    assert_eq!(said().0, [4, 0, 0, 4]);
    fs::write(dir.join("site/reports.counted"), "damaged").unwrap();
    assert_eq!(super::keys::refused(dir, &["job", "advance", "--folder", "site"]), "malformed");
}
