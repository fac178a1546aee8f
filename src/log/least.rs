//! What every line that matches a pattern holds at least, as a pattern that is quick to look for in all of a file at once:
//! without places (`^`, `$`, `\b`), within one line, and in whatever of UTF-8 and Windows-1252 a file is written.

use super::encoding::narrow;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};
use std::fmt::Write;

/// A class of more letters than this beyond ASCII is taken for any.
const FEW: usize = 4;

/// The pattern; `None`: it is no help, because anything matches it.
pub fn least(pattern: &str, folded: bool) -> Option<Regex> {
    let hir = regex_syntax::ParserBuilder::new()
        .case_insensitive(folded)
        .utf8(false)
        .build()
        .parse(pattern)
        .ok()?;
    if hir.properties().minimum_len().is_none_or(|len| len == 0) {
        return None;
    }
    let mut text = String::new();
    write(&hir, &mut text);
    RegexBuilder::new(&text).unicode(false).size_limit(1 << 20).build().ok()
}

fn write(hir: &Hir, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => text.chars().for_each(|c| letter(c, out)),
            Err(_) => literal.0.iter().for_each(|b| byte(*b, out)),
        },
        HirKind::Class(Class::Unicode(class)) => letters(class, out),
        HirKind::Class(Class::Bytes(class)) => {
            out.push('[');
            for range in class.iter() {
                byte(range.start(), out);
                out.push('-');
                byte(range.end(), out);
            }
            out.push_str("&&[^\\n]]");
        }
        HirKind::Repetition(repeated) => {
            out.push_str("(?:");
            write(&repeated.sub, out);
            let _ = match repeated.max {
                Some(max) => write!(out, "){{{},{max}}}", repeated.min),
                None => write!(out, "){{{},}}", repeated.min),
            };
        }
        HirKind::Capture(capture) => {
            out.push_str("(?:");
            write(&capture.sub, out);
            out.push(')');
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, out)),
        HirKind::Alternation(parts) => {
            out.push_str("(?:");
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    out.push('|');
                }
                write(part, out);
            }
            out.push(')');
        }
    }
}

fn byte(b: u8, out: &mut String) {
    let _ = write!(out, "\\x{b:02X}");
}

fn letter(c: char, out: &mut String) {
    if c.is_ascii() {
        let mut text = [0; 4];
        out.push_str(&regex_syntax::escape(c.encode_utf8(&mut text)));
        return;
    }
    out.push_str("(?:");
    c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| byte(b, out));
    if let Some(b) = narrow(c) {
        out.push('|');
        byte(b, out);
    }
    out.push(')');
}

fn letters(class: &ClassUnicode, out: &mut String) {
    let (mut ascii, mut others, mut many) = (String::new(), Vec::new(), false);
    for range in class.iter() {
        let (from, to) = (u32::from(range.start()), u32::from(range.end()));
        if from < 0x80 {
            let last = to.min(0x7F);
            let _ = write!(ascii, "\\x{from:02X}-\\x{last:02X}");
        }
        let first = from.max(0x80);
        if to >= first {
            many |= others.len() + (to - first) as usize >= FEW;
            if !many {
                others.extend((first..=to).filter_map(char::from_u32));
            }
        }
    }
    out.push_str("(?:");
    let mut or = "";
    if many {
        // A letter of UTF-8 has up to four bytes, one of Windows-1252 has one.
        let _ = write!(out, "[{ascii}\\x80-\\xFF&&[^\\n]][\\x80-\\xFF]{{0,3}}");
        or = "|";
    } else if !ascii.is_empty() {
        let _ = write!(out, "[{ascii}&&[^\\n]]");
        or = "|";
    }
    if !many {
        for c in others {
            out.push_str(or);
            letter(c, out);
            or = "|";
        }
    }
    if or.is_empty() {
        // No letter at all: nothing matches.
        out.push_str("[a&&b]");
    }
    out.push(')');
}
