//! `pcm log`: one or several logs merged by time, filtered, followed; as rows or as one JSON object a line. `read` goes
//! through files once, `follow` stays with them, `rows` says how records look; `hosts` asks other machines, where `serve`
//! answers.

mod follow;
mod hosts;
mod merge;
mod packed;
mod read;
mod rows;
mod serve;

pub use follow::tail;

use super::App;
use super::args::{LevelArg, LogArgs, LogShape};
use crate::error::{Exit, Failure, Result};
use crate::log::Level;
use crate::log::search::{Filter, Names, Search, escape};
use crate::site::ids::RequestId;
use crate::text::{Side, parse_time};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// `pcm log`. It ends as grep does: 0 where something was found, 1 where nothing was, 2 where a file cannot be read.
pub fn run(app: &App, args: &LogArgs) -> Result<Exit> {
    can_follow(args)?;
    if args.serve {
        return serve::run(app, args);
    }
    if !args.hosts.is_empty() {
        return hosts::run(app, args);
    }
    if args.folder.folder.is_some() {
        return Err(wrong(
            "--folder goes with --hosts".into(),
            "Leave it out, or name machines with --hosts",
        ));
    }
    let filter = filter(app, args)?;
    let files = files(app, args)?;
    if args.follow {
        return follow::run(app, args, filter, &files);
    }
    read::run(app, args, &filter, &files)
}

/// Refuses what `-f` and `--format raw` would not do.
fn can_follow(args: &LogArgs) -> Result<()> {
    if args.explain_codes && args.format == LogShape::Raw {
        let why = "--format raw prints what stands in the file, without --explain-codes";
        return Err(wrong(why.into(), "Leave out one of them"));
    }
    if args.follow && args.files.iter().any(|file| is_input(file)) {
        let why = "-f follows files; standard input is read as long as it is written anyway";
        return Err(wrong(why.into(), "Leave out -f, or -"));
    }
    if args.follow && args.format == LogShape::Raw {
        return Err(wrong("-f prints rows, not --format raw".into(), "Leave out --format raw, or -f"));
    }
    Ok(())
}

/// `-`: standard input.
fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn wrong(why: String, remedy: &str) -> Failure {
    Failure::new(Exit::Usage, "usage", why, remedy)
}

fn filter(app: &App, args: &LogArgs) -> Result<Filter> {
    let (text, without, also) = patterns(args)?;
    let time = |flag: &str, text: &Option<String>| {
        let read = text.as_deref().map(|text| parse_time(text, Side::Last, app.now, &app.zone));
        read.transpose().map_err(|why| wrong(format!("{flag}: {why}"), "Name a time that has passed"))
    };
    let (since, until) = (time("--since", &args.since)?, time("--until", &args.until)?);
    let level = args.level.map(|level| match level {
        LevelArg::Verbose => Level::Verbose,
        LevelArg::Info => Level::Info,
        LevelArg::Warning => Level::Warning,
        LevelArg::Error => Level::Error,
    });
    let names =
        |one_of: &[String], none_of: &[String]| Names { one_of: one_of.to_vec(), none_of: none_of.to_vec() };
    let component = names(&args.component, &args.not_component);
    let thread = names(&args.thread, &args.not_thread);
    Ok(Filter { text, without, level, also, component, thread, since, until })
}

/// What has to be found, what must not be, and what has to be found as well.
fn patterns(args: &LogArgs) -> Result<(Option<Search>, Option<Search>, Vec<Search>)> {
    let search = |flag: &str, patterns: &[String]| {
        let usable = |pattern: &String| Search::new(pattern).is_ok();
        let remedy = || match patterns.iter().all(usable) {
            true => "Give fewer of them at once",
            false => "Put a \\ before ( [ * + ? . where it means itself",
        };
        Search::any(patterns).map_err(|why| wrong(format!("{flag}: {why}"), remedy()))
    };
    let named =
        |requests: &[RequestId]| requests.iter().map(|id| escape(&id.to_string())).collect::<Vec<_>>();
    let (found, not_request) = (search("--grep", &args.grep)?, named(&args.not_request));
    let inverted = if args.invert { args.grep.as_slice() } else { &[] };
    let unwanted = [
        ("--not-grep", args.not_grep.as_slice()),
        ("-v --grep", inverted),
        ("--not-request", not_request.as_slice()),
    ];
    // What is wrong with one of them is said of that one.
    unwanted.iter().try_for_each(|(flag, patterns)| search(flag, patterns).map(drop))?;
    let given = unwanted.iter().filter(|(_, patterns)| !patterns.is_empty()).map(|(flag, _)| *flag);
    let without =
        search(&given.collect::<Vec<_>>().join(" and "), &unwanted.map(|(_, patterns)| patterns).concat())?;
    let also = search("--request", &named(&args.request))?.into_iter().collect();
    Ok((found.filter(|_| !args.invert), without, also))
}

/// The files that are named, or those of the configuration, or all of the log folder.
fn files(app: &App, args: &LogArgs) -> Result<Vec<PathBuf>> {
    if !args.files.is_empty() {
        let is_plain = |file: &&PathBuf| !file.to_string_lossy().contains('*') && !is_input(file);
        args.files.iter().filter(is_plain).try_for_each(|file| readable(file, args.follow))?;
        return Ok(args.files.clone());
    }
    let configured = &app.setup.config.log.files;
    if !configured.is_empty() {
        return Ok(configured.iter().map(PathBuf::from).collect());
    }
    let folder = &app.setup.layout.log;
    if !args.follow && !folder.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            "no-such-file",
            format!("there is no log folder {}", folder.display()),
            "Name a file, or start the service, which makes it",
        ));
    }
    Ok(vec![folder.join("*.LOG")])
}

/// Refuses what cannot be read as a log. With `-f` a file may be still to come.
fn readable(file: &Path, follow: bool) -> Result<()> {
    let cannot = |code: &str, why: String, remedy: &str| Err(Failure::new(Exit::Usage, code, why, remedy));
    if file.is_dir() {
        let why = format!("{} is a folder, not a log", file.display());
        return cannot("unreadable", why, "Name files; \"FOLDER/*\" in quotes means all of a folder");
    }
    // A pipe in its place would keep a plain open waiting.
    match crate::host::open::named(file) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => match follow {
            true => Ok(()),
            false => {
                let why = format!("there is no file {}", file.display());
                cannot("no-such-file", why, "Correct its name, or wait for it with -f")
            }
        },
        Err(e) => {
            let why = format!("{} cannot be read: {e}", file.display());
            cannot("unreadable", why, "Correct its rights, or read it as root")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::args::{Cli, Verb};
    use clap::Parser;

    #[test]
    fn what_would_not_be_followed_as_asked_is_refused() {
        let runs = |args: &[&str]| match Cli::try_parse_from([&["pcm", "log", "-f"], args].concat()) {
            Ok(Cli { verb: Some(Verb::Log(args)), .. }) => can_follow(&args).is_ok(),
            _ => false,
        };
        assert!(runs(&["a.log", "--since", "14:00"]) && runs(&[]));
        for args in [&["-"][..], &["a.log", "-"], &["--format", "raw"], &["--until", "14:00"]] {
            assert!(!runs(args), "{args:?}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused_with_the_flag_that_it_was_given_with() {
        let refused = |args: &[&str]| match Cli::try_parse_from([&["pcm", "log"], args].concat()) {
            Ok(Cli { verb: Some(Verb::Log(args)), .. }) => {
                let failure = patterns(&args).err().unwrap();
                (failure.message.to_string(), failure.remedy.to_string())
            }
            other => panic!("{other:?}"),
        };
        let (a, b) = ("(?P<x>a)", "(?P<x>b)");
        for (args, flags, remedy) in [
            (&["--grep", "("][..], "--grep: ", "Put a"),
            (&["--not-grep", "("][..], "--not-grep: ", "Put a"),
            (&["-v", "--grep", "("][..], "--grep: ", "Put a"),
            (&["--not-grep", a, "--not-grep", b][..], "--not-grep: together", "Give fewer"),
            (&["-v", "--grep", a, "--not-grep", b][..], "--not-grep and -v --grep: together", "Give fewer"),
        ] {
            let (why, what) = refused(args);
            assert!(why.starts_with(flags) && what.starts_with(remedy), "{args:?}: {why}; {what}");
        }
    }
}
