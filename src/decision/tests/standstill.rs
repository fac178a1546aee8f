//! What is said of the machine as a whole: what keeps everything from starting, and what never will.

use super::super::{GroupPolicy, GroupWindows, closed_for_long, hopeless, standstill};
use super::scene::*;
use crate::clock::When;
use crate::site::site_file::Freeze;
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

#[test]
fn what_closes_everything_for_more_than_a_month_is_said_with_whose_it_is() {
    let frozen = |days: i64| {
        Scene::due().with(|s| {
            let (from, until) = (When::Instant(now()), When::Instant(now() + TimeDelta::days(days)));
            let freezes = vec![Freeze { from, until, reason: "audit".into() }];
            s.policy.groups =
                vec![GroupPolicy { group: "web".into(), unreadable: None, freezes, windows: None }];
        })
    };
    assert_eq!(closed_for_long(&Scene::due().inputs()), None);
    assert_eq!(closed_for_long(&frozen(30).inputs()), None);
    let why = closed_for_long(&frozen(31).inputs()).unwrap();
    assert!(
        why.as_str().starts_with("windows and freezes (group web) let nothing start by itself before"),
        "{why}"
    );
    // A freeze that ends while the windows are closed, and windows that are never open together.
    let mut later = frozen(27);
    later.windows(&["Mon 03:00-05:00"]);
    assert_eq!(closed_for_long(&later.inputs()), None);
    let mut never = Scene::due();
    never.windows(&["Mon 03:00-05:00"]);
    assert_eq!(closed_for_long(&never.inputs()), None);
    let windows = GroupWindows { weekly: vec!["Tue 03:00-05:00".into()], zone: Ok(never.zone.clone()) };
    never.policy.groups = vec![GroupPolicy {
        group: "all".into(),
        unreadable: None,
        freezes: Vec::new(),
        windows: Some(windows),
    }];
    let why = closed_for_long(&never.inputs()).unwrap();
    assert!(
        why.as_str().contains("(the site, this machine) let nothing start by itself at any time to come"),
        "{why}"
    );
    // An operator's hold is his own, and is shown as such.
    let held = Scene::due().with(|s| s.held(now() + TimeDelta::days(300)));
    assert_eq!(closed_for_long(&held.inputs()), None);
}
