//! Format A: `[04/09/97 17:11:08] Package Command Manager ==> text`, also with `=>`, or with no arrow at all.

use super::{Line, Stamp};

pub fn read(line: &[u8]) -> Option<Line<'_>> {
    let (stamp, time, rest) = full_width(line).or_else(|| any_width(line))?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (component, text) = split_arrow(rest);
    Some(Line { stamp, time, component: component.trim_ascii(), thread: b"", text, tildes: false })
}

/// Whether a line begins with a time as nearly all have it.
pub fn begins(bytes: &[u8]) -> bool {
    full_width(bytes).is_some()
}

/// The time, as it is written, and what follows, as nearly all have it. None: there may still be one.
fn full_width(line: &[u8]) -> Option<(Stamp, &[u8], &[u8])> {
    let ([b'[', time @ .., b']'], rest) = line.split_first_chunk::<19>()? else { return None };
    Some((Stamp::classic_of_full_width(time)?, time, rest))
}

fn any_width(line: &[u8]) -> Option<(Stamp, &[u8], &[u8])> {
    let rest = line.strip_prefix(b"[")?;
    // The longest stamp is 19 characters; looking no further keeps long lines cheap.
    let end = rest.iter().take(24).position(|b| *b == b']')?;
    let time = &rest[..end];
    Some((Stamp::classic(std::str::from_utf8(time).ok()?)?, time, &rest[end + 1..]))
}

/// The component before the first arrow and the text after it.
fn split_arrow(rest: &[u8]) -> (&[u8], &[u8]) {
    let arrow = |at: &usize| rest.get(at + 1) == Some(&b'>');
    let Some(at) = memchr::memchr_iter(b'=', rest).find(arrow) else { return (b"", rest) };
    let component = &rest[..at];
    let component = component.strip_suffix(b"=").unwrap_or(component);
    let text = &rest[at + 2..];
    (component, text.strip_prefix(b" ").unwrap_or(text))
}
