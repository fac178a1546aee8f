//! `--host NAME`: the same verb, or the console, on another machine through `ssh`. `cli::main` calls [`run`] before it
//! looks at anything of this machine; `cli::meant` is what the pcm over there checks first.

use super::args::{Cli, RerunArgs, RunArgs, Verb};
use super::host_name::HostName;
use crate::console::term;
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::protocol::VERSION;
use crate::host::terminal::{self, Ended};
use crate::site::instruction::command::split;
use crate::text::{SafeText, shell_word};
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
    words.extend(there(cli, args)?.iter().map(|word| shell_word(word)));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let ended = if interactive {
        let ended = terminal::lend(&mut command).map_err(|e| no_program(&words[0], &e))?;
        if is_lost(&ended) && console {
            term::leave_after_another();
        }
        ended
    } else {
        carried_out(command).map_err(|e| no_program(&words[0], &e))?
    };
    let told = Told { host, program: &words[0], verb: cli.verb.as_ref(), ended: &ended };
    match ended.code {
        // The client's own end.
        Some(CLIENT_FAILED) | None => Err(if is_lost(&ended) { told.lost() } else { told.unreachable() }),
        // A shell's words for a program that is not there, or is none.
        Some(126 | 127) => Err(told.no_pcm()),
        Some(code) => {
            let usage = code == i32::from(Exit::Usage as u8);
            if let Some(other) = usage.then(|| version_there(&words, host)).flatten() {
                return Err(told.other_version(&other));
            }
            for line in said(&ended).lines() {
                let _ = writeln!(std::io::stderr(), "{}", SafeText::new(line));
            }
            Ok(u8::try_from(code).unwrap_or(Exit::Failed as u8))
        }
    }
}

/// The exit status of ssh that is its own.
const CLIENT_FAILED: i32 = 255;

/// What ssh says when it did not get as far as to start anything over there. Whatever else it ends with, a connection
/// stood, and what was asked for may have been done.
const NEVER_THERE: [&str; 15] = [
    "ssh: connect to host",
    "ssh: Could not resolve",
    "Could not resolve hostname",
    "Permission denied",
    "Host key verification failed",
    "kex_exchange_identification",
    "ssh_exchange_identification",
    "banner exchange",
    "Connection closed by ",
    "Too many authentication failures",
    "Unable to negotiate",
    "no matching ",
    "Bad configuration option",
    "Bad owner or permissions",
    "Can't open user config file",
];

/// Whether the line dropped while something went on over there.
fn is_lost(ended: &Ended) -> bool {
    let said = said(ended);
    matches!(ended.code, Some(CLIENT_FAILED) | None) && !NEVER_THERE.iter().any(|words| said.contains(words))
}

fn said(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.said).into_owned()
}

/// The version of the pcm over there, where it is another one than this and can be asked without a password.
fn version_there(words: &[String], host: &HostName) -> Option<String> {
    let dashes = words.iter().position(|word| word == "--")?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..dashes]).args([
        "-T",
        "-o",
        "BatchMode=yes",
        "--",
        &host.to_string(),
        "pcm",
        "--version",
    ]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().strip_prefix("pcm ")?.to_owned();
    (output.status.success() && version != VERSION).then_some(version)
}

/// What there is to say of the end.
struct Told<'a> {
    host: &'a HostName,
    program: &'a str,
    /// None: the console.
    verb: Option<&'a Verb>,
    ended: &'a Ended,
}

impl Told<'_> {
    /// The last line of what was said.
    fn last(&self) -> String {
        let said = said(self.ended);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it does not say why").trim().to_owned()
    }

    /// What became of what was asked for is not known, and how it can be.
    fn lost(&self) -> Failure {
        let host = self.host;
        let changes = self.verb.is_some_and(Verb::changes);
        let (became, look) = match self.verb {
            None => ("packages that run there go on".to_owned(), format!("pcm --host {host}")),
            Some(Verb::Run(RunArgs { request, .. }) | Verb::Rerun(RerunArgs { request, .. })) => (
                format!("if {request} was started there, it goes on"),
                format!("pcm --host {host} history {request}"),
            ),
            Some(_) if changes => {
                ("whether it was done there is not known".to_owned(), format!("pcm --host {host} audit"))
            }
            Some(_) => ("nothing was changed there".to_owned(), "the same command again".to_owned()),
        };
        Failure::new(
            Exit::ConnectionLost,
            "connection-lost",
            format!("the connection to {host} ended ({}); {became}", self.last()),
            format!("Look again with: {look}"),
        )
    }

    fn unreachable(&self) -> Failure {
        let (host, program) = (self.host, self.program);
        Failure::new(
            Exit::Failed,
            "host-unreachable",
            format!("{host} cannot be reached with {program}: {}", self.last()),
            format!("See whether `{program} {host}` connects"),
        )
    }

    fn no_pcm(&self) -> Failure {
        Failure::new(
            Exit::Failed,
            "no-pcm-there",
            format!("there is no pcm on {}: {}", self.host, self.last()),
            "Install it there, in the PATH of commands that come through ssh",
        )
    }

    fn other_version(&self, other: &str) -> Failure {
        Failure::new(
            Exit::Usage,
            "other-version",
            format!(
                "{} has pcm {other}, this is pcm {VERSION}, and it did not understand: {}",
                self.host,
                self.last()
            ),
            "Use the same version on both, or what both know",
        )
    }
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

/// Runs it to its end, without the terminal. What is said becomes the one line, or the document, that an error is.
fn carried_out(mut command: Command) -> std::io::Result<Ended> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let mut said = Vec::new();
    if let Some(mut error) = child.stderr.take() {
        // More than this is no error message; the rest is not worth waiting for with a full pipe.
        let _ = error.by_ref().take(1 << 20).read_to_end(&mut said);
        let _ = std::io::copy(&mut error, &mut std::io::sink());
    }
    Ok(Ended { code: child.wait()?.code(), said })
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
