//! What is said of the machine as a whole: what keeps everything from starting, and what never will.

use super::super::{hopeless, standstill};
use super::scene::*;
use crate::clock::When;
use crate::terms::*;
use chrono::TimeDelta;

#[test]
fn what_keeps_everything_from_starting_is_said_of_the_machine() {
    let codes = |scene: &Scene| standstill(&scene.inputs()).iter().map(|s| s.code).collect::<Vec<_>>();
    assert_eq!(codes(&Scene::due()), []);
    let soon = now() + TimeDelta::hours(1);
    let mut scene = Scene::due().with(|s| s.held(soon));
    let held = standstill(&scene.inputs());
    assert_eq!((held[0].code, held[0].until), (Code::Held, Some(soon)));
    assert!(held[0].why.as_str().ends_with("pcm unhold ends the hold"), "{}", held[0].why);
    scene.facts.service = false;
    scene.policy.unreadable = Some("line 3".into());
    assert_eq!(codes(&scene), [Code::NoService, Code::PolicyUnreadable, Code::Held]);
}

#[test]
fn a_mandatory_request_that_will_never_run_is_found() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 03:00-03:10"]));
    assert_eq!(hopeless(&scene.decision()), Some(Code::WindowNeverFits));
    scene.windows(&["Mon 03:00-05:00"]);
    assert_eq!(hopeless(&scene.decision()), None);
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::hours(2)));
    assert_eq!(hopeless(&scene.decision()), Some(Code::Expired));
}
