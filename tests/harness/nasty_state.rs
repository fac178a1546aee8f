//! Packages that delete what pcm remembers: everything stops, it is said, and nothing is repeated.

use super::common::*;
use super::ground::{CONFIG, Ground, id};
use super::keeper::alone;
use super::nasty::none_alive;
use serde_json::Value;
use std::time::Duration;

/// Two requests with a package that says that it ran, waits for the test and then does this, in the state folder. The
/// service, the end of the belief in the history, another service, and the operator's way out.
fn deletes(what: &str) {
    let (ground, service) = deleted(what);
    service.kill();
    assert!(is_lost(&ground), "also without a service");
    if ground.state().is_dir() {
        let again = ground.service();
        wait_for("history-lost after a start", || is_lost(&ground));
        two_polls(&ground);
        assert_eq!(ground.ran("ran"), 1, "{}", ground.log());
        again.terminate();
    }
    adopt(&ground);
    let _service = ground.service();
    goes_on(&ground);
}

/// The same, and the service that saw it goes on once it was adopted.
fn deletes_and_the_service_goes_on(what: &str) {
    let (ground, service) = deleted(what);
    adopt(&ground);
    ground.wait_service();
    goes_on(&ground);
    none_alive(&ground, &[&service]);
}

fn deleted(what: &str) -> (Ground, Service) {
    let mut ground = Ground::new("");
    let told = ground.path("told").display().to_string();
    let wait = format!("while [ ! -e '{told}' ]; do sleep 0.1; done");
    let script = format!("cd \"$PCM_PACKAGE_DIR/../..\" && {}; {wait}; {what}; exit 0", ground.say("ran"));
    let hash = ground.package("BP00000A", &script);
    let due = |n| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""));
    ground.publish(&[due(0), due(1)]);
    let service = ground.service();
    wait_for("the package has begun", || ground.ran("ran") == 1);
    std::fs::write(told, b"").unwrap();
    wait_for_or(Duration::from_secs(60), || is_lost(&ground))
        .unwrap_or_else(|()| panic!("the running service does not notice\n{}", ground.log()));
    none_alive(&ground, &[&service]);
    (ground, service)
}

fn is_lost(ground: &Ground) -> bool {
    let list = serde_json::from_slice::<Value>(&ground.pcm(&["list", "--all", "--json"]).stdout);
    let list = list.unwrap_or_default();
    list["problems"].as_array().is_some_and(|all| all.iter().any(|p| p["code"] == "history-lost"))
}

fn adopt(ground: &Ground) {
    let adopted = ground.pcm(&["init", "--adopt=done"]);
    assert!(adopted.status.success(), "{}", text(&adopted));
}

fn goes_on(ground: &Ground) {
    wait_for("it is believed again", || !is_lost(ground));
    two_polls(ground);
    assert_eq!(ground.ran("ran"), 1, "{}", ground.log());
}

fn two_polls(ground: &Ground) {
    let polls = || ground.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

#[test]
fn one_that_deletes_the_history_stops_everything_and_nothing_is_repeated() {
    alone(|| deletes("rm -f history.db*"));
}

#[test]
fn one_that_deletes_all_of_the_state_stops_everything_and_nothing_is_repeated() {
    alone(|| deletes("rm -rf ./*"));
}

#[test]
fn one_that_deletes_the_state_folder_itself_stops_everything_and_nothing_is_repeated() {
    alone(|| deletes("p=$PWD; cd /; rm -rf \"$p\""));
}

#[test]
fn after_one_that_deletes_all_of_the_state_the_same_service_answers_and_goes_on_once_that_is_adopted() {
    alone(|| deletes_and_the_service_goes_on("rm -rf ./*"));
}

/// What is in its own run's folder is all that says that it was launched, and whether it still lives.
fn deletes_of_its_run(what: &str, goes_on: &str) -> String {
    let mut ground = Ground::new(CONFIG);
    let script = format!("cd \"${{PCM_STATUS_MIF%/*}}/..\" && {}; {what}; {goes_on}", ground.say("ran"));
    let hash = ground.package("BP00000A", &script);
    ground.publish(&[Request::due(&id(0)).set("content_sha256", format!("\"{hash}\""))]);
    let service = ground.service();
    wait_for("the package has run", || ground.ran("ran") >= 1);
    ground.settle(Duration::from_secs(60)).unwrap();
    none_alive(&ground, &[&service]);
    service.terminate();
    ground.recover_and_check(Duration::from_secs(60)).unwrap();
    assert_eq!(ground.ran("ran"), 1, "{}", ground.log());
    ground.state_of(&id(0))
}

#[test]
fn one_that_deletes_the_folder_of_its_run_is_never_taken_for_one_that_was_not_launched() {
    alone(|| {
        assert_eq!(deletes_of_its_run("rm -rf \"$PWD\"", "exit 0"), "interrupted");
        assert_eq!(deletes_of_its_run("rm -rf \"$PWD\"", "cd /; sleep 3; exit 0"), "interrupted");
    });
}

#[test]
fn one_that_deletes_the_records_of_its_run_is_never_taken_for_one_that_was_not_launched() {
    alone(|| {
        assert_eq!(deletes_of_its_run("rm -f lock started spec.json", "sleep 2; exit 4"), "failed");
        assert_eq!(deletes_of_its_run("rm -f *; kill -9 $PPID", "sleep 299"), "interrupted");
    });
}

/// While it lives, the machine is busy with it, whatever it deleted.
#[test]
fn one_that_deletes_the_folder_of_its_run_is_running_until_it_has_ended() {
    alone(|| {
        let mut ground = Ground::new(CONFIG);
        let script = format!(
            "cd \"${{PCM_STATUS_MIF%/*}}/..\"; rm -rf \"$PWD\"; cd /; {}; sleep 3",
            ground.say("ran")
        );
        let hash = ground.package("BP00000A", &script);
        let due = |n| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""));
        ground.publish(&[due(0), due(1)]);
        let service = ground.service();
        wait_for("the first has begun", || ground.ran("ran") == 1);
        assert_eq!(ground.state_of(&id(0)), "running", "{}", ground.log());
        service.kill();
        let service = ground.service();
        assert_eq!(ground.state_of(&id(0)), "running", "another service adopts it: {}", ground.log());
        ground.settle(Duration::from_secs(60)).unwrap();
        none_alive(&ground, &[&service]);
        assert_eq!((ground.ran("ran BP00000 1"), ground.ran("ran")), (1, 2), "{}", ground.log());
    });
}
