//! `--host NAME`: the same verb, or the console, on another machine through `ssh`. `cli::main` calls [`run`] before it
//! looks at anything of this machine; `cli::meant` is what the pcm over there checks first.

use super::args::{Cli, InstallArgs, RerunArgs, RunArgs, Verb};
use super::evidence;
use super::out::Out;
use crate::console::term;
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::protocol::VERSION;
use crate::executor::talk::view::ErrorDoc;
use crate::host::archive::MOST;
use crate::host::host_name::HostName;
use crate::host::ssh::{self, For, Meaning, Reach, Why};
use crate::host::terminal::{self, Ended};
use crate::host::threads;
use crate::text::SafeText;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Asking for the version over there takes no longer.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// Carries `args`, without the program's name, out on that machine; the exit status is the one over there.
///
/// # Errors
/// There is no `ssh`, it does not get there, or there is no pcm over there.
pub fn run(host: &HostName, cli: &Cli, args: &[OsString], out: &Out) -> Result<u8> {
    // The file of an archive is made here.
    let file = match &cli.verb {
        Some(Verb::Evidence(args)) => evidence::wanted(args)?,
        _ => None,
    };
    let program = ssh::program().map_err(|message| {
        Failure::new(Exit::Usage, "usage", message, "Set it to a program and its options, or to nothing")
    })?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let console = cli.verb.is_none();
    if console && !cli.global.json && !terminal {
        let remedy = format!("`pcm --host {host} status` and `pcm --host {host} list` need none");
        return Err(Failure::new(Exit::Usage, "no-terminal", "the console needs a terminal", remedy));
    }
    // What stays until it is interrupted needs a terminal over there too, so that it ends with the connection.
    let interactive = terminal && !cli.global.json && (console || stays(cli.verb.as_ref()));
    let asks = std::io::stdin().is_terminal();
    let what = if interactive { For::Terminal { asks } } else { For::Answer { asks } };
    let reach = Reach { host: host.clone(), host_key: None };
    let mut words = there(cli, args)?;
    if file.is_some() {
        sent_here(&mut words);
    }
    let ready = reach.command(&program, what, &words);
    let mut command = ready.map_err(|e| no_program(&program[0], &e))?.command;
    let mut sent = Vec::new();
    let ended = if interactive {
        let ended = terminal::lend(&mut command).map_err(|e| no_program(&program[0], &e))?;
        if ssh::meaning(&ended) == Meaning::Lost && console {
            term::leave_after_another();
        }
        ended
    } else if file.is_some() {
        let (ended, output) = received(&mut command).map_err(|e| no_program(&program[0], &e))?;
        sent = output;
        ended
    } else {
        carried_out(&mut command).map_err(|e| no_program(&program[0], &e))?
    };
    if let Some(file) = file.as_ref().filter(|_| sent.len() as u64 > MOST) {
        // However it ended: it was ended from here.
        evidence::keep(out, host, file, &sent, &[])?;
    }
    let told = Told { host, program: &program[0], verb: cli.verb.as_ref(), ended: &ended };
    match ssh::meaning(&ended) {
        Meaning::Lost => Err(told.lost()),
        Meaning::NeverThere => Err(told.unreachable()),
        Meaning::NoPcm => Err(told.no_pcm()),
        Meaning::Answered(code) => {
            let usage = code == i32::from(Exit::Usage as u8);
            if let Some(other) = usage.then(|| version_there(&program, &reach)).flatten() {
                return Err(told.other_version(&other));
            }
            if let Some(file) = &file {
                if code == 0 {
                    evidence::keep(out, host, file, &sent, &ended.said)?;
                    return Ok(Exit::Done as u8);
                }
                // It was asked for a document, and says it as such.
                if let Some(failure) = refused(&ended.said) {
                    return Err(Failure {
                        exit: u8::try_from(code).unwrap_or(Exit::Failed as u8),
                        ..failure
                    });
                }
            }
            for line in String::from_utf8_lossy(&ended.said).lines() {
                let _ = writeln!(std::io::stderr(), "{}", SafeText::new(line));
            }
            Ok(u8::try_from(code).unwrap_or(Exit::Failed as u8))
        }
    }
}

/// The version of the pcm over there, where it is another one than this and can be asked without a password.
fn version_there(program: &[String], reach: &Reach) -> Option<String> {
    let ready = reach.command(program, For::Many, &["--version".to_owned()]).ok()?;
    let answer = ready.answer(VERSION_WITHIN, 1 << 10, &|| false).ok()?;
    let version = String::from_utf8_lossy(&answer.output).trim().strip_prefix("pcm ")?.to_owned();
    let answered = answer.why == Why::Ended && ssh::meaning(&answer.ended) == Meaning::Answered(0);
    (answered && version != VERSION).then_some(version)
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
    fn last(&self) -> SafeText {
        ssh::last_said(self.ended)
    }

    /// What became of what was asked for is not known, and how it can be.
    fn lost(&self) -> Failure {
        let host = self.host;
        let changes = self.verb.is_some_and(Verb::changes);
        let (became, look) = match self.verb {
            None => ("packages that run there go on".to_owned(), format!("pcm --host {host}")),
            Some(
                Verb::Run(RunArgs { request, .. })
                | Verb::Rerun(RerunArgs { request, .. })
                | Verb::Install(InstallArgs { request, .. }),
            ) => (
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
        // With `--json` it says it as a document.
        let said = refused(&self.ended.said).map_or_else(|| self.last(), |failure| failure.message);
        Failure::new(
            Exit::Usage,
            "other-version",
            format!(
                "{} has pcm {other}, this is pcm {VERSION}, and it did not understand: {said}",
                self.host
            ),
            "Use the same version on both, or what both know",
        )
    }
}

fn no_program(program: &str, e: &std::io::Error) -> Failure {
    let message = format!("{program} cannot be started: {e}");
    Failure::new(
        Exit::Failed,
        "no-ssh",
        message,
        format!("Install an SSH client, or name one in {}", ssh::PROGRAM),
    )
}

/// Verbs that go on until they are interrupted, or until a package has ended.
fn stays(verb: Option<&Verb>) -> bool {
    match verb {
        Some(Verb::Log(log)) => log.follow,
        Some(Verb::Run(run)) => run.wait.follow || run.wait.wait,
        Some(Verb::Install(install)) => install.wait,
        Some(Verb::Rerun(rerun)) => rerun.wait.follow || rerun.wait.wait,
        Some(Verb::Service(_) | Verb::Demo(_)) => true,
        _ => false,
    }
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

/// An archive is to come through the connection, and what is said of it beside it, for a program.
fn sent_here(words: &mut Vec<String>) {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    for at in 0..end {
        match words[at].as_str() {
            "--out" if at + 1 < end => "-".clone_into(&mut words[at + 1]),
            word if word.starts_with("--out=") => "--out=-".clone_into(&mut words[at]),
            _ => {}
        }
    }
    if !words[..end].iter().any(|word| word == "--json") {
        words.insert(0, "--json".to_owned());
    }
}

/// The error document of the other side.
fn refused(said: &[u8]) -> Option<Failure> {
    let said = String::from_utf8_lossy(said);
    let read = |line: &str| serde_json::from_str::<ErrorDoc>(line.trim()).ok();
    said.lines().rev().find_map(read).map(|doc| doc.error)
}

/// The same, and its output: all of it, or more than is taken of an archive.
fn received(command: &mut Command) -> std::io::Result<(Ended, Vec<u8>)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let saying = threads::start("ssh says", move || stderr.map(said_on).unwrap_or_default())?;
    let mut output = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(MOST + 1).read_to_end(&mut output)?;
    }
    if output.len() as u64 > MOST {
        child.kill()?;
    }
    let code = child.wait()?.code();
    Ok((Ended { code, said: saying.join().unwrap_or_default() }, output))
}

/// What is said on standard error.
fn said_on(mut error: impl Read) -> Vec<u8> {
    let mut said = Vec::new();
    // More than this is no error message; the rest is not worth waiting for with a full pipe.
    let _ = error.by_ref().take(1 << 20).read_to_end(&mut said);
    let _ = std::io::copy(&mut error, &mut std::io::sink());
    said
}

/// Runs it to its end, without the terminal. What is said becomes the one line, or the document, that an error is.
fn carried_out(command: &mut Command) -> std::io::Result<Ended> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().map(said_on).unwrap_or_default();
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
