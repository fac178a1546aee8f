//! `pcm site lint` and `pcm package lint`: everything that can be wrong on a share before a machine meets it, or in one
//! instruction file or package before it is published. Reads one file after the other and keeps none of them, so that a
//! site of 10,000 machines is no matter. `share` walks, `request` judges one request after the other, `package` one package
//! after the other, `index` what a share under an index has, `release` the packages that it names, `trust` whose word counts,
//! `source` a site folder before it is published, `keys` private keys in it, `command` what requests and packages start, `asks` whether that asks
//! somebody, `content` the packages' files.

mod asks;
mod command;
mod content;
mod index;
mod keys;
mod package;
mod release;
mod request;
mod share;
mod source;
#[cfg(test)]
mod tests;
mod trust;

#[cfg(any(test, fuzzing))]
pub(crate) use asks::look;
pub use package::{Folders, packages};
pub use share::{file, share};
pub use source::folder;

use super::instruction::Request;
use super::instruction::parse::Defaults;
use crate::clock::{Wall, Zone};
use crate::terms::{Problem, Verdict};

/// Why a request fits into none of a machine's windows, if so.
pub type Fits<'a> = dyn Fn(&Request) -> Option<String> + 'a;

/// What is asked, and by which rules.
pub struct Asked<'a> {
    /// What times without a zone mean.
    pub zone: &'a Zone,
    /// For requests that do not say.
    pub defaults: &'a Defaults,
    /// When it is asked.
    pub now: Wall,
    /// Why a request fits into none of a machine's windows; None where no windows are known.
    pub fits: Option<&'a Fits<'a>>,
    /// Owners and mode bits decide who is believed.
    pub modes: bool,
    /// Hash every file of every package, too.
    pub hashes: bool,
}

/// The items, in the order in which they are shown.
pub const ITEMS: [&str; 21] = [
    "site-file",
    "publishing",
    "trust",
    "machines",
    "folders",
    "index",
    "parts",
    "targets",
    "instructions",
    "requests",
    "contradictions",
    "silent",
    "times",
    "windows",
    "request-ids",
    "serials",
    "dependencies",
    "packages",
    "bounds",
    "content",
    "modes",
];

/// So many rows of one item are kept; the others are counted.
const MOST: usize = 50;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// One of [`ITEMS`].
    pub item: &'static str,
    /// `unknown` where it could not be looked at.
    pub verdict: Verdict,
    /// Where and what.
    pub evidence: String,
    /// What to do; None on pass.
    pub remedy: Option<String>,
}

/// What was found, item by item.
#[derive(Debug, Default)]
pub struct Found {
    rows: Vec<Row>,
    /// By item: what was looked at, in words, and how many rows were not kept.
    looked: Vec<(&'static str, String)>,
    left_out: Vec<(&'static str, usize)>,
}

impl Found {
    fn block(&mut self, item: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) {
        self.add(item, Verdict::Block, evidence.into(), remedy.into());
    }

    fn unknown(&mut self, item: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) {
        self.add(item, Verdict::Unknown, evidence.into(), remedy.into());
    }

    fn add(&mut self, item: &'static str, verdict: Verdict, evidence: String, remedy: String) {
        if self.rows.iter().filter(|r| r.item == item).count() >= MOST {
            match self.left_out.iter_mut().find(|(name, _)| *name == item) {
                Some((_, count)) => *count += 1,
                None => self.left_out.push((item, 1)),
            }
            return;
        }
        self.rows.push(Row { item, verdict, evidence, remedy: Some(remedy) });
    }

    /// Says what an item is well about, where nothing is wrong with it.
    fn looked(&mut self, item: &'static str, at: impl Into<String>) {
        self.looked.push((item, at.into()));
    }

    /// The rows in the order of [`ITEMS`]: everything that is wrong, and one row for each item that is well. An item that
    /// was not looked at has none.
    pub fn rows(mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for item in ITEMS {
            let (mine, others): (Vec<Row>, Vec<Row>) = self.rows.into_iter().partition(|r| r.item == item);
            self.rows = others;
            let well = mine.is_empty();
            let verdict = mine.first().map_or(Verdict::Pass, |r| r.verdict);
            rows.extend(mine);
            if let Some((_, count)) = self.left_out.iter().find(|(name, _)| *name == item) {
                let evidence = format!("{count} more like these are not shown");
                rows.push(Row { item, verdict, evidence, remedy: Some("Correct those above first".into()) });
            }
            if let (true, Some((_, at))) = (well, self.looked.iter().find(|(name, _)| *name == item)) {
                rows.push(Row { item, verdict: Verdict::Pass, evidence: at.clone(), remedy: None });
            }
        }
        rows
    }
}

/// `file, line 7, request[3].expire_after: what is wrong`
fn place(problem: &Problem) -> String {
    let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let field = problem.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
    format!("{}{line}{field}: {}", problem.file, problem.message)
}

/// `1 file`, `3 files`
fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
