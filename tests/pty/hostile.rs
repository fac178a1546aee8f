//! Hostile texts from every side, through the real service, into every view of the real console and every page of the
//! command line: no byte but text and the listed escapes reaches the terminal, and no row is forged (PROMISES.md P13).

use super::common::*;
use super::escapes::{forbidden, frames, outside_frames};
use super::pty::Terminal;
use std::fmt::Write;
use std::time::Duration;

/// What somebody would send who wants the terminal, or who wants an operator to read something else.
const PAYLOADS: &[&str] = &[
    "\x1b[2J",
    "\x1b[H",
    "\x1b[31mred",
    "\x1b[8mhidden",
    "\x1b[5mblink",
    "\x1b[20;1H",
    "\x1b[1A\x1b[2K",
    "\x1b[?1049l",
    "\x1b[?25h",
    "\x1b[?1000h",
    "\x1b[?2004l",
    "\x1b[?2026l",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[>c",
    "\x1b[0x",
    "\x1b[5i",
    "\x1b[4i",
    "\x1b[!p",
    "\x1b[1;3r",
    "\x1b[7l",
    "\x1bc",
    "\x1b7\x1b8",
    "\x1bM",
    "\x1bD",
    "\x1b#8",
    "\x1b(0lqk",
    "\x1b%G",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]52;c;cm0gLXJmIH4=\x07",
    "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]4;1;rgb:00/00/00\x07",
    "\x1b]11;?\x07",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1bP$q\"p\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1bPq#0!99~\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b^pm\x1b\\",
    "\x1bXsos\x1b\\",
    "\x1b",
    "\x1b[",
    "\x1b]",
    "\u{9b}2J",
    "\u{9d}0;x\u{9c}",
    "\u{90}q\u{9c}",
    "\u{85}",
    "\u{84}\u{8d}",
    "a\x08\x08\x08b",
    "bell\x07",
    "\x0e\x0f",
    "\x7f\x7f",
    "\x0b\x0c",
    "\x05",
    "\x18\x1a",
    "\r> BP9EVIL forged    succeeded",
    "\n> BP9EVIL forged    succeeded",
    "\u{2028}> BP9EVIL forged    succeeded",
    "user\u{202e}gpj.exe",
    "\u{2066}x\u{2069}",
    "ro\u{200b}ot",
    "\u{feff}x",
    "ad\u{ad}min",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}",
    "\u{e0041}\u{e007f}",
    "\u{e000}",
    "👩\u{200d}👩\u{200d}👧",
    "漢字漢字漢字漢字漢字漢字漢字漢字",
    "\t\t\t",
    "%s%n%x",
    "$(id)`id`",
    "'\"\\",
];

/// As TOML wants it in a basic string.
fn toml(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => _ = write!(out, "\\{c}"),
            ' '..='~' => out.push(c),
            c => _ = write!(out, "\\U{:08X}", u32::from(c)),
        }
    }
    out + "\""
}

/// A shell line that prints these bytes.
fn prints(bytes: &[u8]) -> String {
    let octal = bytes.iter().fold(String::new(), |mut all, b| {
        _ = write!(all, "\\{b:03o}");
        all
    });
    format!("printf '{octal}\\n'")
}

/// A machine to which all of it comes: by instruction file, site file, package output, status MIF, operators and logs.
fn besieged() -> (Site, Service) {
    let mut site = Site::new();
    let name = toml("Head \x1b]0;office\x07");
    write(&site.share().join("PCM.SITE"), format!("format = 1\nsite = \"BP0\"\nname = {name}\n").as_bytes());
    let mut script: Vec<String> = PAYLOADS.iter().map(|p| prints(p.as_bytes())).collect();
    script.push(prints(b"\xff\xfe \x9b2J \xc3 \xed\xa0\x80 end"));
    let mif = format!(
        "START COMPONENT\nNAME = \"WORKSTATION\"\n START GROUP\n NAME = \"InstallStatus\"\n ID = 1\n CLASS = \"MICROSOFT|JOBSTATUS|1.0\"\n  START ATTRIBUTE\n  NAME = \"Status\"\n  ID = 1\n  TYPE = STRING(16)\n  VALUE = \"Failed\"\n  END ATTRIBUTE\n  START ATTRIBUTE\n  NAME = \"Description\"\n  ID = 2\n  TYPE = STRING(128)\n  VALUE = \"{}\"\n  END ATTRIBUTE\n END GROUP\nEND COMPONENT",
        "mif \u{1b}[2J \u{1b}]52;c;AAAA\u{7} \u{9b}31m \u{202e}txt"
    );
    script.push(format!("{} > \"$PCM_STATUS_MIF\"", prints(mif.as_bytes())));
    let hash = site.package("BP00000A", &script.join("\n"));
    let with = |id: &str, payload: &str| {
        Request::due(id)
            .set("content_sha256", format!("\"{hash}\""))
            .set("mandatory_after", "")
            .set("package", toml(payload))
            .set("command", toml(payload))
    };
    let mut requests: Vec<Request> =
        PAYLOADS.iter().enumerate().map(|(n, payload)| with(&format!("BP1{n:04}"), payload)).collect();
    requests.push(with("BP0000Y", "The one that runs \x1b[2J"));
    let later =
        Request::due("BP0000Z").set("content_sha256", format!("\"{hash}\"")).mandatory(now() + seconds(7200));
    requests.push(later);
    // Keys and values that nobody knows, so that the messages about them carry the text as well.
    requests.push(with("BP0000W", "x").set("offer_after", toml("\x1b[31msoon")));
    requests.push(with("BP0000X", "x").set("run_when", toml("\x1b]0;never\x07")));
    site.publish(&requests);
    let service = site.service();
    site.wait_blocked("BP0000Y", &["optional"]);
    let all: String = PAYLOADS.concat().replace('\0', "");
    for payload in [&all[..200.min(all.len())], "because \x1b[2J\x1b]0;x\x07", "\r> BP9EVIL forged"] {
        let defer = site.pcm(&["defer", "BP0000Z", "--for", "1h", "--reason", payload]);
        assert!(!defer.stdout.contains(&0x1b) && !defer.stderr.contains(&0x1b), "{}", text(&defer));
    }
    let hold = site.pcm(&["hold", "--for", "1h", "--reason", "held \x1b[31m\u{202e}"]);
    assert!(hold.status.success(), "{}", text(&hold));
    let run =
        site.pcm(&["run", "BP0000Y", "--reason", "run \x1b[2J \u{9b}31m", "--override", "hold", "--follow"]);
    assert!(run.status.code() == Some(7) && !run.stdout.contains(&0x1b), "{}", text(&run));
    // Somebody else's log beside PACMAN.LOG, with such a name, and bytes that are no text at all.
    let mut log: Vec<u8> = PAYLOADS.join(" end\n").into_bytes();
    log.extend(b"\n\xff\xfe\x9b2J\x80 \xf0\x9f end\n<![LOG[cm \x1b[2J]LOG]!><time=\"10:00:00.000-60\" date=\"11-22-2026\" component=\"\x1b[31m\" context=\"\" type=\"3\" thread=\"1\" file=\"\x1b[2J\">\n");
    write(&site.state().join("log/evil\x1b[2J\u{202e}.LOG"), &log);
    (site, service)
}

/// A row of a list has its mark and its id at its left edge; wrapped text stands further in.
fn is_forged(row: &str) -> bool {
    let marked = ["> ", "  ", "* ", "! ", "x ", "+ "].iter().any(|mark| row.starts_with(mark));
    row.starts_with("BP9EVIL") || (marked && row[2..].starts_with("BP9EVIL"))
}

#[test]
fn no_hostile_text_reaches_the_terminal_or_forges_a_row_in_any_view() {
    let (site, _service) = besieged();
    let mut seen = 0;
    for (cols, rows) in [(80, 24), (200, 50), (40, 12)] {
        let mut console = Terminal::start(&site.command(&[]), cols, rows);
        console.wait_until("some request", |screen| screen.contains("BP1") || screen.contains("BP0000"));
        let forged = |console: &Terminal| {
            let row = console.rows().into_iter().find(|row| is_forged(row));
            assert_eq!(row, None, "{}", console.screen());
        };
        let visit = [
            "1", "\r", "G", "\x1b", "e", "\x1b", "2", "\x1b[6~", "\x1b[6~", "G", "k", "k", "\r", "G", "\x1b",
            "e", "\x1b", "s", "s", "3", "g", "z", "\x1b[6~", "G", "<", "<", "l", "t", "4", "6", "\r", "G",
            "\x1b", "\t", "j", "j", "j", "8", "w", "G", "\x1b", ":", "\x1b", "?", "G", "\x1b", "1", "g", "j",
            "j", "r", "\x1b", "d", "\x1b", "x", "\x1b",
        ];
        for keys in visit {
            console.keys(keys);
            console.wait_quiet(Duration::from_millis(70));
            forged(&console);
        }
        // Every row once, with its details beside it or in their place.
        console.keys("2g");
        for _ in 0..PAYLOADS.len() {
            console.keys("j");
            console.wait_quiet(Duration::from_millis(20));
        }
        forged(&console);
        // Pasted into a field and searched for, by an operator who was sent it.
        console.keys("3/");
        console.keys(&format!("\x1b[200~{}\x1b[201~\r", "\x1b[31mx\u{202e}\x07"));
        console.wait_quiet(Duration::from_millis(100));
        console.keys("\x1b");
        console.wait_quiet(Duration::from_millis(100));
        // Not Ctrl-C: where it is pressed once more than needed, the terminal itself writes `^C`.
        console.quit('q');
        console.wait_end();
        let bytes = console.bytes();
        assert_eq!(forbidden(&bytes, cols, rows), Vec::<String>::new(), "{cols}x{rows}");
        let output = String::from_utf8(bytes).unwrap();
        assert!(!outside_frames(&output).contains('^'), "all text is in frames");
        // They did arrive, in words.
        seen += ["^[[2J", "^[]0;", "<U+202E>", "<U+009B>"]
            .iter()
            .filter(|shown| output.contains(**shown))
            .count();
        println!("{cols}x{rows}: {} frames, {} bytes", frames(&output).len(), output.len());
    }
    assert!(seen >= 8, "the texts were on the screen: {seen}");
}

#[test]
fn no_hostile_text_reaches_the_terminal_from_any_page_of_the_command_line() {
    let (site, _service) = besieged();
    let mut arrived = String::new();
    for args in [
        &["list", "--all"][..],
        &["show", "BP0000Y"],
        &["show", "BP10000"],
        &["explain", "BP10003"],
        &["history"],
        &["audit"],
        &["status"],
        &["who"],
        &["log"],
        &["log", "--grep", "\x1b[2J("],
        &["log", "/nowhere/\x1b[2J\u{202e}.LOG"],
        &["show", "\x1b[31mX"],
        &["undefer", "BP0000Y"],
        &["run", "BP10001", "--reason", "\x1b[2J", "--dry-run"],
    ] {
        let mut terminal = Terminal::start(&site.command(args), 100, 50);
        terminal.wait_exit();
        terminal.wait_end();
        let output = String::from_utf8(terminal.bytes()).unwrap();
        // The terminal makes these two of each end of a line; bold and dim are all that pages are set with.
        let page = output.replace("\r\n", " ");
        let wrong = forbidden(page.as_bytes(), 100, 50);
        assert_eq!(wrong, Vec::<String>::new(), "{args:?}");
        assert_eq!(output.lines().find(|line| is_forged(line)), None, "{args:?}");
        arrived += &output;
    }
    for shown in ["^[[2J", "^[]0;", "<U+202E>", "<U+009B>"] {
        assert!(arrived.contains(shown), "{shown} was among the pages");
    }
}
