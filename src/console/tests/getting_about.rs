//! Getting about: what is selected, what is found, what the foot of the screen names, and what a click does.

use super::fake::{NOW, at, id};
use super::rules::{changes, on};
use super::stage::{Stage, log_lines};
use crate::console::app::{Effect, Event, LogLine, View};
use crate::console::keymap::Key;
use crate::executor::ask::Question;
use crate::executor::talk::protocol;
use crate::terms::{Group, State};
use chrono::TimeDelta;

#[test]
fn the_selection_is_a_request_from_the_first_frame_on() {
    let mut stage = Stage::new(80, 24);
    let first = stage.app.subject();
    assert_eq!(first, Some(id("BP00010")));
    // Something else comes to stand above it before a key was pressed.
    stage.fake.list.lock().unwrap().requests.rotate_left(1);
    stage.fake.list.lock().unwrap().requests[0].group = Group::Running;
    stage.tick(2);
    assert_eq!(stage.app.subject(), first, "{}", stage.screen());
    assert!(stage.screen().contains("> BP00010"), "{}", stage.screen());
}

#[test]
fn the_log_of_a_run_begins_at_a_third_of_the_page_and_leaves_that_of_the_overview_following() {
    let mut stage = on("BP00010");
    let one = log_lines()[5].clone();
    let lines = |from: i64| {
        (0..100).map(move |n| from + n).collect::<Vec<_>>().into_iter().map(|n| {
            let time = Some(at(NOW) + TimeDelta::seconds(n));
            LogLine { time, near: time, text: format!("entry {n}").as_str().into(), ..one.clone() }
        })
    };
    stage.event(Event::Log(lines(-250).collect()));
    stage.keys("l");
    let screen = stage.screen();
    let rows: Vec<&str> = screen.lines().collect();
    let title = rows.iter().position(|row| row.contains("LOG PACMAN.LOG")).unwrap();
    let start = rows.iter().position(|row| row.contains("13:58:58")).unwrap_or_else(|| panic!("{screen}"));
    let page = rows.len() - 1 - title;
    assert!((page / 4..=page / 2).contains(&(start - title)), "row {start} of {page}: {screen}");
    stage.keys("Esc");
    assert_eq!(stage.app.view, View::Overview);
    stage.event(Event::Log(lines(10).collect()));
    assert!(stage.screen().contains("LOG PACMAN.LOG FOLLOW") && stage.screen().contains("entry 109"));
}

#[test]
fn the_overview_shows_what_happened_and_not_that_polls_were_made() {
    let mut stage = Stage::new(80, 24);
    assert!(!stage.screen().contains("Packages before filter"), "{}", stage.screen());
    assert!(stage.screen().contains("Job still running"), "{}", stage.screen());
    stage.keys("Tab Tab i");
    assert!(stage.screen().contains("Packages before filter"), "{}", stage.screen());
    stage.keys("3");
    assert!(stage.screen().contains("Packages before filter"), "{}", stage.screen());
}

/// The keys that the foot of the screen names.
fn foot(stage: &Stage) -> Vec<String> {
    let screen = stage.screen();
    let parts = screen.lines().last().unwrap().split("  ").filter_map(|part| part.split_once(' '));
    parts.map(|(key, _)| key.to_owned()).collect()
}

#[test]
fn the_foot_at_80_columns_holds_the_keys_that_do_something_where_one_is() {
    for (request, has, has_not) in [
        ("BP00010", &["Tab", "x", "e", "Enter", "t", ":", "q", "?", "/"][..], &["r", "d", "D", "R", "H"][..]),
        ("BP0000Y", &["Tab", "r", "d", "e", "Enter", "t", ":", "q", "?"], &["x", "D", "R", "H"]),
        ("BP00011", &["Tab", "r", "D", "e", "Enter", "t", ":", "q", "?"], &["x", "R", "H"]),
        ("BP00007", &["Tab", "R", "e", "Enter", "t", ":", "q", "?"], &["r", "d", "x", "D", "H"]),
    ] {
        let foot = foot(&on(request));
        for key in has {
            assert!(foot.iter().any(|known| known == key), "{request}: no {key} in {foot:?}");
        }
        for key in has_not {
            assert!(!foot.iter().any(|known| known == key), "{request}: {key} in {foot:?}");
        }
    }
    let mut stage = on("BP0000Y");
    stage.keys("h '2h Enter 'audit Enter y");
    stage.tick(1);
    stage.keys("j k");
    assert!(foot(&stage).contains(&"H".to_owned()), "{:?}", foot(&stage));
    let mut stage = Stage::new(80, 24);
    stage.keys("3");
    assert!(foot(&stage).contains(&"<".to_owned()) && !foot(&stage).contains(&">".to_owned()));
    stage.keys("< < <");
    assert!(foot(&stage).contains(&">".to_owned()) && !foot(&stage).contains(&"<".to_owned()));
}

#[test]
fn a_message_ends_when_what_it_speaks_of_has_become_something_else() {
    let mut stage = on("BP00013");
    stage.keys("r y");
    let said = "run BP00013: attempt 1 is running";
    let turns = |stage: &mut Stage, state| {
        let mut list = stage.fake.list.lock().unwrap();
        list.requests.iter_mut().find(|row| row.request_id == Some(id("BP00013"))).unwrap().state = state;
        drop(list);
        stage.tick(1);
    };
    stage.tick(1);
    assert!(stage.screen().contains(said), "the list does not know it yet: {}", stage.screen());
    turns(&mut stage, State::Running);
    stage.tick(1);
    assert!(stage.screen().contains(said), "{}", stage.screen());
    turns(&mut stage, State::Succeeded);
    assert!(!stage.screen().contains(said), "{}", stage.screen());
    stage.keys("H");
    assert!(stage.screen().contains("unhold: there is no hold"));
    stage.fake.status.lock().unwrap().held_until = Some(at("2026-11-24T21:00:00Z"));
    stage.tick(1);
    assert!(!stage.screen().contains("there is no hold"), "{}", stage.screen());
}

#[test]
fn function_keys_and_ctrl_chords_do_what_they_do_elsewhere() {
    let mut stage = Stage::new(80, 24);
    stage.keys("F1");
    assert!(stage.screen().contains("KEYS of OVERVIEW"), "{}", stage.screen());
    stage.keys("Esc 2 Ctrl-f");
    let down = stage.app.subject();
    assert_ne!(down, Some(id("BP00010")));
    stage.keys("Ctrl-b");
    assert_eq!(stage.app.subject(), Some(id("BP00010")));
    stage.effects.clear();
    stage.keys("F5");
    let asks = |wanted: protocol::View| {
        let wanted = Question::View(wanted);
        stage.effects.iter().any(|e| matches!(e, Effect::Ask { question, .. } if *question == wanted))
    };
    assert!(asks(protocol::View::List) && asks(protocol::View::Status) && asks(protocol::View::Who));
    assert!(changes(&stage).is_empty());
}

#[test]
fn a_search_shows_while_it_is_typed_what_it_finds_counts_it_and_wraps_with_a_word() {
    let mut stage = Stage::new(80, 24);
    stage.keys("3 / 'packages");
    assert!(stage.screen().contains("/packages 2 of 2"), "{}", stage.screen());
    stage.keys("'_before");
    assert!(stage.screen().contains("/packages before 1 of 1"), "{}", stage.screen());
    stage.keys("Esc");
    assert!(!stage.screen().contains("/packages") && stage.screen().contains("FOLLOW"), "{}", stage.screen());
    stage.keys("/ 'packages Enter N");
    assert!(stage.screen().contains("/packages 1 of 2"), "{}", stage.screen());
    stage.keys("N");
    assert!(stage.screen().contains("wrapped: no match above, this is the newest"), "{}", stage.screen());
    stage.keys("n");
    assert!(stage.screen().contains("wrapped: no match below, this is the oldest"), "{}", stage.screen());
    stage.keys("/ 'nowhere Enter");
    assert!(stage.screen().contains("nothing matches nowhere"), "{}", stage.screen());
}

#[test]
fn a_filter_counts_its_rows_and_n_goes_through_them_and_wraps_with_a_word() {
    let mut stage = Stage::new(80, 24);
    stage.keys("n");
    assert!(stage.screen().contains("nothing is filtered; / filters"), "{}", stage.screen());
    stage.keys("/ 'BP0001");
    assert!(stage.screen().contains(" of 8 "), "{}", stage.screen());
    stage.keys("Enter g");
    let first = stage.app.subject();
    stage.keys("N");
    assert!(stage.screen().contains("wrapped: this is the last row of the filter"), "{}", stage.screen());
    stage.keys("n");
    assert!(stage.screen().contains("wrapped: this is the first row of the filter"), "{}", stage.screen());
    assert_eq!(stage.app.subject(), first);
}

#[test]
fn with_the_mouse_on_groups_and_keys_at_the_foot_can_be_clicked() {
    let mut stage = on("BP0000Y");
    let place = |stage: &Stage, row: usize, word: &str| {
        stage.screen().lines().nth(row).unwrap().find(word).unwrap() as u16 + 1
    };
    let x = place(&stage, 1, "Expired");
    stage.click(x, 1);
    assert_eq!(stage.app.subject(), Some(id("BP00009")), "{}", stage.screen());
    let x = place(&stage, 1, "Executed");
    stage.click(x, 1);
    assert!(stage.app.selected_row().unwrap().state.is_success(), "{}", stage.screen());
    stage.keys("1");
    let x = place(&stage, 23, "? help");
    stage.click(x, 23);
    assert!(stage.screen().contains("KEYS of OVERVIEW"), "{}", stage.screen());
    stage.keys("Esc g j");
    let x = place(&stage, 23, "r run");
    stage.click(x, 23);
    assert!(stage.screen().contains("Run BP0000Y on"), "{}", stage.screen());
    stage.key_after(100, Key::Char('y'));
    assert!(changes(&stage).is_empty(), "a click opens the question as a key does");
}
