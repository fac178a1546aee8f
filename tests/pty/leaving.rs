//! Every way out leaves the terminal as it was, and no process behind.

use super::common::stat::{stat, ticks};
use super::common::*;
use super::contract::still;
use super::escapes::forbidden;
use super::pty::{Kind, Terminal};
use std::process::Command;
use std::time::{Duration, Instant};

/// A console is to be gone within this (UX.md 3).
const GONE: Duration = Duration::from_secs(1);

fn console(site: &Site) -> Terminal {
    let console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("LOGGED ON");
    assert!(console.alternate(), "it draws on the other screen");
    console
}

fn is_restored(console: &Terminal) {
    is_given_back(console);
    assert_eq!(forbidden(&console.bytes(), 80, 24), Vec::<String>::new());
}

fn is_given_back(console: &Terminal) {
    console.wait_end();
    assert!(!console.alternate(), "the first screen is back");
    assert!(console.cursor() && !console.brackets(), "the cursor is shown, pastes are not bracketed");
}

/// The same of one that has a last word, which is a line of its own on the first screen.
fn is_restored_and_says_why(console: &Terminal) {
    is_given_back(console);
    let bytes = String::from_utf8(console.bytes()).unwrap();
    let (drawn, said) = bytes.split_at(bytes.rfind("\x1b[?1049l").expect("the first screen is back"));
    assert!(!drawn.contains("\r\n"), "{drawn:?}");
    assert_eq!(
        forbidden((drawn.to_owned() + &said.replace("\r\n", "")).as_bytes(), 80, 24),
        Vec::<String>::new()
    );
}

/// How long it takes until the process has gone, the best of three: a busy machine may hold one up.
fn gone_after(site: &Site, what: &str, leave: impl Fn(&mut Terminal)) -> Duration {
    let times = (0..3).map(|_| {
        let mut console = console(site);
        leave(&mut console);
        let since = Instant::now();
        console.wait_exit();
        since.elapsed()
    });
    let best = times.min().unwrap();
    println!("{what}: gone after {best:?}");
    best
}

#[test]
fn quitting_and_sigterm_leave_the_terminal_as_it_was_within_a_second() {
    let (site, _service) = still(3);
    for key in ["q", "\x03"] {
        let mut console = console(&site);
        console.keys(key);
        assert_eq!(console.wait_exit(), 0);
        is_restored(&console);
    }
    assert!(gone_after(&site, "q", |c| c.keys("q")) < GONE);
    for signal in ["-TERM", "-INT", "-QUIT"] {
        let mut console = console(&site);
        console.signal(signal);
        console.wait_exit();
        is_restored(&console);
    }
    assert!(gone_after(&site, "SIGTERM", |c| c.signal("-TERM")) < GONE);
}

#[test]
fn a_dropped_line_ends_the_console_at_once() {
    let (site, _service) = still(3);
    assert!(gone_after(&site, "SIGHUP", |c| c.signal("-HUP")) < GONE);
    assert!(gone_after(&site, "closed terminal", |c| c.hang_up("j")) < GONE);
}

#[test]
fn sighup_with_a_terminal_that_lives_gives_it_back() {
    let (site, _service) = still(3);
    let mut console = console(&site);
    console.signal("-HUP");
    assert_eq!(console.wait_exit(), 129);
    is_restored(&console);
}

#[test]
fn a_terminal_that_goes_without_a_signal_is_noticed_as_well() {
    if Command::new("setsid").arg("--version").output().is_err() {
        skipped("there is no setsid here");
        return;
    }
    let (site, _service) = still(3);
    let best = (0..3).map(|_| {
        // In a session of its own it has no controlling terminal, and nobody sends it SIGHUP.
        let inner = site.command(&[]);
        let mut command = Command::new("setsid");
        command.arg("-w").arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut terminal = Terminal::start(&command, 80, 24);
        terminal.wait("LOGGED ON");
        let pid = child_of(terminal.pid())
            .expect("the console is a child of setsid, which is the terminal's leader");
        terminal.hang_up("j");
        let since = Instant::now();
        wait_for("the console has gone", || !is_alive(pid));
        since.elapsed()
    });
    let best = best.min().unwrap();
    println!("terminal gone without a signal: gone after {best:?}");
    assert!(best < GONE, "{best:?}");
}

fn child_of(parent: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !stat.dead)
}

#[test]
fn a_terminal_that_takes_nothing_keeps_neither_keys_nor_the_end() {
    let (site, _service) = still(30);
    let log = site.state().join("log/PACMAN.LOG");
    for how in ["q", "SIGTERM"] {
        let mut console = Terminal::start(&site.command(&[]), 200, 50);
        console.wait("LOGGED ON");
        console.hold(true);
        // Each change of size is drawn as a whole: more than the system holds for a reader that has gone to sleep.
        let busy = ticks(console.pid());
        let since = Instant::now();
        for n in 0..400 {
            console.resize(if n % 2 == 0 { 199 } else { 200 }, 50);
            std::thread::yield_now();
            if n % 20 == 0 {
                writeln(&log, &format!("line {n}"));
            }
            wait_a_frame();
        }
        let used = ticks(console.pid()) - busy;
        println!("taking nothing for {:?}: {used} ticks of processor time", since.elapsed());
        let since = Instant::now();
        match how {
            "q" => console.keys("q"),
            _ => console.signal("-TERM"),
        }
        console.wait_exit();
        let gone = since.elapsed();
        println!("{how} with a terminal that takes nothing: gone after {gone:?}");
        assert!(gone < Duration::from_secs(5), "{gone:?}");
        console.hold(false);
        console.wait_end();
        assert!(!console.alternate() && console.cursor(), "{how}: what it takes later gives it back");
    }
}

/// The pace of somebody who drags a window's edge.
fn wait_a_frame() {
    std::thread::sleep(Duration::from_millis(10));
}

fn writeln(file: &std::path::Path, line: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_the_console() {
    if Command::new("bash").arg("--version").output().is_err() {
        skipped("there is no bash here");
        return;
    }
    let (site, _service) = still(3);
    let inner = site.command(&[]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "$ ").env("TZ", "UTC").env("HISTFILE", "");
    let mut terminal =
        Terminal::start_in(&shell, &Kind { env: vec![("INPUTRC", "/dev/null")], ..Kind::new(80, 24) });
    terminal.wait("$ ");
    // Below a shell that waits for it, as in a script: that one has to stop, too.
    terminal.keys(&format!("sh -c \"{}; true\"\r", words(&inner)));
    terminal.wait("LOGGED ON");
    terminal.keys("\x1a");
    terminal.wait("Stopped");
    terminal.keys("clear; fg\r");
    terminal.wait("LOGGED ON");
    terminal.keys("q");
    terminal.wait_until("the shell", |screen| screen.trim_end().ends_with('$'));
    terminal.keys(&format!("{}\r", words(&inner)));
    terminal.wait("LOGGED ON");
    for _ in 0..2 {
        terminal.keys("\x1a");
        terminal.wait("Stopped");
        // Whether pastes are bracketed is the shell's own affair.
        assert!(!terminal.alternate() && terminal.cursor(), "the shell has the terminal");
        // Its lines are edited and echoed again.
        terminal.keys("echo still $((40 + 2))\r");
        terminal.wait("still 42");
        // While the console was away the terminal became another one.
        terminal.resize(100, 30);
        terminal.keys("clear; fg\r");
        wait_for("the console in the new size", || terminal.rows()[29].contains("? help"));
        assert!(terminal.alternate());
    }
    terminal.keys("q");
    terminal.wait_until("the shell", |screen| screen.trim_end().ends_with('$'));
    assert!(!terminal.alternate());
    terminal.keys("exit\r");
    terminal.wait_exit();
}

/// A command as a shell takes it.
fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| format!("'{}'", arg.to_string_lossy()));
    let program = format!("'{}'", command.get_program().to_string_lossy());
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

/// The console that is in there says that it cannot be stopped, and goes on.
fn goes_on_at_ctrl_z(command: &Command) {
    let mut terminal = Terminal::start(command, 80, 24);
    terminal.wait("LOGGED ON");
    terminal.keys("\x1a");
    terminal.wait("suspend: there is no shell here that could bring the console back");
    terminal.keys("j");
    terminal.wait("LOGGED ON");
    assert_eq!(terminal.quit('q'), 0);
}

#[test]
fn ctrl_z_stops_nothing_that_nobody_could_continue() {
    let (site, _service) = still(3);
    // As sshd starts a command: the shell is the session, and nobody above it knows of jobs.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{}; echo over", words(&site.command(&[])))]);
    goes_on_at_ctrl_z(&shell);
}

#[test]
fn ctrl_z_where_session_and_group_were_made_outside_of_the_container_is_no_internal_error() {
    let (site, _service) = still(3);
    let within = ["unshare", "--pid", "--fork", "--mount-proc"];
    if !Command::new(within[0]).args(&within[1..]).arg("true").status().is_ok_and(|made| made.success()) {
        return skipped("no process namespace can be made here");
    }
    let mut command = Command::new(within[0]);
    command.args(&within[1..]).args(["sh", "-c", &format!("{}; echo over", words(&site.command(&[])))]);
    goes_on_at_ctrl_z(&command);
}

#[test]
fn stopped_and_continued_by_somebody_else_it_draws_itself_anew() {
    let (site, _service) = still(3);
    let mut console = console(&site);
    console.wait_quiet(Duration::from_secs(1));
    console.signal("-STOP");
    let before = console.count();
    console.signal("-CONT");
    wait_for("it is drawn anew", || {
        let bytes = console.bytes();
        String::from_utf8_lossy(&bytes[before..]).contains("LOGGED ON")
    });
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    is_restored(&console);
}

#[test]
fn an_idle_console_writes_nothing_for_five_seconds() {
    let (site, _service) = still(3);
    let console = console(&site);
    // It may still be taking in what the first second brings, and the minute of its clock may change once.
    let before = ticks(console.pid());
    let since = Instant::now();
    console.wait_quiet(Duration::from_secs(5));
    let used = (ticks(console.pid()) - before) as f64 / 100.0;
    println!("idle: {:.2} % of a core (debug build)", used / since.elapsed().as_secs_f64() * 100.0);
}

#[test]
fn without_a_terminal_it_names_the_headless_twin() {
    let site = Site::new();
    let output = site.pcm(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains(" status`"), "{}", text(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn no_size_makes_it_panic() {
    let site = Site::new();
    let mut console = console(&site);
    for (cols, rows) in [(40, 15), (20, 5), (1, 1), (200, 50), (10, 3), (300, 100), (80, 24)] {
        console.resize(cols, rows);
        console.keys("j?\x1b");
    }
    console.wait("LOGGED ON");
    assert_eq!(console.quit('q'), 0);
}

#[test]
fn who_saves_and_quits_at_once_has_what_was_saved_or_is_told_that_it_was_not() {
    let (site, _service) = still(3);
    for whole in [false, true] {
        let path = site.path(if whole { "whole.txt" } else { "newest.txt" });
        for exists in [false, true] {
            let mut console = console(&site);
            console.keys("3");
            console.wait("LOG PACMAN.LOG");
            if whole {
                console.keys("o");
                console.wait("WHOLE FILE");
            }
            console.keys("S");
            console.wait("SAVE log");
            console.keys(&format!("\x15{}\rq", path.display()));
            assert_eq!(console.wait_exit(), u32::from(exists), "{whole} {exists}");
            if exists {
                is_restored_and_says_why(&console)
            } else {
                is_restored(&console)
            }
            let screen = console.screen().replace('\n', "");
            assert_eq!(screen.contains("exists, nothing was written"), exists, "{screen}");
            assert!(std::fs::read_to_string(&path).unwrap().lines().count() > 2);
        }
    }
}
