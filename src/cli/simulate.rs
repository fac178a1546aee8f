//! `pcm simulate`: what will become of the requests in force, answered by the executor; or of an instruction file that
//! need not be published, worked out here with what this machine tells of itself.

use super::args::SimulateArgs;
use super::setup::Read;
use super::{App, view};
use crate::clock::Wall;
use crate::config::Config;
use crate::decision::simulate::{Assumptions, Obstacle, Situation};
use crate::decision::{
    Attempt, Deferrals, Facts, HistoryView, Hold, HostFacts, Instructions, Policy, RestartRule, UserFact,
};
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::simulate;
use crate::executor::talk::protocol::{Answer, OTHER_MACHINE, View, Wanted, unexpected_answer};
use crate::executor::talk::view::{AttemptDoc, RequestDoc, SimulateDoc};
use crate::host::{facts, sessions};
use crate::site::ids::MachineId;
use crate::site::instruction::parse::parse;
use crate::site::instruction::{self, InstructionFile};
use crate::site::share::{OpenError, open_bounded};
use crate::site::site_file;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustVerdict;
use crate::terms::{Group, Problem, State};
use crate::text::{SafeText, Side, parse_time};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How much is simulated where nothing else is said, in days.
const DAYS: i64 = 7;

/// `pcm simulate`
pub fn run(app: &App, args: &SimulateArgs) -> Result<Exit> {
    let doc = foretold(app, args)?;
    print(app, args, &doc)
}

/// Prints it.
pub fn print(app: &App, args: &SimulateArgs, doc: &SimulateDoc) -> Result<Exit> {
    app.out.view(doc, || view::simulate(doc, args.request, &app.look()))?;
    Ok(Exit::Done)
}

/// What it prints.
pub fn foretold(app: &App, args: &SimulateArgs) -> Result<SimulateDoc> {
    let mut assume = Assumptions::usual();
    for text in &args.assume {
        assume.add(text).map_err(|why| usage("--assume", &why))?;
    }
    let from = match &args.from {
        Some(text) => time(app, "--from", text, app.now)?,
        None => app.now,
    };
    let until = match &args.until {
        Some(text) => time(app, "--until", text, from)?,
        None => from + chrono::TimeDelta::days(DAYS),
    };
    let wanted = Wanted { request: args.request, from, until, assume };
    if let Some(file) = &args.file {
        return unpublished(app, file, wanted);
    }
    match app.client()?.view(&View::Simulate(wanted))? {
        Answer::Simulate(doc) => Ok(doc),
        _ => Err(unexpected_answer()),
    }
}

fn usage(flag: &str, why: &str) -> Failure {
    Failure::new(Exit::Usage, "usage", format!("{flag}: {why}"), "`pcm simulate --help` says how it is used")
}

/// A time as of `base`, or a duration after it.
fn time(app: &App, flag: &str, text: &str, base: Wall) -> Result<Wall> {
    parse_time(text, Side::Next, base, &app.zone).map_err(|why| usage(flag, &why))
}

/// An instruction file as if it were published now. Needs no configuration and no rights but to read the file.
fn unpublished(app: &App, path: &Path, mut wanted: Wanted) -> Result<SimulateDoc> {
    let bytes = open_bounded(path, instruction::MAX_BYTES).map_err(|e| unreadable(path, &e))?;
    let configured = matches!(app.setup.read, Read::Good);
    let machine = named_in(&bytes).ok_or_else(|| malformed(path, &[]))?;
    if let Some(meant) = app.setup.flags.machine.filter(|meant| *meant != machine) {
        let message = format!("{} is for {machine}, not for {meant}", path.display());
        return Err(Failure::new(Exit::Refused, OTHER_MACHINE, message, "Correct --machine or --file"));
    }
    let here = configured && app.setup.config.machine == Some(machine);
    let config = if here { app.setup.config.clone() } else { Config::default() };
    let file = parse(&bytes, machine, &path.display().to_string(), &config.request_defaults());
    let file = file.map_err(|problems| malformed(path, &problems))?;
    let mut notes: Vec<SafeText> = vec!["the file is published now and believed, and a service runs".into()];
    let history = if here {
        known(app).unwrap_or_else(|failure| {
            notes.push(
                format!("nothing was run here yet, for what was is not told: {}", failure.message).into(),
            );
            HistoryView::default()
        })
    } else {
        notes.push(
            format!("{machine} is another machine: nothing was run there yet; no windows, no freezes").into(),
        );
        wanted.assume.users.get_or_insert_default();
        wanted.assume.without.extend([Obstacle::Platform, Obstacle::Power, Obstacle::Disk, Obstacle::Boot]);
        HistoryView::default()
    };
    let situation = situation(app, config, file, history, path)?;
    let mut doc = simulate::run(&situation, &wanted, &|| true)?;
    doc.assumed.splice(0..0, notes);
    Ok(doc)
}

/// Whose file it says it is, by the first line that does: also of a file with a syntax error further down, so that the
/// error can be told. Whatever is wrong with that line is told when the file is read as such.
pub(super) fn named_in(bytes: &[u8]) -> Option<MachineId> {
    String::from_utf8_lossy(bytes).lines().find_map(|line| {
        let value = line.trim().strip_prefix("machine")?.trim_start().strip_prefix('=')?;
        value.split(['"', '\'']).nth(1)?.parse().ok()
    })
}

fn unreadable(path: &Path, e: &OpenError) -> Failure {
    let exit = if matches!(e, OpenError::Missing) { Exit::NotFound } else { Exit::Failed };
    let code = if matches!(e, OpenError::Missing) { "no-such-file" } else { "unreadable" };
    Failure::new(exit, code, format!("{} cannot be read: {e}", path.display()), "Name an instruction file")
}

fn malformed(path: &Path, problems: &[Problem]) -> Failure {
    let words: Vec<String> = problems.iter().map(view::problem_words).collect();
    let why = if words.is_empty() {
        "it does not say for which machine it is".to_owned()
    } else {
        words.join("; ")
    };
    let message = format!("{} would be refused as a whole: {why}", path.display());
    Failure::new(Exit::Failed, "malformed", message, "Correct it before it is published")
}

/// What this machine has behind it, from the same answers as list and history.
fn known(app: &App) -> Result<HistoryView> {
    let client = app.client()?;
    let (list, status) = (client.list()?, client.status()?);
    let Answer::History(history) = client.view(&View::History(None, None))? else {
        return Err(unexpected_answer());
    };
    let mut view = HistoryView::default();
    for request in &list.requests {
        let Some(id) = request.request_id else { continue };
        if let Some(until) = request.deferred_until {
            view.deferrals.insert(
                id,
                Deferrals { until: Some(until), by: "an operator".into(), ..Deferrals::default() },
            );
        }
        if request.state == State::Succeeded && request.attempt == 0 {
            view.adopted.insert(id, request.since.unwrap_or(app.now));
        }
        let attempts = history.attempts.iter().rev().filter(|a| a.request_id == id);
        let attempts: Vec<_> =
            attempts.filter_map(|a| attempt(a, request, status.restart_pending)).map(Arc::new).collect();
        if !attempts.is_empty() {
            view.attempts.insert(id, attempts);
        }
    }
    let reason = "as pcm status says".into();
    view.hold = status.held_until.map(|until| Hold { until, by: "an operator".into(), reason, at: app.now });
    Ok(view)
}

fn attempt(doc: &AttemptDoc, request: &RequestDoc, restart_pending: bool) -> Option<Attempt> {
    let same_boot = restart_pending && doc.state == State::SucceededRestart;
    Some(Attempt {
        number: doc.attempt,
        state: doc.state,
        retry_at: doc.retry_at,
        package: doc.package.clone(),
        command: request.command.clone(),
        job_id: request.job_id?,
        package_id: request.package_id?,
        claimed_at: doc.claimed_at,
        started_at: doc.started_at,
        ended_at: doc.ended_at,
        exit_code: doc.exit_code,
        result: doc.result.clone(),
        by: doc.by.clone(),
        reason: doc.reason.clone(),
        boot_id: if same_boot { facts::boot_id() } else { String::new() },
        restart: RestartRule::default(),
        release: None,
        removes: false,
    })
}

/// This machine on which the file was just read from a share.
fn situation(
    app: &App,
    config: Config,
    file: InstructionFile,
    history: HistoryView,
    path: &Path,
) -> Result<Situation> {
    let window_zone = facts::zone(&config.windows.zone).map_err(|e| SafeText::new(&e.to_string()));
    let users = sessions::logged_on();
    let ignored = |name: &SafeText| config.users.ignore.iter().any(|ignored| ignored == name.as_str());
    let uptime = chrono::TimeDelta::from_std(facts::monotonic().0).unwrap_or_default();
    let running = history.attempts.iter().find_map(|(id, attempts)| {
        let newest = attempts.last().filter(|a| a.state.group() == Group::Running)?;
        Some((*id, newest.started_at.unwrap_or(newest.claimed_at)))
    });
    Ok(Situation {
        instructions: Instructions {
            file: Some(file),
            share_seen: Some(app.now),
            fault: None,
            trust: TrustVerdict::Trusted("taken for granted".into()),
            source: Some(SafeText::new(&path.display().to_string())),
            signed: None,
            site_freezes: site_freezes(app, path)?,
            index: None,
        },
        history,
        facts: Facts {
            platform: facts::platform(),
            users: users
                .known()
                .map(|all| all.iter().filter(|s| !ignored(&s.user)).map(UserFact::of).collect()),
            clock_suspect: None,
            boot_id: facts::boot_id(),
            host: HostFacts::now(Some(app.now - uptime)),
            disk_free: facts::disk_free(&app.setup.layout.state),
            // A file that is not published is asked about as if it were in force, and so as if a service ran.
            service: true,
            unwritten: None,
            running,
            countdown: None,
            content: BTreeMap::new(),
            copying: BTreeMap::new(),
            unstartable: BTreeMap::new(),
            installed: Arc::default(),
            programs: config.all_programs(),
        },
        policy: Policy { config, unreadable: None, window_zone, groups: Vec::new() },
        zone: app.zone.clone(),
    })
}

/// The freezes of the share that is named, or of the one on which the file lies, in the folder of instruction files.
fn site_freezes(app: &App, path: &Path) -> Result<Vec<Freeze>> {
    let beside = path.parent().and_then(Path::parent);
    let share = match app.setup.flags.shares.as_slice() {
        [] => beside,
        [share] => Some(share.as_path()),
        [..] => return Err(usage("--share", "one share is read")),
    };
    let Some(share) = share else { return Ok(Vec::new()) };
    let site = share.join(site_file::NAME);
    let bytes = match open_bounded(&site, site_file::MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(OpenError::Missing) => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(&site, &e)),
    };
    let read = site_file::parse(&bytes, &site.display().to_string());
    read.map(|file| file.freezes).map_err(|problems| malformed(&site, &problems))
}
