//! A console that is opened while the share hangs answers each key at once: nothing that it shows comes from the share
//! (PROMISES.md P8).

use super::common::*;
use super::hanging::Hang;
use super::pty::Terminal;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The share's own deadline; whatever waits for the share takes at least this long.
const DEADLINE: Duration = Duration::from_secs(10);
/// Far below it, and far above what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(4);

/// How long it takes until the screen is so.
fn until(console: &Terminal, what: &str, condition: impl Fn(&str) -> bool) -> Duration {
    let begun = Instant::now();
    while !condition(&console.screen()) {
        assert!(begun.elapsed() < AT_ONCE, "{what} takes over {AT_ONCE:?}:\n{}", console.screen());
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.elapsed()
}

/// Opens a console and works with it; the figures are printed. Without a service the console asks the share itself, and
/// has nothing to list until that is over: its keys are answered all the same.
fn each_key_is_answered(site: &Site, how: &str, lists: bool) {
    let mut figures = Vec::new();
    let mut console = Terminal::start(&site.command(&[]), 100, 30);
    let calm = |s: &str| {
        s.contains("LOGGED ON")
            && (!lists || s.contains("BP0000Y"))
            && !s.contains("carries it out")
            && !s.contains("Esc ")
    };
    figures.push(("first frame", until(&console, "the first frame", calm)));
    for round in 0..3 {
        let mut press = |name, keys: &str, condition: &dyn Fn(&str) -> bool| {
            console.keys(keys);
            figures.push((name, until(&console, &format!("{name} in round {round}"), condition)));
        };
        press("?", "?", &|s| s.contains("run this request"));
        press("Esc", "\x1b", &calm);
        if lists {
            press("e", "e", &|s| s.contains("mandatory") && !s.contains("LOGGED ON"));
            press("Esc", "\x1b", &calm);
            press("/", "/no such thing", &|s| s.contains("no such thing") && !s.contains("BP0000Y"));
            press("Esc", "\x1b", &|s| s.contains("BP0000Y"));
            press("r", "r", &|s| s.contains("carries it out"));
            press("Esc", "\x1b", &calm);
        }
    }
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    let worst = figures.iter().map(|(_, took)| took).max().unwrap();
    let first = figures[0].1;
    let line = format!(
        "console on a hanging share, {how}: first frame {} ms, {} keys, slowest answer {} ms",
        first.as_millis(),
        figures.len() - 1,
        worst.as_millis()
    );
    // To be seen although the test passes.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Ends with the test.
struct Asking(Child);

impl Drop for Asking {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The service's reader is at the share, which gives nothing back any more.
fn is_caught(service: &Service) -> bool {
    let parent = format!("PPid:\t{}", service.child.id());
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let (line, status) = (read("cmdline"), read("status"));
        String::from_utf8_lossy(&line).contains("share-reader")
            && String::from_utf8_lossy(&status).lines().any(|line| line == parent)
    })
}

#[test]
fn a_console_opened_while_the_share_hangs_answers_each_key_at_once() {
    let mut site = Site::with_config(&format!("[share]\ntimeout = \"{}s\"\n", DEADLINE.as_secs()));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let service = site.service();
    let staged = site.state().join("stage").join(&hash).join("setup.sh");
    wait_for("it is staged", || staged.is_file());
    let Some(_hang) = Hang::over(&site.share()) else { return };
    // Somebody asks for a look at the share, which now takes until its deadline, again and again.
    let mut asking =
        Asking(site.command(&["poll"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for("a look at the share hangs", || is_caught(&service));
    each_key_is_answered(&site, "with a service", true);
    let _ = asking.0.try_wait();
    service.kill();
    each_key_is_answered(&site, "without one", false);
    assert_eq!(site.ran("ran"), 0);
}
