//! Searching a log, and showing only some of it: by pattern, level and component.

use super::LogPane;
use crate::console::app::event::LogLine;
use crate::console::app::input::Input;
use crate::console::keymap::commands::Id;
use crate::console::keymap::{Key, Keymap};
use crate::log::Level;
use crate::safe;
use crate::text::SafeText;
use regex::{Regex, RegexBuilder};

/// A pattern may not grow larger than this when it is compiled, in bytes.
const MAX_PATTERN: usize = 1 << 20;

impl LogPane {
    /// Whether something is searched for.
    pub fn has_search(&self) -> bool {
        self.search.is_some()
    }

    /// The pattern that is searched for.
    pub fn search(&self) -> Option<&Regex> {
        self.search.as_ref()
    }

    pub(super) fn passes(&self, line: &LogLine) -> bool {
        line.level >= self.level
            && (self.polls || !is_of_a_poll(line))
            && self.component.as_ref().is_none_or(|wanted| line.component == *wanted)
            && !(self.only && self.search.as_ref().is_some_and(|p| !self.found(p, line)))
    }

    pub(super) fn found(&self, pattern: &Regex, line: &LogLine) -> bool {
        pattern.is_match(line.text.as_str()) || pattern.is_match(line.component.as_str())
    }

    fn refilter(&mut self) {
        let passing = self.lines.iter().filter(|(_, line)| self.passes(line));
        self.shown = passing.map(|(key, _)| *key).collect();
        let below = self.shown.len() - self.shown.partition_point(|key| *key <= self.bottom);
        self.unseen = self.unseen.min(below);
    }

    pub(super) fn start_search(&mut self) {
        self.typing = Some(Input::new(200));
        self.bad_pattern = None;
    }

    pub(super) fn turn_only(&mut self, keys: &Keymap) -> SafeText {
        self.only = !self.only;
        self.refilter();
        match self.only {
            true => safe!("only matches are shown; {} shows all lines", keys.hint(Id::OnlyMatches)),
            false => "all lines".into(),
        }
    }

    pub(super) fn turn_level(&mut self) -> SafeText {
        self.level = match self.level {
            Level::Verbose => Level::Info,
            Level::Info => Level::Warning,
            Level::Warning => Level::Error,
            Level::Error => Level::Verbose,
        };
        self.refilter();
        safe!("shown from level {}", self.level.word())
    }

    pub(super) fn turn_polls(&mut self) -> SafeText {
        self.polls = !self.polls;
        self.refilter();
        match self.polls {
            true => "lines of polls that found nothing are shown".into(),
            false => "lines of polls that found nothing are left out".into(),
        }
    }

    pub(super) fn turn_component(&mut self) -> SafeText {
        let mut named = self.components.keys().filter(|name| !name.is_empty()).peekable();
        if named.peek().is_none() {
            return "these lines name no component".into();
        }
        self.component = match &self.component {
            None => named.next().cloned(),
            Some(here) => named.find(|name| *name > here).cloned(),
        };
        self.refilter();
        match &self.component {
            Some(name) => safe!("only what {name} wrote"),
            None => "what every component wrote".into(),
        }
    }

    /// Takes a key while a search is typed.
    pub fn key(&mut self, key: Key, keys: &Keymap) -> Option<SafeText> {
        let input = self.typing.as_mut()?;
        match key {
            Key::Esc | Key::Ctrl('c') => {
                self.typing = None;
                self.bad_pattern = None;
            }
            Key::Enter => {
                let text = input.text().to_owned();
                if text.is_empty() {
                    self.set_search(None);
                    self.typing = None;
                    return None;
                }
                match compile(&text) {
                    Ok(pattern) => {
                        self.set_search(Some(pattern));
                        self.typing = None;
                        // Backwards from the newest line: that is where one looks.
                        return self.command(Id::PrevMatch, keys).map(|_| {
                            safe!("nothing matches {text}; {} ends the search", keys.hint(Id::Back))
                        });
                    }
                    Err(why) => self.bad_pattern = Some(why),
                }
            }
            key => {
                input.key(key);
                self.bad_pattern = compile(input.text()).err();
            }
        }
        None
    }

    fn set_search(&mut self, pattern: Option<Regex>) {
        self.search = pattern;
        self.hit = None;
        self.only = self.only && self.search.is_some();
        self.refilter();
    }

    /// One step back: ends the search, follows again, shows every component, and the left edge; false if there was
    /// nothing to go back from.
    pub fn back(&mut self) -> bool {
        if self.search.is_some() {
            self.set_search(None);
        } else if !self.follow {
            self.resume();
        } else if self.component.take().is_some() {
            self.refilter();
        } else if self.shift > 0 {
            self.shift = 0;
        } else {
            return false;
        }
        true
    }
}

/// How the service's lines about each poll begin (`executor::engine::share`). What a poll finds and what goes wrong is not
/// among them.
const POLLS: [&str; 5] = [
    "Looking for instruction file: ",
    "Packages before filter: ",
    "Packages after filter: ",
    "No new packages found.",
    "sleeping ",
];

/// Whether a line only says that a poll was made.
fn is_of_a_poll(line: &LogLine) -> bool {
    line.level <= Level::Info && POLLS.iter().any(|begins| line.text.as_str().starts_with(begins))
}

/// A pattern without regard to case unless it has capitals.
fn compile(text: &str) -> Result<Regex, SafeText> {
    RegexBuilder::new(text)
        .case_insensitive(!text.chars().any(char::is_uppercase))
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|why| {
            let why = why.to_string();
            SafeText::new(why.lines().last().unwrap_or("not a pattern").trim())
        })
}
