//! For whoever shows a log while it is written: records as they stand among the bytes that were read, and those that wait for
//! further lines.

use super::{Follower, one::Followed};
use crate::log::Record;

impl Follower {
    /// The same, which tells what it reads as [`super::Event::Batch`]: of many records at once few are looked at.
    pub fn raw(self) -> Follower {
        Follower { raw: true, ..self }
    }

    /// Records that are told soon, as they stand now: further lines may become part of them.
    pub fn standing(&self) -> Vec<Record> {
        self.files.iter().flat_map(Followed::standing).collect()
    }
}
