//! Words that rows must have, for every list: how they are typed, which rows have them. Lists of requests keep theirs in
//! `rows`; the attempts and the audit, which may have tens of thousands of rows, have a [`Filter`] each.

use super::input::Input;
use crate::console::keymap::Key;
use memchr::memmem::Finder;

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
    /// All rows, while somebody filters.
    texts: Option<Texts>,
}

/// What can be looked for in rows, one behind the other and in lower case: tens of thousands of them are looked through for
/// a key, and what they are made of lies all over the memory.
#[derive(Debug, Clone, Default)]
struct Texts {
    all: String,
    /// Where each row ends.
    ends: Vec<usize>,
}

/// Between two fields, and behind the last: it is in no word and in no safe text.
const END: char = '\n';

impl Texts {
    fn of<'a, const N: usize>(len: usize, fields: impl Fn(usize) -> [&'a str; N]) -> Texts {
        let mut texts = Texts { all: String::new(), ends: Vec::with_capacity(len) };
        for at in 0..len {
            for field in fields(at) {
                if field.is_ascii() {
                    let from = texts.all.len();
                    texts.all.push_str(field);
                    texts.all[from..].make_ascii_lowercase();
                } else {
                    texts.all.push_str(&field.to_lowercase());
                }
                texts.all.push(END);
            }
            texts.ends.push(texts.all.len());
        }
        texts
    }

    fn row(&self, at: usize) -> &[u8] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.all.as_bytes()[from..self.ends[at]]
    }
}

/// So many beginnings are kept.
const LEVELS: usize = 8;

impl Filter {
    /// Works out which of so many rows have the words, if that may have changed; `fields` are those of one of them.
    pub fn work_out<'a, const N: usize>(
        &mut self,
        revision: u64,
        len: usize,
        fields: impl Fn(usize) -> [&'a str; N],
    ) {
        let words = self.typing.as_ref().map_or(self.words.as_str(), Input::text);
        // Whoever begins to type waits for no row to be read then.
        let soon = self.typing.is_some();
        self.left.work_out(revision, len, (words, soon), fields);
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
    /// The last level is then that of these words. `soon`: there will be others.
    fn work_out<'a, const N: usize>(
        &mut self,
        revision: u64,
        len: usize,
        (words, soon): (&str, bool),
        fields: impl Fn(usize) -> [&'a str; N],
    ) {
        let words = words.to_lowercase();
        if self.of != revision {
            *self = Left { of: revision, ..Left::default() };
        }
        let wanted = Terms::of(&words);
        if !soon && wanted.words.is_empty() {
            self.texts = None;
        } else if self.texts.is_none() {
            self.texts = Some(Texts::of(len, &fields));
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
        let places = match (&self.texts, self.levels.last()) {
            (None, _) => (0..len).collect(),
            (Some(_), None) if wanted.words.is_empty() => (0..len).collect(),
            (Some(texts), last) => {
                let finders: Vec<Finder> = wanted.words.iter().map(Finder::new).collect();
                let found = |at: &usize| {
                    let row = texts.row(*at);
                    let mut each = finders.iter().map(|word| word.find(row).is_some());
                    if wanted.inverted { !each.any(|found| found) } else { each.all(|found| found) }
                };
                match last {
                    Some((_, places)) => places.iter().copied().filter(found).collect(),
                    None => (0..len).filter(found).collect(),
                }
            }
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
                filter.work_out(revision, ROWS.len(), |at| [ROWS[at]]);
                assert_eq!(filter.places(), plainly(words), "{words:?}");
            }
        }
        assert_eq!(plainly("OFF sui"), [0, 2]);
        assert_eq!(plainly("!o"), [3, 5]);
    }

    #[test]
    fn what_is_typed_on_narrows_what_was_left_and_what_is_taken_back_is_there_still() {
        let mut filter = Filter::default();
        for (words, levels) in [
            ("two", &["two"][..]),
            ("two o", &["two", "two o"]),
            ("two of", &["two", "two o", "two of"]),
            ("two o", &["two", "two o"]),
            ("two", &["two"]),
            ("tw", &["tw"]),
            ("!t", &["!t"]),
            ("!tw", &["!tw"]),
        ] {
            words.clone_into(&mut filter.words);
            filter.work_out(1, ROWS.len(), |at| [ROWS[at]]);
            let kept: Vec<&str> = filter.left.levels.iter().map(|(words, _)| words.as_str()).collect();
            assert_eq!(kept, levels, "{words}");
        }
        // Only rows that were left before are looked at: one that is not among them does not come back.
        filter.left.levels = vec![("t".to_owned(), vec![0, 2])];
        "tw".clone_into(&mut filter.words);
        filter.work_out(1, ROWS.len(), |at| [["two", "two", "two", "", "", ""][at]]);
        assert_eq!(filter.places(), [2], "the rows were read before");
    }

    #[test]
    fn no_word_reaches_from_one_field_into_the_next() {
        let left = |words: &str| {
            let mut filter = Filter { words: words.to_owned(), ..Filter::default() };
            filter.work_out(1, 2, |at| [["One", "two"], ["", "onetwo"]][at]);
            filter.places().to_vec()
        };
        assert_eq!(
            [left("etw"), left("one two"), left("TWO"), left("!etw")],
            [vec![1], vec![0, 1], vec![0, 1], vec![0]]
        );
    }

    #[test]
    fn rows_are_read_once_as_soon_as_somebody_types_and_let_go_when_nobody_filters() {
        let read = Cell::new(0);
        let look = |filter: &mut Filter, revision: u64| {
            read.set(0);
            filter.work_out(revision, ROWS.len(), |at| {
                read.set(read.get() + 1);
                [ROWS[at]]
            });
            read.get()
        };
        let mut filter = Filter::default();
        assert_eq!((look(&mut filter, 1), filter.places().len()), (0, 6));
        filter.start();
        assert_eq!((look(&mut filter, 1), filter.places().len()), (6, 6));
        let counts = ["two", "two o", "two of", "two o", "two", "tw"].map(|words| {
            filter.typing = Some(Input::with(words, 60));
            look(&mut filter, 1)
        });
        assert_eq!((counts, filter.places()), ([0; 6], &[2][..]));
        // Other rows than before.
        assert_eq!(look(&mut filter, 2), 6);
        filter.typing = None;
        assert_eq!((look(&mut filter, 2), filter.left.texts.is_some()), (0, false));
    }
}
