//! Formats B, C and D: `text~  $$<COMPONENT><time><thread=...>`, told apart by their time.

use super::{Line, Stamp};

pub fn read(line: &[u8]) -> Option<Line<'_>> {
    let line = line.trim_ascii_end();
    if !line.ends_with(b">") {
        return None;
    }
    let at = memchr::memmem::rfind(line, b"$$<")?;
    let (component, rest) = bracket(&line[at + 2..])?;
    let (time, rest) = bracket(rest)?;
    let (thread, rest) = bracket(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let thread = thread.strip_prefix(b"thread=")?;
    // Names of zones are in the code page of their time.
    let words = String::from_utf8_lossy(time);
    let words = words.trim_end_matches(['~', ' ']);
    let kept = time.len().min(words.len());
    let time = if time.is_ascii() { &time[..kept] } else { time };
    let text = &line[..at];
    let (stamp, text, tildes) = match Stamp::asctime(words) {
        Some(stamp) => (stamp, text, true),
        // Short file names as PROGRA~1 are common in these, line breaks are not.
        None => (Stamp::server(words)?, without_last_tilde(text), false),
    };
    Some(Line { stamp, time, component, thread, text, tildes })
}

/// `<...>` and what follows it.
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', text)?;
    Some((&text[..end], &text[end + 1..]))
}

fn without_last_tilde(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    text.strip_suffix(b"~").unwrap_or(text)
}

/// A tilde is a line break, unless a digit follows, as in a short file name.
pub fn broken_at_tildes(text: &[u8]) -> Vec<&[u8]> {
    let text = without_last_tilde(text);
    let mut lines = Vec::new();
    let mut from = 0;
    for at in memchr::memchr_iter(b'~', text) {
        if !text.get(at + 1).is_some_and(u8::is_ascii_digit) {
            lines.push(&text[from..at]);
            from = at + 1;
        }
    }
    lines.push(&text[from..]);
    lines
}
