//! `pcm man [VERB]`: the manual page of everything, and one for each family of verbs, from the same tree as the help.

use super::args::Cli;
use super::out::Out;
use crate::config::{Config, Counts};
use crate::error::{Exit, Failure, Result};
use crate::executor::notices::Event;
use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// What the tree does not say: folders and variables.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("PCM_CONFIG", "The configuration file, as --config."),
    ("PCM_STATE", "The state folder, as --state."),
    ("PCM_SSH", "The program and its options with which --host and log --hosts connect, instead of ssh."),
    ("NO_COLOR", "Not empty: no colours."),
    ("TERM, COLORTERM, LANG", "What the terminal can do; it is never asked."),
];
const FILES: [(&str, &str); 5] = [
    ("/etc/pcm/pcm.toml", "The configuration."),
    ("/var/lib/pcm", "The state: history, staged content, runs."),
    ("/var/log/pcm/PACMAN.LOG", "The log."),
    ("/var/log/pcm/runs", "A transcript of each run, as long as [retention] keeps it."),
    ("~/.config/pcm/themes", "Themes of the console that replace those of the same name."),
];

/// Prints one of them.
///
/// # Errors
/// There is no such verb; standard output cannot be written.
pub fn print(verb: Option<&str>, out: &Out) -> Result<Exit> {
    let command = Cli::command();
    let name = verb.map_or_else(
        || MAIN.to_owned(),
        |verb| {
            let mut all = families(&command);
            page_of(all.find(|sub| other_names(sub).any(|name| name == verb)).map_or(verb, Command::get_name))
        },
    );
    let page = pages()?.into_iter().find(|(page, _)| *page == name);
    let (_, page) = page.ok_or_else(|| {
        let message = format!("there is no verb `{}`", verb.unwrap_or_default());
        Failure::new(Exit::Usage, "usage", message, "`pcm man` has all verbs; pages are of the first word")
    })?;
    out.text(&page)?;
    Ok(Exit::Done)
}

const MAIN: &str = "pcm.1";

/// The file of a family's page.
fn page_of(verb: &str) -> String {
    format!("pcm-{verb}.1")
}

/// All pages: the name of each file with its text, the whole first.
///
/// # Errors
/// One cannot be made: a defect.
pub fn pages() -> Result<Vec<(String, String)>> {
    let mut command = Cli::command();
    command.build();
    // Of another name there is a page that only leads on.
    let others = families(&command).flat_map(|sub| {
        let text = format!(".so man1/{}\n", page_of(sub.get_name()));
        other_names(sub).map(move |name| Ok((page_of(name), text.clone())))
    });
    let made = std::iter::once(whole(&command).map(|page| (MAIN.to_owned(), page)))
        .chain(families(&command).map(|sub| Ok((page_of(sub.get_name()), family(sub)?))))
        .chain(others);
    made.collect::<std::io::Result<_>>().map_err(|e| {
        Failure::new(Exit::Failed, "output", format!("the manual page cannot be made: {e}"), "Report this")
    })
}

fn other_names(verb: &Command) -> impl Iterator<Item = &str> {
    verb.get_visible_aliases()
}

fn families(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn whole(command: &Command) -> std::io::Result<String> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut verbs = Roff::default();
    verbs.control("SH", ["VERBS"]);
    verb_sections(command, "pcm", &mut verbs);
    verbs.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut rest = Roff::default();
    for (title, lines) in [("ENVIRONMENT", &ENVIRONMENT[..]), ("FILES", &FILES[..])] {
        rest.control("SH", [title]);
        for (name, words) in lines {
            rest.control("TP", []).text([bold(*name)]).text([roman(*words)]);
        }
    }
    configuration(&mut rest);
    notifications(&mut rest);
    rest.to_writer(&mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    let mut others = Roff::default();
    let names: Vec<String> = families(command).map(|sub| format!("pcm-{}(1)", sub.get_name())).collect();
    others.control("SH", ["SEE ALSO"]).text([roman(names.join(", "))]);
    others.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// One verb with those below it; what every verb has is on the page of the whole.
fn family(sub: &Command) -> std::io::Result<String> {
    let name = format!("pcm {}", sub.get_name());
    let man = Man::new(sub.clone()).source(format!("pcm {}", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    let mut first = true;
    each_usable(sub, &name, &mut |verb, name| {
        if !std::mem::take(&mut first) {
            roff.control("br", []);
        }
        roff.text(title(verb, name));
    });
    roff.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut roff = Roff::default();
    if is_usable(sub) {
        let positionals: Vec<&Arg> = sub.get_positionals().filter(|a| !a.is_hide_set()).collect();
        if !positionals.is_empty() || own_flags(sub).next().is_some() {
            roff.control("SH", ["ARGUMENTS"]);
        }
        for argument in positionals {
            roff.control("TP", []).text([italic(shown(argument))]).text([roman(help_of(argument))]);
        }
        for flag in own_flags(sub) {
            roff.control("TP", []).text(flag_words(flag)).text([roman(help_of(flag))]);
        }
        own_lines(sub, &mut roff);
    }
    if families(sub).next().is_some() {
        roff.control("SH", ["VERBS"]);
        verb_sections(sub, &name, &mut roff);
        if !is_usable(sub) {
            own_lines(sub, &mut roff);
        }
    }
    roff.control("SH", ["SEE ALSO"]).text([
        bold("pcm"),
        roman("(1): the flags of every verb, environment, files, configuration and exit statuses"),
    ]);
    roff.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// It can be typed as it is, and does not only hold other verbs.
fn is_usable(verb: &Command) -> bool {
    !(verb.has_subcommands() && verb.is_subcommand_required_set())
}

fn each_usable(verb: &Command, name: &str, take: &mut impl FnMut(&Command, &str)) {
    if is_usable(verb) {
        take(verb, name);
    }
    for sub in families(verb) {
        each_usable(sub, &format!("{name} {}", sub.get_name()), take);
    }
}

/// Each setting with its default or an example, and its words.
fn configuration(roff: &mut Roff) {
    roff.control("SH", ["CONFIGURATION"]);
    roff.text([roman(
        "The settings of pcm.toml with their defaults; pcm init writes a file that shows all of them. A service obeys a \
         change of the file within half a minute, without a restart, unless it says otherwise here.",
    )]);
    for section in Config::sections() {
        for setting in &section.settings {
            let key = match (section.name, section.repeated) {
                ("", _) => setting.key.to_owned(),
                (name, true) => format!("[[{name}]] {}", setting.key),
                (name, false) => format!("[{name}] {}", setting.key),
            };
            let value = match (&setting.default, setting.example) {
                (Some(default), _) => roman(format!(" = {default}")),
                (None, example) => roman(format!(" (example: {})", example.unwrap_or_default())),
            };
            roff.control("TP", []).text([bold(key), value]).text([roman(match setting.counts {
                Counts::Soon => format!("{}.", setting.words),
                Counts::AtStart => {
                    format!("{}. A change counts with the next start of the service.", setting.words)
                }
            })]);
        }
    }
}

/// What `[notify] command` is told, and how.
fn notifications(roff: &mut Roff) {
    roff.control("SH", ["NOTIFICATIONS"]);
    roff.text([roman(
        "The service starts the program of [notify] command for each of these events and writes one line of JSON to its standard \
         input: format (1), event, id, machine, host, at, request_id, job_id, package_id, package, attempt, state, message; \
         count and events, a list with the same fields of each event; and dropped, how many more there were of each event. \
         More than three at once, or more than four calls within ten minutes, are one call with the event digest.",
    )]);
    for event in Event::ALL {
        roff.control("TP", []).text([bold(event.as_str())]).text([roman(format!("{}.", event.words()))]);
    }
    roff.control("PP", []).text([roman(
        "What lasts is told once, when it begins, also where the service starts again meanwhile. The program runs as the account \
         of the service, without its environment, in the folder /; it has to be writable for root and that account only. It has \
         told somebody when it ends with exit 0. After 60 seconds it is ended with everything that it has started. A call that \
         fails is made again after a minute and after ten more; until one succeeds, pcm status shows notify-failed and pcm \
         check fails at notifications. Under systemd each event is an entry of the journal, too: journalctl PCM_EVENT=failed.",
    )]);
}

/// Each verb with its arguments, its words, and its own flags.
fn verb_sections(command: &Command, before: &str, roff: &mut Roff) {
    for sub in families(command) {
        let name = format!("{before} {}", sub.get_name());
        if is_usable(sub) {
            roff.control("TP", []).text(title(sub, &name));
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let aliases: Vec<&str> = sub.get_visible_aliases().collect();
            let also =
                if aliases.is_empty() { String::new() } else { format!(" (also: {})", aliases.join(", ")) };
            roff.text([roman(format!("{about}{also}."))]);
            for flag in own_flags(sub) {
                roff.control("RS", []).control("TP", []).text(flag_words(flag));
                roff.text([roman(help_of(flag))]);
                roff.control("RE", []);
            }
        }
        own_lines(sub, roff);
        verb_sections(sub, &name, roff);
    }
}

/// The verb and what follows it.
fn title(verb: &Command, name: &str) -> Vec<Inline> {
    let mut title = vec![bold(name)];
    for argument in verb.get_positionals() {
        title.push(roman(" "));
        title.push(italic(shown(argument)));
    }
    title
}

/// The flags that not every verb has.
fn own_flags(verb: &Command) -> impl Iterator<Item = &Arg> {
    let own = |a: &&Arg| !a.is_positional() && !a.is_global_set() && !a.is_hide_set();
    verb.get_arguments().filter(own).filter(|a| a.get_id() != "help")
}

fn help_of(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// What it says of itself stands in lines of its own.
fn own_lines(verb: &Command, roff: &mut Roff) {
    let Some(help) = verb.get_after_help() else { return };
    roff.control("RS", []).control("nf", []);
    for line in help.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("RE", []);
}

fn shown(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string);
    if argument.is_required_set() { name } else { format!("[{name}]") }
}

fn flag_words(flag: &Arg) -> Vec<Inline> {
    let short = flag.get_short().map(|c| format!("-{c}, ")).unwrap_or_default();
    let mut words = vec![bold(format!("{short}--{}", flag.get_long().unwrap_or_default()))];
    if flag.get_action().takes_values() {
        let names = flag.get_value_names().unwrap_or_default();
        words.push(roman(" "));
        words.extend(names.iter().map(|name| italic(name.as_str())));
    }
    words
}
