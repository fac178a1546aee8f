//! The filters of a log: what its records have to hold, and what they must not. They are typed, listed and taken away one by
//! one. Those of one kind are alternatives, the kinds have to hold together, and what is not wanted is left out whatever else
//! holds: as with the flags of `pcm log`.

use super::logline::LogLine;
use crate::log::Level;
use crate::log::search::{Filter, Names, Search, escape};
use crate::safe;
use crate::text::SafeText;

/// So many at most.
const MOST: usize = 20;

/// What a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular expression, in the text or the component.
    Text,
    /// What wrote the record.
    Component,
    /// Its thread.
    Thread,
    /// A request that the text names.
    Request,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Text, Kind::Component, Kind::Thread, Kind::Request];

    fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Component => "component",
            Kind::Thread => "thread",
            Kind::Request => "request",
        }
    }
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it looks at.
    pub kind: Kind,
    /// It leaves out what it finds.
    pub out: bool,
    /// What is wanted, or not.
    pub words: SafeText,
}

impl Term {
    /// As it may be typed.
    pub fn typed(&self) -> SafeText {
        safe!("{}{}:{}", if self.out { "!" } else { "" }, self.kind.word(), self.words)
    }
}

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A filter.
    Term(Term),
    /// The least level.
    Level(Level),
}

/// Reads what was typed: `timeout`, `!retry`, `component:SHARE*`, `!thread:12`, `request:BP0000Y`, `level:warning`.
///
/// # Errors
/// A sentence on what is wrong with it.
pub fn read(typed: &str) -> Result<Typed, SafeText> {
    let typed = typed.trim();
    let (out, rest) = typed.strip_prefix('!').map_or((false, typed), |rest| (true, rest.trim_start()));
    let (word, words) = rest.split_once(':').unwrap_or(("", rest));
    if word == "level" {
        let levels = [Level::Verbose, Level::Info, Level::Warning, Level::Error];
        return match levels.into_iter().find(|level| level.word() == words.trim()) {
            _ if out => Err("a level is the least that is shown; leave out the !".into()),
            Some(level) => Ok(Typed::Level(level)),
            None => Err("a level is verbose, info, warning or error".into()),
        };
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    let (kind, words) = kind.map_or((Kind::Text, rest), |kind| (kind, words.trim()));
    if words.is_empty() {
        return Err("nothing is typed that records would have to hold".into());
    }
    if kind == Kind::Text {
        Search::new(words)?;
    }
    Ok(Typed::Term(Term { kind, out, words: SafeText::new(words) }))
}

/// What all of them together let pass.
///
/// # Errors
/// Their patterns cannot be used together.
pub fn filter(terms: &[Term]) -> Result<Filter, SafeText> {
    let of = |kind: Kind, out: bool| -> Vec<String> {
        let terms = terms.iter().filter(|term| term.kind == kind && term.out == out);
        terms.map(|term| term.words.as_str().to_owned()).collect()
    };
    let requests = |out| of(Kind::Request, out).iter().map(|id| escape(id)).collect::<Vec<_>>();
    let names = |kind| Names { one_of: of(kind, false), none_of: of(kind, true) };
    let unwanted = [of(Kind::Text, true), requests(true)].concat();
    Ok(Filter {
        text: Search::any(&of(Kind::Text, false))?,
        without: Search::any(&unwanted)?,
        also: Search::any(&requests(false))?.into_iter().collect(),
        component: names(Kind::Component),
        thread: names(Kind::Thread),
        ..Filter::default()
    })
}

/// Those that count, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    terms: Vec<Term>,
    made: Filter,
}

impl Filters {
    /// All of them.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// One more.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn add(&mut self, term: Term) -> Result<(), SafeText> {
        if self.terms.contains(&term) {
            return Err("this filter is there already".into());
        }
        if self.terms.len() >= MOST {
            return Err(safe!("more than {MOST} filters at once are not possible; take one away"));
        }
        let mut terms = self.terms.clone();
        terms.push(term);
        self.made = filter(&terms)?;
        self.terms = terms;
        Ok(())
    }

    /// Without the one at this place.
    pub fn remove(&mut self, at: usize) {
        if at < self.terms.len() {
            self.terms.remove(at);
            self.make();
        }
    }

    /// Without the newest one; false: there is none.
    pub fn pop(&mut self) -> bool {
        let gone = self.terms.pop().is_some();
        self.make();
        gone
    }

    fn make(&mut self) {
        // Fewer can be used where more could.
        self.made = filter(&self.terms).unwrap_or_default();
    }

    /// The component that alone is wanted, if one is.
    pub fn component(&self) -> Option<&SafeText> {
        let mut wanted = self.terms.iter().filter(|term| term.kind == Kind::Component && !term.out);
        match (wanted.next(), wanted.next()) {
            (Some(only), None) => Some(&only.words),
            _ => None,
        }
    }

    /// Wants this component alone, or any.
    pub fn set_component(&mut self, name: Option<SafeText>) {
        self.terms.retain(|term| term.kind != Kind::Component || term.out);
        self.terms.extend(name.map(|words| Term { kind: Kind::Component, out: false, words }));
        self.make();
    }

    /// Whether a record passes, by its first line and the texts of all.
    pub fn fit<'a>(&self, first: &LogLine, texts: impl Iterator<Item = &'a str> + Clone) -> bool {
        self.terms.is_empty() || self.made.fits(&first.component, &first.thread, texts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn term(typed: &str) -> Term {
        match read(typed).unwrap() {
            Typed::Term(term) => term,
            Typed::Level(level) => panic!("{level:?}"),
        }
    }

    #[test]
    fn what_is_typed_is_a_text_unless_it_says_of_what_kind_it_is() {
        for (typed, shown) in [
            ("time ?out", "text:time ?out"),
            (" ! retry ", "!text:retry"),
            ("component:SHARE*", "component:SHARE*"),
            ("!thread: 12", "!thread:12"),
            ("request:BP0000Y", "request:BP0000Y"),
            ("text:thread:12", "text:thread:12"),
            ("C:\\\\Windows", "text:C:\\\\Windows"),
        ] {
            assert_eq!(term(typed).typed().as_str(), shown, "{typed}");
            assert_eq!(term(shown), term(typed), "what is listed can be typed");
        }
        assert_eq!(read("level:warning"), Ok(Typed::Level(Level::Warning)));
        for (typed, why) in [
            ("", "nothing is typed"),
            ("!", "nothing is typed"),
            ("thread:", "nothing is typed"),
            ("level:loud", "verbose, info, warning or error"),
            ("!level:error", "leave out the !"),
            ("a(b", "unclosed group"),
        ] {
            let said = read(typed).unwrap_err();
            assert!(said.as_str().contains(why), "{typed}: {said}");
        }
    }

    #[test]
    fn a_filter_is_there_once_and_is_taken_away_alone() {
        let mut filters = Filters::default();
        filters.add(term("a")).unwrap();
        filters.add(term("!b")).unwrap();
        assert!(filters.add(term("a")).unwrap_err().as_str().contains("already"));
        filters.remove(0);
        filters.remove(7);
        assert_eq!(filters.terms(), [term("!b")]);
        assert!(filters.pop() && !filters.pop());
        for n in 0..MOST {
            filters.add(term(&format!("thread:{n}"))).unwrap();
        }
        assert!(filters.add(term("one more")).unwrap_err().as_str().contains("take one away"));
    }

    #[test]
    fn the_component_that_is_cycled_through_is_the_only_one_that_is_wanted() {
        let mut filters = Filters::default();
        filters.add(term("component:A")).unwrap();
        filters.add(term("!component:C")).unwrap();
        assert_eq!(filters.component().unwrap().as_str(), "A");
        filters.set_component(Some("B".into()));
        assert_eq!(filters.terms(), [term("!component:C"), term("component:B")]);
        filters.add(term("component:D")).unwrap();
        assert_eq!(filters.component(), None, "two are not one");
        filters.set_component(None);
        assert_eq!(filters.terms(), [term("!component:C")]);
    }
}
