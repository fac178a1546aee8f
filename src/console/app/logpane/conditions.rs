//! Everything that keeps records of a log from being shown, as a list of which each can be taken away.

use super::LogPane;
use crate::console::app::logline::LogLine;
use crate::console::app::terms::{Filters, Typed};
use crate::log::Level;
use crate::safe;
use crate::text::SafeText;
use std::sync::Arc;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Level,
    Matches,
    Polls,
    /// A filter that was typed, by its place.
    Term(usize),
}

impl LogPane {
    /// The filters that were typed.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    /// Whether a record passes them.
    pub(super) fn fits<'a>(&self, record: impl Iterator<Item = &'a Arc<LogLine>> + Clone) -> bool {
        let texts = record.clone().map(|line| line.text.as_str());
        let mut lines = record;
        self.all_count() || lines.next().is_none_or(|first| self.filters.fit(first, texts))
    }

    fn listed(&self) -> Vec<(Condition, SafeText)> {
        let mut all = Vec::new();
        if self.level > Level::Verbose {
            all.push((Condition::Level, safe!("level:{}", self.level.word())));
        }
        if let Some(search) = self.search().filter(|_| self.only) {
            all.push((Condition::Matches, safe!("only what the search finds: {}", search.as_str())));
        }
        if !self.polls {
            all.push((Condition::Polls, "without lines that only say that a poll was made".into()));
        }
        all.extend(
            self.filters.terms().iter().enumerate().map(|(n, term)| (Condition::Term(n), term.typed())),
        );
        all
    }

    /// What keeps records from being shown, each in words.
    pub fn conditions(&self) -> Vec<SafeText> {
        self.listed().into_iter().map(|(_, words)| words).collect()
    }

    /// One more.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn add_condition(&mut self, typed: Typed) -> Result<(), SafeText> {
        match typed {
            Typed::Level(level) => self.level = level,
            Typed::Term(term) => self.filters.add(term)?,
        }
        self.refilter();
        Ok(())
    }

    /// Without the one at this place of the list.
    pub fn take_condition(&mut self, at: usize) {
        match self.listed().get(at) {
            None => return,
            Some((Condition::Level, _)) => self.level = Level::Verbose,
            Some((Condition::Matches, _)) => self.only = false,
            Some((Condition::Polls, _)) => self.polls = true,
            Some((Condition::Term(n), _)) => self.filters.remove(*n),
        }
        self.refilter();
    }

    /// What could be typed of the record at which one is.
    pub fn offers(&self) -> Vec<SafeText> {
        let line = self.here().and_then(|key| self.line(key));
        let of = |word: &str, name: &SafeText| (!name.is_empty()).then(|| safe!("{word}:{name}"));
        let both = line.map(|line| [of("component", &line.component), of("thread", &line.thread)]);
        both.into_iter().flatten().flatten().collect()
    }
}
