//! What a machine's state stands on is taken away, or something else is put in its place (PROMISES.md P4, P15): nothing runs,
//! every view says what is wrong and what mends it, nothing is thrown away, and it goes on by itself once it is put right.

use super::common::*;
use super::pty::Terminal;
use super::small::Small;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn does(program: &str, args: &[&str], path: &Path) -> bool {
    Command::new(program).args(args).arg(path).output().is_ok_and(|done| done.status.success())
}

/// A machine that has run one request, with another one due.
fn with_history() -> Site {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let [done, due] = ["BP0000Y", "BP0000Z"].map(|id| Request::due(id).set("content_sha256", hash.clone()));
    site.publish(std::slice::from_ref(&done));
    site.json(&["run", "BP0000Y", "--wait"]);
    site.publish(&[done, due]);
    site
}

/// The problem of this code in a view.
fn problem(site: &Site, view: &str, code: &str) -> Option<String> {
    let doc = site.json_of(&[view]);
    let found = doc["problems"].as_array().unwrap().iter().find(|p| p["code"] == code)?;
    Some(found["message"].as_str().unwrap().to_owned())
}

/// Status, with its exit status, list, the gates of an explanation and the console say this, with these words.
fn is_said(site: &Site, code: &str, words: &[&str]) {
    for view in ["status", "list"] {
        let message =
            problem(site, view, code).unwrap_or_else(|| panic!("{view}: {}", site.json_of(&[view])));
        for words in words {
            assert!(message.contains(words), "{view}: {words:?} is not in {message}");
        }
    }
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    let gates = site.json_of(&["explain", "BP0000Z"])["gates"].to_string();
    assert!(gates.contains(&format!("\"{code}\"")), "{gates}");
    let console = Terminal::start(&site.command(&[]), 160, 40);
    console.wait(&format!("! {code}: "));
}

fn is_gone(site: &Site, code: &str) -> bool {
    ["status", "list"].iter().all(|view| problem(site, view, code).is_none())
}

/// The words that say what stands there, and what puts it there.
type Impostor<'a> = (&'static str, Box<dyn Fn() -> bool + 'a>);

/// What stands in the place of a file.
fn impostors(file: &Path) -> Vec<Impostor<'_>> {
    let plain = move || {
        write(file, b"");
        true
    };
    let mut all: Vec<Impostor<'_>> = vec![
        ("not a regular file", Box::new(move || does("mkfifo", &[], file))),
        ("not a regular file", Box::new(move || fs::create_dir(file).is_ok())),
        ("a link", Box::new(move || symlink("/nowhere", file).is_ok())),
        ("chmod go-w", Box::new(move || plain() && does("chmod", &["666"], file))),
    ];
    if is_root() {
        all.push(("chown 0", Box::new(move || plain() && does("chown", &["65534"], file))));
        all.push((
            "not a regular file",
            Box::new(move || {
                Command::new("mknod")
                    .arg(file)
                    .args(["c", "1", "3"])
                    .output()
                    .is_ok_and(|made| made.status.success())
            }),
        ));
    } else {
        skipped("only root makes devices and gives files away");
    }
    all
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

#[test]
fn what_stands_in_the_place_of_history_journal_or_mark_is_no_loss_and_nothing_is_adopted() {
    let site = with_history();
    for file in ["state/history.db", "state/history.db-journal", "etc/pcm.mark"] {
        let (file, kept) = (site.path(file), site.path("kept"));
        let _ = fs::rename(&file, &kept);
        for (words, put) in impostors(&file) {
            if !put() {
                skipped(format_args!("{words}: it cannot be made here"));
                continue;
            }
            let message = problem(&site, "list", "state-unreadable")
                .unwrap_or_else(|| panic!("{}: {words}: {}", file.display(), site.json_of(&["list"])));
            assert!(message.contains(words) && message.contains("It is not lost"), "{message}");
            assert!(words.starts_with("ch") || message.contains("mv "), "it says what mends it: {message}");
            assert!(problem(&site, "list", "history-lost").is_none(), "{message}");
            for adopt in ["--adopt=done", "--adopt=not-done"] {
                let refused = site.refused(&["init", adopt], 6);
                assert_eq!(refused["code"], "state-unreadable", "{refused}");
            }
            remove(&file);
        }
        if kept.exists() {
            fs::rename(&kept, &file).unwrap();
        }
        assert!(is_gone(&site, "state-unreadable"), "it is read again");
    }
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 1);
    assert!(site.pcm(&["init"]).status.success());
}

#[test]
fn a_pipe_in_the_place_of_the_history_under_a_service_is_said_at_once_and_heals() {
    let site = with_history();
    let (file, kept) = (site.state().join("history.db"), site.path("kept"));
    site.json(&["hold", "--for", "1h", "--reason", "not yet"]);
    let _service = site.service();
    // At one go: between two steps the service would see that there is no file, which is something else.
    assert!(does("mkfifo", &[], &kept));
    let here = rustix::fs::CWD;
    rustix::fs::renameat_with(here, &file, here, &kept, rustix::fs::RenameFlags::EXCHANGE).unwrap();
    // The next call is told, not the next minute.
    is_said(&site, "state-unreadable", &["not a regular file", "mv "]);
    assert_eq!(site.refused(&["unhold"], 3)["code"], "state-unreadable");
    remove(&file);
    fs::rename(&kept, &file).unwrap();
    wait_for("it is read again", || is_gone(&site, "state-unreadable"));
    site.json(&["unhold"]);
    site.wait_state("BP0000Z", "succeeded");
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 1));
}

/// The state folder of a machine on a file system of its own, with a request that is due.
fn on_a_mount() -> Option<(Site, Small)> {
    let mut site = Site::bare("");
    make_dir(&site.state());
    let small = Small::over(site.state())?;
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Z").set("content_sha256", format!("\"{hash}\""))]);
    Some((site, small))
}

fn check_of(site: &Site, item: &str) -> Value {
    let items = site.json_of(&["check"])["items"].take();
    items.as_array().unwrap().iter().find(|row| row["item"] == item).unwrap().clone()
}

#[test]
fn a_state_folder_that_takes_no_writes_is_said_everywhere_with_what_mends_it_and_heals() {
    let Some((site, small)) = on_a_mount() else { return };
    let remount = |how: &str| does("mount", &["-o", &format!("remount,{how}")], &small.0);
    assert!(remount("ro"));
    let said = || {
        is_said(&site, "state-unwritable", &["read-only", "remount,rw"]);
        let state = check_of(&site, "state");
        assert_eq!(state["verdict"], "block", "{state}");
        for item in ["rights-state", "rights-log", "rights-stage"] {
            let row = check_of(&site, item);
            let remedy = row["remedy"].as_str().unwrap();
            assert!(remedy.contains("remount,rw") && !remedy.contains("chown"), "{row}");
        }
        let refused = site.refused(&["hold", "--for", "1h", "--reason", "x"], 6);
        assert!(refused["remedy"].as_str().unwrap().contains("remount,rw"), "{refused}");
    };
    said();
    // A service that starts waits for it, and says so.
    let service = site.service_begun();
    let waits =
        || fs::read_to_string(site.path("service.err")).unwrap_or_default().contains("waiting until it can");
    wait_for("it waits", waits);
    said();
    assert!(remount("rw"));
    site.wait_state("BP0000Z", "succeeded");
    assert!(is_gone(&site, "state-unwritable"));
    assert_eq!(site.ran("ran"), 1);
    drop(service);
}

#[test]
fn what_stands_in_the_place_of_the_lock_is_said_with_what_mends_it() {
    let site = with_history();
    let lock = site.state().join("lock");
    remove(&lock);
    assert!(does("mkfifo", &[], &lock));
    is_said(&site, "state-unwritable", &["not a regular file", "mv "]);
    for args in [&["service", "run"][..], &["hold", "--for", "1h", "--reason", "x"]] {
        let refused = site.refused(args, 6);
        let remedy = refused["remedy"].as_str().unwrap();
        assert!(remedy.contains("mv ") && !remedy.contains("pcm init"), "{refused}");
    }
    remove(&lock);
    assert!(is_gone(&site, "state-unwritable"));
    let _service = site.service();
    site.wait_state("BP0000Z", "succeeded");
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Long before the minute in which it writes down the time.
#[test]
fn another_state_folder_under_a_living_service_is_noticed_at_the_next_step_and_nothing_runs_on_it() {
    let mut site = Site::new();
    let (state, gone, older) = (site.state(), site.path("gone"), site.path("older"));
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    copy(&state, &older);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash.clone())]);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    fs::rename(&state, &gone).unwrap();
    fs::rename(&older, &state).unwrap();
    site.publish(&[
        Request::due("BP0000Y").set("content_sha256", hash.clone()),
        Request::due("BP0000Z").set("content_sha256", hash),
    ]);
    let doc = || site.json_of(&["status"]);
    wait_for("the service says it", || {
        doc()["service"] == "running" && doc().to_string().contains("\"history-lost\"")
    });
    is_said(&site, "history-lost", &["events, the mark knows of"]);
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 0));
    // Its own comes back, and what was done is known again.
    fs::rename(&state, &older).unwrap();
    fs::rename(&gone, &state).unwrap();
    site.wait_state("BP0000Z", "succeeded");
    assert!(is_gone(&site, "history-lost"));
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 1));
    service.terminate();
}

#[test]
fn a_state_folder_that_is_deleted_under_a_living_service_runs_nothing_and_there_is_one_service() {
    let site = with_history();
    site.json(&["hold", "--for", "1h", "--reason", "not yet"]);
    let mut service = site.service();
    // Away at once: what the service writes meanwhile would keep it from being deleted.
    fs::rename(site.state(), site.path("gone")).unwrap();
    let _ = fs::remove_dir_all(site.path("gone"));
    // A copy of content that was under way may have made the folder anew.
    is_said(&site, "history-lost", &["is missing", "put the f", "pcm init --adopt"]);
    // The service that lives takes the folder that an operator makes, and is still the only one.
    let adopted = site.pcm(&["init", "--adopt=done"]);
    assert!(adopted.status.success(), "{}", text(&adopted));
    wait_for_or(Duration::from_secs(60), || site.json_of(&["status"])["service"] == "running")
        .unwrap_or_else(|()| panic!("{}", text(&site.pcm(&["status"]))));
    let holder = site.json_of(&["status"])["lock"].to_string();
    assert!(holder.contains(&format!("pid {}", service.child.id())), "{holder}");
    assert!(service.child.try_wait().unwrap().is_none());
    assert_eq!((site.ran("ran BP0000Y"), site.ran("ran BP0000Z")), (1, 0));
}
