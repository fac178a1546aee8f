//! One file after the other, or several in one order by time, each in its own: a record of each is held, whatever their
//! sizes.

use super::packed::Source;
use crate::clock::Wall;
use crate::log::merge::Places;
use crate::log::scan::Span;
use crate::log::search::Filter;
use crate::log::spans::Spans;
use crate::log::{Record, Zoned};
use crate::text::SafeText;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

/// How much is held of all files together.
const HELD: usize = 4 << 20;

/// What is wanted of each file.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Which records.
    pub filter: &'a Filter,
    /// How many beside each of them.
    pub before: usize,
    /// The same.
    pub after: usize,
    /// For their times.
    pub zone: &'a Zoned,
    /// Their lines are numbered.
    pub lines: bool,
    /// They are printed as they stand.
    pub raw: bool,
}

/// A record that is to be printed.
pub struct Found {
    /// What it says.
    pub record: Record,
    /// Its lines as they stand in the file, if that is wanted.
    pub raw: Vec<SafeText>,
    /// It passes the filter; if not, it stands beside one that does.
    pub passes: bool,
    /// Others stand between it and the one before.
    pub gap: bool,
}

/// One file that is gone through.
pub struct Reading<'a> {
    source: Source,
    spans: Spans,
    name: SafeText,
    wanted: Wanted<'a>,
    last: Option<Wall>,
    /// So many more after the one that was found.
    after: usize,
    /// The last ones that did not pass, and those of them that are still in the buffer.
    before: VecDeque<Found>,
    kept: VecDeque<(Span, u64, Option<Wall>)>,
    ready: VecDeque<Found>,
    gap: bool,
    more: bool,
}

impl<'a> Reading<'a> {
    /// Nothing of it read yet; one of so many.
    pub fn new((source, within): (Source, bool), name: SafeText, wanted: Wanted<'a>, of: usize) -> Self {
        let spans = Spans::new(wanted.filter.watch(), wanted.lines).in_pieces_of(HELD / of.max(1));
        let spans = if within { spans.at_a_record() } else { spans };
        Reading {
            source,
            spans,
            name,
            wanted,
            last: None,
            after: 0,
            before: VecDeque::new(),
            kept: VecDeque::new(),
            ready: VecDeque::new(),
            gap: false,
            more: true,
        }
    }

    /// The next span that may pass, reading on as needed.
    fn span(&mut self, skipping: bool) -> io::Result<Option<Span>> {
        let hint = self.wanted.filter.hint().filter(|_| skipping);
        loop {
            let span = match hint {
                Some(hint) => self.spans.next_of(|bytes| hint.first(bytes)),
                None => self.spans.next(false),
            };
            if span.is_some() || !self.more {
                return Ok(span);
            }
            self.keep();
            self.more = self.spans.read(&mut self.source)?;
        }
    }

    /// How its records name it.
    pub fn name(&self) -> &SafeText {
        &self.name
    }

    /// How many records pass.
    pub fn count(&mut self) -> io::Result<u64> {
        let filter = self.wanted.filter;
        let mut count = 0;
        while let Some(span) = self.span(!filter.is_of_time())? {
            count += u64::from(self.passes(&span));
        }
        Ok(count)
    }

    fn passes(&mut self, span: &Span) -> bool {
        let filter = self.wanted.filter;
        let lost = self.spans.missing(span).1;
        if filter.is_of_time() {
            let time = span.facts(self.spans.bytes()).stamp.resolve(self.wanted.zone.as_ref()).0;
            self.last = time.or(self.last);
            if !filter.is_at(self.last) {
                return false;
            }
        }
        filter.passes(span, self.spans.bytes(), lost)
    }

    /// The next record to be printed. `alone`: its place among those of other files does not matter.
    pub fn next(&mut self, alone: bool) -> io::Result<Option<Found>> {
        let Wanted { filter, before, after, .. } = self.wanted;
        // What is skipped has neither a place nor a time.
        let skipping = alone && before == 0 && after == 0 && !filter.is_of_time();
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            let Some(span) = self.span(skipping)? else { return Ok(None) };
            let passes = self.passes(&span);
            if !alone && !filter.is_of_time() {
                let time = span.facts(self.spans.bytes()).stamp.resolve(self.wanted.zone.as_ref()).0;
                self.last = time.or(self.last);
            }
            if passes {
                self.keep();
                let held = std::mem::take(&mut self.before);
                self.ready.extend(held);
                self.after = after;
            } else if self.after > 0 {
                self.after -= 1;
            } else {
                if before > 0 {
                    let line = self.spans.line(&span);
                    self.kept.push_back((span, line, self.last));
                    if self.kept.len() + self.before.len() > before {
                        self.gap = true;
                        if self.before.pop_front().is_none() {
                            self.kept.pop_front();
                        }
                    }
                } else {
                    self.gap = true;
                }
                continue;
            }
            let line = self.spans.line(&span);
            let found = self.found(&span, line, self.last, passes);
            self.ready.push_back(found);
            if let Some(first) = self.ready.front_mut() {
                first.gap |= std::mem::take(&mut self.gap);
            }
        }
    }

    /// Makes records of those that stand before one that may still be found: what they are ranges of goes away.
    fn keep(&mut self) {
        while let Some((span, line, last)) = self.kept.pop_front() {
            let found = self.found(&span, line, last, false);
            self.before.push_back(found);
        }
    }

    fn found(&self, span: &Span, line: u64, last: Option<Wall>, passes: bool) -> Found {
        let (missing, _) = self.spans.missing(span);
        let bytes = self.spans.bytes();
        let mut record = Record::of(span, bytes, missing, &self.name, line, self.wanted.zone);
        record.near = record.time.or(last);
        let raw = if self.wanted.raw { span.raw(bytes, missing) } else { Vec::new() };
        Found { record, raw, passes, gap: false }
    }
}

/// All of them in one order.
pub struct Merged<'a> {
    readings: Vec<Reading<'a>>,
    /// What stands next in each.
    heads: Vec<Option<Found>>,
    order: BinaryHeap<Reverse<(Wall, usize)>>,
    places: Places,
    /// Why one of them cannot be read on.
    pub problems: Vec<(SafeText, io::Error)>,
}

impl<'a> Merged<'a> {
    /// Of files in the order in which equal times stand.
    pub fn new(readings: Vec<Reading<'a>>) -> Self {
        let mut this = Merged {
            heads: Vec::new(),
            order: BinaryHeap::new(),
            places: Places::default(),
            problems: Vec::new(),
            readings,
        };
        for index in 0..this.readings.len() {
            this.heads.push(None);
            this.advance(index);
        }
        this
    }

    fn advance(&mut self, index: usize) {
        let alone = self.readings.len() == 1;
        match self.readings[index].next(alone) {
            Ok(Some(found)) => {
                let at = if alone {
                    Wall::MIN_UTC
                } else {
                    self.places.place(&self.readings[index].name, found.record.near)
                };
                self.order.push(Reverse((at, index)));
                self.heads[index] = Some(found);
            }
            Ok(None) => {}
            Err(e) => self.problems.push((self.readings[index].name.clone(), e)),
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let Reverse((_, index)) = self.order.pop()?;
        let found = self.heads[index].take();
        self.advance(index);
        found
    }
}
