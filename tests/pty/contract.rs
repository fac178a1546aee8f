//! UX.md 3, line by line, on the bytes that the real console writes.

use super::common::*;
use super::escapes::{forbidden, frames, outside_frames, without_moves};
use super::pty::{Kind, Terminal};
use std::io::Write;
use std::time::Duration;

/// A site with some optional requests, so that nothing runs and nothing is due, and its service.
pub fn still(requests: usize) -> (Site, Service) {
    let mut site = Site::with_config("polling_interval = \"60m\"");
    let hash = site.package("BP00000A", "true");
    let all: Vec<Request> = (0..requests)
        .map(|n| {
            Request::due(&format!("BP1{n:04}"))
                .set("content_sha256", format!("\"{hash}\""))
                .set("package", format!("\"Package number {n}\""))
                .set("mandatory_after", "")
        })
        .collect();
    site.publish(&all);
    let service = site.service();
    (site, service)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_key_costs_under_300_bytes_and_one_frame() {
    let (site, _service) = still(12);
    for (cols, rows) in [(80, 24), (120, 36)] {
        let mut console = Terminal::start(&site.command(&[]), cols, rows);
        console.wait("BP10000");
        console.wait_quiet(Duration::from_secs(2));
        let mut costs = Vec::new();
        // Nothing else changes but the minute of the clock, which may come once.
        for key in ["j", "j", "k", "j", "j", "k", "k", "j"] {
            let before = console.count();
            console.keys(key);
            wait_for("the key shows", || console.count() > before);
            let after = console.wait_quiet(Duration::from_millis(1200));
            let bytes = console.bytes();
            costs.push((after - before, frames(&text_of(&bytes[before..after])).len()));
        }
        println!("{cols}x{rows}: bytes and frames of a key: {costs:?}");
        let mut bytes: Vec<usize> = costs.iter().map(|(bytes, _)| *bytes).collect();
        bytes.sort_unstable();
        // At the larger size the details of the selected row stand beside the list: they come with it.
        let limit = if cols == 80 { 300 } else { 1500 };
        assert!(bytes[bytes.len() - 2] < limit, "{costs:?}");
    }
}

#[test]
fn frames_are_synchronized_updates_and_only_entering_stands_outside() {
    let (site, _service) = still(5);
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP10000");
    for keys in ["jjk", "2", "3", "4", "6", "8", "1", "?", "\x1b", "\x0c"] {
        console.keys(keys);
        console.wait_quiet(Duration::from_millis(300));
    }
    assert_eq!(console.quit('q'), 0);
    console.wait_end();
    let output = text_of(&console.bytes());
    assert!(frames(&output).len() > 8, "{}", frames(&output).len());
    let enter = "\x1b[?1049h\x1b[0m\x1b[2J\x1b[?25l\x1b[?2004h\x1b[?7l";
    let leave = "\x1b[0m\x1b[?7h\x1b[?2004l\x1b[?1049l\x1b[?25h";
    assert_eq!(outside_frames(&output), format!("{enter}{leave}"));
    assert_eq!(forbidden(output.as_bytes(), 80, 24), Vec::<String>::new());
    for frame in frames(&output) {
        assert!(!frame.contains("\x1b[2J"), "cleared and drawn again");
    }
}

/// Calls of the process that write, so far.
fn writes(console: &Terminal) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", console.pid())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse().unwrap()
}

#[test]
fn a_whole_screen_is_one_write() {
    let (site, _service) = still(60);
    let mut console = Terminal::start(&site.command(&[]), 200, 50);
    console.wait("BP10000");
    // Where somebody is logged on meanwhile, how long they are idle changes with every second.
    console.wait_quiet(Duration::from_millis(400));
    const SCREENS: u64 = 10;
    let (bytes, before) = (console.count(), writes(&console));
    for _ in 0..SCREENS {
        let shown = console.count();
        console.keys("\x0c");
        wait_for("it is drawn anew", || console.count() > shown + 2_000);
        console.wait_quiet(Duration::from_millis(100));
    }
    let (bytes, used) = (console.count() - bytes, writes(&console) - before);
    println!("{SCREENS} screens, {bytes} bytes, {used} writes");
    // Questions to the service, a few each second, are writes as well; in small pieces it would be many hundreds.
    assert!(used < 15 * SCREENS, "{used} writes for {bytes} bytes");
}

#[test]
fn a_terminal_that_answers_nothing_is_asked_nothing_and_does_not_delay_the_start() {
    let (site, _service) = still(3);
    let took = (0..3).map(|_| {
        let console = Terminal::start(&site.command(&[]), 80, 24);
        console.wait("BP10000");
        let bytes = text_of(&console.bytes());
        // Whatever ends so wants an answer: cursor position, attributes, modes, settings, colours.
        for question in ["n", "c", "t", "$p", "x", "q"] {
            let asks = |t: &super::escapes::Told| matches!(t, super::escapes::Told::Control(inside, last) if format!("{inside}{last}").ends_with(question));
            assert!(!super::escapes::told(&bytes).iter().any(asks), "{question}");
        }
        assert!(!bytes.contains("\x1b]") && !bytes.contains("\x1bP"));
        let at = (1..=bytes.len()).find(|n| bytes.is_char_boundary(*n) && bytes[..*n].contains("BP10000"));
        console.came(at.unwrap()).unwrap()
    });
    let best = took.min().unwrap();
    println!("from the start to the list of requests: {best:?}");
    assert!(best < Duration::from_secs(2), "{best:?}");
}

#[test]
fn a_storm_of_sizes_and_keys_ends_with_the_last_size() {
    let (site, _service) = still(5);
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP10000");
    for round in 0..60 {
        for (cols, rows) in [(40, 15), (1, 1), (200, 50), (10, 3), (79, 23)] {
            console.resize(cols, rows);
            console.keys("j");
        }
        let (cols, rows) = (90 + round % 7, 30 + round % 5);
        console.resize(cols, rows);
        console.keys("k");
        // Nothing comes afterwards that could bring a lost change with it.
        wait_for("the last row and column are drawn", || {
            let drawn = console.rows();
            drawn[usize::from(rows) - 1].contains("? help")
                && drawn.iter().any(|row| row.chars().count() == usize::from(cols))
        });
    }
    let bytes = console.bytes();
    assert_eq!(forbidden(&bytes, 200, 50), Vec::<String>::new());
}

#[test]
fn keys_in_any_pieces_are_all_taken_and_a_paste_is_none() {
    let (site, _service) = still(40);
    let mut console = Terminal::start(&site.command(&[]), 80, 40);
    console.wait("BP10000");
    console.keys("2");
    console.wait("SELECTED");
    let selected = |console: &Terminal| {
        console.screen().lines().find(|l| l.starts_with("> ")).map(|l| l[2..9].to_owned())
    };
    wait_for("the first is selected", || selected(&console).as_deref() == Some("BP10000"));
    // More than one read takes, at once; then byte by byte, as a slow line brings it.
    console.keys(&"j\x1b[Bk".repeat(2000));
    console.keys("g");
    for _ in 0..7 {
        for byte in ["\x1b", "[", "B"] {
            console.keys(byte);
        }
    }
    wait_for("seven rows down", || selected(&console).as_deref() == Some("BP10007"));
    // A paste that would filter, run and quit.
    console.keys("\x1b[200~/x\ryrqq\x03\x1b[201~");
    console.keys("j");
    wait_for("one row further", || selected(&console).as_deref() == Some("BP10008"));
    // Where text is typed it counts.
    console.keys("/");
    console.keys("\x1b[200~number 17\x1b[201~\r");
    wait_for("filtered", || console.screen().contains("BP10017") && !console.screen().contains("BP10018"));
    assert!(site.json(&["audit"])["entries"].as_array().unwrap().is_empty());
}

#[test]
fn a_line_that_comes_to_the_log_moves_those_above_it_where_the_terminal_can() {
    let (site, _service) = still(3);
    let log = site.state().join("log/PACMAN.LOG");
    let append = |n: usize| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        writeln!(file, "line {n} of a log that goes on, and {} is in it as well", n * 7919 % 104_729)
            .unwrap();
    };
    (0..40).for_each(append);
    let mut next = 40;
    for (term, can) in
        [("xterm-256color", true), ("linux", true), ("vt100", true), ("tmux", true), ("ansi", false)]
    {
        let mut console = Terminal::start_as(&site.command(&[]), 80, 24, term);
        console.keys("3");
        console.wait("FOLLOW");
        console.wait(&format!("line {} of", next - 1));
        let before = console.wait_quiet(Duration::from_millis(600));
        let mut costs = Vec::new();
        for _ in 0..4 {
            let before = console.count();
            append(next);
            console.wait(&format!("line {next} of"));
            next += 1;
            costs.push(console.wait_quiet(Duration::from_millis(600)) - before);
        }
        costs.sort_unstable();
        println!("{term}: bytes of a line {costs:?}");
        let bytes = console.bytes();
        let text = text_of(&bytes[before..]);
        assert_eq!(without_moves(&text, 24) != text, can, "{term}");
        assert!(!can || costs[1] <= 400, "{term}: {costs:?}");
        assert_eq!(forbidden(&bytes, 80, 24), Vec::<String>::new(), "{term}");
        // What is on the screen is what drawing all of it brings.
        let moved = console.rows();
        console.keys("kk");
        console.wait("PAUSED");
        console.wait_quiet(Duration::from_millis(600));
        let paused = console.rows();
        assert_ne!(moved, paused, "{term}");
        let shown = console.count();
        console.keys("\x0c");
        wait_for("it is drawn anew", || console.count() > shown + 500);
        console.wait_quiet(Duration::from_millis(600));
        assert_eq!(console.rows(), paused, "{term}");
    }
}

#[test]
fn no_color_and_the_flag_give_no_colour_but_leave_bold() {
    let (site, _service) = still(3);
    let kind = Kind { env: vec![("NO_COLOR", "1")], ..Kind::new(80, 24) };
    for (args, kind) in [(&[][..], kind), (&["--no-color"][..], Kind::new(80, 24))] {
        let console = Terminal::start_in(&site.command(args), &kind);
        console.wait("BP10000");
        for one in super::escapes::told(&text_of(&console.bytes())) {
            if let super::escapes::Told::Control(inside, 'm') = one {
                let codes: Vec<u16> = inside.split(';').filter_map(|n| n.parse().ok()).collect();
                assert!(codes.iter().all(|n| *n < 30), "{inside}");
            }
        }
    }
}
