//! What the executor says is wrong, at the item that it belongs to: nothing of it is looked at again, and the checklist never
//! says that nothing is wrong where `status` says what is. What an item has found itself is said there.

use super::super::facts::Facts;
use super::{Finding, block, item, named};
use crate::executor::talk::view::CheckItem;
use crate::terms::{Code, Gate, Problem, State, Verdict};
use std::collections::BTreeMap;

/// The same items; those that found nothing wrong fail where the executor says what is.
pub(super) fn beside(facts: &Facts, mut items: Vec<CheckItem>) -> Vec<CheckItem> {
    let mut told: BTreeMap<&str, Vec<Finding>> = BTreeMap::new();
    for (name, finding) in problems(facts).chain(rejected(facts)) {
        told.entry(name).or_default().push(finding);
    }
    for row in items.iter_mut().filter(|row| row.verdict != Verdict::Block) {
        if let Some((name, findings)) = told.remove_entry(row.item.as_str()) {
            *row = item(name, findings);
        }
    }
    items
}

/// What is wrong with the machine.
fn problems(facts: &Facts) -> impl Iterator<Item = (&'static str, Finding)> + '_ {
    let all = facts.views.status.iter().flat_map(|status| &status.problems);
    all.filter(|problem| !problem.is_warning()).filter_map(|problem| {
        let code = problem.code.parse::<Code>().ok();
        let name = code.map_or_else(|| by_word(&problem.code), by_code)?;
        let evidence = format!("{}{}", waiting(facts, problem, code), problem.message);
        Some((name, block(evidence, remedy(facts, code))))
    })
}

/// What is published and not taken, although its record can be read.
fn rejected(facts: &Facts) -> impl Iterator<Item = (&'static str, Finding)> + '_ {
    let all = facts.views.list.iter().flat_map(|list| &list.requests);
    all.filter(|row| row.state == State::Rejected).filter_map(|row| {
        let code = *row.blocked_by.first()?;
        let name = if code.row().gate == Gate::Trust { "trust" } else { "instructions" };
        let evidence = format!("{} is rejected ({code}): {}", row.request_id?, row.why);
        Some((name, block(evidence, remedy(facts, Some(code)))))
    })
}

/// The requests that a package's files keep from running, before what is wrong with them.
fn waiting(facts: &Facts, problem: &Problem, code: Option<Code>) -> String {
    let Some(code) = code.filter(|code| code.row().gate == Gate::Content) else { return String::new() };
    let package = problem.file.as_str().rsplit(['/', '\\']).next();
    let rows = facts.views.list.iter().flat_map(|list| &list.requests);
    let own = rows.filter(|row| row.package_id.map(|id| id.to_string()).as_deref() == package);
    let own = own.filter(|row| row.blocked_by.contains(&code)).filter_map(|row| row.request_id);
    match own.collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        some => format!("{}: ", named(&some)),
    }
}

fn remedy(facts: &Facts, code: Option<Code>) -> String {
    let pcm = facts.pcm();
    match code {
        Some(Code::ContentMismatch) => {
            format!(
                "The publisher puts back what was published: pcm site publish. {pcm} poll then tries again"
            )
        }
        Some(code) => code.row().remedy.to_owned(),
        None => format!("See: {pcm} status"),
    }
}

/// The item of a code. None: of the share and of what is published on it, which are looked at here by themselves.
fn by_code(code: Code) -> Option<&'static str> {
    let apart = [
        (Code::TwoMachines, "one-machine"),
        (Code::RestartPending, "restarts"),
        (Code::StateUnwritable, "state"),
    ];
    if let Some((_, name)) = apart.into_iter().find(|(other, _)| *other == code) {
        return Some(name);
    }
    match code.row().gate {
        Gate::Source | Gate::Record | Gate::Target | Gate::Trust => None,
        Gate::Platform => Some("platform"),
        Gate::Kind => Some("background"),
        Gate::Job => Some("instructions"),
        Gate::History => Some("history"),
        Gate::Offer | Gate::Expiry | Gate::Mandatory | Gate::Hold | Gate::Deferral | Gate::Window => {
            Some("mandatory")
        }
        Gate::Users => Some("logged-on"),
        Gate::Clock => Some("clock"),
        Gate::Host => Some("disk"),
        Gate::Policy => Some("configuration"),
        Gate::Content => Some("content-source"),
        Gate::Executor => Some("service-running"),
    }
}

/// The same of what is no reason for a request. What no item is about is no fact of readiness.
fn by_word(code: &str) -> Option<&'static str> {
    match code {
        "closed-for-long" => Some("mandatory"),
        "end-unrecorded" => Some("history"),
        "log-unwritable" => Some("log"),
        "notify-failed" => Some("notifications"),
        "validity-left" => Some("validity-left"),
        "undelivered" => Some("machine-report"),
        _ => None,
    }
}
