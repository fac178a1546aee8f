//! The pages of `.github/docs` that are made of the program's own tables: verbs, settings, words, keys, documents. A test
//! compares each with its file; with `PCM_BLESS=1` in its environment it writes them (CONTRIBUTING.md). Tests only.
#![allow(clippy::unwrap_used)]

mod documents;
mod source;

use crate::cli::args::Cli;
use crate::config::{Config, Counts};
use crate::console::keymap::Keymap;
use crate::error::Exit;
use crate::site::folder::settings::Settings;
use crate::site::ids::{PackageId, SiteCode, SiteId};
use crate::site::package::starter;
use crate::terms::{Code, Gate, State};
use clap::{Arg, Command, CommandFactory};
use source::{Type, Types};
use std::path::Path;

/// The first line of each of them, after its title.
const MADE: &str = "<!-- Made of the program's own tables: PCM_BLESS=1 cargo test --lib cli::reference -->";

/// The files with what should stand in them.
fn pages() -> Vec<(&'static str, String)> {
    let types = Types::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    vec![
        ("commands.md", commands()),
        ("settings.md", settings()),
        ("words.md", words(&types)),
        ("keys.md", keys_page()),
        ("package-toml.md", package_toml()),
        ("documents.md", documents::page(&types)),
    ]
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/docs")
}

#[test]
fn the_pages_of_the_reference_say_what_the_program_says() {
    if cfg!(windows) {
        // Some defaults are others there; the pages show those of Linux.
        return;
    }
    let bless = std::env::var_os("PCM_BLESS").is_some();
    let mut out_of_date = Vec::new();
    for (name, text) in pages() {
        let path = folder().join(name);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(text.as_str()) {
            continue;
        }
        match bless {
            true => std::fs::write(&path, text).unwrap(),
            false => out_of_date.push(name),
        }
    }
    assert!(
        out_of_date.is_empty(),
        "out of date: {out_of_date:?}. PCM_BLESS=1 cargo test --lib cli::reference writes them anew"
    );
}

/// The sections of files.md with the source that reads their files.
const READERS: [(&str, &[&str]); 5] = [
    ("site.toml", &["site/folder/settings.rs"]),
    ("Jobs", &["site/index/job.rs", "site/instruction/parse/how.rs", "site/instruction/parse/times.rs"]),
    ("Policies of groups", &["site/index/policy.rs"]),
    (
        "Instruction files",
        &[
            "site/instruction/parse/request.rs",
            "site/instruction/parse/how.rs",
            "site/instruction/parse/times.rs",
        ],
    ),
    ("PCM.SITE", &["site/site_file.rs"]),
];

/// The page of files is written by hand; what is read of a file stands in it.
#[test]
fn every_key_that_is_read_of_a_file_is_in_the_page_of_files() {
    let page = std::fs::read_to_string(folder().join("files.md")).unwrap();
    let asked = regex::Regex::new(r#"\b[ft]\s*\.(?:get|need|list|table|tables)\(\s*"([a-z0-9_]+)""#).unwrap();
    let mut seen = 0;
    for (title, sources) in READERS {
        let section = page.split_once(&format!("\n## {title}\n")).unwrap().1;
        let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
        for source in sources {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(source);
            let text = std::fs::read_to_string(path).unwrap();
            for key in asked.captures_iter(&text).map(|found| found[1].to_owned()) {
                let here = [format!("`{key}`"), format!("[{key}]")].iter().any(|key| section.contains(key));
                assert!(here, "files.md, {title}: `{key}` of {source} is missing");
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "{seen}");
}

/// A page that is written by hand names a key as the console has it.
#[test]
fn the_page_of_logs_names_the_key_of_the_filters() {
    let table = Keymap::default().table();
    let row = table.lines().find(|line| line.contains("| filters |")).unwrap();
    let key = row.split(" | ").next().unwrap().trim_start_matches("| ");
    let page = std::fs::read_to_string(folder().join("logs.md")).unwrap();
    assert!(page.contains(&format!("console {key} lists the filters")), "{key}");
}

#[test]
fn sentences_of_the_pages_end_with_a_full_stop() {
    let page = commands();
    let (_, verbs) = page.split_once("\n## Verbs\n").unwrap();
    let sentences =
        verbs.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase() || c == '-'));
    let open: Vec<&str> = sentences.filter(|line| !line.ends_with(['.', ':', '?', '!'])).collect();
    assert!(open.is_empty(), "{open:#?}");
}

/// All verbs as they are typed, `site init` and `audit verify` included.
pub fn verbs<'c>(command: &'c Command, before: &str, found: &mut Vec<(String, &'c Command)>) {
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let name = format!("{before} {}", sub.get_name());
        if !(sub.has_subcommands() && sub.is_subcommand_required_set()) {
            found.push((name.clone(), sub));
        }
        verbs(sub, &name, found);
    }
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A sentence with its full stop.
fn sentence(text: &str) -> String {
    match text.ends_with(['.', ':', '?', '!']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

/// Words as the start of a sentence. A name of a setting or of a program stays as it is.
fn capital(text: &str) -> String {
    match ["signed", "pcm"].iter().any(|name| text.starts_with(name)) {
        true => text.to_owned(),
        false => text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect(),
    }
}

/// What holds for all verbs and no table says.
const COMMON: &str = "
`--machine` and `--share` say which machine and which share you mean. A verb of this machine refuses when its configuration, its
state or the service in use is of another machine (`other-machine`, exit status 3) or does not have that share (`other-share`).
Without a configuration they name what is looked at, and nothing can be changed. `site`, `package` and `simulate --file` read the
share that `--share` names; `init` writes both into a new configuration.

## Times

A time, in the console and on the command line, is one of `22:00`, `7am`, `tonight` (22:00), `\"tomorrow 07:00\"`, `\"Tue 22:00\"`,
`tue` (the day begins at 00:00), `\"YYYY-MM-DD HH:MM\"`, all on the machine's own clock; `2h`, `+2h`, `1h30m` from now, or ago for
`--since`; or RFC 3339. A duration is `90m`, `2h`, `1h30m`, `3d`. A time of day that a clock change skips means the first moment
after it; of one that comes twice, the nearer one.
";

fn commands() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = format!(
        "# Commands\n\n{MADE}\n\nThe same as `pcm help VERB` and `pcm man` say. What `--json` prints is in \
         [documents.md](documents.md), what the words mean in [words.md](words.md).\n\n## Flags of every verb\n\n"
    );
    let global = |a: &&Arg| a.is_global_set() && !a.is_hide_set();
    root.get_arguments().filter(global).for_each(|flag| page.push_str(&flag_line(flag)));
    page.push_str(COMMON);
    page.push_str("\n## Exit statuses\n\n| exit status | meaning |\n| --- | --- |\n");
    for (exit, words) in Exit::ALL {
        page.push_str(&format!("| {} | {words} |\n", *exit as u8));
    }
    page.push_str(
        "\n`pcm log` ends as grep does: 0 something was found, 1 nothing, 2 an error. `pcm rollout --check` ends as plugins \
         of monitoring systems do: 0 ok, 1 warning, 2 critical, 3 unknown. Errors are one line on standard error, or \
         `{\"error\": {...}}` with `--json`.\n\n## Verbs\n",
    );
    let mut all = vec![("pcm".to_owned(), &root)];
    verbs(&root, "pcm", &mut all);
    for (name, command) in all {
        page.push_str(&format!("\n### `{name}`\n\n"));
        let about = match name.as_str() {
            "pcm" => "The console".to_owned(),
            _ => {
                let about = command.get_long_about().or_else(|| command.get_about());
                about.map(ToString::to_string).unwrap_or_default()
            }
        };
        // The first paragraph is also the short help of its verb, which has no full stop.
        let (first, more) = about.split_once("\n\n").unwrap_or((&about, ""));
        page.push_str(&sentence(first));
        if !more.is_empty() {
            page.push_str(&format!("\n\n{}", sentence(more)));
        }
        let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
        if !aliases.is_empty() {
            page.push_str(&format!(" Also: {}.", aliases.join(", ")));
        }
        page.push_str(&format!("\n\n    {}\n", usage(&name, command)));
        let own = |a: &&Arg| {
            !a.is_global_set() && !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str())
        };
        let lines: Vec<String> = command.get_arguments().filter(own).map(flag_line).collect();
        if !lines.is_empty() {
            page.push_str(&format!("\n{}", lines.concat()));
        }
        if let Some(help) = command.get_after_help().filter(|_| name != "pcm") {
            page.push('\n');
            for line in help.to_string().lines() {
                page.push_str(format!("    {line}").trim_end());
                page.push('\n');
            }
        }
    }
    page
}

/// How an argument is typed.
fn typed(arg: &Arg) -> String {
    let value = match arg.get_value_names() {
        Some(names) => names.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" "),
        None => arg.get_id().as_str().to_uppercase(),
    };
    match (arg.get_long(), arg.get_action().takes_values()) {
        (Some(long), true) if arg.get_num_args().is_some_and(|n| n.min_values() == 0) => {
            format!("--{long}[={value}]")
        }
        (Some(long), true) => format!("--{long} {value}"),
        (Some(long), false) => format!("--{long}"),
        (None, _) => value,
    }
}

fn usage(name: &str, command: &Command) -> String {
    let mut line = name.to_owned();
    let own = |a: &&Arg| {
        !a.is_global_set() && !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str())
    };
    let (placed, flags): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(own).partition(|arg| arg.is_positional());
    for arg in placed.into_iter().chain(flags) {
        let many = match arg.get_action() {
            clap::ArgAction::Append if !typed(arg).ends_with("...") => "...",
            _ => "",
        };
        match arg.is_required_set() {
            true => line.push_str(&format!(" {}{many}", typed(arg))),
            false => line.push_str(&format!(" [{}]{many}", typed(arg))),
        }
    }
    line
}

fn flag_line(arg: &Arg) -> String {
    let short = arg.get_short().map(|letter| format!("`-{letter}`, ")).unwrap_or_default();
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut line = format!("- {short}`{}`: {}\n", typed(arg), sentence(help.replace('\n', " ").trim()));
    let values = arg.get_possible_values();
    let values = values.iter().filter(|value| !value.is_hide_set() && value.get_help().is_some());
    for value in values.filter(|_| !arg.is_hide_possible_values_set()) {
        let words = value.get_help().map(ToString::to_string).unwrap_or_default();
        line.push_str(&format!("  - `{}`: {}\n", value.get_name(), sentence(&words)));
    }
    line
}

fn settings() -> String {
    let mut page = format!(
        "# Settings: pcm.toml\n\n{MADE}\n\n`pcm init` writes `/etc/pcm/pcm.toml` with every setting and its default as a \
         comment. pcm reports all errors in the file at once, with line numbers, and starts nothing automatically until they \
         are corrected. A service obeys a change of the file within half a minute; a setting marked with `*` counts only \
         after a restart of the service. Durations are `90s`, `10m`, `2h` or `7d`; sizes are `500KB`, `10MB` or `5GB`, \
         in steps of 1024.\n"
    );
    for section in Config::sections() {
        let title = match (section.name, section.repeated) {
            ("", _) => "At the top".to_owned(),
            (name, true) => format!("`[[{name}]]`"),
            (name, false) => format!("`[{name}]`"),
        };
        page.push_str(&format!("\n## {title}\n\n"));
        if !section.words.is_empty() {
            page.push_str(&format!("{}\n\n", sentence(&capital(section.words))));
        }
        page.push_str("| key | default | meaning |\n| --- | --- | --- |\n");
        for setting in section.settings {
            let star = match setting.counts {
                Counts::Soon => "",
                Counts::AtStart => " *",
            };
            let value = match (setting.default, setting.example) {
                // An empty list shows nobody how one is written.
                (Some(default), Some(example)) => format!("`{default}`; e.g. `{example}`"),
                (Some(default), None) => format!("`{default}`"),
                (None, Some(example)) => format!("none; e.g. `{example}`"),
                (None, None) => "none".to_owned(),
            };
            page.push_str(&format!(
                "| `{}`{star} | {} | {} |\n",
                setting.key,
                cell(&value),
                cell(setting.words)
            ));
        }
    }
    page
}

fn words(types: &Types) -> String {
    let said = |name: &str, file: &str| -> Vec<(String, String)> {
        types.find(name, file).map(|found: &Type| found.values.clone()).unwrap()
    };
    let of = |all: &[(String, String)], word: &str| {
        let (_, words) = all.iter().find(|(known, _)| known == word).unwrap();
        cell(words)
    };
    let mut page = format!(
        "# Words: states, gates and reason codes\n\n{MADE}\n\nThese words stand in lists, explanations, JSON, the log and \
         reports, and are the same everywhere.\n\n## States of a request\n\n| shown as | state | meaning |\n| --- | --- | --- |\n"
    );
    let states = said("State", "terms.rs");
    for state in State::ALL {
        let group = state.group();
        page.push_str(&format!("| {group} | `{state}` | {} |\n", of(&states, state.as_str())));
    }
    page.push_str(
        "\n## Gates\n\nA request starts automatically when every gate passes. What cannot be known closes a gate. An operator \
         passes a gate marked *yes* by its name: `pcm run REQUEST --override GATE --reason R`.\n\n| gate | passes when | \
         override |\n| --- | --- | --- |\n",
    );
    let gates = said("Gate", "terms/gates.rs");
    for gate in Gate::ALL {
        let yes = if gate.row().overridable { "yes" } else { "" };
        page.push_str(&format!("| `{gate}` | {} | {yes} |\n", of(&gates, gate.as_str())));
    }
    page.push_str(
        "\n## Reason codes\n\n| code | gate | meaning | it goes when | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    let codes = said("Code", "terms/gates.rs");
    for code in Code::ALL {
        let row = code.row();
        page.push_str(&format!(
            "| `{code}` | `{}` | {} | {} | {} |\n",
            row.gate,
            of(&codes, code.as_str()),
            cell(row.opens),
            cell(&sentence(row.remedy).replace("{id}", "REQUEST"))
        ));
    }
    page.push_str(
        "\n## Expressions\n\nTests are joined with `&&`, `||`, `!` and parentheses, and compare with `==`, `!=`, `<`, `<=`, `>`, \
         `>=`; texts stand in double quotes. What a machine cannot know does not hold.\n",
    );
    for (file, name, title) in [
        ("site/expression/mod.rs", "Name", "`where` of a job or a package, and every list of machines"),
        ("site/expression/filter.rs", "Now", "Lists of machines only: `--where`, `/` in view 5"),
        ("site/expression/measure.rs", "Figure", "Figures of a rollout: `--fail-if`, `--warn`, `--crit`"),
    ] {
        page.push_str(&format!("\n### {title}\n\n| name | meaning |\n| --- | --- |\n"));
        for (word, words) in said(name, file) {
            page.push_str(&format!("| `{word}` | {} |\n", cell(&words)));
        }
    }
    page.push_str(
        "\n`package(ID)` and `job(ID)` are the state of the newest attempt there, `never` without one; `fact(\"name\")` is what \
         `[report] facts` of a machine's `pcm.toml` says.\n",
    );
    page
}

fn keys_page() -> String {
    format!(
        "# Keys of the console\n\n{MADE}\n\nA key means what the first row that fits the pane says; `?` shows those of the view \
         that is open, `:` finds a command by its name. The command `key-file` writes this table as a file for `[console] \
         keymap`, a file of lines such as `run = \"r\"`.\n\n{}",
        Keymap::default().table()
    )
}

fn package_toml() -> String {
    let id: PackageId = "BP00000A".parse().unwrap();
    let site = Settings::new(
        "BP0".parse::<SiteCode>().unwrap(),
        "b9wgwnwb4hem3a98".parse::<SiteId>().unwrap(),
        "/srv/pcm",
    );
    format!(
        "# package.toml and site.toml\n\n{MADE}\n\n## package.toml\n\n`pcm package new` writes this file. A line without `#` has \
         to be there.\n\n```toml\n{}```\n\n## site.toml\n\n`pcm site init` writes this one.\n\n```toml\n{}```\n",
        starter(id, &"Acme Workstation".into()),
        site.starter()
    )
}
