//! `pcm rollout` (SITE.md 6): how far jobs are, and what holds their machines up. `shown` is the text, `export` what other
//! programs read, `plugin` the line for monitoring; what is counted is in the room `rollout`.

mod export;
mod plugin;
mod shown;
#[cfg(test)]
mod sums;

use super::args::{FolderArgs, RolloutArgs};
use super::page::Page;
use super::reach::Reached;
use super::setup::Setup;
use super::{App, folder, lint, progress};
use crate::clock::System;
use crate::error::{Exit, Failure, Result};
use crate::host::facts;
use crate::rollout::doc::{JobDoc, RolloutDoc};
use crate::rollout::ground::{Ground, Means};
use crate::rollout::session::{Ask, Only, Session};
use crate::rollout::words::grouped;
use crate::site::expression::filter::Filter;
use crate::site::expression::measure::{Figure, Measure};
use crate::site::expression::{BadExpression, Expression};
use crate::site::ids::JobId;
use crate::site::index::JobState;
use crate::text::parse_span;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Two looks are at least so far apart; reading takes a tenth of the time at most.
const PAUSE: Duration = Duration::from_secs(2);

/// `pcm rollout`
pub fn run(app: &App, args: &RolloutArgs) -> Result<Exit> {
    if args.check {
        return plugin::run(app, args);
    }
    let asked = Asked::of(args)?;
    let mut looks = Looks::default();
    if args.watch {
        return watch(app, args, &asked, &mut looks);
    }
    if args.wait {
        if share_alone(&app.setup, &args.folder).is_some() {
            let message = "--wait needs the site folder: a share does not say which phase a job has reached";
            return Err(Failure::new(Exit::Usage, "usage", message, "Name the site folder: --folder DIR"));
        }
        return wait(app, args, &asked, &mut looks);
    }
    let doc = look(&mut looks, app, args, &asked)?;
    if let Some(file) = &args.openmetrics {
        if !doc.whole {
            let message =
                format!("the share did not answer for every report; {} is as it was", file.display());
            return Err(Failure::new(
                Exit::Share,
                "share-missing",
                message,
                "Try again when the share answers",
            ));
        }
        export::write_metrics(&doc, file)?;
        app.out.view(&doc, || {
            let mut page = Page::new(app.out.width);
            let jobs = super::view::count(doc.jobs.len(), "job");
            page.line(format!("The figures of {jobs} are in {}.", file.display()));
            page
        })?;
    } else if args.csv {
        app.out.text(&export::csv(&doc))?;
    } else {
        app.out.view(&doc, || shown::page(app, &doc, args.job.is_some()))?;
    }
    save(&mut looks, app);
    // The process ends, and the system takes back all of it at once: one report after the other takes a twentieth of the time.
    std::mem::forget(looks);
    Ok(exit(&doc, &asked))
}

/// What the flags ask, read.
struct Asked {
    condition: Option<Expression<Filter>>,
    fail_if: Option<Expression<Measure>>,
    timeout: Option<Duration>,
}

impl Asked {
    fn of(args: &RolloutArgs) -> Result<Self> {
        let condition = args.condition.as_deref().map(Expression::filter).transpose();
        let fail_if = args.fail_if.as_deref().map(Expression::measure).transpose();
        let timeout = args.timeout.as_deref().map(parse_span).transpose();
        Ok(Self {
            condition: condition
                .map_err(|e| wrong("where", &e, "Write e.g. 'group == \"web\" && last_seen > 1d'"))?,
            fail_if: fail_if.map_err(|e| wrong("fail-if", &e, "Write e.g. 'failed > 2% || halted'"))?,
            timeout: timeout.map_err(|why| {
                Failure::new(Exit::Usage, "usage", format!("--timeout: {why}"), "Write e.g. 90m, 2h or 3d")
            })?,
        })
    }
}

fn wrong(flag: &str, e: &BadExpression, remedy: &str) -> Failure {
    Failure::new(Exit::Usage, "usage", format!("--{flag}: {e}"), remedy)
}

/// The share, where no site folder is named beside it.
pub(super) fn share_alone<'a>(setup: &'a Setup, named: &FolderArgs) -> Option<&'a Path> {
    let share = setup.flags.shares.first().filter(|_| named.folder.is_none());
    share.map(PathBuf::as_path)
}

/// What the flags name: with `--share` and no site folder, the share alone.
/// `before`: what it was at the last look.
pub(super) fn ground(
    app: &App,
    named: &FolderArgs,
    job: Option<JobId>,
    before: Option<&Ground>,
) -> Result<Ground> {
    ground_with(app, named, job, before, |_| {})
}

/// The same; `found`: learns where its reports are before its machines are read.
fn ground_with(
    app: &App,
    named: &FolderArgs,
    job: Option<JobId>,
    before: Option<&Ground>,
    found: impl FnOnce(&Path),
) -> Result<Ground> {
    let programs = lint::programs(app);
    let means = Means { programs: &programs, needs: &|share| app.needs(share), now: app.now, before };
    let ground = match share_alone(&app.setup, named) {
        None => {
            let elsewhere = app.setup.flags.shares.first().map(PathBuf::as_path);
            let folder = folder::open(app, named)?;
            found(&elsewhere.map_or_else(|| folder.share(), Path::to_owned));
            Ground::of_folder(folder, elsewhere, job, &means)?
        }
        Some(share) => {
            found(share);
            Ground::of_share(share, &means)?
        }
    };
    match job {
        None => Ok(ground),
        Some(job) => ground.only(job).ok_or_else(|| super::jobs::no_such_job(job)),
    }
}

/// What is kept between two looks: what was counted, and what was read.
#[derive(Default)]
struct Looks {
    ground: Option<Ground>,
    session: Session,
}

/// Counts, as things stand now.
fn look(looks: &mut Looks, app: &App, args: &RolloutArgs, asked: &Asked) -> Result<RolloutDoc> {
    let Looks { ground: known, session } = looks;
    let ground = ground_with(app, &args.folder, args.job, known.as_ref(), |share| session.begin(share))?;
    let ground = &*known.insert(ground);
    let mut tell = progress(app);
    let ask = Ask { now: app.now, fresh: args.fresh, everything: asked.condition.is_some() };
    let read = session.read(ground, ask, |_, done, of| tell(done, of))?;
    let only = Only { condition: asked.condition.as_ref(), written: args.condition.as_deref() };
    let mut doc = read.doc(ground, only, args.job.is_some(), app.now);
    session.foretell(&mut doc);
    doc.warnings = session.said();
    Ok(doc)
}

/// Keeps what was read.
fn save(looks: &mut Looks, app: &App) {
    looks.session.save();
    looks.session.said().into_iter().for_each(|said| app.out.note(said));
}

/// Says how far reading is, to whoever sits there.
pub(super) fn progress(app: &App) -> impl FnMut(usize, usize) {
    progress::counting(&app.out, |done, of| {
        let (done, of) = (grouped(done as u64), grouped(of as u64));
        format!("{done} of {of} reports")
    })
}

/// A figure of a job, and of how many it is a part.
fn figure(job: &JobDoc, figure: Figure) -> (u64, u64) {
    match figure {
        Figure::Failed => (job.unsuccessful(), job.targets),
        Figure::Silent => (job.silent, job.targets),
        Figure::Halted => (u64::from(job.halted), 1),
        Figure::Waiting => (job.waiting, job.targets),
        Figure::Undelivered => (job.undelivered, job.targets),
    }
}

/// The jobs for which it holds.
fn those<'a>(doc: &'a RolloutDoc, measure: &Expression<Measure>) -> Vec<&'a JobDoc> {
    doc.jobs.iter().filter(|job| measure.holds_for(&|name| figure(job, name))).collect()
}

fn exit(doc: &RolloutDoc, asked: &Asked) -> Exit {
    let fails = asked.fail_if.as_ref().is_some_and(|measure| !those(doc, measure).is_empty());
    let halted = doc.jobs.iter().any(|job| job.halted);
    if fails || halted { Exit::Findings } else { Exit::Done }
}

/// As of now: a share that answered before may hang by now, and is asked again.
pub(super) fn at_this_time(app: &App) -> App {
    App { now: System::now(), reached: Reached::default(), ..app.clone() }
}

/// How long until the next look, where one took so long.
fn pause(took: Duration) -> Duration {
    PAUSE.max(took.saturating_mul(9))
}

/// The figures alone: what is foretold never lies in the past, so that its times move as time goes by.
fn without_times(mut doc: Value) -> Value {
    const TIMES: [&str; 11] = [
        "at",
        "age_s",
        "collected",
        "expected",
        "expected_95",
        "foretold",
        "first_at",
        "last_seen",
        "latest",
        "next_at",
        "next_run",
    ];
    // Those of a machine, of a job, and of what holds machines up; keys that machines wrote lie deeper.
    let strip = |row: &mut Value| {
        if let Some(row) = row.as_object_mut() {
            TIMES.iter().for_each(|time| drop(row.remove(*time)));
        }
    };
    strip(&mut doc);
    let rows = |of: &mut Value, key: &str, then: &mut dyn FnMut(&mut Value)| {
        of.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(then);
    };
    rows(&mut doc, "jobs", &mut |job: &mut Value| {
        strip(job);
        rows(job, "reasons", &mut |reason: &mut Value| strip(reason));
        rows(job, "machines", &mut |machine: &mut Value| strip(machine));
    });
    doc
}

fn watch(app: &App, args: &RolloutArgs, asked: &Asked, looks: &mut Looks) -> Result<Exit> {
    let mut last = None;
    loop {
        let began = facts::monotonic();
        let app = at_this_time(app);
        match look(looks, &app, args, asked) {
            Ok(doc) => {
                let at = doc.at;
                let now = serde_json::to_value(&doc).ok().map(without_times);
                if now != last {
                    let first = last.is_none();
                    last = now;
                    match app.out.json {
                        true => app.out.object(&doc)?,
                        false => {
                            let mut page = Page::new(app.out.width);
                            if !first {
                                let rule = format!("-- {} --", app.look().time(at));
                                page.line("").line(rule);
                            }
                            page.extend(shown::page(&app, &doc, args.job.is_some()).lines().to_vec());
                            app.out.page(&page)?;
                        }
                    }
                }
                save(looks, &app);
            }
            // It may come back.
            Err(failure) if last.is_some() => app.out.note(failure.message),
            Err(failure) => return Err(failure),
        }
        std::thread::sleep(pause(facts::monotonic().since(began)));
    }
}

fn wait(app: &App, args: &RolloutArgs, asked: &Asked, looks: &mut Looks) -> Result<Exit> {
    let start = facts::monotonic();
    let mut last: Option<RolloutDoc> = None;
    loop {
        let began = facts::monotonic();
        let app = at_this_time(app);
        match look(looks, &app, args, asked) {
            Ok(doc) => {
                passed_over(&app, args, last.as_ref(), &doc);
                last = Some(doc);
            }
            // It may come back.
            Err(failure) if last.is_some() => app.out.note(failure.message),
            Err(failure) => return Err(failure),
        }
        save(looks, &app);
        let now = facts::monotonic();
        let late = asked.timeout.is_some_and(|timeout| now.since(start) >= timeout);
        let Some(doc) = &mut last else { continue };
        if let Some(exit) = end(doc, asked, late, args.job.is_some()) {
            doc.age_s += (app.now - doc.at).num_seconds().unsigned_abs();
            let doc = &*doc;
            app.out.view(doc, || shown::page(&app, doc, args.job.is_some()))?;
            return Ok(exit);
        }
        let left = asked.timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(now.since(start)));
        std::thread::sleep(pause(now.since(began)).min(left));
    }
}

/// Says once which jobs are not waited for, where no job was named.
fn passed_over(app: &App, args: &RolloutArgs, last: Option<&RolloutDoc>, doc: &RolloutDoc) {
    if args.job.is_some() || last.is_some() {
        return;
    }
    let cancelled = doc.jobs.iter().filter(|job| job.state == JobState::Cancelled);
    let ids: Vec<String> = cancelled.map(|job| job.job_id.to_string()).collect();
    if !ids.is_empty() {
        app.out.note(format!("cancelled, and not waited for: {}", ids.join(", ")));
    }
}

/// How waiting ends; None: not yet. A job that was cancelled is a finding only for whoever named it.
fn end(doc: &RolloutDoc, asked: &Asked, late: bool, named: bool) -> Option<Exit> {
    let cancelled = |job: &JobDoc| job.state == JobState::Cancelled;
    match exit(doc, asked) {
        Exit::Findings => Some(Exit::Findings),
        _ if named && doc.jobs.iter().any(cancelled) => Some(Exit::Findings),
        _ if doc.whole && doc.jobs.iter().all(|job| job.over == Some(true)) => Some(Exit::Done),
        _ if late => Some(Exit::PackageFailed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_that_move_with_now_are_no_figures() {
        let at = |at: &str, done: u64| {
            let machine = json!({"machine": "BP050001", "part": "waiting", "next_run": at, "last_seen": at});
            let job = json!({
                "done": done, "next_at": at, "expected": [{"at": at, "done_low": done}], "expected_95": {"at": at},
                "by_version": {"latest": 1}, "reasons": [{"reason": "busy", "first_at": at}], "machines": [machine],
            });
            without_times(json!({"at": at, "age_s": 0, "jobs": [job]}))
        };
        assert_eq!(at("early", 1), at("late", 1));
        assert_ne!(at("early", 1), at("early", 2));
        assert_eq!(at("early", 1)["jobs"][0]["by_version"]["latest"], 1);
    }
}
