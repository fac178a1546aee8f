//! A job in phases over the file server: its first machines fail, their signed reports halt it, somebody resumes it, and
//! what the publisher counts is what each machine's own history says.

use super::{World, now, seconds, stamp, text, wait_for_or};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What the publisher counts of a job, once it has looked at all reports anew. Each publication has every machine write one,
/// and the server does not give what is replaced just then.
fn counted(world: &World, job: &str) -> (Option<i32>, Value) {
    let (mut status, mut document) = (None, Value::Null);
    let done = wait_for_or(Duration::from_secs(90), || {
        let told = world.pcm(&["rollout", job]);
        status = told.status.code();
        document = serde_json::from_slice(&told.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&told)));
        let unusable = document["unusable"].as_array().unwrap();
        document["whole"] == true && unusable.iter().all(|one| one["machine"].is_null())
    });
    assert!(done.is_ok(), "not all reports can be read: {document:#}");
    (status, document["jobs"][0].take())
}

/// Waits until the reports say this.
fn wait_counted(world: &World, job: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let done = wait_for_or(Duration::from_secs(90), || {
        last = counted(world, job).1;
        condition(&last)
    });
    assert!(done.is_ok(), "it never happened: {what}\n{last:#}");
    last
}

/// How many attempts of this request the machines' own histories know, by their state.
fn attempts(world: &World, request: &str) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for machine in &world.machines {
        // Whom the job has not reached yet knows no such request.
        let history = machine.site.pcm(&["history", request, "--json"]);
        if history.status.code() == Some(4) {
            continue;
        }
        let history: Value = serde_json::from_slice(&history.stdout).unwrap();
        for attempt in history["attempts"].as_array().unwrap() {
            assert_eq!(attempt["request_id"], request);
            *states.entry(attempt["state"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    states
}

/// The sum of SITE.md 6 holds, and each figure is what the machines did.
fn agrees(world: &World, job: &Value) {
    let figure = |key: &str| job[key].as_u64().unwrap_or_else(|| panic!("{key}: {job:#}"));
    let parts = ["done", "not_needed", "running", "waiting", "failed", "interrupted", "silent"];
    assert_eq!(figure("targets"), parts.iter().map(|key| figure(key)).sum::<u64>(), "{job:#}");
    let did = attempts(world, job["request_id"].as_str().unwrap());
    let of = |state: &str| did.get(state).copied().unwrap_or(0);
    assert_eq!((figure("done"), figure("failed")), (of("succeeded"), of("failed")), "{did:?}\n{job:#}");
    assert_eq!(figure("done") + figure("failed"), did.values().sum::<u64>(), "{did:?}");
}

fn advance(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let done = world.pcm(&[&["job", "advance"][..], args].concat());
    let parsed = serde_json::from_slice(&done.stdout);
    let document: Value = parsed.unwrap_or_else(|e| panic!("{e}: {}", text(&done)));
    (done.status.code(), document["jobs"][0].clone())
}

#[test]
fn a_job_whose_first_machines_fail_halts_is_resumed_and_ends_with_the_figures_of_the_machines() {
    let Some(world) = World::new() else { return };
    let _services = world.services();
    let fails = world.path("fails");
    fs::write(&fails, "").unwrap();

    // Three machines come first, and the package fails on each.
    let at = stamp(now());
    let canary = ["--canary", "BP004000,BP004001,BP004002"];
    let send = ["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at];
    let sent = world.done(&[&send[..], &canary].concat());
    let (job, request) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    let (first, later) = world.machines.split_at(3);
    first.iter().for_each(|machine| machine.ends(request, "failed"));
    let told = wait_counted(&world, job, "three reports say that it failed", |job| job["failed"] == 3);
    assert_eq!((&told["targets"], &told["later"], &told["halted"]), (&3.into(), &2.into(), &false.into()));
    agrees(&world, &told);

    // The publisher's next look halts it, and each machine hears of it.
    let (status, step) = advance(&world, &[]);
    assert_eq!((status, &step["gate"]["answer"]), (Some(10), &"halt".into()), "{step:#}");
    let (status, told) = counted(&world, job);
    assert_eq!((status, &told["halted"], &told["state"]), (Some(10), &true.into(), &"suspended".into()));
    for machine in first {
        machine.wait("it hears of the halt", |machine| {
            machine.site.json_of(&["explain", request]).to_string().contains("halted: ")
        });
    }
    assert_eq!(world.ran(), 3);
    later.iter().for_each(|machine| assert_eq!(machine.site.state_of(request), "absent"));

    // What was wrong is mended. Nothing that ended before proves anything now: it goes on by somebody's word.
    fs::remove_file(&fails).unwrap();
    world.done(&["job", "resume", job, "--reason", "the package is mended"]);
    let (status, step) = advance(&world, &[]);
    assert_eq!((status, &step["gate"]["answer"]), (Some(0), &"undecided".into()), "{step:#}");
    later.iter().for_each(|machine| assert_eq!(machine.site.state_of(request), "absent"));
    let (status, step) = advance(&world, &[job, "--now", "--reason", "seen by hand"]);
    assert_eq!((status, &step["percent"]), (Some(0), &100.0.into()), "{step:#}");
    later.iter().for_each(|machine| machine.succeeds(request));
    let told = wait_counted(&world, job, "all have reported", |job| job["done"] == 2);
    assert_eq!((&told["targets"], &told["failed"], &told["later"]), (&5.into(), &3.into(), &0.into()));
    agrees(&world, &told);
    assert_eq!(world.ran(), 5, "those that failed are not run again by themselves");

    // Those that failed get it once more, as a request of its own.
    let at = stamp(now() + seconds(1));
    let again = ["job", "send", "--again", job, "--to", "BP004000,BP004001,BP004002", "--mandatory", &at];
    let sent = world.done(&again);
    let (second, request) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    first.iter().for_each(|machine| machine.succeeds(request));
    // It has the phases of the first one. All of the first phase has succeeded, and that is seen, not proven.
    wait_counted(&world, second, "three have reported", |job| job["done"] == 3);
    let (status, step) = advance(&world, &[second]);
    assert_eq!((status, &step["gate"]["answer"]), (Some(0), &"as seen".into()), "{step:#}");
    let waited = world.pcm(&["rollout", second, "--wait", "--timeout", "90s"]);
    assert_eq!(waited.status.code(), Some(0), "{}", text(&waited));
    let told = counted(&world, second).1;
    assert_eq!((&told["targets"], &told["done"]), (&3.into(), &3.into()));
    agrees(&world, &told);
    assert_eq!(world.ran(), 8);
}
