//! A panic: the terminal is given back first, then it is said what happened. The program in the terminal is this test
//! program itself, since the console has no way to be made to panic.

use super::pty::Terminal;
use std::process::Command;

/// Set in the program in the terminal: where it panics.
const CHILD: &str = "PCM_TEST_PANICS_IN";

/// Not a test of its own: what runs in the terminal.
#[test]
fn in_the_terminal() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let guard = pcm::testing::Guard::enter(true).unwrap();
    match place.as_str() {
        "drawing" => panic!("\x1b]0;drawn\x07 badly"),
        "a thread" => {
            pcm::testing::spawn("test", || panic!("a thread of its own")).unwrap();
            std::thread::park();
        }
        "a stranger" => {
            let _ = std::thread::spawn(|| panic!("nothing of ours")).join();
            drop(guard);
            std::process::exit(42);
        }
        other => panic!("unknown: {other}"),
    }
}

fn panics_in(place: &str) -> (Terminal, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["pty::panicking::in_the_terminal", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, place);
    let mut terminal = Terminal::start(&command, 80, 24);
    let status = terminal.wait_exit();
    terminal.wait_end();
    (terminal, status)
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_without_steering_it() {
    for (place, said) in [("drawing", "^[]0;drawn^G badly"), ("a thread", "a thread of its own")] {
        let (terminal, status) = panics_in(place);
        assert_eq!(status, 101, "{place}");
        assert!(!terminal.alternate() && terminal.cursor() && !terminal.brackets(), "{place}");
        let screen = terminal.screen();
        assert!(screen.contains(said) && screen.contains("packages go on running"), "{place}: {screen}");
    }
}

#[test]
fn a_panic_of_somebody_else_is_not_written_over_the_screen() {
    let (terminal, status) = panics_in("a stranger");
    assert_eq!(status, 42);
    assert!(!terminal.screen().contains("nothing of ours"), "{}", terminal.screen());
}
