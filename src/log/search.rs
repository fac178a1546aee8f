//! Finding records: by words, level, component and time. Pure. Patterns run in linear time whatever they are.

use super::{Level, Record};
use crate::clock::Wall;
use crate::text::SafeText;
use regex::{Regex, RegexBuilder};

/// What is searched for. Case counts only if the pattern holds an upper-case letter.
#[derive(Debug, Clone)]
pub struct Search {
    regex: Regex,
}

impl Search {
    /// A regular expression.
    ///
    /// # Errors
    /// One sentence on what is wrong with it, without a full stop.
    pub fn new(pattern: &str) -> Result<Search, SafeText> {
        let folded = !pattern.chars().any(char::is_uppercase);
        RegexBuilder::new(pattern)
            .case_insensitive(folded)
            .size_limit(1 << 20)
            .build()
            .map(|regex| Search { regex })
            .map_err(|e| match e {
                regex::Error::Syntax(said) => {
                    // The last line says what is wrong; those above it draw an arrow.
                    let last = said.lines().last().unwrap_or_default();
                    let why = last.trim_start_matches("error: ");
                    SafeText::new(&format!("the pattern \"{pattern}\" cannot be used: {why}"))
                }
                _ => SafeText::new(&format!("the pattern \"{pattern}\" is too large")),
            })
    }

    /// Whether any line of the record's text, or its component, holds it.
    pub fn matches(&self, record: &Record) -> bool {
        record.text.iter().any(|line| self.regex.is_match(line.as_str()))
            || self.regex.is_match(record.component.as_str())
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
            && self.text.as_ref().is_none_or(|search| search.matches(record) != self.invert)
    }

    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.level.is_none()
            && self.component.is_none()
            && self.since.is_none()
            && self.until.is_none()
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
