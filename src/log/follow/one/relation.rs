//! Whether another file is a copy of a followed one, or goes on where it was read to.

use super::Followed;
use crate::log::follow::cursor::{len_of, read_at};
use crate::log::follow::print::{PRINT, Print};
use std::fs::File;

/// What one file has to do with another that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Nothing.
    None,
    /// It is a copy, or the beginning of one.
    Copy,
    /// It holds all that was read of the other, and then something else.
    Continues,
}

impl Followed {
    /// What another file of `len` bytes has to do with this one.
    pub fn relation_to(&mut self, other: &mut File, len: u64) -> Relation {
        if !self.print.tells() {
            return Relation::None;
        }
        let holds_all = len >= self.print.offset && self.print.is_in(other);
        let begins = self.begins_with(other, len);
        // Last: what is cut while it is compared is no longer equal to its own copy.
        if !self.print.is_in(&mut self.file) {
            // Truncated since the last look: all that is known is what was read.
            return if holds_all || self.print.covers(other, len) { Relation::Copy } else { Relation::None };
        }
        if begins {
            Relation::Copy
        } else if holds_all {
            Relation::Continues
        } else {
            Relation::None
        }
    }

    /// Whether another file of `len` bytes is a copy of what stood in this one before it was written over, and was read: it
    /// was copied, somebody wrote on, and all that was told before it was cut.
    pub fn was(&self, other: &mut File, len: u64) -> bool {
        self.before.covers(other, len)
    }

    /// Whether this was told of it, now or before it was written over.
    pub fn has_told(&self, print: &Print) -> bool {
        self.print.includes(print) || self.before.includes(print)
    }

    /// Whether another file of `len` bytes stands at the beginning of this one, read or not.
    pub fn begins_with(&mut self, other: &mut File, len: u64) -> bool {
        let end = len.min(PRINT as u64);
        let mut same = |at: u64| {
            let (Ok(here), Ok(there)) =
                (read_at(&mut self.file, at, len_of(end)), read_at(other, at, len_of(end)))
            else {
                return false;
            };
            here == there && here.len() == len_of(end)
        };
        // A file longer than this one is not equal to it at its own end.
        same(0) && same(len - end)
    }
}
