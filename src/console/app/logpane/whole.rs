//! One whole file in the place of the newest lines of all: what is here of it is a stretch without a gap, as much as a few
//! screens, that moves with the reader. The thread that reads the file finds what counts by level, component and filter;
//! a line's key holds the place of its record, so marks stay with their lines wherever one is.

use super::{LineKey, LogPane};
use crate::clock::Wall;
use crate::console::app::whole::{Only, Row, Sought, Spot, What};
use crate::console::keymap::commands::Id;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many lines are kept, and so much text; but always those of three screens.
const KEPT_LINES: usize = 4_000;
const KEPT_BYTES: usize = 8 << 20;
/// Bits of a key that count the lines of a record.
const LINE_BITS: u32 = 20;

/// Where the stretch that is here stands in its file.
#[derive(Debug, Clone)]
pub struct Whole {
    /// The file.
    pub file: SafeText,
    /// No record that counts is between this place and the first that is here.
    above: u64,
    /// The same below.
    below: u64,
    /// Nothing is above, nothing is below.
    top: bool,
    bottom: bool,
    /// The lines in the file on which the records here begin.
    numbers: BTreeMap<u64, u64>,
    /// The newest lines of all are wanted again.
    pub leave: bool,
    /// What is missing here could not be read; it is asked for again when a command comes.
    stuck: bool,
}

fn key(place: u64, line: usize) -> LineKey {
    (Wall::MIN_UTC, place << LINE_BITS | (line as u64).min((1 << LINE_BITS) - 1))
}

fn place(key: LineKey) -> u64 {
    key.1 >> LINE_BITS
}

impl LogPane {
    /// A pane for one file, looked at as this one is.
    pub fn of_file(&self, file: &SafeText) -> LogPane {
        LogPane {
            search: self.search.clone(),
            only: self.only,
            level: self.level,
            polls: self.polls,
            filters: self.filters.clone(),
            components: self.components.clone(),
            wrap: self.wrap,
            time: self.time,
            height: self.height,
            follow: false,
            whole: Some(Box::new(Whole {
                file: file.clone(),
                above: 0,
                below: 0,
                top: false,
                bottom: false,
                numbers: BTreeMap::new(),
                leave: false,
                stuck: false,
            })),
            ..LogPane::default()
        }
    }

    /// Which records are shown.
    pub fn counting(&self) -> Only {
        let text = self.search.as_ref().filter(|_| self.only);
        Only {
            level: self.level,
            filters: self.filters.terms().to_vec(),
            text: text.map(|search| SafeText::new(search.as_str())),
            polls: self.polls,
        }
    }

    /// The file that the lines here are of and that has older ones, where it can be looked at as a whole: one alone.
    pub fn one_file(&self) -> Option<&SafeText> {
        let one = self.reads_files && self.files.len() == 1 && self.more().is_some();
        self.files.keys().next().filter(|_| one)
    }

    /// Has the file looked at as a whole; false: it is here already, or there are several.
    pub(super) fn look_at_file(&mut self, what: What) -> bool {
        let file = self.one_file().cloned();
        self.wish = file.map(|file| (file, what));
        self.wish.is_some()
    }

    /// The same of a file that is looked at already; the text says why it cannot be.
    pub fn look_at_this(&mut self, what: What) -> Option<SafeText> {
        if let Some(whole) = &self.whole {
            self.wish = Some((whole.file.clone(), what));
            return None;
        }
        if self.look_at_file(what.clone()) {
            return None;
        }
        let file = self.files.keys().next().filter(|_| self.reads_files && self.files.len() == 1);
        self.wish = file.map(|file| (file.clone(), what));
        match self.wish {
            Some(_) => None,
            None => Some("only of one file: show the file of a line whole first".into()),
        }
    }

    /// A line that is on the screen, to be found in its file.
    pub(super) fn like(&self, key: LineKey) -> Option<Spot> {
        let at = self.shown.partition_point(|known| *known <= key);
        // The first line of a record is what it is found by.
        let mut above = self.shown.iter().take(at).rev().filter_map(|key| self.line(*key));
        above.find(|line| !line.continued).map(|line| Spot::Like(line.near, line.text.clone()))
    }

    /// The command that has another meaning for a whole file; true: it was carried out.
    pub(super) fn of_whole(&mut self, id: Id) -> bool {
        let Some(whole) = &mut self.whole else { return false };
        match id {
            Id::Bottom | Id::Follow | Id::WholeFile => whole.leave = true,
            Id::Top if !whole.top => self.want(What::Around(Spot::Start)),
            Id::NextMatch | Id::PrevMatch => {
                let Some(search) = &self.search else { return false };
                let sought = Sought::Text(SafeText::new(search.as_str()));
                let matches: Vec<LineKey> = self.matches.iter().copied().collect();
                self.find_in_file(id == Id::NextMatch, &matches, sought);
            }
            Id::NextError | Id::PrevError => {
                let fault = |key: &&LineKey| self.line(**key).is_some_and(super::moves::is_fault);
                let faults: Vec<LineKey> = self.shown.iter().filter(fault).copied().collect();
                self.find_in_file(id == Id::NextError, &faults, Sought::Fault);
            }
            Id::NextMark | Id::PrevMark => {
                let here = self.here().unwrap_or((Wall::MIN_UTC, 0));
                let to = match id {
                    Id::NextMark => self.marks.range(here..).map(|(key, _)| *key).find(|key| *key > here),
                    _ => self.marks.range(..here).map(|(key, _)| *key).next_back(),
                };
                match to {
                    Some(key) if self.line(key).is_some() => self.jump_to(key),
                    Some(key) => self.want(What::Around(Spot::Place(place(key)))),
                    None => return false,
                }
            }
            _ => return false,
        }
        true
    }

    fn want(&mut self, what: What) {
        self.wish = self.whole.as_ref().map(|whole| (whole.file.clone(), what));
    }

    fn jump_to(&mut self, key: LineKey) {
        self.jump(self.shown.partition_point(|known| *known < key));
    }

    /// To the next of these lines that are here; else it is looked for in the rest of the file.
    fn find_in_file(&mut self, forward: bool, here: &[LineKey], what: Sought) {
        let from = self.here();
        let next = match forward {
            true => here.iter().find(|key| from.is_none_or(|from| **key > from)),
            false => here.iter().rev().find(|key| from.is_some_and(|from| **key < from)),
        };
        let Some(whole) = &self.whole else { return };
        match next {
            Some(key) => self.jump_to(*key),
            None => {
                let from = Spot::Place(if forward { whole.below } else { whole.above });
                self.want(What::Find { from, forward, what });
            }
        }
    }

    /// What is typed is looked for from here up: that is where one looks.
    pub(super) fn find_typed(&mut self) {
        let (Some(_), Some(search)) = (&self.whole, &self.search) else { return };
        let what = Sought::Text(SafeText::new(search.as_str()));
        // The record at which one is counts as well.
        let from = self.before.as_ref().and_then(|before| before.below()).or_else(|| self.below());
        self.want(What::Find { from: Spot::Place(from.unwrap_or(u64::MAX)), forward: false, what });
    }

    /// Where the record after the one begins that one is at.
    pub(super) fn below(&self) -> Option<u64> {
        let (whole, here) = (self.whole.as_ref()?, self.here()?);
        let next = self.lines.partition_point(|(key, _)| place(*key) <= place(here));
        Some(self.lines.get(next).map_or(whole.below, |(key, _)| place(*key)))
    }

    /// Other records count now: what is here is let go, and comes anew around the same place.
    pub(super) fn look_anew(&mut self) {
        let here = self.here().map_or(0, place);
        let Some(whole) = &mut self.whole else { return };
        (whole.above, whole.below, whole.top, whole.bottom) = (here, here, false, false);
        whole.numbers.clear();
        self.wish = None;
        self.clear();
        self.bottom = key(here, usize::MAX);
    }

    /// Back to a line that may not be here any more.
    pub(super) fn return_to_line(&mut self, bottom: LineKey) {
        if self.whole.is_some() && self.line(bottom).is_none() {
            self.want(What::Around(Spot::Place(place(bottom))));
        }
    }

    fn clear(&mut self) {
        self.lines.clear();
        self.shown.clear();
        self.matches.clear();
        self.files.clear();
        (self.bytes, self.errors, self.warnings, self.hit, self.third) = (0, 0, 0, None, None);
    }

    /// Takes the records around a place in the stead of those that are here.
    pub fn take_window(&mut self, rows: Vec<Row>, ends: (u64, u64), all: (bool, bool), hit: Option<u64>) {
        self.clear();
        let Some(whole) = &mut self.whole else { return };
        whole.numbers.clear();
        (whole.above, whole.below) = ends;
        (whole.top, whole.bottom) = all;
        whole.stuck = false;
        self.take_rows(rows);
        let at = hit.map_or(0, |hit| self.shown.partition_point(|known| *known < key(hit, 0)));
        match hit {
            Some(_) if at < self.shown.len() => self.jump(at),
            Some(_) => self.ends_at(self.shown.len()),
            None => self.ends_at(self.height),
        }
    }

    /// Takes records before those that are here.
    pub fn take_older(&mut self, rows: Vec<Row>, above: u64, top: bool) {
        let Some(whole) = &mut self.whole else { return };
        (whole.above, whole.top) = (above, top);
        self.take_rows(rows);
        // What would be wanted again at once stays, however large it is.
        let last = self.end(self.height) + self.height;
        let kept = self.shown.get(last.saturating_sub(1)).or(self.shown.back()).map(|key| place(*key));
        let mut gone = None;
        while self.is_too_much() && self.lines.back().map(|(key, _)| place(*key)) > kept {
            gone = self.lines.back().map(|(key, _)| place(*key));
            // Of a record all lines are here, or none.
            while self.lines.back().map(|(key, _)| place(*key)) == gone {
                self.forget(false);
            }
        }
        if let (Some(gone), Some(whole)) = (gone, &mut self.whole) {
            (whole.below, whole.bottom) = (gone, false);
        }
    }

    /// Takes records after those that are here.
    pub fn take_newer(&mut self, rows: Vec<Row>, below: u64, bottom: bool) {
        let Some(whole) = &mut self.whole else { return };
        (whole.below, whole.bottom) = (below, bottom);
        self.take_rows(rows);
        let first = self.end(self.height).saturating_sub(2 * self.height);
        let kept = self.shown.get(first).copied();
        let mut gone = false;
        while self.is_too_much()
            && self.lines.front().is_some_and(|(key, _)| Some(place(*key)) < kept.map(place))
        {
            let of = self.lines.front().map(|(key, _)| place(*key));
            while self.lines.front().map(|(key, _)| place(*key)) == of {
                self.forget(true);
            }
            gone = true;
        }
        let first = self.lines.front().map(|(key, _)| place(*key));
        if let (true, Some(first), Some(whole)) = (gone, first, &mut self.whole) {
            (whole.above, whole.top) = (first, false);
        }
    }

    fn is_too_much(&self) -> bool {
        self.lines.len() > KEPT_LINES || self.bytes > KEPT_BYTES
    }

    fn take_rows(&mut self, rows: Vec<Row>) {
        for row in rows {
            if let Some(whole) = &mut self.whole {
                whole.numbers.insert(row.place, row.line);
            }
            for (n, line) in row.lines.into_iter().enumerate() {
                self.place(key(row.place, n), Arc::new(line), true);
            }
        }
    }

    /// Lets the first or the last line go.
    fn forget(&mut self, first: bool) {
        let line = if first { self.lines.pop_front() } else { self.lines.pop_back() };
        let Some((key, line)) = line else { return };
        self.bytes = self.bytes.saturating_sub(line.text.as_str().len());
        for kept in [&mut self.shown, &mut self.matches] {
            if first && kept.front() == Some(&key) {
                kept.pop_front();
            } else if !first && kept.back() == Some(&key) {
                kept.pop_back();
            }
        }
        if let Some(whole) = &mut self.whole {
            whole.numbers.remove(&place(key));
        }
    }

    /// What is missing here of what is shown or soon will be.
    pub fn lacks(&self) -> Option<What> {
        let whole = self.whole.as_ref().filter(|whole| !whole.stuck)?;
        let end = self.end(self.height);
        if !whole.bottom && self.shown.len() < end + self.height {
            return Some(What::Newer(whole.below));
        }
        let above = end.saturating_sub(self.height);
        (!whole.top && above < self.height).then_some(What::Older(whole.above))
    }

    /// What is missing here cannot be read now. Asked for again at once it would fail again, without an end.
    pub fn stick(&mut self) {
        self.set_stuck(true);
    }

    pub(super) fn set_stuck(&mut self, stuck: bool) {
        if let Some(whole) = &mut self.whole {
            whole.stuck = stuck;
        }
    }

    /// Whether there is room on the screen for more than what came.
    pub fn is_short(&self) -> bool {
        self.whole.is_some() && self.shown.len() < self.height
    }

    /// Whether something is missing here that could not be read.
    pub fn misses(&self) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.stuck)
    }

    /// More came to the file, perhaps to the last record that is here: it is read again.
    pub fn has_grown(&mut self) {
        if !self.whole.as_ref().is_some_and(|whole| whole.bottom) {
            return;
        }
        let last = self.lines.back().map(|(key, _)| place(*key));
        while last.is_some() && self.lines.back().map(|(key, _)| place(*key)) == last {
            self.forget(false);
        }
        if let Some(whole) = &mut self.whole {
            whole.bottom = false;
            whole.below = last.unwrap_or(whole.below);
        }
    }

    /// The line in the file that the reader is at; 0: not known yet.
    pub fn line_number(&self) -> Option<u64> {
        let whole = self.whole.as_ref()?;
        whole.numbers.get(&place(self.here()?)).copied()
    }

    /// Every line that came is shown: what counts was looked at where it was found.
    pub(super) fn all_count(&self) -> bool {
        self.whole.is_some()
    }
}
