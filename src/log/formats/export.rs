//! Format F: what the original viewer puts on the clipboard, `text⇥COMPONENT⇥1/12/99 4:49:44 PM⇥6E⇥`.

use super::{Line, Stamp};
use crate::text::SafeText;

pub fn read(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\t").unwrap_or(line);
    let mut fields = line.rsplitn(4, |b| *b == b'\t');
    let thread = std::str::from_utf8(fields.next()?).ok()?.trim();
    let time = std::str::from_utf8(fields.next()?).ok()?;
    let component = fields.next()?;
    let text = fields.next()?;
    let stamp = Stamp::export(time)?;
    let thread = match thread.split_once(" (0x") {
        Some((decimal, _)) => decimal.to_owned(),
        None => u64::from_str_radix(thread, 16).map_or_else(|_| thread.to_owned(), |n| n.to_string()),
    };
    Some(Line {
        stamp,
        component: SafeText::from_bytes(component),
        thread: SafeText::new(&thread),
        text: vec![SafeText::from_bytes(text)],
    })
}
