//! What the service writes on every terminal stands over the console's own frame, and goes.

use super::fake::{NOW, at, id};
use super::stage::Stage;
use crate::console::app::Effect;
use crate::decision::RestartState;
use crate::executor::talk::protocol::{Action, Change};
use crate::executor::talk::view::RestartDoc;
use crate::terms::{Group, State};

/// A console on this terminal; anna is logged on at `pts/0`.
fn on(terminal: &str) -> Stage {
    let mut stage = Stage::new(80, 24);
    stage.app.options.terminal = Some(terminal.into());
    stage.tick(1);
    stage.effects.clear();
    stage
}

fn is_announced(stage: &Stage) {
    let mut list = stage.fake.list.lock().unwrap();
    let row = list.requests.iter_mut().find(|r| r.request_id == Some(id("BP0000Y"))).unwrap();
    (row.state, row.group, row.next_run) = (State::Countdown, Group::Running, Some(at(NOW)));
}

fn redraws(stage: &Stage) -> usize {
    stage.effects.iter().filter(|effect| **effect == Effect::Redraw).count()
}

#[test]
fn a_start_that_is_announced_on_this_terminal_is_drawn_over_at_once_and_once_more() {
    let mut stage = on("pts/0");
    is_announced(&stage);
    stage.tick(1);
    assert_eq!(redraws(&stage), 1, "what was written at once");
    stage.tick(1);
    stage.tick(1);
    stage.tick(1);
    assert_eq!(redraws(&stage), 2, "what other terminals had kept waiting");
    for _ in 0..20 {
        stage.tick(1);
    }
    assert_eq!(redraws(&stage), 2, "and then no more");
}

#[test]
fn a_restart_that_is_announced_is_as_well() {
    let mut stage = on("pts/0");
    stage.fake.status.lock().unwrap().restart = Some(RestartDoc {
        restart_pending: true,
        state: RestartState::Countdown,
        requests: Vec::new(),
        restarts_at: Some(at(NOW)),
        deferred_until: None,
        next_change: None,
        code: None,
        why: "it restarts".into(),
    });
    stage.tick(1);
    assert_eq!(redraws(&stage), 1);
}

#[test]
fn a_terminal_that_nobody_is_logged_on_at_is_not_drawn_anew() {
    let mut stage = on("pts/99");
    is_announced(&stage);
    for _ in 0..5 {
        stage.tick(1);
    }
    assert_eq!(redraws(&stage), 0);
}

#[test]
fn an_operator_tells_those_who_are_logged_on_after_a_question() {
    let mut stage = on("pts/0");
    // Only where they are listed: elsewhere the key would be one more that is pressed by mistake.
    stage.keys("T");
    assert!(!stage.screen().contains("NOTICE"), "{}", stage.screen());
    stage.keys("4");
    assert!(stage.screen().lines().last().unwrap().contains("T notice"), "{}", stage.screen());
    stage.keys("T");
    assert!(stage.screen().contains("NOTICE on BP004000 web-01 PRODUCTION"), "{}", stage.screen());
    assert!(stage.screen().contains("anna (pts/0"), "to whom: {}", stage.screen());
    stage.keys("Enter y");
    assert!(stage.screen().contains("enter a message"), "{}", stage.screen());
    stage.keys("Shift-Tab 'log_off_at_six_please Enter");
    assert!(stage.fake.changes.lock().unwrap().is_empty(), "Enter alone never confirms");
    stage.keys("y");
    let reason = Some("log off at six please".into());
    let notice = Change { what: Action::Notice, reason, dry_run: false, id: None };
    assert_eq!(stage.fake.changes.lock().unwrap()[..], [notice]);
    assert!(stage.screen().contains("notice to anna on pts/0"), "{}", stage.screen());
    assert_eq!(redraws(&stage), 1, "it came here too");
}
