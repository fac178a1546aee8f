//! `pcm rollout --check`: one line for a monitoring system, with performance data, and its exit statuses: 0 ok, 1 warning,
//! 2 critical, 3 where nothing can be said.

use super::{Asked, Looks, figure, look, save, those, wrong};
use crate::cli::App;
use crate::cli::args::RolloutArgs;
use crate::error::{Exit, Result};
use crate::rollout::doc::{JobDoc, RolloutDoc};
use crate::rollout::words::grouped;
use crate::site::expression::Expression;
use crate::site::expression::measure::{Figure, Measure};
use crate::text::{self, SafeText};
use std::time::Duration;

/// What a collector has read before that says nothing of how it is now: one reads every five minutes.
const OLD: Duration = Duration::from_secs(15 * 60);

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
    let mut looks = Looks::default();
    let asked = Asked::of(args)?;
    let doc = look(&mut looks, app, args, &asked)?;
    save(&mut looks, app);
    // A group whose name is written wrong would be green for ever. Nobody who fails, or is silent for long, is what is hoped for.
    let groups = asked.condition.as_ref().map(Expression::groups).unwrap_or_default();
    let empty =
        groups.into_iter().find(|group| looks.ground.as_ref().is_some_and(|site| !site.has_group(group)));
    Ok(judged(&doc, warn.as_ref(), &crit, empty))
}

/// What is said of the figures. `empty`: a group that is asked for and has no machine.
fn judged(
    doc: &RolloutDoc,
    warn: Option<&Expression<Measure>>,
    crit: &Expression<Measure>,
    empty: Option<&str>,
) -> (Says, String) {
    let critical = those(doc, crit);
    let warned = warn.map_or_else(Vec::new, |warn| those(doc, warn));
    let old = doc.collected.is_some() && doc.age_s > OLD.as_secs();
    let empty = empty.filter(|_| doc.jobs.iter().all(|job| job.targets == 0));
    let (says, named) = match (critical.is_empty(), warned.is_empty(), doc.whole && !old && empty.is_none()) {
        (false, ..) => (Says::Critical, critical),
        // What was not read, or not for so long, may be anything, and so may those who were meant.
        (true, _, false) => (Says::Unknown, doc.jobs.iter().collect()),
        (true, false, true) => (Says::Warning, warned),
        (true, true, true) => (Says::Ok, doc.jobs.iter().collect()),
    };
    let not_whole = if doc.whole { "" } else { "the share did not answer for every report; " };
    let age = text::duration(Duration::from_secs(doc.age_s));
    let age = match (&doc.collected, old) {
        (None, _) => String::new(),
        (Some(_), false) => format!("as a collector read it {age} ago; "),
        (Some(_), true) => format!("a collector read it {age} ago, and not since then; "),
    };
    // What follows a bar is performance data.
    let empty = empty.map_or_else(String::new, |group| {
        format!("no machine is in the group {}; ", group.replace('|', "/"))
    });
    (says, format!("{not_whole}{age}{empty}{} | {}", words(&named), performance(doc)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::rollout::export::metrics;
    use crate::cli::rollout::sums::document;
    use crate::rollout::count::tests::{job, member, now};
    use crate::rollout::doc::CollectedDoc;
    use crate::rollout::ground::Ground;
    use chrono::TimeDelta;

    #[test]
    fn what_a_collector_read_says_how_old_it_is_and_is_unknown_where_that_is_long_ago() {
        let ground = Ground::of_test(vec![job(0)], (0..3).map(member).collect());
        let own = document(&ground, &vec![None; 3], 3, false);
        let of = |minutes: i64| {
            let collected = CollectedDoc::of(now() - TimeDelta::minutes(minutes), now());
            let own = document(&ground, &vec![None; 3], 3, false);
            RolloutDoc { age_s: collected.age_s, collected: Some(collected), ..own }
        };
        let halted = Expression::Test(Measure::halted());
        let silent = Expression::measure("silent > 2").unwrap();
        let (says, words) = judged(&own, None, &halted, None);
        assert!(says == Says::Ok && words.starts_with("BP0000AA "), "{words}");
        let (says, words) = judged(&of(12), None, &halted, None);
        let begin = "as a collector read it 12m ago; BP0000AA ";
        assert!(says == Says::Ok && words.starts_with(begin), "{words}");
        assert_eq!(judged(&of(15), Some(&silent), &halted, None).0, Says::Warning);
        for warn in [None, Some(&silent)] {
            let (says, words) = judged(&of(16), warn, &halted, None);
            assert!(says == Says::Unknown && words.contains("16m ago, and not since then; "), "{words}");
        }
        // Something is known to be wrong all the same.
        assert_eq!(judged(&of(16), None, &silent, None).0, Says::Critical);
        for (doc, age) in [(&own, 0), (&of(12), 720)] {
            let line = format!("\npcm_rollout_age_seconds {age}\n");
            assert!(metrics(doc).contains(&line), "{}", metrics(doc));
        }
    }
}
