//! The words between the log view and the thread that reads one log file as a whole (`drivers::whole`): what is wanted of
//! it, and what came. A place is the byte of the file at which a record begins.

use super::logline::LogLine;
use super::terms::Term;
use crate::clock::Wall;
use crate::log::Level;
use crate::log::histogram::Bucket;
use crate::safe;
use crate::text::SafeText;
use std::path::PathBuf;
use std::sync::Arc;

/// Something that is wanted. The newest one counts: whatever is under way for another ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Unlike all others.
    pub id: u64,
    /// The file, by the name that its lines have.
    pub file: SafeText,
    /// Whoever asks comes from the newest lines: the file that has the name now is meant, not one that had it before.
    pub fresh: bool,
    /// Which records count.
    pub only: Only,
    /// What.
    pub what: What,
}

/// What is on its way.
#[derive(Debug, Clone)]
pub struct Looking {
    /// The id of the question.
    pub id: u64,
    /// The file.
    pub file: SafeText,
    /// So many hundredths were gone through, as far as that was told.
    pub part: Option<u64>,
    /// Somebody waits for it; the next key ends it.
    pub waited: bool,
    /// Which records counted when it was asked.
    pub only: Only,
    /// What.
    pub what: What,
}

/// Which records count: all conditions have to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Only {
    /// Those of this level or above.
    pub level: Level,
    /// What these let pass.
    pub filters: Vec<Term>,
    /// Those in which this pattern is found.
    pub text: Option<SafeText>,
    /// Also those that only say that a poll was made.
    pub polls: bool,
}

impl Only {
    /// Every record counts.
    pub fn is_all(&self) -> bool {
        self.level == Level::Verbose && self.filters.is_empty() && self.text.is_none() && self.polls
    }
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Its size and counts; more came to it, perhaps.
    Stats,
    /// The records around a place.
    Around(Spot),
    /// Records before this place.
    Older(u64),
    /// Records from this place on.
    Newer(u64),
    /// The records around the next one in a direction that this is found in, beyond the last to the first.
    Find {
        /// From here.
        from: Spot,
        /// Towards the end.
        forward: bool,
        /// What.
        what: Sought,
    },
    /// All records that count, as text in a new file of this name, as it was typed.
    Save(String),
    /// Nothing any more.
    Stop,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Spot {
    /// Its beginning.
    Start,
    /// Where a record begins.
    Place(u64),
    /// The first record that was written then or later.
    Time(Wall),
    /// The record that this line is of, from 1.
    Line(u64),
    /// So many hundredths of its records are before it.
    Part(u8),
    /// A record that is on the screen, by its time and its first line.
    Like(Option<Wall>, SafeText),
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Sought {
    /// A regular expression.
    Text(SafeText),
    /// An error or a warning.
    Fault,
}

/// Some words about a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Records found so far.
    pub records: u64,
    /// Lines found so far.
    pub lines: u64,
    /// Errors among the records.
    pub errors: u64,
    /// Warnings among them.
    pub warnings: u64,
    /// Bytes gone through.
    pub read: u64,
    /// Bytes of the file.
    pub size: u64,
    /// The rest of it could not be read.
    pub stopped: bool,
    /// The file has another name by now, or none.
    pub renamed: bool,
    /// Errors and warnings by time.
    pub bars: Arc<Vec<Bucket>>,
}

impl Stats {
    /// How much was gone through, in hundredths; `None`: all of it.
    pub fn part(&self) -> Option<u64> {
        (self.read < self.size).then(|| self.read.saturating_mul(100) / self.size.max(1))
    }
}

/// A record with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it begins.
    pub place: u64,
    /// Its line in the file; 0: not known yet.
    pub line: u64,
    /// What is shown of it.
    pub lines: Vec<LogLine>,
}

/// What was written to a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The file, from the root of its file system on.
    pub path: PathBuf,
    /// Lines in it.
    pub lines: usize,
    /// Bytes in it.
    pub bytes: usize,
}

impl Saved {
    /// What is said of it.
    pub fn words(&self) -> SafeText {
        safe!("saved {} lines, {} bytes, to {}", self.lines, self.bytes, self.path.display())
    }
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The id of the question.
    pub id: u64,
    /// The file.
    pub file: SafeText,
    /// What.
    pub came: Came,
}

/// The same.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// What is known of the file.
    Stats(Stats),
    /// How many records count.
    Passing {
        /// Which.
        only: Only,
        /// So many, as far as it was gone through.
        passing: u64,
        /// So many hundredths of it; `None`: all.
        part: Option<u64>,
    },
    /// Beside what is asked, going through the file came to an end before the file does.
    Unread(SafeText),
    /// So many hundredths were gone through.
    Progress(u64),
    /// Records around a place.
    Window {
        /// The records.
        rows: Vec<Row>,
        /// No record that counts is between here and the first of them.
        above: u64,
        /// The same below the last.
        below: u64,
        /// Nothing is above.
        top: bool,
        /// Nothing is below.
        bottom: bool,
        /// The record at the place, or that was found.
        hit: Option<u64>,
        /// It was found beyond the end, from the other one.
        wrapped: bool,
    },
    /// Records before those that are here.
    Older {
        /// The records.
        rows: Vec<Row>,
        /// Looked through from here.
        above: u64,
        /// Nothing is above.
        top: bool,
    },
    /// Records after those that are here.
    Newer {
        /// The records.
        rows: Vec<Row>,
        /// Looked through up to here.
        below: u64,
        /// Nothing is below.
        bottom: bool,
    },
    /// It was written.
    Saved(Saved),
    /// Nothing was written, and why.
    Unsaved(SafeText),
    /// It is nowhere in the file.
    Nothing,
    /// What was known of the file holds no more: it was cut or written anew.
    Changed,
    /// It cannot be done.
    Failed(SafeText),
}
