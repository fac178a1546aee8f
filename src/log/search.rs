//! Finding records: by words, level, component and time. Pure. Patterns run in linear time whatever they are.

use super::encoding::readable;
use super::faults;
use super::least::least;
use super::scan::Span;
use super::{Level, Record};
use crate::clock::Wall;
use crate::text::SafeText;
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};
use std::sync::Arc;

/// What is searched for. Case counts only if the pattern holds an upper-case letter.
#[derive(Debug, Clone)]
pub struct Search {
    regex: Regex,
    /// What a match holds at least; the first is for plain words.
    word: Option<Arc<Finder<'static>>>,
    least: Option<Regex>,
}

impl Search {
    /// A regular expression.
    ///
    /// # Errors
    /// One sentence on what is wrong with it, without a full stop.
    pub fn new(pattern: &str) -> Result<Search, SafeText> {
        let folded = !pattern.chars().any(char::is_uppercase);
        let regex =
            RegexBuilder::new(pattern).case_insensitive(folded).size_limit(1 << 20).build().map_err(|e| {
                match e {
                    regex::Error::Syntax(said) => {
                        // The last line says what is wrong; those above it draw an arrow.
                        let last = said.lines().last().unwrap_or_default();
                        let why = last.trim_start_matches("error: ");
                        SafeText::new(&format!("the pattern \"{pattern}\" cannot be used: {why}"))
                    }
                    _ => SafeText::new(&format!("the pattern \"{pattern}\" is too large")),
                }
            })?;
        let cased = !folded || !pattern.chars().any(char::is_alphabetic);
        let plain =
            cased && pattern.is_ascii() && !pattern.is_empty() && regex_syntax::escape(pattern) == pattern;
        let word = plain.then(|| Arc::new(Finder::new(pattern).into_owned()));
        let least = if plain { None } else { least(pattern, folded) };
        Ok(Search { regex, word, least })
    }

    /// A text that stands there as it is.
    ///
    /// # Errors
    /// It is too long.
    pub fn plain(text: &str) -> Result<Search, SafeText> {
        Search::new(&regex_syntax::escape(text))
    }

    /// Whether any line of the record's text, or its component, holds it.
    pub fn matches(&self, record: &Record) -> bool {
        record.text.iter().any(|line| self.regex.is_match(line.as_str().as_bytes()))
            || self.regex.is_match(record.component.as_str().as_bytes())
    }

    /// The same for a record as it was found in `bytes`.
    pub fn finds(&self, span: &Span, bytes: &[u8]) -> bool {
        if self.word.is_some() && !self.is_in(&bytes[span.at.clone()]) {
            return false;
        }
        span.any_line(bytes, |line| self.regex.is_match(&readable(line)))
            || self.regex.is_match(&readable(span.facts(bytes).component))
    }

    /// Whether it is in a piece of a line.
    pub fn is_in(&self, piece: &[u8]) -> bool {
        match &self.word {
            Some(word) => word.find(piece).is_some(),
            None => self.regex.is_match(piece),
        }
    }

    /// Whether [`Search::first`] leaves anything out.
    pub fn skips(&self) -> bool {
        self.word.is_some() || self.least.is_some()
    }

    /// Where the first place is that it may be found at.
    pub fn first(&self, bytes: &[u8]) -> Option<usize> {
        match (&self.word, &self.least) {
            (Some(word), _) => word.find(bytes),
            (None, Some(least)) => least.find(bytes).map(|found| found.start()),
            (None, None) => (!bytes.is_empty()).then_some(0),
        }
    }
}

/// What is shown: all conditions have to hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Holds this.
    pub text: Option<Search>,
    /// Or, the other way round, does not hold it.
    pub invert: bool,
    /// Matters at least this much.
    pub level: Option<Level>,
    /// Holds this as well, whatever `invert` says.
    pub also: Option<Search>,
    /// The component is this one, without case; `*` stands for anything.
    pub component: Option<String>,
    /// Not before.
    pub since: Option<Wall>,
    /// Before.
    pub until: Option<Wall>,
}

impl Filter {
    /// Whether a record is shown. One without a time counts as being as old as the one above it in its file; if that
    /// has none either, it is older than everything.
    pub fn matches(&self, record: &Record) -> bool {
        let level = self.level.is_none_or(|least| record.level >= least);
        let component = self.component.as_ref().is_none_or(|pattern| {
            wildcard(&pattern.to_lowercase(), &record.component.as_str().to_lowercase())
        });
        let since = self.since.is_none_or(|since| record.near.is_some_and(|at| at >= since));
        let until = self.until.is_none_or(|until| record.near.is_none_or(|at| at < until));
        level
            && component
            && since
            && until
            && self.also.as_ref().is_none_or(|search| search.matches(record))
            && self.text.as_ref().is_none_or(|search| search.matches(record) != self.invert)
    }

    /// The same for a record as it was found in `bytes`, and of which what is watched for ([`Filter::watch`]) was or was not
    /// found in what is not kept of it. Of times nothing is asked.
    pub fn passes(&self, span: &Span, bytes: &[u8], watched: bool) -> bool {
        self.level.is_none_or(|least| span.level >= least)
            && self.component.as_ref().is_none_or(|pattern| {
                let component = SafeText::from_bytes(&readable(span.facts(bytes).component));
                wildcard(&pattern.to_lowercase(), &component.as_str().to_lowercase())
            })
            && self.also.as_ref().is_none_or(|s| watched && self.text.is_none() || s.finds(span, bytes))
            && self.text.as_ref().is_none_or(|s| (watched || s.finds(span, bytes)) != self.invert)
    }

    /// What has to be looked for in lines that are too long to be kept.
    pub fn watch(&self) -> Option<&Search> {
        self.text.as_ref().or(self.also.as_ref())
    }

    /// Whether a time is asked for.
    pub fn is_of_time(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether an instant is one that is asked for: a record's own, or that of the one above it.
    pub fn is_at(&self, near: Option<Wall>) -> bool {
        self.since.is_none_or(|since| near.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| near.is_none_or(|at| at < until))
    }

    /// What says where in some bytes a record may be that is shown, if that leaves any out.
    pub fn hint(&self) -> Option<Hint<'_>> {
        let text = self.text.as_ref().filter(|s| s.skips() && !self.invert);
        let search = text.or(self.also.as_ref().filter(|s| s.skips()));
        search.map(Hint::Text).or_else(|| self.level.filter(|level| *level > Level::Info).map(Hint::Level))
    }

    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.level.is_none()
            && self.also.is_none()
            && self.component.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }
}

/// Where in some bytes a record may be that is shown.
#[derive(Debug, Clone, Copy)]
pub enum Hint<'a> {
    /// Where a text may be.
    Text(&'a Search),
    /// Where this level or one above may be.
    Level(Level),
}

impl Hint<'_> {
    /// The first such place.
    pub fn first(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Hint::Text(search) => search.first(bytes),
            Hint::Level(level) => faults::first(*level, bytes),
        }
    }
}

/// Whether `text` has the shape of `pattern`, in which `*` stands for any characters. Linear but for the stars.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The first place is as good as any: what follows a star may stand anywhere after it.
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
