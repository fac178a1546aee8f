//! One line of typed text with a cursor. What is typed is safe from the first key on.

use crate::console::keymap::Key;
use crate::text::SafeText;
use unicode_segmentation::UnicodeSegmentation;

/// A text field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// In bytes, between clusters.
    at: usize,
    limit: usize,
}

impl Input {
    /// An empty field for so many characters.
    pub fn new(limit: usize) -> Input {
        Input { limit, ..Input::default() }
    }

    /// A field with a text in it, the cursor at its end.
    pub fn with(text: &str, limit: usize) -> Input {
        let text: String = SafeText::new(text).as_str().chars().take(limit).collect();
        Input { at: text.len(), text, limit }
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, safe.
    pub fn safe(&self) -> SafeText {
        SafeText::new(&self.text)
    }

    /// Without the blanks at both ends; None: nothing.
    pub fn value(&self) -> Option<SafeText> {
        let text = self.text.trim();
        (!text.is_empty()).then(|| SafeText::new(text))
    }

    /// What stands before the cursor.
    pub fn before(&self) -> SafeText {
        SafeText::new(&self.text[..self.at])
    }

    /// What stands after the cursor.
    pub fn after(&self) -> SafeText {
        SafeText::new(&self.text[self.at..])
    }

    /// Takes a key; false if it means nothing to a text field.
    pub fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(&c.to_string()),
            Key::Backspace | Key::Ctrl('h') => {
                let from = self.left();
                self.text.replace_range(from..self.at, "");
                self.at = from;
            }
            Key::Delete => {
                let to = self.right();
                self.text.replace_range(self.at..to, "");
            }
            Key::Ctrl('u') => {
                self.text.replace_range(..self.at, "");
                self.at = 0;
            }
            Key::Ctrl('k') => self.text.truncate(self.at),
            Key::Ctrl('w') => {
                let kept = self.text[..self.at].trim_end();
                let from = kept.rfind(' ').map_or(0, |blank| blank + 1);
                self.text.replace_range(from..self.at, "");
                self.at = from;
            }
            Key::Left => self.at = self.left(),
            Key::Right => self.at = self.right(),
            Key::Home | Key::Ctrl('a') => self.at = 0,
            Key::End | Key::Ctrl('e') => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Puts text where the cursor is, as much as there is room for.
    pub fn insert(&mut self, text: &str) {
        // Made safe together with what stands before it: a mark may join that, and alone it would be refused.
        let after = self.text.split_off(self.at);
        let room = self.limit.saturating_sub(self.text.chars().count() + after.chars().count());
        let taken: String = text.chars().take(room).collect();
        let kept = self.limit.saturating_sub(after.chars().count());
        self.text = SafeText::new(&format!("{}{taken}", self.text)).as_str().chars().take(kept).collect();
        self.at = self.text.len();
        self.text.push_str(&after);
    }

    fn left(&self) -> usize {
        self.text[..self.at].grapheme_indices(true).next_back().map_or(0, |(i, _)| i)
    }

    fn right(&self) -> usize {
        self.text[self.at..].graphemes(true).next().map_or(self.at, |cluster| self.at + cluster.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> Input {
        let mut input = Input::new(20);
        for key in keys {
            input.key(*key);
        }
        input
    }

    #[test]
    fn text_is_typed_and_mended() {
        let keys = "release notes".chars().map(Key::Char).collect::<Vec<_>>();
        let mut input = typed(&keys);
        input.key(Key::Ctrl('w'));
        assert_eq!(input.text(), "release ");
        input.key(Key::Home);
        input.key(Key::Delete);
        input.key(Key::Char('R'));
        assert_eq!(input.value().map(|v| v.to_string()), Some("Release".into()));
    }

    #[test]
    fn no_control_character_and_no_more_than_the_limit_gets_in() {
        let mut input = Input::new(8);
        input.insert("\u{1b}[2Jabcdefgh");
        assert!(!input.text().contains('\u{1b}'));
        assert!(input.text().chars().count() <= 8, "{:?}", input.text());
    }

    #[test]
    fn the_cursor_never_stands_inside_a_cluster() {
        let mut input = Input::new(20);
        input.insert("e");
        input.key(Key::Char('\u{301}'));
        input.key(Key::Backspace);
        assert_eq!(input.text(), "");
    }
}
