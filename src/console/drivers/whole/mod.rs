//! Reads one log file as a whole for the log view: makes its index, and finds in it what is wanted. The newest question
//! ends what is under way; where nothing is asked and nothing is left to index, the thread sleeps until it is.

mod count;
mod look;
mod open;

use super::{Incoming, send};
use crate::clock::Zone;
use crate::console::app::Event;
use crate::console::app::terms;
use crate::console::app::whole::{Ask, Came, News, Only, Spot, Stats, What};
use crate::console::threads::spawn;
use crate::log::follow::Patterns;
use crate::log::search::{Filter, Search};
use crate::log::spans::Spans;
use crate::log::view::View;
use crate::log::{Level, Zoned, zoned};
use crate::safe;
use crate::text::SafeText;
use count::Count;
use look::Look;
use open::Open;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Errors and warnings are told in so many stretches of time.
const BARS: usize = 1_024;

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
            zone: zoned(zone.clone()),
            local: zone,
            questions: Questions::new(asked),
            to,
            buffer: Spans::new(None, true),
            open: None,
            count: None,
        };
        reader.run();
    })?;
    Ok(ask)
}

/// What is asked, the newest first.
pub struct Questions {
    asked: Receiver<Ask>,
    /// The newest that was not begun.
    next: Option<Ask>,
    /// How large a file is was asked in between.
    counts: Option<Ask>,
    /// Saves that were not begun when something else was asked.
    dropped: Vec<Ask>,
    /// Nobody asks any more.
    pub gone: bool,
}

impl Questions {
    fn new(asked: Receiver<Ask>) -> Questions {
        Questions { asked, next: None, counts: None, dropped: Vec::new(), gone: false }
    }

    fn take(&mut self, ask: Ask) {
        match ask.what {
            What::Stats => self.counts = Some(ask),
            What::Around(_)
            | What::Older(_)
            | What::Newer(_)
            | What::Find { .. }
            | What::Save(_)
            | What::Stop => {
                let before = self.next.replace(ask);
                self.dropped.extend(before.filter(|before| matches!(before.what, What::Save(_))));
            }
        }
    }

    /// Whether there is something newer than what is under way.
    pub fn is_newer(&mut self) -> bool {
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

struct Reader {
    patterns: Vec<PathBuf>,
    zone: Zoned,
    local: Zone,
    questions: Questions,
    to: Sender<Incoming>,
    buffer: Spans,
    open: Option<Open>,
    count: Option<Count>,
}

/// Why something did not come to its end.
pub enum Ended {
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

/// What came to its end.
pub type Done<T> = Result<T, Ended>;

impl Reader {
    fn run(mut self) {
        while !self.questions.gone {
            self.questions.is_newer();
            for ask in std::mem::take(&mut self.questions.dropped) {
                self.tell_unsaved(&ask, Ended::Newer);
            }
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
            } else if self.is_to_be_counted() {
                self.count_on();
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

    /// Why nothing was saved, whatever ended it.
    fn tell_unsaved(&mut self, ask: &Ask, ended: Ended) {
        let why = match ended {
            Ended::Newer => "cancelled, nothing was written".into(),
            Ended::Changed => {
                self.tell_end(ask, Err(Ended::Changed));
                safe!("{} was cut or written anew, nothing was written", ask.file)
            }
            Ended::Unindexed => "a line at the end of the log is not complete yet".into(),
            Ended::Failed(why) => why,
        };
        self.tell(ask.id, &ask.file, Came::Unsaved(why));
    }

    /// The next part of the index, beside what is asked.
    fn index_on(&mut self) {
        let Some(open) = &mut self.open else { return };
        let (name, done) = (open.name.clone(), open.grow());
        match done {
            Ok(()) => self.tell_stats(),
            Err(Ended::Changed) => {
                self.open = None;
                self.tell(0, &name, Came::Changed);
            }
            // What was read is still there to be looked at.
            Err(ended @ (Ended::Failed(_) | Ended::Unindexed | Ended::Newer)) => {
                (open.behind, open.stopped) = (false, true);
                let why = match ended {
                    Ended::Failed(why) => why,
                    Ended::Unindexed | Ended::Newer | Ended::Changed => "it cannot be read now".into(),
                };
                self.tell_stats();
                self.tell(0, &name, Came::Unread(why));
            }
        }
    }

    fn is_to_be_counted(&self) -> bool {
        let both = self.open.as_ref().zip(self.count.as_ref());
        both.is_some_and(|(open, count)| !open.stopped && count.is_behind(open))
    }

    /// How many pass of a part more.
    fn count_on(&mut self) {
        let (Some(open), Some(count)) = (&self.open, &mut self.count) else { return };
        let (name, only) = (open.name.clone(), count.only.clone());
        match count.go_on(open, &self.zone, &mut self.buffer, &mut self.questions) {
            Ok((passing, part)) => self.tell(0, &name, Came::Passing { only, passing, part }),
            Err(Ended::Newer) => {}
            Err(Ended::Changed) => {
                (self.open, self.count) = (None, None);
                self.tell(0, &name, Came::Changed);
            }
            Err(Ended::Unindexed) => self.count = None,
            Err(Ended::Failed(why)) => {
                self.count = None;
                self.tell(0, &name, Came::Unread(why));
            }
        }
    }

    /// How far the index is, each hundredth once.
    fn tell_stats(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Ok((read, size)) = open.part() else { return };
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
            size: if open.behind || open.stopped { size } else { read },
            stopped: open.stopped,
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
        let open = Open::of(name.clone(), path, self.zone.clone())?;
        self.count = None;
        self.open.insert(open).grow()
    }

    fn answer(&mut self, ask: &Ask) {
        let done = self.answered(ask);
        match done {
            Ok(Some(came)) => self.tell(ask.id, &ask.file, came),
            Ok(None) => {}
            Err(ended) if matches!(ask.what, What::Save(_)) => self.tell_unsaved(ask, ended),
            Err(ended) => self.tell_end(ask, Err(ended)),
        }
    }

    fn answered(&mut self, ask: &Ask) -> Done<Option<Came>> {
        let filter = filter_of(&ask.only)?;
        match &ask.what {
            What::Stop | What::Stats => return Ok(None),
            What::Around(_) | What::Older(_) | What::Newer(_) | What::Find { .. } | What::Save(_) => {}
        }
        self.opened(ask)?;
        if ask.only.is_all() {
            self.count = None;
        } else if self.count.as_ref().is_none_or(|count| count.only != ask.only) {
            self.count = Some(Count::new(ask.only.clone(), filter.clone()));
        }
        if let What::Around(Spot::Time(_) | Spot::Line(_) | Spot::Part(_) | Spot::Like(..))
        | What::Find { from: Spot::Like(..), .. } = ask.what
        {
            self.index_all(ask)?;
        }
        if self.open.as_ref().is_some_and(Open::is_wide) {
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
        let view = View::new(&open.source, &open.index, &open.name, &self.zone)?;
        let mut look = Look {
            view,
            index: &open.index,
            buffer: &mut self.buffer,
            questions: &mut self.questions,
            to: &self.to,
            ask,
            filter,
            told: 0,
            zone: &self.local,
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
            let (read, size) = open.part()?;
            let part = read.saturating_mul(100) / size.max(1);
            if open.told != Some(part) {
                self.tell(ask.id, &ask.file, Came::Progress(part));
                self.tell_stats();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::readat::ReadAt;
    use std::io;

    /// So many bytes can be read of it.
    struct Torn(Vec<u8>);

    impl ReadAt for Torn {
        fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read_at(at, into)? {
                0 => Err(io::Error::other("the share is away")),
                n => Ok(n),
            }
        }

        fn size(&self) -> io::Result<u64> {
            Ok(2 * self.0.len() as u64)
        }
    }

    fn save(id: u64, to: &std::path::Path) -> Ask {
        let only = Only { level: Level::Verbose, filters: Vec::new(), text: None, polls: true };
        let what = What::Save(to.to_str().unwrap().to_owned());
        Ask { id, file: "A.LOG".into(), fresh: true, only, what }
    }

    fn reader_of(folder: &std::path::Path) -> (Reader, Sender<Ask>, Receiver<Incoming>) {
        let (to, from) = channel();
        let (ask, asked) = channel();
        let reader = Reader {
            patterns: vec![folder.join("*.LOG")],
            zone: zoned(Zone::utc()),
            local: Zone::utc(),
            questions: Questions::new(asked),
            to,
            buffer: Spans::new(None, true),
            open: None,
            count: None,
        };
        (reader, ask, from)
    }

    fn fates(from: &Receiver<Incoming>) -> Vec<(u64, Came)> {
        let of = |incoming| match incoming {
            Incoming::Event(Event::Whole(News { id, came, .. })) => (id, came),
            other => panic!("{other:?}"),
        };
        let is_fate = |came: &Came| matches!(came, Came::Saved(_) | Came::Unsaved(_));
        from.try_iter().map(of).filter(|(_, came)| is_fate(came)).collect()
    }

    #[test]
    fn a_save_that_was_not_begun_or_not_ended_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("A.LOG"), "[11/28/26 01:02:03] P ==> text\n".repeat(9)).unwrap();
        let path = folder.path().join("saved.txt");
        let stop = |id| Ask { what: What::Stop, ..save(id, &path) };
        let cancelled = || Came::Unsaved("cancelled, nothing was written".into());
        // The key that ended it came before its turn did.
        let (reader, ask, from) = reader_of(folder.path());
        [save(1, &path), stop(2)].into_iter().for_each(|one| ask.send(one).unwrap());
        drop(ask);
        reader.run();
        assert_eq!(fates(&from), [(1, cancelled())]);
        // While it is written.
        let (mut reader, ask, from) = reader_of(folder.path());
        ask.send(stop(4)).unwrap();
        reader.answer(&save(3, &path));
        assert_eq!(fates(&from), [(3, cancelled())]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of it");
        // The log is another one by then.
        let (mut reader, _ask, from) = reader_of(folder.path());
        let told = |bytes: &[u8]| Box::new(bytes.to_vec());
        let mut open = Open::told("A.LOG".into(), told(b"[11/28/26 01:02:03] P ==> a\n"), zoned(Zone::utc()));
        open.grow().ok().unwrap();
        open.source = open::Source::Told(told(b"[11/28/26"));
        reader.open = Some(open);
        reader.answer(&Ask { fresh: false, ..save(5, &path) });
        let anew = Came::Unsaved("A.LOG was cut or written anew, nothing was written".into());
        assert_eq!(fates(&from), [(5, anew)]);
        let (mut reader, _ask, from) = reader_of(folder.path());
        reader.answer(&save(6, &path));
        let fates = fates(&from);
        assert!(matches!(&fates[..], [(6, Came::Saved(saved))] if saved.lines == 9), "{fates:?}");
    }

    #[test]
    fn a_file_that_is_utf_16_twice_over_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("\u{feff}{}", "[11/28/26 01:02:03] P ==> text\n".repeat(400));
        let wide: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        std::fs::write(folder.path().join("A.LOG"), wide).unwrap();
        let (mut reader, _ask, _from) = reader_of(folder.path());
        for _ in 0..2 {
            let ask = Ask { what: What::Stats, ..save(1, folder.path()) };
            let said = "it is written neither in UTF-8 nor in UTF-16";
            assert!(matches!(reader.opened(&ask), Err(Ended::Failed(why)) if why.as_str() == said));
            assert!(!reader.open.as_ref().unwrap().behind, "it is not tried without an end");
        }
    }

    #[test]
    fn what_cannot_be_read_while_it_is_counted_is_told_at_once() {
        let (to, from) = channel();
        let (_ask, asked) = channel();
        let zone = zoned(Zone::utc());
        let torn = Box::new(Torn(b"[11/28/26 01:02:03] P ==> text\n".repeat(40_000)));
        let mut reader = Reader {
            patterns: Vec::new(),
            zone: zone.clone(),
            local: Zone::utc(),
            questions: Questions::new(asked),
            to,
            buffer: Spans::new(None, true),
            open: Some(Open::told("A.LOG".into(), torn, zone)),
            count: None,
        };
        reader.index_on();
        let mut came = from.try_iter().map(|incoming| match incoming {
            Incoming::Event(Event::Whole(News { came, .. })) => came,
            other => panic!("{other:?}"),
        });
        let Some(Came::Stats(stats)) = came.next() else { panic!("no counts") };
        assert!(stats.stopped && stats.records > 30_000 && stats.part().is_some(), "{stats:?}");
        assert_eq!(came.next(), Some(Came::Unread("the share is away".into())));
        assert!(!reader.open.unwrap().behind, "it is not tried without an end");
    }
}
