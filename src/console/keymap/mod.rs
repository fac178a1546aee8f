//! Keys: what they are called, how a name is read, and which command each means. The defaults stand beside the commands
//! in `commands`; a file of the user's replaces some (`[console] keymap`), see `file`.

pub mod commands;
mod file;
#[cfg(test)]
mod tests;

use crate::safe;
use crate::text::SafeText;
use commands::{COMMANDS, Context, Id};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A key that means something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A character, as the keyboard's layout gives it.
    Char(char),
    /// The same with Ctrl.
    Ctrl(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tabulator.
    Tab,
    /// Shift with it.
    BackTab,
    /// Delete to the left.
    Backspace,
    /// Delete to the right.
    Delete,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// A function key, by its number.
    F(u8),
    /// Any other one. No command can have it, but it is a key: it cancels a question.
    Other,
}

const NAMED: &[(&str, Key)] = &[
    ("Enter", Key::Enter),
    ("Esc", Key::Esc),
    ("Tab", Key::Tab),
    ("Shift-Tab", Key::BackTab),
    ("Backspace", Key::Backspace),
    ("Delete", Key::Delete),
    ("Up", Key::Up),
    ("Down", Key::Down),
    ("Left", Key::Left),
    ("Right", Key::Right),
    ("Home", Key::Home),
    ("End", Key::End),
    ("PgUp", Key::PageUp),
    ("PgDn", Key::PageDown),
    ("Space", Key::Char(' ')),
];

impl Key {
    /// What a terminal's key event means; None for releases, and for keys that only change what others mean.
    pub fn of(event: KeyEvent) -> Option<Key> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        Some(match event.code {
            // Alt with Ctrl is how some layouts type a character (AltGr).
            KeyCode::Char(c) if ctrl && !alt => Key::Ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(c) if !alt || ctrl => Key::Char(c),
            KeyCode::Enter => Key::Enter,
            KeyCode::Esc => Key::Esc,
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Key::BackTab,
            KeyCode::Tab => Key::Tab,
            KeyCode::BackTab => Key::BackTab,
            KeyCode::Backspace => Key::Backspace,
            KeyCode::Delete => Key::Delete,
            KeyCode::Up => Key::Up,
            KeyCode::Down => Key::Down,
            KeyCode::Left => Key::Left,
            KeyCode::Right => Key::Right,
            KeyCode::Home => Key::Home,
            KeyCode::End => Key::End,
            KeyCode::PageUp => Key::PageUp,
            KeyCode::PageDown => Key::PageDown,
            KeyCode::F(n) if event.modifiers.is_empty() => Key::F(n),
            KeyCode::Modifier(_) | KeyCode::CapsLock | KeyCode::NumLock | KeyCode::ScrollLock => return None,
            _ => Key::Other,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMED.iter().find(|(_, key)| key == self) {
            return f.pad(name);
        }
        match self {
            Key::Char(c) => f.pad(&c.to_string()),
            Key::Ctrl(c) => f.pad(&format!("Ctrl-{c}")),
            Key::F(n) => f.pad(&format!("F{n}")),
            _ => f.pad("?"),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        if let Some((_, key)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*key);
        }
        let function = text.strip_prefix(['F', 'f']).and_then(|number| number.parse().ok());
        if let Some(n @ 1..=12) = function {
            return Ok(Key::F(n));
        }
        let bare = text.strip_prefix("Ctrl-").or_else(|| text.strip_prefix("C-"));
        let mut chars = bare.unwrap_or(text).chars();
        match (chars.next(), chars.next(), bare.is_some()) {
            (Some(c), None, true) => Ok(Key::Ctrl(c.to_ascii_lowercase())),
            (Some(c), None, false) if !c.is_control() => Ok(Key::Char(c)),
            _ => Err(format!(
                "{text:?} is no key: one character, Ctrl-x, F1, Enter, Esc, Tab, PgUp and the like"
            )),
        }
    }
}

/// Which keys each command has.
#[derive(Debug, Clone)]
pub struct Keymap {
    keys: BTreeMap<Id, Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys =
            COMMANDS.iter().map(|c| (c.id, c.keys.iter().filter_map(|k| k.parse().ok()).collect())).collect();
        Keymap { keys }
    }
}

impl Keymap {
    /// The keys of a command; the first is the one that is shown.
    pub fn of(&self, id: Id) -> &[Key] {
        self.keys.get(&id).map_or(&[], Vec::as_slice)
    }

    /// How a sentence names the key of a command: by the first it has, else by what the palette takes. No sentence names a
    /// key that can be another in any other way.
    pub fn hint(&self, id: Id) -> SafeText {
        match (self.of(id), self.of(Id::Palette)) {
            ([key, ..], _) => safe!("{key}"),
            ([], [palette, ..]) => safe!("{palette} {}", id.command().name),
            ([], []) => id.command().name.into(),
        }
    }

    /// The command that a key means in one of these contexts.
    pub fn command(&self, key: Key, contexts: &[Context]) -> Option<Id> {
        let here = |c: &Context| *c == Context::Everywhere || contexts.contains(c);
        COMMANDS.iter().find(|c| c.contexts.iter().any(here) && self.of(c.id).contains(&key)).map(|c| c.id)
    }
}
