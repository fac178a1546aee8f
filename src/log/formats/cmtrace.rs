//! Format E: `<![LOG[text]LOG]!><time="…" date="…" component="…" context="…" type="…" thread="…" file="…">`. Its text may
//! run over lines and may hold anything, so what counts is the tail: the end mark and a whole list of attributes.

use super::{Stamp, level_of_type};
use crate::log::Level;
use crate::text::SafeText;

/// What a record begins with.
pub const OPENER: &[u8] = b"<![LOG[";
/// What ends its text.
pub const CLOSER: &[u8] = b"]LOG]!>";

// Both keep a line full of almost-ends from being read again and again.
const MOST_ATTRIBUTES: usize = 16;
const LONGEST_VALUE: usize = 1024;

/// The end of a record: where its text ends, what its attributes say, what follows on the same line.
#[derive(Debug)]
pub struct Tail<'a> {
    /// Bytes of text before the end mark.
    pub text_end: usize,
    /// When.
    pub stamp: Stamp,
    /// What wrote it.
    pub component: SafeText,
    /// From `type`.
    pub level: Level,
    /// As written.
    pub thread: SafeText,
    /// From `file`.
    pub source: SafeText,
    /// Another record that follows without a line break; empty if there is none.
    pub rest: &'a [u8],
}

/// Finds the first end mark whose attributes are whole and run to the end of the line or to another record. Text that
/// holds an end mark, or something like attributes, does not end there.
pub fn find_tail(line: &[u8]) -> Option<Tail<'_>> {
    let mut from = 0;
    while let Some(at) = find(&line[from..], CLOSER) {
        let text_end = from + at;
        if let Some(tail) = attributes(&line[text_end + CLOSER.len()..], text_end) {
            return Some(tail);
        }
        from = text_end + 1;
    }
    None
}

/// Where `what` begins in `bytes`.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn attributes(line: &[u8], text_end: usize) -> Option<Tail<'_>> {
    let mut rest = line.strip_prefix(b"<")?;
    let (mut time, mut date) = (None, None);
    let mut tail = Tail {
        text_end,
        stamp: Stamp::default(),
        component: SafeText::default(),
        level: Level::Info,
        thread: SafeText::default(),
        source: SafeText::default(),
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
            tail.stamp = Stamp::cmtrace(&String::from_utf8_lossy(date?), &String::from_utf8_lossy(time?));
            return Some(tail);
        }
        let equals = rest.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_')?;
        let (key, after) = rest.split_at(equals);
        let after = after.strip_prefix(b"=\"")?;
        let quote = after.iter().take(LONGEST_VALUE).position(|b| *b == b'"')?;
        let value = &after[..quote];
        rest = &after[quote + 1..];
        match key.to_ascii_lowercase().as_slice() {
            b"time" => time = Some(value),
            b"date" => date = Some(value),
            b"component" => tail.component = SafeText::from_bytes(value),
            b"type" => tail.level = level_of_type(&String::from_utf8_lossy(value)),
            b"thread" => tail.thread = SafeText::from_bytes(value),
            b"file" => tail.source = SafeText::from_bytes(value),
            _ => {}
        }
    }
    None
}
