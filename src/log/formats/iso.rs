//! Plain text that begins with a time as ISO 8601 has it: `2026-11-28T17:00:00.5+01:00 text`, with a blank in place of the
//! `T`, a comma before the fraction, `Z`, or no offset at all.

use super::{Line, Stamp};

pub fn read(line: &[u8]) -> Option<Line<'_>> {
    // Told from everything else at the first bytes.
    if line.get(4) != Some(&b'-') || !line.first()?.is_ascii_digit() {
        return None;
    }
    let head = &line[..line.len().min(40)];
    let ascii = head.iter().position(|b| !b.is_ascii()).unwrap_or(head.len());
    let (stamp, len) = Stamp::iso(std::str::from_utf8(&head[..ascii]).ok()?)?;
    let (time, text) = line.split_at(len);
    let text = text.strip_prefix(b" ").unwrap_or(text);
    Some(Line { stamp, time, component: b"", thread: b"", text, tildes: false })
}
