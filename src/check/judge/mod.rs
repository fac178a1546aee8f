//! What the facts mean: one row an item, in the order of the original article, then what else pcm lives on. Pure.

mod index;
mod keys;
mod machine;
mod places;
mod publisher;
mod requests;
mod service;
mod share;
mod state;
#[cfg(test)]
mod tests;
mod told;

use super::ConfigRead;
use super::facts::Facts;
use crate::clock::{Wall, between};
use crate::executor::talk::view::{CheckDoc, CheckItem};
use crate::terms::Verdict;
use crate::text::{self, SafeText};

/// All items. The order is the contract of what is shown; the names are the contract of `--json`.
pub(super) fn judge(facts: &Facts) -> CheckDoc {
    let machine = [
        requests::silent(facts),
        requests::background(facts),
        requests::mandatory(facts),
        service::configuration(facts),
        service::installed(facts),
        service::running(facts),
        service::version(facts),
        share::machine_report(facts),
        share::polling_interval(facts),
        service::account(facts),
        service::rights_state(facts),
        service::rights_log(facts),
        service::rights_share(facts),
        service::rights_stage(facts),
        service::rights_process(facts),
        machine::backup(facts),
        requests::platform(facts),
        machine::logged_on(facts),
        machine::restarts(facts),
        state::state(facts),
        state::history(facts),
        state::one_machine(facts),
        state::clock(facts),
        places::clock_against_share(facts),
        share::share(facts),
        places::locations(facts),
        share::instructions(facts),
        share::trust(facts),
        keys::key_confirmed(facts),
        keys::roles_apart(facts),
        keys::validity_left(facts),
        index::serial(facts),
        index::in_members(facts),
        index::parts_readable(facts),
        keys::version_against_index(facts),
        places::content_source(facts),
        places::report_location(facts),
        places::host_key(facts),
        state::log(facts),
        state::disk(facts),
        machine::notifications(facts),
    ];
    let items = machine.into_iter().chain(publisher::items(facts)).collect();
    CheckDoc::of(told::beside(facts, items))
}

/// One thing found about an item.
struct Finding {
    verdict: Verdict,
    evidence: String,
    remedy: Option<String>,
}

fn pass(evidence: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Pass, evidence: evidence.into(), remedy: None }
}

fn block(evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Block, evidence: evidence.into(), remedy: Some(remedy.into()) }
}

fn unknown(evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Unknown, evidence: evidence.into(), remedy: Some(remedy.into()) }
}

/// A row from what was found: the worst verdict, and only what speaks for it. What could not be seen does not hide what
/// is wrong.
fn item(name: &str, findings: Vec<Finding>) -> CheckItem {
    let worst = [Verdict::Block, Verdict::Unknown, Verdict::Pass];
    let verdict = worst.into_iter().find(|v| findings.iter().any(|f| f.verdict == *v));
    let verdict = verdict.unwrap_or(Verdict::Pass);
    let mut evidence: Vec<String> = Vec::new();
    let mut remedies: Vec<String> = Vec::new();
    for finding in findings.into_iter().filter(|f| f.verdict == verdict) {
        evidence.push(finding.evidence);
        if let Some(remedy) = finding.remedy.filter(|r| !remedies.contains(r)) {
            remedies.push(remedy);
        }
    }
    let remedy = (!remedies.is_empty()).then(|| SafeText::new(&remedies.join(". ")));
    CheckItem { item: name.into(), verdict, evidence: SafeText::new(&evidence.join("; ")), remedy }
}

/// How many names stand in a row at most; the list has them all.
const NAMED: usize = 4;

/// `BP0000Y, BP0000Z and 3 more`
fn named<T: ToString>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 request`, `4 requests`
fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// `is` or `are`
fn is(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

/// `8m ago`, or `in 8m` for what lies ahead.
fn ago(at: Wall, facts: &Facts) -> String {
    if at > facts.now {
        return format!("in {}", text::duration(between(facts.now, at)));
    }
    format!("{} ago", text::duration(between(at, facts.now)))
}

/// A time with its day and offset.
fn stamp(at: Wall, facts: &Facts) -> String {
    text::stamp(at, &facts.zone)
}

/// What nobody can say of a machine that is not enrolled.
fn not_enrolled(facts: &Facts) -> Finding {
    let why = match &facts.subject.read {
        ConfigRead::Bad(_) => "the configuration cannot be used",
        _ if facts.subject.config.machine.is_some() => "no share is configured",
        _ => "this machine is not enrolled",
    };
    unknown(why, "See `configuration`")
}

/// Why the executor's views say nothing.
fn no_view(failure: &crate::error::Failure) -> Finding {
    unknown(failure.message.as_str().to_owned(), failure.remedy.as_str().to_owned())
}
