//! UX.md 2, line by line, with the keys of an operator on the real console.

use super::common::*;
use super::contract::still;
use super::pty::Terminal;
use std::io::Write;

/// A console of 40 rows with 60 offered requests in its view 2.
fn list() -> (Site, Service, Terminal) {
    let (site, service) = still(60);
    let mut console = Terminal::start(&site.command(&[]), 80, 40);
    console.wait("BP10000");
    console.keys("2");
    console.wait("SELECTED");
    selects(&console, 0);
    (site, service, console)
}

/// The row with the mark of the selected one.
fn selected(console: &Terminal) -> Option<String> {
    console.rows().iter().find(|row| row.starts_with('>')).map(|row| row[2..9].to_owned())
}

fn selects(console: &Terminal, number: usize) {
    let wanted = format!("BP1{number:04}");
    console.wait_until(&format!("{wanted} selected"), |_| selected(console).as_ref() == Some(&wanted));
}

#[test]
fn lists_move_by_a_row_half_a_page_a_page_and_to_their_ends() {
    let (_site, _service, mut console) = list();
    for (keys, at) in
        [("j", 1), ("\x1b[B", 2), ("k", 1), ("\x1b[A", 0), ("G", 59), ("g", 0), ("\x1b[F", 59), ("\x1b[H", 0)]
    {
        console.keys(keys);
        selects(&console, at);
    }
    let here = |console: &Terminal| selected(console).map_or(0, |id| id[3..].parse::<usize>().unwrap());
    let mut step = |keys: &str| {
        let before = here(&console);
        console.keys(keys);
        console
            .wait_until("another row selected", |_| selected(&console).is_some() && here(&console) != before);
        here(&console) as isize - before as isize
    };
    let (page, half) = (step("\x1b[6~"), step("\x04"));
    assert!(page > half && half > 1, "a page {page}, half of one {half}");
    assert_eq!((step("\x15"), step("\x1b[5~")), (-half, -page));
}

#[test]
fn rows_are_marked_filtered_inverted_and_sorted_and_esc_takes_it_back_without_ever_leaving() {
    let (_site, _service, mut console) = list();
    console.keys("  ");
    console.wait("2 marked");
    selects(&console, 2);
    console.keys("*");
    console.wait("58 marked");
    console.keys("\x1b");
    console.wait_until("no marks", |screen| !screen.contains("marked"));
    console.keys("/number 17\r");
    console.wait_until("one row", |screen| screen.contains("BP10017") && !screen.contains("BP10018"));
    // It stays when the list is read anew, which it is each second.
    console.keys("/\x15!number\r");
    console.wait("no row has these words");
    console.keys("\x1b");
    console.wait("BP10018");
    for order in ["name", "state", "time"] {
        console.keys("s");
        console.wait(&format!("MANDATORY by {order}"));
    }
    console.keys("s");
    console.wait("WHY NOT / NEXT");
    for _ in 0..6 {
        console.keys("\x1b");
        // An Esc is a key only when no byte follows it for a while.
        console.wait_quiet(std::time::Duration::from_millis(300));
        assert!(console.screen().contains("LOGGED ON") || console.screen().contains("SELECTED"));
    }
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn every_view_has_its_number_tab_goes_round_the_panes_and_q_closes_before_it_leaves() {
    let (_site, _service, mut console) = list();
    for (key, shown) in [
        ("3", "LOG PACMAN.LOG"),
        ("4", "LOGGED ON"),
        ("6", "ATTEMPTS"),
        ("7", "READINESS"),
        ("8", "DIAGNOSTICS"),
        ("2", "SELECTED"),
        ("1", "LOGGED ON"),
    ] {
        console.keys(key);
        console.wait(shown);
        // The machine is at the left of every frame.
        assert!(console.rows()[0].starts_with("BP004000"), "{}", console.screen());
    }
    // What the footer offers tells which pane has the keys: only a log has a level, only a list can be sorted by row.
    let footer = |console: &Terminal| console.rows().last().cloned().unwrap();
    for (keys, log) in [("\t", false), ("\t", true), ("\t", false), ("\x1b[Z", true)] {
        console.keys(keys);
        console.wait_until("the next pane", |_| footer(&console).contains("level") == log);
    }
    console.keys("?");
    console.wait("KEYS of");
    console.keys("q");
    console.wait_until("help closed", |screen| !screen.contains("KEYS of"));
    console.keys("\x03");
    assert_eq!(console.wait_exit(), 0);
}

#[test]
fn the_palette_finds_a_command_by_some_of_its_letters_with_its_key_and_why_it_does_nothing() {
    let (_site, _service, mut console) = list();
    console.keys(":undf");
    console.wait_until("the command", |screen| {
        screen.lines().any(|line| line.contains("undefer") && line.contains(" D "))
            && screen.contains("not now: no deferral of BP10000 is in force")
    });
    console.keys("\r");
    console.wait("undefer: no deferral of BP10000 is in force");
    console.keys(":redr\r");
    console.wait_until("closed", |screen| !screen.contains("COMMANDS"));
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}

/// A log of the test's own beside that of the service, which says nothing for as long.
fn log(site: &Site, lines: std::ops::Range<usize>) {
    let path = site.state().join("log/PACMAN.LOG");
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    let text: String = lines
        .map(|n| match n % 50 {
            20 => format!(
                "<![LOG[line {n:04} is bad]LOG]!><time=\"{}+000\" date=\"{}\" component=\"test\" context=\"\" \
                 type=\"3\" thread=\"1\" file=\"x.cpp:12\">\n",
                now().format("%H:%M:%S.000"),
                now().format("%m-%d-%Y"),
            ),
            _ => format!("line {n:04} of a log\n"),
        })
        .collect();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_log_that_grows_stays_where_it_is_read_and_says_how_much_is_new() {
    let (site, _service) = still(3);
    log(&site, 0..200);
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.keys("3");
    console.wait("line 0199");
    console.keys("\x1b[5~");
    console.wait("PAUSED");
    let read = |console: &Terminal| {
        console.rows().into_iter().filter(|row| row.contains("line 0")).collect::<Vec<_>>()
    };
    console.wait_until("an earlier page", |screen| !screen.contains("line 0199"));
    let before = read(&console);
    log(&site, 200..332);
    // The service may have written a line or two of its own.
    let new = |screen: &str| screen.split("PAUSED +").nth(1)?.split(' ').next()?.parse::<usize>().ok();
    console.wait_until("132 new lines", |screen| new(screen).is_some_and(|n| (132..150).contains(&n)));
    assert_eq!(read(&console), before, "the shown lines stay where they are");
    console.keys("G");
    console.wait_until("it follows", |screen| screen.contains("FOLLOW") && screen.contains("line 0331"));
    log(&site, 332..340);
    console.wait("line 0339");
    console.keys("f");
    console.wait("PAUSED");
    console.keys("f");
    console.wait("FOLLOW");
}

#[test]
fn a_log_is_searched_filtered_marked_wrapped_and_saved_with_its_keys() {
    let (site, _service) = still(3);
    log(&site, 0..200);
    let mut command = site.command(&[]);
    command.current_dir(site.state());
    let mut console = Terminal::start(&command, 80, 24);
    console.keys("3");
    console.wait("line 0199");
    console.keys("/line 00[0-9]0\r");
    console.wait("line 0090");
    console.keys("N");
    console.wait("line 0080");
    console.keys("n&");
    console.wait_until("only what is found", |screen| {
        screen.contains("line 0000") && !screen.contains("line 0091")
    });
    console.keys("\x1b");
    console.wait("line 0091");
    console.keys("g>");
    console.wait("line 0020 is bad");
    console.keys(">");
    console.wait("line 0070 is bad");
    console.keys("<");
    console.wait("line 0020 is bad");
    console.keys("m");
    console.wait("1 marked");
    console.keys("GU");
    console.wait("line 0020 is bad");
    console.keys("l");
    console.wait("shown from level");
    console.keys("lll");
    console.wait("shown from level verbose");
    console.keys("t");
    console.wait(&now().format("%Y-").to_string());
    console.keys("S");
    console.wait("SAVE log");
    console.keys("\x15kept.txt\r");
    wait_for("the file", || {
        std::fs::read_to_string(site.state().join("kept.txt")).is_ok_and(|text| text.contains("line 0199"))
    });
}

#[test]
fn no_second_has_more_than_thirty_frames_however_fast_the_keys_and_the_log_are() {
    let (site, _service, mut console) = list();
    let from = console.count();
    let began = std::time::Instant::now();
    let mut n = 0;
    while began.elapsed() < std::time::Duration::from_secs(3) {
        console.keys(if n % 60 < 30 { "j" } else { "k" });
        log(&site, n..n + 5);
        n += 5;
        std::thread::sleep(std::time::Duration::from_millis(4));
    }
    let bytes = console.bytes();
    let seconds = began.elapsed().as_secs_f64();
    let begin = b"\x1b[?2026h";
    let frames = bytes[from..].windows(begin.len()).filter(|part| part == begin).count();
    println!("{} keys in {seconds:.1} s: {frames} frames", n / 5);
    // Counted over the whole time: what a busy machine holds back comes all at once. Three may follow each other at once.
    assert!((5..=(30.0 * seconds) as usize + 3).contains(&frames), "{frames} in {seconds} s");
}
