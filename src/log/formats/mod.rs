//! The shapes of one record (FORMATS.md 8), each told from a single line. Pure: bytes in, what was recognised out.
//! Called by `log::parse`, which knows lines, continuation and bounds.

mod classic;
mod cmtrace;
mod dollar;
mod export;
mod scan;
mod stamp;

pub use cmtrace::{CLOSER, OPENER, Tail, find_tail};
pub use stamp::Stamp;

use super::Level;
use crate::text::SafeText;

/// What a line of the formats A, B, C, D or F says.
#[derive(Debug, Clone)]
pub struct Line {
    /// When, still as local time and offset.
    pub stamp: Stamp,
    /// What wrote it.
    pub component: SafeText,
    /// Thread in decimal, or as written.
    pub thread: SafeText,
    /// Lines of text: the tilde of the older formats is a line break.
    pub text: Vec<SafeText>,
}

/// Recognises a line of the formats that have one record a line. `None`: it is none of them.
pub fn one_line(line: &[u8]) -> Option<Line> {
    match line.first()? {
        b'[' => classic::read(line),
        _ => None,
    }
    .or_else(|| dollar::read(line))
    .or_else(|| export::read(line))
}

/// The level of format E's `type`: unknown values are information.
fn level_of_type(value: &str) -> Level {
    match value.trim() {
        "0" => Level::Verbose,
        "2" => Level::Warning,
        "3" => Level::Error,
        _ => Level::Info,
    }
}
