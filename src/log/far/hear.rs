//! The side that asks: bytes of one host in, what they say out. Knows no connection: what was told before one was cut is not
//! asked for again, and what may be missing is told.

use super::frame::{Bad, Frames, frame};
use super::minutes::Minutes;
use super::words::{
    Ask, Done, Hello, Line, Lines, MOST_CURSORS, MOST_LINES, PAGE, Query, Said, Tell, shortened,
};
use crate::log::Record;
use crate::log::follow::Cursor;
use crate::text::SafeText;
use std::collections::{HashSet, VecDeque};
use std::io;

/// More bytes of lines than this are not held until their places come.
const MOST_HELD: usize = 64 << 20;
/// Of so many files something is said in one answer.
const MOST_SAID: usize = 1_000;
/// So many files a host may name in the lines of one answer, cut or not: of each is kept where it stands. One follows some dozen,
/// and of those come new ones, with the date in their names.
const MOST_NAMES: usize = 4_096;
/// So many bytes those names have.
const MOST_NAME_BYTES: usize = 1 << 20;
/// So many bytes of a sentence of another machine are told, and of a name.
const SENTENCE: usize = 500;

/// What a host told.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It is there. Now it can be asked.
    Hello(Hello),
    /// It goes on.
    Busy,
    /// Lines, in the order of their times.
    Lines(Vec<Record>),
    /// Lines of this file may be missing here.
    Gap(SafeText, SafeText),
    /// This file cannot be read.
    Problem(SafeText, SafeText),
    /// Counts of all of them.
    Counts(Minutes),
    /// All was told; whether there may be older ones.
    Done(bool),
    /// It will not answer, and why.
    Refused(SafeText),
}

/// One host that is asked.
#[derive(Debug)]
pub struct Hearing {
    frames: Frames,
    query: Query,
    greeted: bool,
    asked: bool,
    /// From where it is read on after a cut.
    cursors: Vec<Cursor>,
    /// Something of the answer was told.
    begun: bool,
    /// Lines whose places are still to come.
    held: Vec<Record>,
    /// Gaps among these, each before the line of this number.
    gaps: Vec<(usize, SafeText, SafeText)>,
    /// What is known by now and was not asked for yet.
    heard: VecDeque<Heard>,
    /// What came of this answer so far.
    told: Told,
    /// The files that lines of this answer are of, over all connections; and so many bytes.
    names: (HashSet<SafeText>, usize),
}

/// How much came of an answer.
#[derive(Debug, Default)]
struct Told {
    lines: usize,
    bytes: usize,
    said: usize,
}

impl Hearing {
    /// Nothing was heard yet.
    pub fn new() -> Hearing {
        Hearing {
            frames: Frames::of_teller(),
            query: Query::default(),
            greeted: false,
            asked: false,
            cursors: Vec::new(),
            begun: false,
            held: Vec::new(),
            gaps: Vec::new(),
            heard: VecDeque::new(),
            told: Told::default(),
            names: (HashSet::new(), 0),
        }
    }

    /// Takes the next bytes of the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// What to send for a query, which takes the place of the one before.
    ///
    /// # Errors
    /// It cannot be told as JSON.
    pub fn ask(&mut self, query: Query) -> io::Result<Vec<u8>> {
        let id = self.query.id + 1;
        self.query = Query { id, ..query };
        (self.asked, self.begun) = (true, false);
        (self.held, self.gaps, self.heard) = Default::default();
        (self.told, self.names) = (Told::default(), (HashSet::new(), 0));
        self.cursors.clone_from(&self.query.from);
        frame(&Ask::Query(Box::new(self.query.clone())))
    }

    /// The connection was cut, and there is another one.
    pub fn connected_again(&mut self) {
        self.frames = Frames::of_teller();
        (self.greeted, self.asked) = (false, false);
        // They come again.
        (self.held, self.gaps, self.told) = Default::default();
    }

    /// What to send after [`Heard::Hello`] of another connection: the rest of the same query.
    ///
    /// # Errors
    /// It cannot be told as JSON.
    pub fn ask_again(&mut self) -> io::Result<Vec<u8>> {
        self.query.id += 1;
        self.asked = true;
        let mut rest = self.query.clone();
        if self.begun {
            rest.from.clone_from(&self.cursors);
        }
        frame(&Ask::Query(Box::new(rest)))
    }

    /// What it said, if it ended before it greeted.
    pub fn unfinished(&self) -> SafeText {
        if self.greeted { SafeText::EMPTY } else { self.frames.unfinished() }
    }

    /// What the bytes so far say.
    ///
    /// # Errors
    /// The other side is no pcm that this one understands: nothing more is read of it.
    pub fn next(&mut self) -> Result<Option<Heard>, Bad> {
        if let Some(heard) = self.heard.pop_front() {
            return Ok(Some(heard));
        }
        while let Some(json) = self.frames.next()? {
            // Its own words stand in what is wrong with them.
            let told: Tell = serde_json::from_slice(&json)
                .map_err(|e| Bad::NoMessage(short(SafeText::new(&e.to_string()))))?;
            if let Some(heard) = self.hear(told)? {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    fn hear(&mut self, told: Tell) -> Result<Option<Heard>, Bad> {
        if let Tell::Hello(hello) = told {
            if std::mem::replace(&mut self.greeted, true) {
                return Err(Bad::OutOfTurn("a second greeting"));
            }
            let [pcm, host, zone] = [hello.pcm, hello.host, hello.zone].map(short);
            return Ok(Some(Heard::Hello(Hello { pcm, host, zone, ..hello })));
        }
        if !self.greeted || !self.asked {
            return Err(Bad::OutOfTurn("an answer"));
        }
        let now = self.query.id;
        // What is left of an answer that is not wanted any more.
        let is_now = |id: u64| id == now;
        Ok(match told {
            Tell::Hello(_) => None,
            Tell::Busy(id) => is_now(id).then_some(Heard::Busy),
            Tell::Lines(Lines { id, lines, cursors, more }) => {
                if !is_now(id) {
                    return Ok(None);
                }
                let Told { lines: count, bytes, .. } = &mut self.told;
                *bytes = bytes.saturating_add(lines.iter().map(Line::size).sum());
                *count = count.saturating_add(lines.len());
                if !self.query.follow && *count > self.query.lines
                    || lines.len() > PAGE
                    || cursors.len() > MOST_CURSORS
                    || self.held.len() > MOST_LINES
                    || *bytes > MOST_HELD
                {
                    return Err(Bad::TooManyLines);
                }
                if self.query.follow && !more {
                    // It has no end, and what was shown is not held.
                    *bytes = 0;
                }
                self.named(&lines)?;
                self.held.extend(lines.into_iter().map(Record::from));
                if !more {
                    self.begun = true;
                    for cursor in cursors {
                        self.cursors.retain(|known| known.id() != cursor.id());
                        self.cursors.push(cursor);
                    }
                    self.forget_cursors();
                    self.set_heard();
                }
                self.heard.pop_front()
            }
            Tell::Gap(said) if is_now(said.id) => {
                let (file, message) = self.said(said)?;
                if self.held.is_empty() && self.gaps.is_empty() {
                    return Ok(Some(Heard::Gap(file, message)));
                }
                // Where it stands among lines whose places are still to come: it comes again with them if they do.
                let bytes = self.told.bytes.saturating_add(size_of::<SafeText>() + SENTENCE);
                if bytes > MOST_HELD {
                    return Err(Bad::TooManyLines);
                }
                self.told.bytes = bytes;
                self.gaps.push((self.held.len(), file, message));
                None
            }
            Tell::Problem(said) if is_now(said.id) => {
                let (file, message) = self.said(said)?;
                Some(Heard::Problem(file, message))
            }
            Tell::Gap(_) | Tell::Problem(_) => None,
            Tell::Counts(id, minutes) => {
                if !minutes.is_sound() {
                    return Err(Bad::TooManyLines);
                }
                is_now(id).then_some(Heard::Counts(minutes))
            }
            Tell::Done(Done { id, older, .. }) => is_now(id).then_some(Heard::Done(older)),
            // What it cannot even read has no number.
            Tell::Refused(id, why) => (is_now(id) || id == 0).then(|| Heard::Refused(short(why))),
        })
    }

    /// These lines are of files that are known, or there is room for more of them.
    fn named(&mut self, lines: &[Line]) -> Result<(), Bad> {
        let (names, bytes) = &mut self.names;
        for line in lines {
            if !names.contains(line.file()) {
                *bytes += line.file().as_str().len();
                names.insert(line.file().clone());
                if names.len() > MOST_NAMES || *bytes > MOST_NAME_BYTES {
                    return Err(Bad::TooManyFiles);
                }
            }
        }
        Ok(())
    }

    /// Of more files than are read on those are forgotten first that another one follows under the same name, then those of which
    /// nothing was told for the longest time: what is forgotten is read from its beginning.
    fn forget_cursors(&mut self) {
        while self.cursors.len() > MOST_CURSORS {
            let is_old =
                |at: &usize| self.cursors[at + 1..].iter().any(|later| later.file == self.cursors[*at].file);
            let first = (0..self.cursors.len()).find(is_old).unwrap_or(0);
            self.cursors.remove(first);
        }
    }

    /// What was held is known to be whole: lines and gaps in their order.
    fn set_heard(&mut self) {
        let mut lines = std::mem::take(&mut self.held).into_iter();
        let mut at = 0;
        for (before, file, message) in std::mem::take(&mut self.gaps) {
            if before > at {
                self.heard.push_back(Heard::Lines(lines.by_ref().take(before - at).collect()));
                at = before;
            }
            self.heard.push_back(Heard::Gap(file, message));
        }
        let rest: Vec<Record> = lines.collect();
        if !rest.is_empty() || self.heard.is_empty() {
            self.heard.push_back(Heard::Lines(rest));
        }
    }

    /// A sentence about a file: of one answer as many as it may have files.
    fn said(&mut self, said: Said) -> Result<(SafeText, SafeText), Bad> {
        self.told.said += 1;
        if self.told.said > MOST_SAID && !self.query.follow {
            return Err(Bad::TooMuchSaid);
        }
        Ok((short(said.file), short(said.message)))
    }
}

/// What another machine says, as long as a sentence may be.
fn short(said: SafeText) -> SafeText {
    if said.as_str().len() > SENTENCE { shortened(said.as_str(), SENTENCE, 0) } else { said }
}
