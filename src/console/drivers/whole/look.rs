//! The answer to one question: records around a place, before it and after it, the next that holds something, or all that
//! pass as text in a new file.

use super::super::logs::split;
use super::super::{Incoming, save, send};
use super::open::Source;
use super::{Done, Ended, Questions, search};
use crate::clock::{Wall, Zone};
use crate::console::app::logpane::is_poll;
use crate::console::app::whole::{Ask, Came, News, Row, Sought, Spot, What};
use crate::console::app::{Event, log_line};
use crate::log::index::Index;
use crate::log::search::{Filter, Search};
use crate::log::spans::Spans;
use crate::log::view::{Item, View};
use crate::log::{Level, Record};
use crate::text::SafeText;
use std::collections::VecDeque;
use std::sync::mpsc::Sender;

/// So many lines and so much text come at once, about.
const LINES: usize = 300;
const BYTES: usize = 1 << 20;
/// So many records are looked for at once: they may be large.
const RECORDS: usize = 32;
/// Among so many records of one time the one is looked for that is on the screen.
const ALIKE: usize = 10_000;

/// One question.
pub struct Look<'a> {
    /// The file.
    pub view: View<'a, Source>,
    /// Where its records are.
    pub index: &'a Index,
    /// What is read through.
    pub buffer: &'a mut Spans,
    /// What is asked meanwhile.
    pub questions: &'a mut Questions,
    /// Where progress is told.
    pub to: &'a Sender<Incoming>,
    /// The question.
    pub ask: &'a Ask,
    /// Which records count, but for polls.
    pub filter: Filter,
    /// So many hundredths were told.
    pub told: u64,
    /// In which times are written.
    pub zone: &'a Zone,
}

/// What a search goes through.
#[derive(Clone, Copy)]
struct Way {
    forward: bool,
    from: u64,
    to: u64,
}

impl Look<'_> {
    /// Answers it.
    pub fn answer(&mut self) -> Done<Came> {
        match &self.ask.what {
            What::Around(spot) => {
                let (at, hit) = self.place_of(spot)?;
                self.window(at, hit.then_some(at), false)
            }
            What::Older(place) => {
                let (rows, above, top) = self.older(*place)?;
                Ok(Came::Older { rows, above, top })
            }
            What::Newer(place) => {
                let (rows, below, bottom) = self.newer(*place)?;
                Ok(Came::Newer { rows, below, bottom })
            }
            What::Find { from, forward, what } => {
                let from = self.place_of(from)?.0.min(self.view.size());
                match self.find(from, *forward, what)? {
                    Some((place, wrapped)) => self.window(place, Some(place), wrapped),
                    None => Ok(Came::Nothing),
                }
            }
            What::Save(path) => self.save(path),
            What::Stats | What::Stop => Ok(Came::Nothing),
        }
    }

    /// Where a spot is, and whether a record is there that is meant by it.
    fn place_of(&mut self, spot: &Spot) -> Done<(u64, bool)> {
        let size = self.view.size();
        Ok(match spot {
            Spot::Start => (0, false),
            Spot::Place(place) => (*place, true),
            Spot::Time(at) => (self.time(*at)?, true),
            Spot::Line(line) => (self.view.at_line(self.buffer, *line)?.unwrap_or(0), true),
            Spot::Part(part) => {
                let number = self.index.totals().records.saturating_mul(u64::from(*part)) / 100;
                (self.view.at_record(self.buffer, number)?.unwrap_or(size), true)
            }
            Spot::Like(near, text) => (self.like(*near, text)?, true),
        })
    }

    fn time(&mut self, at: Wall) -> Done<u64> {
        let questions = &mut *self.questions;
        let place = self.view.at_time(self.buffer, at, &mut |_| !questions.is_newer())?;
        place.ok_or(Ended::Newer)
    }

    /// The record that is on the screen: the newest of its time with the same first line.
    fn like(&mut self, near: Option<Wall>, text: &SafeText) -> Done<u64> {
        let Some(at) = near else {
            // Without a time it is looked for from the end, where the newest lines are.
            let plain = Filter {
                text: Some(Search::plain(text.as_str()).map_err(Ended::Failed)?),
                ..Filter::default()
            };
            let size = self.view.size();
            let questions = &mut *self.questions;
            let found = self.view.back(self.buffer, size, &plain, 1, &mut |_| !questions.is_newer())?;
            return Ok(found.items.front().map_or(size, |item| item.at));
        };
        let first = self.time(at)?;
        let (mut place, mut best) = (first, None);
        for _ in 0..ALIKE / RECORDS {
            let questions = &mut *self.questions;
            let all = Filter::default();
            let found =
                self.view.forward(self.buffer, place, &all, RECORDS, &mut |_| !questions.is_newer())?;
            if found.stopped {
                return Err(Ended::Newer);
            }
            let later = |item: &Item| item.record.time.is_some_and(|time| time > at);
            let alike = found.items.iter().take_while(|item| !later(item));
            best = alike.filter(|item| item.record.first_line() == text).map(|item| item.at).last().or(best);
            if found.done || found.items.iter().any(later) {
                break;
            }
            place = found.reached;
        }
        Ok(best.unwrap_or(first))
    }

    fn window(&mut self, at: u64, hit: Option<u64>, wrapped: bool) -> Done<Came> {
        let (mut rows, above, top) = self.older(at)?;
        let (more, below, bottom) = self.newer(at)?;
        rows.extend(more);
        Ok(Came::Window { rows, above, below, top, bottom, hit, wrapped })
    }

    /// Records before a place, as far back as was looked, and whether that is all.
    fn older(&mut self, before: u64) -> Done<(Vec<Row>, u64, bool)> {
        let (mut rows, mut above, mut top) = (VecDeque::new(), before.min(self.view.size()), false);
        let (mut lines, mut bytes) = (0, 0);
        while !top && lines < LINES && bytes < BYTES {
            let way = Way { forward: false, from: before, to: 0 };
            let found = self.looked(above, way, RECORDS, None)?;
            (above, top) = (found.0, found.1);
            for item in found.2.into_iter().rev() {
                count(&item.record, &mut lines, &mut bytes);
                rows.push_front(row(item));
            }
        }
        Ok((rows.into(), above, top))
    }

    fn newer(&mut self, from: u64) -> Done<(Vec<Row>, u64, bool)> {
        let (mut rows, mut below, mut bottom) = (Vec::new(), from.min(self.view.size()), false);
        let (mut lines, mut bytes) = (0, 0);
        while !bottom && lines < LINES && bytes < BYTES {
            let way = Way { forward: true, from, to: self.view.size() };
            let found = self.looked(below, way, RECORDS, None)?;
            (below, bottom) = (found.0, found.1);
            for item in found.2 {
                count(&item.record, &mut lines, &mut bytes);
                rows.push(row(item));
            }
        }
        Ok((rows, below, bottom))
    }

    /// How far was looked, whether there is no more, and what counts of that.
    fn looked(
        &mut self,
        from: u64,
        way: Way,
        most: usize,
        filter: Option<&Filter>,
    ) -> Done<(u64, bool, VecDeque<Item>)> {
        let (ask, to) = (self.ask, self.to);
        let (questions, told) = (&mut *self.questions, &mut self.told);
        let mut past = false;
        let mut go = |at: u64| {
            tell(ask, to, questions, told, way, at);
            past = way.forward && at > way.to;
            !past && !questions.is_newer()
        };
        let filter = filter.unwrap_or(&self.filter);
        let mut found = match way.forward {
            true => self.view.forward(self.buffer, from, filter, most, &mut go)?,
            false => self.view.back(self.buffer, from, filter, most, &mut go)?,
        };
        if found.stopped && !past {
            return Err(Ended::Newer);
        }
        if !ask.only.polls {
            let counts = |item: &Item| !is_poll(item.record.level, item.record.first_line().as_str());
            found.items.retain(counts);
        }
        Ok((found.reached, found.done || found.stopped, found.items))
    }

    /// Writes every record that counts to a new file, which goes away again where that does not come to its end.
    fn save(&mut self, typed: &str) -> Done<Came> {
        let not = |e: &std::io::Error| Ended::Failed(save::why_not(typed, e));
        let mut out = save::NewFile::make(typed).map_err(|e| not(&e))?;
        let (ask, to, zone, polls) = (self.ask, self.to, self.zone, self.ask.only.polls);
        let (questions, told) = (&mut *self.questions, &mut self.told);
        let way = Way { forward: true, from: 0, to: self.view.size() };
        let mut go = |at: u64| {
            tell(ask, to, questions, told, way, at);
            !questions.is_newer()
        };
        let mut failed = None;
        let each = |item: Item| {
            if !polls && is_poll(item.record.level, item.record.first_line().as_str()) {
                return true;
            }
            let lines = split(item.record);
            failed = lines.iter().find_map(|line| out.line(&log_line(line, zone)).err());
            failed.is_none()
        };
        let whole = self.view.each(self.buffer, &self.filter, &mut go, each)?;
        if let Some(e) = failed {
            return Err(not(&e));
        }
        if !whole {
            return Err(Ended::Newer);
        }
        out.keep().map(Came::Saved).map_err(|e| not(&e))
    }

    /// The next record in a direction that holds it, and whether that is beyond the end.
    fn find(&mut self, from: u64, forward: bool, what: &Sought) -> Done<Option<(u64, bool)>> {
        let mut filter = self.filter.clone();
        match what {
            Sought::Text(pattern) => filter.also.push(search(pattern)?),
            Sought::Fault => filter.level = Some(filter.level.unwrap_or(Level::Warning).max(Level::Warning)),
        }
        let size = self.view.size();
        let ways = match forward {
            true => [(from, size), (0, from)],
            false => [(from, 0), (size, from)],
        };
        let mut found = None;
        for (n, (begin, end)) in ways.into_iter().enumerate() {
            self.told = 0;
            self.view.set_floor(if forward { 0 } else { end });
            let (mut at, way) = (begin, Way { forward, from: begin, to: end });
            loop {
                let (reached, done, items) = self.looked(at, way, 1, Some(&filter))?;
                // What is reached beyond the end was looked through before.
                let is_new = |item: &Item| n == 0 || (item.at >= from) != forward;
                found = items.front().filter(|item| is_new(item)).map(|item| (item.at, n > 0));
                if !items.is_empty() || done || reached == at {
                    break;
                }
                at = reached;
            }
            if found.is_some() {
                break;
            }
        }
        self.view.set_floor(0);
        Ok(found)
    }
}

/// Tells how much of a way was gone, each hundredth once.
fn tell(ask: &Ask, to: &Sender<Incoming>, questions: &mut Questions, told: &mut u64, way: Way, at: u64) {
    let total = way.from.abs_diff(way.to).max(1);
    let part = at.abs_diff(way.from).min(total).saturating_mul(100) / total;
    if part > *told {
        *told = part;
        let news = News { id: ask.id, file: ask.file.clone(), came: Came::Progress(part) };
        questions.gone |= !send(to, Event::Whole(news));
    }
}

fn count(record: &Record, lines: &mut usize, bytes: &mut usize) {
    *lines += record.text.len();
    *bytes += record.text.iter().map(|line| line.as_str().len()).sum::<usize>();
}

fn row(item: Item) -> Row {
    Row { place: item.at, line: item.record.line, lines: split(item.record) }
}
