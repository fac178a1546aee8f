//! `pcm simulate`: what runs when and why, what waits, what never runs; or one request's way through its states.

use super::{count, why_words};
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::executor::talk::view::{SimulateDoc, SimulatedDoc};
use crate::site::ids::RequestId;
use crate::terms::Group;

/// The page; `one`: the request that was asked for.
pub fn simulate(doc: &SimulateDoc, one: Option<RequestId>, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    page.strong(format!(
        "From {} until {}, if nothing but time changes:",
        look.stamp(doc.from),
        look.stamp(doc.until)
    ));
    page.line(look.zone_line());
    if !doc.complete {
        page.strong(format!(
            "Followed until {} only, too much happens: ask for a shorter time.",
            look.stamp(doc.until)
        ));
    }
    match doc.requests.as_slice() {
        [request] if one.is_some() => course(&mut page, request, look),
        requests => all(&mut page, requests, look),
    }
    page.blank().line("Taken for granted (another --assume changes it):");
    for assumed in &doc.assumed {
        page.item("  - ", assumed);
    }
    page
}

fn id(request: &SimulatedDoc) -> String {
    request.request_id.map_or_else(|| "?".to_owned(), |id| id.to_string())
}

/// The group it starts in.
fn group(request: &SimulatedDoc) -> Option<Group> {
    request.changes.first().map(|step| step.state.group())
}

fn all(page: &mut Page, requests: &[SimulatedDoc], look: &Look) {
    let mut runs: Vec<&SimulatedDoc> = requests.iter().filter(|r| r.at.is_some()).collect();
    runs.sort_by_key(|r| r.at);
    page.blank().strong(match runs.len() {
        0 => "Nothing runs by itself in this time.".to_owned(),
        n => format!("{} will run:", count(n, "request")),
    });
    let mut table = Table::new(2, &[fixed("AT"), fixed("REQUEST"), words("PACKAGE", 16), words("WHEN", 20)]);
    for request in runs {
        let at = request.at.map(|at| look.short_pair(at, request.latest)).unwrap_or_default();
        table.row(Tone::Strong, [at, id(request), request.package.to_string(), request.why.to_string()]);
    }
    if !table.is_empty() {
        page.table(&table);
    }
    // What runs now, or has had its attempt, is no question of the future.
    let past = |r: &&SimulatedDoc| matches!(group(r), Some(Group::Executed | Group::Running));
    let waiting = |r: &&SimulatedDoc| r.at.is_none() && !past(r);
    let later: Vec<&SimulatedDoc> = requests.iter().filter(|r| waiting(r) && !r.never).collect();
    let never: Vec<&SimulatedDoc> = requests.iter().filter(|r| waiting(r) && r.never).collect();
    others(page, "Not in this time:", &later);
    others(page, "Never by themselves:", &never);
    let ended = requests.iter().filter(past).filter(|r| r.at.is_none()).count();
    if ended > 0 {
        let verb = if ended == 1 { "runs now or has" } else { "run now or have" };
        page.blank().line(format!("{} {verb} had an attempt.", count(ended, "more request")));
    }
}

fn words_of(request: &SimulatedDoc) -> String {
    why_words(&request.why, request.is_by_hand())
}

fn others(page: &mut Page, title: &str, requests: &[&SimulatedDoc]) {
    if requests.is_empty() {
        return;
    }
    page.blank().strong(title);
    let mut table =
        Table::new(2, &[fixed("REQUEST"), words("PACKAGE", 16), fixed("STATE"), words("WHY NOT", 20)]);
    for request in requests {
        let state = request.changes.last().map(|step| step.state.to_string()).unwrap_or_default();
        table.row(Tone::Plain, [id(request), request.package.to_string(), state, words_of(request)]);
    }
    page.table(&table);
}

fn course(page: &mut Page, request: &SimulatedDoc, look: &Look) {
    let name = format!("{} {}", id(request), request.package);
    page.blank().strong(match (request.at, request.never) {
        (Some(at), _) => {
            format!("{name} runs {}: {}.", look.pair_and_distance(at, request.latest), request.why)
        }
        (None, _) if matches!(group(request), Some(Group::Executed | Group::Running)) => {
            format!("{name} runs now or has had its attempt: {}.", words_of(request))
        }
        (None, true) => format!("{name} never runs by itself: {}.", words_of(request)),
        (None, false) => format!("{name} does not run in this time: {}.", words_of(request)),
    });
    let mut table = Table::new(2, &[fixed("FROM"), fixed("STATE"), words("IN THE WAY", 12)]);
    for step in &request.changes {
        // Once it runs, nothing is in its way any more.
        let waits = !matches!(step.state.group(), Group::Running | Group::Executed);
        let code = step.code.filter(|_| waits).map(|code| code.to_string()).unwrap_or_default();
        table.row(Tone::Plain, [look.time(step.at), step.state.to_string(), code]);
    }
    page.table(&table);
}
