//! The new lines of the demo's log, for `--headless`.

use crate::clock::Zone;
use crate::log::follow::{Event, Follower};
use crate::log::zoned;
use std::path::PathBuf;
use std::time::Instant;

/// A log that is followed.
pub struct Tail(Follower, Instant);

impl Tail {
    /// From its first line on.
    pub fn new(file: PathBuf, zone: Zone) -> Self {
        Self(Follower::open(&[file], zoned(zone), usize::MAX), Instant::now())
    }

    /// What was written since the last call.
    pub fn lines(&mut self) -> Vec<String> {
        let records = self.0.poll(self.1.elapsed()).into_iter().filter_map(|event| match event {
            Event::Record(record) => Some(record),
            _ => None,
        });
        records.map(|r| r.first_line().to_string()).collect()
    }
}
