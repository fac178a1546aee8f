//! Searching a log, and showing only some of it: by pattern, level and component.

use super::{LineKey, LogPane, Seek};
use crate::console::app::input::Input;
use crate::console::app::logline::LogLine;
use crate::console::app::whole::{Sought, Spot, What};
use crate::console::keymap::commands::Id;
use crate::console::keymap::{Key, Keymap};
use crate::log::Level;
use crate::safe;
use crate::text::SafeText;
use regex::{Regex, RegexBuilder};

/// Where one was before a search was typed.
#[derive(Debug, Clone)]
pub(super) struct Before {
    search: Option<Regex>,
    hit: Option<LineKey>,
    follow: bool,
    bottom: LineKey,
    unseen: usize,
    only: bool,
    /// Where the next record of a whole file begins.
    below: Option<u64>,
}

impl Before {
    /// Where the record after the one begins that one was at, in a whole file.
    pub fn below(&self) -> Option<u64> {
        self.below
    }
}

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
        if self.all_count() {
            return true;
        }
        line.level >= self.level
            && (self.polls || !is_poll(line.level, line.text.as_str()))
            && !(self.only && self.search.as_ref().is_some_and(|p| !self.found(p, line)))
    }

    pub(super) fn found(&self, pattern: &Regex, line: &LogLine) -> bool {
        pattern.is_match(line.text.as_str()) || pattern.is_match(line.component.as_str())
    }

    pub(super) fn refilter(&mut self) {
        if self.whole.is_some() {
            self.look_anew();
            return;
        }
        // The lines of a record stand together, and pass together.
        let mut lines = std::mem::take(&mut self.lines);
        let records = lines.make_contiguous().chunk_by(|_, (_, next)| next.continued);
        let fitting = records.filter(|record| self.fits(record.iter().map(|(_, line)| line))).flatten();
        let shown = fitting.filter(|(_, line)| self.passes(line)).map(|(key, _)| *key).collect();
        (self.lines, self.shown) = (lines, shown);
        let below = self.shown.len() - self.shown.partition_point(|key| *key <= self.bottom);
        self.unseen = self.unseen.min(below);
        self.find_matches();
    }

    fn find_matches(&mut self) {
        let Some(pattern) = &self.search else {
            self.matches.clear();
            return;
        };
        let found = self.shown.iter().filter(|key| self.line(**key).is_some_and(|l| self.found(pattern, l)));
        self.matches = found.copied().collect();
    }

    /// How many shown lines the search finds, and the number of the one that was jumped to, counted from the oldest.
    pub fn matches(&self) -> (usize, Option<usize>) {
        let at = self.hit.and_then(|hit| self.matches.binary_search(&hit).ok());
        (self.matches.len(), at.map(|at| at + 1))
    }

    /// A place to go to is typed.
    pub(super) fn start_going(&mut self) {
        self.start_search();
        self.going = true;
    }

    /// It was typed.
    pub fn end_going(&mut self) {
        (self.typing, self.going, self.before) = (None, false, None);
    }

    pub(super) fn start_search(&mut self) {
        self.typing = Some(Input::new(200));
        self.going = false;
        self.bad_pattern = None;
        self.before = Some(Box::new(Before {
            search: self.search.clone(),
            hit: self.hit,
            follow: self.follow,
            bottom: self.bottom,
            unseen: self.unseen,
            only: self.only,
            below: self.below(),
        }));
    }

    /// Back to where one was when the typing began.
    fn return_to(&mut self, before: &Before) {
        self.search = before.search.clone();
        self.return_to_line(before.hit.unwrap_or(before.bottom));
        let only = std::mem::replace(&mut self.only, before.only);
        if only || before.only {
            self.refilter();
        } else {
            self.find_matches();
        }
        (self.hit, self.follow, self.bottom) = (before.hit, before.follow, before.bottom);
        self.unseen = before.unseen;
        self.third = None;
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
        let next = match self.filters.component() {
            None => named.next().cloned(),
            Some(here) => named.find(|name| *name > here).cloned(),
        };
        self.filters.set_component(next.clone());
        self.refilter();
        match next {
            Some(name) => safe!("only what {name} wrote"),
            None => "what every component wrote".into(),
        }
    }

    /// Takes a key while a search is typed: each shows what is found so far.
    pub fn key(&mut self, key: Key, keys: &Keymap) -> Option<SafeText> {
        self.stop_seeking();
        if self.going {
            self.type_place(key);
            return None;
        }
        let input = self.typing.as_mut()?;
        match key {
            Key::Esc | Key::Ctrl('c') => {
                self.typing = None;
                self.bad_pattern = None;
                if let Some(before) = self.before.take() {
                    self.return_to(&before);
                }
                None
            }
            // What is wrong with it stands behind it.
            Key::Enter if self.bad_pattern.is_some() => {
                Some("nothing is searched: correct the pattern; \\ before a sign looks for the sign".into())
            }
            Key::Enter => {
                let text = input.safe();
                self.typing = None;
                self.before = None;
                if text.is_empty() {
                    self.set_search(None);
                }
                if self.whole.is_some() {
                    if self.matches.is_empty() {
                        self.find_typed();
                    }
                    return None;
                }
                let nothing = self.search.is_some() && self.matches.is_empty();
                if nothing && self.find_older_in_file() {
                    let n = self.lines.len();
                    return Some(safe!(
                        "nothing matches {text} in the newest {n} lines; looking in the whole file"
                    ));
                }
                if nothing && self.seek_older(Seek::Match) {
                    let n = self.lines.len();
                    return Some(safe!(
                        "nothing matches {text} in the newest {n} lines; looking in older ones"
                    ));
                }
                nothing.then(|| match self.more() {
                    Some(_) => safe!(
                        "nothing matches {text} in the newest {} lines; older ones are in the file",
                        self.lines.len()
                    ),
                    None => safe!("nothing matches {text}; {} ends the search", keys.hint(Id::Back)),
                })
            }
            key => {
                input.key(key);
                let text = input.text().to_owned();
                self.look_for(&text);
                None
            }
        }
    }

    /// Takes a key of a place that is typed; what Enter makes of it is told by whoever knows the time.
    fn type_place(&mut self, key: Key) {
        self.bad_pattern = None;
        if let Key::Esc | Key::Ctrl('c') = key {
            self.end_going();
        } else if let Some(input) = self.typing.as_mut() {
            input.key(key);
        }
    }

    /// Takes pasted text while a search is typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = self.typing.as_mut() {
            input.insert(text);
            if self.going {
                return;
            }
            let text = input.text().to_owned();
            self.look_for(&text);
        }
    }

    /// Shows what a pattern finds, from where the typing began.
    fn look_for(&mut self, text: &str) {
        let pattern = (!text.is_empty()).then(|| compile(text)).transpose();
        let pattern = match pattern {
            Ok(pattern) => pattern,
            Err(why) => {
                self.bad_pattern = Some(why);
                return;
            }
        };
        self.bad_pattern = None;
        if let Some(before) = self.before.take() {
            self.return_to(&before);
            self.before = Some(before);
        }
        self.set_search(pattern);
        if self.whole.is_some() {
            self.find_typed();
            return;
        }
        // Backwards from the newest line: that is where one looks.
        if !self.matches.is_empty() {
            self.next_match(false);
        }
    }

    fn set_search(&mut self, pattern: Option<Regex>) {
        self.search = pattern;
        self.hit = None;
        if self.only {
            self.only = self.search.is_some();
            self.refilter();
        } else {
            self.find_matches();
        }
    }

    /// To the next match, or the previous one; past the last of them to the first, which the text says.
    pub(super) fn next_match(&mut self, forward: bool) -> Option<SafeText> {
        let (first, last) = (*self.matches.front()?, *self.matches.back()?);
        let here = self.here();
        let found = match forward {
            true => self.matches.iter().find(|key| Some(**key) > here).copied(),
            false => self.match_above(),
        };
        if found.is_none() && !forward && self.find_older_in_file() {
            return Some("no match above in the newest lines; looking in the whole file".into());
        }
        if found.is_none() && !forward && self.seek_older(Seek::Match) {
            return Some(safe!("no match above in {} lines; looking in older ones", self.lines.len()));
        }
        let to = found.unwrap_or(if forward { first } else { last });
        self.jump(self.shown.partition_point(|key| *key < to));
        match (found, forward, self.more()) {
            (Some(_), ..) => None,
            (None, true, None) => Some("wrapped: no match below, this is the oldest".into()),
            (None, false, None) => Some("wrapped: no match above, this is the newest".into()),
            (None, true, Some(_)) => {
                Some("wrapped: this is the oldest here; older lines are in the file".into())
            }
            (None, false, Some(_)) => Some("wrapped: this is the newest; older lines are in the file".into()),
        }
    }

    /// Has the file looked through above the oldest line that is kept.
    pub(super) fn find_older_in_file(&mut self) -> bool {
        let oldest = self.lines.iter().find(|(_, line)| !line.continued);
        let (Some((_, line)), Some(search)) = (oldest, &self.search) else { return false };
        let from = Spot::Like(line.near, line.text.clone());
        let what = Sought::Text(SafeText::new(search.as_str()));
        self.look_at_file(What::Find { from, forward: false, what })
    }

    /// The line that was jumped to, else the one at the bottom.
    pub(super) fn here(&self) -> Option<LineKey> {
        self.hit.or_else(|| self.shown.get(self.end(self.height).checked_sub(1)?).copied())
    }

    /// The next match above. Without a line that was jumped to, the one at the bottom counts as well.
    pub(super) fn match_above(&self) -> Option<LineKey> {
        let here = self.here();
        let above = |key: LineKey| Some(key) < here || self.hit.is_none() && Some(key) == here;
        self.matches.iter().rev().copied().find(|key| above(*key))
    }

    /// One step back: ends the search, follows again, takes the newest filter away, shows the left edge; false if there was
    /// nothing to go back from.
    pub fn back(&mut self) -> bool {
        self.stop_seeking();
        if self.search.is_some() {
            self.set_search(None);
        } else if let Some(whole) = &mut self.whole {
            whole.leave = true;
        } else if !self.follow {
            self.resume();
        } else if self.filters.pop() {
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
const POLLS: [&str; 6] = [
    "Looking for instruction file: ",
    "Looking for index: ",
    "Packages before filter: ",
    "Packages after filter: ",
    "No new packages found.",
    "sleeping ",
];

/// Whether a line only says that a poll was made.
pub fn is_poll(level: Level, text: &str) -> bool {
    level <= Level::Info && POLLS.iter().any(|begins| text.starts_with(begins))
}

/// A pattern without regard to case unless it has capitals.
fn compile(text: &str) -> Result<Regex, SafeText> {
    RegexBuilder::new(text)
        .case_insensitive(!text.chars().any(char::is_uppercase))
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|why| match why {
            regex::Error::Syntax(said) => {
                // The last line says what is wrong; those above it draw an arrow.
                let last = said.lines().last().unwrap_or_default().trim();
                safe!("cannot be used: {}", last.trim_start_matches("error: "))
            }
            _ => "is too large".into(),
        })
}
