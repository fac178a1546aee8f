//! Getting about in a log: following and pausing, scrolling, jumps to matches, errors, marks and times.

use super::{LineKey, LogPane, Seek, TimeDisplay};
use crate::clock::Wall;
use crate::console::app::logline::LogLine;
use crate::console::app::whole::{Spot, What};
use crate::console::keymap::Keymap;
use crate::console::keymap::commands::Id;
use crate::log::Level;
use crate::safe;
use crate::text::SafeText;
use std::sync::Arc;

impl LogPane {
    /// Carries out a command of the log; the text says what came of it where that is not to be seen.
    pub fn command(&mut self, id: Id, keys: &Keymap) -> Option<SafeText> {
        let page = self.height.max(2) as isize - 1;
        let half = (page + 1) / 2;
        self.stop_seeking();
        self.set_stuck(false);
        if self.of_whole(id) {
            return None;
        }
        match id {
            Id::Top if self.look_at_file(What::Around(Spot::Start)) => {}
            Id::Top if self.reads_files && self.whole.is_none() && self.more().is_some() => {
                self.step(isize::MIN + 1);
                let key = keys.hint(Id::WholeFile);
                return Some(safe!("the oldest lines here of several files; {key} shows one of them whole"));
            }
            Id::WholeFile => return self.open_file(),
            Id::GoTo => self.start_going(),
            Id::Down => self.step(1),
            Id::Up => self.step(-1),
            Id::PageDown => self.step(page),
            Id::PageUp => self.step(-page),
            Id::HalfDown => self.step(half),
            Id::HalfUp => self.step(-half),
            Id::Top => self.step(isize::MIN + 1),
            Id::Bottom => self.resume(),
            Id::Left => self.shift = self.shift.saturating_sub(8),
            Id::Right => self.shift = (self.shift + 8).min(4096),
            Id::Follow if self.follow => self.pause(),
            Id::Follow => self.resume(),
            Id::Search => self.start_search(),
            Id::NextMatch | Id::PrevMatch if self.matches.is_empty() && self.find_older_in_file() => {
                return Some("no match in the newest lines; looking in the whole file".into());
            }
            Id::NextMatch | Id::PrevMatch if self.matches.is_empty() => {
                let looks = self.has_search() && self.seek_older(Seek::Match);
                let n = self.lines.len();
                return Some(match (looks, self.more()) {
                    (true, _) => safe!("no match in the newest {n} lines; looking in older ones"),
                    (false, Some(_)) if self.has_search() => {
                        safe!("no match in the newest {n} lines; older ones are in the file")
                    }
                    (false, _) => "no line matches".into(),
                });
            }
            Id::NextMatch | Id::PrevMatch => return self.next_match(id == Id::NextMatch),
            Id::NextError | Id::PrevError => {
                let to = self.next_fault(id == Id::NextError);
                return self.jump_or_say(to, id == Id::NextError, "error or warning");
            }
            Id::NextMark | Id::PrevMark => {
                let marked = |pane: &LogPane, key: LineKey, _: &LogLine| pane.is_marked(key);
                return self.seek(id == Id::NextMark, "marked line", marked);
            }
            Id::LogMark => return self.mark(keys),
            Id::OnlyMatches => return Some(self.turn_only(keys)),
            Id::Level => return Some(self.turn_level()),
            Id::Component => return Some(self.turn_component()),
            Id::Polls => return Some(self.turn_polls()),
            Id::Wrap => self.wrap = !self.wrap,
            Id::TimeDisplay => {
                self.time = match self.time {
                    TimeDisplay::Clock => TimeDisplay::Full,
                    TimeDisplay::Full => TimeDisplay::Since,
                    TimeDisplay::Since => TimeDisplay::Hidden,
                    TimeDisplay::Hidden => TimeDisplay::Clock,
                };
            }
            _ => {}
        }
        None
    }

    /// The file of the line at which one is, as a whole, from that line on.
    fn open_file(&mut self) -> Option<SafeText> {
        if !self.reads_files {
            return Some("only in the log view".into());
        }
        let here = self.here().and_then(|key| Some((self.line(key)?.file.clone(), self.like(key)?)));
        // Where the filters hide every line, it is the newest one.
        let Some((file, spot)) = here.or_else(|| self.newest()) else {
            return Some("no line is here whose file could be shown".into());
        };
        self.wish = Some((file, What::Around(spot)));
        None
    }

    /// The file of the newest record, whether it is shown or not, and where it is in it.
    fn newest(&self) -> Option<(SafeText, Spot)> {
        let line = self.lines.iter().rev().map(|(_, line)| line).find(|line| !line.continued)?;
        Some((line.file.clone(), Spot::Like(line.near, line.text.clone())))
    }

    /// Stays at the lines that are shown now.
    fn pause(&mut self) {
        if self.follow {
            self.follow = false;
            self.unseen = 0;
            self.bottom = self.shown.back().copied().unwrap_or(self.bottom);
        }
    }

    pub fn resume(&mut self) {
        self.follow = true;
        self.third = None;
        self.unseen = 0;
        self.hit = None;
    }

    /// Moves the line that was jumped to, if one was, else the whole pane.
    fn step(&mut self, by: isize) {
        let Some(hit) = self.hit else {
            self.scroll(by);
            return;
        };
        let here = self.shown.partition_point(|key| *key < hit);
        let to = here.saturating_add_signed(by).min(self.shown.len().saturating_sub(1));
        self.hit = self.shown.get(to).copied();
        let (end, height) = (self.end(self.height), self.height);
        if to >= end {
            self.ends_at(to + 1);
        } else if to < end.saturating_sub(height) {
            self.ends_at(to + height);
        }
    }

    fn scroll(&mut self, by: isize) {
        if by < 0 {
            self.pause();
            // What is above the oldest line that is kept is in the file.
            let oldest = self.shown.front().copied().filter(|_| self.end(self.height) <= self.height);
            if self.more() == Some(false)
                && let Some(spot) = oldest.and_then(|key| self.like(key))
                && self.look_at_file(What::Around(spot))
            {
                return;
            }
        } else if self.follow {
            return;
        }
        self.ends_at(self.end(self.height).saturating_add_signed(by));
    }

    /// The pane ends before this place in `shown`. What stands at the bottom has been seen.
    pub(super) fn ends_at(&mut self, end: usize) {
        self.third = None;
        let end = end.clamp(self.height.min(self.shown.len()), self.shown.len());
        if let Some(bottom) = end.checked_sub(1).and_then(|last| self.shown.get(last)) {
            self.bottom = *bottom;
        }
        self.unseen = self.unseen.min(self.shown.len() - end);
    }

    /// Shows a line near the middle of the pane.
    pub(super) fn jump(&mut self, at: usize) {
        self.pause();
        self.hit = self.shown.get(at).copied();
        self.ends_at(at + self.height / 2 + 1);
    }

    /// The place of the next (or previous) shown line that fits.
    fn find(&self, forward: bool, holds: impl Fn(&LogPane, LineKey, &LogLine) -> bool) -> Option<usize> {
        let (above, from) = self.around();
        let fits = |at: &usize| {
            let key = self.shown.get(*at).copied();
            key.and_then(|key| Some((key, self.line(key)?))).is_some_and(|(key, line)| holds(self, key, line))
        };
        if forward { (from..self.shown.len()).find(fits) } else { (0..above).rev().find(fits) }
    }

    /// Goes there; else says that there is none.
    fn seek(
        &mut self,
        forward: bool,
        what: &str,
        holds: impl Fn(&LogPane, LineKey, &LogLine) -> bool,
    ) -> Option<SafeText> {
        self.jump_or_say(self.find(forward, holds), forward, what)
    }

    fn jump_or_say(&mut self, to: Option<usize>, forward: bool, what: &str) -> Option<SafeText> {
        match to {
            Some(at) => {
                self.jump(at);
                None
            }
            None if !forward && self.more().is_some() => Some(safe!(
                "no {what} above in the newest {} lines; older ones are in the file",
                self.lines.len()
            )),
            None => Some(safe!("no {what} {}", if forward { "below" } else { "above" })),
        }
    }

    /// Whether there is an error or a warning in this direction from where one is.
    pub fn has_fault(&self, forward: bool) -> bool {
        !forward && self.waiting_faults() != (0, 0) || self.next_fault(forward).is_some()
    }

    /// The place of the next (or previous) error or warning that is shown.
    pub(super) fn next_fault(&self, forward: bool) -> Option<usize> {
        let (above, from) = self.around();
        let place = |key: &LineKey| self.shown.binary_search(key).ok();
        match forward {
            true => self.faulty.range(self.shown.get(from)?..).find_map(place),
            false => self.faulty.range(..=self.shown.get(above.checked_sub(1)?)?).rev().find_map(place),
        }
    }

    /// Errors and warnings that are shown, oldest first.
    pub(super) fn shown_faults(&self) -> impl Iterator<Item = &LineKey> {
        self.faulty.iter().filter(|key| self.shown.binary_search(key).is_ok())
    }

    /// So many lines are above where one is, which is at the line that was jumped to, else below those on the screen; and so
    /// many are not below it.
    fn around(&self) -> (usize, usize) {
        match self.hit {
            Some(hit) => {
                let up_to = |from: usize| from + usize::from(self.shown.get(from) == Some(&hit));
                let above = self.shown.partition_point(|key| *key < hit);
                (above, up_to(above))
            }
            None => (self.end(self.height), self.end(self.height)),
        }
    }

    /// Marks the line that was jumped to, else the one at the bottom; or takes its mark away.
    fn mark(&mut self, keys: &Keymap) -> Option<SafeText> {
        self.pause();
        let key = self.hit.or_else(|| self.shown.get(self.end(self.height).checked_sub(1)?).copied())?;
        self.hit = Some(key);
        if self.marks.remove(&key).is_none() {
            let line = self.line(key)?.clone();
            self.marks.insert(key, Arc::new(line));
        }
        Some(match self.marks.len() {
            0 => "no line is marked".into(),
            n => safe!(
                "{n} marked; {} and {} go from one to the next, {} copies them",
                keys.hint(Id::NextMark),
                keys.hint(Id::PrevMark),
                keys.hint(Id::Copy)
            ),
        })
    }

    /// To the first shown line at or after an instant, which stands at a third of the pane; the text says why it is not
    /// there, if it is not.
    pub fn go_to(&mut self, at: Wall) -> Option<SafeText> {
        // A log writes whole seconds, a run's start has parts of one.
        let at = at - chrono::TimeDelta::milliseconds(i64::from(at.timestamp_subsec_millis()));
        if let Some(whole) = &self.whole {
            self.wish = Some((whole.file.clone(), What::Around(Spot::Time(at))));
            return None;
        }
        // Also where the filters hide every line that is here.
        let before = self.begins().is_some_and(|begins| begins > at);
        if before && self.look_at_file(What::Around(Spot::Time(at))) {
            return Some("that is older than the lines here; looking in the whole file".into());
        }
        if before && self.seek_older(Seek::Time(at)) {
            return Some("that is older than the lines here; looking in older ones".into());
        }
        let found = self.shown.partition_point(|(place, _)| *place < at);
        if found >= self.shown.len() {
            return Some(match self.lines.is_empty() {
                true => "no log line is here yet".into(),
                false => "no line shown was written since".into(),
            });
        }
        self.pause();
        self.hit = self.shown.get(found).copied();
        self.third = self.hit;
        before.then(|| "the run began before the oldest line here; older lines are in the file".into())
    }
}

pub(super) fn is_fault(line: &LogLine) -> bool {
    line.level >= Level::Warning && !line.continued
}
