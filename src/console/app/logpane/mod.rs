//! A log pane; there are two, that of the overview and a view of its own. The lines of all files live here in the order of
//! time, each with a key that never changes, so that what one reads stays where it is whatever comes in. `moves` gets about in
//! them, `find` searches and filters, `conditions` lists what is filtered, `rush` puts off what nobody sees of a log that rushes by, `whole` has
//! one file from its beginning to its end; the drawing is in `ui::log`.

mod conditions;
mod find;
mod moves;
mod older;
mod rush;
#[cfg(test)]
mod tests;
mod times;
mod whole;

use find::Before;
pub use find::is_poll;
use moves::is_fault;
use older::Seek;
use rush::Rush;
pub use whole::Whole;

use super::input::Input;
use super::layout::Window;
use super::logline::LogLine;
use super::terms::Filters;
use super::whole::What;
use crate::clock::Wall;
use crate::log::Level;
use crate::log::histogram::{Bucket, count};
use crate::log::merge::Places;
use crate::text::SafeText;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many lines are kept; older ones are in the file.
pub const MAX_LINES: usize = 20_000;
/// How much text they may have, and more do not come from the files.
const MAX_BYTES: usize = 32 << 20;

/// The number of the line that comes first; older ones have lower numbers.
const FIRST: u64 = 1 << 40;

/// A line's place: the instant at which it stands among the others, and the number in which it came.
pub type LineKey = (Wall, u64);

/// How a record's time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeDisplay {
    /// `14:01:58`
    #[default]
    Clock,
    /// With the date.
    Full,
    /// As the time since the line above.
    Since,
    /// Not at all.
    Hidden,
}

/// The lines and how they are looked at.
#[derive(Debug, Clone)]
pub struct LogPane {
    lines: VecDeque<(LineKey, Arc<LogLine>)>,
    /// The number of the next line that comes, and that of the oldest.
    next: u64,
    first: u64,
    /// So many lines are kept.
    room: usize,
    /// Where the oldest line of each file stands.
    oldest: BTreeMap<SafeText, Wall>,
    /// Whether there are older ones in the files: None if not, else whether they come when they are wanted.
    more: Option<bool>,
    /// What is looked for in older lines.
    seeking: Option<Seek>,
    places: Places,
    /// Lines that did not fit any more.
    dropped: u64,
    /// Newer records that are no lines yet.
    rush: Rush,
    /// Lines that stand below all others until they come.
    standing: Vec<Arc<LogLine>>,
    /// So much text is kept.
    bytes: usize,
    errors: usize,
    warnings: usize,
    /// Which lines these are: whether there is one is asked with every frame.
    faulty: BTreeSet<LineKey>,
    files: BTreeMap<SafeText, usize>,
    components: BTreeMap<SafeText, usize>,
    /// The lines that pass level, component and filter, oldest first.
    shown: VecDeque<LineKey>,
    /// The newest line is at the bottom and stays there.
    pub follow: bool,
    /// The line at the bottom while not following.
    bottom: LineKey,
    /// The line at a third of the pane until its height is known: then it is one at the bottom.
    third: Option<LineKey>,
    /// Lines that came below since.
    pub unseen: usize,
    search: Option<Regex>,
    /// Which of the shown lines it finds, oldest first.
    matches: VecDeque<LineKey>,
    /// While a search is typed.
    pub typing: Option<Input>,
    /// Where one was before that, to go back there.
    before: Option<Box<Before>>,
    /// Why what is typed is no pattern.
    pub bad_pattern: Option<SafeText>,
    /// Only what the search finds.
    pub only: bool,
    /// The least level that is shown.
    pub level: Level,
    /// Lines of polls that found nothing to tell are shown, too.
    pub polls: bool,
    /// What is shown of that.
    filters: Filters,
    /// Wrap long lines.
    pub wrap: bool,
    /// How times are shown.
    pub time: TimeDisplay,
    /// Columns cut at the left.
    pub shift: usize,
    /// The line that the newest jump went to; it moves with the keys from then on.
    pub hit: Option<LineKey>,
    /// What the operator marked, wherever one is in a file.
    marks: BTreeMap<LineKey, Arc<LogLine>>,
    /// For so many lines the newest frame had room.
    height: usize,
    /// One file alone may be looked at as a whole from here.
    reads_files: bool,
    /// One file is here, of which this is a part.
    pub whole: Option<Box<Whole>>,
    /// What is wanted of a file.
    pub wish: Option<(SafeText, What)>,
    /// What is typed is a place to go to, no search.
    pub going: bool,
    /// The column of the histogram that is chosen, while one is.
    pub bar: Option<usize>,
}

impl Default for LogPane {
    fn default() -> Self {
        LogPane {
            lines: VecDeque::new(),
            next: FIRST,
            first: FIRST,
            room: MAX_LINES,
            oldest: BTreeMap::new(),
            more: None,
            seeking: None,
            places: Places::default(),
            dropped: 0,
            rush: Rush::default(),
            standing: Vec::new(),
            bytes: 0,
            errors: 0,
            warnings: 0,
            faulty: BTreeSet::new(),
            files: BTreeMap::new(),
            components: BTreeMap::new(),
            shown: VecDeque::new(),
            follow: true,
            bottom: (Wall::MIN_UTC, 0),
            third: None,
            unseen: 0,
            search: None,
            matches: VecDeque::new(),
            typing: None,
            before: None,
            bad_pattern: None,
            only: false,
            level: Level::Verbose,
            polls: true,
            filters: Filters::default(),
            wrap: false,
            time: TimeDisplay::default(),
            shift: 0,
            hit: None,
            marks: BTreeMap::new(),
            height: 1,
            reads_files: false,
            whole: None,
            wish: None,
            going: false,
            bar: None,
        }
    }
}

impl LogPane {
    /// The pane of the overview: without what only says that nothing has happened.
    pub fn overview() -> LogPane {
        LogPane { polls: false, ..LogPane::default() }
    }

    /// The pane of the log view, from which one file may be looked at as a whole.
    pub fn view() -> LogPane {
        LogPane { reads_files: true, ..LogPane::default() }
    }

    /// Takes new lines: of one file in its own order, of several by their times.
    pub fn push(&mut self, lines: impl IntoIterator<Item: Into<Arc<LogLine>>>) {
        self.settle();
        let lines: Vec<Arc<LogLine>> = lines.into_iter().map(Into::into).collect();
        for record in lines.chunk_by(|_, next| next.continued) {
            let fits = self.fits(record.iter());
            record.iter().for_each(|line| self.push_line(line.clone(), fits));
        }
    }

    /// Shows these below all others until they come: they may go on.
    pub fn stand(&mut self, lines: &[Arc<LogLine>]) {
        let records = lines.chunk_by(|_, next| next.continued).filter(|record| self.fits(record.iter()));
        self.standing = records.flatten().filter(|line| self.passes(line)).cloned().collect();
    }

    fn push_line(&mut self, line: Arc<LogLine>, fits: bool) {
        let size = line.text.as_str().len();
        let key = (self.places.place(&line.file, line.near), self.next);
        self.next += 1;
        self.oldest.entry(line.file.clone()).or_insert(key.0);
        while let Some((oldest, _)) = self.lines.front()
            && (self.lines.len() >= self.room || self.bytes + size > MAX_BYTES)
        {
            self.dropped += 1;
            if key < *oldest {
                return;
            }
            self.forget_oldest();
        }
        if self.place(key, line, fits) && !self.follow && key > self.bottom {
            self.unseen += 1;
        }
    }

    /// Puts a line where it belongs; whether it is shown. `fits`: its record passes the filters.
    fn place(&mut self, key: LineKey, line: Arc<LogLine>, fits: bool) -> bool {
        self.tally(&line, true);
        let passes = fits && self.passes(&line);
        if passes {
            insert(&mut self.shown, key, |known| *known);
            if self.search.as_ref().is_some_and(|pattern| self.found(pattern, &line)) {
                insert(&mut self.matches, key, |known| *known);
            }
        }
        if is_fault(&line) {
            self.faulty.insert(key);
        }
        insert(&mut self.lines, (key, line), |(known, _)| *known);
        passes
    }

    fn forget_oldest(&mut self) {
        let Some((key, line)) = self.lines.pop_front() else { return };
        self.tally(&line, false);
        self.marks.remove(&key);
        self.faulty.remove(&key);
        for kept in [&mut self.shown, &mut self.matches] {
            while kept.front().is_some_and(|known| *known <= key) {
                kept.pop_front();
            }
        }
    }

    fn tally(&mut self, line: &LogLine, comes: bool) {
        let add = |n: &mut usize| *n = if comes { *n + 1 } else { n.saturating_sub(1) };
        for (names, name) in [(&mut self.files, &line.file), (&mut self.components, &line.component)] {
            let n = names.entry(name.clone()).or_default();
            add(n);
            if *n == 0 {
                names.remove(name);
            }
        }
        let size = line.text.as_str().len();
        self.bytes = if comes { self.bytes + size } else { self.bytes.saturating_sub(size) };
        match line.level {
            Level::Error if !line.continued => add(&mut self.errors),
            Level::Warning if !line.continued => add(&mut self.warnings),
            _ => {}
        }
    }

    /// How many lines there are and how many of them are shown.
    pub fn counts(&self) -> (usize, usize) {
        let (waiting, shown) = self.waiting();
        (self.lines.len() + waiting, self.shown.len() + shown)
    }

    /// How many older lines were let go; they are in the file.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Errors and warnings among the lines kept.
    pub fn faults(&self) -> (usize, usize) {
        let (errors, warnings) = self.waiting_faults();
        (self.errors + errors, self.warnings + warnings)
    }

    /// The files that lines are here of.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &SafeText> {
        self.files.keys()
    }

    /// The newest line's file.
    pub fn file(&self) -> Option<&SafeText> {
        self.tail().last().or(self.lines.back()).map(|(_, line)| &line.file)
    }

    /// Whether the operator marked this line.
    pub fn is_marked(&self, key: LineKey) -> bool {
        self.marks.contains_key(&key)
    }

    /// Whether keys are no commands: something is typed, or chosen.
    pub fn takes_keys(&self) -> bool {
        self.typing.is_some() || self.bar.is_some()
    }

    /// How many lines are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// When the oldest line was written that has a time.
    pub fn begins(&self) -> Option<Wall> {
        let waiting = self.waiting_times().map(|(at, _)| at);
        self.lines.iter().map(|((at, _), _)| *at).chain(waiting).find(|at| *at != Wall::MIN_UTC)
    }

    /// Errors and warnings by time over so many columns, from the oldest line that has a time to the newest. Empty where
    /// there is no stretch of time to divide.
    pub fn histogram(&self, columns: usize) -> Vec<Bucket> {
        let until = self.tail().last().or(self.lines.back()).map(|((at, _), _)| *at);
        match (self.begins(), until) {
            (Some(from), Some(last)) => {
                let points = self.lines.iter().filter(|(_, line)| !line.continued);
                let points = points.map(|((at, _), line)| (*at, line.level)).chain(self.waiting_times());
                count(points, from, last + chrono::TimeDelta::seconds(1), columns)
            }
            _ => Vec::new(),
        }
    }

    /// How many lines came so far: what was worked out of all lines holds as long as this stays.
    pub fn revision(&self) -> u64 {
        self.next - self.first + self.rushed()
    }

    /// This part of it was drawn.
    pub fn drawn(&mut self, window: Window) {
        self.height = window.height.max(1);
        self.rush_drawn(self.height);
        if self.third.is_some() {
            self.ends_at(self.end(self.height));
        }
    }

    /// The lines to be drawn when there is room for so many, oldest first, each with its key.
    pub fn window(&self, height: usize) -> impl DoubleEndedIterator<Item = (LineKey, &LogLine)> {
        let newest = if self.follow { &self.standing[..] } else { &[] };
        let newest = &newest[newest.len().saturating_sub(height)..];
        let room = height - newest.len();
        let tail = self.tail();
        let tail = &tail[tail.len().saturating_sub(room)..];
        let end = self.end(height);
        let start = end.saturating_sub(room - tail.len());
        let lines = self.shown.range(start..end).filter_map(|key| Some((*key, self.line(*key)?)));
        // They have no place yet.
        let newest = newest.iter().map(|line| ((Wall::MAX_UTC, u64::MAX), line.as_ref()));
        lines.chain(tail.iter().map(|(key, line)| (*key, line.as_ref()))).chain(newest)
    }

    /// All lines that pass level, component and filter: what is saved.
    pub fn shown(&self) -> impl Iterator<Item = &LogLine> {
        self.shown.iter().filter_map(|key| self.line(*key))
    }

    /// What is copied: the marked lines, else the one that was jumped to, else those on the screen.
    pub fn chosen(&self) -> Vec<&LogLine> {
        if !self.marks.is_empty() {
            return self.marks.values().map(Arc::as_ref).collect();
        }
        match self.hit {
            Some(key) => self.line(key).into_iter().collect(),
            None => self.window(self.height).map(|(_, line)| line).collect(),
        }
    }

    /// Where in `shown` a pane of so many lines ends.
    fn end(&self, height: usize) -> usize {
        if self.follow {
            return self.shown.len();
        }
        if let Some(line) = self.third {
            let above = self.shown.partition_point(|key| *key < line);
            return (above + height - height / 3).clamp(height.min(self.shown.len()), self.shown.len());
        }
        let end = self.shown.partition_point(|key| *key <= self.bottom);
        end.max(height.max(1).min(self.shown.len()))
    }

    fn line(&self, key: LineKey) -> Option<&LogLine> {
        let at = self.lines.partition_point(|(known, _)| *known < key);
        self.lines.get(at).filter(|(known, _)| *known == key).map(|(_, line)| line.as_ref())
    }
}

/// Puts something where its key belongs, which is nearly always the end.
fn insert<T>(into: &mut VecDeque<T>, new: T, key: impl Fn(&T) -> LineKey) {
    let place = key(&new);
    if into.back().is_none_or(|last| key(last) < place) {
        into.push_back(new);
    } else {
        let at = into.partition_point(|known| key(known) < place);
        into.insert(at, new);
    }
}
