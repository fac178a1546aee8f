//! What is missing of a file that was cut. A writer that appends says nothing of it: whatever came between the last look, or the
//! copy, and the cut is gone without a trace. One that does not append goes on where it was, behind a hole that is as long as all
//! that it had written: where the hole ends at the last byte that was read, nothing is missing.

use super::super::cursor::read_at;
use super::Followed;
use crate::text::SafeText;
use std::time::Duration;

/// For so long it is waited until the writer goes on.
const PATIENCE: Duration = Duration::from_secs(2);

/// A cut of which it is not known yet whether anything is missing.
#[derive(Debug)]
pub struct Cut {
    /// The copy that was read to its end, if there was one.
    pub copy: Option<SafeText>,
    /// Up to here what stood in the file is known.
    known: u64,
    /// When it is waited no more.
    pub until: Duration,
}

impl Followed {
    /// Whether the writer of the file leaves holes: what stood in it up to now began with one, or what stands in it does.
    pub fn leaves_holes(&mut self, before: bool) -> bool {
        match read_at(&mut self.file, 0, 1).as_deref() {
            Ok([]) => before,
            Ok([first, ..]) => *first == 0,
            Err(_) => false,
        }
    }

    /// It was cut just now, and whether anything is missing is told later.
    pub fn was_cut(&mut self, copy: Option<SafeText>, known: u64, now: Duration) {
        self.cut = Some(Cut { copy, known, until: now + PATIENCE });
    }

    /// A cut that is to be told now, and whether nothing is missing there. `at_once`: whatever is known.
    pub fn take_cut(&mut self, now: Duration, at_once: bool) -> Option<(Cut, bool)> {
        let begins = self.print.begins();
        let cut = self.cut.take_if(|cut| at_once || begins.is_some() || cut.until <= now)?;
        let nothing = begins.is_some_and(|begins| begins > 0 && begins == cut.known);
        Some((cut, nothing))
    }
}
