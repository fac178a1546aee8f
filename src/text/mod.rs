//! `SafeText`: the only text that drawing, printing and log writing accept. It is made where bytes enter, so that no
//! byte from a share, a package, a log, the user table or an operator steers a terminal or forges a row
//! (PROMISES.md 6, P13). Making it twice changes nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Text that is safe to send to any terminal: one line, no control, format or invisible characters.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeText(String);

impl SafeText {
    /// Makes any text safe. Line breaks appear as `^J`; use [`SafeText::lines`] to keep them as lines.
    pub fn new(raw: &str) -> Self {
        Self(raw.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
    }

    /// Makes bytes safe: what is not UTF-8 appears as `\xNN`.
    pub fn from_bytes(raw: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(raw))
    }

    /// The text, one safe line for each of its lines (LF, CRLF).
    pub fn lines(raw: &str) -> Vec<SafeText> {
        raw.lines().map(SafeText::new).collect()
    }

    /// The safe characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// No characters at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        SafeText::new(raw)
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        SafeText::new(&raw)
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
        String::deserialize(d).map(|s| SafeText::new(&s))
    }
}
