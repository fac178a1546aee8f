//! Format F: what the original viewer puts on the clipboard, `text⇥COMPONENT⇥1/12/99 4:49:44 PM⇥6E⇥`.

use super::{Line, Stamp};

pub fn read(line: &[u8]) -> Option<Line<'_>> {
    let line = line.strip_suffix(b"\t").unwrap_or(line);
    let (rest, thread) = last_field(line)?;
    let (rest, time) = last_field(rest)?;
    let stamp = Stamp::export(std::str::from_utf8(time).ok()?)?;
    let (text, component) = last_field(rest)?;
    std::str::from_utf8(thread).ok()?;
    Some(Line { stamp, time, component, thread, text, tildes: false })
}

/// What stands before the last tab, and after it.
fn last_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(b'\t', line)?;
    Some((&line[..at], &line[at + 1..]))
}
