//! The course of a job, foretold to whoever sends it (SITE.md 8).

use super::App;
use super::attention::Reports;
use super::page::Page;
use super::view::count;
use crate::rollout::phase::Stand;
use crate::rollout::sending::{Around, Foretold, Never, Runs, foretell};
use crate::site::folder::{Folder, Source};
use crate::site::index::job::{Job, Word};
use crate::text::SafeText;
use serde::Serialize;

/// So many machines are asked also by whoever sends: what more of them report takes a while to read, and a job is sent at once.
pub const SOON_READ: usize = 1_000;

/// `silent`, `runs` and `never` of `job send --json`; null: what the machines report is not known, or, without `--dry-run`, is
/// too much to be read.
#[derive(Debug, Serialize)]
pub struct CourseDoc {
    /// On so many machines it cannot be foretold; None: nothing was foretold.
    silent: Option<u64>,
    /// When so many machines would start it; None: nothing was foretold.
    runs: Option<Vec<Runs>>,
    /// How many machines would never start it by themselves; None: nothing was foretold.
    never: Option<Vec<Never>>,
    /// Why it is not known, where somebody asked for it.
    #[serde(skip)]
    unknown: Option<SafeText>,
}

/// Foretells it by what the machines reported last.
pub fn of(app: &App, folder: &Folder, source: &Source, job: &Job, word: &Word) -> CourseDoc {
    let none = |unknown| CourseDoc { silent: None, runs: None, never: None, unknown };
    if !app.dry_run && source.machines.len() > SOON_READ {
        return none(None);
    }
    let reports = match Reports::read(app, folder, source) {
        Ok(reports) => reports,
        Err(why) => return none(Some(why).filter(|_| app.dry_run)),
    };
    // Nothing of it is published: a report can have seen nothing of it.
    let (published, newest) = ((0, 0), (u64::MAX, u64::MAX));
    let stand = Stand { job, word, published, newest, now: app.now, as_of: app.now };
    let around = Around { policies: &source.policies, zone: &app.zone };
    let Foretold { silent, runs, never } =
        foretell(&stand, &around, &source.members(), |machine| reports.heard(machine));
    CourseDoc { silent: Some(silent), runs: Some(runs), never: Some(never), unknown: None }
}

/// In at most three lines.
pub fn page(app: &App, doc: &CourseDoc, page: &mut Page) {
    let look = app.look();
    if let Some(why) = &doc.unknown {
        page.line(format!("When it would run is not known: {why}"));
    }
    let machines = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "machine");
    let runs = doc.runs.as_deref().unwrap_or_default();
    if let ([first, ..], [.., last]) = (runs, runs) {
        let n = machines(runs.iter().map(|runs| runs.count).sum());
        let from = look.time_and_distance(first.at);
        let until = match runs.len() {
            1 => String::new(),
            _ => format!(", the last of them from {}", look.time_and_distance(last.at)),
        };
        page.line(format!("By what they reported last, it runs on {n} at the earliest from {from}{until}."));
    }
    let never = doc.never.as_deref().unwrap_or_default();
    if !never.is_empty() {
        let n = machines(never.iter().map(|never| never.count).sum());
        let why: Vec<String> =
            never.iter().map(|never| format!("{} {}", never.count, never.code.row().brief)).collect();
        page.line(format!("As things stand, it never runs by itself on {n}: {}.", why.join(", ")));
    }
    if let Some(silent) = doc.silent.filter(|silent| *silent > 0) {
        page.line(format!("Of {} it cannot be said: their reports do not say it.", machines(silent)));
    }
}
