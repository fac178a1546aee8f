//! What is found in lists and logs, with the keys that other programs have for it; the mouse on tabs and footer; the theme
//! for a light terminal.

use super::common::*;
use super::contract::still;
use super::pty::{Kind, Terminal};
use std::io::Write;

/// A console of 40 rows with 60 offered requests in its view 2.
fn list() -> (Site, Service, Terminal) {
    let (site, service) = still(60);
    let mut console = Terminal::start(&site.command(&[]), 80, 40);
    console.wait("BP10000");
    console.keys("2");
    console.wait("SELECTED");
    selects(&console, "BP10000");
    (site, service, console)
}

fn selects(console: &Terminal, wanted: &str) {
    let is_it = |row: &String| row.starts_with('>') && row.contains(wanted);
    console.wait_until(&format!("{wanted} selected"), |_| console.rows().iter().any(is_it));
}

#[test]
fn a_list_is_searched_while_words_are_typed_says_how_many_rows_fit_and_goes_round_with_n() {
    let (_site, _service, mut console) = list();
    // Each letter leaves fewer rows, before Enter.
    console.keys("/BP1001");
    console.wait("10 of 60");
    console.keys("7");
    console.wait(" 1 of 60");
    console.keys("\x7f");
    console.wait("10 of 60");
    console.keys("\r");
    selects(&console, "BP10010");
    console.keys("n");
    selects(&console, "BP10011");
    console.keys("NN");
    selects(&console, "BP10019");
    console.wait("wrapped");
    console.keys("n");
    selects(&console, "BP10010");
    // A filter that leaves nothing gives back what was selected.
    console.keys("n");
    selects(&console, "BP10011");
    console.keys("/\x15nothing of this\r");
    console.wait("no row has these words");
    console.keys("j\x1b");
    selects(&console, "BP10011");
}

#[test]
fn a_log_is_searched_while_the_pattern_is_typed_counts_its_matches_and_wraps_with_a_word() {
    let (site, _service) = still(3);
    let path = site.state().join("log/PACMAN.LOG");
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    let lines: String = (0..200).map(|n| format!("line {n:04} of a log\n")).collect();
    file.write_all(lines.as_bytes()).unwrap();
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.keys("3");
    console.wait("line 0199");
    console.keys("/line 00[0-9]");
    console.wait("of 100");
    console.keys("5");
    console.wait_until("fewer", |screen| screen.contains("of 10") && !screen.contains("of 100"));
    console.keys("\r");
    console.wait("line 0095");
    console.keys("n");
    console.wait("wrapped");
    console.wait("line 0005");
    console.keys("N");
    console.wait("wrapped: no match above, this is the newest");
    console.keys("\x1b");
    console.wait_until("the search is over", |screen| !screen.contains("/line 00"));
}

#[test]
fn f1_f5_and_ctrl_f_and_b_do_what_they_do_elsewhere() {
    let (_site, _service, mut console) = list();
    console.keys("\x1bOP");
    console.wait("KEYS of");
    console.keys("q");
    console.wait_until("help closed", |screen| !screen.contains("KEYS of"));
    console.keys("\x1b[15~");
    console.wait("asked for anew");
    console.keys("\x06");
    console.wait_until("a page further", |_| !console.rows().iter().any(|row| row.starts_with("> BP10000")));
    console.keys("\x02");
    selects(&console, "BP10000");
}

/// Where this stands on the screen, counted from 1.
fn at(console: &Terminal, wanted: &str) -> (usize, usize) {
    let rows = console.rows();
    let found = rows.iter().enumerate().rev().find_map(|(y, row)| Some((row.find(wanted)?, y)));
    let (byte, y) = found.unwrap_or_else(|| panic!("{wanted} is not on the screen:\n{}", console.screen()));
    (rows[y][..byte].chars().count() + 1, y + 1)
}

fn click(console: &mut Terminal, wanted: &str) {
    let (x, y) = at(console, wanted);
    console.keys(&format!("\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m"));
}

#[test]
fn tabs_and_footer_are_clicked_when_the_mouse_is_on() {
    let (_site, _service, mut console) = list();
    console.keys("G");
    selects(&console, "BP10059");
    console.keys("M");
    console.wait("the mouse clicks and scrolls here");
    click(&mut console, "Pending 60");
    selects(&console, "BP10000");
    click(&mut console, "? help");
    console.wait("KEYS of");
    console.keys("q");
    console.wait_until("help closed", |screen| !screen.contains("KEYS of"));
    click(&mut console, "e explain");
    console.wait("What an operator may do");
    console.keys("q");
    console.wait("SELECTED");
    click(&mut console, "q quit");
    assert_eq!(console.wait_exit(), 0);
}

#[test]
fn a_light_terminal_gets_the_light_theme_by_what_it_says_of_itself() {
    let (site, _service) = still(3);
    for (said, theme) in [("0;15", "theme light"), ("15;0", "theme default")] {
        let kind = Kind { env: vec![("COLORFGBG", said)], ..Kind::new(100, 30) };
        let mut console = Terminal::start_in(&site.command(&[]), &kind);
        console.wait("BP10000");
        console.keys("8");
        console.wait(theme);
        assert_eq!(console.quit('q'), 0);
    }
}
