//! Lines of styled words, the material of every pane. A word is one of our own or a [`SafeText`]: nothing else can be
//! put on the screen.

use crate::console::theme::Scope;
use crate::text::{SafeText, plain};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A word that may be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// One of our own.
    Own(&'static str),
    /// One that came from elsewhere, or was put together.
    Safe(SafeText),
}

impl Word {
    /// Its characters.
    pub fn as_str(&self) -> &str {
        match self {
            Word::Own(text) => text,
            Word::Safe(text) => text.as_str(),
        }
    }
}

impl From<&'static str> for Word {
    fn from(text: &'static str) -> Self {
        Word::Own(text)
    }
}

impl From<SafeText> for Word {
    fn from(text: SafeText) -> Self {
        Word::Safe(text)
    }
}

impl From<&SafeText> for Word {
    fn from(text: &SafeText) -> Self {
        Word::Safe(text.clone())
    }
}

/// One line: words with their scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// From left to right.
    pub words: Vec<(Word, Scope)>,
    /// Drawn over the words' own styles: the selected row.
    pub over: Option<Scope>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// A line of one word.
    pub fn of(word: impl Into<Word>, scope: Scope) -> Line {
        Line::new().add(word, scope)
    }

    /// The line with one more word, without a blank between.
    #[must_use]
    pub fn add(mut self, word: impl Into<Word>, scope: Scope) -> Line {
        self.push(word, scope);
        self
    }

    /// Puts one more word at its end.
    pub fn push(&mut self, word: impl Into<Word>, scope: Scope) {
        self.words.push((word.into(), scope));
    }

    /// The line, filled with blanks up to this column.
    #[must_use]
    pub fn pad_to(mut self, column: usize) -> Line {
        let missing = column.saturating_sub(self.width());
        if missing > 0 {
            self.push(SafeText::of(" ".repeat(missing)), Scope::Text);
        }
        self
    }

    /// The line with a word cut or filled to exactly this many cells.
    #[must_use]
    pub fn cell(mut self, word: impl Into<Word>, width: usize, cut: &'static str, scope: Scope) -> Line {
        let word = word.into();
        let (mut text, used) = fit(word.as_str(), width, cut);
        text.extend(std::iter::repeat_n(' ', width - used));
        self.push(SafeText::of(text), scope);
        self
    }

    /// The same with at least one blank after the word, also where it is cut; without a width nothing at all.
    #[must_use]
    pub fn column(self, word: impl Into<Word>, width: usize, cut: &'static str, scope: Scope) -> Line {
        match width.checked_sub(1) {
            Some(room) => self.cell(word, room, cut, scope).add(" ", scope),
            None => self,
        }
    }

    /// The line with another one at its end.
    #[must_use]
    pub fn join(mut self, other: Line) -> Line {
        self.words.extend(other.words);
        self
    }

    /// How many cells it takes.
    pub fn width(&self) -> usize {
        self.words.iter().map(|(word, _)| cells(word.as_str())).sum()
    }

    /// The line as several that are at most this wide, broken at blanks where there are any; the further ones begin with
    /// this many blanks.
    pub fn wrap(&self, width: usize, indent: usize) -> Vec<Line> {
        if self.width() <= width || width == 0 {
            return vec![self.clone()];
        }
        let indent = indent.min(width / 2);
        let mut lines: Vec<Vec<(String, Scope)>> = Vec::new();
        let (mut line, mut used) = (Vec::new(), 0);
        for (word, scope) in &self.words {
            for piece in word.as_str().split_inclusive(' ') {
                let bare = cells(piece.trim_end());
                if used + bare > width && used > if lines.is_empty() { 0 } else { indent } {
                    lines.push(std::mem::replace(&mut line, vec![(" ".repeat(indent), Scope::Text)]));
                    used = indent;
                }
                let whole = cells(piece);
                if used + whole <= width {
                    used += whole;
                    add(&mut line, piece, *scope);
                    continue;
                }
                for cluster in piece.graphemes(true) {
                    if used + cluster.width() > width {
                        if cluster == " " {
                            continue;
                        }
                        lines.push(std::mem::replace(&mut line, vec![(" ".repeat(indent), Scope::Text)]));
                        used = indent;
                    }
                    used += cluster.width();
                    add(&mut line, cluster, *scope);
                }
            }
        }
        lines.push(line);
        // Pieces of safe text in their own order: made safe once a word, which changes nothing.
        let safe = |(text, scope): (String, Scope)| (Word::Safe(SafeText::new(&text)), scope);
        let words = lines.into_iter().map(|line| line.into_iter().map(safe).collect());
        words.map(|words| Line { words, over: self.over }).collect()
    }
}

/// Cells that a text takes; nearly all of it is ASCII, a byte a cell.
pub fn cells(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Puts a piece at the end of a line, to what is there of the same scope.
fn add(line: &mut Vec<(String, Scope)>, piece: &str, scope: Scope) {
    match line.last_mut() {
        Some((text, last)) if *last == scope => text.push_str(piece),
        _ => line.push((piece.to_owned(), scope)),
    }
}

/// As much of a text as fits into so many cells, with a mark where it was cut, and the cells it takes.
pub fn fit(text: &str, width: usize, cut: &str) -> (String, usize) {
    let whole = cells(text);
    if whole <= width {
        return (text.to_owned(), whole);
    }
    let room = width.saturating_sub(cut.width());
    let (mut out, mut used) = (String::new(), 0);
    // Nearly all text begins so, and only its beginning is shown.
    if let Some(begin) = plain(text, room) {
        (out, used) = (begin.to_owned(), room);
    } else {
        for cluster in text.graphemes(true) {
            if used + cluster.width() > room {
                break;
            }
            used += cluster.width();
            out.push_str(cluster);
        }
    }
    if width >= cut.width() {
        out.push_str(cut);
        used += cut.width();
    }
    (out, used)
}
