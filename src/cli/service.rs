//! `pcm service run|install|uninstall|status`.

use super::App;
use super::args::ServiceVerb;
use super::page::Page;
use super::setup::{Setup, bad_configuration};
use crate::config::{Config, Unusable};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::protocol::Answer;
use crate::executor::talk::view::DryRunDoc;
use crate::host::open::remote;
use crate::host::supervisor::{self, Registration};
use crate::host::{durable, lock, process, threads};
use crate::text::SafeText;
use serde::Serialize;
use std::io::IsTerminal;
use std::process::Command;
use std::sync::Arc;

/// `service install|uninstall|status --json`
#[derive(Debug, Serialize)]
struct ServiceDoc {
    /// The system's supervisor knows it, and nobody keeps it from being started.
    installed: bool,
    /// Where that stands.
    file: SafeText,
    /// Somebody is the executor now: who, pid, since.
    executor: Option<SafeText>,
    /// What was done or found, in words.
    message: SafeText,
}

/// Carries out one of them.
pub fn carry_out(app: &App, verb: &ServiceVerb) -> Result<Exit> {
    match verb {
        ServiceVerb::Run => {
            say_what_it_does(app)?;
            run(&app.setup)
        }
        ServiceVerb::Install => install(app),
        ServiceVerb::Uninstall => uninstall(app),
        ServiceVerb::Status => status(app),
    }
}

/// On a terminal somebody watches: which machine this is, where everything is, how to end it, and then its log as it goes.
fn say_what_it_does(app: &App) -> Result<()> {
    if !std::io::stdout().is_terminal() || app.out.quiet || app.out.json {
        return Ok(());
    }
    let setup = app.setup.clone().usable()?;
    let machine = setup.config.machine.map_or_else(String::new, |machine| machine.to_string());
    let shares: Vec<String> = setup.config.shares.iter().map(|share| share.display().to_string()).collect();
    let mut page = Page::new(app.out.width);
    page.strong(format!("pcm {}, the service of {machine}", env!("CARGO_PKG_VERSION")));
    page.line(format!("share {}", if shares.is_empty() { "none".to_owned() } else { shares.join(", ") }));
    page.line(format!("state {}", setup.layout.state.display()));
    page.line(format!("log   {}", setup.layout.pacman_log().display()));
    page.line(
        "It runs packages when they are due, and prints its log here. Ctrl-C ends it; a package goes on.",
    );
    page.line(format!("In another terminal: {pcm}, or {pcm} status", pcm = setup.pcm));
    app.out.page(&page)?;
    let (app, file) = (app.clone(), setup.layout.pacman_log());
    // Without a thread the log is still in its file.
    let _ = threads::start("tail", move || super::log::tail(&app, file));
    Ok(())
}

/// Is the service until it is asked to end. The configuration is read again by it from time to time.
pub fn run(setup: &Setup) -> Result<Exit> {
    let setup = setup.clone().usable()?;
    let layout = setup.layout.clone();
    let read = move || -> std::result::Result<Config, Unusable> {
        let config = Config::load(&setup.layout.config).map_err(|e| {
            let problems = e.problems();
            Unusable { why: bad_configuration(&setup.layout.config, &problems).message, problems }
        })?;
        remote::use_access(config.share.access());
        Ok(config)
    };
    crate::service::run(&layout, Arc::new(read))?;
    Ok(Exit::Done)
}

/// The registration of this very installation: the flags of this call are part of it.
fn registration(app: &App) -> Result<Registration> {
    let exe = process::own_executable().map_err(|e| {
        Failure::new(
            Exit::Failed,
            "service",
            format!("pcm's own file is not to be found: {e}"),
            "Install pcm again",
        )
    })?;
    let mut command = vec![exe.display().to_string()];
    command.extend(app.setup.layout.naming_flags());
    command.extend(["service".to_owned(), "run".to_owned()]);
    supervisor::registration(&command).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "no-supervisor",
            "pcm knows no way to register a service on this system",
            "Let whatever starts services here run: pcm service run",
        )
    })
}

fn install(app: &App) -> Result<Exit> {
    app.setup.clone().usable()?;
    let registration = registration(app)?;
    if let Some(mask) = registration.masked() {
        return Err(Failure::new(
            Exit::Failed,
            "service",
            format!("the service is masked by {}, and stays so", mask.display()),
            format!("If it is to be started: {}, and run this again", supervisor::unmask(&mask)),
        ));
    }
    // That of a package is upgraded with it; a copy would count before it and stay as it is.
    let packaged = registration.of_package();
    let file = packaged.as_ref().unwrap_or(&registration.file).display().to_string();
    if app.dry_run {
        let start = registration.text.lines().find(|line| line.starts_with("ExecStart=")).unwrap_or_default();
        let would = match packaged {
            Some(_) => format!("leave {file} as it is, and start the service"),
            None => format!("write {file} with {start}, and start the service"),
        };
        return app.other(Answer::DryRun(DryRunDoc { dry_run: true, would: would.into(), request_id: None }));
    }
    let is = if packaged.is_some() { "is of the installed package" } else { "is written" };
    if packaged.is_none() {
        durable::write(&registration.file, registration.text.as_bytes()).map_err(|e| {
            Failure::new(Exit::Failed, "service", format!("{file} cannot be written: {e}"), "Run it as root")
        })?;
    }
    let message = if supervisor::is_running() {
        tell_supervisor(&registration.enable)?;
        format!("{file} {is}, and the service is started.")
    } else {
        format!("{file} {is}. systemd does not run here, so the service is not started.")
    };
    told(app, &registration, &message)
}

fn uninstall(app: &App) -> Result<Exit> {
    let registration = registration(app)?;
    let Some(file) = registration.stands() else {
        return told(app, &registration, "The service is not installed; nothing changed.");
    };
    if registration.masked().is_some() {
        let message = format!("The service is masked by {}, and stays so; nothing changed.", file.display());
        return told(app, &registration, &message);
    }
    // What a package brought goes with the package.
    let own = file == registration.file;
    let file = file.display().to_string();
    if app.dry_run {
        let would = match own {
            true => format!("stop the service and remove {file}; history and configuration stay"),
            false => format!("stop the service, and leave {file}, which is of the installed package"),
        };
        return app.other(Answer::DryRun(DryRunDoc { dry_run: true, would: would.into(), request_id: None }));
    }
    if supervisor::is_running() {
        tell_supervisor(&registration.disable)?;
    }
    if !own {
        let done = match supervisor::is_running() {
            true => "the service is stopped, and is not started with the machine any more",
            false => "systemd does not run here, so nothing changed",
        };
        return told(app, &registration, &format!("{file} is of the installed package and stays; {done}."));
    }
    std::fs::remove_file(&registration.file).map_err(|e| {
        Failure::new(Exit::Failed, "service", format!("{file} cannot be removed: {e}"), "Run it as root")
    })?;
    told(
        app,
        &registration,
        &format!("{file} is removed. History and configuration stay; a running package goes on."),
    )
}

fn status(app: &App) -> Result<Exit> {
    let registration = registration(app)?;
    if let Some(mask) = registration.masked() {
        let message = format!(
            "The service is masked by {}: nothing starts it. If it is to be started: {}, then {} service install.",
            mask.display(),
            supervisor::unmask(&mask),
            app.setup.pcm
        );
        return told(app, &registration, &message);
    }
    let message = match (registration.stands().is_some(), supervisor::is_running()) {
        (true, true) => "The service is installed.",
        (true, false) => "The service is installed, and systemd does not run here.",
        (false, _) => "The service is not installed; `pcm service install` does that.",
    };
    told(app, &registration, message)
}

/// Lets the system take something up.
///
/// # Errors
/// A command fails.
pub fn tell_supervisor(commands: &[Vec<String>]) -> Result<()> {
    for command in commands {
        let Some((program, args)) = command.split_first() else { continue };
        let words = command.join(" ");
        let failed = |why: String| {
            Failure::new(
                Exit::Failed,
                "service",
                format!("`{words}` failed: {why}"),
                "Correct that and run it again",
            )
        };
        let output = Command::new(program).args(args).output().map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            return Err(failed(SafeText::from_bytes(output.stderr.trim_ascii()).to_string()));
        }
    }
    Ok(())
}

fn told(app: &App, registration: &Registration, message: &str) -> Result<Exit> {
    let stands = registration.stands();
    let doc = ServiceDoc {
        installed: stands.is_some() && registration.masked().is_none(),
        file: stands.as_ref().unwrap_or(&registration.file).display().to_string().into(),
        executor: lock::holder(&app.setup.layout.lock()).map(|holder| holder.to_string().into()),
        message: message.into(),
    };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        page.line(message);
        page.line(match &doc.executor {
            Some(holder) => format!("The executor is held by {holder}."),
            None => "Nobody holds the executor: nothing runs by itself.".to_owned(),
        });
        page
    })?;
    Ok(Exit::Done)
}
