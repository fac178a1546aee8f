//! `SafeText`: the only text that drawing, printing and log writing accept. It is made where bytes enter, so that no
//! byte from a share, a package, a log, the user table or an operator steers a terminal or forges a row
//! (PROMISES.md 6, P13). `make` holds the rules, `cells` measures and cuts, `spoken` shows durations, instants and sizes,
//! `when` reads the times that operators write; `names` tells many hosts in a few words.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

mod cells;
mod make;
mod names;
mod spoken;
#[cfg(test)]
pub(crate) mod tests;
mod when;
mod words;

pub use cells::plain;
pub use make::{MAX_BYTES, MAX_MARKS};
pub use names::gathered;
pub use spoken::{bytes, duration, local, pair, parse_duration, short, short_pair, stamp, time, time_of_day};
pub use when::{Side, examples, parse_span, parse_time};
pub use words::{shell_word, split};

/// Text that is safe to send to any terminal: one line, no control, format or invisible characters, at most
/// [`MAX_BYTES`] bytes. Making it twice changes nothing.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeText(String);

// The evidence of most gates is empty, and where it is, nothing is to be copied.
impl Clone for SafeText {
    fn clone(&self) -> Self {
        if self.0.is_empty() { SafeText::EMPTY } else { SafeText(self.0.clone()) }
    }
}

impl SafeText {
    /// No text.
    pub const EMPTY: SafeText = SafeText(String::new());

    /// Makes any text safe. Line breaks appear as `^J`; use [`SafeText::lines`] to keep them as lines.
    ///
    /// Control characters appear as `^[`, C1 ones and everything invisible as `<U+0085>`, a tab as blanks to the next
    /// multiple of eight cells of this text, other kinds of blank as a blank, and a cluster on whose width terminals
    /// disagree as `?`; where it begins with a letter of ASCII, that stays, and what joins it is shown by its code.
    pub fn new(raw: &str) -> Self {
        Self(make::safe(raw))
    }

    /// The same, keeping the text itself where it is safe as it is.
    pub fn of(raw: String) -> Self {
        Self(if make::plain(&raw) { raw } else { make::safe(&raw) })
    }

    /// Makes bytes safe: what is not UTF-8 appears as `\xNN`, byte by byte.
    pub fn from_bytes(raw: &[u8]) -> Self {
        match std::str::from_utf8(raw) {
            Ok(text) => Self::new(text),
            Err(_) => Self::new(&make::with_bytes_shown(raw)),
        }
    }

    /// Makes bytes safe of which `missing` more stood where the text is cut. They are only counted in a text that is.
    pub fn part_of(raw: &[u8], missing: u64) -> Self {
        match std::str::from_utf8(raw) {
            Ok(text) if missing == 0 => Self::new(text),
            Ok(text) => Self(make::safe_part(text, missing)),
            Err(_) => Self(make::safe_part(&make::with_bytes_shown(raw), missing)),
        }
    }

    /// Appends to a text what [`SafeText::part_of`] makes.
    pub fn append_part(raw: &[u8], missing: u64, to: &mut String) {
        let plain =
            raw.len() <= MAX_BYTES && raw.iter().fold(true, |plain, b| plain & (0x20..0x7F).contains(b));
        match std::str::from_utf8(raw) {
            Ok(text) if plain => to.push_str(text),
            _ => to.push_str(Self::part_of(raw, missing).as_str()),
        }
    }

    /// The text, one safe line for each of its lines (LF, CRLF). A break at the very end starts no further line.
    pub fn lines(raw: &str) -> Vec<SafeText> {
        raw.lines().map(SafeText::new).collect()
    }

    /// The same for bytes.
    pub fn lines_of_bytes(raw: &[u8]) -> Vec<SafeText> {
        let mut lines: Vec<&[u8]> = raw.split(|b| *b == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        lines.into_iter().map(|line| SafeText::from_bytes(line.strip_suffix(b"\r").unwrap_or(line))).collect()
    }

    /// The safe characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// No characters at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The safe characters, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        SafeText::new(raw)
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        if make::plain(&raw) { Self(raw) } else { Self::new(&raw) }
    }
}

impl Serialize for SafeText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// Reading makes safe again: the other side of a socket is not trusted to have done it.
impl<'de> Deserialize<'de> for SafeText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(SafeText::of)
    }
}
