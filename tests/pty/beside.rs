//! What the console gives the terminal beside frames: the clipboard, the mouse, the bare screen; what it writes to files;
//! and that nothing of it is left behind.

use super::common::*;
use super::contract::still;
use super::pty::{Kind, Terminal};

fn text(console: &Terminal) -> String {
    String::from_utf8_lossy(&console.bytes()).into_owned()
}

/// Starts a console on a site of three offered requests; nothing of the tester's own terminal shows through.
fn start(env: &[(&'static str, &'static str)]) -> (Site, Service, Terminal) {
    let (site, service) = still(3);
    let mut command = site.command(&[]);
    command.env_remove("STY").env("XDG_STATE_HOME", site.state());
    let console = Terminal::start_in(&command, &Kind { env: env.to_vec(), ..Kind::new(80, 24) });
    console.wait("BP10000");
    (site, service, console)
}

#[test]
fn copying_writes_one_osc_52_and_no_other_string() {
    let (_site, _service, mut console) = start(&[]);
    console.keys("jy");
    console.wait("given to the terminal's clipboard");
    let bytes = text(&console);
    let strings: Vec<&str> = bytes.split("\x1b]").skip(1).collect();
    assert_eq!(strings.len(), 1, "one string of the operating system's kind");
    let data = strings[0].strip_prefix("52;c;").unwrap().split('\x07').next().unwrap();
    // `BP10001 Package number 1 offered ...` in base64.
    assert!(data.starts_with("QlAxMDAwMSBQYWNrYWdlIG51bWJlciAx"), "{data}");
    assert!(data.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)), "{data}");
    assert!(!bytes.contains("\x1bP"), "nothing is wrapped where nothing lies between");
}

#[test]
fn inside_tmux_the_same_is_wrapped_to_pass_through() {
    let (_site, _service, mut console) = start(&[("TMUX", "/tmp/tmux-0/default,1,0")]);
    console.keys("jy");
    console.wait("given to the terminal's clipboard");
    let bytes = text(&console);
    assert_eq!(bytes.matches("\x1bPtmux;\x1b\x1b]52;c;").count(), 1);
}

#[test]
fn the_mouse_is_off_until_it_is_asked_for_and_off_again_at_the_end() {
    let (_site, _service, mut console) = start(&[]);
    assert!(!text(&console).contains("\x1b[?1000h"));
    console.keys("M");
    console.wait("the mouse clicks and scrolls here");
    let row = console.screen().lines().position(|line| line.contains("BP10002")).unwrap() + 1;
    console.keys(&format!("\x1b[<0;12;{row}M\x1b[<0;12;{row}m"));
    console.wait("> BP10002");
    console.keys(&format!("\x1b[<64;12;{row}M"));
    console.wait("> BP10000");
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    let bytes = text(&console);
    assert!(bytes.contains("\x1b[?1000h\x1b[?1006h") && bytes.contains("\x1b[?1006l\x1b[?1000l"));
    assert!(!bytes.contains("\x1b[?1002h") && !bytes.contains("\x1b[?1003h"), "motion is never asked for");
}

#[test]
fn plain_leaves_the_screen_with_the_text_and_a_key_comes_back() {
    let (_site, _service, mut console) = start(&[]);
    assert!(console.alternate());
    console.keys("jY");
    console.wait("Enter goes back to the console");
    assert!(!console.alternate() && console.screen().contains("BP10001 Package number 1 offered"));
    console.keys("\r");
    console.wait("? help");
    assert!(console.alternate() && console.screen().contains("> BP10001"), "{}", console.screen());
}

#[test]
fn what_is_shown_is_saved_to_a_new_file_and_never_over_another() {
    let (_site, _service, mut console) = start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shown.txt");
    console.keys("3");
    console.wait("LOG PACMAN.LOG");
    let save = format!("S\x15{}\r", path.display());
    console.keys(&save);
    console.wait("saved ");
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(first.contains("PACMAN.LOG info"), "{first}");
    console.keys(&save);
    console.wait("exists, nothing was written");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn a_paste_carries_out_nothing() {
    let (site, _service, mut console) = start(&[]);
    console.keys("\x1b[200~r\ny\nq\n\x1b[201~");
    console.keys("j");
    console.wait("> BP10001");
    assert_eq!(site.json(&["audit"])["entries"].as_array().unwrap().len(), 0);
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}
