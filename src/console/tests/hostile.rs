//! P13: whatever text comes from share, package, log, user table or operator, in every field of every view only allowed
//! characters are drawn, only allowed escapes are written, and no row is forged.

use super::fake::Fake;
use super::stage::{Stage, log_lines, text};
use crate::console::app::Event;
use crate::console::term::Screen;
use crate::console::theme::Theme;
use crate::text::SafeText;
use crate::text::tests::hostile::CASES;
use ratatui::buffer::Cell;
use regex::Regex;

/// Keys to each view and layer.
const SCREENS: &[&str] = &[
    "",
    "Tab Tab",
    "j Enter",
    "Enter Tab",
    "j e",
    "j r",
    "j d",
    "x",
    "h",
    "Space Space r",
    "2",
    "3",
    "3 z t",
    "4",
    "6",
    "6 Tab",
    "8",
    "w",
    "?",
    ":",
    "p",
    "/ 'a",
    "3 / 'a Enter",
    "y",
    "3 S",
];

/// From anywhere to the first view with nothing open, marked, filtered or searched.
const HOME: &str = "Esc Esc Esc 1 Esc Esc g";

fn stage(payload: &str, width: u16, height: u16) -> Stage {
    let mut stage = Stage::with(width, height, Fake::new(), false);
    stage.fake.list.lock().unwrap().problems = vec![crate::terms::Problem {
        line: Some(7),
        field: Some("request[1]".into()),
        ..crate::terms::Problem::of_file("malformed", "x.INS", "wrong")
    }];
    stage.poison = Some(payload.to_owned());
    stage.app.options.title = Some(payload.into());
    let mut lines = log_lines();
    for line in &mut lines {
        line.text = payload.into();
        line.component = payload.into();
        line.file = payload.into();
    }
    stage.event(Event::Log(lines));
    stage.tick(2);
    stage
}

/// Which rows hold something, and, where they are rows of requests, of which.
fn rows(screen: &str) -> Vec<String> {
    let id = Regex::new(r"^[>*!x+ ][# ](BP\w{5}|-      )").unwrap();
    let kind = |line: &str| match id.captures(line) {
        Some(found) => found[1].to_owned(),
        None => if line.trim().is_empty() { "blank" } else { "text" }.to_owned(),
    };
    screen.lines().map(kind).collect()
}

#[test]
fn no_hostile_text_draws_anything_but_itself_made_safe_or_forges_a_row() {
    let allowed = Regex::new("\x1b\\[[0-9;]*[mHCK]|\x1b\\[\\?2026[hl]").unwrap();
    let theme = Theme::fallback();
    assert!(CASES.len() >= 60);
    // Wide ones have panes of their own, but the same words in them: a few payloads are enough there.
    for (width, height, every) in [(80, 24, 1), (132, 40, 12)] {
        // What the rows are when the texts are harmless: of every width that the payloads have nothing depends on it.
        let mut tame = stage("harmless", width, height);
        let harmless: Vec<Vec<String>> = SCREENS
            .iter()
            .map(|keys| {
                tame.keys(HOME).keys(keys);
                rows(&tame.screen())
            })
            .collect();
        for (n, (payload, _)) in CASES.iter().enumerate().step_by(every) {
            let payload = format!("{payload}\n> BP0FAKE forged\r\n! BP0FAKE\u{2028}x BP0FAKE\u{85}* BP0FAKE");
            let mut stage = stage(&payload, width, height);
            for (m, (keys, harmless)) in SCREENS.iter().zip(&harmless).enumerate() {
                // Lists see every payload, the rest each its share: they are made of the same words.
                if !matches!(*keys, "" | "j Enter" | "2" | "3" | "4" | "6") && n % 5 != m % 5 {
                    continue;
                }
                stage.keys(HOME).keys(keys);
                let buffer = stage.buffer(&theme);
                let ordinary = |cell: &&Cell| matches!(cell.symbol().as_bytes(), [b' '..=b'~']);
                for cell in buffer.content().iter().filter(|cell| !ordinary(cell)) {
                    let safe = SafeText::new(cell.symbol());
                    assert_eq!(safe.as_str(), cell.symbol(), "{payload:?} after {keys:?}");
                }
                let shown = text(&buffer);
                // Dialogs break long lines; lists and logs have one row a record, whatever it says.
                let (mut now, mut then) = (rows(&shown), harmless.clone());
                match *keys {
                    "3" | "4" => {}
                    "" | "Tab Tab" | "2" => {
                        now.retain(|row| row != "text" && row != "blank");
                        then.retain(|row| row != "text" && row != "blank");
                    }
                    _ => (now, then) = (Vec::new(), Vec::new()),
                }
                assert_eq!(now, then, "{payload:?} after {keys:?}\n{shown}");
                assert!(!rows(&shown).iter().any(|row| row == "BP0FAKE"), "{payload:?}\n{shown}");
                let mut bytes = Vec::new();
                Screen::new(width, height, true).show(buffer, &mut bytes).unwrap();
                let bytes = String::from_utf8(bytes).unwrap();
                let rest = allowed.replace_all(&bytes, "");
                assert!(!rest.contains(char::is_control), "{payload:?} after {keys:?}: {rest:?}");
            }
        }
    }
}

#[test]
fn what_is_copied_saved_or_shown_plain_is_safe_too() {
    for (payload, _) in CASES {
        for keys in ["", "j Enter", "j e", "3", "4", "6", "w", "j Enter Tab"] {
            let mut stage = stage(payload, 80, 24);
            stage.keys(keys);
            let _ = stage.screen();
            for line in stage.app.copied().iter().chain(&stage.app.saved()) {
                assert!(!line.as_str().contains(char::is_control), "{payload:?} after {keys:?}: {line}");
            }
        }
    }
}
