//! The command line as others rely on it: README, its pages and clap's tree say the same, folders are found by DESIGN.md 6, wrong
//! usage is said in a line.
#![allow(clippy::unwrap_used)]

use super::args::{Cli, Global, Verb};
use super::setup::layout;
use super::{usable_flags, usage_words};
use crate::text::shell_word;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::path::Path;

/// README, the pages beside it and this crate's changes: each with its name.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    for folder in [".github", ".github/docs"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    let read = |path: std::path::PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// The command lines of pcm in a text: lines of its indented blocks, and what stands in backquotes.
fn command_lines(text: &str) -> Vec<String> {
    let flat = text.lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>().join(" ");
    let quoted = flat.split('`').skip(1).step_by(2);
    let blocks = text.lines().filter_map(|line| line.strip_prefix("    "));
    let all = blocks.flat_map(|line| line.split("&& ").flat_map(|part| part.split("$(")));
    let typed = all.chain(quoted).map(|line| line.trim().trim_start_matches("$ "));
    typed.filter(|line| line.starts_with("pcm ")).map(str::to_owned).collect()
}

/// What stands in README and in its pages as a command of pcm has that verb and those flags.
#[test]
fn no_text_names_a_verb_or_a_flag_that_there_is_not() {
    let mut root = Cli::command();
    root.build();
    let mut seen = 0;
    for (name, text) in texts().iter().filter(|(name, _)| !name.ends_with("CHANGELOG.md")) {
        for line in command_lines(text) {
            let mut command = &root;
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let mut rest = words.iter().peekable();
            while let Some(word) = rest.next() {
                // A flag may stand before the verb, with its value.
                if let Some(flag) = word.strip_prefix("--") {
                    let of_all = root.get_arguments().find(|arg| arg.get_long() == Some(flag));
                    rest.next_if(|_| of_all.is_some_and(|arg| arg.get_action().takes_values()));
                    continue;
                }
                // `run|rerun` stand for several; the first word that is no verb is an argument.
                let Some(sub) = command.find_subcommand(word.split(['|', '/']).next().unwrap()) else {
                    break;
                };
                command = sub;
            }
            let first = words.first().filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            let known =
                command.get_name() != root.get_name() || first.is_none_or(|word| word.starts_with('-'));
            assert!(known, "{name}: there is no verb in `{line}`");
            for word in words.iter().take_while(|word| !["|", ">", "#", "--"].contains(*word)) {
                let word = word.trim_start_matches(['[', '(', '\'', '"']);
                let Some(flag) = word.strip_prefix("--") else { continue };
                let flag: String = flag.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
                let has = command.get_arguments().chain(root.get_arguments());
                let has = has.filter_map(clap::Arg::get_long).any(|long| long == flag);
                assert!(has, "{name}: `{line}`: there is no --{flag}");
                seen += 1;
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

/// Every link of README and its pages leads to a file of this checkout, and to a heading where it names one.
#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for (name, text) in texts() {
        for found in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if found.contains("://") {
                continue;
            }
            let (file, heading) = found.split_once('#').unwrap_or((&found, ""));
            let folder = Path::new(&name).parent().unwrap();
            let path = if file.is_empty() { root.join(&name) } else { root.join(folder).join(file) };
            assert!(path.exists(), "{name}: {found}");
            if !heading.is_empty() {
                let there = std::fs::read_to_string(&path).unwrap();
                assert!(
                    there.lines().any(|line| anchor(line).as_deref() == Some(heading)),
                    "{name}: {found}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// How a heading is named in a link.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

/// README has the statuses that matter, in the words of the program.
#[test]
fn the_exit_statuses_of_the_readme_are_those_of_the_program() {
    let readme = include_str!("../../README.md");
    let table = readme.split_once("| exit status | meaning |\n| --- | --- |\n").unwrap().1;
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let known = crate::error::Exit::ALL;
    let known: Vec<String> =
        known.iter().map(|(exit, words)| format!("| {} | {words} |", *exit as u8)).collect();
    assert!(rows.len() > 2);
    for row in rows {
        assert!(known.iter().any(|known| known == row), "{row}");
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
