//! What is shown of a whole file where filters hide some of it.

use super::*;

#[test]
fn a_level_a_component_and_a_pattern_count_in_all_of_the_file() {
    let mut hall = Hall::new();
    hall.keys("Home l l l");
    assert_eq!(hall.numbers(), [3, 1_503, 3_003, 4_503]);
    hall.keys("l");
    assert!(hall.numbers().len() > 10);
    hall.keys("/ 'Zugzwang' Enter &");
    assert_eq!(hall.numbers(), [77, 5_200]);
    hall.keys("&");
    assert!(hall.numbers().len() > 10);
    hall.keys(">");
    let screen = hall.keys(">");
    let errors = hall.numbers().into_iter().filter(|n| level(*n) == Level::Error).count();
    assert_eq!(errors, 1, "{screen}");
}

#[test]
fn several_filters_count_in_all_of_the_file_and_are_taken_away_one_by_one() {
    let mut hall = Hall::new();
    hall.stage.size = (100, 50);
    hall.stage.event(Event::Resize(100, 50));
    hall.keys("Home =");
    let screen = hall.stage.screen();
    assert!(
        screen.contains("FILTERS OF THE LOG") && screen.contains("none: every record is shown"),
        "{screen}"
    );
    hall.keys("'Zugzwang' Enter");
    assert_eq!(hall.numbers(), [77, 5_200]);
    hall.keys("'line_40_of' Enter");
    assert_eq!(hall.numbers(), [40, 77, 5_200]);
    hall.until("3 pass, line");
    hall.keys("'!component:P1' Enter 'thread:1' Enter");
    hall.until("2 pass, line");
    let screen = hall.keys("'(' Enter");
    assert_eq!(hall.numbers(), [40, 5_200], "{screen}");
    assert!(screen.contains("!component:P1") && screen.contains("unclosed group"), "{screen}");
    let screen = hall.keys("Backspace Esc");
    assert!(screen.contains("4 filters") && !screen.contains("FILTERS OF"), "{screen}");
    // The search is among what they let pass.
    hall.keys("/ 'Zugzwang' Enter");
    assert!(hall.stage.app.log_pane().hit.is_some());
    let screen = hall.keys("N");
    assert!(screen.contains("wrapped"), "{screen}");
    hall.keys("= Delete Delete Delete Delete");
    assert!(hall.numbers().len() > 10);
    let screen = hall.keys("Enter");
    assert!(!screen.contains("FILTERS OF"), "with nothing typed it closes the list\n{screen}");
}

#[test]
fn where_the_filters_hide_every_line_the_file_is_still_looked_at() {
    let errors = [3, 1_503, 3_003, 4_503];
    for keys in ["o", "@ '3h' Enter"] {
        let mut hall = Hall::new();
        hall.keys("l l l");
        assert!(hall.numbers().is_empty(), "none of the newest lines is an error");
        let screen = hall.keys(keys);
        assert!(hall.numbers() == errors && screen.contains("WHOLE FILE"), "{keys}\n{screen}");
    }
}

#[test]
fn what_was_asked_under_other_filters_is_not_shown_under_these() {
    let mut hall = Hall::new();
    hall.keys("Home");
    let asked = |hall: &mut Hall| {
        let of = |effect| match effect {
            Effect::Whole(ask) if matches!(ask.what, What::Newer(_) | What::Around(_)) => Some(ask),
            _ => None,
        };
        std::mem::take(&mut hall.stage.effects).into_iter().filter_map(of).next_back()
    };
    let old = loop {
        hall.stage.keys("PgDn");
        if let Some(ask) = asked(&mut hall) {
            break ask;
        }
    };
    let What::Newer(from) = old.what else { panic!("{old:?}") };
    hall.stage.keys("= 'Zugzwang' Enter");
    let new = asked(&mut hall).expect("what passes now is asked for");
    assert!(new.id > old.id && new.only.filters.len() == 1, "{new:?}");
    // The thread had answered before it heard of that.
    let rows = vec![Row { place: from, line: 900, lines: vec![shown(900)] }];
    let came = Came::Newer { rows, below: from + 1, bottom: false };
    hall.stage.event(Event::Whole(News { id: old.id, file: "PACMAN.LOG".into(), came }));
    assert!(hall.numbers().is_empty(), "{}", hall.stage.screen());
    hall.ask.send(new).unwrap();
    hall.settle();
    hall.keys("Esc");
    assert_eq!(hall.numbers(), [77, 5_200], "{}", hall.stage.screen());
}

#[test]
fn what_is_waited_for_is_asked_again_where_other_records_count() {
    let mut hall = Hall::new();
    hall.keys("Home");
    hall.stage.keys("@ '4321' Enter");
    let old = hall.stage.app.looking.clone().unwrap();
    // As a click does, which ends nothing.
    hall.stage.app.file.as_mut().unwrap().add_condition(Typed::Level(Level::Error)).unwrap();
    hall.stage.event(Event::Resize(100, 20));
    let new = hall.stage.app.looking.clone().unwrap();
    assert!(new.id > old.id && new.what == old.what && new.only.level == Level::Error, "{new:?}");
    hall.settle();
    assert_eq!(hall.numbers(), [3, 1_503, 3_003, 4_503], "{}", hall.stage.screen());
}

#[test]
fn few_lines_of_a_filter_are_not_taken_for_all_while_more_are_looked_for() {
    let mut hall = Hall::new();
    hall.keys("Home l l");
    hall.stage.keys("l");
    let id = hall.stage.app.looking.as_ref().unwrap().id;
    hall.stage.event(Event::Whole(News { id, file: "PACMAN.LOG".into(), came: Came::Progress(40) }));
    let screen = hall.stage.screen();
    assert!(screen.contains("looking in PACMAN.LOG, 40 %"), "{screen}");
    hall.settle();
    let screen = hall.stage.screen();
    assert!(hall.numbers() == [3, 1_503, 3_003, 4_503] && !screen.contains("looking in"), "{screen}");
}
