//! Whatever two frames are: the terminal shows the second as if all of it had been drawn, with its rows moved or not.

#![allow(clippy::unwrap_used)]

use super::super::encode::encode;
use super::{Scroll, rows};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// What is to be moved between two frames.
fn find(before: &Buffer, after: &Buffer) -> Option<Scroll> {
    let (before, after) = (rows(before), rows(after));
    let changed: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    super::find(&before, &after, &changed)
}

const WIDE: u16 = 24;
const HIGH: u16 = 12;

const TEXTS: [&str; 8] = [
    "",
    "a",
    "one line of a log",
    "漢字 and 漢字 to the edge",
    "漢漢漢漢漢漢漢漢漢漢漢漢",
    "      é in the middle",
    "up to the very last cell",
    "x x x x x x x x x x x x",
];

fn style(n: u8) -> Style {
    match n {
        0 => Style::new(),
        1 => Style::new().add_modifier(Modifier::BOLD),
        2 => Style::new().fg(Color::Indexed(1)).bg(Color::Indexed(238)),
        3 => Style::new().add_modifier(Modifier::REVERSED),
        _ => Style::new().bg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::UNDERLINED),
    }
}

/// One row: which text, a number in it, its style, whether that goes to the edge.
type Row = (usize, u16, u8, bool);

fn row() -> impl Strategy<Value = Row> {
    (0..TEXTS.len(), 0_u16..40, prop_oneof![4 => Just(0_u8), 1 => 1_u8..5], any::<bool>())
}

/// What happens to the rows of one frame.
#[derive(Debug, Clone)]
enum Turn {
    Up(usize, usize, Vec<Row>),
    Down(usize, usize, Vec<Row>),
    One(usize, Row),
    All(Vec<Row>),
}

fn turn() -> impl Strategy<Value = Turn> {
    let high = usize::from(HIGH);
    let rows = |most: usize| prop::collection::vec(row(), 1..most);
    prop_oneof![
        4 => (0..high, 0..=high, rows(6)).prop_map(|(a, b, rows)| Turn::Up(a, b, rows)),
        3 => (0..high, 0..=high, rows(6)).prop_map(|(a, b, rows)| Turn::Down(a, b, rows)),
        2 => (0..high, row()).prop_map(|(at, row)| Turn::One(at, row)),
        1 => prop::collection::vec(row(), high).prop_map(Turn::All),
    ]
}

fn apply(rows: &mut Vec<Row>, turn: &Turn) {
    match turn {
        Turn::Up(a, b, fresh) | Turn::Down(a, b, fresh) => {
            let region = &mut rows[*a.min(b)..*a.max(b)];
            for row in if region.is_empty() { &[][..] } else { fresh } {
                if matches!(turn, Turn::Up(..)) {
                    region.rotate_left(1);
                    *region.last_mut().unwrap() = *row;
                } else {
                    region.rotate_right(1);
                    region[0] = *row;
                }
            }
        }
        Turn::One(at, row) => rows[*at] = *row,
        Turn::All(all) => rows.clone_from(all),
    }
}

fn frame(rows: &[Row]) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, WIDE, HIGH));
    for (y, (text, number, kind, edge)) in (0..).zip(rows) {
        if *edge {
            buffer.set_style(Rect::new(0, y, WIDE, 1), style(*kind));
        }
        buffer.set_string(0, y, format!("{number}{}", TEXTS[*text]), style(*kind));
    }
    buffer
}

fn terminal() -> vt100::Parser {
    let mut terminal = vt100::Parser::new(HIGH.try_into().unwrap(), WIDE.try_into().unwrap(), 50);
    // As the console takes it: lines do not wrap.
    terminal.process(b"\x1b[?7l");
    terminal
}

/// Everything that can be seen of a screen. Of a blank cell that is its background.
fn seen(terminal: &vt100::Parser) -> Vec<String> {
    let screen = terminal.screen();
    let cell = |x: u16, y: u16| {
        let cell = screen.cell(y, x).unwrap();
        let ground = format!("{:?}{}{}", cell.bgcolor(), cell.inverse(), cell.underline());
        match cell.contents().trim() {
            "" => ground,
            text => format!("{text}{:?}{}{}{ground}", cell.fgcolor(), cell.bold(), cell.is_wide()),
        }
    };
    (0..HIGH).flat_map(|y| (0..WIDE).map(move |x| (x, y))).map(|(x, y)| cell(x, y)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_screen_is_what_drawing_all_of_it_would_show(
        first in prop::collection::vec(row(), usize::from(HIGH)),
        turns in prop::collection::vec(turn(), 1..12),
    ) {
        let mut rows = first;
        let mut terminal = terminal();
        let mut before = Buffer::empty(Rect::new(0, 0, WIDE, HIGH));
        for turn in std::iter::once(&Turn::All(rows.clone())).chain(&turns) {
            apply(&mut rows, turn);
            let after = frame(&rows);
            let (mut out, mut plain, mut whole) = (String::new(), String::new(), String::new());
            encode(&before, &after, true, &mut out);
            encode(&before, &after, false, &mut plain);
            prop_assert!(out.len() <= plain.len(), "{out:?} for {plain:?}");
            terminal.process(out.as_bytes());
            let mut other = self::terminal();
            encode(&Buffer::empty(after.area), &after, false, &mut whole);
            other.process(whole.as_bytes());
            prop_assert_eq!(seen(&terminal), seen(&other), "{:?}", out);
            before = after;
        }
        // All of the screen is one region again: its last row is one that scrolls.
        let last = terminal.screen().rows(0, WIDE).last().unwrap();
        terminal.process(format!("\x1b[{HIGH};1H\n").as_bytes());
        prop_assert_eq!(terminal.screen().rows(0, WIDE).nth(usize::from(HIGH) - 2).unwrap(), last);
    }
}

fn lines(texts: &[&str]) -> Buffer {
    Buffer::with_lines(texts.iter().map(|text| format!("{text:<20}")))
}

#[test]
fn a_line_at_the_end_moves_those_before_it_and_a_page_does_not() {
    let line = |n: usize| format!("{n:04} {:011}", n * 7_919 * 104_729);
    let log = |from: usize| {
        let mut rows = vec!["head".to_owned()];
        rows.extend((from..from + 8).map(line));
        rows.push(format!("foot of {from}"));
        lines(&rows.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(find(&log(0), &log(1)), Some(Scroll { top: 1, bottom: 8, up: true, by: 1 }));
    assert_eq!(find(&log(3), &log(0)), Some(Scroll { top: 1, bottom: 8, up: false, by: 3 }));
    assert_eq!(find(&log(0), &log(8)), None);
    assert_eq!(find(&log(0), &log(0)), None);
    let mut out = String::new();
    encode(&log(0), &log(1), true, &mut out);
    assert_eq!(out, format!("\x1b[2;9r\x1b[9;1H\n\x1b[r\x1b[9;1H{}\x1b[10;9H1", line(8)));
    out.clear();
    encode(&log(1), &log(0), true, &mut out);
    assert_eq!(out, format!("\x1b[2;9r\x1b[2;1H\x1bM\x1b[r\x1b[2;1H{}\x1b[10;9H0", line(0).trim_end()));
}

#[test]
fn the_first_row_is_in_no_region_so_that_nothing_leaves_the_screen_for_good() {
    let rows: Vec<String> = (0..9).map(|n| format!("{n} one line of many")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (before, after) = (lines(&rows[..8]), lines(&rows[1..]));
    assert_eq!(find(&before, &after).unwrap().top, 1);
    let mut terminal = vt100::Parser::new(8.try_into().unwrap(), 20.try_into().unwrap(), 50);
    for (from, to) in [(&Buffer::empty(before.area), &before), (&before, &after)] {
        let mut out = String::new();
        encode(from, to, true, &mut out);
        terminal.process(out.as_bytes());
    }
    terminal.screen_mut().set_scrollback(50);
    assert_eq!(terminal.screen().scrollback(), 0);
}
