//! The documents of `executor::talk::view` as pages of text: one function a document, pure, for 80 columns and any other
//! width. What a view prints with `--json` is the document itself.

mod change;
mod check;
mod history;
mod list;
mod machine;
mod offers;
mod request;
mod simulate;
#[cfg(test)]
mod tests;

pub use change::{changed, dry_run, hold, poll, restart, run_result, seen, told};
pub use check::check;
pub use history::{attempts, audit, serials, verify};
pub use list::{Selection, list};
pub use machine::{findings, status, who};
pub use offers::{installing, offers};
pub use request::{explain, show};
pub use simulate::simulate;

use super::page::{Page, Tone};
use super::table::{Table, fixed, words};
use crate::terms::{Problem, State};

/// `file, line 7, request[3].expire_after: what is wrong`
pub fn problem_words(problem: &Problem) -> String {
    let mut place = problem.file.to_string();
    if let Some(line) = problem.line {
        place.push_str(&format!(", line {line}"));
    }
    if let Some(field) = &problem.field {
        place.push_str(&format!(", {field}"));
    }
    if place.is_empty() { problem.message.to_string() } else { format!("{place}: {}", problem.message) }
}

/// Problems with their codes; nothing without any.
fn problems(page: &mut Page, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    page.blank().strong("Problems");
    let mut table = Table::new(2, &[fixed(""), words("", 30)]);
    for problem in problems {
        table.row(Tone::Plain, [problem.code.clone(), problem_words(problem)]);
    }
    page.table(&table);
}

/// Names and values, one a line.
fn pairs(page: &mut Page, pairs: impl IntoIterator<Item = (&'static str, String)>) {
    let mut table = Table::new(2, &[fixed(""), words("", 30)]);
    for (name, value) in pairs {
        if !value.is_empty() {
            table.row(Tone::Plain, [name.to_owned(), value]);
        }
    }
    page.table(&table);
}

/// What marks a row, before any colour: `*` runs, `!` wants to be looked at, `x` never ran.
fn mark(state: State) -> &'static str {
    match state {
        State::Countdown | State::Running | State::Stopping => "*",
        State::Failed | State::TimedOut | State::Interrupted | State::Rejected => "!",
        State::Expired => "x",
        _ => "",
    }
}

/// The tone of a row of this state.
fn tone(state: State) -> Tone {
    if matches!(mark(state), "*" | "!") { Tone::Strong } else { Tone::Plain }
}

/// The state as the rest of a sentence that begins with a name.
fn state_words(state: State) -> &'static str {
    match state {
        State::Scheduled => "is scheduled: it is not offered yet",
        State::Offered => "is offered",
        State::Deferred => "is deferred",
        State::RetryWait => "waits to be tried again",
        State::Waiting => "is waiting",
        State::Queued => "is queued",
        State::Due => "is due",
        State::Countdown => "counts down to its start",
        State::Running => "is running",
        State::Stopping => "is being stopped",
        State::Succeeded => "succeeded",
        State::SucceededRestart => "succeeded, and a restart is pending",
        State::Failed => "failed",
        State::TimedOut => "was ended by its time limit",
        State::Stopped => "was stopped by an operator",
        State::Interrupted => "was interrupted: how it ended is unknown",
        State::Expired => "expired before it ran",
        State::NotApplicable => "does not apply to this machine",
        State::NotNeeded => "has nothing to do on this machine",
        State::Rejected => "is rejected",
    }
}

/// The core's few words; where only an operator runs it, with the command that does.
fn why_words(why: &crate::text::SafeText, is_by_hand: bool) -> String {
    let why = why.as_str().trim_end_matches('.');
    if is_by_hand { format!("{why}, `pcm run` runs it") } else { why.to_owned() }
}

/// `1 request`, `4 requests`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// `exit 17`, `exit 0: words`, or the words alone.
fn outcome(exit_code: Option<i64>, result: &str) -> String {
    match exit_code {
        Some(code) if result.is_empty() => format!("exit {code}"),
        // A result that names the code already does not say it twice.
        Some(code) if !result.contains(&code.to_string()) => format!("exit {code}: {result}"),
        _ => result.to_owned(),
    }
}

/// `by ola: "release"`
fn said(who: &str, reason: &str) -> String {
    if reason.is_empty() { format!("by {who}") } else { format!("by {who}: \"{reason}\"") }
}
