//! Rules of the log pane: order over several files, what stays where it is, and what the counts say.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::clock::Zone;
use crate::console::app::terms;
use crate::console::app::whole::Row;
use crate::console::keymap::commands::Id;
use crate::console::keymap::{Key, Keymap};
use crate::log::batch::Batch;
use crate::log::parse::Parser;
use crate::log::zoned;
use chrono::TimeDelta;
use proptest::prelude::*;

fn at(seconds: i64) -> Wall {
    "2026-11-22T13:00:00Z".parse::<Wall>().unwrap() + TimeDelta::seconds(seconds)
}

fn line(file: &str, seconds: i64, text: &str) -> LogLine {
    let time = Some(at(seconds));
    LogLine {
        file: file.into(),
        time,
        near: time,
        level: Level::Info,
        component: "PCM".into(),
        thread: "1".into(),
        source: SafeText::default(),
        text: text.into(),
        continued: false,
    }
}

/// What came of a command, in words.
fn does(pane: &mut LogPane, id: Id) -> Option<SafeText> {
    pane.command(id, &Keymap::default())
}

fn texts(pane: &mut LogPane, height: usize) -> Vec<String> {
    pane.drawn(Window { height, ..Window::default() });
    pane.window(height).map(|(_, line)| line.text.to_string()).collect()
}

#[test]
fn lines_of_several_files_stand_in_the_order_of_time_whenever_they_come() {
    let mut pane = LogPane::default();
    pane.push(vec![line("A", 10, "a10"), line("A", 30, "a30")]);
    pane.push(vec![line("B", 5, "b5"), line("B", 20, "b20"), line("B", 30, "b30")]);
    assert_eq!(texts(&mut pane, 9), ["b5", "a10", "b20", "a30", "b30"]);
}

#[test]
fn a_line_without_a_time_stays_below_the_one_above_it_in_its_file() {
    let mut pane = LogPane::default();
    let mut loose = line("A", 0, "loose");
    (loose.time, loose.near) = (None, None);
    pane.push(vec![line("A", 10, "a10"), loose, line("B", 5, "b5"), line("B", 15, "b15")]);
    assert_eq!(texts(&mut pane, 9), ["b5", "a10", "loose", "b15"]);
}

#[test]
fn older_lines_come_when_one_goes_up_and_move_nothing() {
    let mut pane = LogPane::default();
    pane.push((1000..1100).map(|n| line("A", n, &format!("a{n}"))));
    pane.push(vec![line("B", 500, "b500")]);
    let _ = texts(&mut pane, 10);
    assert!(!pane.wants_older(), "nobody said that there are any");
    assert_eq!(pane.push_older(Vec::<LogLine>::new(), Some(true)), None);
    assert!(!pane.wants_older(), "not while the newest are shown");
    does(&mut pane, Id::Top);
    let shown = texts(&mut pane, 10);
    assert_eq!(shown[0], "b500");
    assert!(pane.wants_older());
    pane.push_older((900..1000).map(|n| line("A", n, &format!("a{n}"))).collect::<Vec<_>>(), Some(true));
    assert_eq!(texts(&mut pane, 10).last(), shown.last(), "what one reads stays where it is");
    assert_eq!(pane.unseen, 0);
    does(&mut pane, Id::Top);
    assert_eq!(texts(&mut pane, 10)[..3], ["b500", "a900", "a901"]);
    // Its clock was set back in between: the order of the file counts.
    pane.push_older(vec![line("A", 700, "a700"), line("A", 950, "later"), line("A", 800, "a800")], None);
    does(&mut pane, Id::Top);
    assert_eq!(texts(&mut pane, 10)[..5], ["b500", "a700", "later", "a800", "a900"]);
    assert!(!pane.wants_older() && pane.more().is_none());
    assert_eq!(pane.counts().0, 204);
}

#[test]
fn a_search_goes_on_in_older_lines_until_a_key_ends_it() {
    let mut pane = LogPane::default();
    pane.push((1000..1010).map(|n| line("A", n, "new")));
    pane.push_older(Vec::<LogLine>::new(), Some(true));
    let _ = texts(&mut pane, 5);
    let search = |pane: &mut LogPane| {
        does(pane, Id::Search);
        pane.paste("needle");
        pane.key(Key::Enter, &Keymap::default())
    };
    let said = search(&mut pane).unwrap();
    assert_eq!(said.as_str(), "nothing matches needle in the newest 10 lines; looking in older ones");
    assert!(pane.is_seeking() && pane.wants_older());
    assert_eq!(pane.push_older(vec![line("A", 900, "old")], Some(true)), None);
    assert!(pane.is_seeking());
    let said = pane.push_older(vec![line("A", 800, "a needle")], Some(true)).unwrap();
    assert_eq!(said.as_str(), "found in older lines");
    assert!(!pane.is_seeking() && pane.hit.is_some());
    assert!(does(&mut pane, Id::PrevMatch).unwrap().as_str().ends_with("looking in older ones"));
    assert!(pane.is_seeking());
    does(&mut pane, Id::Down);
    assert!(!pane.is_seeking());
    does(&mut pane, Id::PrevMatch);
    does(&mut pane, Id::PrevMatch);
    let said = pane.push_older(Vec::<LogLine>::new(), None).unwrap();
    assert_eq!(said.as_str(), "no match above, in all of the log");
}

#[test]
fn a_search_says_that_lines_are_in_the_file_only_and_does_not_wait_for_them() {
    // Some were let go; all was here until then; what is older is not read from here.
    for (more, lines) in [(Some(true), MAX_LINES + 1), (None, MAX_LINES + 1), (Some(false), 10)] {
        let mut pane = LogPane::default();
        pane.push_older(Vec::<LogLine>::new(), more);
        pane.push((0..lines as i64).map(|n| line("A", n, if n == 9 { "one needle" } else { "new" })));
        let n = lines.min(MAX_LINES);
        let said = |said: Option<SafeText>, pane: &LogPane| {
            assert!(!pane.is_seeking() && !pane.wants_older());
            said.unwrap().to_string()
        };
        let _ = texts(&mut pane, 5);
        does(&mut pane, Id::Search);
        pane.paste("nowhere");
        let enter = pane.key(Key::Enter, &Keymap::default());
        assert_eq!(
            said(enter, &pane),
            format!("nothing matches nowhere in the newest {n} lines; older ones are in the file")
        );
        for id in [Id::NextMatch, Id::PrevMatch] {
            let next = does(&mut pane, id);
            assert_eq!(
                said(next, &pane),
                format!("no match in the newest {n} lines; older ones are in the file")
            );
        }
        does(&mut pane, Id::Search);
        pane.paste("needle");
        pane.key(Key::Enter, &Keymap::default());
        for id in [Id::NextMatch, Id::PrevMatch] {
            let next = does(&mut pane, id);
            assert!(said(next, &pane).ends_with("older lines are in the file"));
        }
        let went = pane.go_to(at(-50));
        assert_eq!(
            said(went, &pane),
            "the run began before the oldest line here; older lines are in the file"
        );
        assert!(pane.hit.is_some());
    }
}

#[test]
fn a_mark_is_found_again_and_goes_with_its_line() {
    let mut pane = LogPane::default();
    pane.push((0..100).map(|n| line("A", n, &format!("a{n}"))));
    let _ = texts(&mut pane, 10);
    does(&mut pane, Id::Up);
    does(&mut pane, Id::LogMark);
    pane.push(vec![line("B", 0, "older, of another file")]);
    does(&mut pane, Id::Bottom);
    does(&mut pane, Id::PrevMark);
    assert_eq!(pane.line(pane.hit.unwrap()).unwrap().text.as_str(), "a98");
    assert_eq!(pane.chosen().len(), 1);
    assert!(does(&mut pane, Id::PrevMark).unwrap().as_str().contains("no marked line above"));
    does(&mut pane, Id::LogMark);
    assert_eq!(pane.marked(), 0);
}

#[test]
fn the_time_since_the_line_above_and_between_marks_is_told() {
    let mut pane = LogPane::default();
    let mut loose = line("A", 0, "loose");
    (loose.time, loose.near) = (None, Some(at(10)));
    let more = LogLine { continued: true, ..line("A", 70, "more") };
    pane.push(vec![line("A", 10, "a"), loose, line("A", 70, "b"), more, line("A", 69, "c")]);
    let _ = texts(&mut pane, 9);
    let since: Vec<_> =
        pane.window(9).map(|(key, _)| pane.since_above(key).map(|since| since.num_seconds())).collect();
    assert_eq!(since, [None, None, Some(60), None, Some(-1)]);
    assert_eq!(pane.marks_said(), None);
    does(&mut pane, Id::LogMark);
    assert_eq!(pane.marks_said().unwrap().as_str(), "1 marked");
    (0..4).for_each(|_| drop(does(&mut pane, Id::Up)));
    does(&mut pane, Id::LogMark);
    assert_eq!(pane.marks_said().unwrap().as_str(), "2 marked, 59s apart");
    does(&mut pane, Id::NextMark);
    assert_eq!(pane.marks_said().unwrap().as_str(), "mark 2 of 2, 59s after the one above");
    // The record at which one is, from whichever of its lines.
    does(&mut pane, Id::Up);
    let (_, record) = pane.record_here().unwrap();
    assert_eq!(record.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["b", "more"]);
}

#[test]
fn a_component_and_a_level_are_filters_together() {
    let mut pane = LogPane::default();
    let mut other = line("A", 2, "other");
    other.component = "SHARE".into();
    other.level = Level::Warning;
    pane.push(vec![line("A", 1, "one"), other]);
    does(&mut pane, Id::Component);
    assert_eq!(texts(&mut pane, 9), ["one"]);
    does(&mut pane, Id::Component);
    assert_eq!(texts(&mut pane, 9), ["other"]);
    does(&mut pane, Id::Component);
    assert_eq!(texts(&mut pane, 9), ["one", "other"]);
    does(&mut pane, Id::Level);
    does(&mut pane, Id::Level);
    assert_eq!(texts(&mut pane, 9), ["other"]);
}

#[test]
fn the_overview_leaves_out_what_only_says_that_a_poll_was_made_until_it_is_asked_for() {
    let mut pane = LogPane::overview();
    let mut bad = line("A", 5, "sleeping badly");
    bad.level = Level::Warning;
    pane.push(vec![
        line("A", 0, "Looking for instruction file: /mnt/x"),
        line("A", 1, "Packages before filter: 7"),
        line("A", 2, "New packages found."),
        line("A", 3, "No new packages found."),
        line("A", 4, "sleeping 60 minutes"),
        bad,
    ]);
    assert_eq!(texts(&mut pane, 9), ["New packages found.", "sleeping badly"]);
    does(&mut pane, Id::Polls);
    assert_eq!(texts(&mut pane, 9).len(), 6);
}

#[test]
fn the_start_of_a_run_stands_at_a_third_of_a_pane_that_was_never_drawn_before() {
    let mut pane = LogPane::default();
    pane.push((0..200).map(|n| line("A", n * 10, &format!("a{n}"))));
    assert_eq!(pane.go_to(at(1000)), None);
    for _ in 0..2 {
        let shown = texts(&mut pane, 12);
        assert_eq!(shown.iter().position(|text| text == "a100"), Some(4), "{shown:?}");
    }
    // What comes moves nothing, and a key moves on from there.
    pane.push(vec![line("A", 5000, "new")]);
    assert_eq!(texts(&mut pane, 12)[4], "a100");
    does(&mut pane, Id::Down);
    assert_eq!(pane.line(pane.hit.unwrap()).unwrap().text.as_str(), "a101");
}

#[test]
fn from_a_run_to_the_line_at_its_start() {
    let mut pane = LogPane::default();
    pane.push((0..50).map(|n| line("A", n * 10, &format!("a{n}"))));
    let _ = texts(&mut pane, 9);
    assert_eq!(pane.go_to(at(205) + TimeDelta::milliseconds(700)), None);
    assert_eq!(pane.line(pane.hit.unwrap()).unwrap().text.as_str(), "a21");
    assert!(texts(&mut pane, 9).contains(&"a21".to_owned()));
    assert!(pane.go_to(at(-50)).unwrap().as_str().contains("older lines are in the file"));
    assert!(pane.go_to(at(9999)).unwrap().as_str().contains("since"));
}

#[test]
fn errors_and_warnings_are_counted_by_time() {
    let mut pane = LogPane::default();
    let mut bad = line("A", 99, "bad");
    bad.level = Level::Error;
    pane.push(vec![line("A", 0, "a"), line("A", 50, "b"), bad]);
    let buckets = pane.histogram(10);
    assert_eq!(buckets.iter().map(|b| b.errors).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(buckets.iter().map(|b| b.total).sum::<u32>(), 3);
}

#[test]
fn the_oldest_lines_go_first_and_the_counts_with_them() {
    let mut pane = LogPane::default();
    let mut bad = line("OLD", -1, "bad");
    bad.level = Level::Error;
    pane.push(vec![bad]);
    pane.push((0..MAX_LINES as i64).map(|n| line("A", n, "x")));
    assert_eq!((pane.counts().0, pane.dropped(), pane.faults().0), (MAX_LINES, 1, 0));
    assert_eq!(pane.files().count(), 1);
    pane.push(vec![line("LATE", -9, "older than everything")]);
    assert_eq!((pane.counts().0, pane.dropped()), (MAX_LINES, 2));
}

#[test]
fn long_lines_are_kept_up_to_a_size() {
    let long = "x".repeat(64 << 10);
    let mut pane = LogPane::default();
    pane.push((0..10).map(|n| line("A", n, "new")));
    pane.push_older((0..511).map(|n| line("A", n - 600, &long)).collect::<Vec<_>>(), Some(true));
    assert_eq!(pane.more(), Some(true));
    pane.push_older(vec![line("A", -700, &long)], Some(true));
    assert_eq!((pane.more(), pane.counts().0), (Some(false), 522), "what is older stays in the file");
    pane.push((10..700).map(|n| line("A", n, &long)));
    assert_eq!((pane.counts().0, pane.dropped()), (512, 700));
    pane.push(vec![line("A", 800, "end")]);
    assert_eq!((pane.counts().0, pane.dropped()), (512, 701));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_read_while_paused_stays_where_it_is(
        first in prop::collection::vec(0i64..1000, 20..60),
        later in prop::collection::vec((1000i64..2000, 0usize..3), 0..60),
        up in 1usize..15,
    ) {
        let mut first = first;
        first.sort_unstable();
        let mut pane = LogPane::default();
        pane.push(first.iter().enumerate().map(|(n, s)| line("A", *s, &format!("{n}"))));
        let _ = texts(&mut pane, 10);
        for _ in 0..up {
            does(&mut pane, Id::Up);
        }
        let before = texts(&mut pane, 10);
        for (seconds, file) in &later {
            pane.push(vec![line(["A", "B", "C"][*file], *seconds, "new")]);
        }
        prop_assert_eq!(texts(&mut pane, 10), before);
        prop_assert_eq!(pane.unseen, later.len());
        let keys: Vec<_> = pane.lines.iter().map(|(key, _)| *key).collect();
        prop_assert!(keys.is_sorted());
    }
}

#[test]
fn a_whole_file_of_long_lines_is_not_asked_for_in_circles() {
    let lines = 2_000_u64;
    let long = "x".repeat(60_000);
    let row = |n: u64| Row { place: n * 60_001, line: n + 1, lines: vec![line("A", 0, &long)] };
    let place = |n: u64| if n < lines { row(n).place } else { lines * 60_001 };
    let mut pane = LogPane::view().of_file(&"A".into());
    pane.drawn(Window { height: 60, ..Window::default() });
    pane.take_window((1_000..1_020).map(row).collect(), (place(1_000), place(1_020)), (false, false), None);
    for id in [Id::PageDown, Id::PageUp, Id::PageUp, Id::PageDown, Id::PageDown] {
        does(&mut pane, id);
        let mut asked = 0;
        while let Some(what) = pane.lacks() {
            asked += 1;
            assert!(asked < 40, "{what:?} is wanted again and again");
            match what {
                What::Older(before) => {
                    let to = before / 60_001;
                    let from = to.saturating_sub(20);
                    pane.take_older((from..to).map(row).collect(), place(from), from == 0);
                }
                What::Newer(from) => {
                    let from = from / 60_001;
                    let to = (from + 20).min(lines);
                    pane.take_newer((from..to).map(row).collect(), place(to), to == lines);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(pane.counts().0 < 300, "of a large file no more than a few screens are here");
    }
}

proptest! {
    /// Where the next error is is looked up; here all shown lines are walked instead.
    #[test]
    fn the_next_error_is_the_next_one_that_is_shown(
        levels in prop::collection::vec((0..4_u8, 0..3_u8), 1..60),
        only in any::<bool>(),
        room in 5..80_usize,
        steps in prop::collection::vec(0..7_u8, 1..20),
    ) {
        let mut pane = LogPane { room, ..LogPane::default() };
        pane.drawn(Window { height: 5, ..Window::default() });
        for (n, (level, component)) in levels.iter().enumerate() {
            let level = [Level::Info, Level::Info, Level::Warning, Level::Error][usize::from(*level)];
            let component = ["PCM", "SERVICE", "RUN"][usize::from(*component)].into();
            let seconds = i64::try_from(n * 7 % 23).unwrap();
            pane.push(vec![LogLine { level, component, ..line(["A", "B"][n % 2], seconds, "text") }]);
        }
        if only {
            does(&mut pane, Id::Component);
        }
        for step in steps {
            let ids = [Id::Up, Id::PageUp, Id::Top, Id::PageDown, Id::NextError, Id::PrevError, Id::LogMark];
            does(&mut pane, ids[usize::from(step)]);
            let shown: Vec<LineKey> = pane.shown.iter().copied().collect();
            let faults = |keys: &[LineKey]| -> Vec<LineKey> {
                keys.iter().filter(|key| pane.line(**key).is_some_and(is_fault)).copied().collect()
            };
            let bottom = shown.get(pane.end(5).wrapping_sub(1)).copied();
            let above: Vec<LineKey> =
                shown.iter().filter(|key| pane.hit.map_or(Some(**key) <= bottom, |hit| **key < hit)).copied().collect();
            let below: Vec<LineKey> = shown.iter().filter(|key| Some(**key) > pane.hit.or(bottom)).copied().collect();
            let at = |found: Option<usize>| found.map(|at| shown[at]);
            prop_assert_eq!(at(pane.next_fault(true)), faults(&below).first().copied());
            prop_assert_eq!(at(pane.next_fault(false)), faults(&above).last().copied());
            prop_assert_eq!(pane.faulty.len(), pane.errors + pane.warnings);
        }
    }
}

#[test]
fn filters_of_one_kind_are_alternatives_kinds_hold_together_and_a_record_passes_whole() {
    let mut pane = LogPane::default();
    let by = |component: &str, thread: &str, seconds: i64, text: &str| LogLine {
        component: component.into(),
        thread: thread.into(),
        ..line("A", seconds, text)
    };
    let more = |text: &str| LogLine { continued: true, ..by("X", "7", 3, text) };
    let lines = vec![
        by("X", "7", 1, "one BP0000Y"),
        by("Y", "8", 2, "two"),
        by("X", "7", 3, "three"),
        more("  at frame"),
        more("  cause"),
        by("Z", "7", 4, "four"),
    ];
    pane.push(lines.clone());
    let add = |pane: &mut LogPane, typed: &str| pane.add_condition(terms::read(typed).unwrap()).unwrap();
    add(&mut pane, "cause");
    assert_eq!(texts(&mut pane, 9), ["three", "  at frame", "  cause"], "all of a record, or nothing of it");
    add(&mut pane, "two");
    assert_eq!(texts(&mut pane, 9).len(), 4);
    add(&mut pane, "thread:7");
    assert_eq!(texts(&mut pane, 9), ["three", "  at frame", "  cause"]);
    // What comes is looked at as what is here.
    pane.push(lines.iter().cloned());
    assert_eq!(pane.counts().1, 6);
    pane.push_older(lines, None);
    assert_eq!(pane.counts().1, 9);
    add(&mut pane, "!frame");
    assert_eq!(pane.counts().1, 0);
    assert_eq!(
        pane.conditions().iter().map(SafeText::as_str).collect::<Vec<_>>(),
        ["text:cause", "text:two", "thread:7", "!text:frame"]
    );
    pane.take_condition(3);
    assert_eq!(pane.counts().1, 9);
    pane.take_condition(1);
    pane.take_condition(0);
    assert_eq!(pane.conditions(), [SafeText::from("thread:7")]);
    assert_eq!(pane.counts().1, 15, "all but what thread 8 wrote");
    add(&mut pane, "request:BP0000Y");
    add(&mut pane, "level:info");
    assert_eq!(texts(&mut pane, 9).len(), 3);
    assert_eq!(pane.conditions()[0].as_str(), "level:info");
    assert!(pane.back(), "the newest filter goes");
    assert_eq!(pane.counts().1, 15);
    assert_eq!(pane.offers(), [SafeText::from("component:Z"), SafeText::from("thread:7")]);
}

/// Records of one file, each with its second and what kind it is.
fn batch(parser: &mut Parser, records: &[(u32, u8)]) -> Arc<Batch> {
    let text = |(second, kind): &(u32, u8)| {
        let (text, more) = match kind {
            0 => ("it failed", ""),
            1 => ("a warning", "and more\n"),
            2 => ("Looking for instruction file: x", ""),
            _ => ("a line", ""),
        };
        let (hour, minute) = (second / 3_600 % 24, second / 60 % 60);
        format!("[11/22/26 {hour:02}:{minute:02}:{:02}] P ==> {text} {second}\n{more}", second % 60)
    };
    Arc::new(parser.push_raw(records.iter().map(text).collect::<String>().as_bytes()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_rushes_by_is_drawn_and_counted_as_if_each_line_had_come(
        // A clock is set back by hours, too.
        steps in prop::collection::vec(
            (0_usize..700, (0_u32..3_600, 0_u32..3), prop::bool::weighted(0.2), 0_u8..8),
            1..12,
        ),
        polls in prop::bool::ANY,
        room in 50_usize..2_000,
        height in 1_usize..30,
    ) {
        let [mut eager, mut pane] = [(); 2].map(|()| LogPane { room, polls, height, ..LogPane::default() });
        let mut parsers = ["A", "B"].map(|file| Parser::new(file.into(), zoned(Zone::utc())));
        for (count, (from, hours), other, then) in steps {
            let from = from + hours * 5 * 3_600;
            let kinds: Vec<(u32, u8)> = (0..count as u32).map(|n| (from + n / 50, (n * 7919 % 23) as u8)).collect();
            let came = batch(&mut parsers[usize::from(other)], &kinds);
            eager.push(came.records().into_iter().flat_map(LogLine::of));
            pane.rush(&[came], &mut None, true);
            prop_assert_eq!(texts(&mut pane, height), texts(&mut eager, height));
            prop_assert_eq!(pane.file(), eager.file());
            // Of what was let go nobody says how many lines there were.
            if eager.dropped() == 0 {
                prop_assert_eq!(pane.faults(), eager.faults());
                let (here, there) = (pane.counts(), eager.counts());
                prop_assert!(here.0 <= there.0 && here.1 <= there.1, "{here:?} {there:?}");
            }
            match then {
                0 => pane.settle(),
                1 => {
                    pane.settle();
                    [&mut eager, &mut pane].into_iter().for_each(|pane| drop(does(pane, Id::Up)));
                }
                2 => [&mut eager, &mut pane].into_iter().for_each(LogPane::resume),
                _ => {}
            }
        }
        pane.settle();
        prop_assert_eq!(pane.counts(), eager.counts());
        prop_assert_eq!(pane.faults(), eager.faults());
        prop_assert_eq!(pane.dropped() > 0, eager.dropped() > 0);
        prop_assert_eq!(texts(&mut pane, room), texts(&mut eager, room));
        prop_assert!(pane.files().eq(eager.files()));
        prop_assert_eq!(pane.unseen, eager.unseen);
    }
}

#[test]
fn of_a_rush_only_what_is_drawn_becomes_lines() {
    let mut parser = Parser::new("A".into(), zoned(Zone::utc()));
    let mut pane = LogPane::default();
    pane.drawn(Window { height: 20, ..Window::default() });
    for n in 0..100 {
        pane.rush(&[batch(&mut parser, &[(n, 9); 1_000])], &mut None, true);
    }
    assert!(pane.lines.is_empty());
    assert_eq!((pane.counts().0, pane.window(20).count()), (MAX_LINES, 20));
    pane.settle();
    assert_eq!((pane.counts().0, pane.lines.len()), (MAX_LINES, MAX_LINES));
    assert_eq!(pane.dropped(), 80_000 - 1, "the parser holds the last one back");
}

#[test]
fn a_line_that_may_go_on_is_shown_below_all_others_until_it_comes() {
    let mut pane = LogPane::default();
    pane.push(vec![line("A", 1, "a1"), line("A", 2, "a2")]);
    let stands = |texts: &[&str]| texts.iter().map(|text| Arc::new(line("A", 3, text))).collect::<Vec<_>>();
    pane.stand(&stands(&["a3"]));
    assert_eq!(texts(&mut pane, 2), ["a2", "a3"]);
    assert_eq!(pane.counts(), (2, 2));
    does(&mut pane, Id::Up);
    assert_eq!(texts(&mut pane, 2), ["a1", "a2"], "whoever reads further up is not disturbed");
    pane.resume();
    pane.push(vec![line("A", 3, "a3")]);
    pane.stand(&stands(&["a4", "a5", "a6"]));
    assert_eq!(texts(&mut pane, 2), ["a5", "a6"]);
    assert_eq!(texts(&mut pane, 4), ["a3", "a4", "a5", "a6"]);
    pane.stand(&[]);
    assert_eq!(texts(&mut pane, 4), ["a1", "a2", "a3"]);
}
