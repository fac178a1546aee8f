//! A service that has nothing to do notices within about a minute that its history has gone, whatever it thinks of its
//! clock. (One that has something to do notices at once: `history`.)

use super::common::*;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Replaces the history under an idle service by what it was before the only run.
fn noticed(clock_suspect: bool, replace: fn(&[u8], &Path)) {
    let mut site = Site::new();
    let db = site.state().join("history.db");
    let yesterday = fs::read(&db).unwrap();
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request]);
    site.json(&["run", "BP0000Y", "--wait"]);
    if clock_suspect {
        let later = (now() + chrono::TimeDelta::days(2)).to_rfc3339();
        let set = "INSERT INTO meta (key, value) VALUES ('last_time', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1";
        rusqlite::Connection::open(&db).unwrap().execute(set, [later]).unwrap();
    }
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.json_of(&["status"])["clock_ok"], !clock_suspect);
    let polls = || site.log().matches("Looking for instruction file").count();
    wait_for("it has come to rest", || polls() >= 3);
    replace(&yesterday, &db);
    let lost = || {
        let list = site.json(&["list", "--all"]);
        list["problems"].as_array().unwrap().iter().any(|p| p["code"] == "history-lost")
    };
    wait_for_or(Duration::from_secs(150), lost).unwrap_or_else(|()| panic!("not noticed\n{}", site.log()));
    site.wait_log("history-lost: nothing runs by itself");
    assert_eq!(site.ran("ran"), 1);
}

fn in_its_place(bytes: &[u8], db: &Path) {
    let new = db.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(&new, db).unwrap();
}

/// All at once: each waits for its minute.
#[test]
fn an_idle_service_notices_that_its_history_was_replaced_overwritten_or_deleted() {
    std::thread::scope(|scope| {
        scope.spawn(|| noticed(true, in_its_place));
        scope.spawn(|| noticed(true, |_, db| fs::remove_file(db).unwrap()));
        scope.spawn(|| noticed(false, in_its_place));
        scope.spawn(|| noticed(false, |bytes, db| fs::write(db, bytes).unwrap()));
    });
}
