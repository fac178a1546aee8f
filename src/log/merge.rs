//! Several files in one order: by time, and within one file always in the order of the file. Pure; bounded.

use super::Record;
use crate::clock::Wall;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::{HashMap, VecDeque};

/// A clock that is set back by no more than this (the end of summer time, a correction) keeps the order of the file; by
/// more than this it was wrong before.
const SET_BACK: TimeDelta = TimeDelta::hours(3);

/// Where the lines of several files stand among each other.
#[derive(Debug, Clone, Default)]
pub struct Places {
    last: HashMap<SafeText, Wall>,
}

impl Places {
    /// The instant at which a record of this file stands: its own, or that of the one above it where it has none or its
    /// clock was set back a little.
    pub fn place(&mut self, file: &SafeText, near: Option<Wall>) -> Wall {
        let last = self.last.get(file).copied();
        let at = match (near, last) {
            (Some(at), Some(last)) if at < last && last.signed_duration_since(at) <= SET_BACK => last,
            (Some(at), _) => at,
            // A record of which nothing is known stands after the one above it, or before everything.
            (None, last) => last.unwrap_or(Wall::MIN_UTC),
        };
        if last != Some(at) {
            self.last.insert(file.clone(), at);
        }
        at
    }
}

/// Records of several files, merged as they come in. Keeps the newest `capacity`.
pub struct Merged {
    records: VecDeque<(Wall, Record)>,
    places: Places,
    capacity: usize,
    dropped: u64,
}

impl Merged {
    /// Nothing yet. `capacity` is at least one.
    pub fn new(capacity: usize) -> Self {
        Self { records: VecDeque::new(), places: Places::default(), capacity: capacity.max(1), dropped: 0 }
    }

    /// Puts a record where it belongs: after all that are as old or older. Returns its index, or `None` if it is older
    /// than everything and there is no room left.
    pub fn push(&mut self, record: Record) -> Option<usize> {
        let at = self.places.place(&record.file, record.near);
        let index = self.records.partition_point(|(other, _)| *other <= at);
        if self.records.len() >= self.capacity {
            self.dropped += 1;
            if index == 0 {
                return None;
            }
            self.records.pop_front();
            self.records.insert(index - 1, (at, record));
            return Some(index - 1);
        }
        self.records.insert(index, (at, record));
        Some(index)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many did not fit and are gone.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The record at an index, the oldest being 0.
    pub fn get(&self, index: usize) -> Option<&Record> {
        self.records.get(index).map(|(_, record)| record)
    }

    /// All, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> + ExactSizeIterator {
        self.records.iter().map(|(_, record)| record)
    }

    /// The first record at or after an instant: from a run to the log at the moment it started.
    pub fn index_at(&self, at: Wall) -> usize {
        self.records.partition_point(|(other, _)| *other < at)
    }
}

/// All records of several files in one order.
pub fn merge(files: impl IntoIterator<Item = Vec<Record>>) -> Vec<Record> {
    let mut merged = Merged::new(usize::MAX);
    for record in files.into_iter().flatten() {
        merged.push(record);
    }
    merged.records.into_iter().map(|(_, record)| record).collect()
}
