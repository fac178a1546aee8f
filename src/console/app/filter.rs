//! Words that rows must have, for every list: how they are typed, which rows have them. Lists of requests keep theirs in
//! `rows`; the attempts and the audit, which may have tens of thousands of rows, have a [`Filter`] each.

use super::input::Input;
use crate::console::keymap::Key;
use std::cell::{Ref, RefCell};

/// A filter of a list, and which rows it leaves.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Words that rows must have, or must not have after a `!`.
    pub words: String,
    /// While they are typed.
    pub typing: Option<Input>,
    /// The places that are left, worked out once for a revision of the rows and these words.
    left: RefCell<Option<(u64, String, Vec<usize>)>>,
}

impl Filter {
    /// The places of the rows that have the words, of so many; `fits` looks at one of them.
    pub fn places(&self, revision: u64, len: usize, fits: impl Fn(usize, &str) -> bool) -> Ref<'_, [usize]> {
        let words = self.typing.as_ref().map_or(self.words.as_str(), Input::text);
        let same = |(of, known, _): &(u64, String, Vec<usize>)| *of == revision && known == words;
        if !self.left.borrow().as_ref().is_some_and(same) {
            let wanted = words.to_lowercase();
            let left = (0..len).filter(|at| wanted.trim().is_empty() || fits(*at, &wanted)).collect();
            *self.left.borrow_mut() = Some((revision, words.to_owned(), left));
        }
        Ref::map(self.left.borrow(), |left| left.as_ref().map_or(&[][..], |(_, _, left)| left))
    }

    /// Starts typing.
    pub fn start(&mut self) {
        self.typing = Some(Input::with(&self.words, 60));
    }

    /// Takes a key while the words are typed.
    pub fn key(&mut self, key: Key) {
        let Some(input) = self.typing.as_mut() else { return };
        match key {
            Key::Esc | Key::Ctrl('c') => self.typing = None,
            Key::Enter => {
                self.words = input.text().trim().to_owned();
                self.typing = None;
            }
            key => {
                input.key(key);
            }
        }
    }

    /// One step back; false if nothing is filtered.
    pub fn back(&mut self) -> bool {
        !std::mem::take(&mut self.words).is_empty()
    }
}

/// Every word, in lower case, must occur in one of the fields; after a `!` none may.
pub fn fits(fields: &[&str], words: &str) -> bool {
    let (inverted, words) = match words.trim().strip_prefix('!') {
        Some(words) => (true, words),
        None => (false, words),
    };
    if words.trim().is_empty() {
        return true;
    }
    let found = |word: &str| fields.iter().any(|field| contains(field, word));
    if inverted { !words.split_whitespace().any(found) } else { words.split_whitespace().all(found) }
}

/// Whether a word in lower case is in a text, whatever that one's case. Thousands of rows are looked through for each
/// key, so nothing is copied unless it has to be.
fn contains(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(word);
    }
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some(first) = word.first() else { return true };
    let starts = |at: &usize| text[*at].eq_ignore_ascii_case(first);
    let last = (text.len() + 1).saturating_sub(word.len());
    (0..last).filter(starts).any(|at| text[at..at + word.len()].eq_ignore_ascii_case(word))
}
