//! Several files in one order: by time, and within one file always in the order of the file. Pure.

use super::Record;
use crate::clock::Wall;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::HashMap;

/// A clock that is set back by no more than this (the end of summer time, a correction) keeps the order of the file; by
/// more than this it was wrong before.
const SET_BACK: TimeDelta = TimeDelta::hours(3);

/// Whether a time that comes after that of `newest` says that the clock was wrong before: then it is put before that.
pub fn is_wrong(newest: Option<Wall>, at: Wall) -> bool {
    newest.is_some_and(|newest| newest.signed_duration_since(at) > SET_BACK)
}

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
            (Some(at), Some(last)) if at < last && !is_wrong(Some(last), at) => last,
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

/// All records of several files in one order: each after all that are as old or older.
pub fn merge(files: impl IntoIterator<Item = Vec<Record>>) -> Vec<Record> {
    let mut places = Places::default();
    let mut merged: Vec<(Wall, Record)> = Vec::new();
    for record in files.into_iter().flatten() {
        merged.push((places.place(&record.file, record.near), record));
    }
    // What is equal keeps its order.
    merged.sort_by_key(|(at, _)| *at);
    merged.into_iter().map(|(_, record)| record).collect()
}
