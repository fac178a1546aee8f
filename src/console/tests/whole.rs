//! One log file as a whole in the log view: with the thread that reads it, on a file of some thousand lines of which the
//! newest five hundred came first.

mod filters;

use super::fake::{Fake, NOW, at};
use super::stage::Stage;
use crate::clock::Zone;
use crate::console::app::logpane::LogPane;
use crate::console::app::terms::Typed;
use crate::console::app::whole::{Ask, Came, News, Only, Row, Saved, Spot, Stats, What};
use crate::console::app::{Effect, Event, LogLine};
use crate::console::drivers::{Incoming, whole};
use crate::log::Level;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const LINES: i64 = 6_000;

struct Hall {
    stage: Stage,
    ask: Sender<Ask>,
    from: Receiver<Incoming>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// The text of a line, by its number from 1.
fn text(n: i64) -> String {
    let rare = if n == 77 || n == 5_200 { " Zugzwang" } else { "" };
    format!("this is line {n} of many{rare}")
}

fn level(n: i64) -> Level {
    if n % 1_500 == 3 { Level::Error } else { Level::Info }
}

fn time(n: i64) -> crate::clock::Wall {
    at(NOW) + TimeDelta::seconds(2 * (n - LINES))
}

fn written(n: i64) -> String {
    let kind = if level(n) == Level::Error { 3 } else { 1 };
    let time = time(n);
    format!(
        "<![LOG[{}]LOG]!><time=\"{}.000+000\" date=\"{}\" component=\"P{}\" context=\"\" type=\"{kind}\" thread=\"1\" file=\"\">\r\n",
        text(n),
        time.format("%H:%M:%S"),
        time.format("%m-%d-%Y"),
        n % 2,
    )
}

fn shown(n: i64) -> LogLine {
    LogLine {
        file: "PACMAN.LOG".into(),
        time: Some(time(n)),
        near: Some(time(n)),
        level: level(n),
        component: format!("P{}", n % 2).as_str().into(),
        thread: "1".into(),
        source: SafeText::default(),
        text: text(n).as_str().into(),
        continued: false,
    }
}

impl Hall {
    fn new() -> Hall {
        Hall::written(String::into_bytes)
    }

    /// Its file in another writing.
    fn written(bytes: fn(String) -> Vec<u8>) -> Hall {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("PACMAN.LOG");
        std::fs::write(&path, bytes((1..=LINES).map(written).collect())).unwrap();
        let (to, from) = channel();
        let ask = whole::start(vec![folder.path().join("*.LOG")], Zone::utc(), &to).unwrap();
        let mut stage = Stage::with(100, 20, Fake::new(), false);
        stage.app.log = LogPane::view();
        stage.keys("3");
        stage.event(Event::Log((LINES - 499..=LINES).map(shown).collect()));
        stage.event(Event::Older { lines: Vec::new(), more: Some(true) });
        let mut hall = Hall { stage, ask, from, path, _folder: folder };
        hall.settle();
        hall
    }

    /// Carries questions to the thread and answers back until nothing is on its way.
    fn settle(&mut self) {
        loop {
            for effect in std::mem::take(&mut self.stage.effects) {
                if let Effect::Whole(ask) = effect {
                    self.ask.send(ask).unwrap();
                }
            }
            let counted = self.stage.app.file_stats.as_ref().is_some_and(|(_, stats)| stats.part().is_none());
            if counted && self.stage.app.looking.is_none() {
                return;
            }
            match self.from.recv_timeout(Duration::from_secs(60)) {
                Ok(Incoming::Event(event)) => self.stage.event(event),
                other => panic!("{other:?}\n{}", self.stage.screen()),
            }
        }
    }

    fn keys(&mut self, keys: &str) -> String {
        for key in keys.split(' ') {
            self.stage.keys(key);
            self.settle();
        }
        self.stage.screen()
    }

    /// Waits until this stands on the screen.
    fn until(&mut self, words: &str) {
        while !self.stage.screen().contains(words) {
            match self.from.recv_timeout(Duration::from_secs(60)) {
                Ok(Incoming::Event(event)) => self.stage.event(event),
                other => panic!("{other:?}\n{}", self.stage.screen()),
            }
            self.settle();
        }
    }

    /// The numbers of the lines on the screen.
    fn numbers(&self) -> Vec<i64> {
        let screen = self.stage.screen();
        let number = |line: &str| line.split_once("this is line ")?.1.split(' ').next()?.parse().ok();
        screen.lines().filter_map(number).collect()
    }
}

#[test]
fn home_is_the_first_line_of_the_file_and_end_follows_the_newest_again() {
    let mut hall = Hall::new();
    let screen = hall.stage.screen();
    assert!(screen.contains("FOLLOW") && screen.contains("newest 500 of 6000 lines"), "{screen}");
    assert!(screen.contains("4 errors"), "of all of the file, not of the lines that are here\n{screen}");
    let screen = hall.keys("Home");
    assert!(screen.contains("LOG PACMAN.LOG WHOLE FILE") && screen.contains("of 6000 lines"), "{screen}");
    assert_eq!(hall.numbers()[0], 1, "{screen}");
    let screen = hall.keys("End");
    assert!(screen.contains("FOLLOW") && !screen.contains("WHOLE"), "{screen}");
    assert_eq!(hall.numbers().last(), Some(&LINES), "{screen}");
}

#[test]
fn paging_through_a_file_shows_each_line_once_both_ways() {
    let mut hall = Hall::new();
    hall.stage.size = (100, 70);
    hall.stage.event(Event::Resize(100, 70));
    hall.keys("Home");
    let mut seen = hall.numbers();
    while seen.len() < 5_000 {
        let last = *seen.last().unwrap();
        hall.keys("PgDn");
        let page = hall.numbers();
        assert!(page.windows(2).all(|two| two[1] == two[0] + 1), "{page:?}");
        assert!(page[0] <= last + 1 && *page.last().unwrap() > last, "{last} {page:?}");
        seen.extend(page.into_iter().filter(|n| *n > last));
    }
    assert!(seen.iter().enumerate().all(|(n, line)| *line == n as i64 + 1));
    let mut first = hall.numbers()[0];
    while first > 1 {
        hall.keys("PgUp");
        let page = hall.numbers();
        assert!(page.windows(2).all(|two| two[1] == two[0] + 1), "{page:?}");
        assert!(page[0] < first && *page.last().unwrap() + 1 >= first, "{first} {page:?}");
        first = page[0];
    }
}

#[test]
fn a_search_goes_over_the_whole_file_both_ways_and_says_when_it_wraps() {
    let mut hall = Hall::new();
    hall.stage.keys("/ 'Zugzwang'");
    let screen = hall.keys("Enter");
    assert!(hall.numbers().contains(&5_200) && screen.contains("WHOLE FILE"), "{screen}");
    hall.keys("N");
    assert!(hall.numbers().contains(&77));
    let screen = hall.keys("N");
    assert!(hall.numbers().contains(&5_200) && screen.contains("wrapped"), "{screen}");
    let screen = hall.keys("n");
    assert!(hall.numbers().contains(&77) && screen.contains("wrapped"), "{screen}");
    // Typed anew: what is found so far with each letter, and Esc goes back.
    hall.keys("/ 'line_5200' Esc");
    assert!(hall.numbers().contains(&77));
    hall.keys("/ 'line_5999' Enter");
    assert!(hall.numbers().contains(&5_999));
    let screen = hall.keys("/ 'nowhere' Enter");
    assert!(screen.contains("nothing that matches is in all of PACMAN.LOG"), "{screen}");
}

#[test]
fn a_time_a_line_and_a_part_are_gone_to() {
    let mut hall = Hall::new();
    for (typed, line) in [("50%", 3_001), ("4321", 4_321), ("2h", 2_400), ("-3h", 600)] {
        let screen = hall.keys(&format!("@ '{typed}' Enter"));
        assert!(hall.numbers().contains(&line), "{typed}\n{screen}");
        assert!(screen.contains(&format!("line {line} of 6000 lines")), "{typed}\n{screen}");
    }
    let screen = hall.keys("@ 'soon' Enter");
    assert!(screen.contains("is not a time"), "{screen}");
}

#[test]
fn a_bar_of_the_whole_file_is_chosen_and_gone_to() {
    let mut hall = Hall::new();
    hall.stage.size = (100, 24);
    hall.stage.event(Event::Resize(100, 24));
    let screen = hall.keys("b Home");
    assert!(screen.contains("0 errors, 0 warnings, of") || screen.contains("1 error,"), "{screen}");
    // Errors are lines 3, 1503, 3003 and 4503: the third from the first.
    hall.keys("Home");
    let screen = hall.keys("Down Down");
    assert!(screen.contains("1 error, 0 warnings, of"), "{screen}");
    let screen = hall.keys("Enter");
    assert!(screen.contains("WHOLE FILE") && !screen.contains("1 error,"), "{screen}");
    let (first, last) = (hall.numbers()[0], *hall.numbers().last().unwrap());
    assert!(first < 3_003 && last > 2_700, "{first} to {last}\n{screen}");
    // It is chosen from where one is, and Esc stays there.
    let before = hall.numbers();
    hall.keys("b Esc");
    assert_eq!(hall.numbers(), before);
}

#[test]
fn what_is_shown_of_a_whole_file_is_saved_to_a_new_one() {
    let mut hall = Hall::new();
    let to = hall.path.with_file_name("saved.txt");
    hall.keys("Home = 'Zugzwang' Enter Esc S");
    let screen = hall.stage.screen();
    assert!(screen.contains("all that is shown of PACMAN.LOG to a new file"), "{screen}");
    let name = |hall: &mut Hall| {
        hall.stage.keys("Ctrl-u");
        to.to_str().unwrap().chars().for_each(|c| hall.stage.key(crate::console::keymap::Key::Char(c)));
    };
    name(&mut hall);
    let screen = hall.keys("Enter");
    assert!(screen.contains("saved 2 lines"), "{screen}");
    let written = std::fs::read_to_string(&to).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].ends_with(&text(77)) && lines[1].ends_with(&text(5_200)),
        "{written}"
    );
    hall.keys("S");
    name(&mut hall);
    let screen = hall.keys("Enter");
    assert!(screen.contains("exists, nothing was written"), "{screen}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), written);
    // The next key ends it.
    std::fs::remove_file(&to).unwrap();
    hall.keys("S");
    name(&mut hall);
    hall.stage.keys("Enter");
    assert!(hall.stage.screen().contains("saving from PACMAN.LOG"), "{}", hall.stage.screen());
    let id = hall.stage.app.looking.as_ref().unwrap().id;
    hall.stage.keys("z");
    assert!(hall.stage.app.looking.is_none());
    // It was written when the key came.
    let came = Came::Saved(Saved { path: "/home/ola/late.txt".into(), lines: 2, bytes: 80 });
    hall.stage.event(Event::Whole(News { id, file: "PACMAN.LOG".into(), came }));
    let screen = hall.stage.screen();
    assert!(screen.contains("saved 2 lines, 80 bytes, to /home/ola/late.txt"), "{screen}");
    let came = Came::Unsaved("cancelled, nothing was written".into());
    hall.stage.event(Event::Whole(News { id, file: "PACMAN.LOG".into(), came }));
    let screen = hall.stage.screen();
    assert!(screen.contains("save: cancelled, nothing was written"), "{screen}");
    assert!(hall.stage.app.file_stats.is_some(), "what is known of the log stays");
}

#[test]
fn bars_can_be_chosen_where_they_are_drawn() {
    for (size, drawn) in [((40, 15), false), ((40, 16), false), ((40, 17), true), ((100, 20), true)] {
        let mut hall = Hall::new();
        hall.stage.size = size;
        hall.stage.event(Event::Resize(size.0, size.1));
        let screen = hall.keys("b");
        let lines = screen.lines().filter(|line| line.starts_with("E  ") || line.starts_with("W  ")).count();
        assert_eq!(lines, if drawn { 2 } else { 0 }, "{screen}");
        assert_eq!(screen.contains("terminal is too small"), !drawn, "{screen}");
        assert_eq!(hall.stage.app.log_pane().bar.is_some(), drawn, "{screen}");
    }
}

#[test]
fn a_record_is_shown_in_full_with_what_its_codes_mean() {
    let mut hall = Hall::new();
    let failed = LogLine { text: "MSI returned 1603".into(), source: "x.cpp:12".into(), ..shown(LINES) };
    let more = LogLine { text: "hr=0x80070005".into(), continued: true, ..failed.clone() };
    hall.stage.event(Event::Log(vec![failed, more]));
    hall.keys("k");
    let screen = hall.keys("Enter");
    for part in [
        "RECORD",
        "1603 ERROR_INSTALL_FAILURE",
        "0x80070005 ERROR_ACCESS_DENIED",
        "x.cpp:12",
        "MSI returned 1603",
        "+0s after the record above",
    ] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
    let screen = hall.keys("Esc");
    assert!(!screen.contains("RECORD") && !screen.contains("ERROR_INSTALL_FAILURE"), "{screen}");
    // Beside the line that one has gone to.
    hall.keys("/ '1603' Enter");
    let screen = hall.stage.screen();
    assert!(screen.contains("MSI returned 1603  = 1603 ERROR_INSTALL_FAILURE"), "{screen}");
}

#[test]
fn a_mark_is_found_and_copied_wherever_one_is() {
    let mut hall = Hall::new();
    hall.keys("@ '100' Enter m @ '4000' Enter m Home");
    hall.keys("u");
    assert!(hall.numbers().contains(&100));
    hall.keys("u");
    assert!(hall.numbers().contains(&4_000));
    let chosen: Vec<_> =
        hall.stage.app.log_pane().chosen().iter().map(|line| line.text.to_string()).collect();
    assert_eq!(chosen, [text(100), text(4_000)]);
}

#[test]
fn what_comes_to_the_file_is_counted_and_shown_at_its_end() {
    let mut hall = Hall::new();
    hall.keys("@ '100%' Enter");
    let more: String = (LINES + 1..=LINES + 20).map(written).collect();
    let mut file = std::fs::OpenOptions::new().append(true).open(&hall.path).unwrap();
    std::io::Write::write_all(&mut file, more.as_bytes()).unwrap();
    hall.stage.event(Event::Log((LINES + 1..=LINES + 20).map(shown).collect()));
    let asked = hall
        .stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Whole(ask) if ask.what == What::Stats));
    assert!(asked);
    for effect in std::mem::take(&mut hall.stage.effects) {
        if let Effect::Whole(ask) = effect {
            hall.ask.send(ask).unwrap();
        }
    }
    while !hall.stage.screen().contains("of 6020 lines") {
        match hall.from.recv_timeout(Duration::from_secs(60)) {
            Ok(Incoming::Event(event)) => hall.stage.event(event),
            other => panic!("{other:?}\n{}", hall.stage.screen()),
        }
    }
    hall.settle();
    hall.keys("PgDn PgDn PgDn");
    assert_eq!(hall.numbers().last(), Some(&(LINES + 20)));
}

#[test]
fn a_file_in_utf_16_is_looked_at_as_a_whole_like_any_other() {
    let wide = |text: String| {
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let mut hall = Hall::written(wide);
    let screen = hall.stage.screen();
    assert!(screen.contains("newest 500 of 6000 lines") && screen.contains("4 errors"), "{screen}");
    let screen = hall.keys("Home");
    assert!(screen.contains("WHOLE FILE") && hall.numbers()[0] == 1, "{screen}");
    hall.keys("/ 'Zugzwang' Enter");
    assert!(hall.numbers().contains(&5_200));
    hall.keys("N");
    assert!(hall.numbers().contains(&77));
    let screen = hall.keys("@ '4321' Enter");
    assert!(hall.numbers().contains(&4_321) && screen.contains("line 4321 of 6000 lines"), "{screen}");
    hall.keys("= 'Zugzwang' Enter Esc");
    assert_eq!(hall.numbers(), [77, 5_200]);
    let more = wide((LINES + 1..=LINES + 20).map(written).collect());
    let mut file = std::fs::OpenOptions::new().append(true).open(&hall.path).unwrap();
    std::io::Write::write_all(&mut file, &more[2..]).unwrap();
    hall.keys("Esc End Home @ '100%' Enter");
    assert_eq!(hall.numbers().last(), Some(&(LINES + 20)));
}

#[test]
fn what_of_a_file_cannot_be_read_is_said_when_it_happens() {
    let mut hall = Hall::new();
    hall.keys("Home");
    let stats =
        Stats { records: 90, lines: 90, read: 3_000, size: 10_000, stopped: true, ..Stats::default() };
    for came in [Came::Stats(stats), Came::Unread("the share is away".into())] {
        hall.stage.event(Event::Whole(News { id: 0, file: "PACMAN.LOG".into(), came }));
    }
    let screen = hall.stage.screen();
    assert!(screen.contains("PACMAN.LOG: the share is away; the rest of it is neither counted"), "{screen}");
    hall.stage.keys("j");
    let screen = hall.stage.screen();
    assert!(screen.contains("90 lines in 30 % of it, the rest cannot be read"), "{screen}");
}

#[test]
fn a_file_that_was_cut_is_left_with_a_word() {
    let mut hall = Hall::new();
    hall.keys("Home");
    std::fs::write(&hall.path, written(1)).unwrap();
    hall.stage.keys("@ '3000' Enter");
    for effect in std::mem::take(&mut hall.stage.effects) {
        if let Effect::Whole(ask) = effect {
            hall.ask.send(ask).unwrap();
        }
    }
    while hall.stage.app.looking.is_some() {
        match hall.from.recv_timeout(Duration::from_secs(60)) {
            Ok(Incoming::Event(event)) => hall.stage.event(event),
            other => panic!("{other:?}"),
        }
    }
    let screen = hall.stage.screen();
    assert!(screen.contains("PACMAN.LOG was cut or written anew; these are the newest lines"), "{screen}");
    assert!(screen.contains("FOLLOW"), "{screen}");
}

#[test]
fn a_file_that_was_renamed_is_looked_at_to_its_end_and_left_for_the_new_one() {
    let mut hall = Hall::new();
    hall.keys("Home");
    std::fs::rename(&hall.path, hall.path.with_extension("1")).unwrap();
    std::fs::write(&hall.path, (1..=40).map(written).collect::<String>()).unwrap();
    hall.stage.event(Event::Log(vec![shown(LINES)]));
    for effect in std::mem::take(&mut hall.stage.effects) {
        if let Effect::Whole(ask) = effect {
            hall.ask.send(ask).unwrap();
        }
    }
    while !hall.stage.screen().contains("WHOLE FILE, rotated away") {
        match hall.from.recv_timeout(Duration::from_secs(60)) {
            Ok(Incoming::Event(event)) => hall.stage.event(event),
            other => panic!("{other:?}\n{}", hall.stage.screen()),
        }
    }
    let screen = hall.keys("@ '4000' Enter");
    assert!(hall.numbers().contains(&4_000), "{screen}");
    let screen = hall.keys("End Home");
    assert!(screen.contains("of 40 lines") && !screen.contains("rotated away"), "{screen}");
}

#[test]
fn the_next_key_ends_what_is_waited_for() {
    let mut hall = Hall::new();
    hall.stage.keys("Home");
    let screen = hall.stage.screen();
    assert!(screen.contains("looking in PACMAN.LOG"), "{screen}");
    hall.stage.keys("z");
    assert!(!hall.stage.screen().contains("looking in"));
    let stop = hall
        .stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Whole(ask) if ask.what == What::Stop));
    assert!(stop && hall.stage.app.looking.is_none());
    hall.settle();
    assert!(hall.stage.screen().contains("FOLLOW"), "what was asked before is not shown any more");
}

#[test]
fn of_several_files_one_is_shown_whole() {
    let mut hall = Hall::new();
    let mut other = shown(LINES);
    other.file = "OTHER.LOG".into();
    hall.stage.event(Event::Log(vec![other]));
    hall.keys("k k");
    let screen = hall.keys("o");
    assert!(screen.contains("LOG PACMAN.LOG WHOLE FILE"), "{screen}");
    assert!(hall.numbers().contains(&(LINES - 1)), "{screen}");
    // Of several files nothing is counted, so nothing is waited for.
    hall.stage.keys("o");
    let screen = hall.stage.screen();
    assert!(!screen.contains("WHOLE"), "{screen}");
}

#[test]
fn what_cannot_be_read_is_said_and_asked_for_again_by_the_next_key_only() {
    let mut hall = Hall::new();
    hall.keys("Home");
    let asks = |hall: &mut Hall| {
        let newer =
            |effect: Effect| matches!(effect, Effect::Whole(ask) if matches!(ask.what, What::Newer(_)));
        std::mem::take(&mut hall.stage.effects).into_iter().any(newer)
    };
    while !asks(&mut hall) {
        hall.stage.keys("PgDn");
    }
    let id = hall.stage.app.looking.as_ref().unwrap().id;
    let came = Came::Failed("the share is away".into());
    hall.stage.event(Event::Whole(News { id, file: "PACMAN.LOG".into(), came }));
    assert!(!asks(&mut hall), "a folder that is away is not asked without an end");
    let screen = hall.stage.screen();
    assert!(screen.contains("PACMAN.LOG: the share is away"), "{screen}");
    hall.stage.event(Event::Log(vec![shown(LINES)]));
    assert!(!asks(&mut hall));
    hall.stage.keys("PgDn");
    assert!(asks(&mut hall));
}

#[test]
fn the_end_of_a_line_of_megabytes_waits_for_the_index_and_is_no_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.LOG");
    let text = format!("{}[11/28/26 01:02:03] P ==> long {}\n", written(1), "x".repeat(12 << 20));
    std::fs::write(&path, &text).unwrap();
    let (to, from) = channel();
    let ask = whole::start(vec![path], Zone::utc(), &to).unwrap();
    let only = Only { level: Level::Verbose, filters: Vec::new(), text: None, polls: true };
    let what = What::Around(Spot::Place(u64::MAX));
    ask.send(Ask { id: 1, file: "A.LOG".into(), fresh: true, only, what }).unwrap();
    let rows = loop {
        match from.recv_timeout(Duration::from_secs(60)) {
            Ok(Incoming::Event(Event::Whole(News { came: Came::Window { rows, .. }, .. }))) => break rows,
            Ok(Incoming::Event(Event::Whole(News { came: Came::Failed(why), .. }))) => panic!("{why}"),
            Ok(_) => {}
            Err(e) => panic!("{e}"),
        }
    };
    let places: Vec<u64> = rows.iter().map(|row| row.place).collect();
    assert_eq!(places, [0, written(1).len() as u64]);
    assert!(rows[1].lines[0].text.as_str().starts_with("long x"));
}
