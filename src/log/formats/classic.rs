//! Format A: `[04/09/97 17:11:08] Package Command Manager ==> text`, also with `=>`, or with no arrow at all.

use super::{Line, Stamp};
use crate::text::SafeText;

pub fn read(line: &[u8]) -> Option<Line> {
    let rest = line.strip_prefix(b"[")?;
    // The longest stamp is 19 characters; looking no further keeps long lines cheap.
    let end = rest.iter().take(24).position(|b| *b == b']')?;
    let stamp = Stamp::classic(std::str::from_utf8(&rest[..end]).ok()?)?;
    let rest = &rest[end + 1..];
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (component, text) = split_arrow(rest);
    Some(Line {
        stamp,
        component: SafeText::from_bytes(component.trim_ascii()),
        thread: SafeText::default(),
        text: vec![SafeText::from_bytes(text)],
    })
}

/// The component before the first arrow and the text after it.
fn split_arrow(rest: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = rest.windows(2).position(|pair| pair == b"=>") else { return (b"", rest) };
    let component = &rest[..at];
    let component = component.strip_suffix(b"=").unwrap_or(component);
    let text = &rest[at + 2..];
    (component, text.strip_prefix(b" ").unwrap_or(text))
}
