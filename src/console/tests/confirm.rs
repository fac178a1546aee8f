//! What is asked before anything is done (UX.md 2, "Confirm"), as keys in and calls or words out.

use super::fake::{at, id};
use super::rules::{changes, on, why_not};
use super::stage::Stage;
use crate::console::app::{Effect, Event, Moment};
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::decision::{Replace, Verb};
use crate::executor::ask::{AskAll, Question};
use crate::executor::talk::protocol::{self, Action, Change};
use crate::executor::talk::view::HoldDoc;
use crate::terms::Gate;
use crate::text::SafeText;

fn asked(request: &str, verb: Verb, reason: Option<&str>) -> Change {
    Change {
        what: Action::Request(id(request), verb),
        reason: reason.map(SafeText::from),
        dry_run: false,
        id: None,
    }
}

#[test]
fn y_runs_what_nothing_holds_back() {
    let mut stage = on("BP00013");
    stage.keys("r");
    assert!(stage.screen().contains("RUN BP00013 on BP004000 web-01 PRODUCTION"), "{}", stage.screen());
    assert!(changes(&stage).is_empty());
    stage.keys("y");
    let run = Verb::Run { overrides: vec![], no_queue: false };
    assert_eq!(changes(&stage), [asked("BP00013", run, None)]);
    assert!(stage.screen().contains("run BP00013: attempt 1 is running"), "{}", stage.screen());
}

#[test]
fn any_key_but_y_cancels_and_says_so_and_enter_alone_never_confirms() {
    for key in ["n", "Esc", "Ctrl-c", "Enter", "Space", "Y", "r", "7", "Tab", "Down", "PgDn", "F5", "Ctrl-y"]
    {
        let mut stage = on("BP00013");
        stage.keys("r").keys(key);
        assert!(stage.screen().contains("run: cancelled, nothing was done"), "{key}: {}", stage.screen());
        assert!(stage.app.overlays.is_empty() && !stage.quit, "{key}");
        stage.keys("y");
        assert!(changes(&stage).is_empty(), "{key}");
    }
    let mut stage = on("BP00013");
    stage.keys("r").key(Key::Other);
    assert!(stage.app.overlays.is_empty(), "a key without a name is one all the same");
}

#[test]
fn what_is_typed_without_looking_confirms_nothing() {
    for text in ["really_very_many_years", "run_BP00013,_yes,_truly", "dry_dry_dry", "systemctl_restart_y"] {
        let mut stage = on("BP00013");
        for c in text.chars() {
            stage.key_after(30, Key::Char(if c == '_' { ' ' } else { c }));
        }
        stage.key_after(30, Key::Enter);
        assert!(changes(&stage).is_empty(), "{text}: {:?}", changes(&stage));
    }
}

#[test]
fn a_y_counts_once_the_question_can_have_been_read_and_never_while_it_is_held_down() {
    let mut stage = on("BP00013");
    stage.keys("r");
    for _ in 0..100 {
        stage.key_after(250, Key::Char('y'));
        assert!(changes(&stage).is_empty());
    }
    assert!(
        stage.screen().contains("too soon to have been read: y again carries it out"),
        "{}",
        stage.screen()
    );
    stage.key_after(300, Key::Char('y'));
    assert_eq!(changes(&stage), [asked("BP00013", Verb::Run { overrides: vec![], no_queue: false }, None)]);
}

#[test]
fn the_question_names_machine_host_and_account() {
    let mut stage = on("BP00013");
    stage.keys("r");
    let asked = "Run BP00013 on BP004000 (host web-01, account ola)?";
    assert!(stage.screen().contains(asked), "{}", stage.screen());
    stage.keys("Esc h");
    let asked = "Hold automatic runs on BP004000 (host web-01, account ola)?";
    assert!(stage.screen().contains(asked), "{}", stage.screen());
    stage.keys("Esc Space Space r");
    assert!(stage.screen().contains("Run 2 requests on BP004000 (host web-01,"), "{}", stage.screen());
}

/// On a slow machine a reason is typed before the executor has answered: its first letter cancelled, and the others were
/// commands.
#[test]
fn a_reason_that_is_always_needed_can_be_typed_before_the_executor_answers() {
    for (request, key) in [("BP00010", 'x'), ("BP00007", 'R')] {
        let mut stage = on(request);
        let _ = stage.app.update(Event::Tick(stage.now + chrono::TimeDelta::seconds(1)));
        stage.touched += Moment::from_secs(1);
        let effects = stage.app.update(Event::Key(Key::Char(key), stage.touched));
        for letter in "wrong day".chars() {
            stage.touched += Moment::from_millis(50);
            let _ = stage.app.update(Event::Key(Key::Char(letter), stage.touched));
        }
        for effect in effects {
            let Effect::Ask { id, question, .. } = effect else { continue };
            let answer = stage.fake.ask(&question);
            stage.event(Event::Answered { id, answer });
        }
        assert!(stage.screen().contains("wrong day"), "{request}: {}", stage.screen());
        stage.keys("Enter");
        assert!(stage.screen().contains("wrong day"), "{request}: {}", stage.screen());
    }
}

#[test]
fn why_a_y_did_nothing_stands_no_longer_than_it_is_so() {
    let mut stage = on("BP00013");
    // Nobody answers from here on, so that what is known is older than the question.
    let _ = stage.app.update(Event::Tick(stage.now + chrono::TimeDelta::seconds(1)));
    stage.touched += Moment::from_secs(1);
    let effects = stage.app.update(Event::Key(Key::Char('r'), stage.touched));
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::Ask { id, question: question @ Question::View(protocol::View::Show(_)), .. } => {
            Some((id, question))
        }
        _ => None,
    });
    let (id, question) = asked.unwrap();
    stage.keys("y");
    assert!(stage.screen().contains("the executor has not answered yet"), "{}", stage.screen());
    let answer = stage.fake.ask(&question);
    stage.event(Event::Answered { id, answer });
    assert!(!stage.screen().contains("not answered yet"), "{}", stage.screen());
    stage.keys("y");
    assert_eq!(changes(&stage).len(), 1);
}

#[test]
fn every_overridden_gate_is_ticked_and_a_reason_given_before_y_counts() {
    let mut stage = on("BP0000Y");
    stage.keys("r y");
    assert!(stage.screen().contains("tick each gate to override: window, users"), "{}", stage.screen());
    stage.keys("Space y");
    assert!(stage.screen().contains("tick each gate to override: users"));
    stage.keys("j Space y");
    assert!(stage.screen().contains("a reason is needed"));
    assert!(changes(&stage).is_empty());
    stage.keys("Tab 'release_by_phone Enter y");
    let run = Verb::Run { overrides: vec![Gate::Window, Gate::Users], no_queue: false };
    assert_eq!(changes(&stage), [asked("BP0000Y", run, Some("release by phone"))]);
}

#[test]
fn a_gate_that_closes_while_the_dialog_is_open_has_to_be_ticked_too() {
    let mut stage = on("BP00013");
    stage.keys("r");
    stage.fake.list.lock().unwrap().requests[3].state = crate::terms::State::Waiting;
    stage.tick(2);
    stage.keys("y");
    assert!(changes(&stage).is_empty(), "{}", stage.screen());
    assert!(stage.screen().contains("tick each gate to override"));
}

#[test]
fn in_a_text_field_y_and_n_are_letters() {
    let mut stage = on("BP00010");
    stage.keys("x 'yn");
    assert!(changes(&stage).is_empty());
    stage.keys("Enter y");
    assert_eq!(changes(&stage), [asked("BP00010", Verb::Stop, Some("yn"))]);
}

#[test]
fn defer_asks_until_when_and_why_and_shows_the_time_in_full() {
    let mut stage = on("BP0000Y");
    stage.keys("d 'Tue_22:00");
    assert!(stage.screen().contains("= Tue 24 Nov 22:00 (in 2d 7h) +01:00"), "{}", stage.screen());
    stage.keys("Enter 'release Enter y");
    let until = at("2026-11-24T21:00:00Z");
    assert_eq!(changes(&stage), [asked("BP0000Y", Verb::Defer { until }, Some("release"))]);
    assert!(stage.screen().contains("until Tue 24 Nov 22:00"));
}

#[test]
fn hold_and_unhold_are_unmistakable() {
    let mut stage = Stage::new(80, 24);
    assert_eq!(why_not(&stage, Id::Unhold).unwrap(), "there is no hold");
    stage.keys("h '2h Enter 'audit Enter y");
    assert!(matches!(
        &changes(&stage)[..],
        [Change { what: Action::Hold { replace: Replace::Nothing, .. }, .. }]
    ));
    stage.tick(2);
    assert!(stage.screen().contains("HELD until 16:02"), "{}", stage.screen());
    stage.keys("H y");
    stage.tick(2);
    assert!(stage.screen().contains("auto ON"));
}

#[test]
fn a_hold_of_somebody_else_is_named_before_it_is_replaced_or_ended() {
    let mut stage = Stage::new(80, 24);
    {
        let hold = HoldDoc {
            held_until: Some(at("2026-11-24T21:00:00Z")),
            id: Some("5a".into()),
            by: Some("jan".into()),
            reason: Some("waits for the auditors".into()),
        };
        let mut status = stage.fake.status.lock().unwrap();
        (status.held_until, status.hold) = (hold.held_until, Some(hold));
    }
    stage.tick(1);
    let head: Vec<String> = stage.screen().lines().take(3).map(str::to_owned).collect();
    assert!(head[0].contains("web-01") && head[0].contains("HELD until Tue 22:00"), "{head:?}");
    assert!(head[2].contains("held by jan until Tue 24 Nov 22:00: waits for the auditors"), "{head:?}");
    stage.keys("H");
    let named = "the hold of jan until Tue 24 Nov 22:00";
    assert!(stage.screen().contains(&format!("ends        {named}")), "{}", stage.screen());
    stage.keys("Esc h '1h Enter 'mine Enter");
    let screen = stage.screen();
    assert!(screen.contains(&format!("replaces    {named}")), "{screen}");
    assert!(screen.contains("waits for the auditors"), "{screen}");
    assert!(screen.contains("Replace the hold on BP004000"), "{screen}");
    // Another one comes between question and answer: that one was not asked about.
    if let Some(hold) = &mut stage.fake.status.lock().unwrap().hold {
        (hold.id, hold.by) = (Some("5b".into()), Some("eva".into()));
    }
    stage.tick(1);
    stage.keys("y");
    let Some(Change { what: Action::Hold { replace, .. }, .. }) = changes(&stage).pop() else { panic!() };
    assert_eq!(replace, Replace::This("5a".into()));
}

#[test]
fn a_deferral_says_which_of_how_many_it_is() {
    let mut stage = on("BP0000Y");
    stage.keys("d");
    assert!(stage.screen().contains("deferral    2 of 3"), "{}", stage.screen());
}
