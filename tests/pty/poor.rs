//! Poor terminals: no second screen, no UTF-8, no size, no terminal at all.

use super::common::*;
use super::contract::still;
use super::escapes::{Told, outside_frames, told};
use super::pty::{Kind, Terminal};

#[test]
fn the_kernels_console_and_old_terminals_get_only_what_they_know() {
    let (site, _service) = still(3);
    for term in ["linux", "vt100", "vt220"] {
        let mut console = Terminal::start_as(&site.command(&[]), 80, 24, term);
        console.wait("BP10000");
        console.keys("?");
        console.wait("KEYS of");
        console.keys("\x1b");
        console.wait("LOGGED ON");
        console.keys("q");
        assert_eq!(console.wait_exit(), 0, "{term}");
        console.wait_end();
        let bytes = console.bytes();
        assert!(bytes.is_ascii(), "{term}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            !text.contains("2026") && !text.contains("1049"),
            "{term}: frames are not marked, the screen is one"
        );
        assert!(text.ends_with("\x1b[2J\x1b[1;1H\x1b[?25h"), "{term}: it is cleared at the end");
        if term.starts_with("vt") {
            let is_colour =
                |t: &Told| matches!(t, Told::Control(codes, 'm') if codes.split(';').any(|n| n.len() > 1));
            assert!(!told(&text).iter().any(is_colour), "{term} has no colours");
        }
    }
}

#[test]
fn a_line_that_says_no_size_gets_the_design_size_or_what_the_environment_says() {
    let (site, _service) = still(3);
    let console = Terminal::start_in(&site.command(&[]), &Kind { sizeless: true, ..Kind::new(80, 24) });
    console.wait("BP10000");
    console.wait_until("24 rows", |screen| screen.lines().nth(23).is_some_and(|l| l.contains("? help")));
    let env = vec![("COLUMNS", "100"), ("LINES", "30")];
    let console = Terminal::start_in(&site.command(&[]), &Kind { sizeless: true, env, ..Kind::new(100, 30) });
    console.wait("BP10000");
    console.wait_until("30 rows", |screen| screen.lines().nth(29).is_some_and(|l| l.contains("? help")));
}

#[test]
fn a_dumb_terminal_and_a_wrong_theme_are_told_before_anything_is_drawn() {
    let site = Site::new();
    let cases: [(&str, &[&str], &str); 3] =
        [("dumb", &[], " status`"), ("xterm", &["--theme", "nobody"], "nobody"), ("", &[], " status`")];
    for (term, args, said) in cases {
        let mut console = Terminal::start_as(&site.command(args), 80, 24, term);
        assert_eq!(console.wait_exit(), 2, "{term}");
        console.wait_end();
        let bytes = console.bytes();
        assert!(!bytes.contains(&0x1b), "{term}: no escape is written");
        assert!(String::from_utf8_lossy(&bytes).contains(said), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn without_a_utf8_locale_only_ascii_is_written() {
    let (site, _service) = still(3);
    let env = vec![("LANG", "C"), ("LC_ALL", "C")];
    let console = Terminal::start_in(&site.command(&[]), &Kind { env, ..Kind::new(120, 36) });
    console.wait("BP10000");
    assert!(console.bytes().is_ascii());
    let console = Terminal::start(&site.command(&["--ascii"]), 120, 36);
    console.wait("BP10000");
    assert!(console.bytes().is_ascii());
    assert!(!outside_frames(&String::from_utf8(console.bytes()).unwrap()).contains("BP"), "all in frames");
}
