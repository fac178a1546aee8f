//! A list of requests: which ones, in which order, which is selected, and what is filtered out. The overview and the
//! packages view each have one.

use super::command::Id;
use super::data::Data;
use super::filter::Words;
use super::input::Input;
use super::list::Cursor;
use super::words;
use crate::clock::Wall;
use crate::console::keymap::Key;
use crate::executor::talk::view::RequestDoc;
use crate::terms::Group;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::cell::RefCell;

/// Successes stay in the overview for so many seconds.
const FRESH: i64 = 1800;

/// The orders in which a list can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By group, then as the executor gave it: by mandatory time, then id.
    #[default]
    Group,
    /// By state.
    State,
    /// By the package's name.
    Name,
    /// By mandatory time, whatever the group.
    Time,
}

impl Sort {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Group => "group",
            Sort::State => "state",
            Sort::Name => "name",
            Sort::Time => "time",
        }
    }
}

/// A list of requests.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Everything, or only what an operator should see at a glance.
    pub everything: bool,
    /// Order.
    pub sort: Sort,
    /// Words that rows must have, or must not have after a `!`.
    pub filter: String,
    /// While the filter is typed.
    pub typing: Option<Input>,
    cursor: Cursor,
    /// What is selected, so that it stays selected when rows come and go.
    key: Option<RowKey>,
    /// Asked for several times a frame and worked out once.
    shown: RefCell<Shown>,
}

/// Which rows a list has.
#[derive(Debug, Clone, Default)]
struct Shown {
    /// Of what: the revision of what the executor said and the operator has seen, the filter, the order. None: of nothing
    /// yet.
    of: Option<((u64, u64), String, Sort)>,
    /// From when on, and until when: then the next success leaves the overview.
    holds: (Option<Wall>, Option<Wall>),
    /// Places in the executor's list, in the order of this one.
    order: Vec<usize>,
    /// How many there are without the filter.
    unfiltered: usize,
    /// How wide their texts are at most.
    widest: Widest,
    /// For each in this order, what is wrong with it.
    alarms: Vec<Option<Alarm>>,
    /// Which of this order is selected, once it was asked for.
    selected: Option<Option<usize>>,
}

/// Cells of the widest text of each column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Widest {
    /// Of the states, as a list shows them.
    pub state: usize,
    /// Of the commands.
    pub command: usize,
    /// Of the packages' names.
    pub package: usize,
}

/// What must not go out of sight unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// It ended, and not well.
    Failed,
    /// Its time is over.
    Expired,
    /// Its record cannot be used.
    Rejected,
}

impl Alarm {
    fn of(row: &RequestDoc) -> Option<Alarm> {
        match row.group {
            Group::Executed if row.state.is_failure() => Some(Alarm::Failed),
            Group::Expired => Some(Alarm::Expired),
            Group::Rejected => Some(Alarm::Rejected),
            _ => None,
        }
    }
}

impl Shown {
    /// Whether it is still so.
    fn holds(&self, now: Option<Wall>) -> bool {
        let (from, until) = self.holds;
        now >= from && until.is_none_or(|until| now.is_some_and(|now| now < until))
    }
}

/// What a row is known by: its request id, or for a record without one its place in the file.
type RowKey = (Option<crate::site::ids::RequestId>, SafeText, Option<u32>);

fn key_of(row: &RequestDoc) -> RowKey {
    (row.request_id, row.package.clone(), place_of(row))
}

fn place_of(row: &RequestDoc) -> Option<u32> {
    row.problems.first().and_then(|p| p.line)
}

fn has_key(row: &RequestDoc, key: &RowKey) -> bool {
    row.request_id == key.0 && row.package == key.1 && place_of(row) == key.2
}

impl Rows {
    /// What an operator should see at a glance.
    pub fn overview() -> Rows {
        Rows {
            everything: false,
            sort: Sort::default(),
            filter: String::new(),
            typing: None,
            cursor: Cursor::default(),
            key: None,
            shown: RefCell::default(),
        }
    }

    /// Everything.
    pub fn packages() -> Rows {
        Rows { everything: true, ..Rows::overview() }
    }

    /// The rows, in order.
    pub fn rows<'d>(&self, data: &'d Data, now: Option<Wall>) -> Vec<&'d RequestDoc> {
        let all = data.requests();
        self.look(data, now, |shown| shown.order.iter().map(|at| &all[*at]).collect())
    }

    /// How many rows there are without the filter: what the panes' sizes go by, so that typing moves none.
    pub fn unfiltered(&self, data: &Data, now: Option<Wall>) -> usize {
        self.look(data, now, |shown| shown.unfiltered)
    }

    /// How wide their texts are at most.
    pub fn widest(&self, data: &Data, now: Option<Wall>) -> Widest {
        self.look(data, now, |shown| shown.widest)
    }

    /// How many of these rows have failed, expired or are rejected.
    pub fn alarms(&self, data: &Data, now: Option<Wall>, of: std::ops::Range<usize>) -> [usize; 3] {
        self.look(data, now, |shown| {
            let all = shown.alarms.get(of).unwrap_or_default();
            [Alarm::Failed, Alarm::Expired, Alarm::Rejected]
                .map(|kind| all.iter().filter(|alarm| **alarm == Some(kind)).count())
        })
    }

    /// What is asked of the rows, which are worked out anew if they may have changed.
    fn look<T>(&self, data: &Data, now: Option<Wall>, ask: impl FnOnce(&mut Shown) -> T) -> T {
        let filter = self.typing.as_ref().map_or(self.filter.as_str(), Input::text);
        let mut shown = self.shown.borrow_mut();
        let same = shown.of.as_ref().is_some_and(|(revision, known, sort)| {
            *revision == data.revision() && known == filter && *sort == self.sort
        });
        if !same || !shown.holds(now) {
            *shown = self.worked_out(data, now, filter);
        }
        ask(&mut shown)
    }

    fn worked_out(&self, data: &Data, now: Option<Wall>, filter: &str) -> Shown {
        let all = data.requests();
        let of = Some((data.revision(), filter.to_owned(), self.sort));
        let filter = Words::of(filter);
        let (mut order, mut unfiltered, mut until) = (Vec::new(), 0, None);
        for (at, row) in all.iter().enumerate() {
            let (in_sight, leaves) = self.in_sight(row, data, now);
            if !in_sight {
                continue;
            }
            unfiltered += 1;
            until = until.into_iter().chain(leaves).min();
            if matches(row, &filter) {
                order.push(at);
            }
        }
        match self.sort {
            Sort::Group => order.sort_by_key(|at| rank(&all[*at])),
            Sort::State => order.sort_by_key(|at| all[*at].state),
            Sort::Name => order.sort_by_cached_key(|at| all[*at].package.as_str().to_lowercase()),
            Sort::Time => order.sort_by_key(|at| {
                let mandatory = all[*at].mandatory_after;
                (mandatory.is_none(), mandatory)
            }),
        }
        let of_all =
            |width: fn(&RequestDoc) -> usize| order.iter().map(|at| width(&all[*at])).max().unwrap_or(0);
        let widest = Widest {
            state: of_all(|row| words::state(row.state).len()),
            command: of_all(|row| row.command.width()),
            package: of_all(|row| row.package.width()),
        };
        let alarms = order.iter().map(|at| Alarm::of(&all[*at])).collect();
        Shown { of, holds: (now, until), order, unfiltered, widest, alarms, selected: None }
    }

    /// Whether a row is in this list when nothing is filtered, and when it leaves it by itself.
    fn in_sight(&self, row: &RequestDoc, data: &Data, now: Option<Wall>) -> (bool, Option<Wall>) {
        if self.everything {
            return (true, None);
        }
        match row.group {
            Group::Skipped => (false, None),
            Group::Executed if !row.state.is_failure() => {
                let leaves = row.since.and_then(|since| since.checked_add_signed(TimeDelta::seconds(FRESH)));
                let fresh = leaves.zip(now).is_some_and(|(leaves, now)| now < leaves);
                (fresh, leaves.filter(|_| fresh))
            }
            _ => (!data.is_seen(row), None),
        }
    }

    /// Where the selected row is in this list.
    pub fn position(&self, data: &Data, now: Option<Wall>) -> usize {
        self.found(data, now).map_or(0, |(place, _)| place)
    }

    /// From now on this row is selected, wherever it moves to. Until an operator has done something with the list it is
    /// the first place that is selected.
    pub fn pin(&mut self, data: &Data, now: Option<Wall>) {
        if self.key.is_none() {
            self.key = self.selected(data, now).map(key_of);
        }
    }

    /// The selected row.
    pub fn selected<'d>(&self, data: &'d Data, now: Option<Wall>) -> Option<&'d RequestDoc> {
        self.found(data, now).map(|(_, at)| &data.requests()[at])
    }

    /// Where the selected row is in this list, and in the executor's. Every command asks for it to say whether it would do
    /// something.
    fn found(&self, data: &Data, now: Option<Wall>) -> Option<(usize, usize)> {
        let all = data.requests();
        self.look(data, now, |shown| {
            let Shown { order, selected, .. } = shown;
            let place = selected.get_or_insert_with(|| {
                let keyed =
                    self.key.as_ref().and_then(|key| order.iter().position(|at| has_key(&all[*at], key)));
                keyed.or_else(|| Some(self.cursor.row(order.len())).filter(|place| *place < order.len()))
            });
            place.map(|place| (place, order[place]))
        })
    }

    /// The rows to draw when there is room for so many lines.
    pub fn window(&self, data: &Data, now: Option<Wall>, height: usize) -> std::ops::Range<usize> {
        let mut cursor = self.cursor.clone();
        cursor.select(self.position(data, now));
        let window = cursor.window(self.look(data, now, |shown| shown.order.len()), height);
        // The page's height and top belong to the list, the copy was only asked about another row.
        self.cursor.adopt(&cursor);
        window
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id, data: &Data, now: Option<Wall>) -> bool {
        let rows = self.rows(data, now);
        self.cursor.select(self.position(data, now));
        let moved = self.cursor.moved(id, rows.len());
        self.shown.get_mut().selected = None;
        self.key = rows.get(self.cursor.row(rows.len())).map(|row| key_of(row));
        moved
    }

    /// Selects the row in this place.
    pub fn select(&mut self, at: usize, data: &Data, now: Option<Wall>) {
        let rows = self.rows(data, now);
        self.cursor.select(at);
        self.shown.get_mut().selected = None;
        self.key = rows.get(self.cursor.row(rows.len())).map(|row| key_of(row));
    }

    /// The next order.
    pub fn resort(&mut self) -> Sort {
        self.sort = match self.sort {
            Sort::Group => Sort::State,
            Sort::State => Sort::Name,
            Sort::Name => Sort::Time,
            Sort::Time => Sort::Group,
        };
        self.sort
    }

    /// Takes a key while the filter is typed.
    pub fn key(&mut self, key: Key) {
        let Some(input) = self.typing.as_mut() else { return };
        match key {
            Key::Esc | Key::Ctrl('c') => self.typing = None,
            Key::Enter => {
                self.filter = input.text().trim().to_owned();
                self.typing = None;
            }
            key => {
                input.key(key);
            }
        }
    }

    /// One step back; false if nothing is filtered.
    pub fn back(&mut self) -> bool {
        !std::mem::take(&mut self.filter).is_empty()
    }
}

/// What wants attention first comes first; what is done comes last.
fn rank(row: &RequestDoc) -> u8 {
    match row.group {
        Group::Running => 0,
        Group::Pending => 1,
        Group::Expired => 2,
        Group::Executed if row.state.is_failure() => 3,
        Group::Rejected => 4,
        Group::Executed => 5,
        Group::Skipped => 6,
    }
}

/// Whether a row has the words of a filter.
fn matches(row: &RequestDoc, filter: &Words) -> bool {
    let id = row.request_id.as_ref().map_or("", |id| id.as_str());
    let fields = [
        id,
        row.package.as_str(),
        row.command.as_str(),
        row.state.as_str(),
        row.group.as_str(),
        row.why.as_str(),
    ];
    filter.fit(&fields)
}
