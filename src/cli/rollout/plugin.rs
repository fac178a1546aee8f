//! `pcm rollout --check`: one line for a monitoring system, with performance data, and its exit statuses: 0 ok, 1 warning,
//! 2 critical, 3 where nothing can be said.

use super::{Asked, figure, look, save, those, wrong};
use crate::cli::App;
use crate::cli::args::RolloutArgs;
use crate::error::{Exit, Result};
use crate::rollout::doc::{JobDoc, RolloutDoc};
use crate::rollout::session::Session;
use crate::rollout::words::grouped;
use crate::site::expression::Expression;
use crate::site::expression::measure::{Figure, Measure};
use crate::text::SafeText;

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Says {
    fn word(self) -> &'static str {
        match self {
            Says::Ok => "OK",
            Says::Warning => "WARNING",
            Says::Critical => "CRITICAL",
            Says::Unknown => "UNKNOWN",
        }
    }

    /// The statuses of plugins are numbers of their own.
    fn exit(self) -> Exit {
        match self {
            Says::Ok => Exit::Done,
            Says::Warning => Exit::Failed,
            Says::Critical => Exit::Usage,
            Says::Unknown => Exit::Refused,
        }
    }
}

/// Prints the line. Whatever keeps it from counting is `UNKNOWN`, wrong expressions with it.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(app: &App, args: &RolloutArgs) -> Result<Exit> {
    let (says, words) = match counted(app, args) {
        Ok((says, words)) => (says, words),
        // What follows a bar is performance data.
        Err(failure) => (Says::Unknown, failure.message.as_str().replace('|', "/")),
    };
    let line = format!("ROLLOUT {} - {words}", says.word());
    app.out.say(&SafeText::new(&line))?;
    Ok(says.exit())
}

fn counted(app: &App, args: &RolloutArgs) -> Result<(Says, String)> {
    let measure = |flag, text: Option<&str>| {
        let read = text.map(Expression::measure).transpose();
        read.map_err(|e| wrong(flag, &e, "Write e.g. 'failed > 2% || halted'"))
    };
    let (warn, crit) = (measure("warn", args.warn.as_deref())?, measure("crit", args.crit.as_deref())?);
    let crit = crit.unwrap_or(Expression::Test(Measure::halted()));
    let mut session = Session::default();
    let doc = look(&mut session, app, args, &Asked::of(args)?)?;
    save(&mut session, app);
    let critical = those(&doc, &crit);
    let warned = warn.map_or_else(Vec::new, |warn| those(&doc, &warn));
    let (says, named) = match (critical.is_empty(), warned.is_empty(), doc.whole) {
        (false, ..) => (Says::Critical, critical),
        // What was not read may be anything.
        (true, _, false) => (Says::Unknown, doc.jobs.iter().collect()),
        (true, false, true) => (Says::Warning, warned),
        (true, true, true) => (Says::Ok, doc.jobs.iter().collect()),
    };
    let not_whole = if doc.whole { "" } else { "the share did not answer for every report; " };
    Ok((says, format!("{not_whole}{} | {}", words(&named), performance(&doc))))
}

/// The first few jobs that it is about.
fn words(jobs: &[&JobDoc]) -> String {
    const MOST: usize = 3;
    if jobs.is_empty() {
        return "no job".to_owned();
    }
    let one = |job: &&JobDoc| {
        let halted = if job.halted { " halted," } else { "" };
        let done = job.done + job.not_needed;
        let percent = (done * 100).checked_div(job.targets).unwrap_or(100);
        let (targets, failed) = (grouped(job.targets), grouped(job.unsuccessful()));
        format!(
            "{}{halted} {percent}% of {targets} done, {failed} failed, {} silent",
            job.job_id,
            grouped(job.silent)
        )
    };
    let mut parts: Vec<String> = jobs.iter().take(MOST).map(one).collect();
    if jobs.len() > MOST {
        parts.push(format!("and {} more jobs", jobs.len() - MOST));
    }
    parts.join("; ")
}

/// Of all jobs together: `failed=188;;;0;50112`.
fn performance(doc: &RolloutDoc) -> String {
    let sum = |of: &dyn Fn(&JobDoc) -> (u64, u64)| {
        doc.jobs.iter().map(of).fold((0, 0), |(n, of), (more, most)| (n + more, of + most))
    };
    let done = sum(&|job| (job.done + job.not_needed, job.targets));
    let figures = Figure::ALL.iter().map(|name| (name.as_str(), sum(&|job| figure(job, *name))));
    let all = [("done", done)].into_iter().chain(figures);
    all.map(|(name, (n, of))| format!("{name}={n};;;0;{of}")).collect::<Vec<_>>().join(" ")
}
