//! `pcm list`.

use super::{count, mark, problems, tone};
use crate::cli::args::ListArgs;
use crate::cli::page::Page;
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::executor::talk::view::{ListDoc, RequestDoc, ServiceState, WAITS_FOR_INPUT};
use crate::terms::{Group, State};
use crate::text;

/// Which groups are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All but executed: what an operator may still have to do with. What failed stays in sight until it was seen.
    Default,
    /// One group.
    Only(Group),
    /// What failed.
    Failed,
    /// Everything.
    All,
}

impl From<&ListArgs> for Selection {
    fn from(args: &ListArgs) -> Self {
        match (args.pending, args.expired, args.failed, args.executed, args.all) {
            (true, ..) => Selection::Only(Group::Pending),
            (_, true, ..) => Selection::Only(Group::Expired),
            (_, _, true, ..) => Selection::Failed,
            (_, _, _, true, _) => Selection::Only(Group::Executed),
            (.., true) => Selection::All,
            _ => Selection::Default,
        }
    }
}

impl Selection {
    /// Whether a request is in it.
    pub fn has(self, request: &RequestDoc) -> bool {
        match self {
            Selection::Default => {
                request.group != Group::Executed || request.state.is_failure() && request.seen.is_none()
            }
            Selection::Only(only) => request.group == only,
            Selection::Failed => request.state.is_failure(),
            Selection::All => true,
        }
    }
}

/// `pcm list`; `doc` holds everything, the selection is made here so that the last line can say what is left out.
pub fn list(doc: &ListDoc, selection: Selection, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    page.strong(heading(doc, look)).line(source(doc, look)).blank();
    let columns = [
        fixed(""),
        fixed("REQUEST"),
        fixed("STATE"),
        fixed("MANDATORY"),
        words("PACKAGE", 16),
        words("WHY NOT / NEXT", 24),
    ];
    let mut table = Table::new(0, &columns);
    for request in doc.requests.iter().filter(|r| selection.has(r)) {
        table.row(
            tone(request.state),
            [
                mark(request.state).to_owned(),
                request.request_id.map_or_else(|| "?".to_owned(), |id| id.to_string()),
                request.state.to_string(),
                mandatory(request, look),
                request.package.to_string(),
                why(request, look),
            ],
        );
    }
    if !table.is_empty() {
        page.table(&table);
    }
    page.blank().line(summary(doc, selection));
    problems(&mut page, &doc.problems);
    page
}

fn heading(doc: &ListDoc, look: &Look) -> String {
    let mut text = doc.machine.map_or_else(|| "This machine is not enrolled".to_owned(), |m| m.to_string());
    if let Some(site) = doc.site {
        text.push_str(&format!(", site {site}"));
    }
    text.push_str(match doc.service {
        ServiceState::Running => ", service running",
        ServiceState::Stopped => ", SERVICE NOT RUNNING: nothing runs by itself",
    });
    if let Some(until) = doc.held_until {
        text.push_str(&format!(", HELD until {}", look.time(until)));
    }
    text
}

fn source(doc: &ListDoc, look: &Look) -> String {
    let from = match (&doc.source, doc.serial) {
        (Some(source), Some(serial)) => format!("Instructions {serial} from {source}"),
        (None, Some(serial)) => format!("Instructions {serial}"),
        _ => "No instruction file".to_owned(),
    };
    let seen = match doc.polled_at {
        Some(at) => format!("share seen {}", look.distance(at)),
        None => "share not seen yet".to_owned(),
    };
    format!("{from}, {seen}. {}", look.zone_line())
}

fn mandatory(request: &RequestDoc, look: &Look) -> String {
    match (request.mandatory_after, request.state) {
        (Some(at), _) => look.short(at),
        (None, State::Rejected) => String::new(),
        (None, _) => "never".to_owned(),
    }
}

/// The last column: what a run is doing, why not, or when next.
fn why(request: &RequestDoc, look: &Look) -> String {
    if let Some(run) = &request.run {
        let limit = text::duration(std::time::Duration::from_secs(run.max_run_time_s));
        let mut text = format!("{} of {limit}", look.between(run.started_at, look.now));
        match run.last_output_at {
            _ if run.waits_for_input.is_some() => text.push_str(&format!(", {WAITS_FOR_INPUT}")),
            Some(at) => text.push_str(&format!(", output {}", look.distance(at))),
            None => text.push_str(", no output yet"),
        }
        return text;
    }
    let mut text = super::why_words(&request.why, request.is_by_hand());
    if text.is_empty()
        && let Some(problem) = request.problems.first()
    {
        text = super::problem_words(problem);
    }
    if let Some(seen) = &request.seen {
        text.push_str(&format!("; seen by {}", seen.by));
    }
    text
}

fn summary(doc: &ListDoc, selection: Selection) -> String {
    let parts = |shown: bool| {
        let counts = Group::ALL.iter().flat_map(|group| {
            let of_group = || doc.requests.iter().filter(|r| r.group == *group && selection.has(r) == shown);
            // What failed is executed, too, and counted apart.
            let failed = of_group().filter(|r| r.state.is_failure()).count();
            [(of_group().count() - failed, group.as_str()), (failed, "failed")]
        });
        counts.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
    };
    let (shown, left_out) = (parts(true), parts(false));
    let mut text = if shown.is_empty() {
        match selection {
            Selection::Only(group) => format!("No {group} request."),
            Selection::Failed => "No request has failed.".to_owned(),
            _ if doc.requests.is_empty() => "No request for this machine.".to_owned(),
            _ => "Nothing is left to do.".to_owned(),
        }
    } else {
        let n = doc.requests.iter().filter(|r| selection.has(r)).count();
        if shown.contains(',') { format!("{}: {shown}.", count(n, "request")) } else { format!("{shown}.") }
    };
    if !left_out.is_empty() {
        text.push_str(&format!(" Not listed: {left_out} (--all)."));
    }
    text
}
