//! A start that is announced, and a restart that is pending: seen in the header, with what may be done about them.

use super::fake::{Fake, NOW, at, id};
use super::stage::Stage;
use crate::console::app::enabled;
use crate::console::keymap::commands::Id;
use crate::decision::{RestartState, RestartVerb};
use crate::executor::talk::protocol::{Action, Change};
use crate::executor::talk::view::RestartDoc;
use crate::terms::{Group, State};
use chrono::TimeDelta;

fn pending(state: RestartState, restarts_at: Option<i64>) -> Fake {
    let fake = Fake::new();
    let mut status = fake.status.lock().unwrap();
    status.restart_pending = true;
    status.restart = Some(RestartDoc {
        restart_pending: true,
        state,
        requests: vec![id("BP0000Y")],
        restarts_at: restarts_at.map(|seconds| at(NOW) + TimeDelta::seconds(seconds)),
        deferred_until: None,
        next_change: None,
        code: None,
        why: "BP0000Y (Acme Workstation 4.0) wants a restart".into(),
    });
    drop(status);
    fake
}

#[test]
fn a_countdown_is_live_in_the_header_and_in_the_list() {
    let fake = Fake::new();
    {
        let mut list = fake.list.lock().unwrap();
        let row = list.requests.iter_mut().find(|r| r.request_id == Some(id("BP0000Y"))).unwrap();
        (row.state, row.group) = (State::Countdown, Group::Running);
        row.next_run = Some(at(NOW) + TimeDelta::seconds(252));
    }
    let mut stage = Stage::with(100, 24, fake, false);
    assert!(stage.screen().contains("BP0000Y STARTS in 4m12s"), "{}", stage.screen());
    assert!(stage.screen().contains("starts in 4m12s"), "{}", stage.screen());
    stage.tick(12);
    assert!(stage.screen().contains("BP0000Y STARTS in 4m"), "{}", stage.screen());
}

#[test]
fn a_pending_restart_alarms_and_is_done_or_called_off_after_a_question() {
    let mut stage = Stage::with(100, 24, pending(RestartState::ByHand, None), false);
    assert!(stage.screen().contains("RESTART PENDING"), "{}", stage.screen());
    assert!(enabled(&stage.app, Id::Restart).is_ok());
    stage.keys(": 'cancel-restart Enter");
    assert!(stage.screen().contains("CANCEL-RESTART on BP004000"), "{}", stage.screen());
    stage.keys("y");
    stage.keys(": 'restart Enter");
    assert!(stage.screen().contains("BP0000Y (Acme Workstation 4.0) wants a restart"), "{}", stage.screen());
    assert!(stage.screen().contains("anna"), "who loses work: {}", stage.screen());
    stage.keys("Enter");
    assert_eq!(stage.fake.changes.lock().unwrap().len(), 1, "Enter alone carries nothing out");
    stage.keys(": 'restart Enter y");
    let asked = |verb| Change { what: Action::Restart(verb), reason: None, dry_run: false, id: None };
    let changes = stage.fake.changes.lock().unwrap().clone();
    assert_eq!(changes, [asked(RestartVerb::Cancel), asked(RestartVerb::Now)]);
    stage.keys(": 'defer-restart Enter '2h Enter");
    assert!(stage.screen().contains("DEFER-RESTART on BP004000"), "{}", stage.screen());
    stage.keys("y");
    let last = stage.fake.changes.lock().unwrap().last().cloned();
    assert!(
        matches!(last, Some(Change { what: Action::Restart(RestartVerb::Defer(until)), .. }) if until > at(NOW)),
        "{last:?}"
    );
}

#[test]
fn an_announced_restart_counts_down() {
    let mut stage = Stage::with(100, 24, pending(RestartState::Countdown, Some(900)), false);
    assert!(stage.screen().contains("RESTARTS in 15m"), "{}", stage.screen());
    stage.tick(60);
    assert!(stage.screen().contains("RESTARTS in 14m"), "{}", stage.screen());
}

#[test]
fn without_one_there_is_nothing_to_restart_for() {
    let stage = Stage::new(80, 24);
    for command in [Id::Restart, Id::DeferRestart, Id::CancelRestart] {
        let why = enabled(&stage.app, command).unwrap_err();
        assert_eq!(why.as_str(), "no restart is pending");
    }
}
