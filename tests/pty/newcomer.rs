//! Somebody who has never seen it gets about by what the screen says: each key that is pressed here was read there.

use super::common::*;
use super::pty::Terminal;

/// `r run` in the last line, or `r` and `run` in two columns of the help.
fn named(screen: &str, word: &str) -> Option<String> {
    let words: Vec<Vec<&str>> = screen
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect())
        .collect();
    let mut footer = words.last()?.iter().filter_map(|part| part.split_once(' '));
    let mut help = words.iter().flat_map(|line| line.windows(2)).filter(|pair| pair[1] == word);
    let footer = footer.find(|(_, says)| *says == word).map(|(key, _)| key);
    footer.or_else(|| help.next()?[0].rsplit(' ').next()).map(str::to_owned)
}

/// The key that the last line, or the open help, names before this word.
fn key(console: &Terminal, word: &str) -> String {
    console.wait_until(&format!("a key for \"{word}\""), |screen| named(screen, word).is_some());
    match named(&console.screen(), word).unwrap_or_default().as_str() {
        "Tab" => "\t".to_owned(),
        "Enter" => "\r".to_owned(),
        key => key.to_owned(),
    }
}

#[test]
fn run_defer_explain_search_who_and_leave_are_found_on_the_screen_alone() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = |id: &str| Request::due(id).set("content_sha256", format!("\"{hash}\""));
    site.publish(&[
        request("BP0000Y").set("mandatory_after", ""),
        request("BP0000Z").mandatory(now() + seconds(7200)),
    ]);
    let _service = site.service();
    let staged = site.state().join("stage").join(&hash).join("setup.sh");
    wait_for("it is staged", || staged.is_file());
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("BP0000Y");
    // Who is logged on, and the log, are on the first screen; help says what has a screen of its own.
    console.keys(&key(&console, "help"));
    console.keys(&key(&console, "logged on"));
    console.wait_until("view 4", |screen| screen.lines().nth(2).is_some_and(|l| l.contains("LOGGED ON")));
    console.keys(&key(&console, "help"));
    console.keys(&key(&console, "overview"));
    console.wait_until("view 1", |screen| screen.contains("LOG PACMAN.LOG") && screen.contains("> BP0000"));
    // The first row is the mandatory one: it is deferred.
    console.keys(&key(&console, "explain"));
    console.wait("What an operator may do");
    console.keys("\x1b");
    console.wait("LOGGED ON");
    while !console.rows().iter().any(|row| row.starts_with("> BP0000Z")) {
        console.keys("j");
        console.wait_quiet(std::time::Duration::from_millis(200));
    }
    console.keys(&key(&console, "defer"));
    console.wait("enter a time");
    // The form says what it takes, what is missing and which key carries it out.
    console.wait("2h, 22:00");
    console.keys("1h\r");
    console.wait("reason");
    console.keys("lunch\r");
    console.wait("y carries it out");
    console.confirm();
    site.wait_state("BP0000Z", "deferred");
    console.keys("j");
    console.wait_until("the other row", |screen| screen.contains("> BP0000Y"));
    console.keys(&key(&console, "run"));
    console.wait("y carries it out");
    console.confirm();
    site.wait_state("BP0000Y", "succeeded");
    // The log: the next pane but one, whose keys stand in the last line.
    console.keys(&key(&console, "pane"));
    console.keys(&key(&console, "pane"));
    console
        .wait_until("the log's keys", |screen| screen.lines().last().is_some_and(|l| l.contains("follow")));
    console.keys(&key(&console, "search"));
    console.keys("BP0000Y\r");
    console.wait("/BP0000Y");
    console.keys("?");
    console.wait("q leaves");
    console.keys("q");
    console.wait_until("help closed", |screen| !screen.contains("KEYS of"));
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    assert_eq!(site.ran("ran"), 1);
}
