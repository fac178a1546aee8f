//! `pcm check` and `pcm site lint`: one row an item, what is wrong first to be seen, and what to do about it below it.

use super::count;
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::executor::talk::view::CheckDoc;
use crate::terms::Verdict;

/// Every row with its evidence; remedies stand under what they mend.
pub fn check(doc: &CheckDoc, width: Option<usize>) -> Page {
    let mut page = Page::new(width);
    let mut table = Table::new(0, &[fixed(""), fixed(""), words("", 30)]);
    for item in &doc.items {
        let (word, tone) = match item.verdict {
            Verdict::Pass => ("ok", Tone::Plain),
            Verdict::Block => ("FAIL", Tone::Strong),
            Verdict::Unknown => ("?", Tone::Plain),
        };
        table.row(tone, [word.to_owned(), item.item.to_string(), sentence(item.evidence.as_str())]);
        if let Some(remedy) = &item.remedy {
            table
                .row(Tone::Plain, [String::new(), String::new(), format!("> {}", sentence(remedy.as_str()))]);
        }
    }
    page.table(&table).blank();
    let of = |verdict| doc.items.iter().filter(|i| i.verdict == verdict).count();
    let (wrong, unseen) = (of(Verdict::Block), of(Verdict::Unknown));
    let wrong = match wrong {
        0 => "Nothing is wrong".to_owned(),
        n => format!("{} failed", count(n, "item")),
    };
    let unseen = match unseen {
        0 => String::new(),
        n => format!("; {n} unknown (not counted as failures)"),
    };
    page.strong(format!("{wrong}{unseen}."));
    page
}

fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    format!("{text}.")
}
