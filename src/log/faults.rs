//! Where warnings and errors may be: by the type at the end of a line of format E, which is all that most lines are asked,
//! and by the words of all others.

use super::Level;
use super::formats::{CLOSER, OPENER};
use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// Attributes after the type of format E are seldom longer.
const END: usize = 160;

static TYPE: LazyLock<Finder> = LazyLock::new(|| Finder::new(" type=\""));
static ANOTHER: LazyLock<Finder> = LazyLock::new(|| Finder::new(OPENER));
static MARK: LazyLock<Finder> = LazyLock::new(|| Finder::new(CLOSER));
static WARNINGS: LazyLock<Regex> = LazyLock::new(|| words("(?i-u)error|fail|warn|type=\"[ \t]*[23]"));
static ERRORS: LazyLock<Regex> = LazyLock::new(|| words("(?i-u)error|fail|type=\"[ \t]*3"));

fn words(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

/// The first place in some bytes that may be of a record of this level or above.
pub fn first(level: Level, bytes: &[u8]) -> Option<usize> {
    let words = match level {
        Level::Verbose | Level::Info => return (!bytes.is_empty()).then_some(0),
        Level::Warning => &WARNINGS,
        Level::Error => &ERRORS,
    };
    let mut from = 0;
    for end in memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let line = &bytes[from..end];
        if !is_below(level, line)
            && let Some(found) = words.find(line)
        {
            return Some(from + found.start());
        }
        from = (end + 1).min(bytes.len());
    }
    None
}

/// Whether a line is one record of format E, on this line alone, whose type says that it is below a level.
fn is_below(level: Level, line: &[u8]) -> bool {
    let Some(body) = line.strip_prefix(OPENER) else { return false };
    let end = &body[body.len().saturating_sub(END)..];
    // A value holds no quotes, so the last one is none within another; behind an end mark it is none of the text either.
    let Some(at) = TYPE.find_iter(end).last() else { return false };
    let below = match end.get(at + 7..at + 9) {
        Some(b"0\"" | b"1\"") => true,
        Some(b"2\"") => level > Level::Warning,
        _ => false,
    };
    let whole = end.trim_ascii_end().ends_with(b">") && MARK.find(&end[at..]).is_none();
    let alone = memchr(b'\r', body).is_none_or(|at| at + 1 == body.len()) && ANOTHER.find(body).is_none();
    below && whole && alone
}
