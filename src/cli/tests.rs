//! The command line as others rely on it: README and clap's tree say the same, folders are found by DESIGN.md 6, wrong
//! usage is said in a line.
#![allow(clippy::unwrap_used)]

use super::args::{Cli, Global, Verb};
use super::setup::layout;
use super::{usable_flags, usage_words};
use crate::text::shell_word;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::path::Path;

/// All verbs as they are typed, `site init` and `audit verify` included.
fn verbs(command: &clap::Command, before: &str) -> Vec<String> {
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let name = format!("{before} {}", sub.get_name());
        let below = verbs(sub, &name);
        if below.is_empty() || !sub.is_subcommand_required_set() {
            found.push(name);
        }
        found.extend(below);
    }
    found
}

/// The first cells of README's table of commands.
fn documented() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let rows = readme.lines().filter_map(|l| l.strip_prefix("| `pcm ")?.split("` |").next());
    rows.map(|r| format!("pcm {}", r.replace("\\|", "|"))).collect()
}

#[test]
fn every_verb_is_in_the_table_of_the_readme_with_its_flags() {
    let documented = documented();
    let command = Cli::command();
    for verb in verbs(&command, "pcm") {
        let optional = verb.replace("audit verify", "audit [verify]");
        let row = documented
            .iter()
            .find(|d| [&verb, &optional].iter().any(|v| *d == *v || d.starts_with(&format!("{v} "))));
        let row = row.unwrap_or_else(|| panic!("README's table does not have `{verb}`"));
        let sub = verb.split(' ').skip(1).try_fold(&command, |c, name| c.find_subcommand(name)).unwrap();
        let own = sub.get_arguments().filter(|a| !a.is_global_set() && !a.is_hide_set());
        for flag in own.filter_map(clap::Arg::get_long) {
            let common = ["help", "version", "read-only", "ascii", "slow", "theme", "follow"].contains(&flag);
            assert!(common || row.contains(&format!("--{flag}")), "`{row}` does not have --{flag}");
        }
    }
}

#[test]
fn the_readme_has_every_exit_status_and_no_other() {
    let readme = include_str!("../../README.md");
    let table = readme.split_once("| exit status | meaning |\n| --- | --- |\n").unwrap().1;
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let known = crate::error::Exit::ALL;
    let wanted: Vec<String> =
        known.iter().map(|(exit, words)| format!("| {} | {words} |", *exit as u8)).collect();
    assert_eq!(rows, wanted);
}

#[test]
fn the_readme_has_no_verb_that_does_not_exist() {
    let known = verbs(&Cli::command(), "pcm");
    for row in documented() {
        let letter = |c: char| c.is_ascii_lowercase() || c == '-';
        let word = |w: &&str| !w.starts_with('-') && w.chars().all(letter);
        let words: Vec<&str> = row.split(' ').take_while(word).collect();
        assert!(known.contains(&words.join(" ")), "{row}");
    }
}

#[test]
fn clap_accepts_its_own_tree() {
    Cli::command().debug_assert();
}

fn found(args: &[&str], env: &[(&str, &str)]) -> crate::host::paths::Layout {
    let cli = Cli::try_parse_from([&["pcm"], args].concat()).unwrap();
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    layout(&cli.global, env, &crate::host::paths::Layout::system())
}

#[test]
fn folders_are_the_systems_unless_flags_or_environment_name_others() {
    let plain = found(&[], &[]);
    assert_eq!(plain.config, Path::new("/etc/pcm/pcm.toml"));
    assert_eq!(plain.state, Path::new("/var/lib/pcm"));
    assert_eq!(plain.log, Path::new("/var/log/pcm"));
    assert_eq!(plain.socket, Path::new("/run/pcm/pcm.sock"));

    let env = [("PCM_CONFIG", "/a/pcm.toml"), ("PCM_STATE", "/a/state")];
    let named = found(&[], &env);
    assert_eq!(
        (named.config.as_path(), named.state.as_path()),
        (Path::new("/a/pcm.toml"), Path::new("/a/state"))
    );
    assert_eq!(
        (named.log.as_path(), named.socket.as_path()),
        (Path::new("/a/state/log"), Path::new("/a/state/pcm.sock"))
    );

    let flags = found(&["--state", "/b", "status"], &env);
    assert_eq!(
        (flags.config.as_path(), flags.socket.as_path()),
        (Path::new("/a/pcm.toml"), Path::new("/b/pcm.sock"))
    );
}

#[test]
fn relative_folders_become_absolute() {
    let layout = layout(
        &Global { state: Some("state".into()), config: Some("./x/pcm.toml".into()), ..Global::default() },
        |_| None,
        &crate::host::paths::Layout::system(),
    );
    assert!(
        layout.state.is_absolute() && layout.config.is_absolute() && layout.config.ends_with("x/pcm.toml")
    );
}

#[test]
fn dry_run_goes_only_with_verbs_that_change_something() {
    let ok = |args: &[&str]| usable_flags(&Cli::try_parse_from([&["pcm"], args].concat()).unwrap()).is_ok();
    assert!(
        ok(&["run", "BP0000Y", "--dry-run"]) && ok(&["--dry-run", "hold", "--for", "2h", "--reason", "x"])
    );
    assert!(!ok(&["list", "--dry-run"]) && !ok(&["--dry-run"]) && !ok(&["log", "--dry-run"]));
    assert!(ok(&["--ascii"]) && !ok(&["--ascii", "list"]));
}

#[test]
fn trigger_is_run() {
    let cli =
        Cli::try_parse_from(["pcm", "trigger", "bp0000y", "--override", "window,users", "--reason", "x"])
            .unwrap();
    let Some(Verb::Run(args)) = cli.verb else { panic!("{cli:?}") };
    assert_eq!(args.request.as_str(), "BP0000Y");
    assert_eq!(args.overrides.len(), 2);
}

#[test]
fn wrong_usage_is_what_is_wrong_and_how_it_goes() {
    let e = Cli::try_parse_from(["pcm", "defer", "BP0000Y", "--reason", "x"]).unwrap_err();
    let (wrong, usage) = usage_words(&e.render().to_string());
    assert!(wrong.contains("--until") && !wrong.contains("For more information"), "{wrong}");
    assert!(usage.starts_with("Usage: pcm defer"), "{usage}");
}

#[test]
fn suggested_commands_survive_a_shell() {
    assert_eq!(shell_word("/tmp/pcm-demo-1/state"), "/tmp/pcm-demo-1/state");
    assert_eq!(shell_word("/tmp/my site's"), "'/tmp/my site'\\''s'");
}
