//! Every view and layer at every size, with text and styles: one file a screen, to be read when it changes. The text is
//! the same in every theme; lines that differ in ASCII follow; then each row's styles, a letter a style with the number of
//! cells, and what each letter is in the themes `default`, `light` and `mono`.

use super::site;
use super::stage::{Stage, text};
use crate::console::theme::{ColourLevel, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 36), (40, 15), (20, 5)];
const THEMES: [(&str, ColourLevel); 3] =
    [("default", ColourLevel::Ansi16), ("light", ColourLevel::Ansi16), ("mono", ColourLevel::None)];

fn style(cell: &Cell) -> String {
    let mut words = Vec::new();
    for (colour, name) in [(cell.fg, "on "), (cell.bg, "behind ")] {
        if colour != Color::Reset {
            words.push(format!("{}{colour}", if name == "on " { "" } else { name }));
        }
    }
    for (modifier, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if cell.modifier.contains(modifier) {
            words.push(name.to_owned());
        }
    }
    if words.is_empty() { "plain".to_owned() } else { words.join("+").to_lowercase() }
}

/// What a stage shows after these keys.
fn picture(mut stage: Stage, keys: &str) -> String {
    let (width, height) = stage.size();
    stage.keys(keys);
    stage.tick(1);
    let buffers: Vec<Buffer> =
        THEMES.iter().map(|(name, level)| stage.buffer(&Theme::load(name, None, *level).unwrap())).collect();
    let shown = text(&buffers[0]);
    for (buffer, (name, _)) in buffers.iter().zip(THEMES) {
        assert_eq!(text(buffer), shown, "the theme {name} changes the text");
    }
    let mut out = shown.clone();
    stage.ascii = true;
    let ascii = stage.buffer(&Theme::load("default", None, ColourLevel::Ansi16).unwrap());
    assert!(ascii.content().iter().all(|cell| cell.symbol().is_ascii()));
    out.push_str("== in ASCII, where it differs\n");
    for (n, (one, other)) in shown.lines().zip(text(&ascii).lines()).enumerate() {
        if one != other {
            writeln!(out, "{:>2} {other}", n + 1).unwrap();
        }
    }
    // Its points are finer than letters.
    let curve = curve(&shown, width, height);
    let styles = |x: u16, y: u16| buffers.iter().map(|b| style(&b[(x, y)])).collect::<Vec<_>>();
    let mut legend: Vec<Vec<String>> = Vec::new();
    out.push_str("== styles\n");
    for y in 0..height {
        let mut row: Vec<(usize, u16)> = Vec::new();
        for x in 0..width {
            let same = style(&ascii[(x, y)]) == styles(x, y)[0];
            assert!(same || curve.contains((x, y).into()), "ASCII changes the style at {x},{y}");
            let here = styles(x, y);
            let at = legend.iter().position(|known| *known == here).unwrap_or_else(|| {
                legend.push(here);
                legend.len() - 1
            });
            match row.last_mut() {
                Some((last, n)) if *last == at => *n += 1,
                _ => row.push((at, 1)),
            }
        }
        let letter = |at: usize| char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[at]);
        let row: String = row.iter().map(|(at, n)| format!("{}{n}", letter(*at))).collect();
        writeln!(out, "{row}").unwrap();
    }
    for (known, letter) in legend.iter().zip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".chars()) {
        writeln!(out, "{letter} {}", known.join(" | ")).unwrap();
    }
    out
}

/// Where a curve is drawn: from its title to the corner, or nowhere.
fn curve(shown: &str, width: u16, height: u16) -> Rect {
    let title = |line: &str| line.find("DONE BY WHEN").map(|at| line[..at].chars().count());
    let at = shown.lines().enumerate().find_map(|(y, line)| Some((title(line)?, y)));
    let Some((x, y)) = at.map(|(x, y)| (x as u16, y as u16)) else { return Rect::ZERO };
    Rect::new(x, y, width - x, height - y)
}

fn pictures(name: &str, sizes: &[(u16, u16)], stage: impl Fn(u16, u16) -> Stage, keys: &str) {
    for (width, height) in sizes.iter().copied() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("snapshots/matrix");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            let shown = picture(stage(width, height), keys);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), shown);
        });
    }
}

macro_rules! matrix {
    ($sizes:expr, $stage:expr; $($name:ident $keys:literal;)*) => {$(
        #[test]
        fn $name() {
            pictures(stringify!($name), $sizes, $stage, $keys);
        }
    )*};
}

matrix! {
    &SIZES, Stage::new;
    overview "j";
    packages "2 j";
    log "3 < m";
    who "4";
    history "6 Tab";
    diagnostics "8";
    details "j Enter";
    explain "j e";
    confirm_run "j r Space";
    confirm_several "Space Space Space Space r";
    results "j j Space Space d '2h Tab 'release Tab y";
    help "?";
    palette ": 'un";
    find "/ 'acme";
    week "t";
    problems "w";
    save "3 S";
    evidence "2 j : 'evidence Enter";
}

matrix! {
    &SIZES[..3], |width, height| site::stage(400, 11, width, height);
    rollout_jobs "";
    rollout_job "Enter j j";
    rollout_machines "Enter Enter j Space Space";
    rollout_machine "Enter Enter Enter";
    rollout_condition "Enter Enter / 'group_=_x Enter";
    rollout_suspend "P";
}
