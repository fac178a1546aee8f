//! `completions` and `man`: what shells and man make of them.

use super::common::skipped;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn pcm(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_pcm"))
        .args(args)
        .env("PCM_CONFIG", "/nowhere/pcm.toml")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn there(program: &str) -> bool {
    let found =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skipped(format_args!("there is no {program} here"));
    }
    found
}

/// What bash offers after these words.
fn offered(line: &str) -> Vec<String> {
    let script = String::from_utf8(pcm(&["completions", "bash"]).stdout).unwrap();
    let ask = format!(
        "{script}\nCOMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _pcm pcm \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let mut bash = Command::new("bash")
        .args(["--norc", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(ask.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_and_flags() {
    if !there("bash") {
        return;
    }
    assert_eq!(offered("pcm exp"), ["explain"]);
    assert_eq!(offered("pcm defer --rea"), ["--reason"]);
    assert_eq!(offered("pcm --hos"), ["--host"]);
    assert_eq!(offered("pcm audit ver"), ["verify"]);
    let all = offered("pcm run-");
    assert!(!all.contains(&"run-host".to_owned()), "what only pcm itself starts is not offered: {all:?}");
}

#[test]
fn every_shell_gets_a_script_and_an_unknown_one_is_told_which_there_are() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(pcm(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("explain"), "{shell}");
    }
    let wrong = Command::new(env!("CARGO_BIN_EXE_pcm")).args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("zsh"));
}

#[test]
fn the_manual_page_has_every_verb_and_man_has_nothing_to_complain_about() {
    let page = pcm(&["man"]).stdout;
    let text = String::from_utf8(page.clone()).unwrap();
    for wanted in [".TH pcm 1", ".SH VERBS", ".SH ENVIRONMENT", "pcm explain", "PCM_SSH", "Exit status"] {
        assert!(text.contains(wanted) || text.contains(&wanted.replace('-', "\\-")), "{wanted}");
    }
    assert!(!text.contains("run\\-host"), "what only pcm itself starts is not in it");
    if !there("man") {
        return;
    }
    let mut man = Command::new("man")
        .args(["--warnings", "-l", "-"])
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    man.stdin.take().unwrap().write_all(&page).unwrap();
    let shown = man.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    if !shown.status.success() || !out.contains("VERBS") {
        skipped(format_args!("man shows nothing here: {err}"));
        return;
    }
    assert_eq!(err, "", "warnings of the formatter");
    for wanted in
        ["pcm explain REQUEST", "--reason R", "pcm audit verify", "EXIT STATUS", "Do it on another machine"]
    {
        assert!(out.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}\n{out}");
    }
}
