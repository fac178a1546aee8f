//! Where the records of one file are: place, line, time and levels of every 256th or so, found by reading the file once and
//! then only what has come to it. Bounded whatever the size of the file: of more records than there is room for, every 512th
//! is kept, and so on. Holds for the content that it was made of: a file that was cut or written anew is told from one that
//! grew by both ends of what was read. Pure but for what it reads; `log::view` looks for records with it.

use super::encoding::{Decoding, TELLING};
use super::histogram::Bucket;
use super::readat::ReadAt;
use super::scan::Span;
use super::spans::Spans;
use super::{Level, Zoned};
use crate::clock::Wall;
use chrono::{DateTime, TimeDelta};
use std::io;

/// So many records are one block at first.
pub const STRIDE: u64 = 256;
/// A block of fewer has at least so many bytes, so that what is read to come to a record is bounded.
const BLOCK_BYTES: u64 = 1 << 20;
/// So many blocks at most: 7.5 MB of them.
const MOST_BLOCKS: usize = 160_000;
/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// So much of both ends of what was read tells whether it is still there.
const PRINT: usize = 1024;

/// Some records that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where the first of them begins.
    pub at: u64,
    /// Its number, from 0.
    pub record: u64,
    /// Ends of lines before it.
    pub lines: u64,
    /// The time of the first that has one, in milliseconds.
    time: i64,
    errors: u32,
    warnings: u32,
    /// A bit for each level that occurs.
    levels: u8,
}

const NO_TIME: i64 = i64::MIN;

impl Block {
    /// The time of the first of its records that has one.
    pub fn time(&self) -> Option<Wall> {
        if self.time == NO_TIME { None } else { DateTime::from_timestamp_millis(self.time) }
    }

    /// Whether a record of this level or above is among them.
    pub fn has(&self, least: Level) -> bool {
        self.levels >> least as u8 != 0
    }
}

/// How many records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// All.
    pub records: u64,
    /// Of level error.
    pub errors: u64,
    /// Of level warning.
    pub warnings: u64,
}

impl Totals {
    fn add(&mut self, level: Level) {
        self.records += 1;
        match level {
            Level::Error => self.errors += 1,
            Level::Warning => self.warnings += 1,
            Level::Verbose | Level::Info => {}
        }
    }
}

/// How far [`Index::grow`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    /// To the end of the file.
    Current,
    /// As far as it was allowed to.
    More,
    /// What was read is not in the file any more: the index is of no use.
    Changed,
    /// The file is UTF-16, whose records have no places here: it is read through `log::wide`.
    Wide,
}

/// The index of one file.
pub struct Index {
    zone: Zoned,
    spans: Spans,
    /// So many bytes were read.
    read: u64,
    blocks: Vec<Block>,
    /// So many blocks at most.
    most: usize,
    stride: u64,
    block_bytes: u64,
    totals: Totals,
    in_records: u64,
    blank: u64,
    /// Where the newest record ends.
    end: u64,
    last_time: Option<Wall>,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Index {
    /// Of nothing yet.
    pub fn new(zone: Zoned) -> Index {
        Index::sized(zone, STRIDE, BLOCK_BYTES, MOST_BLOCKS)
    }

    /// The same with other sizes of blocks, and another number of them.
    pub fn sized(zone: Zoned, stride: u64, block_bytes: u64, most: usize) -> Index {
        let mut spans = Spans::new(None, true);
        spans.restart(0, true, Some(0), None);
        Index {
            zone,
            spans,
            read: 0,
            blocks: Vec::new(),
            most,
            stride,
            block_bytes,
            totals: Totals::default(),
            in_records: 0,
            blank: 0,
            end: 0,
            last_time: None,
            head: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Reads on by about so many bytes.
    ///
    /// # Errors
    /// What the source says.
    pub fn grow(&mut self, source: &impl ReadAt, most: u64) -> io::Result<Grown> {
        let size = source.size()?;
        if !self.is_of(source, size)? {
            return Ok(Grown::Changed);
        }
        // How a file is written is told by more than a few bytes.
        if self.read < TELLING as u64 && size > self.read {
            *self = Index::sized(self.zone.clone(), self.stride, self.block_bytes, self.most);
            self.head = source.part(0, PRINT)?;
            if !Decoding::of(&self.head[..self.head.len().min(TELLING)]).is_plain() {
                return Ok(Grown::Wide);
            }
        }
        let until = size.min(self.read.saturating_add(most).max(TELLING as u64));
        while self.read < until {
            let piece = usize::try_from(until - self.read).unwrap_or(PIECE).min(PIECE);
            let at = self.read;
            let n = self.spans.fill(piece, |into| source.read_at(at, into))?;
            if n == 0 {
                // It became shorter since; or it never was as long, and whoever began anew would do so for ever.
                return match at {
                    0 => Err(io::Error::other("it holds nothing, though it has a size")),
                    _ => Ok(Grown::Changed),
                };
            }
            self.read += n as u64;
            self.remember(n);
            self.take();
        }
        Ok(if self.read < size { Grown::More } else { Grown::Current })
    }

    /// Whether a file still holds what was read, where it was read.
    fn is_of(&self, source: &impl ReadAt, size: u64) -> io::Result<bool> {
        let head = self.head.len().min(usize::try_from(self.read).unwrap_or(usize::MAX));
        Ok(size >= self.read
            && source.part(0, head)? == self.head[..head]
            && source.part(self.read - self.tail.len() as u64, self.tail.len())? == self.tail)
    }

    /// The newest `n` bytes were read.
    fn remember(&mut self, n: usize) {
        let bytes = self.spans.bytes();
        let new = &bytes[bytes.len() - n..];
        let before = self.read - n as u64;
        if before < PRINT as u64 {
            // As they were read, which may not be as they were when this began.
            self.head.truncate(usize::try_from(before).unwrap_or(PRINT));
            let room = PRINT - self.head.len();
            self.head.extend_from_slice(&new[..room.min(n)]);
        }
        self.tail.extend_from_slice(&new[n.saturating_sub(PRINT)..]);
        let surplus = self.tail.len().saturating_sub(PRINT);
        self.tail.drain(..surplus);
    }

    /// Counts the records that are whole.
    fn take(&mut self) {
        let mut last = None;
        while let Some(span) = self.spans.next(false) {
            self.add(&span);
            last = Some(span);
        }
        if let Some(span) = last {
            self.last_time = self.time_of(&span).or(self.last_time);
        }
    }

    fn time_of(&self, span: &Span) -> Option<Wall> {
        span.facts(self.spans.bytes()).stamp.resolve(self.zone.as_ref()).0
    }

    fn add(&mut self, span: &Span) {
        let (at, end) = (self.spans.begin(span), self.spans.offset(span.at.end));
        self.blank += at - self.end;
        self.in_records += end - at;
        self.end = end;
        let full = self.blocks.last().is_none_or(|block| {
            self.totals.records - block.record >= self.stride || at - block.at >= self.block_bytes
        });
        if full {
            if self.blocks.len() >= self.most {
                self.coarsen();
            }
            let lines = self.spans.line(span) - 1;
            let record = self.totals.records;
            self.blocks.push(Block { at, record, lines, time: NO_TIME, errors: 0, warnings: 0, levels: 0 });
        }
        let untimed = self.blocks.last().is_some_and(|block| block.time == NO_TIME);
        let time = if untimed { self.time_of(span) } else { None };
        self.totals.add(span.level);
        if let Some(block) = self.blocks.last_mut() {
            if let Some(time) = time {
                block.time = time.timestamp_millis();
            }
            block.levels |= 1 << span.level as u8;
            match span.level {
                Level::Error => block.errors = block.errors.saturating_add(1),
                Level::Warning => block.warnings = block.warnings.saturating_add(1),
                Level::Verbose | Level::Info => {}
            }
        }
    }

    /// Makes one block of two.
    fn coarsen(&mut self) {
        let pairs = self.blocks.chunks(2).map(|pair| {
            let more = pair.get(1);
            let first = pair[0];
            let sum = |of: fn(&Block) -> u32| of(&first).saturating_add(more.map_or(0, of));
            Block {
                time: if first.time == NO_TIME { more.map_or(NO_TIME, |b| b.time) } else { first.time },
                errors: sum(|b| b.errors),
                warnings: sum(|b| b.warnings),
                levels: first.levels | more.map_or(0, |b| b.levels),
                ..first
            }
        });
        self.blocks = pairs.collect();
        self.stride *= 2;
        self.block_bytes *= 2;
    }

    /// How many records there are, with those at the end that may still get further lines.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals;
        self.spans.standing(|span| totals.add(span.level));
        totals
    }

    /// How many lines there are, one at the end without an end among them.
    pub fn lines(&self) -> u64 {
        let open = self.tail.last().is_some_and(|last| *last != b'\n');
        self.spans.ends_of_lines() + u64::from(open)
    }

    /// So many bytes are known of.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// What follows from here on is still open, as far as it was read.
    pub fn given(&self) -> u64 {
        self.spans.given()
    }

    /// Where the first record begins, if one was found.
    pub fn first(&self) -> Option<u64> {
        self.blocks.first().map(|block| block.at)
    }

    /// The blocks, in the order of the file.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The number of the block that holds this byte, or stands last before it. `None`: before the first, or not read yet.
    pub fn block_at(&self, at: u64) -> Option<usize> {
        if at > self.read {
            return None;
        }
        self.blocks.partition_point(|block| block.at <= at).checked_sub(1)
    }

    /// Errors and warnings by time in so many columns, each block's where its first record stands. Empty where there is no
    /// stretch of time to divide.
    pub fn histogram(&self, columns: usize) -> Vec<Bucket> {
        let mut timed = self.blocks.iter().filter_map(|block| Some((block.time()?, block)));
        let (Some((from, _)), Some(last)) = (timed.next(), self.last_time) else { return Vec::new() };
        let mut all = super::histogram::count([], from, last + TimeDelta::seconds(1), columns);
        let mut place = 0;
        for (n, block) in self.blocks.iter().enumerate() {
            if let Some(time) = block.time() {
                place = all.partition_point(|bucket| bucket.from <= time).saturating_sub(1);
            }
            let next = self.blocks.get(n + 1).map_or(self.totals.records, |next| next.record);
            if let Some(bucket) = all.get_mut(place) {
                let records = u32::try_from(next - block.record).unwrap_or(u32::MAX);
                bucket.total = bucket.total.saturating_add(records);
                bucket.errors = bucket.errors.saturating_add(block.errors);
                bucket.warnings = bucket.warnings.saturating_add(block.warnings);
            }
        }
        all
    }

    /// Bytes in records, bytes between them, and bytes that are still open: together all that was read.
    #[cfg(test)]
    pub fn explained(&self) -> (u64, u64, u64) {
        (self.in_records, self.blank + (self.given() - self.end), self.read - self.given())
    }
}
