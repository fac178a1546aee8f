//! What goes to the terminal and to files beside the screen: copy, plain, save, mouse; and where commands are found.

use super::fake::{Fake, id};
use super::stage::{Stage, log_lines};
use crate::console::app::{Effect, Event, Focus, MAX_COPY, View, enabled};
use crate::console::keymap::Key;
use crate::console::keymap::commands::{COMMANDS, Id};
use crate::executor::ask::Question;
use crate::executor::talk::protocol;

fn copied(stage: &Stage) -> Vec<String> {
    let last = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy(lines) => Some(lines.iter().map(ToString::to_string).collect()),
        _ => None,
    });
    last.unwrap_or_default()
}

#[test]
fn y_copies_what_is_selected_or_marked_and_says_how_much() {
    let mut stage = Stage::new(80, 24);
    stage.keys("g j y");
    let lines = copied(&stage);
    assert_eq!(
        lines,
        [
            "BP0000Y Acme Workstation 4.0 waiting mandatory 2026-11-22 14:00:00 +01:00: user anna; window 22:00"
        ]
    );
    let bytes = format!("1 line, {} bytes, given to the terminal's clipboard", lines[0].len());
    assert!(stage.screen().contains(&bytes), "{}", stage.screen());
    stage.keys("Space Space y");
    assert_eq!(copied(&stage).len(), 2);
    stage.keys("Esc e y");
    assert!(copied(&stage).iter().any(|line| line.starts_with("gate window: ")));
    stage.keys("q 3");
    let _ = stage.screen();
    stage.keys("y");
    assert_eq!(copied(&stage).len(), log_lines().len());
    stage.keys("m k m y");
    assert_eq!(copied(&stage).len(), 2);
    stage.keys("4 y");
    assert!(copied(&stage)[0].starts_with("anna pts/0 from 10.1.2.3"));
}

#[test]
fn more_than_terminals_take_is_not_copied_in_part_but_refused() {
    let mut stage = Stage::new(80, 24);
    let mut line = log_lines().remove(0);
    line.text = "x".repeat(1000).as_str().into();
    stage.event(Event::Log(vec![line; 200]));
    stage.keys("3");
    let _ = stage.screen();
    for _ in 0..100 {
        stage.keys("m k");
    }
    stage.keys("y");
    assert!(copied(&stage).is_empty());
    let said = format!("more than terminals take, {MAX_COPY}");
    assert!(stage.screen().replace("\n  ", " ").contains(&said), "{}", stage.screen());
}

#[test]
fn without_a_clipboard_there_is_the_bare_terminal() {
    let mut stage = Stage::new(80, 24);
    stage.app.options.clipboard = false;
    stage.keys("j y");
    assert!(copied(&stage).is_empty() && stage.screen().contains("Y shows the text to select"));
    stage.keys("Y");
    assert!(matches!(stage.effects.last(), Some(Effect::Plain(lines)) if lines.len() == 1));
}

#[test]
fn s_saves_every_line_that_is_shown_under_a_name_that_is_proposed() {
    let mut stage = Stage::new(80, 24);
    stage.keys("3 l l S");
    let screen = stage.screen();
    assert!(screen.contains("SAVE log") && screen.contains("3 lines to a new file"), "{screen}");
    assert!(screen.contains("pcm-log-20261122-140210.txt"), "{screen}");
    stage.keys("Enter");
    let Some(Effect::Save { path, lines }) = stage.effects.last().cloned() else { panic!("not saved") };
    assert_eq!((path.as_str(), lines.len()), ("pcm-log-20261122-140210.txt", 3));
    assert!(
        lines[0].as_str().starts_with("2026-11-22 13:50:31 +01:00 PACMAN.LOG error PCM: Executing BP00007")
    );
    stage.event(Event::Said { text: "save: x exists, nothing was written".into(), error: true });
    assert!(stage.screen().contains("nothing was written"));
    stage.keys("S Esc");
    assert!(stage.app.overlays.is_empty() && stage.screen().contains("nothing was saved"));
}

#[test]
fn the_whole_keymap_is_saved_as_a_file_from_the_palette() {
    let mut stage = Stage::new(80, 24);
    stage.keys(": 'key_file Enter Ctrl-u '/tmp/k.toml Enter");
    let Some(Effect::Save { path, lines }) = stage.effects.last() else { panic!("not saved") };
    assert_eq!(path, "/tmp/k.toml");
    assert!(lines.iter().any(|line| line.as_str().starts_with("run = [\"r\"]")));
}

#[test]
fn the_mouse_is_the_terminals_until_it_is_asked_for() {
    let mut stage = Stage::new(80, 24);
    assert!(!stage.app.mouse);
    stage.keys("M");
    assert!(stage.effects.contains(&Effect::Mouse(true)));
    let _ = stage.screen();
    let row = stage.screen().lines().position(|line| line.contains("BP00013")).unwrap() as u16;
    stage.click(20, row);
    assert_eq!(stage.app.subject(), Some(id("BP00013")));
    let log = stage.screen().lines().position(|line| line.contains("LOG PACMAN.LOG")).unwrap() as u16;
    stage.click(20, log + 1);
    assert_eq!(stage.app.focus(), Focus::Log);
    stage.event(Event::Wheel { x: 20, y: row, down: true });
    let _ = stage.screen();
    stage.click(20, 3);
    stage.keys("Enter");
    stage.click(20, row);
    assert_eq!(stage.app.overlays.len(), 1, "a click closes nothing");
    stage.keys("q M");
    assert!(stage.effects.contains(&Effect::Mouse(false)));
}

#[test]
fn a_paste_executes_nothing_anywhere() {
    let script = "r\ny\nx\ny\nq\n:quit\nR\u{1b}y";
    for keys in ["", "2", "3", "4", "6", "8", "?", "j Enter", "j e", "w", "Space Space r", "g j r", "x"] {
        let mut stage = Stage::new(80, 24);
        stage.keys(keys);
        stage.event(Event::Paste(script.into()));
        stage.tick(1);
        assert!(stage.fake.changes.lock().unwrap().is_empty() && !stage.quit, "after {keys:?}");
    }
}

#[test]
fn every_command_is_in_the_palette_by_any_of_its_words_and_says_why_it_does_nothing_now() {
    let mut stage = Stage::new(80, 24);
    for command in COMMANDS {
        let Some(word) = command.words.split(|c: char| !c.is_alphanumeric()).find(|w| w.len() > 3) else {
            continue;
        };
        stage.keys(":");
        for c in word.to_lowercase().chars() {
            stage.key(Key::Char(c));
        }
        let Some(crate::console::app::overlay::Overlay::Palette(palette)) = stage.app.overlays.last() else {
            panic!("no palette")
        };
        assert!(palette.found().iter().any(|found| found.id == command.id), "{} by {word:?}", command.name);
        stage.keys("Esc");
    }
    stage.keys(": 'search Enter");
    assert!(stage.screen().contains("search: only in a log; 3 shows it"), "{}", stage.screen());
}

#[test]
fn whoever_has_never_seen_it_finds_how_to_run_defer_explain_search_see_who_is_there_and_leave() {
    let mut stage = Stage::new(80, 24);
    // What runs is stopped, what waits is run: the foot goes with the row.
    let mut first = stage.screen();
    stage.keys("j");
    first.push_str(&stage.screen());
    for found in ["r run", "d defer", "e explain", "/ filter", "? help", "LOGGED ON 2", "LOG PACMAN.LOG"] {
        assert!(first.contains(found), "{found}\n{first}");
    }
    stage.keys("?");
    let help = stage.screen();
    let cells: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for found in [
        "r run",
        "d defer",
        "e explain",
        "/ filter",
        "3 log",
        "4 logged on",
        "q quit",
        "q leaves, Esc goes a step back",
    ] {
        assert!(cells.contains(found), "{found}\n{help}");
    }
    for (typed, id) in [
        ("run now", Id::Run),
        ("postpone", Id::Defer),
        ("why", Id::Explain),
        ("search log", Id::Search),
        ("who", Id::Who),
        ("leave", Id::Quit),
        ("exit", Id::Quit),
    ] {
        stage.keys("Esc :");
        for c in typed.chars() {
            stage.key(Key::Char(c));
        }
        let Some(crate::console::app::overlay::Overlay::Palette(palette)) = stage.app.overlays.last() else {
            panic!("no palette")
        };
        assert!(palette.found().iter().take(3).any(|found| found.id == id), "{typed}\n{}", stage.screen());
    }
}

#[test]
fn what_was_said_goes_away_after_a_while_and_by_the_clock_alone() {
    let mut stage = Stage::new(80, 24);
    stage.keys("s");
    assert!(stage.screen().contains("sorted by"));
    stage.tick(10);
    assert!(stage.screen().contains("sorted by"));
    stage.tick(6);
    assert!(!stage.screen().contains("sorted by") && stage.screen().contains("? help"));
}

#[test]
fn levels_of_the_traces_are_changed_only_where_they_are_shown() {
    let mut stage = Stage::with(80, 24, Fake::new(), false);
    assert!(enabled(&stage.app, Id::Louder).is_err());
    stage.keys("8");
    assert_eq!(stage.app.view, View::Diagnostics);
    assert!(enabled(&stage.app, Id::Louder).is_ok() && enabled(&stage.app, Id::Quieter).is_ok());
}

#[test]
fn the_week_to_come_shows_when_each_runs_and_why_others_do_not() {
    let mut stage = Stage::new(80, 40);
    stage.keys("t");
    let asked = |stage: &Stage| {
        let simulates = |e: &&Effect| {
            matches!(e, Effect::Ask { question: Question::View(protocol::View::Simulate(_)), .. })
        };
        stage.effects.iter().filter(simulates).count()
    };
    assert_eq!(asked(&stage), 1);
    let screen = stage.screen();
    assert!(screen.contains("THE WEEK as of 14:02"), "{screen}");
    let line = screen.lines().find(|line| line.starts_with("│ BP00014")).unwrap();
    assert!(line.contains(".R+") && line.contains("Wed 22:00"), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("│ BP00013") && line.contains("never")), "{screen}");
    // It is reckoned once, not at every step: it costs the executor seconds.
    for _ in 0..20 {
        stage.tick(5);
    }
    assert_eq!(asked(&stage), 1);
}

#[test]
fn every_frame_every_dialog_and_every_entry_of_the_audit_names_the_machine_and_its_role() {
    for keys in ["1", "2", "3", "4", "6", "7", "8", "?", ":", "e", "Enter", "w", "t", "3 S"] {
        let mut stage = Stage::new(80, 24);
        stage.keys(keys);
        assert!(stage.screen().starts_with("BP004000 web-01 PRODUCTION "), "{keys}: {}", stage.screen());
    }
    for (keys, verb) in [("r", "RUN BP0000Y"), ("d", "DEFER BP0000Y"), ("h", "HOLD"), ("4 T", "NOTICE")] {
        let mut stage = Stage::new(80, 24);
        stage.keys("2");
        while !stage.screen().lines().any(|line| line.starts_with("> BP0000Y")) {
            stage.keys("j");
        }
        stage.keys(keys);
        let title = format!("{verb} on BP004000 web-01 PRODUCTION ");
        assert!(stage.screen().contains(&title), "{keys}: {}", stage.screen());
    }
    let mut stage = Stage::new(80, 24);
    stage.keys("6 Tab");
    assert!(stage.screen().contains("  BP004000 web-01 PRODUCTION poll by root"), "{}", stage.screen());
}

#[test]
fn what_takes_longer_than_a_second_is_said_with_how_long_and_keys_are_taken_meanwhile() {
    let mut stage = Stage::new(80, 24);
    let mut app = std::mem::replace(&mut stage.app, Stage::new(80, 24).app);
    // Nobody answers.
    for seconds in [1, 2, 5] {
        let _ = app.update(Event::Tick(stage.now + chrono::TimeDelta::seconds(seconds)));
    }
    let _ = app.update(Event::Key("2".parse().unwrap(), stage.touched));
    stage.app = app;
    let last = stage.screen().lines().last().unwrap().to_owned();
    assert!(last.contains(" ... 4s"), "{last}");
    assert!(stage.screen().contains("SELECTED"), "{}", stage.screen());
}

#[test]
fn our_own_text_has_no_character_that_is_wider_than_a_cell_or_a_picture() {
    fn walk(folder: &std::path::Path, see: &mut dyn FnMut(&std::path::Path, &str)) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() && !path.ends_with("tests") => walk(&path, see),
                path if path.extension().is_some_and(|ext| ext == "rs") => {
                    see(&path, &std::fs::read_to_string(&path).unwrap());
                }
                _ => {}
            }
        }
    }
    let mut seen = 0;
    walk(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/console")), &mut |path, text| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for c in code.chars().filter(|c| !c.is_ascii()) {
            seen += 1;
            let wide = unicode_width::UnicodeWidthChar::width(c) != Some(1);
            let picture = matches!(u32::from(c), 0x2600..=0x27BF | 0x1F000..=0x1FAFF | 0xFE0F);
            assert!(!wide && !picture, "{c:?} in {}", path.display());
        }
    });
    assert!(seen > 20, "symbols were looked at: {seen}");
}

#[test]
fn attempts_and_audit_are_filtered_by_words_each_for_itself_and_esc_takes_it_back() {
    let mut stage = Stage::new(120, 36);
    stage.keys("6");
    let counts = |stage: &Stage, name: &str| {
        let screen = stage.screen();
        screen.lines().find(|line| line.contains(&format!("── {name} "))).unwrap().to_owned()
    };
    let all = counts(&stage, "ATTEMPTS");
    stage.keys("/ 'FAILED'");
    assert!(counts(&stage, "ATTEMPTS").contains("filter: FAILED_"), "{}", stage.screen());
    assert!(
        stage.screen().contains("BP00007#1") && !stage.screen().contains("BP00010#1"),
        "{}",
        stage.screen()
    );
    stage.keys("Enter");
    assert!(counts(&stage, "ATTEMPTS").contains(" of "), "{}", stage.screen());
    // What is done is done to what is selected among those that are left.
    stage.keys("y");
    assert!(copied(&stage)[0].contains("BP00007"), "{:?}", copied(&stage));
    stage.keys("Enter");
    assert!(stage.screen().contains("DETAILS BP00007"), "{}", stage.screen());
    stage.keys("q Tab / 'nosuchword' Enter");
    assert!(stage.screen().contains("no row has these words"), "{}", stage.screen());
    stage.keys("Esc");
    assert!(!stage.screen().contains("no row has these words"), "{}", stage.screen());
    stage.keys("Tab Esc");
    assert_eq!(counts(&stage, "ATTEMPTS"), all);
    stage.keys("Esc");
    assert!(stage.screen().contains("LOG PACMAN.LOG"), "the next step back is the overview");
}
