//! One record of a log as everything above the formats sees it, whatever it was written by.

use crate::clock::{Wall, Zone};
use crate::text::SafeText;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// How much a record matters. In order, so that a filter is a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Type 0 of format E.
    Verbose,
    /// Type 1, and whatever says nothing else.
    Info,
    /// Type 2.
    Warning,
    /// Type 3.
    Error,
}

impl Level {
    /// The level of a record that carries none, from its words (FORMATS.md 8).
    pub fn of_words(text: &str) -> Level {
        let text = text.to_ascii_lowercase();
        let fails = text.match_indices("fail").any(|(at, _)| !text[at..].starts_with("failover"));
        if text.contains("error") || fails {
            Level::Error
        } else if text.contains("warn") {
            Level::Warning
        } else {
            Level::Info
        }
    }

    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Level::Verbose => "verbose",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

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
}

impl Record {
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
