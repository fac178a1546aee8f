//! A server that fails at any object, not only at the index: what is read of it closes what it names, nothing of it runs, and it
//! runs once when the server does what it should. And lists that lag behind what is there.

use super::super::common::web::{Asked, Fault, Web};
use super::super::common::{text, wait_for_or};
use super::{access, in_a_bucket, mirrored, polls};
use serde_json::Value;
use std::time::Duration;

/// How often this was asked for.
fn asked(web: &Web, path: &str) -> usize {
    web.asked().iter().filter(|one| one.path.contains(path)).count()
}

#[test]
fn whatever_fails_at_whatever_object_runs_nothing_and_then_runs_once() {
    let Some((publisher, web)) = mirrored() else { return };
    let machine = publisher.machine(0, &[&web.url()], "timeout = \"2s\"\n");
    let _service = machine.site.service();
    machine.wait("it polls", polls);
    let faults = [
        Fault::Hang,
        Fault::Trickle,
        Fault::Status(403, String::new()),
        Fault::Drip,
        Fault::Status(500, String::new()),
        Fault::Status(503, "retry-after: 7200\r\n".into()),
        Fault::Status(302, "location: http://127.0.0.1:1/x\r\n".into()),
        Fault::Cut(40),
        Fault::Endless(5_000_000_000),
        Fault::Unsized,
        Fault::Other(b"<html>not what you asked for</html>\n".to_vec()),
    ];
    // Each fault at one of them; over all of the faults each of them fails in most ways.
    let objects = ["/jobs/", "/package.toml", "/CONTENT", "/jobs/", "/package.toml.sig", "/setup.sh"];
    for (n, fault) in faults.iter().enumerate() {
        let object = objects[n % objects.len()];
        // New files, so that all of it is read anew.
        publisher.files(&format!("#!/bin/sh\necho ran >> {}\n# {n}\n", publisher.path("ran").display()));
        let before = (publisher.ran(), asked(&web, object));
        web.fail(object, fault.clone());
        let request = publisher.send();
        let what = format!("{fault:?} at {object}");
        machine.wait(&format!("{what} is met"), |machine| {
            polls(machine);
            asked(&web, object) > before.1
        });
        // It is met again: what a poll makes of it is over.
        let met = asked(&web, "PCM.INDEX");
        machine.wait("two more polls", |machine| {
            polls(machine);
            asked(&web, "PCM.INDEX") >= met + 2
        });
        assert_eq!(publisher.ran(), before.0, "{what}: nothing ran");
        assert_ne!(machine.site.state_of(&request), "succeeded", "{what}");
        // That nobody takes its report on a web server is another matter.
        let problems: Vec<Value> = serde_json::from_str(&machine.problems()).unwrap();
        let of_it: Vec<&Value> = problems.iter().filter(|one| one["code"] != "undelivered").collect();
        println!("{what}: {of_it:?}");
        // A package that is not there yet is the request's own matter, and no problem of the machine.
        let explained = text(&machine.site.pcm(&["explain", &request]));
        assert!(!of_it.is_empty() || object.contains("package"), "{what}: it says why: {explained}");
        web.mend();
        machine.succeeds(&request);
        assert_eq!(publisher.ran(), before.0 + 1, "{what}: it ran once");
    }
    // A server that wants a moment of patience gets it within the same question.
    let request = publisher.send();
    web.fail("PCM.INDEX", Fault::StatusOnce(503, "retry-after: 1\r\n".into()));
    machine.wait("it polls", polls);
    assert!(web.asked().iter().any(|one| one.status == 503));
    machine.succeeds(&request);
}

/// A list that a server made before the last reports came: what is not in it is silent, nothing is counted twice, and what is in
/// it and is gone is no end of the reading.
#[test]
fn a_list_that_lags_leaves_the_sum_as_it_is() {
    let Some((publisher, bucket, web)) = in_a_bucket() else { return };
    publisher.done(&["site", "publish"]);
    let share = access(publisher.dir.path(), &web);
    let first = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let one = first.site.service();
    let request = publisher.send();
    first.succeeds(&request);
    let list = |web: &Web| -> Vec<u8> {
        let (_, bytes) = bucket.ask("GET", &lists(web), &[]).unwrap();
        bytes
    };
    // Each cache is another one who looks.
    let figures = |cache: &str, args: &[&str]| {
        let mut verb = publisher.verb(&[&["rollout"][..], args].concat());
        let looked = verb.env("XDG_CACHE_HOME", publisher.path(cache)).output().unwrap();
        assert!(looked.status.success(), "{}", text(&looked));
        let told: Value = serde_json::from_slice(&looked.stdout).unwrap();
        let job = told["jobs"].as_array().unwrap().iter().find(|job| job["request_id"] == request).cloned();
        let job = job.unwrap_or_else(|| panic!("{told:#}"));
        let of = |key: &str| job[key].as_u64().unwrap();
        let parts = ["done", "not_needed", "running", "waiting", "failed", "interrupted", "silent"];
        assert_eq!(of("targets"), parts.iter().map(|key| of(key)).sum::<u64>(), "{job:#}");
        (of("done"), of("silent"), told)
    };
    let wait = |what: &str, wanted: (u64, u64)| {
        let mut last: Option<(u64, u64, Value)> = None;
        wait_for_or(Duration::from_secs(60), || {
            let (done, silent, told) = figures("cache", &[]);
            let is = (done, silent) == wanted;
            last = Some((done, silent, told));
            is
        })
        .unwrap_or_else(|()| panic!("{what}: {last:#?}"));
    };
    wait("one has reported", (1, 4));
    let old = list(&web);
    let second = publisher.machine(1, &["s3://pcm-site/pcm/bp0"], &share);
    let two = second.site.service();
    second.succeeds(&request);
    wait("two have reported", (2, 3));
    // Whoever asks from here on is who looks.
    drop((one, two));
    // The list of before: of the second one nothing is known from it, and it is not counted as anything else than silent. To
    // whoever has read nothing, and to whoever has read it already.
    let lists_of = |from: usize| {
        let asked = web.asked();
        let is_list = |path: &str| path.contains("list-type") && path.contains("machines");
        asked.iter().skip(from).filter(|one| is_list(&one.path)).count()
    };
    web.fail("list-type", Fault::Other(old));
    for cache in ["new", "cache"] {
        let from = web.asked().len();
        let (done, silent, told) = figures(cache, &[]);
        assert!(lists_of(from) > 0, "{cache}: nobody asked for the list");
        assert_eq!((done, silent), (1, 4), "{cache}: {told:#}");
    }
    web.mend();
    wait("the list has caught up", (2, 3));
    // A name in the list that is gone when it is read.
    let gone = "/pcm-site/pcm/bp0/machines/BP004001.json";
    web.fail(&format!("GET {gone}"), Fault::Status(404, String::new()));
    let is_met = |one: &Asked| one.method == "GET" && one.path == gone && one.status == 404;
    for (cache, args) in [("newer", &[][..]), ("cache", &["--fresh"][..]), ("cache", &[])] {
        let from = web.asked().len();
        let (done, silent, told) = figures(cache, args);
        let met = web.asked().iter().skip(from).any(is_met);
        // Who has read it and finds it unchanged in the list does not ask for it again.
        assert!(met || cache == "cache", "{cache}: nobody asked for it");
        assert_eq!((done, silent), if met { (1, 4) } else { (2, 3) }, "{cache} {args:?}: {told:#}");
    }
    web.mend();
    wait("it is back", (2, 3));
}

/// The question for the list of reports, as it was asked last.
fn lists(web: &Web) -> String {
    let asked = web.asked();
    let found =
        asked.iter().rev().find(|one| one.path.contains("list-type") && one.path.contains("machines"));
    found.unwrap_or_else(|| panic!("nobody lists reports")).path.clone()
}
