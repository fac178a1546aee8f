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
    offered_by(line, std::path::Path::new("/nowhere"))
}

/// The same on the machine whose configuration and state are in this folder.
fn offered_by(line: &str, dir: &std::path::Path) -> Vec<String> {
    let script = String::from_utf8(pcm(&["completions", "bash"]).stdout).unwrap();
    let ask = format!(
        "{script}\nCOMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _pcm_with_words pcm \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_pcm")).parent().unwrap().display().to_string();
    let mut bash = Command::new("bash")
        .args(["--norc", "-s"])
        .env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap_or_default()))
        .env("PCM_CONFIG", dir.join("pcm.toml"))
        .env("PCM_STATE", dir.join("state"))
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
fn bash_completes_values_and_what_only_the_machine_knows() {
    if !there("bash") {
        return;
    }
    assert!(offered("pcm run BP0000Y --override w").contains(&"window".to_owned()));
    assert_eq!(offered("pcm run BP0000Y --override window,us"), ["window,users"], "one after the other");
    assert!(offered("pcm run BP0000Y --override window,").contains(&"window,hold".to_owned()));
    assert_eq!(offered("pcm run BP0000Y --override ex"), [""; 1], "what nobody can pass over is not offered");
    assert_eq!(offered("pcm --theme high"), ["high-contrast"]);
    assert!(offered("pcm simulate --assume users").contains(&"users=none".to_owned()));
    let dir = super::enrolled();
    let here = |line: &str| offered_by(line, dir.path());
    assert_eq!(here("pcm explain BP"), ["BP0000Y"]);
    assert_eq!(here("pcm defer bp"), ["BP0000Y"], "as it is to be written");
    assert_eq!(here("pcm --machine BP"), ["BP004000"]);
    assert_eq!(here("pcm defer BP0000Y --rea"), ["--reason"]);
    assert_eq!(here("pcm --machine BP004000 explain BP"), ["BP0000Y"], "behind flags that each verb has");
    for line in ["pcm service install \"\"", "pcm job show \"\""] {
        let offered = here(line);
        assert!(
            !offered.contains(&"BP0000Y".to_owned()),
            "it is about no request of this machine: {offered:?}"
        );
    }
    assert_eq!(here("pcm service install --dry"), ["--dry-run"]);
    assert_eq!(here("pcm service inst"), ["install"]);
}

#[test]
fn zsh_and_fish_ask_for_ids_too() {
    // As they stand alone: `pcm service install` is another verb.
    let fish = String::from_utf8(pcm(&["completions", "fish"]).stdout).unwrap();
    let asking: Vec<&str> =
        fish.lines().filter(|line| line.contains("pcm words") && line.contains(" -f -a ")).collect();
    assert_eq!(asking.len(), 2, "{asking:?}");
    assert!(asking.iter().all(|line| line.contains("\"__fish_pcm_using_subcommand ")), "{asking:?}");
    for (shell, ask) in [("zsh", "$(pcm words requests"), ("fish", "(pcm words requests")] {
        let script = String::from_utf8(pcm(&["completions", shell]).stdout).unwrap();
        assert!(script.contains(ask) && script.contains(&ask.replace("requests", "machines")), "{shell}");
        let listed = if shell == "zsh" { ":_sequence compadd - " } else { "(__fish_append , " };
        let gates = script.split(listed).nth(1).unwrap_or_default();
        assert!(gates.lines().next().unwrap_or_default().contains("window"), "{shell}: {gates}");
        if there(shell) {
            let mut check = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            check.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(check.wait().unwrap().success(), "{shell} reads it");
        }
    }
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
    let Some((out, err)) = formatted(&page) else { return };
    assert_eq!(err, "", "warnings of the formatter");
    for wanted in
        ["pcm explain REQUEST", "--reason R", "pcm audit verify", "EXIT STATUS", "Do it on another machine"]
    {
        assert!(out.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}\n{out}");
    }
}

/// What `man` shows of a page, and what it complains about. None: it shows nothing here.
fn formatted(page: &[u8]) -> Option<(String, String)> {
    if !there("man") {
        skipped("man is not installed");
        return None;
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
    man.stdin.take().unwrap().write_all(page).unwrap();
    let shown = man.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    if !shown.status.success() || !out.contains("SEE ALSO") {
        skipped(format_args!("man shows nothing here: {err}"));
        return None;
    }
    Some((out.into_owned(), err.into_owned()))
}

/// The verbs of `pcm --help`, which are the families.
fn families() -> Vec<String> {
    let help = String::from_utf8(pcm(&["--help"]).stdout).unwrap();
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let rows = listed.lines().filter_map(|line| line.strip_prefix("  ")).filter(|row| !row.starts_with(' '));
    rows.filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn each_verb_has_a_page_of_its_own_that_packages_carry() {
    let families = families();
    for verb in ["status", "site", "job", "service", "man", "rollout"] {
        assert!(families.iter().any(|family| family == verb), "{families:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().display().to_string();
    pcm(&["package-files", &to]);
    let file = |name: &str| std::fs::read(dir.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(file("man/pcm.1"), pcm(&["man"]).stdout);
    assert_eq!(file("completions/pcm"), pcm(&["completions", "bash"]).stdout);
    assert_eq!(file("completions/_pcm"), pcm(&["completions", "zsh"]).stdout);
    assert_eq!(file("completions/pcm.fish"), pcm(&["completions", "fish"]).stdout);
    let mut all = Vec::new();
    for verb in &families {
        let page = file(&format!("man/pcm-{verb}.1"));
        assert_eq!(page, pcm(&["man", verb]).stdout, "{verb}");
        let text = String::from_utf8(page.clone()).unwrap();
        assert!(
            text.contains(&format!(".TH pcm\\-{verb} 1")) || text.contains(&format!(".TH pcm-{verb} 1")),
            "{text}"
        );
        all.extend(page);
    }
    let pages = std::fs::read_dir(dir.path().join("man")).unwrap().count();
    assert_eq!(String::from_utf8(file("man/pcm-trigger.1")).unwrap(), ".so man1/pcm-run.1\n");
    assert_eq!(pcm(&["man", "trigger"]).stdout, pcm(&["man", "run"]).stdout, "the same by its other name");
    assert_eq!(pages, families.len() + 2, "and no other");
    let Some((out, err)) = formatted(&all) else { return };
    assert_eq!(err, "", "warnings of the formatter");
    for wanted in ["pcm-site", "pcm site machine add", "--no-publish", "pcm run REQUEST", "pcm audit verify"]
    {
        assert!(out.contains(wanted), "{wanted}\n{out}");
    }
    let unknown = Command::new(env!("CARGO_BIN_EXE_pcm")).args(["man", "run-host"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{}", String::from_utf8_lossy(&unknown.stderr));
}
