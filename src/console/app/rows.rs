//! A list of requests: which ones, in which order, which is selected, and what is filtered out. The overview and the
//! packages view each have one.

use super::columns::{REQUESTS, widest};
use super::data::Data;
use super::filter::Terms;
use super::input::Input;
use super::layout::Window;
use super::list::Cursor;
use crate::clock::Wall;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::executor::talk::view::RequestDoc;
use crate::terms::Group;
use crate::text::SafeText;
use chrono::TimeDelta;

/// Successes stay in the overview for so many seconds.
const FRESH: i64 = 1800;

/// The order of a list: None, the groups, and in each as the executor gave it, by mandatory time and id; else that of
/// the column in this place of the table.
pub type Sort = Option<usize>;

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
    /// Worked out once for all that ask in a frame.
    shown: Shown,
}

/// Which rows a list has.
#[derive(Debug, Clone, Default)]
struct Shown {
    /// Of what: the revision of what the executor said and the operator has seen, the filter, the order. None: of nothing
    /// yet.
    of: Option<(u64, String, Sort)>,
    /// From when on, and until when: then the next success leaves the overview.
    holds: (Option<Wall>, Option<Wall>),
    /// Places in the executor's list, in the order of this one.
    order: Vec<usize>,
    /// How many there are without the filter.
    unfiltered: usize,
    /// How wide the texts of each column are at most.
    widest: Vec<usize>,
    /// For each in this order, what is wrong with it.
    alarms: Vec<Option<Alarm>>,
    /// Which of this order is selected.
    selected: usize,
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
            sort: None,
            filter: String::new(),
            typing: None,
            cursor: Cursor::default(),
            key: None,
            shown: Shown::default(),
        }
    }

    /// Everything.
    pub fn packages() -> Rows {
        Rows { everything: true, ..Rows::overview() }
    }

    /// The rows, in order.
    pub fn rows<'d>(&self, data: &'d Data) -> Vec<&'d RequestDoc> {
        let all = data.requests();
        self.shown.order.iter().filter_map(|at| all.get(*at)).collect()
    }

    /// How many rows there are.
    pub fn listed(&self) -> usize {
        self.shown.order.len()
    }

    /// How many rows there are without the filter: what the panes' sizes go by, so that typing moves none.
    pub fn unfiltered(&self) -> usize {
        self.shown.unfiltered
    }

    /// How wide the texts of each column are at most.
    pub fn widest(&self) -> &[usize] {
        &self.shown.widest
    }

    /// How the order is called; None: as the executor gave it.
    pub fn sorted_by(&self) -> Option<&'static str> {
        Some(REQUESTS.get(self.sort?)?.order.as_ref()?.word)
    }

    /// How many of these rows have failed, expired or are rejected.
    pub fn alarms(&self, of: std::ops::Range<usize>) -> [usize; 3] {
        let all = self.shown.alarms.get(of).unwrap_or_default();
        [Alarm::Failed, Alarm::Expired, Alarm::Rejected]
            .map(|kind| all.iter().filter(|alarm| **alarm == Some(kind)).count())
    }

    /// Works out which rows there are, if that may have changed.
    pub fn work_out(&mut self, data: &Data, now: Option<Wall>) {
        let filter = self.typing.as_ref().map_or(self.filter.as_str(), Input::text);
        let same = self.shown.of.as_ref().is_some_and(|(revision, known, sort)| {
            *revision == data.revision() && known == filter && *sort == self.sort
        });
        if !same || !self.shown.holds(now) {
            self.shown = self.worked_out(data, now, filter);
            self.cursor.select(self.shown.selected);
            // From the first rows on it is a request that is selected. What a filter leaves out only while it is typed
            // comes back with what it was.
            if self.typing.is_none() {
                self.key = self.selected(data).map(key_of).or(self.key.take());
            }
        }
    }

    fn worked_out(&self, data: &Data, now: Option<Wall>, filter: &str) -> Shown {
        let all = data.requests();
        let of = Some((data.revision(), filter.to_owned(), self.sort));
        let filter = Terms::of(filter);
        let (mut order, mut unfiltered, mut until) = (Vec::new(), 0, None);
        for (at, row) in all.iter().enumerate() {
            let (in_sight, leaves) = self.in_sight(row, now);
            if !in_sight {
                continue;
            }
            unfiltered += 1;
            until = until.into_iter().chain(leaves).min();
            if matches(row, &filter) {
                order.push(at);
            }
        }
        match self.sort.and_then(|column| REQUESTS.get(column)?.order.as_ref()) {
            None => order.sort_by_key(|at| rank(&all[*at])),
            Some(by) => order.sort_by_cached_key(|at| (by.rank)(&all[*at])),
        }
        let widest = widest(REQUESTS, || order.iter().map(|at| &all[*at]));
        let alarms = order.iter().map(|at| Alarm::of(&all[*at])).collect();
        let keyed = self.key.as_ref().and_then(|key| order.iter().position(|at| has_key(&all[*at], key)));
        let selected = keyed.unwrap_or_else(|| self.cursor.row(order.len()));
        Shown { of, holds: (now, until), order, unfiltered, widest, alarms, selected }
    }

    /// Whether a row is in this list when nothing is filtered, and when it leaves it by itself.
    fn in_sight(&self, row: &RequestDoc, now: Option<Wall>) -> (bool, Option<Wall>) {
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
            _ => (row.seen.is_none(), None),
        }
    }

    /// Where the selected row is in this list.
    pub fn position(&self) -> usize {
        self.shown.selected
    }

    /// The selected row.
    pub fn selected<'d>(&self, data: &'d Data) -> Option<&'d RequestDoc> {
        self.shown.order.get(self.shown.selected).and_then(|at| data.requests().get(*at))
    }

    /// The rows to draw when there is room for so many lines.
    pub fn window(&self, height: usize) -> std::ops::Range<usize> {
        let mut cursor = self.cursor.clone();
        cursor.select(self.position());
        cursor.window(self.shown.order.len(), height)
    }

    /// This part of it was drawn.
    pub fn drawn(&mut self, window: Window) {
        self.cursor.drawn(window);
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id, data: &Data) -> bool {
        self.cursor.select(self.position());
        let moved = self.cursor.moved(id, self.shown.order.len());
        self.select(self.cursor.row(self.shown.order.len()), data);
        moved
    }

    /// Selects the row in this place.
    pub fn select(&mut self, at: usize, data: &Data) {
        self.cursor.select(at);
        self.shown.selected = self.cursor.row(self.shown.order.len());
        // Where a filter leaves nothing, what was selected is again when it goes.
        self.key = self.selected(data).map(key_of).or(self.key.take());
    }

    /// The next order: that of the next column that has one, at last the executor's again.
    pub fn resort(&mut self) {
        let from = self.sort.map_or(0, |column| column + 1);
        self.sort = (from..REQUESTS.len()).find(|column| REQUESTS[*column].order.is_some());
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
fn matches(row: &RequestDoc, filter: &Terms) -> bool {
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
