//! Finding records: by words, level, component, thread and time. Pure. Patterns run in linear time whatever they are.

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
        let folded = is_folded(pattern);
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

    /// What one of several regular expressions finds; `None`: there is none.
    ///
    /// # Errors
    /// One sentence on what is wrong with one of them, or with all together, without a full stop.
    pub fn any(patterns: &[impl AsRef<str>]) -> Result<Option<Search>, SafeText> {
        patterns.iter().try_for_each(|pattern| Search::new(pattern.as_ref()).map(drop))?;
        let Some(joined) = joined(patterns) else { return Ok(None) };
        match (Search::new(&joined), patterns.len()) {
            (Err(_), 2..) => {
                Err("together the patterns cannot be used: give fewer, and none with (?x)".into())
            }
            (search, _) => search.map(Some),
        }
    }

    /// A text that stands there as it is.
    ///
    /// # Errors
    /// It is too long.
    pub fn plain(text: &str) -> Result<Search, SafeText> {
        Search::new(&escape(text))
    }

    /// Whether any line of the record's text, or its component, holds it.
    #[cfg(test)]
    pub fn matches(&self, record: &Record) -> bool {
        self.is_in_any(record.text.iter().map(SafeText::as_str), &record.component)
    }

    fn is_in_any<'a>(&self, mut lines: impl Iterator<Item = &'a str>, component: &SafeText) -> bool {
        lines.any(|line| self.regex.is_match(line.as_bytes()))
            || self.regex.is_match(component.as_str().as_bytes())
    }

    /// The same for a record as it was found in `bytes`. `seam`: here a part of a line is missing.
    pub fn finds(&self, span: &Span, bytes: &[u8], seam: Option<usize>) -> bool {
        if let Some(word) = &self.word
            && word.find(&bytes[span.at.clone()]).is_none()
        {
            return false;
        }
        // Where a line begins among the bytes, its slice says.
        let begins = |line: &[u8]| line.as_ptr().addr().checked_sub(bytes.as_ptr().addr());
        let cut = |line: &[u8]| seam?.checked_sub(begins(line)?).filter(|at| (1..line.len()).contains(at));
        span.any_line(bytes, |line| match cut(line) {
            None => self.regex.is_match(&readable(line)),
            Some(at) => {
                let behind = [&b"\0"[..], &readable(&line[at..])].concat();
                self.is_within(&readable(&line[..at]), 0, false) || self.is_within(&behind, 1, true)
            }
        }) || self.regex.is_match(&readable(span.facts(bytes).component))
    }

    /// Whether it is in a part of a line that begins at `from`, what is before that being a part of the line as well. Unless
    /// the line ends with it, nothing is found that has to stand at the end.
    pub fn is_within(&self, line: &[u8], from: usize, ends: bool) -> bool {
        match &self.word {
            Some(word) => word.find(&line[from..]).is_some(),
            None => self.regex.shortest_match_at(line, from).is_some_and(|end| ends || end < line.len()),
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

/// The pattern of a text that stands there as it is.
pub fn escape(text: &str) -> String {
    regex_syntax::escape(text)
}

/// One pattern for several, each with regard to case as it would have it alone; `None`: there is none.
pub fn joined(patterns: &[impl AsRef<str>]) -> Option<String> {
    match patterns {
        [] => None,
        [one] => Some(one.as_ref().to_owned()),
        many => {
            let of =
                |pattern: &str| format!("({}{pattern})", if is_folded(pattern) { "?i:" } else { "?-i:" });
            Some(many.iter().map(|pattern| of(pattern.as_ref())).collect::<Vec<_>>().join("|"))
        }
    }
}

/// Whether case does not count.
fn is_folded(pattern: &str) -> bool {
    !pattern.chars().any(char::is_uppercase)
}

/// Names that are wanted and names that are not, without case; `*` stands for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// One of these, if there are any.
    pub one_of: Vec<String>,
    /// None of these, whatever else holds.
    pub none_of: Vec<String>,
}

impl Names {
    /// This one alone.
    #[cfg(test)]
    pub fn only(name: &str) -> Names {
        Names { one_of: vec![name.to_owned()], none_of: Vec::new() }
    }

    /// Every name passes.
    pub fn is_empty(&self) -> bool {
        self.one_of.is_empty() && self.none_of.is_empty()
    }

    /// Whether a name passes.
    pub fn pass(&self, name: &SafeText) -> bool {
        if self.is_empty() {
            return true;
        }
        let name = name.as_str().to_lowercase();
        let is = |pattern: &String| wildcard(&pattern.to_lowercase(), &name);
        (self.one_of.is_empty() || self.one_of.iter().any(is)) && !self.none_of.iter().any(is)
    }
}

/// What is shown: all conditions have to hold. What several filters of one kind want is put together in one condition, in
/// which one of them is enough ([`Search::any`], [`Names`]).
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Holds this.
    pub text: Option<Search>,
    /// Does not hold this.
    pub without: Option<Search>,
    /// Matters at least this much.
    pub level: Option<Level>,
    /// Holds each of these as well.
    pub also: Vec<Search>,
    /// What wrote it.
    pub component: Names,
    /// The thread, in decimal where that is known.
    pub thread: Names,
    /// Not before.
    pub since: Option<Wall>,
    /// Before.
    pub until: Option<Wall>,
}

impl Filter {
    /// Whether a record is shown. One without a time counts as being as old as the one above it in its file; if that
    /// has none either, it is older than everything.
    pub fn matches(&self, record: &Record) -> bool {
        self.level.is_none_or(|least| record.level >= least)
            && self.is_at(record.near)
            && self.fits(&record.component, &record.thread, record.text.iter().map(SafeText::as_str))
    }

    /// The same by who wrote a record and what it says; of its level and its time nothing is asked.
    pub fn fits<'a>(
        &self,
        component: &SafeText,
        thread: &SafeText,
        lines: impl Iterator<Item = &'a str> + Clone,
    ) -> bool {
        let holds = |search: &Search| search.is_in_any(lines.clone(), component);
        self.component.pass(component)
            && self.thread.pass(thread)
            && self.text.iter().chain(&self.also).all(holds)
            && !self.without.as_ref().is_some_and(holds)
    }

    /// The same for a record as it was found in `bytes`. `lost`: what is known of the part of it that is not kept. Of times
    /// nothing is asked.
    pub fn passes(&self, span: &Span, bytes: &[u8], lost: Lost) -> bool {
        let holds = |(n, search): (usize, &Search)| lost.has(n) || search.finds(span, bytes, lost.at);
        let wanted = usize::from(self.text.is_some()) + self.also.len();
        self.level.is_none_or(|least| span.level >= least)
            && self.text.iter().chain(&self.also).enumerate().all(holds)
            && self.is_of(span, bytes)
            && !self.without.as_ref().is_some_and(|search| holds((wanted, search)))
    }

    fn is_of(&self, span: &Span, bytes: &[u8]) -> bool {
        if self.component.is_empty() && self.thread.is_empty() {
            return true;
        }
        let facts = span.facts(bytes);
        self.component.pass(&SafeText::from_bytes(&readable(facts.component)))
            && (self.thread.is_empty() || self.thread.pass(&facts.thread()))
    }

    /// What has to be looked for in lines that are too long to be kept, in the order in which [`Filter::passes`] counts it.
    pub fn watch(&self) -> Option<Watch> {
        let all: Watch = self.text.iter().chain(&self.also).chain(&self.without).cloned().collect();
        (!all.is_empty()).then_some(all)
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
        let search = self.text.iter().chain(&self.also).find(|search| search.skips());
        search.map(Hint::Text).or_else(|| self.level.filter(|level| *level > Level::Info).map(Hint::Level))
    }

    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.without.is_none()
            && self.level.is_none()
            && self.also.is_empty()
            && self.component.is_empty()
            && self.thread.is_empty()
            && !self.is_of_time()
    }
}

/// What is looked for in lines that are too long to be kept.
pub type Watch = Arc<[Search]>;

/// What is known of the part of a record that is not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Where among the bytes it is missing.
    pub at: Option<usize>,
    /// A bit for each search of a [`Watch`] that is found there.
    pub found: u64,
}

impl Lost {
    /// The search of this number is found there; a filter has a handful of them.
    pub fn add(&mut self, n: usize) {
        self.found |= u32::try_from(n).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0);
    }

    /// Whether the search of this number is found there.
    pub fn has(self, n: usize) -> bool {
        u32::try_from(n).ok().and_then(|n| self.found.checked_shr(n)).is_some_and(|bits| bits & 1 == 1)
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
