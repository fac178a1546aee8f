//! Whose turn it is while files are being copied.

use super::super::judge::judge;
use super::super::model::*;
use super::scene::*;
use crate::clock::{Wall, When};
use crate::site::content::ContentFact;
use crate::site::instruction::{ContentHash, Request};
use crate::terms::*;
use chrono::TimeDelta;
use std::time::Duration;

const OLDER: &str = "BP00001";

fn hash() -> ContentHash {
    ContentHash::try_from("cd".repeat(32)).unwrap()
}

fn minutes(n: i64) -> Wall {
    now() + TimeDelta::minutes(n)
}

/// Beside the one that is due stands an older one, whose files have been asked for since ten minutes.
fn scene(change: impl FnOnce(&mut Request)) -> Scene {
    let mut scene = Scene::due();
    scene.request().mandatory_after = Some(When::Instant(minutes(-30)));
    let mut older = request(OLDER);
    older.mandatory_after = Some(When::Instant(minutes(-60)));
    older.content_sha256 = Some(hash());
    change(&mut older);
    scene.add(older);
    scene.facts.copying.insert(hash(), minutes(-10));
    scene
}

fn is_due(scene: &Scene) -> bool {
    scene.decision().state == State::Due
}

#[test]
fn a_younger_one_waits_for_an_older_one_that_is_being_copied_and_says_for_which_and_how_long() {
    let scene = scene(|_| {});
    let decision = scene.decision();
    let gate = decision.gates.iter().find(|g| g.gate == Gate::Executor).unwrap();
    assert_eq!((gate.code, gate.change), (Some(Code::OlderFirst), Change::At(minutes(50))));
    assert!(gate.evidence.as_str().starts_with("BP00001, mandatory "), "{}", gate.evidence);
    assert_eq!((decision.state, decision.next_run), (State::Waiting, Some(minutes(50))));
    assert!(decision.why.as_str().starts_with("an older one goes first, at most until"), "{}", decision.why);
    assert_eq!(decision.recorded_state(), State::Due, "its turn is no change of it");
    let run = Verb::Run { overrides: Vec::new(), no_queue: false };
    assert!(
        judge(&scene.inputs(), decision.request_id.unwrap(), &run, None).is_ok(),
        "an operator need not wait"
    );
    assert!(is_due(&scene.with(|s| s.now = minutes(50))), "it is bounded");
}

#[test]
fn nothing_waits_for_what_would_not_run_or_cannot_be_copied() {
    assert!(
        is_due(&scene(|older| older.mandatory_after = Some(When::Instant(minutes(-20))))),
        "it is younger"
    );
    assert!(is_due(&scene(|older| older.suspended = true)));
    assert!(is_due(&scene(|older| older.background = false)));
    assert!(is_due(&scene(|older| older.expire_after = Some(When::Instant(minutes(0))))));
    let failed = |s: &mut Scene| drop(s.facts.content.insert(hash(), ContentFact::Missing("gone".into())));
    assert!(is_due(&scene(|_| {}).with(|s| {
        failed(s);
        s.facts.copying.clear();
    })));
    assert!(is_due(&scene(|_| {}).with(|s| s.policy.config.run.wait_for_older = Duration::ZERO)));
}

#[test]
fn nobody_misses_an_own_chance_by_waiting() {
    let until = minutes(50);
    let expires = |at| scene(|_| {}).with(|s| s.request().expire_after = Some(When::Instant(at)));
    assert!(is_due(&expires(until)));
    assert!(!is_due(&expires(until + TimeDelta::seconds(1))));
    assert!(is_due(&scene(|_| {}).with(|s| s.windows(&["Sun 11:00-12:45"]))));
    assert!(!is_due(&scene(|_| {}).with(|s| s.windows(&["Sun 11:00-18:00"]))));
}
