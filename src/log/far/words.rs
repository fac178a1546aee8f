//! What two pcm say to each other of logs. The side that tells begins with [`Hello`], and answers each [`Query`] until another
//! one comes.

use super::frame::frame_within;
use super::minutes::Minutes;
use crate::clock::Wall;
use crate::log::follow::Cursor;
use crate::log::{Level, Record};
use crate::text::SafeText;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::io;

/// So many lines are in one message at most.
pub const PAGE: usize = 250;
/// A query asks for so many at most.
pub const MOST_LINES: usize = 100_000;
/// So many bytes are in one message of lines at most: with what is said around it, a query of [`PAGE`] lines stays within
/// 60 KB.
pub const PAGE_BYTES: usize = 40 << 10;
/// Of more places nothing is said.
pub const MOST_CURSORS: usize = 64;
/// So many bytes of one record are told, tried one after the other until the message is short enough.
const CUTS: [usize; 6] = [usize::MAX, 16 << 10, 4 << 10, 1 << 10, 256, 64];

/// Which filters this pcm obeys, as [`Hello::filters`] says it: 1 those of [`More`].
pub const FILTERS: u32 = 1;

/// Who tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of pcm there.
    pub pcm: SafeText,
    /// Its own host name.
    pub host: SafeText,
    /// What its clock says at this moment.
    pub now: Wall,
    /// Its time zone.
    pub zone: SafeText,
    /// Its log files, with their sizes in bytes.
    pub files: Vec<(SafeText, u64)>,
    /// Which filters it obeys ([`FILTERS`]); 0: not those of [`More`], which it would not even notice.
    #[serde(default)]
    pub filters: u32,
}

impl Hello {
    /// The flags of a query that the pcm there would not obey.
    pub fn unknown(&self, query: &Query) -> Vec<&'static str> {
        if self.filters < FILTERS { query.more.flags() } else { Vec::new() }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Ends what is being answered, and begins with this.
    Query(Box<Query>),
    /// Ends what is being answered.
    Cancel,
}

/// The records that are wanted: the flags of `pcm log`, its times as instants of the clock there. What is not known is refused:
/// a filter that is not obeyed would tell too much.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// What answers carry.
    pub id: u64,
    /// `--grep`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// `--invert-match`
    pub invert: bool,
    /// `--level`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// `--component`, given once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// `--request`, given once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Filters that came later.
    #[serde(skip_serializing_if = "More::is_empty")]
    pub more: More,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Wall>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// The last so many; 0: none, which with `counts` counts them.
    pub lines: usize,
    /// Counts of all of them.
    pub counts: bool,
    /// What is added, too.
    pub follow: bool,
    /// Those from these places on, or with `back` those before them. With none: those at the end of the logs.
    pub from: Vec<Cursor>,
    /// The direction of a page.
    pub back: bool,
}

/// Filters that a pcm obeys whose [`Hello`] says so. Of each kind one is enough; none of those that begin with `not` may hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct More {
    /// `--not-grep`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_grep: Vec<String>,
    /// `--component`, given several times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// `--not-component`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_components: Vec<String>,
    /// `--thread`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<String>,
    /// `--not-thread`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_threads: Vec<String>,
    /// `--request`, given several times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    /// `--not-request`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_requests: Vec<String>,
}

impl More {
    /// There is none of them.
    pub fn is_empty(&self) -> bool {
        self.flags().is_empty()
    }

    /// The flags that they were given with.
    pub fn flags(&self) -> Vec<&'static str> {
        let all = [
            ("--not-grep", &self.not_grep),
            ("more than one --component", &self.components),
            ("--not-component", &self.not_components),
            ("--thread", &self.threads),
            ("--not-thread", &self.not_threads),
            ("more than one --request", &self.requests),
            ("--not-request", &self.not_requests),
        ];
        all.into_iter().filter(|(_, given)| !given.is_empty()).map(|(flag, _)| flag).collect()
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// Once, first.
    Hello(Hello),
    /// It goes on, and has not found anything yet.
    Busy(u64),
    /// Some lines, in the order of their times.
    Lines(Lines),
    /// Lines may be missing here.
    Gap(Said),
    /// Something cannot be read.
    Problem(Said),
    /// All counts.
    Counts(u64, Minutes),
    /// All was told.
    Done(Done),
    /// What is asked cannot be answered.
    Refused(u64, SafeText),
}

/// Some lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Of which query.
    pub id: u64,
    /// Oldest first.
    pub lines: Vec<Line>,
    /// From where somebody would read on who has all that was told so far; only the places that are others than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<Cursor>,
    /// The lines that follow belong to it, whatever is said of gaps before them: the places are told with the last ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Something about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Of which query.
    pub id: u64,
    /// Which file.
    pub file: SafeText,
    /// What.
    pub message: SafeText,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Of which query.
    pub id: u64,
    /// There may be older ones that were not asked for.
    pub older: bool,
    /// From where those are, for a query with `back`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<Cursor>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    #[serde(rename = "f")]
    file: SafeText,
    /// Milliseconds since 1970.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    /// Of the record above it, where it has no time.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    near: Option<i64>,
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    offset_trusted: bool,
    #[serde(rename = "c", default, skip_serializing_if = "SafeText::is_empty")]
    component: SafeText,
    #[serde(rename = "l")]
    level: Level,
    #[serde(rename = "h", default, skip_serializing_if = "SafeText::is_empty")]
    thread: SafeText,
    #[serde(rename = "s", default, skip_serializing_if = "SafeText::is_empty")]
    source: SafeText,
    #[serde(rename = "w", default, skip_serializing_if = "SafeText::is_empty")]
    time_text: SafeText,
    /// The byte that it begins with.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    line: u64,
    #[serde(rename = "x")]
    text: Vec<SafeText>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl From<Record> for Line {
    fn from(record: Record) -> Line {
        let milliseconds = |at: Option<Wall>| at.map(|at| at.timestamp_millis());
        let near = if record.time.is_none() { milliseconds(record.near) } else { None };
        Line {
            file: record.file,
            time: milliseconds(record.time),
            near,
            offset_trusted: record.offset_trusted,
            component: record.component,
            level: record.level,
            thread: record.thread,
            source: record.source,
            time_text: record.time_text,
            at: record.at,
            line: record.line,
            text: record.text,
        }
    }
}

impl From<Line> for Record {
    fn from(line: Line) -> Record {
        let instant = |at: Option<i64>| at.and_then(DateTime::from_timestamp_millis);
        let time = instant(line.time);
        let text = if line.text.is_empty() { vec![SafeText::EMPTY] } else { line.text };
        Record {
            file: line.file,
            line: line.line,
            time,
            offset_trusted: line.offset_trusted,
            component: line.component,
            level: line.level,
            thread: line.thread,
            source: line.source,
            text,
            time_text: line.time_text,
            near: time.or(instant(line.near)),
            at: line.at,
        }
    }
}

impl Line {
    /// The file that it is of.
    pub(super) fn file(&self) -> &SafeText {
        &self.file
    }

    /// The bytes that its text and its names take, with those of a line of it where nothing is on it.
    pub fn size(&self) -> usize {
        let names = [&self.file, &self.component, &self.thread, &self.source, &self.time_text];
        let bytes: usize = names.into_iter().chain(&self.text).map(|text| text.as_str().len()).sum();
        bytes + self.text.len() * size_of::<SafeText>()
    }

    /// The same with at most so many bytes of text, and of each name.
    fn cut(&self, most: usize) -> Line {
        let mut cut = self.clone();
        for name in [&mut cut.file, &mut cut.component, &mut cut.thread, &mut cut.source, &mut cut.time_text]
        {
            if name.as_str().len() > most {
                *name = shortened(name.as_str(), most, 0);
            }
        }
        let (mut room, mut kept) = (most, 0);
        for line in &self.text {
            // The end of the line before it counts: empty lines are something, too.
            let len = line.as_str().len() + usize::from(kept > 0);
            if len > room {
                room = room.saturating_sub(usize::from(kept > 0));
                break;
            }
            room -= len;
            kept += 1;
        }
        if kept == self.text.len() {
            return cut;
        }
        let after: u64 = self.text[kept + 1..].iter().map(|line| whole_len(line.as_str()) + 1).sum();
        cut.text.truncate(kept + 1);
        cut.text[kept] = shortened(self.text[kept].as_str(), room, after);
        cut
    }
}

/// What a text ends with that was cut before.
const CUT: &str = "<cut: ";
const CUT_END: &str = " more bytes>";

/// A text up to where it was cut, and how many bytes stood there.
fn parts(text: &str) -> (&str, u64) {
    let marked = text.strip_suffix(CUT_END).and_then(|text| text.rsplit_once(CUT));
    marked.and_then(|(text, count)| Some((text, count.parse().ok()?))).unwrap_or((text, 0))
}

fn whole_len(text: &str) -> u64 {
    let (text, missing) = parts(text);
    (text.len() as u64).saturating_add(missing)
}

pub(super) fn shortened(text: &str, most: usize, after: u64) -> SafeText {
    let (text, missing) = parts(text);
    let kept = &text[..text.floor_char_boundary(most)];
    let gone = ((text.len() - kept.len()) as u64).saturating_add(missing).saturating_add(after);
    if gone == 0 {
        return SafeText::new(text);
    }
    SafeText::of(format!("{kept}{CUT}{gone}{CUT_END}"))
}

/// Lines as frames, each of at most [`PAGE`] of them and [`PAGE_BYTES`]: what is too long loses its end and says how much. The
/// places go with the last one.
///
/// # Errors
/// They cannot be told as JSON.
pub fn frames_of(id: u64, lines: Vec<Line>, cursors: Vec<Cursor>) -> io::Result<Vec<Vec<u8>>> {
    pages(id, lines, Some(cursors))
}

/// The same of lines of which the places come with later ones.
///
/// # Errors
/// They cannot be told as JSON.
pub fn frames_before(id: u64, lines: Vec<Line>) -> io::Result<Vec<Vec<u8>>> {
    pages(id, lines, None)
}

fn pages(id: u64, lines: Vec<Line>, mut cursors: Option<Vec<Cursor>>) -> io::Result<Vec<Vec<u8>>> {
    let (mut frames, goes_on) = (Vec::new(), cursors.is_none());
    let mut rest = lines;
    loop {
        let later = rest.split_off(rest.len().min(PAGE));
        let more = goes_on || !later.is_empty();
        let cursors = if more { Vec::new() } else { cursors.take().unwrap_or_default() };
        let mut message = Lines { id, lines: std::mem::replace(&mut rest, later), cursors, more };
        let mut whole = None;
        for most in CUTS {
            message.lines = message.lines.iter().map(|line| line.cut(most)).collect();
            let Some(frame) = frame_within(&Tell::Lines(message.clone()))? else { continue };
            if frame.len() <= PAGE_BYTES || most == CUTS[CUTS.len() - 1] {
                whole = Some(frame);
                break;
            }
        }
        frames.extend(whole);
        if rest.is_empty() {
            return Ok(frames);
        }
    }
}
