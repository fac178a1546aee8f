//! From the bytes that a terminal sends to keys and pastes; pure, the time is an argument. `drivers::keys` feeds it.
//!
//! It stands in for crossterm's reader, which loses a change of size or a key when both arrive at once (it leaves its
//! edge-triggered poll after the first), spins when the terminal is gone, and takes an arrow key whose bytes come one
//! by one over a slow line for Esc and letters.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::time::{Duration, Instant};

/// Longer sequences than this mean nothing to us.
const LONGEST: usize = 64;
/// Of a paste, what is beyond this is dropped.
const PASTE: usize = 64 * 1024;
/// A paste whose end does not come must not keep the keys.
const PASTE_END: Duration = Duration::from_secs(2);
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Collects bytes until they mean something.
#[derive(Debug)]
pub struct Decoder {
    held: Vec<u8>,
    /// Within a paste: what came so far.
    paste: Option<Vec<u8>>,
    /// When the newest bytes came; None: none have.
    since: Option<Instant>,
    /// How long an Esc waits for what would make it another key.
    patience: Duration,
}

impl Decoder {
    /// A decoder in which an Esc counts once nothing has followed it for so long.
    pub fn new(patience: Duration) -> Decoder {
        Decoder { held: Vec::new(), paste: None, since: None, patience }
    }

    /// How long to wait for more before [`Decoder::idle`] is to be called; None: nothing is held back.
    pub fn waits(&self, now: Instant) -> Option<Duration> {
        let limit = match (&self.paste, self.held.is_empty()) {
            (Some(_), _) => PASTE_END,
            (None, false) => self.patience,
            (None, true) => return None,
        };
        Some((self.since? + limit).saturating_duration_since(now))
    }

    /// Takes bytes that came at `now`.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Event>) {
        self.since = Some(now);
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let taken = if self.paste.is_some() { self.pasted(rest, out) } else { self.one(rest, out) };
            if taken == 0 {
                break;
            }
            rest = &rest[taken..];
        }
        self.held = rest.to_vec();
    }

    /// Nothing more came in time: what is held is taken for what it is by itself.
    pub fn idle(&mut self, now: Instant, out: &mut Vec<Event>) {
        if self.waits(now).is_none_or(|left| !left.is_zero()) {
            return;
        }
        let held = std::mem::take(&mut self.held);
        if let Some(mut paste) = self.paste.take() {
            paste.extend_from_slice(&held);
            out.push(Event::Paste(String::from_utf8_lossy(&paste).into_owned()));
        } else if held == b"\x1b" {
            out.push(key(KeyCode::Esc, KeyModifiers::NONE));
        } else if let [0x1b, b @ (b'[' | b'O')] = held[..] {
            out.push(key(KeyCode::Char(b.into()), KeyModifiers::ALT));
        }
        // Anything else was the beginning of something that never ended: noise of the line.
    }

    /// Takes bytes of a paste; how many.
    fn pasted(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> usize {
        let Some(paste) = self.paste.as_mut() else { return 0 };
        let end = bytes.windows(PASTE_ENDS.len()).position(|w| w == PASTE_ENDS);
        // Without the end, its first bytes may be the last ones here.
        let part = || (1..PASTE_ENDS.len()).rev().find(|n| bytes.ends_with(&PASTE_ENDS[..*n])).unwrap_or(0);
        let text = end.unwrap_or_else(|| bytes.len() - part());
        let room = PASTE.saturating_sub(paste.len());
        paste.extend_from_slice(&bytes[..text.min(room)]);
        if end.is_none() {
            return text;
        }
        let paste = self.paste.take().unwrap_or_default();
        out.push(Event::Paste(String::from_utf8_lossy(&paste).into_owned()));
        text + PASTE_ENDS.len()
    }

    /// Takes one key or sequence off the front; how many bytes it had, 0: there must come more.
    fn one(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> usize {
        if bytes[0] != 0x1b {
            return character(bytes, KeyModifiers::NONE, out);
        }
        match bytes.get(1) {
            None => 0,
            Some(b'[') => self.control(bytes, out),
            Some(b'O') => match bytes.get(2) {
                None => 0,
                Some(last) => {
                    let known = named(*last, KeyModifiers::NONE).or_else(|| keypad(*last));
                    out.push(known.unwrap_or_else(nameless));
                    3
                }
            },
            // Answers to questions that somebody else asked; they end with BEL or ST.
            Some(b']' | b'P' | b'_' | b'^' | b'X') => string(bytes),
            // Two in a row: the first one was a key by itself.
            Some(0x1b) => {
                out.push(key(KeyCode::Esc, KeyModifiers::NONE));
                1
            }
            Some(_) => match character(&bytes[1..], KeyModifiers::ALT, out) {
                0 => 0,
                n => n + 1,
            },
        }
    }

    /// `ESC [`, parameters, a last byte.
    fn control(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> usize {
        // The kernel's console calls F1 to F5 `ESC [ [ A` and so on.
        if bytes.get(2) == Some(&b'[') {
            let Some(last) = bytes.get(3) else { return 0 };
            out.push(match last {
                b'A'..=b'E' => key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE),
                _ => nameless(),
            });
            return 4;
        }
        let Some(end) = bytes[2..].iter().position(|b| !(0x20..=0x3f).contains(b)).map(|n| n + 2) else {
            return if bytes.len() > LONGEST { bytes.len() } else { 0 };
        };
        if bytes[..=end] == *PASTE_BEGINS {
            self.paste = Some(Vec::new());
            return end + 1;
        }
        let last = bytes[end];
        if !(0x40..=0x7e).contains(&last) {
            // Broken off by something else, which counts by itself.
            return end;
        }
        let parameters = &bytes[2..end];
        if parameters.first() == Some(&b'<') {
            out.extend(mouse(&parameters[1..], last));
            return end + 1;
        }
        let numbers = numbers(parameters);
        let modifiers = modifiers(numbers.get(1).copied().unwrap_or(1));
        out.extend(match (last, numbers.first()) {
            (b'~', Some(n)) => Some(numbered(*n, modifiers)),
            // What else ends so are answers to questions that somebody else asked.
            (b'~' | b'E' | b'u', _) => Some(nameless()),
            _ => named(last, modifiers),
        });
        end + 1
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

/// A key that has no name here. It is one all the same.
fn nameless() -> Event {
    key(KeyCode::Null, KeyModifiers::NONE)
}

/// A character or a control character.
fn character(bytes: &[u8], modifiers: KeyModifiers, out: &mut Vec<Event>) -> usize {
    let control = |c: u8| key(KeyCode::Char(c.into()), modifiers | KeyModifiers::CONTROL);
    let event = match bytes[0] {
        b'\r' => key(KeyCode::Enter, modifiers),
        b'\t' => key(KeyCode::Tab, modifiers),
        0x7f => key(KeyCode::Backspace, modifiers),
        0 => control(b' '),
        c @ 1..=0x1a => control(c - 1 + b'a'),
        c @ 0x1b..=0x1f => control(c - 0x1c + b'4'),
        c @ 0x20..=0x7e => key(KeyCode::Char(c.into()), modifiers),
        first => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                // Not the beginning of a character: the encoding is another one, or the line is bad.
                _ => return 1,
            };
            let there = &bytes[..length.min(bytes.len())];
            if there[1..].iter().any(|b| b & 0xc0 != 0x80) {
                return 1;
            }
            if there.len() < length {
                return 0;
            }
            if let Some(c) = std::str::from_utf8(there).ok().and_then(|s| s.chars().next()) {
                out.push(key(KeyCode::Char(c), modifiers));
            }
            return length;
        }
    };
    out.push(event);
    1
}

/// How long a string sequence is; 0: its end has not come.
fn string(bytes: &[u8]) -> usize {
    for (at, byte) in bytes.iter().enumerate().skip(2) {
        match byte {
            0x07 => return at + 1,
            b'\\' if bytes[at - 1] == 0x1b => return at + 1,
            _ => {}
        }
    }
    if bytes.len() > 16 * LONGEST { bytes.len() } else { 0 }
}

fn numbers(parameters: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(parameters);
    let number = |part: &str| part.split(':').next().unwrap_or_default().parse().unwrap_or(0);
    if text.is_empty() { Vec::new() } else { text.split(';').map(number).collect() }
}

/// As xterm numbers them: one more than the sum of their bits.
fn modifiers(number: u16) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::META),
    ] {
        modifiers.set(modifier, bits & bit != 0);
    }
    modifiers
}

fn named(last: u8, modifiers: KeyModifiers) -> Option<Event> {
    Some(key(
        match last {
            b'A' => KeyCode::Up,
            b'B' => KeyCode::Down,
            b'C' => KeyCode::Right,
            b'D' => KeyCode::Left,
            b'H' => KeyCode::Home,
            b'F' => KeyCode::End,
            b'Z' => KeyCode::BackTab,
            // Not `R`, with which a terminal also says where its cursor is.
            b'P' => KeyCode::F(1),
            b'Q' => KeyCode::F(2),
            b'S' => KeyCode::F(4),
            _ => return None,
        },
        modifiers,
    ))
}

/// F3, and the numeric keypad in application mode, which some other program may have left on.
fn keypad(last: u8) -> Option<Event> {
    Some(match last {
        b'M' => key(KeyCode::Enter, KeyModifiers::NONE),
        b'R' => key(KeyCode::F(3), KeyModifiers::NONE),
        b'j'..=b'y' => key(KeyCode::Char((last - 0x40).into()), KeyModifiers::NONE),
        _ => return None,
    })
}

fn numbered(number: u16, modifiers: KeyModifiers) -> Event {
    let code = match number {
        1 | 7 => KeyCode::Home,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        n @ 11..=15 => KeyCode::F((n - 10) as u8),
        n @ 17..=21 => KeyCode::F((n - 11) as u8),
        n @ 23..=24 => KeyCode::F((n - 12) as u8),
        _ => return nameless(),
    };
    key(code, modifiers)
}

/// What a mouse did, in SGR's way of telling it.
fn mouse(parameters: &[u8], last: u8) -> Option<Event> {
    let [what, column, row] = numbers(parameters)[..] else { return None };
    let button = match what & 3 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match (what & 0b1110_0000, last) {
        (64, b'M') if what & 3 == 0 => MouseEventKind::ScrollUp,
        (64, b'M') if what & 3 == 1 => MouseEventKind::ScrollDown,
        (0, b'M') => MouseEventKind::Down(button),
        (0, b'm') => MouseEventKind::Up(button),
        (32, b'M') if what & 3 != 3 => MouseEventKind::Drag(button),
        _ => return None,
    };
    Some(Event::Mouse(MouseEvent {
        kind,
        column: column.saturating_sub(1),
        row: row.saturating_sub(1),
        modifiers: KeyModifiers::NONE,
    }))
}

#[cfg(test)]
#[path = "tests/input.rs"]
mod tests;
