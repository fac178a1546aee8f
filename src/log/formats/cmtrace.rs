//! Format E: `<![LOG[text]LOG]!><time="…" date="…" component="…" context="…" type="…" thread="…" file="…">`. Its text may
//! run over lines and may hold anything, so what counts is the tail: the end mark and a whole list of attributes.

use super::{Stamp, level_of_type};
use crate::log::Level;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What a record begins with.
pub const OPENER: &[u8] = b"<![LOG[";
/// What ends its text.
pub const CLOSER: &[u8] = b"]LOG]!>";

// Both keep a line full of almost-ends from being read again and again.
const MOST_ATTRIBUTES: usize = 16;
const LONGEST_VALUE: usize = 1024;

static FIND_CLOSER: LazyLock<Finder> = LazyLock::new(|| Finder::new(CLOSER));

/// The end of a record: where its text ends, what its attributes say, what follows on the same line.
#[derive(Debug, Clone, Copy)]
pub struct Tail<'a> {
    /// Bytes of text before the end mark.
    pub text_end: usize,
    /// When, as it was written.
    pub date: &'a [u8],
    /// The same.
    pub time: &'a [u8],
    /// What wrote it.
    pub component: &'a [u8],
    /// From `type`.
    pub level: Level,
    /// As written.
    pub thread: &'a [u8],
    /// From `file`.
    pub source: &'a [u8],
    /// Another record that follows without a line break; empty if there is none.
    pub rest: &'a [u8],
}

impl Tail<'_> {
    /// When.
    pub fn stamp(&self) -> Stamp {
        Stamp::cmtrace(&String::from_utf8_lossy(self.date), &String::from_utf8_lossy(self.time))
    }
}

/// Finds the first end mark whose attributes are whole and run to the end of the line or to another record. Text that
/// holds an end mark, or something like attributes, does not end there.
pub fn find_tail(line: &[u8]) -> Option<Tail<'_>> {
    let mut from = 0;
    while let Some(at) = FIND_CLOSER.find(&line[from..]) {
        let text_end = from + at;
        if let Some(tail) = attributes(&line[text_end + CLOSER.len()..], text_end) {
            return Some(tail);
        }
        from = text_end + 1;
    }
    None
}

/// The attributes after an end mark that stands at `text_end`; `None` where they are not whole.
pub fn attributes(line: &[u8], text_end: usize) -> Option<Tail<'_>> {
    let mut rest = line.strip_prefix(b"<")?;
    let (mut time, mut date) = (None, None);
    let mut tail = Tail {
        text_end,
        date: b"",
        time: b"",
        component: b"",
        level: Level::Info,
        thread: b"",
        source: b"",
        rest: b"",
    };
    for _ in 0..=MOST_ATTRIBUTES {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b">") {
            let after_blanks = after.trim_ascii_start();
            if !(after_blanks.is_empty() || after_blanks.starts_with(OPENER)) {
                return None;
            }
            tail.rest = after_blanks;
            (tail.date, tail.time) = (date?, time?);
            return Some(tail);
        }
        let equals = rest.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_')?;
        let (key, after) = rest.split_at(equals);
        let after = after.strip_prefix(b"=\"")?;
        let quote = memchr::memchr(b'"', &after[..after.len().min(LONGEST_VALUE)])?;
        let value = &after[..quote];
        rest = &after[quote + 1..];
        let is = |name: &[u8]| key.eq_ignore_ascii_case(name);
        match key.len() {
            4 if is(b"time") => time = Some(value),
            4 if is(b"date") => date = Some(value),
            4 if is(b"type") => tail.level = level_of_type(value),
            4 if is(b"file") => tail.source = value,
            6 if is(b"thread") => tail.thread = value,
            9 if is(b"component") => tail.component = value,
            _ => {}
        }
    }
    None
}
