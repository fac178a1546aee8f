//! The columns of the lists, one row of a table each: what stands above it, how wide it is and from which width of the
//! list on it is there at all, its text, its style, and, where a list can be in its order, that. Rows are sorted by these
//! tables (`rows`) and drawn by them (`ui::table`); nothing else knows a column.

mod site;

pub use site::{JOBS, MACHINES, part_of};

use super::words;
use crate::clock::{Wall, Zone};
use crate::console::keymap::Keymap;
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::{AttemptDoc, AuditEntryDoc, RequestDoc, WAITS_FOR_INPUT};
use crate::rollout::count::Part;
use crate::safe;
use crate::terms::{Group, State};
use crate::text::SafeText;

/// A column of a list of such documents.
pub struct Column<D: 'static> {
    /// Above the rows.
    pub title: &'static str,
    /// With the blank after it.
    pub width: Width<D>,
    /// The narrowest list that has it, in cells.
    pub from: usize,
    /// What stands in it.
    pub text: fn(&D, &Moment) -> SafeText,
    /// How that looks.
    pub style: fn(&D) -> Scope,
    /// The order in which a list can be by it.
    pub order: Option<Order<D>>,
}

/// How wide a column is, in cells.
pub enum Width<D> {
    /// So wide, and so wide in a list of at least [`WIDE`] cells.
    Fixed(usize, usize),
    /// As its widest text, between these; in a list of at least [`WIDE`] cells up to the third.
    Fits(usize, usize, usize, fn(&D) -> usize),
    /// The same, but no more than nine twentieths of what the others leave: the rest is the last column's.
    Shares(usize, usize, fn(&D) -> usize),
    /// What the others leave.
    Rest,
}

/// An order, and how it is called.
pub struct Order<D> {
    /// In a word.
    pub word: &'static str,
    /// What is compared.
    pub rank: fn(&D) -> Rank,
}

/// What rows are compared by; one column has only one kind.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// States in their own order.
    State(State),
    /// What machines are counted as, then states.
    Part(Part, Option<State>),
    /// Words without regard to case.
    Words(String),
    /// Times; none comes last.
    Time(bool, Option<Wall>),
}

/// When and where a text is told.
pub struct Moment<'a> {
    /// Now.
    pub now: Wall,
    /// The machine's zone.
    pub zone: &'a Zone,
    /// The keys, where one is named.
    pub keymap: &'a Keymap,
    /// The list has at least [`WIDE`] cells.
    pub wide: bool,
}

/// From this width on a list has room for what is good to know.
pub const WIDE: usize = 100;

/// Requests, in the overview and the packages view.
pub const REQUESTS: &[Column<RequestDoc>] = &[
    Column {
        title: "REQUEST",
        width: Width::Fixed(8, 8),
        from: 0,
        text: |row, _| row.request_id.map_or_else(|| "-".into(), |id| safe!("{id}")),
        style: of_row,
        order: None,
    },
    Column {
        title: "PACKAGE",
        width: Width::Shares(12, 40, |row| row.package.width()),
        from: 0,
        text: |row, _| row.package.clone(),
        style: of_row,
        order: Some(Order { word: "name", rank: |row| Rank::Words(row.package.as_str().to_lowercase()) }),
    },
    Column {
        title: "COMMAND",
        width: Width::Fits(8, 16, 16, |row| row.command.width()),
        from: 110,
        text: |row, _| row.command.clone(),
        style: |_| Scope::Dim,
        order: None,
    },
    Column {
        title: "STATE",
        width: Width::Fits(9, 12, 17, |row| row.state.as_str().len()),
        from: 0,
        text: |row, _| row.state.as_str().into(),
        style: |row| Scope::of_state(row.state),
        order: Some(Order { word: "state", rank: |row| Rank::State(row.state) }),
    },
    Column {
        title: "MANDATORY",
        width: Width::Fixed(10, 10),
        from: 50,
        text: |row, moment| match row.mandatory_after {
            Some(at) => safe!("{}", words::when(at, moment.now, moment.zone)),
            None if row.group == Group::Rejected => "-".into(),
            None => "never".into(),
        },
        style: of_row,
        order: Some(Order {
            word: "time",
            rank: |row| Rank::Time(row.mandatory_after.is_none(), row.mandatory_after),
        }),
    },
    Column {
        title: "NEXT RUN",
        width: Width::Fixed(20, 20),
        from: 120,
        text: |row, moment| {
            let next = row.next_run.map(|at| words::when_pair(at, row.latest, moment.now, moment.zone));
            safe!("{}", next.unwrap_or_default())
        },
        style: of_row,
        order: None,
    },
    Column {
        title: "WHY NOT / NEXT",
        width: Width::Rest,
        from: 0,
        text: |row, moment| {
            let why = why(row, moment.now);
            match row.is_by_hand() {
                true => safe!("{why}, {} runs it", moment.keymap.hint(Id::Run)),
                false => why,
            }
        },
        style: of_row,
        order: None,
    },
];

/// Attempts, in the history view.
pub const ATTEMPTS: &[Column<AttemptDoc>] = &[
    Column {
        title: "STARTED",
        width: Width::Fixed(12, 20),
        from: 0,
        text: |doc, moment| {
            let at = doc.started_at.unwrap_or(doc.claimed_at);
            safe!("{}", moment.stamp(at))
        },
        style: |_| Scope::Dim,
        order: None,
    },
    Column {
        title: "ATTEMPT",
        width: Width::Fixed(11, 11),
        from: 0,
        text: |doc, _| safe!("{}#{}", doc.request_id, doc.attempt),
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "PACKAGE",
        width: Width::Fixed(21, 33),
        from: 0,
        text: |doc, _| doc.package.clone(),
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "STATE",
        width: Width::Fixed(13, 18),
        from: 0,
        text: |doc, _| doc.state.as_str().into(),
        style: |doc| Scope::of_state(doc.state),
        order: None,
    },
    Column {
        title: "TOOK",
        width: Width::Fixed(10, 10),
        from: 0,
        text: |doc, moment| match (doc.started_at, doc.ended_at) {
            (Some(start), Some(end)) => safe!("{}", words::span((end - start).num_seconds())),
            (Some(start), None) => safe!("{}...", words::span((moment.now - start).num_seconds())),
            (None, _) => "-".into(),
        },
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "EXIT",
        width: Width::Fixed(10, 10),
        from: 0,
        text: |doc, _| match doc.exit_code {
            // A failure that is told in other words than by what the package returned.
            Some(0) if doc.state == State::Failed && !doc.result.as_str().starts_with("exit ") => {
                "MIF".into()
            }
            Some(code) => safe!("exit {code}"),
            None => SafeText::default(),
        },
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "BY, WHY AND RESULT",
        width: Width::Rest,
        from: WIDE,
        text: |doc, _| {
            let reason = if doc.reason.is_empty() { String::new() } else { format!(" \"{}\"", doc.reason) };
            safe!("{}{reason} {}", doc.by, doc.result)
        },
        style: |_| Scope::Text,
        order: None,
    },
];

/// Entries of the audit, in the history view.
pub const AUDIT: &[Column<AuditEntryDoc>] = &[
    Column {
        title: "AT",
        width: Width::Fixed(12, 20),
        from: 0,
        text: |doc, moment| safe!("{}", moment.stamp(doc.at)),
        style: |_| Scope::Dim,
        order: None,
    },
    Column {
        title: "WHO",
        width: Width::Fixed(23, 33),
        from: 0,
        text: |doc, _| match doc.from.as_ref().or(doc.terminal.as_ref()) {
            Some(from) => safe!("{} ({from})", doc.who),
            None => doc.who.clone(),
        },
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "ACTION",
        width: Width::Fixed(9, 15),
        from: 0,
        text: |doc, _| safe!("{}", doc.verb),
        style: |_| Scope::Strong,
        order: None,
    },
    Column {
        title: "REQUEST",
        width: Width::Fixed(8, 8),
        from: 0,
        text: |doc, _| doc.request_id.map_or_else(SafeText::default, |id| safe!("{id}")),
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "RESULT",
        width: Width::Fixed(16, 16),
        from: 0,
        text: |doc, _| doc.result.clone(),
        style: |doc| match doc.result.as_str() {
            "done" | "asked" => Scope::Text,
            _ => Scope::MessageError,
        },
        order: None,
    },
    Column {
        title: "REASON",
        width: Width::Rest,
        from: 0,
        text: |doc, _| doc.reason.as_ref().map_or_else(SafeText::default, |reason| safe!("\"{reason}\"")),
        style: |_| Scope::Text,
        order: None,
    },
];

impl Moment<'_> {
    /// A past time, in full where there is room for that.
    fn stamp(&self, at: Wall) -> String {
        if self.wide { words::full(at, self.zone) } else { words::stamp(at, self.now, self.zone) }
    }
}

/// The cells of the widest text of each column whose width depends on that.
pub fn widest<'d, D, I: Iterator<Item = &'d D>>(columns: &[Column<D>], rows: impl Fn() -> I) -> Vec<usize> {
    let widest = |column: &Column<D>| match column.width {
        Width::Fits(.., of) | Width::Shares(.., of) => rows().map(of).max().unwrap_or(0),
        Width::Fixed(..) | Width::Rest => 0,
    };
    columns.iter().map(widest).collect()
}

/// How wide each column is in a list of so many cells, of which some come before the columns; 0 where it is not there.
pub fn widths<D>(columns: &[Column<D>], cells: usize, lead: usize, widest: &[usize]) -> Vec<usize> {
    let text = |at: usize| widest.get(at).copied().unwrap_or(0);
    let mut widths = vec![0; columns.len()];
    let there = || columns.iter().enumerate().filter(|(_, column)| cells >= column.from);
    for (at, column) in there() {
        widths[at] = match column.width {
            Width::Fixed(narrow, wide) => {
                if cells >= WIDE {
                    wide
                } else {
                    narrow
                }
            }
            Width::Fits(least, narrow, wide, _) => {
                text(at).clamp(least, if cells >= WIDE { wide } else { narrow }) + 1
            }
            Width::Shares(..) | Width::Rest => 0,
        };
    }
    let room = cells.saturating_sub(lead + widths.iter().sum::<usize>());
    for (at, column) in there() {
        if let Width::Shares(least, most, _) = column.width {
            let liked = (room * 9 / 20).clamp(least, most).min(text(at).max(least) + 1);
            widths[at] = liked.min(room.max(least));
        }
    }
    let left = cells.saturating_sub(lead + widths.iter().sum::<usize>());
    for (at, column) in there() {
        if matches!(column.width, Width::Rest) {
            widths[at] = left;
        }
    }
    widths
}

fn of_row(row: &RequestDoc) -> Scope {
    if row.group == Group::Skipped { Scope::Dim } else { Scope::Text }
}

/// A symbol that stands for the state of a request where there is no colour.
pub fn mark(row: &RequestDoc) -> &'static str {
    match row.group {
        Group::Running => "*",
        Group::Expired => "x",
        Group::Executed if row.state.is_failure() => "!",
        Group::Rejected => "!",
        Group::Executed => "+",
        Group::Pending | Group::Skipped => " ",
    }
}

/// Why a request has not run, or what it is doing; what moves with the clock is put together here.
pub fn why(row: &RequestDoc, now: Wall) -> SafeText {
    match (row.state, &row.run, row.next_run) {
        (State::Running | State::Stopping, Some(run), _) => {
            let elapsed = words::span((now - run.started_at).num_seconds());
            let limit = words::span(run.max_run_time_s as i64);
            let output = match run.last_output_at {
                _ if run.waits_for_input.is_some() => WAITS_FOR_INPUT.into(),
                Some(at) => format!("output {} ago", words::span((now - at).num_seconds())),
                None => "no output yet".into(),
            };
            let stopping = if row.state == State::Stopping { "stopping, " } else { "" };
            safe!("{stopping}{elapsed}/{limit}, {output}")
        }
        (State::Countdown, _, Some(at)) if at > now => {
            safe!("starts in {}", words::span((at - now).num_seconds()))
        }
        _ => row.why.clone(),
    }
}
