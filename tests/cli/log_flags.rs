//! Each flag of `pcm log` beside `--hosts`: it does over there what it does here, or is refused with a sentence.

use super::log_hosts::Hosts;
use super::{command, pcm, text};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What a flag does with `--hosts`.
enum Does {
    /// With these arguments the same records are told as without `--hosts`.
    Same(&'static [&'static [&'static str]]),
    /// With these it is refused, and this is said.
    Refused(&'static [&'static str], &'static str),
    /// Another test looks at it.
    In(&'static str),
}
use Does::{In, Refused, Same};

const FLAGS: &[(&str, Does)] = &[
    ("--follow", In("cli::log_hosts: followed hosts")),
    ("--lines", Same(&[&["-n", "7"], &["-n", "0"], &["-n", "3", "--grep", "twin"], &["-n", "1000"]])),
    ("--grep", Same(&[&["--grep", "twin"], &["--grep", "Alpha", "--grep", "beta"], &["--grep", "nowhere"]])),
    (
        "--invert-match",
        Same(&[
            &["-v", "--grep", "twin"],
            &["-v", "--grep", "Alpha", "--grep", "beta", "--not-grep", "gamma"],
            &["-v", "--grep", "alpha", "--count"],
        ]),
    ),
    (
        "--not-grep",
        Same(&[&["--not-grep", "Alpha"], &["--grep", "twin", "--not-grep", "alpha", "--not-grep", "BETA"]]),
    ),
    ("--count", Same(&[&["-c"], &["-c", "--level", "error"], &["-c", "--thread", "3"]])),
    ("--after-context", Refused(&["-A", "1"], "--after-context")),
    ("--before-context", Refused(&["-B", "1"], "--before-context")),
    ("--context", Refused(&["-C", "1"], "--context")),
    (
        "--level",
        Same(&[
            &["--level", "warning"],
            &["--level", "error"],
            &["--level", "info"],
            &["--level", "verbose"],
        ]),
    ),
    ("--since", Same(&[&["--since", "2026-11-24 10:00:30"]])),
    (
        "--until",
        Same(&[
            &["--until", "2026-11-24 10:00:30"],
            &["--since", "2026-11-24 10:00:10", "--until", "2026-11-24 10:00:20"],
        ]),
    ),
    ("--component", Same(&[&["--component", "share"], &["--component", "SH*", "--component", "engine"]])),
    (
        "--not-component",
        Same(&[&["--not-component", "engine"], &["--not-component", "engine", "--not-component", "s*"]]),
    ),
    (
        "--thread",
        Same(&[
            &["--thread", "3"],
            &["--thread", "3", "--thread", "4"],
            &["--thread", "3", "--component", "share"],
        ]),
    ),
    ("--not-thread", Same(&[&["--not-thread", "3"], &["--not-thread", "3", "--not-thread", "4"]])),
    ("--request", Same(&[&["--request", "BP00001"], &["--request", "BP00001", "--request", "BP00002"]])),
    (
        "--not-request",
        Same(&[&["--not-request", "BP00001"], &["--not-request", "BP00001", "--not-request", "BP00002"]]),
    ),
    ("--rotated", Same(&[&["--rotated"], &["--rotated", "--grep", "before"]])),
    ("--hosts", In("all of them")),
    ("--folder", In("ssh::logs: the host key of the site folder")),
    ("--serve", Refused(&["--serve"], "--serve")),
    ("--explain-codes", Same(&[&["--explain-codes"], &["--explain-codes", "--level", "error"]])),
    ("--format", Refused(&["--format", "raw"], "--format raw")),
    ("--help", In("all verbs")),
];

fn line(n: usize) -> String {
    let (kind, component, thread) = (1 + n % 3, ["engine", "share", "SHARES"][n % 3], 1 + n % 5);
    let what = ["Alpha", "alpha beta", "beta gamma", "exit code 1603"][n % 4];
    let request = format!("BP0000{}", n % 4);
    format!(
        "<![LOG[{n:03} {what}{} of request {request}.]LOG]!><time=\"10:00:{:02}.000+000\" date=\"11-24-2026\" \
         component=\"{component}\" context=\"\" type=\"{kind}\" thread=\"{thread}\" file=\"\">\r\n",
        if n.is_multiple_of(7) { " twin" } else { "" },
        n % 60
    )
}

/// What is told of each record; or the count.
fn told(rows: &str) -> Vec<Value> {
    let of = |row: &str| {
        let row: Value = serde_json::from_str(row).unwrap();
        match row.get("count") {
            Some(count) => count.clone(),
            None => serde_json::json!([row["text"], row["file"], row["thread"], row["codes"]]),
        }
    };
    rows.lines().map(of).collect()
}

/// Those of the verb itself: what all verbs have stands behind.
fn flags(dir: &Path) -> Vec<String> {
    let help = text(&pcm(dir, &["log", "--help"]).stdout);
    let long = |line: &str| {
        let words = line.strip_prefix("  ")?.trim_start();
        let at =
            if line.starts_with("      --") { words } else { words.strip_prefix('-')?.split_once(", ")?.1 };
        let flag: String = at.chars().take_while(|c| *c == '-' || c.is_ascii_alphanumeric()).collect();
        flag.starts_with("--").then_some(flag)
    };
    help.lines().take_while(|line| *line != "Global:").filter_map(long).collect()
}

#[test]
fn each_flag_of_log_is_obeyed_with_hosts_or_refused() {
    let hosts = Hosts::new(&["a"]);
    let dir = hosts.at("a");
    hosts.append("a", &(10..60).map(line).collect::<String>());
    fs::write(dir.join("x.log.1"), (0..10).map(|n| line(n).replace("beta", "before")).collect::<String>())
        .unwrap();
    let mut seen = 0;
    for flag in flags(&dir) {
        let row = FLAGS.iter().find(|(known, _)| *known == flag);
        let (_, does) = row.unwrap_or_else(|| panic!("{flag} has no row in FLAGS"));
        seen += 1;
        match does {
            Same(tries) => tries.iter().for_each(|args| same(&hosts, args)),
            Refused(args, words) => {
                let refused = hosts.pcm(&[&["--hosts", "a", "x.log"], *args].concat());
                let said = text(&refused.stderr);
                assert_eq!(refused.status.code(), Some(2), "{flag}: {said}");
                assert!(said.contains(words) && refused.stdout.is_empty(), "{flag}: {said}");
            }
            In(place) => assert!(!place.is_empty()),
        }
    }
    assert_eq!(seen, FLAGS.len(), "a row of FLAGS is about no flag");
}

fn same(hosts: &Hosts, args: &[&str]) {
    let args = [&["x.log", "--json"], args].concat();
    let here = command(&hosts.at("a"), &[&["log"], &args[..]].concat()).output().unwrap();
    let there = hosts.pcm(&[&["--hosts", "a"], &args[..]].concat());
    assert_eq!(there.status.code(), here.status.code(), "{args:?}: {}", text(&there.stderr));
    assert_eq!(told(&text(&there.stdout)), told(&text(&here.stdout)), "{args:?}");
}
