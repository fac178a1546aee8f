//! The shapes of one record (FORMATS.md 8), each told from a single line. Pure: bytes in, the parts of them that were
//! recognised out, none of them copied. Called by `log::scan`, which knows lines, continuation and bounds.

mod classic;
mod cmtrace;
mod dollar;
mod export;
mod iso;
mod scan;
mod stamp;

pub use cmtrace::{CLOSER, OPENER, Tail, attributes, find_tail};
pub use stamp::Stamp;

use super::Level;
use crate::text::SafeText;

/// What a line says that is a record, or begins one.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When, still as local time and offset.
    pub stamp: Stamp,
    /// The same as it was written.
    pub time: &'a [u8],
    /// What wrote it.
    pub component: &'a [u8],
    /// The thread as it was written: a hexadecimal number, or both `209 (0xD1)`.
    pub thread: &'a [u8],
    /// The text.
    pub text: &'a [u8],
    /// A tilde in the text is a line break.
    pub tildes: bool,
}

/// Recognises a line of the formats that have one record a line. `None`: it is none of them.
pub fn one_line(line: &[u8]) -> Option<Line<'_>> {
    match line.first()? {
        b'[' => classic::read(line),
        _ => None,
    }
    .or_else(|| dollar::read(line))
    .or_else(|| export::read(line))
}

/// Whether a line that begins with these bytes is a record or begins one, whatever follows: told for nearly all of format A.
pub fn begins_classic(bytes: &[u8]) -> bool {
    classic::begins(bytes)
}

/// Recognises plain text that begins with an ISO 8601 time.
pub fn iso(line: &[u8]) -> Option<Line<'_>> {
    iso::read(line)
}

impl<'a> Line<'a> {
    /// The lines of its text.
    pub fn lines(&self) -> Vec<&'a [u8]> {
        if self.tildes { dollar::broken_at_tildes(self.text) } else { vec![self.text] }
    }
}

/// `112` is hexadecimal, `209 (0xD1)` gives both.
pub fn thread_in_decimal(thread: &[u8]) -> SafeText {
    let text = String::from_utf8_lossy(thread);
    let text = text.trim();
    if let Some((decimal, _)) = text.split_once(" (0x") {
        return SafeText::new(decimal.trim());
    }
    match u64::from_str_radix(text, 16) {
        Ok(number) => SafeText::new(&number.to_string()),
        Err(_) => SafeText::from_bytes(thread.trim_ascii()),
    }
}

/// The level of format E's `type`: unknown values are information.
fn level_of_type(value: &[u8]) -> Level {
    match value.trim_ascii() {
        b"0" => Level::Verbose,
        b"2" => Level::Warning,
        b"3" => Level::Error,
        _ => Level::Info,
    }
}
