//! `--host NAME`: the same verb, or the console, on another machine through `ssh`. `cli::main` calls [`run`] before it
//! looks at anything of this machine; `cli::meant` is what the pcm over there checks first.

use super::args::{Cli, Verb};
use super::host_name::HostName;
use super::setup::quoted;
use crate::error::{Exit, Failure, Result};
use crate::host::terminal;
use crate::site::instruction::command::split;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write as _};
use std::process::{Command, Stdio};

/// The program that connects and options of its own, instead of `ssh`: words as in FORMATS.md 3, never given to a shell.
const PROGRAM: &str = "PCM_SSH";

/// Carries `args`, without the program's name, out on that machine; the exit status is the one over there.
///
/// # Errors
/// There is no `ssh`, it does not get there, or there is no pcm over there.
pub fn run(host: &HostName, cli: &Cli, args: &[OsString]) -> Result<u8> {
    let told = std::env::var(PROGRAM).ok().filter(|told| !told.trim().is_empty());
    let mut words = match told {
        Some(told) => split(&told).map_err(|why| {
            let message = format!("{PROGRAM} cannot be used: {why}");
            Failure::new(Exit::Usage, "usage", message, "Set it to a program and its options, or to nothing")
        })?,
        None => vec!["ssh".to_owned()],
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let console = cli.verb.is_none();
    if console && !cli.global.json && !terminal {
        let remedy = format!("`pcm --host {host} status` and `pcm --host {host} list` need none");
        return Err(Failure::new(Exit::Usage, "no-terminal", "the console needs a terminal", remedy));
    }
    // What stays until it is interrupted needs a terminal over there too, so that it ends with the connection.
    let interactive = terminal && !cli.global.json && (console || stays(cli.verb.as_ref()));
    words.extend(options(interactive, std::io::stdin().is_terminal()));
    words.push("--".to_owned());
    words.push(host.to_string());
    words.push("pcm".to_owned());
    words.extend(there(cli, args)?.iter().map(|word| quoted(word)));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    if interactive {
        // It has the terminal from here on, and whatever signals come.
        let e = terminal::hand_over(command);
        return Err(no_program(&words[0], &e));
    }
    carried_out(command, &words[0], host)
}

fn no_program(program: &str, e: &std::io::Error) -> Failure {
    let message = format!("{program} cannot be started: {e}");
    Failure::new(Exit::Failed, "no-ssh", message, format!("Install an SSH client, or name one in {PROGRAM}"))
}

/// Verbs that go on until they are interrupted, or until a package has ended.
fn stays(verb: Option<&Verb>) -> bool {
    match verb {
        Some(Verb::Log(log)) => log.follow,
        Some(Verb::Run(run)) => run.wait.follow || run.wait.wait,
        Some(Verb::Rerun(rerun)) => rerun.wait.follow || rerun.wait.wait,
        Some(Verb::Service(_) | Verb::Demo(_)) => true,
        _ => false,
    }
}

/// Ours come after those of `PCM_SSH`: the client obeys the first that it meets.
fn options(interactive: bool, asked: bool) -> Vec<String> {
    let mut options = vec![if interactive { "-t" } else { "-T" }.to_owned()];
    let mut set = |option: &str| options.extend(["-o".to_owned(), option.to_owned()]);
    // Not that the connection was closed, which is what was wanted.
    set("LogLevel=ERROR");
    set("SendEnv=LANG LC_* COLORTERM NO_COLOR");
    if !asked {
        // Nobody is there to be asked for a password.
        set("BatchMode=yes");
    }
    options
}

/// The arguments for the pcm over there: the same, without `--host`, and with what the machine there has to be.
fn there(cli: &Cli, args: &[OsString]) -> Result<Vec<String>> {
    let mut words = Vec::new();
    // `init --machine` says what the machine is to become.
    let check = cli.global.machine.filter(|_| !matches!(cli.verb, Some(Verb::Init(_))));
    let ours = |word: &str| word == "--host" || (check.is_some() && word == "--machine");
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let word = arg.to_str().ok_or_else(|| {
            let message = format!("{} is not UTF-8 and cannot be sent", arg.display());
            Failure::new(Exit::Usage, "usage", message, "Write it in UTF-8")
        })?;
        if word == "--" {
            words.push(word.to_owned());
            words.extend(args.map(|arg| arg.to_string_lossy().into_owned()));
            break;
        }
        if ours(word) {
            args.next();
        } else if !word.split_once('=').is_some_and(|(flag, _)| ours(flag)) {
            words.push(word.to_owned());
        }
    }
    if let Some(machine) = check {
        words.splice(0..0, ["--expect-machine".to_owned(), machine.to_string()]);
    }
    Ok(words)
}

/// Runs it to its end. What the client itself has to say becomes the one line, or the document, that an error is.
fn carried_out(mut command: Command, program: &str, host: &HostName) -> Result<u8> {
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| no_program(program, &e))?;
    let mut said = Vec::new();
    if let Some(mut error) = child.stderr.take() {
        // More than this is no error message; the rest is not worth waiting for with a full pipe.
        let _ = error.by_ref().take(1 << 20).read_to_end(&mut said);
        let _ = std::io::copy(&mut error, &mut std::io::sink());
    }
    let status = child.wait().map_err(|e| no_program(program, &e))?;
    let said = String::from_utf8_lossy(&said);
    let last =
        || said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why").trim();
    match status.code() {
        // The client's own failure.
        Some(255) | None => Err(Failure::new(
            Exit::Failed,
            "host-unreachable",
            format!("{host} cannot be reached with {program}: {}", last()),
            format!("See whether `{program} {host}` connects"),
        )),
        // A shell's words for a program that is not there, or is none.
        Some(126 | 127) => Err(Failure::new(
            Exit::Failed,
            "no-pcm-there",
            format!("there is no pcm on {host}: {}", last()),
            "Install it there, in the PATH of commands that come through ssh",
        )),
        Some(code) => {
            for line in said.lines() {
                let _ = writeln!(std::io::stderr(), "{}", crate::text::SafeText::new(line));
            }
            Ok(u8::try_from(code).unwrap_or(Exit::Failed as u8))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    fn sent(args: &[&str]) -> Vec<String> {
        let cli = Cli::try_parse_from([&["pcm"], args].concat()).unwrap();
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        there(&cli, &args).unwrap()
    }

    #[test]
    fn everything_but_the_host_is_passed_on_as_it_was_given() {
        assert_eq!(sent(&["--host", "web", "list", "--json"]), ["list", "--json"]);
        assert_eq!(sent(&["list", "--host=web"]), ["list"]);
        let reason = "it's; rm -rf / $(id)\n\"x\"";
        let args = ["defer", "BP0000Y", "--for", "2h", "--host", "web", "--reason", reason];
        assert_eq!(sent(&args), ["defer", "BP0000Y", "--for", "2h", "--reason", reason]);
        assert_eq!(sent(&["--host", "web", "log", "--", "--host"]), ["log", "--", "--host"]);
        assert_eq!(sent(&["--host", "web"]), [""; 0]);
    }

    #[test]
    fn the_machine_that_is_named_is_what_the_other_side_has_to_be() {
        let expected = ["--expect-machine", "BP004000"];
        assert_eq!(
            sent(&["--host", "web", "--machine", "bp004000", "who"]),
            [&expected[..], &["who"]].concat()
        );
        assert_eq!(sent(&["who", "--machine=BP004000", "--host=web"]), [&expected[..], &["who"]].concat());
        let init = ["init", "--machine", "BP004000", "--share", "/srv"];
        assert_eq!(sent(&[&["--host", "web"], &init[..]].concat()), init, "what it is to become");
    }
}
