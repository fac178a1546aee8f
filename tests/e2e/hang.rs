//! A share that hangs stalls neither schedule, views nor time limits (PROMISES.md P8): a real FUSE file system that never
//! answers is mounted over the share while everything runs.

use super::common::*;
use super::hanging::Hang;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_share_that_hangs_stalls_neither_views_nor_schedule_nor_time_limits() {
    let mut site = Site::with_config("[share]\ntimeout = \"2s\"\n");
    let quick = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let slow = format!("\"{}\"", site.package("BP00000B", "sleep 300"));
    site.publish(&[
        Request::due("BP00001").set("content_sha256", quick).mandatory(now() + seconds(9)),
        Request::due("BP00002")
            .set("package_id", "\"BP00000B\"")
            .set("content_sha256", slow)
            .set("max_run_time", "\"3s\"")
            .mandatory(now() + seconds(8)),
    ]);
    let _service = site.service();
    for package in ["BP00001", "BP00002"] {
        wait_for("it is staged", || {
            // Until the first look there is no such request.
            site.request(package).is_some_and(|request| {
                !request["blocked_by"].as_array().unwrap().iter().any(|code| code == "content-missing")
            })
        });
    }
    let Some(hang) = Hang::over(&site.share()) else { return };
    wait_for("the share is said to be away", || {
        let clock = Instant::now();
        let list = site.json(&["list"]);
        // The share would keep it for ten minutes.
        assert!(clock.elapsed() < Duration::from_secs(15), "a view took {:?}", clock.elapsed());
        list["problems"].to_string().contains("share-missing")
    });
    // Both run from what is held, at their time, and the time limit holds.
    site.wait_state("BP00002", "timed-out");
    site.wait_state("BP00001", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    drop(hang);
    wait_for("the share is back", || !site.json(&["list"])["problems"].to_string().contains("share-missing"));
}

/// How many processes that read shares a service has.
fn readers_of(service: u32) -> usize {
    let parent = format!("PPid:\t{service}");
    let of = |process: &std::fs::DirEntry| {
        let read = |name| std::fs::read_to_string(process.path().join(name)).unwrap_or_default();
        read("status").lines().any(|line| line == parent) && read("cmdline").contains("share-reader")
    };
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(of).count()
}

/// Whichever comes first in the configuration: the one that hangs keeps the machine from nothing that the other one has,
/// and only that one is said to be away.
#[test]
fn a_share_that_hangs_keeps_the_machine_from_no_other_share() {
    for good_first in [true, false] {
        let mut site = Site::with_config("[share]\ntimeout = \"2s\"\n");
        let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
        let other = site.path("other");
        make_dir(&other);
        let (first, second) =
            if good_first { (site.share(), other.clone()) } else { (other.clone(), site.share()) };
        let config = std::fs::read_to_string(site.config()).unwrap();
        let (one, both) =
            (format!("shares = [{:?}]", site.share()), format!("shares = [{first:?}, {second:?}]"));
        write(&site.config(), config.replace(&one, &both).as_bytes());
        site.publish(&[Request::due("BP00001").set("content_sha256", hash)]);
        let Some(_hang) = Hang::over(&other) else { return };
        let service = site.service();
        site.wait_state("BP00001", "succeeded");
        let list = site.json(&["list"]);
        let away: Vec<_> = list["problems"].as_array().unwrap().iter().collect();
        let [problem] = &away[..] else { panic!("{list}") };
        assert_eq!((&problem["code"], &problem["file"]), (&"share-missing".into(), &other.to_str().into()));
        assert!(problem["message"].as_str().unwrap().contains("does not answer"), "{problem}");
        assert!(!list["polled_at"].is_null(), "{list}");
        assert_eq!(site.ran("ran"), 1);
        let results = site.share().join("despoolr.box").join(MACHINE);
        // The place that hangs has half a minute for itself, once.
        let arrived = || std::fs::read_dir(&results).is_ok_and(|all| all.count() == 1);
        wait_for_or(Duration::from_secs(90), arrived).expect("the result reaches the share that is well");
        // One that cannot even be killed keeps the next ones from joining it: one looks, one delivers, one removes, one copies.
        for _ in 0..8 {
            site.json(&["poll"]);
        }
        let readers = readers_of(service.child.id());
        assert!(readers <= 4, "{readers} share readers hang");
    }
}

#[test]
fn what_the_first_look_may_still_bring_is_not_denied_before_it_has_ended() {
    let mut site = Site::with_config("[share]\ntimeout = \"4s\"\n");
    site.publish(&[Request::due("BP0000Y")]);
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let mut service = site.command(&["service", "run"]).spawn().unwrap();
    site.wait_log("started.");
    let start = Instant::now();
    site.refused(&["explain", "BP0000Y"], 4);
    let waited = start.elapsed();
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(waited > Duration::from_secs(2), "it said no after {waited:?}, before it could know");
}

#[test]
fn without_a_service_a_share_that_hangs_holds_up_no_action() {
    let mut site = Site::with_config("[share]\ntimeout = \"20s\"\n");
    site.publish(&[
        Request::due("BP00001").mandatory(now() + seconds(86_400)),
        Request::due("BP00002").mandatory(now() + seconds(86_400)),
    ]);
    site.json(&["poll"]);
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let quickly = |args: &[&str]| {
        let clock = Instant::now();
        let doc = site.json(args);
        assert!(clock.elapsed() < Duration::from_secs(10), "{args:?} took {:?}", clock.elapsed());
        doc
    };
    quickly(&["hold", "--for", "1h", "--reason", "audit"]);
    quickly(&["unhold"]);
    let deferred = quickly(&["defer", "BP00001", "--for", "1h", "--reason", "release"]);
    assert!(!deferred["deferred_until"].is_null(), "{deferred}");
    quickly(&["undefer", "BP00001"]);
    // Only a run asks the share, within its deadline, and says what it was decided on.
    let clock = Instant::now();
    let refused = site.refused(&["run", "BP00002"], 3);
    assert!(clock.elapsed() < Duration::from_secs(60), "the run took {:?}", clock.elapsed());
    // Its files were never copied.
    assert_eq!(refused["code"], "content-missing");
    assert!(refused["message"].to_string().contains("because the share cannot be read now"), "{refused}");
}

#[test]
fn a_share_that_hangs_is_not_judged_and_lint_says_so() {
    let site = Site::with_config("[share]\ntimeout = \"2s\"\n");
    let share = site.share().display().to_string();
    assert!(site.pcm(&["site", "lint", &share]).status.code().is_some_and(|code| code != 5));
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let refused = site.refused(&["site", "lint", &share], 5);
    assert_eq!(refused["code"], "share-missing");
    assert!(refused["message"].as_str().unwrap().contains("does not answer"), "{refused}");
}

/// The commands at the same time, each to its end: one with a thread at the share could not end.
fn ended(mut commands: Vec<Command>) -> Vec<Output> {
    let begun = commands.iter_mut().map(|c| c.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let begun: Vec<Child> = begun.collect();
    let end = |(mut child, command): (Child, &Command)| {
        let ended = wait_for_or(Duration::from_secs(90), || !matches!(child.try_wait(), Ok(None)));
        assert!(ended.is_ok(), "{command:?} does not end");
        child.wait_with_output().unwrap()
    };
    begun.into_iter().zip(&commands).map(end).collect()
}

/// It was refused because the share does not answer.
fn is_away(told: &Output) {
    let doc: serde_json::Value = serde_json::from_slice(&told.stderr).unwrap_or_default();
    assert_eq!(
        (told.status.code(), &doc["error"]["code"]),
        (Some(5), &"share-missing".into()),
        "{}",
        text(told)
    );
    assert!(doc["error"]["message"].as_str().unwrap().contains("does not answer"), "{doc}");
}

#[test]
fn init_ends_although_a_share_hangs_and_asks_the_others() {
    let site = Site::bare("");
    let folder = site.path("folder").display().to_string();
    site.json(&["site", "init", &folder, "--site", "BP0", "--example", "BP004000"]);
    site.json(&["site", "publish", "--folder", &folder]);
    let (hanging, good) = (site.share().display().to_string(), format!("{folder}/share"));
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let init = |name: &str, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.arg("--config").arg(site.path(&format!("{name}/pcm.toml")));
        command.arg("--state").arg(site.path(&format!("{name}/state")));
        command.args(["--json", "init", "--share", &hanging]).args(args);
        command
    };
    let key = ["--machine", "BP004000", "--trust-key", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    let signed = ["--machine", "BP004000", "--trust", "signed"];
    let permissions = ["--machine", "BP004000", "--trust", "permissions"];
    let told = ended(vec![
        init("key", &key),
        init("nobody", &permissions[2..]),
        init("signed", &signed),
        init("permissions", &permissions),
        init("other", &[&permissions[2..], &["--share", &good]].concat()),
        init("other-key", &[&key[..], &["--share", &good]].concat()),
    ]);
    let [key, nobody, written @ .., other_key] = &told[..] else { panic!("{told:?}") };
    is_away(key);
    is_away(nobody);
    is_away(other_key);
    for told in written {
        assert!(told.status.success(), "{}", text(told));
        let doc: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(doc["machine"], "BP004000");
        assert_eq!(doc["not_reached"][0]["file"], hanging.as_str(), "{doc}");
    }
}

#[test]
fn publishing_ends_although_the_share_hangs_and_changes_nothing() {
    let site = Site::bare("[share]\ntimeout = \"2s\"\n");
    let folder = site.path("folder").display().to_string();
    site.json(&["site", "init", &folder, "--site", "BP0", "--example", "BP004000"]);
    site.json(&["site", "publish", "--folder", &folder]);
    let Some(_hang) = Hang::over(&site.path("folder/share")) else { return };
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000"];
    let verb = |args: &[&str]| site.command(&[args, &["--folder", &folder, "--json"]].concat());
    let inside = site.path("folder/share/new").display().to_string();
    let told = ended(vec![
        verb(&["site", "publish"]),
        verb(&["site", "publish", "--renew"]),
        verb(&["site", "verify", &site.path("folder/share/PCM.INDEX").display().to_string()]),
        site.command(&["site", "init", &inside, "--hand-made", "--site", "BP0", "--json"]),
        verb(&["job", "advance"]),
        verb(&["site", "machine", "replace", "BP004000"]),
        verb(&["package", "content", "BP00000A"]),
    ]);
    told.iter().for_each(is_away);
    // What the folder knows by itself is said all the same.
    let status = ended(vec![verb(&["site", "status"])]);
    let doc: serde_json::Value = serde_json::from_slice(&status[0].stdout).unwrap();
    assert_eq!((status[0].status.code(), &doc["jobs"]["active"]), (Some(10), &1.into()), "{doc}");
    assert!(doc["problems"].to_string().contains("does not answer"), "{doc}");
    assert_eq!(
        (&doc["failed_first"], &doc["published"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    // One after another: they would wait for each other.
    for args in [&send[..], &["job", "cancel", "BP0000AA"], &["site", "machine", "add", "BP004001"]] {
        ended(vec![verb(args)]).iter().for_each(is_away);
    }
    let jobs = std::fs::read_dir(site.path("folder/jobs")).unwrap().count();
    let machines = std::fs::read_to_string(site.path("folder/machines.csv")).unwrap();
    assert!(jobs == 1 && !machines.contains("BP004001"), "{jobs} {machines}");
    // Without publishing it needs no share, and says what it did not see there.
    let sent = ended(vec![site.command(&[&send[..], &["--no-publish", "--folder", &folder]].concat())]);
    assert!(sent[0].status.success() && text(&sent[0]).contains("does not answer"), "{}", text(&sent[0]));
    let from = site.path("folder/share").display().to_string();
    let new = site.path("new").display().to_string();
    ended(vec![site.command(&["site", "init", &new, "--site", "BP0", "--from", &from, "--json"])])
        .iter()
        .for_each(is_away);
}
