//! Faults in the running service (PROMISES.md P15): no space, no descriptors, I/O errors for a while. Nothing runs twice,
//! it is said, and when the fault is gone the same service goes on.

use super::common::*;
use super::ground::{CONFIG, Ground, id};
use super::trace;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What the log says of a history that cannot be written.
const UNWRITTEN: [&str; 2] = ["was not started", "was not recorded"];

/// With these calls failing in every thread of the service while a request becomes due; then without.
fn heals(calls: &str, error: &str, words: &[&str]) {
    if !trace::possible() {
        return;
    }
    let mut ground = Ground::new(CONFIG);
    let hash = ground.package("BP00000A", &ground.say("ran"));
    let due = now() + seconds(4);
    ground.publish(&[Request::due(&id(0)).set("content_sha256", format!("\"{hash}\"")).mandatory(due)]);
    let service = ground.service();
    ground.wait_state(&id(0), "offered");
    let out = ground.path("service.trace");
    let mut tracer = Command::new("strace")
        .args(["-f", "-b", "execve", "-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:error={error}"), "-p", &service.child.id().to_string()])
        .arg("-o")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let injected = || std::fs::read_to_string(&out).is_ok_and(|trace| trace.contains("(INJECTED)"));
    // Beside the log it is said in the views, which the same service answers.
    let said = |view: &str| ground.json_of(&[view])["problems"].to_string().contains("\"state-unwritable\"");
    // What cannot be written first says so, a launch or the time; after that nothing is launched until something can.
    let told = || words.iter().any(|words| ground.log().contains(words));
    let met = wait_for_or(Duration::from_secs(60), || injected() && told() && said("list") && said("status"));
    let state = || {
        let items = ground.json_of(&["check"])["items"].take();
        items.as_array().unwrap().iter().find(|item| item["item"] == "state").unwrap().clone()
    };
    let checked = state();
    // The system lets go of all that a killed tracer held. Asked by a signal, strace waits for each thread to stop, and one
    // that has just begun a process and waits for its start never does.
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    met.unwrap_or_else(|()| panic!("{error} of {calls} was never met, or not said\n{}", ground.log()));
    assert_eq!(checked["verdict"], "block", "{error} of {calls}: {checked}");
    ground.settle(Duration::from_secs(90)).unwrap_or_else(|why| panic!("{error} of {calls}: {why}"));
    wait_for("it is not said any more", || !said("list") && !said("status"));
    assert_eq!(state()["verdict"], "pass");
    let said = std::fs::read_to_string(ground.path("service.err")).unwrap_or_default();
    assert!(!said.contains("panicked at"), "{error} of {calls}: {said}");
    service.terminate();
    assert!(told(), "{error} of {calls} was not said\n{}", ground.log());
    assert!(!ground.log().contains("History is there again"), "{error} of {calls} was taken for a loss");
    let tally = ground.tally().unwrap_or_else(|why| panic!("{error} of {calls}: {why}"));
    assert_eq!(tally.count("succeeded"), 1, "{error} of {calls}: {tally:?}\n{}", ground.log());
}

#[test]
fn a_service_without_space_for_a_while_runs_nothing_twice_and_heals() {
    heals("pwrite64,ftruncate,fsync,fdatasync,mkdir", "ENOSPC", &UNWRITTEN);
}

#[test]
fn a_service_whose_disk_errs_for_a_while_runs_nothing_twice_and_heals() {
    heals("fsync,fdatasync", "EIO", &UNWRITTEN);
}

#[test]
fn a_service_without_descriptors_for_a_while_runs_nothing_twice_and_heals() {
    heals("openat,pipe2,socketpair", "EMFILE", &["Too many open files"]);
}
