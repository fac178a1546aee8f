//! A line of 9,600 baud: the first screen within 3 s, no backlog of frames, keys answered.

use super::contract::still;
use super::escapes::frames;
use super::pty::{Kind, Terminal};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes a second.
const RATE: u32 = 960;

fn slow_line(baud: Option<u32>) -> Kind {
    Kind { rate: Some(RATE), baud, ..Kind::new(80, 24) }
}

/// Both ways in which a line is known to be slow.
fn ways() -> [(&'static str, &'static [&'static str], Kind); 2] {
    [("--slow", &["--slow"], slow_line(None)), ("stty 9600", &[], slow_line(Some(9600)))]
}

#[test]
fn the_first_screen_is_there_within_three_seconds() {
    let (site, _service) = still(30);
    for (how, args, kind) in ways() {
        let best = (0..3).map(|_| {
            let console = Terminal::start_in(&site.command(args), &kind);
            // The footer is the last row of the frame.
            console.wait_until("the whole screen", |s| s.contains("BP10000") && s.contains("? help"));
            (console.started.elapsed(), console.count())
        });
        let (took, bytes) = best.min().unwrap();
        println!("first screen at 9,600 baud ({how}): {took:?}, {bytes} bytes");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[test]
fn while_a_log_rushes_by_there_is_no_backlog_and_keys_are_answered() {
    let (site, _service) = still(30);
    let log = site.state().join("log/PACMAN.LOG");
    for (how, args, kind) in ways() {
        let mut console = Terminal::start_in(&site.command(args), &kind);
        console.wait("? help");
        let stop = AtomicBool::new(false);
        let mut waits = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
                let mut n = 0;
                while !stop.load(Ordering::SeqCst) {
                    for _ in 0..50 {
                        n += 1;
                        writeln!(file, "line {n} of a log that rushes by").unwrap();
                    }
                    // A thousand lines a second.
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                console.wait("that rushes by");
                for n in 0..12 {
                    // Down and up again in the list, and how long until the selection shows.
                    let (key, row) = if n % 2 == 0 { ("j", "> BP10001") } else { ("k", "> BP10000") };
                    let since = Instant::now();
                    console.keys(key);
                    console.wait_until(row, |screen| screen.contains(row));
                    waits.push(since.elapsed());
                    console.wait_until("news", |_| since.elapsed() > Duration::from_millis(700 + 130 * n));
                }
            }));
            stop.store(true, Ordering::SeqCst);
            result.unwrap();
        });
        waits.sort_unstable();
        // What still comes once the log has stopped: the frame under way and the last one.
        let before = console.count();
        let after = console.wait_quiet(Duration::from_secs(2));
        println!(
            "{how}: keys answered after {:?} (median), {:?} (worst); {} bytes came after the log had stopped",
            waits[waits.len() / 2],
            waits[waits.len() - 1],
            after - before
        );
        assert!(waits[waits.len() / 2] < Duration::from_secs(2), "{waits:?}");
        assert!(after - before < 5000, "{} bytes of frames were waiting", after - before);
        let bytes = console.bytes();
        println!("{how}: {} frames, {} bytes", frames(&String::from_utf8_lossy(&bytes)).len(), bytes.len());
    }
}

#[test]
fn an_arrow_key_that_comes_byte_by_byte_is_one_key() {
    let (site, _service) = still(5);
    let mut console = Terminal::start_in(&site.command(&["--slow"]), &Kind::new(80, 24));
    console.wait("BP10000");
    console.keys("?");
    console.wait("KEYS of");
    // Esc by itself would close the help, and A would be a letter.
    for byte in ["\x1b", "[", "B"] {
        console.keys(byte);
        // As far apart as a line of 300 baud brings them.
        std::thread::sleep(Duration::from_millis(33));
    }
    console.keys("j");
    console.wait_quiet(Duration::from_millis(600));
    assert!(
        console.screen().contains("the packages go on") || !console.screen().contains("LOGGED ON"),
        "still the help"
    );
    console.keys("\x1b");
    console.wait("LOGGED ON");
}
