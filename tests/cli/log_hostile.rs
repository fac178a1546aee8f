//! `pcm log --hosts` and machines that mean ill, or are of another time: each is bounded and named with what it did, none of its
//! bytes steers the terminal, and the others are shown.

use super::log_hosts::{Hosts, line};
use super::text;
use serde_json::{Value, json};
use std::fs;

const GREETING: &[u8] = b"pcm-log 1\n";

fn frame(told: &Value) -> Vec<u8> {
    let json = told.to_string();
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    [b"j", &length[..], json.as_bytes()].concat()
}

fn hello(filters: bool) -> Value {
    let mut hello =
        json!({"pcm": "0.0.9", "host": "h", "now": "2026-11-24T10:00:00Z", "zone": "UTC", "files": []});
    if filters {
        hello["filters"] = 1.into();
    }
    json!({ "hello": hello })
}

fn lines(count: usize, text: &str) -> Value {
    let one = json!({"f": "x.log", "l": "info", "x": [text]});
    json!({"lines": {"id": 1, "lines": vec![one; count]}})
}

/// Sends these bytes, then nothing more.
fn sends(hosts: &Hosts, host: &str, bytes: &[&[u8]]) {
    fs::write(hosts.at(host).join("bytes"), bytes.concat()).unwrap();
    fs::write(hosts.at(host).join("answers"), "cat bytes; exec sleep 600").unwrap();
}

#[test]
fn a_host_that_means_ill_is_bounded_and_named_and_the_others_are_shown() {
    let names = [
        "good",
        "other",
        "huge",
        "bomb",
        "greets-slowly",
        "greets-on",
        "shows",
        "more",
        "strange",
        "chats",
        "noise",
    ];
    let hosts = Hosts::new(&names);
    hosts.append("good", &(0..20).map(|n| line(n, &format!("good {n:02}."))).collect::<String>());
    let greeted = [GREETING, &frame(&hello(true))].concat();
    sends(&hosts, "other", &[b"pcm-log 9\n"]);
    // A gigabyte, as it says, and it goes on sending.
    sends(&hosts, "huge", &[&greeted, b"j\x40\0\0\0"]);
    fs::write(hosts.at("huge").join("answers"), "cat bytes; exec yes").unwrap();
    // Much that is little on the line.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &vec![b' '; 30 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    sends(&hosts, "bomb", &[&greeted, b"z", &u32::try_from(packed.len()).unwrap().to_be_bytes(), &packed]);
    // Byte after byte.
    fs::write(
        hosts.at("greets-slowly").join("answers"),
        "printf 'pcm-log 1\\nj\\000\\000\\002\\000'; while printf x; do sleep 0.1; done",
    )
    .unwrap();
    sends(&hosts, "greets-on", &[&greeted, &frame(&hello(true))]);
    let steers = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m";
    sends(&hosts, "shows", &[format!("Welcome {steers}\n").as_bytes()]);
    sends(&hosts, "more", &[&greeted, &frame(&lines(200, "asked")), &frame(&lines(200, steers))]);
    sends(&hosts, "strange", &[&greeted, &frame(&json!({"later ".repeat(17_000): 1}))]);
    let said = json!({"problem": {"id": 1, "file": steers, "message": "no ".repeat(400)}});
    sends(&hosts, "chats", &[&greeted, &frame(&said).repeat(1_200)]);
    fs::write(hosts.at("noise").join("answers"), "exec cat /dev/urandom").unwrap();

    let output = hosts.pcm(&["--hosts", &names.join(","), "x.log"]);
    let (rows, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}");
    let of_good = (0..20).filter(|n| rows.contains(&format!("good {n:02}."))).count();
    assert_eq!(of_good, 20, "{rows}");
    for (host, words) in [
        ("other", "use the same version on both"),
        ("huge", "a message of 1073741824 bytes, more than pcm takes"),
        ("bomb", "cannot be unpacked"),
        ("greets-slowly", "no whole greeting of pcm came within 10s"),
        ("greets-on", "a second greeting"),
        ("shows", "before pcm there said anything"),
        ("more", "more lines at once than pcm takes"),
        ("strange", "does not know"),
        ("chats", "more of its files than pcm takes"),
        ("noise", "it s"),
    ] {
        let named = said.lines().any(|line| line.contains(host) && line.contains(words));
        assert!(named, "{host}: {words}: {said}");
    }
    for bytes in [&output.stdout, &output.stderr] {
        let steers = |c: char| (c.is_control() && c != '\n') || ('\u{80}'..='\u{9f}').contains(&c);
        let shown = String::from_utf8(bytes.clone()).unwrap();
        assert!(!shown.contains(steers), "{shown:?}");
    }
    assert!(said.len() < 100_000, "{} bytes were said of them", said.len());
}

#[test]
fn a_pcm_that_does_not_know_a_filter_is_named_and_shows_nothing() {
    let hosts = Hosts::new(&["old", "new"]);
    hosts.append("new", &line(1, "one of the new."));
    sends(
        &hosts,
        "old",
        &[
            GREETING,
            &frame(&hello(false)),
            &frame(&lines(1, "one of the old.")),
            &frame(&json!({"done": {"id": 1, "older": false}})),
        ],
    );
    let both = |args: &[&str]| hosts.pcm(&[&["--hosts", "old,new", "x.log"], args].concat());
    // It knows these, and is asked.
    let known = both(&["--grep", "one", "--level", "info"]);
    assert!(known.status.success(), "{}", text(&known.stderr));
    assert_eq!(text(&known.stdout).lines().count(), 2);
    let unknown = both(&["--not-grep", "two", "--not-thread", "7"]);
    let (rows, said) = (text(&unknown.stdout), text(&unknown.stderr));
    assert_eq!(unknown.status.code(), Some(2), "{said}");
    assert!(rows.contains("one of the new.") && !rows.contains("one of the old."), "{rows}");
    assert!(
        said.contains("old: pcm 0.0.9 there does not know --not-grep, --not-thread: use the same version"),
        "{said}"
    );
}
