//! Looking at a file of any size from any place: the records before and after it, those that a filter lets pass, the one at
//! a time, a line or a number. Reads through one buffer that is used again, from where the index says that a record begins;
//! where the index has not come to yet, a record is looked for as at the end of a file. Pure but for what it reads.

use super::index::{Grown, Index};
use super::readat::ReadAt;
use super::scan::{Next, Scanner, Span, start_of};
use super::search::{Filter, Search};
use super::spans::Spans;
use super::{Record, Zoned, zoned};
use crate::clock::{Wall, Zone};
use crate::text::SafeText;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;

/// How much is read at once, going forward.
const PIECE: usize = 256 * 1024;
/// How much is gone back at once.
const BACK: u64 = 1 << 20;
/// Where no record was found to begin in so much, the index has to come there first.
const FURTHEST: u64 = 4 << 20;

/// A record and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it begins.
    pub at: u64,
    /// Where it ends.
    pub end: u64,
    /// What is shown of it. Its line is 0 where the index has not come to yet.
    pub record: Record,
}

/// Records in the order of the file.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Those that pass.
    pub items: VecDeque<Item>,
    /// Nothing more passes in this direction up to here.
    pub reached: u64,
    /// The file has no more in this direction.
    pub done: bool,
    /// It was told to stop.
    pub stopped: bool,
}

/// Whether to go on, asked with the place that was come to.
pub type Go<'a> = &'a mut dyn FnMut(u64) -> bool;

/// One file, as far as it was when it was last looked at. Where it ends before that by now, looking is an error,
/// `UnexpectedEof`; where it cannot be told without the index where a record begins, `WouldBlock`.
pub struct View<'a, S> {
    source: &'a S,
    index: &'a Index,
    /// What is behind this is not looked at.
    size: u64,
    /// Nor what is before this, going back.
    floor: u64,
    name: &'a SafeText,
    zone: &'a Zoned,
}

/// Whether the reader of records wants another one.
type More = bool;

impl<'a, S: ReadAt> View<'a, S> {
    /// Of a file that an index is of, which may not have come to its end.
    ///
    /// # Errors
    /// What the source says.
    pub fn new(source: &'a S, index: &'a Index, name: &'a SafeText, zone: &'a Zoned) -> io::Result<Self> {
        Ok(View { source, index, size: source.size()?, floor: 0, name, zone })
    }

    /// Going back ends about here.
    pub fn set_floor(&mut self, floor: u64) {
        self.floor = floor;
    }

    /// How far it goes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Up to `most` records that begin at or after `from`.
    ///
    /// # Errors
    /// What the source says.
    pub fn forward(
        &self,
        buffer: &mut Spans,
        from: u64,
        filter: &Filter,
        most: usize,
        go: Go,
    ) -> io::Result<Stretch> {
        let mut found = Stretch { reached: from, ..Stretch::default() };
        let mut start = from;
        loop {
            // Where the index is, it says what need not be read.
            start = self.skip_forward(start, filter);
            let begin = match self.index.block_at(start) {
                Some(n) => self.index.blocks()[n].at,
                // What is at the beginning may be the end of a record.
                None if self.index.first().is_none() => 0,
                None => start,
            };
            let until = self.stretch_end(start, filter);
            let reached = self.records(buffer, begin, self.line_end(until)?, filter, go, |item| {
                if item.at >= from && item.at < until {
                    found.reached = item.end;
                    found.items.push_back(item);
                }
                found.items.len() < most
            })?;
            let Some(reached) = reached else {
                found.stopped = true;
                return Ok(found);
            };
            if found.items.len() >= most {
                return Ok(found);
            }
            found.reached = reached.min(until);
            if until >= self.size {
                found.done = true;
                return Ok(found);
            }
            start = until;
        }
    }

    /// Every record that passes, from the first to the last or until one is enough; false: it was told to stop.
    ///
    /// # Errors
    /// What the source says.
    pub fn each(
        &self,
        buffer: &mut Spans,
        filter: &Filter,
        go: Go,
        each: impl FnMut(Item) -> bool,
    ) -> io::Result<bool> {
        self.each_from(buffer, 0..self.size, filter, go, each)
    }

    /// The same of those that begin in a range, where a record begins at its beginning.
    ///
    /// # Errors
    /// What the source says.
    pub fn each_from(
        &self,
        buffer: &mut Spans,
        range: Range<u64>,
        filter: &Filter,
        go: Go,
        mut each: impl FnMut(Item) -> bool,
    ) -> io::Result<bool> {
        let end = self.line_end(range.end)?;
        let reached = self
            .records(buffer, range.start, end, filter, go, |item| !range.contains(&item.at) || each(item))?;
        Ok(reached.is_some())
    }

    /// The last records, up to `most`, that end before or at `before`, where one begins, or the file ends.
    ///
    /// # Errors
    /// What the source says.
    pub fn back(
        &self,
        buffer: &mut Spans,
        before: u64,
        filter: &Filter,
        most: usize,
        go: Go,
    ) -> io::Result<Stretch> {
        let mut found = Stretch { reached: before.min(self.size), ..Stretch::default() };
        while found.items.len() < most {
            let end = self.skip_back(found.reached, filter);
            if end <= self.index.first().unwrap_or(0).max(self.floor) {
                (found.reached, found.done) = (self.floor, true);
                break;
            }
            let begin = self.before(end)?;
            let wanted = most - found.items.len();
            let mut last = VecDeque::new();
            let reached = self.records(buffer, begin, self.line_end(end)?, filter, go, |item| {
                if item.at < end {
                    last.push_back(item);
                }
                if last.len() > wanted {
                    last.pop_front();
                }
                true
            })?;
            if reached.is_none() {
                found.stopped = true;
                break;
            }
            found.reached =
                if last.len() == wanted { last.front().map_or(begin, |item| item.at) } else { begin };
            while let Some(item) = last.pop_back() {
                found.items.push_front(item);
            }
        }
        Ok(found)
    }

    /// Where the first record begins that was written at this instant or later, by its own time; the end if there is none.
    /// Of what is written later the index has to know. Where a clock was set back within a block the first such place counts
    /// that stands at the beginning of one.
    ///
    /// # Errors
    /// What the source says.
    pub fn at_time(&self, buffer: &mut Spans, at: Wall, go: Go) -> io::Result<Option<u64>> {
        let blocks = self.index.blocks();
        let late = blocks.iter().position(|block| block.time().is_some_and(|time| time >= at));
        let before = &blocks[..late.unwrap_or(blocks.len())];
        let from = before.iter().rposition(|block| block.time().is_some()).unwrap_or(0);
        let Some(begin) = blocks.get(from).map(|block| block.at) else { return Ok(Some(self.size)) };
        let mut found = None;
        let reached = self.spans(buffer, begin, self.size, &Filter::default(), go, |spans, span| {
            let time = span.facts(spans.bytes()).stamp.resolve(self.zone.as_ref()).0;
            if time.is_some_and(|time| time >= at) {
                found = Some(spans.begin(span));
            }
            found.is_none()
        })?;
        Ok(reached.map(|_| found.unwrap_or(self.size)))
    }

    /// Where the record of this number begins, from 0; `None`: the index knows none.
    ///
    /// # Errors
    /// What the source says.
    pub fn at_record(&self, buffer: &mut Spans, number: u64) -> io::Result<Option<u64>> {
        let blocks = self.index.blocks();
        let Some(block) = blocks.partition_point(|block| block.record <= number).checked_sub(1) else {
            return Ok(None);
        };
        let (mut n, mut found) = (blocks[block].record, None);
        self.spans(buffer, blocks[block].at, self.size, &Filter::default(), &mut |_| true, |spans, span| {
            if n == number {
                found = Some(spans.begin(span));
            }
            n += 1;
            found.is_none()
        })?;
        Ok(found)
    }

    /// Where the record begins that this line is of, from 1; `None`: it is before the first, or not indexed.
    ///
    /// # Errors
    /// What the source says.
    pub fn at_line(&self, buffer: &mut Spans, line: u64) -> io::Result<Option<u64>> {
        let blocks = self.index.blocks();
        let Some(block) = blocks.partition_point(|block| block.lines < line).checked_sub(1) else {
            return Ok(None);
        };
        let mut found = None;
        self.spans(buffer, blocks[block].at, self.size, &Filter::default(), &mut |_| true, |spans, span| {
            let is_before = spans.line(span) <= line;
            if is_before {
                found = Some(spans.begin(span));
            }
            is_before
        })?;
        Ok(found)
    }

    /// The first place from here on from which the records may pass, by the levels of blocks.
    fn skip_forward(&self, from: u64, filter: &Filter) -> u64 {
        let (Some(level), Some(first)) = (filter.level, self.index.block_at(from)) else { return from };
        let blocks = self.index.blocks();
        // The last block has records behind it that are not counted yet.
        let last = blocks.len() - 1;
        match (first..last).find(|n| blocks[*n].has(level)) {
            Some(n) => from.max(blocks[n].at),
            None => from.max(blocks[last].at),
        }
    }

    /// Up to where is read at once: to the end, or to the first block of which no record can pass.
    fn stretch_end(&self, from: u64, filter: &Filter) -> u64 {
        let (Some(level), Some(first)) = (filter.level, self.index.block_at(from)) else { return self.size };
        let blocks = self.index.blocks();
        let last = blocks.len() - 1;
        (first + 1..last).find(|n| !blocks[*n].has(level)).map_or(self.size, |n| blocks[n].at)
    }

    /// The same going back.
    fn skip_back(&self, end: u64, filter: &Filter) -> u64 {
        let Some(level) = filter.level else { return end };
        let blocks = self.index.blocks();
        let mut end = end;
        while end > 0
            && let Some(n) = self.index.block_at(end - 1)
            && n + 1 < blocks.len()
            && !blocks[n].has(level)
        {
            end = blocks[n].at;
        }
        end
    }

    /// A place before another from which is read to come to the records between them.
    fn before(&self, end: u64) -> io::Result<u64> {
        let blocks = self.index.blocks();
        let floor = self.index.first().map_or(0, |_| self.index.given());
        if let Some(n) = self.index.block_at((end - 1).min(self.index.read()))
            && end <= floor.saturating_add(BACK)
        {
            let least = end.saturating_sub(BACK);
            let first = blocks[..n].partition_point(|block| block.at < least);
            return Ok(blocks[first].at);
        }
        // What the index has read and not given out is one record, and on from there nothing is known to begin.
        if end <= self.index.read() {
            return Ok(floor);
        }
        let mut reach = BACK;
        loop {
            let base = end.saturating_sub(reach).max(floor);
            let wanted = usize::try_from(end - base).unwrap_or(0);
            let bytes = self.source.part(base, wanted)?;
            if bytes.len() < wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // At the floor a record begins.
            if base == floor {
                return Ok(base);
            }
            let start = record_at(&bytes, bytes.len() / 2);
            if start > 0 {
                return Ok(base + start as u64);
            }
            if reach >= FURTHEST {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            reach *= 4;
        }
    }

    /// The end of the line that a place is in: what a record is that ends within a line is told by all of that.
    fn line_end(&self, at: u64) -> io::Result<u64> {
        if at == 0 || at >= self.size || self.source.part(at - 1, 1)? == b"\n" {
            return Ok(at);
        }
        let rest = self.source.part(at, PIECE)?;
        Ok(at + memchr::memchr(b'\n', &rest).map_or(rest.len(), |end| end + 1) as u64)
    }

    /// The records that pass and begin in a range, until one is enough. How far it came; `None`: it was told to stop.
    fn records(
        &self,
        buffer: &mut Spans,
        from: u64,
        to: u64,
        filter: &Filter,
        go: Go,
        mut each: impl FnMut(Item) -> More,
    ) -> io::Result<Option<u64>> {
        self.spans(buffer, from, to, filter, go, |spans, span| {
            let (missing, lost) = spans.missing(span);
            if !filter.passes(span, spans.bytes(), lost) {
                return true;
            }
            let line = spans.line(span);
            let range = spans.begin(span)..spans.offset(span.at.end);
            let record = Record::of(span, spans.bytes(), missing, self.name, line, self.zone);
            each(Item { at: range.start, end: range.end, record })
        })
    }

    /// The same with records as they were found, of those that may pass.
    fn spans(
        &self,
        spans: &mut Spans,
        from: u64,
        to: u64,
        filter: &Filter,
        go: Go,
        mut each: impl FnMut(&mut Spans, &Span) -> More,
    ) -> io::Result<Option<u64>> {
        let Range { start, end } = from..to.min(self.size);
        let known = self.index.block_at(start).map(|n| self.index.blocks()[n]).filter(|b| b.at == start);
        let lines = known.map(|block| block.lines).or((start == 0).then_some(0));
        let at_start = start <= self.index.first().unwrap_or(0);
        spans.restart(start, at_start, lines, filter.watch());
        let (hint, mut read) = (filter.hint(), start);
        loop {
            let piece = usize::try_from(end.saturating_sub(read)).unwrap_or(PIECE).min(PIECE);
            let n = spans.fill(piece, |into| self.source.read_at(read, into))?;
            read += n as u64;
            if n == 0 {
                // Then it is shorter than it was: nothing can be said of all of it.
                if read < end {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                spans.no_more();
            }
            loop {
                let span = match hint {
                    Some(hint) => spans.next_of(|bytes| hint.first(bytes)),
                    None => spans.next(false),
                };
                let Some(span) = span else { break };
                if !each(spans, &span) {
                    return Ok(Some(spans.given()));
                }
            }
            if n == 0 {
                return Ok(Some(end));
            }
            if !go(read) {
                return Ok(None);
            }
        }
    }
}

/// How many records a log has, by an index of it. For benchmarks.
///
/// # Errors
/// What the system says.
pub fn indexed(log: &File) -> io::Result<u64> {
    let mut index = Index::new(zoned(Zone::utc()));
    while index.grow(log, u64::MAX)? == Grown::More {}
    Ok(index.totals().records)
}

/// The place of the last record in which a pattern is found, by going back from the end without an index. For benchmarks.
///
/// # Errors
/// What the system says.
pub fn last_with(log: &File, pattern: &str) -> io::Result<Option<u64>> {
    let zone = zoned(Zone::utc());
    let (index, name) = (Index::new(zone.clone()), SafeText::EMPTY);
    let view = View::new(log, &index, &name, &zone)?;
    let filter = Filter { text: Search::new(pattern).ok(), ..Filter::default() };
    let found = view.back(&mut Spans::new(None, true), view.size(), &filter, 1, &mut |_| true)?;
    Ok(found.items.front().map(|item| item.at))
}

/// Where the record begins that holds a place of some bytes; 0: it is not told from them.
fn record_at(bytes: &[u8], place: usize) -> usize {
    let (mut scanner, mut at) = (Scanner { at_start: false }, start_of(bytes, 0, place));
    // What is there may be the end of one that began before; from its end on all are whole.
    while let Next::Span(span) = scanner.next(bytes, at, true) {
        if span.at.end > place {
            return span.at.start;
        }
        at = span.at.end;
    }
    at
}
