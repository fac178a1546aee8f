//! `pcm site collect`: one file of what all machines report, and who reads it when.

use super::keys::json;
use super::rollout::{IN, phased, report};
use super::{command, pcm, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// More than are read one by one where a collector has read them.
const MACHINES: usize = 2_100;
const FILE: &str = "site/share/machines.collected";

fn rollout(dir: &Path, args: &[&str]) -> Value {
    let done = pcm(dir, &[&["rollout", "BP0000AB", "--json"][..], args, &IN].concat());
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)))
}

fn json_of(done: std::process::Output) -> Value {
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)))
}

fn collect(dir: &Path) -> Value {
    json(dir, &[&["site", "collect"][..], &IN].concat())
}

/// Some have done it, some failed, and one report is damaged.
fn many(dir: &Path) {
    phased(dir, MACHINES, "100%");
    for n in 0..60 {
        report(dir, n, 2, if n % 6 == 0 { "failed" } else { "succeeded" });
    }
    let damaged = dir.join("site/share/machines").join("BP050060.json");
    fs::write(damaged, "{").unwrap();
}

/// What does not depend on when it was counted.
fn figures(doc: &Value) -> Value {
    let job = &doc["jobs"][0];
    let of_job =
        ["targets", "done", "failed", "waiting", "silent", "by_state", "by_result", "silent_because", "gate"];
    let figures = of_job.map(|key| (key, job[key].clone()));
    let of_site = ["read", "unread", "without_report", "machines", "unusable", "whole"]
        .map(|key| (key, doc[key].clone()));
    figures
        .into_iter()
        .chain(of_site)
        .map(|(key, value)| (key.to_owned(), value))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_console_takes_what_a_collector_has_read_where_that_is_newer() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    many(dir);
    let own = rollout(dir, &[]);
    assert!(own["collected"].is_null() && own["age_s"] == 0, "{}", own["collected"]);
    let would = json(dir, &[&["site", "collect", "--dry-run"][..], &IN].concat());
    assert!(would["dry_run"] == true && !dir.join(FILE).exists());
    let collected = collect(dir);
    assert_eq!((&collected["read"], &collected["unread"]), (&60.into(), &1.into()), "{collected}");
    assert_eq!(collected["without_report"], MACHINES + 1 - 61, "{collected}");
    let taken = rollout(dir, &[]);
    assert_eq!(taken["collected"]["at"], collected["at"], "{taken}");
    assert_eq!(figures(&taken), figures(&own));
    assert_eq!(taken["age_s"], taken["collected"]["age_s"]);
    let human = text(&pcm(dir, &[&["rollout"][..], &IN].concat()).stdout);
    assert!(human.contains("As the collector read it "), "{human}");
    // A report that came since is in none of it, and is read where that is asked.
    report(dir, 1, 2, "failed");
    assert_eq!(figures(&rollout(dir, &[])), figures(&own));
    let fresh = rollout(dir, &["--fresh"]);
    assert!(fresh["collected"].is_null() && fresh["jobs"][0]["failed"] == 11, "{}", fresh["jobs"][0]);
    // From now on this account knows more than the collector does, until that has read again.
    let newer = rollout(dir, &[]);
    assert!(newer["collected"].is_null() && figures(&newer) == figures(&fresh));
    collect(dir);
    fs::remove_dir_all(dir.join("cache")).unwrap();
    let again = rollout(dir, &[]);
    assert!(again["collected"].is_object() && figures(&again) == figures(&fresh));
    assert!(
        !dir.join("cache/pcm")
            .read_dir()
            .is_ok_and(|mut files| files.any(|file| { file.unwrap().metadata().unwrap().len() > 200_000 })),
        "what somebody else has read is not kept as one's own"
    );
}

#[test]
fn one_that_cannot_be_used_is_said_and_the_reports_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    many(dir);
    collect(dir);
    let whole = fs::read(dir.join(FILE)).unwrap();
    let status = || json_of(pcm(dir, &[&["site", "status", "--json"][..], &IN].concat()));
    let unused = |status: &Value| {
        status["problems"].as_array().unwrap().iter().any(|p| p["code"] == "collected-unused")
    };
    assert!(!unused(&status()), "{}", status());
    let said = |words: &str| {
        assert!(unused(&status()), "{words}: {}", status());
        let doc = rollout(dir, &[]);
        let warning = doc["warnings"][0].as_str().unwrap_or_default().to_owned();
        assert!(warning.contains("the reports are read instead") && warning.contains(words), "{warning}");
        assert!(doc["collected"].is_null() && doc["read"] == 60, "{doc}");
        fs::remove_dir_all(dir.join("cache")).unwrap();
    };
    fs::write(dir.join(FILE), &whole[..whole.len() - 1]).unwrap();
    said("damaged");
    fs::write(dir.join(FILE), "").unwrap();
    said("damaged");
    fs::remove_file(dir.join(FILE)).unwrap();
    fs::create_dir(dir.join(FILE)).unwrap();
    said("not a regular file");
    fs::remove_dir(dir.join(FILE)).unwrap();
    // Another site's, which somebody has copied here.
    json(dir, &["site", "init", "other", "--site", "BP0", "--example", "BP004000"]);
    json(dir, &["site", "publish", "--folder", "other"]);
    json(dir, &["site", "collect", "--folder", "other"]);
    fs::copy(dir.join("other/share/machines.collected"), dir.join(FILE)).unwrap();
    said("another site");
    // A gate goes by the reports alone.
    fs::write(dir.join(FILE), &whole).unwrap();
    (0..60).for_each(|n| report(dir, n, 2, "failed"));
    let done = pcm(dir, &[&["job", "advance", "--json"][..], &IN].concat());
    let advanced: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(advanced["jobs"][0]["gate"]["f"], 60, "{advanced}");
}

/// A place where a share is mounted at other times: what was collected before stays. Beside the share its folder has another
/// name.
#[test]
fn nothing_is_collected_where_no_site_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    many(dir);
    let share = dir.join("site/share");
    fs::create_dir(dir.join("mount")).unwrap();
    let on = |share: &str| pcm(dir, &[&["site", "collect", "--json", "--share", share][..], &IN].concat());
    let done = on("mount");
    assert_eq!(done.status.code(), Some(5), "{}", text(&done.stderr));
    assert!(!dir.join("mount/machines.collected").exists());
    fs::rename(&share, dir.join("exported")).unwrap();
    let done = on("exported");
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(dir.join("exported/machines.collected").exists());
    // Whoever published made the folder of the reports: where it is gone, nothing is known of anybody.
    let before = fs::read(dir.join("exported/machines.collected")).unwrap();
    fs::remove_dir_all(dir.join("exported/machines")).unwrap();
    let done = on("exported");
    assert_eq!(done.status.code(), Some(5), "{}", text(&done.stderr));
    assert_eq!(fs::read(dir.join("exported/machines.collected")).unwrap(), before);
    // Nobody has reported yet.
    fs::create_dir(dir.join("exported/machines")).unwrap();
    let done = on("exported");
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&doc["read"], &doc["unread"]), (&0.into(), &0.into()), "{doc}");
}

#[test]
fn a_collector_that_is_killed_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    many(dir);
    collect(dir);
    let before = fs::read(dir.join(FILE)).unwrap();
    (0..60).for_each(|n| report(dir, n, 2, "failed"));
    let args = [&["site", "collect", "--json"][..], &IN].concat();
    let mut killed = 0;
    for wait in 0..12_u64 {
        let mut child = command(dir, &args).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait * 25));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let now = fs::read(dir.join(FILE)).unwrap();
        fs::remove_dir_all(dir.join("cache")).unwrap_or_default();
        let taken = rollout(dir, &[]);
        let failed = if now == before { 10 } else { 60 };
        assert!(
            taken["collected"].is_object() && taken["jobs"][0]["failed"] == failed,
            "{wait}: {}",
            taken["warnings"]
        );
    }
    assert!(killed > 0, "each had ended before");
    // What it left half written is no report and no file of the share's.
    collect(dir);
    assert_eq!(rollout(dir, &["--fresh"])["strangers"], 0);
}

#[test]
fn a_share_that_is_away_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    json(dir, &["site", "publish", "--folder", "site"]);
    let nobody = collect(dir);
    assert_eq!((&nobody["read"], &nobody["without_report"]), (&0.into(), &1.into()), "{nobody}");
    fs::rename(dir.join("site/share"), dir.join("site/away")).unwrap();
    let done = pcm(dir, &[&["site", "collect", "--json"][..], &IN].concat());
    assert!(!done.status.success(), "{}", text(&done.stdout));
}

#[test]
fn a_timer_collects_every_five_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0"]);
    let would = json(dir, &[&["site", "install-timer", "--collect", "--dry-run"][..], &IN].concat());
    let text = |n: usize| would["files"][n]["text"].as_str().unwrap().to_owned();
    assert!(text(0).contains(" site collect --folder ") && !text(0).contains("advance"), "{would}");
    assert!(text(1).contains("OnCalendar=*:0/5\n"), "{would}");
    let path = would["files"][1]["path"].as_str().unwrap();
    assert!(path.contains("/pcm-site-BP0-") && path.ends_with("-collect.timer"), "{path}");
    assert_eq!(would["minutes"], 5);
}
