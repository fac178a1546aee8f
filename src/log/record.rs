//! One record of a log as everything above the formats sees it, whatever it was written by.

use super::Level;
use super::encoding::readable;
use super::scan::Span;
use crate::clock::{Wall, Zone};
use crate::text::{MAX_BYTES, SafeText};
use chrono::NaiveDateTime;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// One record. As JSON it is the document of `pcm log --json` (DESIGN.md 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The file's name, as it is shown.
    pub file: SafeText,
    /// Its first line in that file, from 1. 0: not known, because only the end of a very large file was read.
    pub line: u64,
    /// When, if the record says so.
    pub time: Option<Wall>,
    /// Whether `time` follows the record's own offset from UTC. If not, this machine's zone was used.
    pub offset_trusted: bool,
    /// What wrote it; empty where nothing is named.
    pub component: SafeText,
    /// How much it matters.
    pub level: Level,
    /// The thread in decimal, or as it was written.
    pub thread: SafeText,
    /// Source file and line, as `x.cpp:12`.
    pub source: SafeText,
    /// Its lines; never none, though the only one may be empty. As JSON one string with line breaks.
    #[serde(serialize_with = "as_one_string")]
    pub text: Vec<SafeText>,
    /// The time as it was written, with what there is of an offset.
    pub time_text: SafeText,
    /// `time`, or that of the record above it in the same file: where to put it among those of other files.
    #[serde(skip)]
    pub near: Option<Wall>,
    /// The byte of the file that it begins with, where that is known.
    #[serde(skip)]
    pub at: Option<u64>,
}

impl Record {
    /// What is shown of a record that was found in `bytes`, on `line` of `file`. So many bytes of its text are not among
    /// them because it is too long; that is said where the text is cut.
    pub fn of(span: &Span, bytes: &[u8], missing: u64, file: &SafeText, line: u64, zone: &Zoned) -> Record {
        let facts = span.facts(bytes);
        let (time, offset_trusted) = facts.stamp.resolve(zone.as_ref());
        let mut text = Vec::new();
        span.any_line(bytes, |line| {
            let whole = readable(line);
            text.push(SafeText::part_of(&whole, if line.len() > MAX_BYTES { missing } else { 0 }));
            false
        });
        while text.len() > 1 && text.last().is_some_and(SafeText::is_empty) {
            text.pop();
        }
        if text.is_empty() {
            text.push(SafeText::EMPTY);
        }
        Record {
            file: file.clone(),
            line,
            time,
            offset_trusted,
            component: SafeText::from_bytes(&readable(facts.component)),
            level: span.level,
            thread: facts.thread(),
            source: SafeText::from_bytes(&readable(facts.source)),
            text,
            time_text: facts.time_text(),
            near: time,
            at: None,
        }
    }

    /// The first line of the text.
    pub fn first_line(&self) -> &SafeText {
        static EMPTY: SafeText = SafeText::EMPTY;
        self.text.first().unwrap_or(&EMPTY)
    }

    /// The whole text with line breaks.
    #[cfg(test)]
    pub fn full_text(&self) -> String {
        self.text.iter().map(SafeText::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn as_one_string<S: Serializer>(lines: &[SafeText], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&lines.iter().map(SafeText::as_str).collect::<Vec<_>>().join("\n"))
}

/// How a local time becomes an instant; `None` where it cannot. The parser knows no zone data of its own.
pub type Zoned = Arc<dyn Fn(NaiveDateTime) -> Option<Wall> + Send + Sync>;

/// [`Zoned`] by the rules of a zone.
pub fn zoned(zone: Zone) -> Zoned {
    Arc::new(move |local| Some(zone.resolve(local).0))
}
