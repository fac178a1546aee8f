//! Somebody who has never seen it gets about by what the screen says: each key that is pressed here was read there.

use super::common::publisher::Publisher;
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

#[test]
fn the_first_screen_says_how_to_enrol_by_permissions_and_what_it_touches() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
    command.env("PCM_CONFIG", dir.path().join("pcm.toml")).env("PCM_STATE", dir.path().join("state"));
    let mut console = Terminal::start(&command, 80, 24);
    console.wait("d and Enter starts the demo, Enter alone leaves");
    let screen = console.screen();
    for wanted in
        ["is not enrolled", "pcm demo", "init --machine SMSID", "--trust permissions", "service run"]
    {
        assert!(screen.contains(wanted), "{wanted}: {screen}");
    }
    console.keys("\r");
    assert_eq!(console.wait_exit(), 0);
    assert!(!dir.path().join("pcm.toml").exists(), "looking changes nothing");
}

#[test]
fn the_first_screen_asks_whether_the_key_of_the_site_is_the_right_one_and_enrols_with_it() {
    let share = |dir: &std::path::Path| dir.join("share").display().to_string();
    let Some(publisher) = Publisher::new(share, |_| String::new()) else { return };
    let host = std::process::Command::new("uname").arg("-n").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    publisher.done(&["site", "machine", "add", "BP004003", "--host", host.trim()]);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pcm.toml");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
    command.env("PCM_CONFIG", &config).env("PCM_STATE", dir.path().join("state"));
    command.arg("--share").arg(publisher.path("share"));
    let asked = || {
        let console = Terminal::start(&command, 120, 30);
        console.wait("y and Enter enrols this machine with it");
        assert!(console.screen().contains(&publisher.root()), "{}", console.screen());
        console
    };
    // Enter alone confirms nothing.
    let mut console = asked();
    console.keys("\r");
    assert_eq!((console.wait_exit(), config.exists()), (0, false));
    let mut console = asked();
    console.keys("y\r");
    assert_eq!(console.wait_exit(), 0);
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(written.contains("machine = \"BP004003\"") && written.contains("mode = \"signed\""), "{written}");
    assert!(dir.path().join("trust.d/trust.toml").exists(), "its list was taken");
}

#[test]
fn a_service_on_a_terminal_says_which_machine_it_is_and_prints_what_it_does() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let mut service = Terminal::start(&site.command(&["service", "run"]), 120, 40);
    service.wait(&format!("the service of {MACHINE}"));
    service.wait("Ctrl-C ends it");
    service.wait("PACMAN.LOG");
    site.wait_state("BP0000Y", "succeeded");
    service.wait("BP0000Y");
    service.keys("\x03");
    assert_eq!(service.wait_exit(), 0);
    assert!(site.log().contains("The service ends"), "{}", site.log());
}

/// A broken line at three in the morning: the console is there as long as the service is, and says where.
#[test]
fn the_console_starts_beside_a_broken_configuration_and_says_file_line_and_field() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y").mandatory(now() + seconds(7200))]);
    let service = site.service();
    wait_for("it is looked at", || site.request("BP0000Y").is_some());
    let good = std::fs::read(site.config()).unwrap();
    write(&site.config(), &[good.as_slice(), b"[windows]\nnonsense = 1\n"].concat());
    site.wait_log("The configuration cannot be read");
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 2;
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    console.wait("policy-unreadable");
    console.wait(&format!("pcm.toml:{line} windows.nonsense"));
    console.wait("auto OFF, configuration unreadable");
    console.keys("w");
    console.wait("PROBLEMS");
    console.wait("pcm check shows every error");
    console.keys("q");
    write(&site.config(), &good);
    console
        .wait_until("mended", |screen| screen.contains("auto ON") && !screen.contains("policy-unreadable"));
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    // Without a service nobody could say more than the file does.
    write(&site.config(), &[good.as_slice(), b"[windows]\nnonsense = 1\n"].concat());
    service.terminate();
    let mut console = Terminal::start(&site.command(&[]), 120, 24);
    console.wait("cannot be used");
    assert_ne!(console.wait_exit(), 0);
}
