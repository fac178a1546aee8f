//! What the verbs that change something print.

use super::{outcome, problems};
use crate::cli::page::Page;
use crate::cli::time::Look;
use crate::clock::Wall;
use crate::decision::RestartState;
use crate::executor::talk::view::{
    ChangedDoc, DryRunDoc, HoldDoc, PollDoc, RestartDoc, RunResultDoc, SeenDoc, ToldDoc,
};
use crate::terms::{Group, State};

/// `pcm run`, `pcm rerun`: at the time of return.
pub fn run_result(doc: &RunResultDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let what = format!("{} attempt {} {}", doc.request_id, doc.attempt, super::state_words(doc.state));
    let took = match (doc.started_at, doc.ended_at) {
        (Some(from), Some(to)) => format!(" after {}", look.between(from, to)),
        _ => String::new(),
    };
    let how = outcome(doc.exit_code, doc.result.as_ref().map_or("", |r| r.as_str()));
    let how = if how.is_empty() { how } else { format!(": {how}") };
    page.line(format!("{what}{took}{how}."));
    if let Some(basis) = &doc.decided_on {
        page.line(format!("This was decided on {basis}."));
    }
    if let Some(position) = doc.queue_position {
        page.line(format!(
            "Position {position} in the queue: it starts when what runs, and what is queued before it, has ended."
        ));
        page.line(format!("Take it out: {} stop {} --reason WHY", look.pcm, doc.request_id));
    }
    if doc.state.group() == Group::Running {
        page.line(format!("See how it goes: {} show {}", look.pcm, doc.request_id));
    }
    page
}

/// `pcm defer`, `pcm undefer`, `pcm stop`
pub fn changed(doc: &ChangedDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    match doc.deferred_until {
        Some(until) if doc.state == State::Deferred => {
            page.line(format!("{} is deferred until {}.", doc.request_id, look.time_and_distance(until)))
        }
        Some(until) => page.line(format!(
            "{} {}, and is deferred until {}.",
            doc.request_id,
            super::state_words(doc.state),
            look.time_and_distance(until)
        )),
        None => page.line(format!("{} {}.", doc.request_id, super::state_words(doc.state))),
    };
    page
}

/// To whom a notice is on its way.
pub fn told(doc: &ToldDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let names: Vec<&str> = doc.told.iter().map(|name| name.as_str()).collect();
    page.line(format!("Notice to {}.", names.join(", ")));
    page
}

/// `pcm seen`
pub fn seen(doc: &SeenDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let ids: Vec<String> = doc.request_ids.iter().map(ToString::to_string).collect();
    page.line(match ids.is_empty() {
        true => "Nothing that expired or failed is left that no operator has seen.".to_owned(),
        false => format!("{}: seen by {}, {}.", ids.join(", "), doc.by, look.time_and_distance(doc.at)),
    });
    page
}

/// `pcm hold`, `pcm unhold`
pub fn hold(doc: &HoldDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    match doc.held_until {
        Some(until) => page.line(format!(
            "HELD until {}{}. Nothing starts by itself; what runs goes on.",
            look.time_and_distance(until),
            whose(doc)
        )),
        None => page.line("Not held. Packages start by themselves."),
    };
    page
}

/// Who holds the machine, and why; after `HELD until …`.
pub fn whose(doc: &HoldDoc) -> String {
    let by = doc.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = doc.reason.as_ref().filter(|r| !r.is_empty()).map(|r| format!(": \"{r}\""));
    format!("{by}{}", why.unwrap_or_default())
}

/// `pcm restart`
pub fn restart(doc: &RestartDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    page.line(format!("{}.", restart_words(doc, look)));
    page
}

/// Where a restart stands, as a sentence without its full stop.
pub fn restart_words(doc: &RestartDoc, look: &Look) -> String {
    let at = |at: Option<Wall>| at.map(|at| look.time_and_distance(at)).unwrap_or_default();
    match doc.state {
        RestartState::None => "No restart is pending".to_owned(),
        RestartState::ByHand => format!("PENDING, `{} restart now` does it: {}", look.pcm, doc.why),
        RestartState::Cancelled => format!("PENDING, and not done by pcm: {}", doc.why),
        RestartState::Deferred => format!("PENDING, deferred until {}: {}", at(doc.deferred_until), doc.why),
        RestartState::Waiting | RestartState::Due => format!("PENDING: {}", doc.why),
        RestartState::Countdown => format!("THE MACHINE RESTARTS {}: {}", at(doc.restarts_at), doc.why),
        RestartState::Asked => "THE MACHINE RESTARTS NOW: the system was asked for it".to_owned(),
    }
}

/// `pcm poll`
pub fn poll(doc: &PollDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let from = doc.source.as_ref().map(|s| format!(" from {s}")).unwrap_or_default();
    match doc.serial {
        Some(serial) => {
            let requests = super::count(doc.requests as usize, "request");
            let new = if doc.changed { "" } else { ", as before" };
            page.line(format!("Instructions {serial}{from}, {requests}{new}."))
        }
        None => page.line("No instruction file."),
    };
    problems(&mut page, &doc.problems);
    page
}

/// Anything with `--dry-run`
pub fn dry_run(doc: &DryRunDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    page.line(format!("Would {}. Nothing was done.", doc.would.as_str().trim_end_matches('.')));
    page
}
