//! Records of a followed file that are older than those that were told: where they are, and reading them on demand.

use super::super::cursor::{len_of, read_at};
use super::{CHUNK, Followed, LAST_WINDOW};
use crate::log::encoding::{Decoding, TELLING};
use crate::log::scan::start_of;
use crate::log::spans::Spans;
use crate::log::{Record, Zoned};
use std::collections::VecDeque;
use std::io;

/// How far back older records are looked for at once; what stands in the nearer half is told.
const OLDER: u64 = 1 << 20;

/// Older records of a file that were not told: where they are, and those that were read already.
pub struct Unread {
    older: Older,
    held: VecDeque<Record>,
}

/// What of a file was not told because it is older than what was asked for.
pub(super) enum Older {
    /// Nothing.
    None,
    /// What is before this byte, where a record begins.
    Before(u64),
    /// Something that is not read on from here.
    Untold,
}

impl Followed {
    /// What is older than the record after `surplus` others that are read from `start` on.
    pub(super) fn before(&mut self, start: u64, surplus: usize, last: usize) -> io::Result<Older> {
        let head = read_at(&mut self.file, 0, TELLING)?;
        if start == 0 && surplus == 0 {
            return Ok(Older::None);
        }
        if last == 0 || !Decoding::of(&head).is_plain() {
            return Ok(Older::Untold);
        }
        let first = self.pass(&head, start, u64::MAX, surplus)?.1;
        Ok(Older::Before(first))
    }

    /// Whether records older than those that were told are in the file: `None` if not, else whether [`Followed::older`]
    /// reads them.
    pub fn has_older(&self) -> Option<bool> {
        match self.older {
            Older::None => None,
            Older::Before(_) => Some(true),
            Older::Untold => Some(false),
        }
    }

    /// What was not told of it, if there is any. It is not read from here any more.
    pub fn take_unread(&mut self) -> Option<Unread> {
        let older = std::mem::replace(&mut self.older, Older::None);
        let held = std::mem::take(&mut self.held);
        (!matches!(older, Older::None) || !held.is_empty()).then_some(Unread { older, held })
    }

    /// What was not told of another file is told of this one, which holds the same.
    pub fn set_unread(&mut self, unread: Option<Unread>) {
        if let Some(Unread { older, held }) = unread {
            (self.older, self.held) = (older, held);
        }
    }

    /// What is older cannot be read.
    pub fn give_up_older(&mut self) {
        self.older = Older::Untold;
    }

    /// The records before the oldest that were told, a few hundred kilobytes of them.
    pub fn older(&mut self, zone: &Zoned) -> io::Result<Vec<Record>> {
        let Older::Before(end) = self.older else { return Ok(Vec::new()) };
        let mut reach = OLDER;
        loop {
            let base = end.saturating_sub(reach);
            let bytes = read_at(&mut self.file, base, len_of(end - base))?;
            // What is read has to begin with a record, which may be above the half that is wanted.
            let start = if base == 0 { 0 } else { start_of(&bytes, 0, bytes.len() / 2) };
            if base > 0 && start == 0 && reach < LAST_WINDOW {
                reach *= 4;
                continue;
            }
            let head = read_at(&mut self.file, 0, TELLING)?;
            let spans = Spans::within(&head, 0);
            let mut spans = if base == 0 { spans } else { spans.at_a_record() };
            spans.forget_lines();
            let (mut records, mut last) = (Vec::new(), None);
            let pieces = bytes[start..].chunks(CHUNK).map(|piece| (piece, false));
            for (piece, whole) in pieces.chain([(&[][..], true)]) {
                spans.push(piece, whole);
                while let Some(span) = spans.next(whole) {
                    let missing = spans.missing(&span).0;
                    let mut record = Record::of(&span, spans.bytes(), missing, &self.name, 0, zone);
                    record.near = record.time.or(last);
                    last = record.near;
                    records.push(record);
                }
            }
            self.older = if base == 0 { Older::None } else { Older::Before(base + start as u64) };
            return Ok(records);
        }
    }
}
