//! The command line (DESIGN.md 7): one file a command family; every view as text and as JSON. `main.rs` calls [`main`];
//! nothing else outside this folder does.

mod act;
mod advance;
mod args;
mod attention;
mod canary;
mod check;
mod collect;
mod completions;
mod console;
mod demo;
mod evidence;
mod folder;
mod follow;
mod foretold;
mod freeze;
mod help;
mod host;
mod host_key;
mod init;
mod install;
mod job;
mod job_package;
mod jobs;
mod key;
mod lint;
mod log;
mod machine;
mod man;
mod meant;
mod out;
mod package;
mod package_files;
mod page;
mod progress;
mod publish;
mod reach;
#[cfg(test)]
mod reference;
mod renew;
mod restart;
mod rollout;
mod sandbox;
mod service;
mod setup;
mod sign;
mod simulate;
mod site_status;
mod site_zone;
mod standing;
mod start;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod timer;
mod too_old;
mod trust_key;
mod verify;
mod view;
mod who;

use crate::clock::{System, Wall, Zone};
use crate::decision::Verb as Wish;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Action, Answer, Change, View, unexpected_answer};
use crate::executor::talk::view::{DryRunDoc, ServiceState};
use crate::host::facts;
use crate::log::trace::Warned;
use crate::text::SafeText;
use args::{AuditVerb, Cli, Explained, Global, Meant, Verb};
use clap::Parser;
use clap::error::ErrorKind;
use out::Out;
use setup::Setup;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use time::Look;

/// Runs `pcm` with these arguments, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(e) => return usage(&e, &args),
    };
    let out = Out::new(cli.global.json, cli.global.quiet, cli.global.no_color);
    let done = match &cli.global.host {
        Some(host) if !cli.verb.as_ref().is_some_and(Verb::is_about_a_host) => {
            usable_flags(&cli).and_then(|()| host::run(host, &cli, &args[1..], &out))
        }
        _ => run(cli, out.clone()).map(|exit| exit as u8),
    };
    match done {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => {
            out.error(&failure);
            ExitCode::from(failure.exit)
        }
    }
}

/// Help and version on standard output; wrong usage in two lines, or as the error document.
fn usage(e: &clap::Error, args: &[OsString]) -> ExitCode {
    if !e.use_stderr() {
        return match Out::new(false, false, true).printed(|| e.print()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                Out::new(false, false, true).error(&failure);
                ExitCode::from(failure.exit)
            }
        };
    }
    let json = args.iter().take_while(|a| *a != "--").any(|a| a == "--json");
    if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        // `pcm restart` alone: what it can, as it is.
        let _ = e.print();
        return ExitCode::from(Exit::Usage as u8);
    }
    let (message, usage) = usage_words(&e.render().to_string());
    let failure = Failure::new(Exit::Usage, "usage", message, usage);
    Out::new(json, false, true).error(&failure);
    ExitCode::from(Exit::Usage as u8)
}

/// Clap's several lines as what is wrong, and how it is used.
fn usage_words(text: &str) -> (String, String) {
    let words = |lines: &mut dyn Iterator<Item = &str>| {
        let parts: Vec<&str> = lines.map(str::trim).filter(|l| !l.is_empty()).collect();
        parts.join(" ")
    };
    let more = |l: &&str| !l.starts_with("For more information");
    let wrong = words(&mut text.lines().take_while(|l| !l.starts_with("Usage:")).filter(more));
    let usage = words(&mut text.lines().filter(|l| l.starts_with("Usage:")));
    let help = if usage.is_empty() { "`pcm VERB --help` says how it is used".to_owned() } else { usage };
    (wrong.trim_start_matches("error: ").to_owned(), help)
}

/// What every verb has at hand.
#[derive(Clone)]
pub(crate) struct App {
    out: Out,
    setup: Setup,
    zone: Zone,
    now: Wall,
    dry_run: bool,
    no_color: bool,
    /// `--host`, where it does not say where something is done.
    host: Option<String>,
    /// What went wrong beside what a verb of a site was asked for.
    warned: Arc<Mutex<Vec<SafeText>>>,
    /// Which shares were asked whether they answer.
    reached: reach::Reached,
}

impl App {
    /// What went wrong beside what was asked for, so far.
    fn warnings(&self) -> Vec<SafeText> {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A way to the executor of a machine that is enrolled. Where the configuration cannot be used, or not be read by
    /// this account, a service that runs still answers.
    fn client(&self) -> Result<Client> {
        let client = Client::new(self.setup.layout.clone(), self.setup.config.clone());
        match self.setup.clone().usable() {
            Ok(_) => Ok(client),
            Err(failure) if matches!(self.setup.read, setup::Read::Bad(_)) => match client.status() {
                Ok(doc) if doc.service == ServiceState::Running => {
                    self.out.note(format!("{}; the service answers", failure.message));
                    Ok(client)
                }
                _ => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    fn look(&self) -> Look {
        Look {
            width: self.out.width,
            now: System::now(),
            zone: self.zone.clone(),
            pcm: self.setup.pcm.clone(),
        }
    }

    /// Asks and prints the answer.
    fn view(&self, view: &View) -> Result<Exit> {
        self.other(self.client()?.view(view)?)
    }

    /// Asks for a change and prints what came of it.
    fn change(&self, what: Action, reason: Option<&str>) -> Result<Exit> {
        let change = self.wish(what, reason.map(SafeText::new));
        self.other(self.client()?.change(&change)?)
    }

    /// A change, or only words about it with `--dry-run`.
    fn wish(&self, what: Action, reason: Option<SafeText>) -> Change {
        Change { what, reason, dry_run: self.dry_run, id: None }
    }

    /// What `--dry-run` says of a verb that asks no executor.
    fn would(&self, would: impl Into<SafeText>) -> Result<Exit> {
        self.other(Answer::DryRun(DryRunDoc { dry_run: true, would: would.into(), request_id: None }))
    }

    /// Prints any answer as the document it is.
    fn other(&self, answer: Answer) -> Result<Exit> {
        let (out, look) = (&self.out, self.look());
        match &answer {
            Answer::List(doc) => out.view(doc, || view::list(doc, view::Selection::All, &look))?,
            Answer::Show(doc) => out.view(doc, || view::show(doc, &look))?,
            Answer::Explain(doc) => out.view(doc, || view::explain(doc, &look))?,
            Answer::Status(doc) => {
                out.view(doc, || view::status(doc, &look))?;
                let well = view::findings(doc, &look.pcm).is_empty();
                return Ok(if well { Exit::Done } else { Exit::Findings });
            }
            Answer::Who(doc) => out.view(doc, || view::who(doc, &look))?,
            Answer::History(doc) => out.view(doc, || view::attempts(doc, &look))?,
            Answer::Audit(doc) => out.view(doc, || view::audit(doc, &look))?,
            Answer::Offers(doc) => out.view(doc, || view::offers(doc, &look))?,
            Answer::Serials(doc) => out.view(doc, || view::serials(doc, &look))?,
            Answer::Verify(doc) => {
                out.view(doc, || view::verify(doc, &look))?;
                return Ok(if doc.ok { Exit::Done } else { Exit::State });
            }
            Answer::Simulate(doc) => out.view(doc, || view::simulate(doc, None, &look))?,
            Answer::Check(doc) => {
                out.view(doc, || view::check(doc, look.width))?;
                return Ok(if doc.ok { Exit::Done } else { Exit::Findings });
            }
            Answer::Run(doc) => out.view(doc, || view::run_result(doc, &look))?,
            Answer::Changed(doc) => out.view(doc, || view::changed(doc, &look))?,
            Answer::Hold(doc) => out.view(doc, || view::hold(doc, &look))?,
            Answer::Restart(doc) => out.view(doc, || view::restart(doc, &look))?,
            Answer::Told(doc) => out.view(doc, || view::told(doc, &look))?,
            Answer::Seen(doc) => out.view(doc, || view::seen(doc, &look))?,
            Answer::Poll(doc) => out.view(doc, || view::poll(doc, &look))?,
            // `init` says what became of it.
            Answer::Adopted(_) => return Err(unexpected_answer()),
            Answer::DryRun(doc) => out.view(doc, || view::dry_run(doc, &look))?,
        }
        Ok(Exit::Done)
    }

    /// `pcm list`: with `--json` too, only what was selected.
    fn list(&self, args: &args::ListArgs) -> Result<Exit> {
        let mut doc = self.client()?.list()?;
        let selection = view::Selection::from(args);
        if self.out.json {
            // A program that reads it finds every problem in one place; for people each stands in its request's row.
            let of_requests: Vec<_> = doc.requests.iter().flat_map(|r| r.problems.clone()).collect();
            doc.problems.extend(of_requests);
            doc.requests.retain(|r| selection.has(r));
            self.out.document(&doc)?;
        } else {
            self.out.page(&view::list(&doc, selection, &self.look()))?;
        }
        Ok(Exit::Done)
    }
}

fn run(mut cli: Cli, out: Out) -> Result<Exit> {
    if let Some(Verb::Demo(args)) = &mut cli.verb {
        args.console.join(std::mem::take(&mut cli.console));
    }
    usable_flags(&cli)?;
    if let Some(Verb::RunHost { dir }) = &cli.verb {
        // It owns a package: whatever is wrong with configuration or zone data must not keep it from its work.
        return Ok(run_host(dir));
    }
    if let Some(Verb::ShareReader) = &cli.verb {
        return Ok(helper(crate::executor::share::job::main()));
    }
    if let Some(Verb::ShareTalker) = &cli.verb {
        return Ok(helper(crate::host::open::remote::talk()));
    }
    match &cli.verb {
        Some(Verb::Completions { shell }) => return completions::print(*shell, &out),
        Some(Verb::Man { verb }) => return man::print(verb.as_deref(), &out),
        Some(Verb::PackageFiles { dir, pages }) => return package_files::write(dir, pages.as_deref()),
        Some(Verb::Help(args)) => return help::print(&args.verb, &out),
        _ => {}
    }
    if let Some(Verb::CheckProbe) = &cli.verb {
        return Ok(helper(crate::check::probe::main()));
    }
    if let Some(Verb::CheckSite) = &cli.verb {
        return Ok(helper(crate::check::publisher::main()));
    }
    if let Some(Verb::AsOwner) = &cli.verb {
        return Ok(helper(crate::executor::stand_in::main()));
    }
    if let Some(Verb::NotifyHost) = &cli.verb {
        return Ok(helper(crate::executor::notices::command::main()));
    }
    let works_without = matches!(
        cli.verb,
        Some(
            Verb::Init(_)
                | Verb::Demo(_)
                | Verb::Site(_)
                | Verb::Job(_)
                | Verb::Key(_)
                | Verb::Rollout(_)
                | Verb::Check
        )
    ) || matches!(&cli.verb, Some(Verb::Log(args)) if !args.hosts.is_empty());
    let mut setup = Setup::resolve(&cli.global, !works_without)?;
    if let Some(expected) = cli.global.expect_machine {
        meant::is_meant(&setup, expected)?;
    }
    if cli.verb.as_ref().map_or(Meant::Machine, Verb::meant) == Meant::Machine {
        meant::confirm(&mut setup, cli.verb.as_ref().is_some_and(Verb::acts))?;
        cli.console.read_only |= setup.looking;
    }
    let starts = matches!(cli.verb, Some(Verb::Service(_)));
    let of_machine = !starts && cli.verb.as_ref().map_or(Meant::Machine, Verb::meant) == Meant::Machine;
    let zone = if of_machine { meant::zone(&setup) } else { facts::local_zone() };
    let zone = zone.map_err(|e| {
        Failure::new(Exit::Failed, "zone", e.to_string(), "Correct TZ or the system's time zone")
    })?;
    let of_site = cli.verb.as_ref().and_then(Verb::site_folder);
    let of_site = of_site.map(|named| site_zone::named(&setup, named)).transpose()?;
    let zone = of_site.flatten().unwrap_or(zone);
    let beside = out.clone();
    let app = App {
        out,
        setup,
        zone,
        now: System::now(),
        dry_run: cli.global.dry_run,
        no_color: cli.global.no_color,
        host: cli.global.host.as_ref().map(ToString::to_string),
        warned: Arc::default(),
        reached: reach::Reached::default(),
    };
    // A console keeps its own, and a service has a log for them.
    if !matches!(cli.verb, None | Some(Verb::Demo(_) | Verb::Service(_))) {
        let of_site = cli.verb.as_ref().map_or(Meant::Machine, Verb::meant) != Meant::Machine;
        let warned = Arc::clone(&app.warned);
        crate::log::trace::start(of_site.then(|| -> Warned {
            Box::new(move |_, words| {
                beside.note(words);
                warned.lock().unwrap_or_else(PoisonError::into_inner).push(words.clone());
            })
        }));
    }
    match cli.verb {
        None => start::run(&app, &cli.console, &cli.folder),
        Some(verb) => carry_out(&app, verb),
    }
}

/// What clap's tree cannot say.
fn usable_flags(cli: &Cli) -> Result<()> {
    let wrong = |message: &str, remedy: &str| Err(Failure::new(Exit::Usage, "usage", message, remedy));
    let changes = cli.verb.as_ref().is_some_and(Verb::changes);
    if cli.global.dry_run && !changes {
        return wrong(
            "--dry-run goes with verbs that change something",
            "Leave it out: nothing would change",
        );
    }
    let meant = cli.verb.as_ref().map_or(Meant::Machine, Verb::meant);
    let Global { machine, expect_machine, share, config, state, json, .. } = &cli.global;
    let from_file = matches!(cli.verb, Some(Verb::Simulate(_)));
    if (machine.is_some() || expect_machine.is_some()) && meant == Meant::Neither
        || machine.is_some() && meant == Meant::Site && !from_file
    {
        return wrong("--machine goes with verbs of a machine", "Leave it out: this verb is not about one");
    }
    if !share.is_empty() && meant == Meant::Neither {
        return wrong("--share does not go with this verb", "Leave it out: it reads no share");
    }
    let prints = matches!(cli.verb, Some(Verb::Completions { .. } | Verb::Man { .. } | Verb::Help(_)));
    if (config.is_some() || state.is_some()) && (prints || matches!(cli.verb, Some(Verb::Demo(_)))) {
        return wrong("--config and --state do not go with this verb", "Leave them out: it reads neither");
    }
    if *json && prints {
        return wrong(
            "--json does not go with this verb",
            "Leave it out: what it prints is no JSON document",
        );
    }
    let console = cli.console != args::ConsoleFlags::default() || cli.folder.folder.is_some();
    if console && cli.verb.is_some() {
        return wrong(
            "--read-only, --ascii, --slow, --theme and a --folder before the verb belong to the console",
            "Leave them out, or use them without a verb",
        );
    }
    Ok(())
}

fn carry_out(app: &App, verb: Verb) -> Result<Exit> {
    match verb {
        Verb::Status => app.view(&View::Status),
        Verb::List(args) => app.list(&args),
        Verb::Show(args) => app.view(&View::Show(args.request)),
        Verb::Explain(args) => app.view(&match args.request {
            Explained::Request(request) => View::Explain(request),
            Explained::Job(job) => View::ExplainJob(job),
        }),
        Verb::Simulate(args) => simulate::run(app, &args),
        Verb::Run(args) => act::run(app, args),
        Verb::Rerun(args) => act::rerun(app, args),
        Verb::Offers => app.view(&View::Offers),
        Verb::Install(args) => install::run(app, &args),
        Verb::Defer(args) => act::defer(app, args),
        Verb::Undefer(args) => app.change(Action::Request(args.request, Wish::Undefer), None),
        Verb::Stop(args) => act::stop(app, args),
        Verb::Hold(args) => act::hold(app, args),
        Verb::Unhold => app.change(Action::Unhold, None),
        Verb::Restart(args) => restart::run(app, args.what),
        Verb::Seen(args) => app.change(Action::Seen(args.request), None),
        Verb::Poll => app.change(Action::Poll, None),
        Verb::Who => app.view(&View::Who),
        Verb::Notice(args) => app.change(Action::Notice, Some(&args.text.join(" "))),
        Verb::History(args) => app.view(&View::History(args.request, None)),
        Verb::Audit(args) => app.view(match args.what {
            None => &View::Audit(None),
            Some(AuditVerb::Verify) => &View::AuditVerify,
        }),
        Verb::Evidence(args) => evidence::run(app, &args),
        Verb::Check => check::run(app),
        Verb::Log(args) => log::run(app, &args),
        Verb::Init(args) => init::run(app, &args),
        Verb::Site(args) => publish::site(app, &args.what),
        Verb::Package(args) => package::run(app, &args.what),
        Verb::Job(args) => job::run(app, &args.what),
        Verb::Rollout(args) => rollout::run(app, &args),
        Verb::Key(args) => key::run(app, args.what),
        Verb::Service(args) => service::carry_out(app, &args.what),
        Verb::Words { of } => completions::words(app, of),
        Verb::Demo(args) => demo::run(app, &args),
        Verb::DemoService { keep } => demo::service_main(app.setup.clone(), keep),
        Verb::DemoSweep { dir } => demo::sweep_main(&dir),
        // Not reached: see `run`.
        Verb::RunHost { dir } => Ok(run_host(&dir)),
        Verb::ShareReader => Ok(helper(crate::executor::share::job::main())),
        Verb::ShareTalker => Ok(helper(crate::host::open::remote::talk())),
        Verb::Completions { shell } => completions::print(shell, &app.out),
        Verb::Man { verb } => man::print(verb.as_deref(), &app.out),
        Verb::PackageFiles { dir, pages } => package_files::write(&dir, pages.as_deref()),
        Verb::Help(args) => help::print(&args.verb, &app.out),
        Verb::CheckProbe => Ok(helper(crate::check::probe::main())),
        Verb::CheckSite => Ok(helper(crate::check::publisher::main())),
        Verb::AsOwner => Ok(helper(crate::executor::stand_in::main())),
        Verb::NotifyHost => Ok(helper(crate::executor::notices::command::main())),
    }
}

/// The exit status of a run host only says whether its protocol was followed; the package's own is in the exit record.
fn run_host(dir: &std::path::Path) -> Exit {
    helper(crate::executor::run::run_host::main(dir))
}

/// Processes that only pcm itself starts say no more than whether they could do their work.
fn helper(status: u8) -> Exit {
    if status == 0 { Exit::Done } else { Exit::Failed }
}
