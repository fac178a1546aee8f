//! Nothing older is ever taken (SITE.md 1): shares that lag behind or were restored from a backup.

use super::common::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A site with a share and a second one that lags behind: serial 1 with a job that serial 2 on the first has cancelled.
struct Lagging {
    site: Site,
    one: String,
    two: String,
}

impl Lagging {
    fn new() -> Self {
        let mut site = Site::new();
        let hash = site.package("BP00000A", &site.say("ran"));
        let job = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
        let keeps = Request::due("BP0000X").set("mandatory_after", "");
        let one = site.instructions(&[job, keeps.clone()]);
        let two = site.instructions(&[keeps]);
        Self { site, one, two }
    }

    /// The second share, as it was at serial 1, behind the first.
    fn add_replica(&self) {
        self.site.publish_text(&self.one);
        copy(&self.site.share(), &self.site.path("replica"));
        let config = fs::read_to_string(self.site.config()).unwrap();
        let both = format!("shares = [{:?}, {:?}]", self.site.share(), self.site.path("replica"));
        let one = format!("shares = [{:?}]", self.site.share());
        write(&self.site.config(), config.replace(&one, &both).as_bytes());
    }

    fn problems(&self) -> Vec<Value> {
        self.site.json(&["list"])["problems"].as_array().cloned().unwrap_or_default()
    }

    fn wait_rollback(&self) {
        wait_for("the rollback is told", || self.problems().iter().any(|p| p["code"] == "rollback"));
    }

    /// Polls go on, and nothing of the older file is there.
    fn nothing_older_runs(&self) {
        let polls = || self.site.log().matches("Looking for instruction file").count();
        let before = polls();
        wait_for("polls go on", || polls() >= before + 6);
        assert_eq!(self.site.state_of("BP0000Y"), "absent");
        assert_eq!(self.site.ran("ran"), 0, "a cancelled job ran");
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn held(site: &Site) -> String {
    fs::read_to_string(site.state().join("held.INS")).unwrap()
}

#[test]
fn a_cancelled_job_does_not_run_when_the_newer_share_goes_away() {
    let lagging = Lagging::new();
    lagging.add_replica();
    let site = &lagging.site;
    site.publish_text(&lagging.two);
    let service = site.service();
    wait_for("serial 2", || site.json(&["list"])["serial"] == 2);
    // The share that lags is a note while the other one has the newest.
    wait_for("a note", || lagging.problems().iter().any(|p| p["message"].to_string().contains("serial 1")));
    assert!(lagging.problems().iter().all(|p| p["code"] != "rollback"), "{:?}", lagging.problems());
    assert_eq!(site.pcm(&["status"]).status.code(), Some(0));
    fs::rename(site.share(), site.path("away")).unwrap();
    lagging.wait_rollback();
    lagging.nothing_older_runs();
    assert_eq!(site.state_of("BP0000X"), "offered", "the last file stays in force");
    assert_eq!(held(site), lagging.two);
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    assert!(site.json_of(&["check"])["items"].to_string().contains("serial 1 is below 2"));
    assert_eq!(site.log().matches("serial 1 is below 2").count(), 1, "said once:\n{}", site.log());
    // The same for a service that starts now, with and without what was held, and for a command without one.
    service.kill();
    fs::remove_file(site.state().join("held.INS")).unwrap();
    assert_eq!(site.refused(&["run", "BP0000Y"], 4)["code"], "no-such-request");
    assert_eq!(site.state_of("BP0000Y"), "absent");
    write(&site.state().join("held.INS"), lagging.one.as_bytes());
    assert_eq!(site.state_of("BP0000Y"), "absent");
    let _service = site.service();
    lagging.wait_rollback();
    lagging.nothing_older_runs();
    fs::rename(site.path("away"), site.share()).unwrap();
    site.wait_state("BP0000X", "offered");
    assert!(lagging.problems().iter().all(|p| p["code"] != "rollback"));
}

#[test]
fn a_share_that_was_restored_from_a_backup_runs_nothing_until_somebody_publishes_or_accepts() {
    let mut lagging = Lagging::new();
    let site = &lagging.site;
    site.publish_text(&lagging.two);
    let _service = site.service();
    wait_for("serial 2", || site.json(&["list"])["serial"] == 2);
    assert_eq!(site.refused(&["init", "--accept-serial", "1"], 3)["code"], "no-rollback");
    site.publish_text(&lagging.one);
    lagging.wait_rollback();
    lagging.nothing_older_runs();
    // The machine's report says so to whoever looks at the share.
    let lint = || site.json_of(&["site", "lint", site.share().to_str().unwrap()])["items"].to_string();
    wait_for("lint sees it", || lint().contains("its serial 1 is lower than 2"));
    // The same serial with other bytes is as little the one that was seen.
    let changed = lagging.one.replace("serial = 1\n", "serial = 2\n");
    site.publish_text(&changed);
    wait_for("it is told", || {
        lagging
            .problems()
            .iter()
            .any(|p| p["message"].to_string().contains("seen before with another content"))
    });
    lagging.nothing_older_runs();
    // An operator decides, for what a share offers and nothing else.
    assert_eq!(site.refused(&["init", "--accept-serial", "1"], 3)["code"], "rollback");
    site.publish_text(&lagging.one);
    wait_for("serial 1", || {
        lagging.problems().iter().any(|p| p["message"].to_string().contains("is below 2"))
    });
    let would = site.json(&["init", "--accept-serial", "1", "--dry-run"]);
    assert_eq!(would["dry_run"], true, "{would}");
    assert_eq!(site.json(&["init", "--accept-serial", "1"])["serial"], 1);
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    let audit = site.json(&["audit"]);
    let entries: Vec<&Value> =
        audit["entries"].as_array().unwrap().iter().filter(|e| e["verb"] == "accept-serial").collect();
    assert!(entries.iter().any(|e| e["result"] == "done" && e["reason"] == "serial 1"), "{audit}");
    // From now on it is what was seen last, and a newer one ends every rollback by itself.
    let request = Request::due("BP0000Z").set("mandatory_after", "");
    lagging.site.publish(&[request]);
    lagging.site.wait_state("BP0000Z", "offered");
}

#[test]
fn an_older_file_is_not_taken_after_a_loss_of_history_either() {
    let lagging = Lagging::new();
    let site = &lagging.site;
    site.publish_text(&lagging.two);
    let service = site.service();
    wait_for("serial 2", || site.json(&["list"])["serial"] == 2);
    wait_for("the mark knows it", || {
        let mark = fs::read_to_string(site.path("etc/pcm.mark")).unwrap();
        serde_json::from_str::<Value>(&mark).unwrap()["publication"]["serial"] == 2
    });
    service.kill();
    fs::remove_file(site.state().join("history.db")).unwrap();
    fs::remove_file(site.state().join("held.INS")).unwrap();
    site.publish_text(&lagging.one);
    site.json(&["init", "--adopt=not-done"]);
    let _service = site.service();
    lagging.wait_rollback();
    lagging.nothing_older_runs();
}
