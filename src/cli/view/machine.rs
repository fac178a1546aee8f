//! `pcm status` and `pcm who`: the machine.

use super::{count, pairs, problems};
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::{Look, zone_words};
use crate::config::PollingBy;
use crate::executor::talk::view::{FoldedDoc, ServiceState, SessionDoc, Space, StatusDoc, WhoDoc};
use crate::terms::{Code, State};
use crate::text;
use std::time::Duration;

/// What is wrong, each as a sentence with the command that helps; empty: all is well. This is what exit status 10 of
/// `pcm status` means.
pub fn findings(doc: &StatusDoc, pcm: &str) -> Vec<String> {
    let unseen = |s: &State| Some(doc.counts.get(s)?.saturating_sub(*doc.seen_by_state.get(s).unwrap_or(&0)));
    let of = |states: &[State]| states.iter().filter_map(unseen).sum::<u32>() as usize;
    let mut found = Vec::new();
    if doc.service == ServiceState::Stopped {
        // The system's service is that of the usual place.
        let system = if pcm == "pcm" { "`systemctl start pcm` or " } else { "" };
        found.push(format!(
            "The service is not running, so nothing runs by itself: start it with {system}`{pcm} service run`."
        ));
    }
    let mut states = |states: &[State], what: &str, how: String| {
        if of(states) > 0 {
            found.push(format!("{} {what}: {how}", count(of(states), "request")));
        }
    };
    states(
        &[State::Failed, State::TimedOut],
        "failed",
        format!(
            "`{pcm} history` says how, `{pcm} rerun REQUEST --reason ...` tries again, `{pcm} seen REQUEST` ends \
             this finding."
        ),
    );
    states(
        &[State::Expired],
        "expired without having run",
        format!("`{pcm} explain REQUEST` says what was in its way, `{pcm} seen REQUEST` ends this finding."),
    );
    states(
        &[State::Interrupted],
        "interrupted, its outcome unknown",
        format!("see what it left behind, then `{pcm} rerun REQUEST --reason ...` or `{pcm} seen REQUEST`."),
    );
    states(
        &[State::Rejected],
        "rejected",
        format!("`{pcm} list` says why; its publisher has to correct it."),
    );
    if !doc.clock_ok {
        found.push("The clock cannot be believed, so nothing runs by itself: set it.".to_owned());
    }
    // That no service runs stands above, with how it is started.
    let stopped = |code: &str| code == Code::NoService.as_str() && doc.service == ServiceState::Stopped;
    let real = doc.problems.iter().filter(|p| !p.is_warning() && !stopped(&p.code)).count();
    if real > 0 {
        found.push(format!("{}, below.", count(real, "problem")));
    }
    found
}

fn folded_words(folded: &FoldedDoc, look: &Look) -> String {
    let (attempts, until) = (count(folded.attempts as usize, "attempt"), look.stamp(folded.until));
    format!("the details of {attempts} until {until} were folded ([retention] details)")
}

/// `state 12 MB (history 2 MB, packages 9 MB, runs 40 KB, to be delivered 4 KB), logs 2 MB, transcripts 1 MB`
fn space(space: &Space) -> String {
    let bytes = text::bytes;
    let (state, stage, outbox) = (bytes(space.state), bytes(space.stage), bytes(space.outbox));
    let (history, runs) = (bytes(space.history), bytes(space.runs));
    let (logs, transcripts) = (bytes(space.logs), bytes(space.transcripts));
    format!(
        "state {state} (history {history}, packages {stage}, runs {runs}, to be delivered {outbox}), logs {logs}, \
         transcripts {transcripts}"
    )
}

/// `from 16:59 (in 2h), at the latest 20:59: BP0000Y`
fn next_run(doc: &StatusDoc, look: &Look) -> String {
    let Some(at) = doc.next_run else { return "none that time alone brings".to_owned() };
    let which = doc.next_request.map(|id| format!(": {id}")).unwrap_or_default();
    format!("{}{which}", look.pair_and_distance(at, doc.latest))
}

/// `pcm status`
pub fn status(doc: &StatusDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let machine = doc.machine.map_or_else(|| "Not enrolled".to_owned(), |m| m.to_string());
    let role =
        if doc.role.is_empty() { String::new() } else { format!(" ({})", doc.role.as_str().to_uppercase()) };
    page.strong(format!("{machine} on {}{role}, {}", doc.host, look.stamp(look.now)));
    page.line(format!("Times are local: {}.", zone_words(doc.zone.as_str(), doc.utc_offset_s))).blank();

    let found = findings(doc, &look.pcm);
    let service = match (doc.service, &doc.lock) {
        (ServiceState::Running, Some(lock)) => format!("running: {lock}"),
        (ServiceState::Running, None) => "running".to_owned(),
        (ServiceState::Stopped, Some(lock)) => format!("NOT RUNNING; the lock is held: {lock}"),
        (ServiceState::Stopped, None) => "NOT RUNNING".to_owned(),
    };
    let standstill = doc.standstill.first().map(|first| (first.code, first.until));
    let automatic = match (doc.held_until, doc.frozen_until, doc.service, standstill) {
        (_, _, ServiceState::Stopped, _) => "OFF without a service".to_owned(),
        (Some(until), ..) => {
            let whose = doc.hold.as_ref().map(super::change::whose).unwrap_or_default();
            format!("HELD until {}{whose}; `{} unhold` ends it", look.time_and_distance(until), look.pcm)
        }
        (None, Some(until), ..) => format!("FROZEN until {}", look.time_and_distance(until)),
        (None, None, ServiceState::Running, None) => "on".to_owned(),
        (None, None, ServiceState::Running, Some((code, until))) => {
            let until = until.map(|at| format!(", until {}", look.time_and_distance(at))).unwrap_or_default();
            format!("OFF: {}{until}", code.row().brief)
        }
    };
    let mut share = match doc.polled_at {
        Some(at) => format!("seen {}", look.distance(at)),
        None => "not seen yet".to_owned(),
    };
    if let Some(due) = doc.poll_due {
        // The clock was set, or nothing has looked since: either way it is looked at as soon as anything does.
        let when = if due <= look.now { "due".to_owned() } else { look.distance(due) };
        share.push_str(&format!(", next look {when}"));
    }
    let every = text::duration(Duration::from_secs(doc.polling_interval_s));
    share.push_str(&match doc.polling_by {
        PollingBy::Configuration => format!(", every {every}"),
        PollingBy::Site => format!(", every {every} as the site says"),
        PollingBy::Default => format!(", every {every} by default"),
    });
    let trust = match doc.trust.mode.as_str() {
        "permissions" => "UNSIGNED: who may write to the share decides what runs here".to_owned(),
        other => other.to_owned(),
    };
    let requests: Vec<String> = State::ALL
        .iter()
        .filter_map(|s| {
            doc.counts.get(s).filter(|n| **n > 0).map(|n| match doc.seen_by_state.get(s) {
                Some(seen) => format!("{n} {s} ({seen} seen)"),
                None => format!("{n} {s}"),
            })
        })
        .collect();
    let none = || "none".to_owned();
    pairs(
        &mut page,
        [
            ("service", service),
            ("automatic runs", automatic),
            ("next run", next_run(doc, look)),
            ("share", share),
            ("trust", trust),
            ("requests", if requests.is_empty() { none() } else { requests.join(", ") }),
            ("queue", doc.queue.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            (
                "logged on",
                doc.users.map_or_else(|| "UNKNOWN, which is not nobody".to_owned(), |n| n.to_string()),
            ),
            ("history", doc.folded.as_ref().map(|folded| folded_words(folded, look)).unwrap_or_default()),
            ("disk", doc.space.as_ref().map(space).unwrap_or_default()),
            ("clock", if doc.clock_ok { "ok".to_owned() } else { "NOT TO BE BELIEVED".to_owned() }),
            (
                "restart",
                match &doc.restart {
                    Some(restart) if restart.restart_pending => super::change::restart_words(restart, look),
                    _ if doc.restart_pending => "PENDING, by a package".to_owned(),
                    _ => "none pending".to_owned(),
                },
            ),
            (
                "you",
                if doc.may_operate { "may operate".to_owned() } else { "may look, not operate".to_owned() },
            ),
            ("version", doc.version.to_string()),
        ],
    );
    page.blank();
    match (found.is_empty(), doc.problems.len()) {
        (true, 0) => {
            page.line("All is well.");
        }
        (true, n) => {
            page.line(format!("Nothing is wrong; {} to know of below.", count(n, "thing")));
        }
        (false, _) => {}
    }
    for finding in &found {
        page.item("! ", finding);
    }
    problems(&mut page, &doc.problems);
    page
}

/// `pcm who`
pub fn who(doc: &WhoDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    if doc.source == "unknown" {
        let why = doc.note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
        page.strong(format!("Who is logged on is unknown{why}."));
        page.line("That is not nobody: packages that ask for users or for none wait.");
    } else if doc.sessions.is_empty() {
        page.line(format!("Nobody is logged on, says {}.", doc.source));
    } else {
        page.line(format!("{} by {}. {}", count(doc.sessions.len(), "log-on"), doc.source, look.zone_line()))
            .blank();
        sessions(&mut page, &doc.sessions, look);
    }
    if !doc.connections.is_empty() {
        page.blank().line("Network connections (they never count as log-ons)");
        sessions(&mut page, &doc.connections, look);
    }
    page
}

fn sessions(page: &mut Page, sessions: &[SessionDoc], look: &Look) {
    let columns = [
        words("USER", 8),
        words("TERMINAL", 8),
        words("FROM", 10),
        fixed("SINCE"),
        fixed("IDLE"),
        fixed("KIND"),
        words("NOTES", 12),
    ];
    let mut table = Table::new(0, &columns);
    for s in sessions {
        let mut notes = Vec::new();
        if s.locked == Some(true) {
            notes.push("locked".to_owned());
        }
        if s.ignored {
            notes.push("does not count".to_owned());
        }
        if !s.holds.is_empty() {
            let ids: Vec<String> = s.holds.iter().map(ToString::to_string).collect();
            notes.push(format!("holds {}", ids.join(", ")));
        }
        table.row(
            Tone::Plain,
            [
                s.user.to_string(),
                s.terminal.to_string(),
                s.from.to_string(),
                look.time_or(s.since, ""),
                s.idle_s.map_or_else(|| "?".to_owned(), |i| text::duration(Duration::from_secs(i))),
                s.kind.as_str().to_owned(),
                notes.join(", "),
            ],
        );
    }
    page.table(&table);
}
