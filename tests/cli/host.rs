//! `--host`: what is started, with what, and what becomes of its end. The client here is a script that writes down its
//! arguments; tests/ssh does the same with the real one.

use super::common::*;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Client {
    dir: tempfile::TempDir,
}

impl Client {
    /// A stand-in for ssh: it writes its arguments down, one a line, and then does this.
    fn new(then: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("the client");
        let text =
            format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\n{then}\n", dir.path().join("args").display());
        install_script(&script, &text);
        Self { dir }
    }

    fn script(&self) -> PathBuf {
        self.dir.path().join("the client")
    }

    fn pcm(&self, args: &[&str]) -> Output {
        let mut pcm = Command::new(env!("CARGO_BIN_EXE_pcm"));
        pcm.env("PCM_SSH", format!("\"{}\" -p 2222", self.script().display()));
        pcm.args(args).stdin(std::process::Stdio::null()).output().unwrap()
    }

    fn args(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("args")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn host_and_command_stand_after_the_two_dashes_and_words_are_quoted_for_the_shell_there() {
    let client = Client::new("exit 0");
    let output =
        client.pcm(&["--host", "root@web-01", "stop", "BP0000Y", "--reason", "it's; $(touch x) `id`"]);
    assert!(output.status.success(), "{}", text(&output));
    let args = client.args();
    let dashes = args.iter().position(|arg| arg == "--").unwrap();
    assert_eq!(&args[..2], ["-p", "2222"], "options of PCM_SSH come first");
    assert!(
        args[..dashes].contains(&"-T".to_owned()) && args[..dashes].contains(&"BatchMode=yes".to_owned())
    );
    let remote = ["root@web-01", "pcm", "stop", "BP0000Y", "--reason", r"'it'\''s; $(touch x) `id`'"];
    assert_eq!(args[dashes + 1..], remote);
}

#[test]
fn the_exit_status_and_both_outputs_are_those_of_the_other_side() {
    for status in [0, 2, 3, 7, 10] {
        let client = Client::new(&format!("echo out; echo 'err\x1b[2J' >&2; exit {status}"));
        let output = client.pcm(&["--host", "web", "status"]);
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "err^[[2J\n", "no escape from over there");
    }
}

#[test]
fn a_host_that_cannot_be_reached_or_has_no_pcm_is_told_in_one_line_or_as_a_document() {
    let cases = [
        (255, "ssh: connect to host web port 22: refused", "host-unreachable"),
        (127, "sh: pcm: not found", "no-pcm-there"),
    ];
    for (status, said, code) in cases {
        let client = Client::new(&format!("echo '{said}' >&2; exit {status}"));
        let output = client.pcm(&["--host", "web", "list", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], code);
        assert!(error["error"]["message"].as_str().unwrap().contains(said), "{error}");
        let output = client.pcm(&["--host", "web", "list"]);
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{}", text(&output));
    }
}

#[test]
fn a_line_that_drops_has_a_status_of_its_own_and_says_how_to_look_again() {
    let client = Client::new("echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255");
    for (args, look) in [
        (&["run", "BP0000Y", "--wait"][..], "pcm --host web history BP0000Y"),
        (&["hold", "--for", "1h", "--reason", "x"], "pcm --host web audit"),
        (&["list"], "the same command again"),
    ] {
        let output = client.pcm(&[&["--host", "web", "--json"], args].concat());
        assert_eq!(output.status.code(), Some(8), "{}", text(&output));
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "connection-lost");
        assert!(error["error"]["remedy"].as_str().unwrap().contains(look), "{error}");
    }
    // Killed without a word: what it had begun is not known either.
    let killed = Client::new("kill -9 $$").pcm(&["--host", "web", "run", "BP0000Y"]);
    assert_eq!(killed.status.code(), Some(8), "{}", text(&killed));
}

#[test]
fn where_the_other_side_does_not_understand_both_versions_are_named() {
    let version = "case \"$*\" in *--version) echo 'pcm 9.9.9'; exit 0;; esac";
    let client = Client::new(&format!("{version}; echo \"error: unexpected argument\" >&2; exit 2"));
    let output = client.pcm(&["--host", "web", "list"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output);
    let versions = said.contains("web has pcm 9.9.9") && said.contains(env!("CARGO_PKG_VERSION"));
    assert!(versions && said.contains("unexpected argument"), "{said}");
    let doc = r#"{"error":{"code":"usage","message":"unexpected argument '\''--x'\''","remedy":"Usage: pcm list"}}"#;
    let client = Client::new(&format!("{version}; printf '%s\\n' '{doc}' >&2; exit 2"));
    let output = client.pcm(&["--host", "web", "list", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("it did not understand: unexpected argument '--x'"), "{message}");
    let same = version.replace("9.9.9", env!("CARGO_PKG_VERSION"));
    let client = Client::new(&format!("{same}; echo wrong >&2; exit 2"));
    assert!(!text(&client.pcm(&["--host", "web", "list"])).contains("this is pcm"));
}

#[test]
fn what_is_no_host_or_no_client_starts_nothing() {
    let client = Client::new("exit 0");
    for bad in ["-oProxyCommand=touch x", "web;id", "web 01", ""] {
        let output = client.pcm(&[&format!("--host={bad}"), "status"]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", text(&output));
        assert!(client.args().is_empty(), "{bad}");
    }
    let console = client.pcm(&["--host", "web"]);
    assert_eq!(console.status.code(), Some(2), "a console needs a terminal: {}", text(&console));
    assert!(client.args().is_empty());
    for (program, status) in [("/nowhere/ssh", 1), ("\"open", 2)] {
        let output = Command::new(env!("CARGO_BIN_EXE_pcm"))
            .env("PCM_SSH", program)
            .args(["--host", "web", "who"])
            .output();
        assert_eq!(output.unwrap().status.code(), Some(status), "{program}");
    }
}

#[test]
fn the_other_side_refuses_when_it_is_not_the_machine_that_was_named() {
    let site = Site::new();
    assert!(site.pcm(&["--expect-machine", MACHINE, "who"]).status.success());
    let error = site.refused(&["--expect-machine", "BP004001", "poll"], 3);
    assert_eq!(error["code"], "other-machine");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(MACHINE) && message.contains("BP004001"), "{message}");
    assert_eq!(site.json(&["audit"])["entries"].as_array().unwrap().len(), 0, "nothing was done");
}
