//! What a line of the log costs on the way to the terminal, where the terminal moves the rows above it by itself.

use super::fake::at;
use super::stage::Stage;
use crate::console::app::{Event, LogLine};
use crate::console::term::Screen;
use crate::console::theme::{ColourLevel, Theme};
use crate::log::Level;
use crate::safe;
use chrono::TimeDelta;

fn log(from: usize, count: usize) -> Event {
    let line = |n: usize| {
        let time = Some(at("2026-11-22T12:00:00Z") + TimeDelta::milliseconds(n as i64 * 137));
        LogLine {
            file: "PACMAN.LOG".into(),
            time,
            near: time,
            level: if n % 11 == 3 { Level::Warning } else { Level::Info },
            component: "PCM".into(),
            thread: "".into(),
            source: "".into(),
            text: safe!("Executing command line {n}: setup.sh --silent --target /opt/{}", n * 7919 % 1000),
            continued: false,
        }
    };
    Event::Log((from..from + count).map(line).collect())
}

/// Keys, and what they do.
type Turn<'a> = (&'a str, &'a dyn Fn(&mut Stage));

/// What frames cost after each of some turns, with a terminal that moves rows and with one that is not told to.
fn costs(turns: &[Turn]) -> Vec<(String, usize, usize)> {
    let theme = Theme::load("default", None, ColourLevel::True).unwrap();
    let mut stage = Stage::new(80, 24);
    stage.keys("3");
    stage.event(log(0, 300));
    let mut screens = [true, false].map(|scrolls| Screen::new(80, 24, true).scrolling(scrolls));
    for screen in &mut screens {
        screen.show(stage.buffer(&theme), &mut std::io::sink()).unwrap();
    }
    let cost = |(name, turn): &(&str, &dyn Fn(&mut Stage))| {
        turn(&mut stage);
        let bytes = screens.each_mut().map(|screen| {
            let mut out = Vec::new();
            screen.show(stage.buffer(&theme), &mut out).unwrap();
            out.len()
        });
        ((*name).to_owned(), bytes[0], bytes[1])
    };
    turns.iter().map(cost).collect()
}

#[test]
fn a_line_that_comes_costs_what_is_new_in_it_and_so_does_a_key() {
    let key = |key: &'static str| {
        move |stage: &mut Stage| {
            stage.keys(key);
        }
    };
    let (k, j, end, up, down) = (key("k"), key("j"), key("G"), key("PgUp"), key("PgDn"));
    let line = |n: usize| move |stage: &mut Stage| stage.event(log(n, 1));
    let (one, two) = (line(300), line(301));
    let three = |stage: &mut Stage| stage.event(log(302, 3));
    let costs = costs(&[
        ("a line", &one),
        ("a line", &two),
        ("3 lines", &three),
        ("k", &k),
        ("k", &k),
        ("k", &k),
        ("j", &j),
        ("page up", &up),
        ("page up", &up),
        ("k", &k),
        ("k", &k),
        ("page down", &down),
        ("G", &end),
    ]);
    println!("{costs:#?}");
    for (name, moved, drawn) in costs {
        assert!(moved <= drawn, "{name}");
        let limit = match &*name {
            "a line" => 400,
            "3 lines" | "k" | "j" => 600,
            _ => usize::MAX,
        };
        assert!(moved <= limit, "{name}: {moved} bytes, {drawn} without moving");
    }
}
