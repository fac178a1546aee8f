//! Words that rows must have, for every list: how they are typed, which rows have them. Lists of requests keep theirs in
//! `rows`; the attempts and the audit, which may have tens of thousands of rows, have a [`Filter`] each.

use super::input::Input;
use crate::console::keymap::Key;

/// A filter of a list, and which rows it leaves.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Words that rows must have, or must not have after a `!`.
    pub words: String,
    /// While they are typed.
    pub typing: Option<Input>,
    left: Left,
}

/// What was worked out of a revision of the rows: the places that each beginning of the words has left. What is typed on
/// looks at those only, and what is taken back is there still.
#[derive(Debug, Clone, Default)]
struct Left {
    of: u64,
    levels: Vec<(String, Vec<usize>)>,
}

/// So many beginnings are kept.
const LEVELS: usize = 8;

impl Filter {
    /// Works out which of so many rows have the words, if that may have changed; `fits` looks at one of them.
    pub fn work_out(&mut self, revision: u64, len: usize, fits: impl Fn(usize, &Terms) -> bool) {
        let words = self.typing.as_ref().map_or(self.words.as_str(), Input::text);
        self.left.work_out(revision, len, words, fits);
    }

    /// The places of those rows.
    pub fn places(&self) -> &[usize] {
        self.left.levels.last().map_or(&[], |(_, places)| places)
    }

    /// Those of these rows, as they are kept.
    pub fn listed<'a, T>(&'a self, all: &'a [T]) -> Listed<'a, T> {
        Listed { all, places: self.places(), newest_last: false }
    }

    /// The same, newest first, of rows that are kept oldest first.
    pub fn newest_first<'a, T>(&'a self, all: &'a [T]) -> Listed<'a, T> {
        Listed { newest_last: true, ..self.listed(all) }
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

impl Left {
    /// The last level is then that of these words.
    fn work_out(&mut self, revision: u64, len: usize, words: &str, fits: impl Fn(usize, &Terms) -> bool) {
        let words = words.to_lowercase();
        if self.of != revision {
            *self = Left { of: revision, levels: Vec::new() };
        }
        // More words leave less, unless they say what must not be there.
        while let Some((begun, _)) = self.levels.last() {
            if *begun == words {
                return;
            }
            if words.starts_with(begun.as_str()) && !words.trim_start().starts_with('!') {
                break;
            }
            self.levels.pop();
        }
        let wanted = Terms::of(&words);
        let places = match self.levels.last() {
            Some((_, places)) => places.iter().copied().filter(|at| fits(*at, &wanted)).collect(),
            None => (0..len).filter(|at| fits(*at, &wanted)).collect(),
        };
        if self.levels.len() == LEVELS {
            self.levels.remove(0);
        }
        self.levels.push((words, places));
    }
}

/// The rows that a filter leaves, in the order in which they are listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a, T> {
    all: &'a [T],
    places: &'a [usize],
    newest_last: bool,
}

impl<'a, T> Listed<'a, T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// One of them.
    pub fn get(&self, row: usize) -> Option<&'a T> {
        let row = if self.newest_last { self.len().checked_sub(row + 1)? } else { row };
        self.all.get(*self.places.get(row)?)
    }
}

/// What a filter asks for, taken apart once for all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// None of them may occur.
    inverted: bool,
    /// In lower case.
    words: Vec<String>,
}

impl Terms {
    /// Words between blanks, or what must not occur after a `!`.
    pub fn of(text: &str) -> Terms {
        let text = text.trim().to_lowercase();
        let (inverted, text) = match text.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text.as_str()),
        };
        Terms { inverted, words: text.split_whitespace().map(str::to_owned).collect() }
    }

    /// Every word must occur in one of the fields; after a `!` none may.
    pub fn fit(&self, fields: &[&str]) -> bool {
        let mut found = self.words.iter().map(|word| fields.iter().any(|field| contains(field, word)));
        if self.inverted { !found.any(|found| found) } else { found.all(|found| found) }
    }
}

/// Whether a word in lower case is in a text, whatever that one's case. Thousands of rows are looked through for each
/// key, so nothing is copied unless it has to be.
fn contains(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(word);
    }
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some(first) = word.first() else { return true };
    let Some(last) = text.len().checked_sub(word.len()) else { return false };
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), &text[..=last])
        .any(|at| text[at..at + word.len()].eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const ROWS: [&str; 6] = ["Office suite", "Ünix tools", "office SUITE two", "", "Old agent", "ﬁ"];

    fn plainly(words: &str) -> Vec<usize> {
        let wanted = Terms::of(words);
        (0..ROWS.len()).filter(|at| wanted.fit(&[ROWS[*at]])).collect()
    }

    #[test]
    fn a_filter_leaves_the_same_rows_however_it_was_typed() {
        let mut filter = Filter::default();
        let typed = [
            "o", "of", "off", "of", "o", "", "!", "!o", "!ol", "!o", "", " ", "two o", "two off", "ün",
            "xyz", "t",
        ];
        for revision in 1..3 {
            for words in typed.iter().chain(typed.iter().rev()) {
                (*words).clone_into(&mut filter.words);
                filter.work_out(revision, ROWS.len(), |at, terms| terms.fit(&[ROWS[at]]));
                assert_eq!(filter.places(), plainly(words), "{words:?}");
            }
        }
        assert_eq!(plainly("OFF sui"), [0, 2]);
        assert_eq!(plainly("!o"), [3, 5]);
    }

    #[test]
    fn what_is_typed_on_looks_only_at_what_was_left_and_what_is_taken_back_at_nothing() {
        let looked = Cell::new(0);
        let look = |filter: &mut Filter| {
            looked.set(0);
            filter.work_out(1, ROWS.len(), |at, terms| {
                looked.set(looked.get() + 1);
                terms.fit(&[ROWS[at]])
            });
            looked.get()
        };
        let mut filter = Filter::default();
        let counts = ["two", "two o", "two of", "two o", "two", "tw"].map(|words| {
            words.clone_into(&mut filter.words);
            look(&mut filter)
        });
        assert_eq!(counts, [6, 1, 1, 0, 0, 6]);
    }
}
