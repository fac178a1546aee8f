//! `pcm job list` and `pcm job show`: the jobs of a site folder.

use super::App;
use super::args::FolderArgs;
use super::folder;
use super::lint;
use super::page::{Page, Tone};
use super::table::{Table, fixed, words};
use crate::clock::When;
use crate::error::{Exit, Failure, Result};
use crate::rollout::gate;
use crate::site::folder::{Folder, Source, malformed};
use crate::site::ids::{JobId, RequestId};
use crate::site::index::audience::is_for;
use crate::site::index::job::{Job, OfferTo};
use crate::site::index::{self, JobState, target};
use crate::site::instruction::command::shown;
use crate::site::instruction::render::when;
use crate::site::publisher::{past, record};
use crate::terms::Problem;
use crate::text::{self, SafeText};
use serde::Serialize;

/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// It is not in the folder.
pub fn no_such_job(id: JobId) -> Failure {
    let message = format!("the site folder has no job {id}");
    Failure::new(Exit::NotFound, "no-such-job", message, "pcm job list shows those that there are")
}

/// A reason that somebody gives, as machines show it.
///
/// # Errors
/// It is too short or too long, or would pass for that of a gate.
pub fn reason(text: &str) -> Result<SafeText> {
    let reason = SafeText::new(text);
    if gate::is_halt(reason.as_str()) {
        let message = "--reason begins with \"halted:\", as that of a job which a gate halted".to_owned();
        return Err(Failure::new(Exit::Usage, "usage", message, "Say it in other words"));
    }
    bounded(reason, "--reason")
}

/// The same, as long as a reason may be. `what` it is, for the message.
///
/// # Errors
/// It is too short or too long.
pub fn bounded(reason: SafeText, what: &str) -> Result<SafeText> {
    match reason.as_str().chars().count() {
        1..=MAX_REASON => Ok(reason),
        n => {
            let message = format!("{what} has {n} characters");
            Err(Failure::new(Exit::Usage, "usage", message, format!("Write 1 to {MAX_REASON}")))
        }
    }
}

/// How many machines a job's targets meet, and for how many of them its condition cannot be known here.
pub fn met(job: &Job, source: &Source) -> (usize, usize) {
    let (mut met, mut undecided) = (0, 0);
    for member in source.machines.values().map(|machine| machine.member()) {
        if is_for(&job.targets, &job.exclude, None, &member) == Some(true) {
            met += 1;
            let condition = job.condition.as_ref();
            undecided += usize::from(is_for(&job.targets, &job.exclude, condition, &member).is_none());
        }
    }
    (met, undecided)
}

/// `job list --json`
#[derive(Debug, Serialize)]
struct JobsDoc {
    /// All jobs of the site folder.
    jobs: Vec<JobDoc>,
}

/// One job.
#[derive(Debug, Serialize)]
struct JobDoc {
    /// The job.
    job_id: JobId,
    /// The request that machines make of it.
    request_id: RequestId,
    /// None: it was not published yet, or has left the index.
    revision: Option<u64>,
    /// Its state.
    state: JobState,
    /// The share of its machines that it has reached, in percent; 0: only those that come first.
    percent: f64,
    /// Why it is suspended or cancelled; None: it is neither, or nobody said why.
    reason: Option<SafeText>,
    /// The package's name.
    package: SafeText,
    /// The command's name.
    command: SafeText,
    /// How many machines its targets meet.
    targets: usize,
    /// Who may have it run beside those who operate.
    offer_to: Option<OfferTo>,
}

/// What the index says of jobs, as this folder knows it.
fn revisions(folder: &Folder) -> Vec<(JobId, u64)> {
    let kept = record::read(&folder.dir, &folder.settings.site_id);
    let index = kept.and_then(|record| index::parse(record.index.as_bytes(), record::NAME).ok());
    index.into_iter().flat_map(|index| index.jobs).map(|job| (job.job_id, job.revision)).collect()
}

/// `pcm job list`
pub fn list(app: &App, named: &FolderArgs) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let (source, problems) = as_far_as_known(app, &folder);
    let revisions = revisions(&folder);
    let rows = source.jobs.values().map(|(job, word)| JobDoc {
        job_id: job.job_id,
        request_id: job.request_id,
        revision: revisions.iter().find(|(id, _)| *id == job.job_id).map(|(_, revision)| *revision),
        state: word.state,
        percent: f64::from(word.percent) / 100.0,
        reason: word.reason.clone(),
        package: job.package.clone(),
        command: job.command.clone(),
        targets: met(job, &source).0,
        offer_to: job.offer_to,
    });
    let doc = JobsDoc { jobs: rows.collect() };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        if doc.jobs.is_empty() {
            page.line("The site folder has no job: pcm job send");
            return page;
        }
        let mut columns = vec![
            fixed("JOB"),
            fixed("REQUEST"),
            fixed("STATE"),
            words("PACKAGE", 16),
            words("COMMAND", 8),
            fixed("MACHINES"),
        ];
        // Most sites offer nothing to users, and have no room to spare for a column that says so.
        let offered = doc.jobs.iter().any(|job| job.offer_to.is_some());
        columns.extend(offered.then(|| fixed("OFFERED TO")));
        columns.push(words("REASON", 8));
        let mut table = Table::new(0, &columns);
        for job in &doc.jobs {
            let mut cells = vec![
                job.job_id.to_string(),
                job.request_id.to_string(),
                job.state.to_string(),
                job.package.to_string(),
                job.command.to_string(),
                job.targets.to_string(),
            ];
            cells.extend(offered.then(|| job.offer_to.map_or_else(String::new, |who| who.to_string())));
            cells.extend(job.reason.as_ref().map(ToString::to_string));
            table.row(Tone::Plain, cells);
        }
        page.table(&table);
        page
    })?;
    // What can be listed is listed, whatever is wrong with the rest.
    if problems.is_empty() { Ok(Exit::Done) } else { Err(malformed(&problems)) }
}

/// What a folder says; what of it cannot be read is as it was published last.
fn as_far_as_known(app: &App, folder: &Folder) -> (Source, Vec<Problem>) {
    let programs = lint::programs(app);
    let (mut source, problems) = folder.readable(&programs, None);
    let last = record::read(&folder.dir, &folder.settings.site_id)
        .and_then(|record| index::parse(record.index.as_bytes(), record::NAME).ok())
        .filter(|_| !problems.is_empty())
        .and_then(|index| past::published(folder, index.serial, &programs));
    if let Some(last) = last {
        // One that somebody removed is no job any more.
        let there = last.jobs.into_iter().filter(|(id, _)| folder.job_path(*id).exists());
        for (id, job) in there {
            source.jobs.entry(id).or_insert(job);
        }
        if folder.read_machines().is_err() {
            source.machines = last.machines;
        }
    }
    (source, problems)
}

/// `pcm job show`
pub fn show(app: &App, id: JobId, named: &FolderArgs) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let source = folder.read(&lint::programs(app))?;
    let (job, word) = source.jobs.get(&id).ok_or_else(|| no_such_job(id))?;
    let (targets, undecided) = met(job, &source);
    let revision =
        revisions(&folder).into_iter().find(|(known, _)| *known == id).map(|(_, revision)| revision);
    let doc = ShowDoc {
        job: JobDoc {
            job_id: id,
            request_id: job.request_id,
            revision,
            state: word.state,
            percent: f64::from(word.percent) / 100.0,
            reason: word.reason.clone(),
            package: job.package.clone(),
            command: job.command.clone(),
            targets,
            offer_to: job.offer_to,
        },
        undecided,
        package_id: job.package_id.to_string(),
        release: job.release,
        command_line: shown(&job.command_line),
        to: job.targets.iter().map(ToString::to_string).collect(),
        exclude: job.exclude.iter().map(ToString::to_string).collect(),
        condition: job.condition.as_ref().map(|condition| SafeText::new(&condition.to_string())),
        offer_after: job.times.offer.map(shown_when),
        mandatory_after: job.times.mandatory.map(shown_when),
        expire_after: job.times.expire.map(shown_when),
        spread: job.spread.map(text::duration),
        phases: job.phases.iter().map(ToString::to_string).collect(),
        canary: word.canary.iter().map(ToString::to_string).collect(),
        file: folder.job_path(id).display().to_string().into(),
    };
    app.out.view(&doc, || show_page(app, &doc))?;
    Ok(Exit::Done)
}

/// `job show --json`
#[derive(Debug, Serialize)]
struct ShowDoc {
    /// As in `pcm job list`.
    #[serde(flatten)]
    job: JobDoc,
    /// For so many of them only they themselves know whether its condition holds.
    undecided: usize,
    /// The package's id.
    package_id: String,
    /// The release of the package.
    release: u64,
    /// What is started, as one line.
    command_line: SafeText,
    /// Whom it is for: machines, groups (`@web`), or all.
    to: Vec<String>,
    /// Whom it is not for.
    exclude: Vec<String>,
    /// The condition that machines have to meet; None: without one.
    #[serde(rename = "where")]
    condition: Option<SafeText>,
    /// From when on it may be run, on each machine's own clock where it has no zone; None: at once.
    offer_after: Option<String>,
    /// From when on machines start it by themselves, said the same way; None: never.
    mandatory_after: Option<String>,
    /// When it ends, said the same way; None: never.
    expire_after: Option<String>,
    /// How far its starts are spread, e.g. `1h`; None: not said.
    spread: Option<String>,
    /// The shares of its machines that it reaches, each with its time.
    phases: Vec<String>,
    /// They come first.
    canary: Vec<String>,
    /// Path of its file.
    file: SafeText,
}

fn shown_when(at: When) -> String {
    when(at)
}

fn show_page(app: &App, doc: &ShowDoc) -> Page {
    let mut page = Page::new(app.out.width);
    let job = &doc.job;
    page.line(format!("{}  {}: {}", job.job_id, job.package, job.command));
    let revision = job.revision.map_or_else(|| "not published".to_owned(), |revision| revision.to_string());
    let mut table = Table::new(2, &[fixed(""), words("", 20)]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            table.row(Tone::Plain, [name.to_owned(), value]);
        }
    };
    row("state", job.state.to_string());
    row("reason", job.reason.as_ref().map_or_else(String::new, ToString::to_string));
    row("request", job.request_id.to_string());
    row("revision", revision);
    row("package", format!("{}, release {}", doc.package_id, doc.release));
    row("command line", doc.command_line.to_string());
    row("machines", format!("{} ({})", job.targets, doc.to.join(", ")));
    row("but not", doc.exclude.join(", "));
    row("where", doc.condition.as_ref().map_or_else(String::new, ToString::to_string));
    let reached = match job.percent {
        0.0 if !doc.canary.is_empty() => "the machines that come first".to_owned(),
        percent => format!("{} %", target::percent((percent * 100.0).round() as u32)),
    };
    row("reached", reached);
    row("offered to", job.offer_to.map_or_else(String::new, |who| who.to_string()));
    row("first", doc.canary.join(", "));
    row("phases", doc.phases.join(", "));
    row("offer after", doc.offer_after.clone().unwrap_or_default());
    row("mandatory after", doc.mandatory_after.clone().unwrap_or_else(|| "never".into()));
    row("expire after", doc.expire_after.clone().unwrap_or_else(|| "never".into()));
    row("spread", doc.spread.clone().unwrap_or_default());
    row("file", doc.file.to_string());
    page.table(&table);
    page
}
