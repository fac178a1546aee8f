//! Reads one log file as a whole for the log view: makes its index, and finds in it what is wanted. The newest question
//! ends what is under way; where nothing is asked and nothing is left to index, the thread sleeps until it is.

use super::logs::split;
use super::{Incoming, send};
use crate::clock::{Wall, Zone};
use crate::console::app::Event;
use crate::console::app::logpane::is_poll;
use crate::console::app::terms;
use crate::console::app::whole::{Ask, Came, News, Only, Row, Sought, Spot, Stats, What};
use crate::console::threads::spawn;
use crate::host::tail::{self, FileId};
use crate::log::follow::Patterns;
use crate::log::index::{Grown, Index};
use crate::log::readat::ReadAt;
use crate::log::search::{Filter, Search};
use crate::log::spans::Spans;
use crate::log::view::{Item, View};
use crate::log::{Level, Record, Zoned, zoned};
use crate::text::SafeText;
use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// So much is indexed before the next question is looked for.
const SLICE: u64 = 4 << 20;
/// So many lines and so much text come at once, about.
const LINES: usize = 300;
const BYTES: usize = 1 << 20;
/// So many records are looked for at once: they may be large.
const RECORDS: usize = 32;
/// Errors and warnings are told in so many stretches of time.
const BARS: usize = 1_024;
/// Among so many records of one time the one is looked for that is on the screen.
const ALIKE: usize = 10_000;

/// Starts the thread; what is sent to it asks.
///
/// # Errors
/// The system has no more threads.
pub fn start(patterns: Vec<PathBuf>, zone: Zone, to: &Sender<Incoming>) -> std::io::Result<Sender<Ask>> {
    let (ask, asked) = channel();
    let to = to.clone();
    spawn("file", move || {
        let reader = Reader {
            patterns,
            zone: zoned(zone),
            questions: Questions { asked, next: None, counts: None, gone: false },
            to,
            buffer: Spans::new(None, true),
            open: None,
        };
        reader.run();
    })?;
    Ok(ask)
}

/// What is asked, the newest first.
struct Questions {
    asked: Receiver<Ask>,
    /// The newest that was not begun.
    next: Option<Ask>,
    /// How large a file is was asked in between.
    counts: Option<Ask>,
    gone: bool,
}

impl Questions {
    fn take(&mut self, ask: Ask) {
        match ask.what {
            What::Stats => self.counts = Some(ask),
            What::Around(_) | What::Older(_) | What::Newer(_) | What::Find { .. } | What::Stop => {
                self.next = Some(ask);
            }
        }
    }

    /// Whether there is something newer than what is under way.
    fn is_newer(&mut self) -> bool {
        loop {
            match self.asked.try_recv() {
                Ok(ask) => self.take(ask),
                Err(TryRecvError::Empty) => return self.next.is_some(),
                Err(TryRecvError::Disconnected) => {
                    self.gone = true;
                    return true;
                }
            }
        }
    }

    /// Waits for one.
    fn wait(&mut self) {
        match self.asked.recv() {
            Ok(ask) => self.take(ask),
            Err(_) => self.gone = true,
        }
    }
}

/// The file that is open.
struct Open {
    name: SafeText,
    path: PathBuf,
    id: FileId,
    file: File,
    index: Index,
    /// There is more to be indexed.
    behind: bool,
    /// How much of it was told of, in hundredths.
    told: Option<u64>,
}

struct Reader {
    patterns: Vec<PathBuf>,
    zone: Zoned,
    questions: Questions,
    to: Sender<Incoming>,
    buffer: Spans,
    open: Option<Open>,
}

/// Why something did not come to its end.
enum Ended {
    /// Something newer is wanted.
    Newer,
    /// The file is not what it was.
    Changed,
    /// It can be said only when the index has come there.
    Unindexed,
    /// It cannot be done.
    Failed(SafeText),
}

impl From<std::io::Error> for Ended {
    fn from(e: std::io::Error) -> Ended {
        match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Ended::Changed,
            std::io::ErrorKind::WouldBlock => Ended::Unindexed,
            _ => Ended::Failed(SafeText::new(&e.to_string())),
        }
    }
}

type Done<T> = Result<T, Ended>;

impl Reader {
    fn run(mut self) {
        while !self.questions.gone {
            self.questions.is_newer();
            if let Some(ask) = self.questions.next.take() {
                self.answer(&ask);
            } else if let Some(ask) = self.questions.counts.take() {
                let done = self.opened(&ask);
                if done.is_ok() {
                    self.tell_stats();
                }
                self.tell_end(&ask, done);
            } else if self.open.as_ref().is_some_and(|open| open.behind) {
                self.index_on();
            } else {
                self.questions.wait();
            }
        }
    }

    fn tell(&mut self, id: u64, file: &SafeText, came: Came) {
        let news = News { id, file: file.clone(), came };
        self.questions.gone |= !send(&self.to, Event::Whole(news));
    }

    fn tell_end(&mut self, ask: &Ask, done: Done<()>) {
        match done {
            Ok(()) | Err(Ended::Newer) => {}
            Err(Ended::Changed) => {
                self.open = None;
                self.tell(ask.id, &ask.file, Came::Changed);
            }
            Err(Ended::Unindexed) => {
                self.tell(ask.id, &ask.file, Came::Failed("a line at its end is not complete yet".into()));
            }
            Err(Ended::Failed(why)) => self.tell(ask.id, &ask.file, Came::Failed(why)),
        }
    }

    /// The next part of the index, beside what is asked.
    fn index_on(&mut self) {
        let Some(open) = &mut self.open else { return };
        let (name, done) = (open.name.clone(), open.grow());
        match done {
            Ok(()) => self.tell_stats(),
            Err(ended) => {
                // What was read is still there to be looked at, unless it is not.
                open.behind = false;
                if let Ended::Changed = ended {
                    self.open = None;
                    self.tell(0, &name, Came::Changed);
                }
            }
        }
    }

    /// How far the index is, each hundredth once.
    fn tell_stats(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Ok(size) = open.file.size() else { return };
        let read = open.index.read();
        let part = Some(read.saturating_mul(100) / size.max(1));
        if open.behind && part == open.told {
            return;
        }
        open.told = part;
        let totals = open.index.totals();
        let stats = Stats {
            records: totals.records,
            lines: open.index.lines(),
            errors: totals.errors,
            warnings: totals.warnings,
            read,
            size: if open.behind { size } else { read },
            renamed: open.is_renamed(),
            bars: Arc::new(open.index.histogram(BARS)),
        };
        let name = open.name.clone();
        self.tell(0, &name, Came::Stats(stats));
    }

    /// Opens the file of this name, unless it is the one that is open; looks at what has come to it.
    fn opened(&mut self, ask: &Ask) -> Done<()> {
        let name = &ask.file;
        if ask.fresh && self.open.as_ref().is_some_and(Open::is_renamed) {
            self.open = None;
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.name == *name) {
            open.behind = true;
            return open.grow();
        }
        self.open = None;
        let paths = Patterns::new(&self.patterns).paths().0;
        let named = |path: &PathBuf| {
            path.file_name().is_some_and(|file| SafeText::new(&file.to_string_lossy()) == *name)
        };
        let mut paths = paths.into_iter().filter(named);
        let path = match (paths.next(), paths.next()) {
            (Some(path), None) => path,
            (None, _) => return Err(Ended::Failed("it is not there any more".into())),
            (Some(_), Some(_)) => {
                return Err(Ended::Failed("two files have this name; `pcm log` reads either".into()));
            }
        };
        let (file, id) = tail::open(&path)?;
        let index = Index::new(self.zone.clone());
        let open = Open { name: name.clone(), path, id, file, index, behind: true, told: None };
        self.open.insert(open).grow()
    }

    fn answer(&mut self, ask: &Ask) {
        let done = self.answered(ask);
        match done {
            Ok(Some(came)) => self.tell(ask.id, &ask.file, came),
            Ok(None) => {}
            Err(ended) => self.tell_end(ask, Err(ended)),
        }
    }

    fn answered(&mut self, ask: &Ask) -> Done<Option<Came>> {
        let filter = filter_of(&ask.only)?;
        match &ask.what {
            What::Stop | What::Stats => return Ok(None),
            What::Around(_) | What::Older(_) | What::Newer(_) | What::Find { .. } => {}
        }
        self.opened(ask)?;
        if let What::Around(Spot::Time(_) | Spot::Line(_) | Spot::Part(_) | Spot::Like(..))
        | What::Find { from: Spot::Like(..), .. } = ask.what
        {
            self.index_all(ask)?;
        }
        match self.look(ask, filter.clone()) {
            Err(Ended::Unindexed) => {
                self.index_all(ask)?;
                self.look(ask, filter)
            }
            other => other,
        }
    }

    fn look(&mut self, ask: &Ask, filter: Filter) -> Done<Option<Came>> {
        let Some(open) = &self.open else { return Ok(None) };
        let view = View::new(&open.file, &open.index, &open.name, &self.zone)?;
        let mut look = Look {
            view,
            index: &open.index,
            buffer: &mut self.buffer,
            questions: &mut self.questions,
            to: &self.to,
            ask,
            filter,
            told: 0,
        };
        look.answer().map(Some)
    }

    /// Goes through all of the file: what is asked can be said only then.
    fn index_all(&mut self, ask: &Ask) -> Done<()> {
        while let Some(open) = self.open.as_mut().filter(|open| open.behind) {
            if self.questions.is_newer() {
                return Err(Ended::Newer);
            }
            open.grow()?;
            let part = open.index.read().saturating_mul(100) / open.file.size()?.max(1);
            if open.told != Some(part) {
                self.tell(ask.id, &ask.file, Came::Progress(part));
                self.tell_stats();
            }
        }
        Ok(())
    }
}

impl Open {
    /// Another file has its name by now, or none.
    fn is_renamed(&self) -> bool {
        tail::identity_at(&self.path).is_ok_and(|id| id != Some(self.id))
    }

    fn grow(&mut self) -> Done<()> {
        match self.index.grow(&self.file, SLICE)? {
            Grown::Current => self.behind = false,
            Grown::More => self.behind = true,
            Grown::Changed => return Err(Ended::Changed),
            Grown::Wide => {
                self.behind = false;
                return Err(Ended::Failed(
                    "it is UTF-16, of which only the newest lines are shown here; `pcm log` reads all of it"
                        .into(),
                ));
            }
        }
        Ok(())
    }
}

fn filter_of(only: &Only) -> Done<Filter> {
    let mut filter = terms::filter(&only.filters).map_err(Ended::Failed)?;
    filter.also.extend(only.text.as_ref().map(search).transpose()?);
    filter.level = (only.level > Level::Verbose).then_some(only.level);
    Ok(filter)
}

fn search(pattern: &SafeText) -> Done<Search> {
    Search::new(pattern.as_str()).map_err(Ended::Failed)
}

/// One question.
struct Look<'a> {
    view: View<'a, File>,
    index: &'a Index,
    buffer: &'a mut Spans,
    questions: &'a mut Questions,
    to: &'a Sender<Incoming>,
    ask: &'a Ask,
    filter: Filter,
    told: u64,
}

/// What a search goes through.
#[derive(Clone, Copy)]
struct Way {
    forward: bool,
    from: u64,
    to: u64,
}

impl Look<'_> {
    fn answer(&mut self) -> Done<Came> {
        match &self.ask.what {
            What::Around(spot) => {
                let (at, hit) = self.place_of(spot)?;
                self.window(at, hit.then_some(at), false)
            }
            What::Older(place) => {
                let (rows, above, top) = self.older(*place)?;
                Ok(Came::Older { rows, above, top })
            }
            What::Newer(place) => {
                let (rows, below, bottom) = self.newer(*place)?;
                Ok(Came::Newer { rows, below, bottom })
            }
            What::Find { from, forward, what } => {
                let from = self.place_of(from)?.0.min(self.view.size());
                match self.find(from, *forward, what)? {
                    Some((place, wrapped)) => self.window(place, Some(place), wrapped),
                    None => Ok(Came::Nothing),
                }
            }
            What::Stats | What::Stop => Ok(Came::Nothing),
        }
    }

    /// Where a spot is, and whether a record is there that is meant by it.
    fn place_of(&mut self, spot: &Spot) -> Done<(u64, bool)> {
        let size = self.view.size();
        Ok(match spot {
            Spot::Start => (0, false),
            Spot::Place(place) => (*place, true),
            Spot::Time(at) => (self.time(*at)?, true),
            Spot::Line(line) => (self.view.at_line(self.buffer, *line)?.unwrap_or(0), true),
            Spot::Part(part) => {
                let number = self.index.totals().records.saturating_mul(u64::from(*part)) / 100;
                (self.view.at_record(self.buffer, number)?.unwrap_or(size), true)
            }
            Spot::Like(near, text) => (self.like(*near, text)?, true),
        })
    }

    fn time(&mut self, at: Wall) -> Done<u64> {
        let questions = &mut *self.questions;
        let place = self.view.at_time(self.buffer, at, &mut |_| !questions.is_newer())?;
        place.ok_or(Ended::Newer)
    }

    /// The record that is on the screen: the newest of its time with the same first line.
    fn like(&mut self, near: Option<Wall>, text: &SafeText) -> Done<u64> {
        let Some(at) = near else {
            // Without a time it is looked for from the end, where the newest lines are.
            let plain = Filter {
                text: Some(Search::plain(text.as_str()).map_err(Ended::Failed)?),
                ..Filter::default()
            };
            let size = self.view.size();
            let questions = &mut *self.questions;
            let found = self.view.back(self.buffer, size, &plain, 1, &mut |_| !questions.is_newer())?;
            return Ok(found.items.front().map_or(size, |item| item.at));
        };
        let first = self.time(at)?;
        let (mut place, mut best) = (first, None);
        for _ in 0..ALIKE / RECORDS {
            let questions = &mut *self.questions;
            let all = Filter::default();
            let found =
                self.view.forward(self.buffer, place, &all, RECORDS, &mut |_| !questions.is_newer())?;
            if found.stopped {
                return Err(Ended::Newer);
            }
            let later = |item: &Item| item.record.time.is_some_and(|time| time > at);
            let alike = found.items.iter().take_while(|item| !later(item));
            best = alike.filter(|item| item.record.first_line() == text).map(|item| item.at).last().or(best);
            if found.done || found.items.iter().any(later) {
                break;
            }
            place = found.reached;
        }
        Ok(best.unwrap_or(first))
    }

    fn window(&mut self, at: u64, hit: Option<u64>, wrapped: bool) -> Done<Came> {
        let (mut rows, above, top) = self.older(at)?;
        let (more, below, bottom) = self.newer(at)?;
        rows.extend(more);
        Ok(Came::Window { rows, above, below, top, bottom, hit, wrapped })
    }

    /// Records before a place, as far back as was looked, and whether that is all.
    fn older(&mut self, before: u64) -> Done<(Vec<Row>, u64, bool)> {
        let (mut rows, mut above, mut top) = (VecDeque::new(), before.min(self.view.size()), false);
        let (mut lines, mut bytes) = (0, 0);
        while !top && lines < LINES && bytes < BYTES {
            let way = Way { forward: false, from: before, to: 0 };
            let found = self.looked(above, way, RECORDS, None)?;
            (above, top) = (found.0, found.1);
            for item in found.2.into_iter().rev() {
                count(&item.record, &mut lines, &mut bytes);
                rows.push_front(row(item));
            }
        }
        Ok((rows.into(), above, top))
    }

    fn newer(&mut self, from: u64) -> Done<(Vec<Row>, u64, bool)> {
        let (mut rows, mut below, mut bottom) = (Vec::new(), from.min(self.view.size()), false);
        let (mut lines, mut bytes) = (0, 0);
        while !bottom && lines < LINES && bytes < BYTES {
            let way = Way { forward: true, from, to: self.view.size() };
            let found = self.looked(below, way, RECORDS, None)?;
            (below, bottom) = (found.0, found.1);
            for item in found.2 {
                count(&item.record, &mut lines, &mut bytes);
                rows.push(row(item));
            }
        }
        Ok((rows, below, bottom))
    }

    /// How far was looked, whether there is no more, and what counts of that.
    fn looked(
        &mut self,
        from: u64,
        way: Way,
        most: usize,
        filter: Option<&Filter>,
    ) -> Done<(u64, bool, VecDeque<Item>)> {
        let (ask, to) = (self.ask, self.to);
        let (questions, told) = (&mut *self.questions, &mut self.told);
        let total = way.from.abs_diff(way.to).max(1);
        let mut past = false;
        let mut go = |at: u64| {
            let part = at.abs_diff(way.from).min(total).saturating_mul(100) / total;
            if part > *told {
                *told = part;
                let news = News { id: ask.id, file: ask.file.clone(), came: Came::Progress(part) };
                questions.gone |= !send(to, Event::Whole(news));
            }
            past = way.forward && at > way.to;
            !past && !questions.is_newer()
        };
        let filter = filter.unwrap_or(&self.filter);
        let mut found = match way.forward {
            true => self.view.forward(self.buffer, from, filter, most, &mut go)?,
            false => self.view.back(self.buffer, from, filter, most, &mut go)?,
        };
        if found.stopped && !past {
            return Err(Ended::Newer);
        }
        if !ask.only.polls {
            let counts = |item: &Item| !is_poll(item.record.level, item.record.first_line().as_str());
            found.items.retain(counts);
        }
        Ok((found.reached, found.done || found.stopped, found.items))
    }

    /// The next record in a direction that holds it, and whether that is beyond the end.
    fn find(&mut self, from: u64, forward: bool, what: &Sought) -> Done<Option<(u64, bool)>> {
        let mut filter = self.filter.clone();
        match what {
            Sought::Text(pattern) => filter.also.push(search(pattern)?),
            Sought::Fault => filter.level = Some(filter.level.unwrap_or(Level::Warning).max(Level::Warning)),
        }
        let size = self.view.size();
        let ways = match forward {
            true => [(from, size), (0, from)],
            false => [(from, 0), (size, from)],
        };
        let mut found = None;
        for (n, (begin, end)) in ways.into_iter().enumerate() {
            self.told = 0;
            self.view.set_floor(if forward { 0 } else { end });
            let (mut at, way) = (begin, Way { forward, from: begin, to: end });
            loop {
                let (reached, done, items) = self.looked(at, way, 1, Some(&filter))?;
                // What is reached beyond the end was looked through before.
                let is_new = |item: &Item| n == 0 || (item.at >= from) != forward;
                found = items.front().filter(|item| is_new(item)).map(|item| (item.at, n > 0));
                if !items.is_empty() || done || reached == at {
                    break;
                }
                at = reached;
            }
            if found.is_some() {
                break;
            }
        }
        self.view.set_floor(0);
        Ok(found)
    }
}

fn count(record: &Record, lines: &mut usize, bytes: &mut usize) {
    *lines += record.text.len();
    *bytes += record.text.iter().map(|line| line.as_str().len()).sum::<usize>();
}

fn row(item: Item) -> Row {
    Row { place: item.at, line: item.record.line, lines: split(item.record) }
}
