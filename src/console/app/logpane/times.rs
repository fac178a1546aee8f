//! How long after each other lines were written: after the one above, and from mark to mark; and all of one record.

use super::{LineKey, LogPane};
use crate::clock::Wall;
use crate::console::app::logline::LogLine;
use crate::console::app::words;
use crate::safe;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::sync::Arc;

/// The record above has a time, or is not looked for further than this.
const FAR: usize = 1_000;

impl LogPane {
    /// How long after the record above it, of those that are shown, a line was written.
    pub fn since_above(&self, key: LineKey) -> Option<TimeDelta> {
        let line = self.line(key).filter(|line| !line.continued)?;
        let at = self.shown.partition_point(|known| *known < key);
        let mut above = self.shown.range(..at).rev().take(FAR).filter_map(|key| self.line(*key));
        above
            .find_map(|line| line.time.filter(|_| !line.continued))
            .and_then(|above| Some(line.time? - above))
    }

    /// When the line was written at which one is.
    pub fn here_at(&self) -> Option<Wall> {
        self.line(self.here()?)?.near
    }

    /// What is to be said of the marked lines: which of them one is at, and how far they are apart.
    pub fn marks_said(&self) -> Option<SafeText> {
        let (first, last) = (self.marks.first_key_value()?.1, self.marks.last_key_value()?.1);
        let all = self.marks.len();
        let apart = |from: &LogLine, to: &LogLine| Some(to.near? - from.near?);
        let here = self.hit.filter(|hit| self.marks.contains_key(hit));
        let before = here.and_then(|hit| self.marks.range(..hit).next_back());
        if let (Some(here), Some((_, above))) = (here, before)
            && let Some(apart) = self.marks.get(&here).and_then(|line| apart(above, line))
        {
            let n = self.marks.range(..=here).count();
            return Some(safe!("mark {n} of {all}, {} after the one above", words::apart(apart)));
        }
        Some(match apart(first, last).filter(|_| all > 1) {
            Some(apart) => safe!("{all} marked, {} apart", words::apart(apart)),
            None => safe!("{all} marked"),
        })
    }

    /// All lines of the record at which one is, shown or not, and its place.
    pub fn record_here(&self) -> Option<(LineKey, Vec<Arc<LogLine>>)> {
        let key = self.here()?;
        let at = self.lines.partition_point(|(known, _)| *known < key);
        let upward = self.lines.range(..=at.min(self.lines.len().checked_sub(1)?)).rev();
        let above = upward.take_while(|(_, line)| line.continued).count();
        let (key, first) = self.lines.get(at.saturating_sub(above))?;
        let more = self.lines.range(at.saturating_sub(above) + 1..).map(|(_, line)| line);
        let lines = std::iter::once(first).chain(more.take_while(|line| line.continued));
        Some((*key, lines.cloned().collect()))
    }
}
