//! The log pane, in the overview and as a view of its own: follow and pause, search, filter, least level. The lines
//! live here, newest last, each with a number that never changes, so that what one reads stays where it is.

use super::command::Id;
use super::event::{LogLevel, LogLine};
use super::input::Input;
use crate::console::keymap::Key;
use crate::text::SafeText;
use regex::{Regex, RegexBuilder};
use std::cell::Cell;
use std::collections::VecDeque;

/// How many lines are kept; older ones are in the file.
pub const MAX_LINES: usize = 20_000;
/// A pattern may not grow larger than this when it is compiled, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// How a record's time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeDisplay {
    /// `14:01:58`
    #[default]
    Clock,
    /// With the date.
    Full,
    /// Not at all.
    Hidden,
}

/// The lines and how they are looked at.
#[derive(Debug, Clone)]
pub struct LogPane {
    lines: VecDeque<LogLine>,
    /// The number of the oldest line that is kept.
    first: u64,
    /// The numbers of the lines that pass level and filter, oldest first.
    shown: VecDeque<u64>,
    /// The newest line is at the bottom and stays there.
    pub follow: bool,
    /// The number of the line at the bottom while not following.
    bottom: u64,
    /// Lines that came since.
    pub unseen: usize,
    /// What is searched for.
    search: Option<Regex>,
    /// While it is typed.
    pub typing: Option<Input>,
    /// Why what is typed is no pattern.
    pub bad_pattern: Option<SafeText>,
    /// Only what the search finds.
    pub only: bool,
    /// The least level that is shown.
    pub level: LogLevel,
    /// Wrap long lines.
    pub wrap: bool,
    /// How times are shown.
    pub time: TimeDisplay,
    /// Columns cut at the left.
    pub shift: usize,
    /// The line that the newest jump went to.
    pub hit: Option<u64>,
    height: Cell<usize>,
}

impl Default for LogPane {
    fn default() -> Self {
        LogPane {
            lines: VecDeque::new(),
            first: 0,
            shown: VecDeque::new(),
            follow: true,
            bottom: 0,
            unseen: 0,
            search: None,
            typing: None,
            bad_pattern: None,
            only: false,
            level: LogLevel::Verbose,
            wrap: false,
            time: TimeDisplay::default(),
            shift: 0,
            hit: None,
            height: Cell::new(1),
        }
    }
}

impl LogPane {
    /// Takes new lines.
    pub fn push(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let number = self.first + self.lines.len() as u64;
            let passes = self.passes(&line);
            self.lines.push_back(line);
            if passes {
                self.shown.push_back(number);
                if !self.follow {
                    self.unseen += 1;
                }
            }
            if self.lines.len() > MAX_LINES {
                self.lines.pop_front();
                self.first += 1;
                while self.shown.front().is_some_and(|n| *n < self.first) {
                    self.shown.pop_front();
                }
            }
        }
    }

    /// Whether something is searched for.
    pub fn has_search(&self) -> bool {
        self.search.is_some()
    }

    /// The pattern that is searched for.
    pub fn search(&self) -> Option<&Regex> {
        self.search.as_ref()
    }

    /// No line at all yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines there are and how many of them are shown.
    pub fn counts(&self) -> (usize, usize) {
        (self.lines.len(), self.shown.len())
    }

    /// Errors and warnings among the lines kept.
    pub fn faults(&self) -> (usize, usize) {
        self.lines.iter().filter(|l| !l.continued).fold((0, 0), |(errors, warnings), line| match line.level {
            LogLevel::Error => (errors + 1, warnings),
            LogLevel::Warning => (errors, warnings + 1),
            _ => (errors, warnings),
        })
    }

    /// The newest line's file.
    pub fn file(&self) -> Option<&SafeText> {
        self.lines.back().map(|line| &line.file)
    }

    /// Whether lines of more than one file are here.
    pub fn several_files(&self) -> bool {
        self.lines.front().is_some_and(|first| self.lines.iter().any(|line| line.file != first.file))
    }

    /// The lines to be drawn when there is room for so many, oldest first, each with its number.
    pub fn window(&self, height: usize) -> impl DoubleEndedIterator<Item = (u64, &LogLine)> {
        self.height.set(height.max(1));
        let end = self.end();
        let start = end.saturating_sub(height);
        self.shown.range(start..end).filter_map(|n| Some((*n, self.line(*n)?)))
    }

    /// Where in `shown` the pane ends.
    fn end(&self) -> usize {
        if self.follow {
            return self.shown.len();
        }
        let height = self.height.get();
        let end = self.shown.partition_point(|n| *n <= self.bottom);
        end.max(height.min(self.shown.len()))
    }

    fn line(&self, number: u64) -> Option<&LogLine> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn passes(&self, line: &LogLine) -> bool {
        line.level >= self.level && !(self.only && self.search.as_ref().is_some_and(|p| !self.found(p, line)))
    }

    fn found(&self, pattern: &Regex, line: &LogLine) -> bool {
        pattern.is_match(line.text.as_str()) || pattern.is_match(line.component.as_str())
    }

    fn refilter(&mut self) {
        let numbers = (self.first..).zip(&self.lines);
        self.shown = numbers.filter(|(_, line)| self.passes(line)).map(|(n, _)| n).collect();
    }

    /// Stays at the lines that are shown now.
    fn pause(&mut self) {
        if self.follow {
            self.follow = false;
            self.unseen = 0;
            self.bottom = self.shown.back().copied().unwrap_or(0);
        }
    }

    fn resume(&mut self) {
        self.follow = true;
        self.unseen = 0;
        self.hit = None;
    }

    fn scroll(&mut self, by: isize) {
        if by < 0 {
            self.pause();
        } else if self.follow {
            return;
        }
        let least = self.height.get().min(self.shown.len());
        let end = self.end().saturating_add_signed(by).clamp(least, self.shown.len());
        self.bottom = end.checked_sub(1).and_then(|last| self.shown.get(last)).copied().unwrap_or(0);
        // What stands at the bottom has been seen.
        self.unseen = self.unseen.min(self.shown.len() - end);
    }

    /// Shows a line near the middle of the pane.
    fn jump(&mut self, at: usize) {
        self.pause();
        self.hit = self.shown.get(at).copied();
        let half = self.height.get() / 2;
        let end = (at + half + 1).clamp(self.height.get().min(self.shown.len()), self.shown.len());
        self.bottom = end.checked_sub(1).and_then(|last| self.shown.get(last)).copied().unwrap_or(0);
        self.unseen = self.unseen.min(self.shown.len() - end);
    }

    /// To the next (or previous) shown line of which something holds; false if there is none.
    fn seek(&mut self, forward: bool, holds: impl Fn(&LogPane, &LogLine) -> bool) -> bool {
        let here = match self.hit {
            Some(number) => self.shown.partition_point(|n| *n < number),
            None => self.end(),
        };
        let fits =
            |at: &usize| self.shown.get(*at).and_then(|n| self.line(*n)).is_some_and(|l| holds(self, l));
        let found = if forward {
            (here + 1..self.shown.len()).find(fits)
        } else {
            (0..here.min(self.shown.len())).rev().find(fits)
        };
        found.map(|at| self.jump(at)).is_some()
    }

    /// Carries out a command of the log; the text says what came of it where that is not to be seen.
    pub fn command(&mut self, id: Id) -> Option<SafeText> {
        let page = self.height.get().max(2) as isize - 1;
        match id {
            Id::Down => self.scroll(1),
            Id::Up => self.scroll(-1),
            Id::PageDown => self.scroll(page),
            Id::PageUp => self.scroll(-page),
            Id::HalfDown => self.scroll((page + 1) / 2),
            Id::HalfUp => self.scroll(-(page + 1) / 2),
            Id::Top => self.scroll(isize::MIN + 1),
            Id::Bottom => self.resume(),
            Id::Left => self.shift = self.shift.saturating_sub(8),
            Id::Right => self.shift = (self.shift + 8).min(4096),
            Id::Follow if self.follow => self.pause(),
            Id::Follow => self.resume(),
            Id::Search => {
                self.typing = Some(Input::new(200));
                self.bad_pattern = None;
            }
            Id::NextMatch | Id::PrevMatch => {
                let found = self.seek(id == Id::NextMatch, |pane, line| {
                    pane.search.as_ref().is_some_and(|pattern| pane.found(pattern, line))
                });
                if !found {
                    return Some(
                        if id == Id::NextMatch { "no match below" } else { "no match above" }.into(),
                    );
                }
            }
            Id::NextError | Id::PrevError => {
                let bad = |_: &LogPane, line: &LogLine| line.level >= LogLevel::Warning && !line.continued;
                if !self.seek(id == Id::NextError, bad) {
                    let way = if id == Id::NextError { "below" } else { "above" };
                    return Some(SafeText::new(&format!("no error or warning {way}")));
                }
            }
            Id::OnlyMatches => {
                self.only = !self.only;
                self.refilter();
                return Some(
                    if self.only { "only matches are shown; & shows all" } else { "all lines" }.into(),
                );
            }
            Id::Level => {
                self.level = match self.level {
                    LogLevel::Verbose => LogLevel::Info,
                    LogLevel::Info => LogLevel::Warning,
                    LogLevel::Warning => LogLevel::Error,
                    LogLevel::Error => LogLevel::Verbose,
                };
                self.refilter();
                return Some(SafeText::new(&format!("shown from level {}", self.level.word())));
            }
            Id::Wrap => self.wrap = !self.wrap,
            Id::TimeDisplay => {
                self.time = match self.time {
                    TimeDisplay::Clock => TimeDisplay::Full,
                    TimeDisplay::Full => TimeDisplay::Hidden,
                    TimeDisplay::Hidden => TimeDisplay::Clock,
                };
            }
            _ => {}
        }
        None
    }

    /// Takes a key while a search is typed.
    pub fn key(&mut self, key: Key) -> Option<SafeText> {
        let input = self.typing.as_mut()?;
        match key {
            Key::Esc | Key::Ctrl('c') => {
                self.typing = None;
                self.bad_pattern = None;
            }
            Key::Enter => {
                let text = input.text().to_owned();
                if text.is_empty() {
                    self.set_search(None);
                    self.typing = None;
                    return None;
                }
                match compile(&text) {
                    Ok(pattern) => {
                        self.set_search(Some(pattern));
                        self.typing = None;
                        // Backwards from the newest line: that is where one looks.
                        return self
                            .command(Id::PrevMatch)
                            .map(|_| SafeText::new(&format!("nothing matches {text}; Esc ends the search")));
                    }
                    Err(why) => self.bad_pattern = Some(why),
                }
            }
            key => {
                input.key(key);
                self.bad_pattern = compile(input.text()).err();
            }
        }
        None
    }

    fn set_search(&mut self, pattern: Option<Regex>) {
        self.search = pattern;
        self.hit = None;
        self.only = self.only && self.search.is_some();
        self.refilter();
    }

    /// One step back: ends the search, or follows again; false if there was nothing to go back from.
    pub fn back(&mut self) -> bool {
        if self.search.is_some() {
            self.set_search(None);
        } else if !self.follow {
            self.resume();
        } else if self.shift > 0 {
            self.shift = 0;
        } else {
            return false;
        }
        true
    }
}

/// A pattern without regard to case unless it has capitals.
fn compile(text: &str) -> Result<Regex, SafeText> {
    RegexBuilder::new(text)
        .case_insensitive(!text.chars().any(char::is_uppercase))
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|why| {
            let why = why.to_string();
            SafeText::new(why.lines().last().unwrap_or("not a pattern").trim())
        })
}
