//! Lines older than the first that came: they are read when they are wanted, as far as one goes up or as a search has to
//! look. Whatever is not here is said to be in the file.

use super::{LogPane, MAX_BYTES, MAX_LINES};
use crate::clock::Wall;
use crate::console::app::logline::LogLine;
use crate::text::SafeText;
use std::sync::Arc;

/// So many lines are kept of those that were asked for; older ones stay in the file.
const MAX_OLDER: usize = 200_000;

/// What is looked for in older lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seek {
    /// What the search finds.
    Match,
    /// What was written since.
    Time(Wall),
}

impl LogPane {
    /// Takes lines that are older than those of their files which are here, oldest first. `more`: whether there are still
    /// older ones, and whether they come when they are wanted. The text says what came of what was looked for in them.
    pub fn push_older(
        &mut self,
        lines: impl IntoIterator<Item: Into<Arc<LogLine>>>,
        more: Option<bool>,
    ) -> Option<SafeText> {
        self.settle();
        let lines: Vec<Arc<LogLine>> = lines.into_iter().map(Into::into).collect();
        for record in lines.chunk_by(|_, next| next.continued).rev() {
            let fits = self.fits(record.iter());
            for line in record.iter().rev() {
                let newer = self.oldest.get(&line.file).copied();
                let at = match (line.near, newer) {
                    (Some(at), Some(newer)) => at.min(newer),
                    (Some(at), None) => at,
                    (None, newer) => newer.unwrap_or(Wall::MIN_UTC),
                };
                self.oldest.insert(line.file.clone(), at);
                self.first -= 1;
                self.place((at, self.first), line.clone(), fits);
            }
        }
        self.room = self.room.max(self.lines.len());
        // What came since the oldest were let go would be missing in between.
        let full = self.lines.len() >= MAX_OLDER || self.bytes >= MAX_BYTES || self.dropped > 0;
        self.more = if full { more.map(|_| false) } else { more };
        self.seek_on()
    }

    fn seek_on(&mut self) -> Option<SafeText> {
        match self.seeking? {
            Seek::Match if self.match_above().is_some() => {
                self.seeking = None;
                // The message that it was looked for is out of date.
                self.next_match(false).or_else(|| Some("found in older lines".into()))
            }
            Seek::Time(at) if self.begins().is_some_and(|begins| begins <= at) => {
                self.seeking = None;
                self.go_to(at)
            }
            _ if self.more() == Some(true) => None,
            seek => {
                self.seeking = None;
                Some(match (seek, self.more()) {
                    (Seek::Match, None) => "no match above, in all of the log".into(),
                    (Seek::Match, Some(_)) => {
                        "no match in the lines that are kept; older ones are in the file".into()
                    }
                    (Seek::Time(at), _) => return self.go_to(at),
                })
            }
        }
    }

    /// Looks for it in older lines, if any come.
    pub(super) fn seek_older(&mut self, what: Seek) -> bool {
        self.seeking = (self.more() == Some(true)).then_some(what);
        self.seeking.is_some()
    }

    /// Does not look on.
    pub(super) fn stop_seeking(&mut self) {
        self.seeking = None;
    }

    /// Whether something is looked for in older lines.
    pub fn is_seeking(&self) -> bool {
        self.seeking.is_some()
    }

    /// Whether there are older lines in the files: None if not, else whether they come when they are wanted.
    pub fn more(&self) -> Option<bool> {
        // What was let go is in no place that older ones would come before.
        if self.dropped > 0 { Some(false) } else { self.more }
    }

    /// Whether older lines are wanted: one has gone up to the oldest, what is shown does not fill the pane, or something is
    /// looked for in them.
    pub fn wants_older(&self) -> bool {
        if self.more() != Some(true) {
            return false;
        }
        let top = self.end(self.height).saturating_sub(self.height);
        let few = self.counts().1 < self.height && self.lines.len() < MAX_LINES;
        self.seeking.is_some() || few || !self.follow && top < self.height
    }
}
