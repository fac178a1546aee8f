//! Records of one file that came at once, as they were read: of a log that rushes by nobody sees more than the newest, so they
//! are made into what is shown only where somebody looks. Made by `log::parse`, handed out by `log::follow`.

use super::encoding::readable;
use super::scan::{Facts, Span};
use super::{Level, Record, Zoned};
use crate::clock::Wall;
use crate::text::{MAX_BYTES, SafeText};
use std::fmt;
use std::ops::Range;

/// One of them.
struct Place {
    span: Span,
    line: u64,
    at: Option<u64>,
    missing: u64,
}

/// Records of one file in its order.
pub struct Batch {
    file: SafeText,
    zone: Zoned,
    /// What the places are places in.
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// The time of the records above them.
    before: Option<Wall>,
    errors: usize,
    warnings: usize,
}

/// One of them as its bytes stand.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    batch: &'a Batch,
    place: &'a Place,
}

impl Batch {
    /// Of this file, and nothing yet. `before`: the time of the records above.
    pub(super) fn new(file: SafeText, zone: Zoned, before: Option<Wall>) -> Batch {
        Batch { file, zone, bytes: Vec::new(), places: Vec::new(), before, errors: 0, warnings: 0 }
    }

    /// One more: on which line it begins, at which byte of the file, and how much of it is not among the bytes.
    pub(super) fn add(&mut self, span: Span, line: u64, at: Option<u64>, missing: u64) {
        match span.level {
            Level::Error => self.errors += 1,
            Level::Warning => self.warnings += 1,
            Level::Info | Level::Verbose => {}
        }
        self.places.push(Place { span, line, at, missing });
    }

    /// The records since the `from`th are places in these bytes, which are not kept by anybody else.
    pub(super) fn keep(&mut self, from: usize, bytes: &[u8]) {
        let new = &mut self.places[from..];
        let (Some(first), Some(last)) = (new.first(), new.last()) else { return };
        let kept = first.span.at.start..last.span.reach();
        let to = self.bytes.len();
        self.bytes.extend_from_slice(&bytes[kept.clone()]);
        new.iter_mut().for_each(|place| place.span.move_to(kept.start, to));
    }

    /// The file that they are of.
    pub fn file(&self) -> &SafeText {
        &self.file
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes they have.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many are errors, and warnings.
    pub fn faults(&self) -> (usize, usize) {
        (self.errors, self.warnings)
    }

    /// All of them, as their bytes stand.
    pub fn raw(&self) -> impl DoubleEndedIterator<Item = Raw<'_>> {
        self.places.iter().map(|place| Raw { batch: self, place })
    }

    /// The time of each, or that of the one above it.
    pub fn times(&self) -> impl Iterator<Item = (Option<Wall>, Level)> {
        let mut near = self.before;
        self.places.iter().map(move |place| {
            near = self.time(place).or(near);
            (near, place.span.level)
        })
    }

    /// The time of the last that has one, or of those above them.
    pub fn ends(&self) -> Option<Wall> {
        self.near(self.places.len())
    }

    /// All of them, as they are shown.
    pub fn records(&self) -> Vec<Record> {
        self.part(0..self.places.len())
    }

    /// So many of the newest, as they are shown; `after` so many that are newer still.
    pub fn newest(&self, most: usize, after: usize) -> Vec<Record> {
        let end = self.places.len().saturating_sub(after);
        self.part(end.saturating_sub(most)..end)
    }

    fn part(&self, of: Range<usize>) -> Vec<Record> {
        let mut near = self.near(of.start);
        let made = self.places[of].iter().map(|place| {
            let Place { span, line, at, missing } = place;
            let mut record = Record::of(span, &self.bytes, *missing, &self.file, *line, &self.zone);
            near = record.time.or(near);
            (record.near, record.at) = (near, *at);
            record
        });
        made.collect()
    }

    fn time(&self, place: &Place) -> Option<Wall> {
        place.span.facts(&self.bytes).stamp.resolve(self.zone.as_ref()).0
    }

    /// The time above the `at`th.
    fn near(&self, at: usize) -> Option<Wall> {
        self.places[..at].iter().rev().find_map(|place| self.time(place)).or(self.before)
    }
}

impl<'a> Raw<'a> {
    /// The file that it is of.
    pub fn file(&self) -> &'a SafeText {
        &self.batch.file
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        self.place.span.level
    }

    /// What stands in it beside its text, and when it was written.
    pub fn facts(&self) -> (Facts<'a>, Option<Wall>) {
        let facts = self.place.span.facts(&self.batch.bytes);
        let (time, _) = facts.stamp.resolve(self.batch.zone.as_ref());
        (facts, time)
    }

    /// Goes through the lines of its text until one is enough; whether one was.
    pub fn any_line(&self, enough: impl FnMut(&'a [u8]) -> bool) -> bool {
        self.place.span.any_line(&self.batch.bytes, enough)
    }

    /// Appends the safe form of one of these lines to a text.
    pub fn append(&self, line: &[u8], to: &mut String) {
        SafeText::append_part(
            &readable(line),
            if line.len() > MAX_BYTES { self.place.missing } else { 0 },
            to,
        );
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("file", &self.file).field("records", &self.places.len()).finish()
    }
}

impl PartialEq for Batch {
    fn eq(&self, other: &Batch) -> bool {
        self.records() == other.records()
    }
}

impl Eq for Batch {}
