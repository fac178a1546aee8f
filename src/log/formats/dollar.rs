//! Formats B, C and D: `text~  $$<COMPONENT><time><thread=...>`, told apart by their time.

use super::{Line, Stamp};
use crate::text::SafeText;

pub fn read(line: &[u8]) -> Option<Line> {
    let line = line.trim_ascii_end();
    if !line.ends_with(b">") {
        return None;
    }
    let at = line.windows(3).rposition(|three| three == b"$$<")?;
    // Names of zones are in the code page of their time.
    let meta = String::from_utf8_lossy(&line[at + 2..]);
    let (component, rest) = bracket(&meta)?;
    let (time, rest) = bracket(rest)?;
    let (thread, rest) = bracket(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let thread = thread.strip_prefix("thread=")?;
    let time = time.trim_end_matches(['~', ' ']);
    let text = &line[..at];
    let (stamp, text) = match Stamp::asctime(time) {
        Some(stamp) => (stamp, broken_at_tildes(text)),
        // Short file names as PROGRA~1 are common in these, line breaks are not.
        None => (Stamp::server(time)?, vec![without_last_tilde(text)]),
    };
    Some(Line {
        stamp,
        component: SafeText::new(component),
        thread: thread_in_decimal(thread),
        text: text.into_iter().map(SafeText::from_bytes).collect(),
    })
}

/// `<...>` and what follows it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('<')?.split_once('>')
}

fn without_last_tilde(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    text.strip_suffix(b"~").unwrap_or(text)
}

/// A tilde is a line break, unless a digit follows, as in a short file name.
fn broken_at_tildes(text: &[u8]) -> Vec<&[u8]> {
    let text = without_last_tilde(text);
    let mut lines = Vec::new();
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'~' && !text.get(at + 1).is_some_and(u8::is_ascii_digit) {
            lines.push(&text[from..at]);
            from = at + 1;
        }
    }
    lines.push(&text[from..]);
    lines
}

/// `112` is hexadecimal, `209 (0xD1)` gives both.
fn thread_in_decimal(thread: &str) -> SafeText {
    let thread = thread.trim();
    if let Some((decimal, _)) = thread.split_once(" (0x") {
        return SafeText::new(decimal.trim());
    }
    match u64::from_str_radix(thread, 16) {
        Ok(number) => SafeText::new(&number.to_string()),
        Err(_) => SafeText::new(thread),
    }
}
