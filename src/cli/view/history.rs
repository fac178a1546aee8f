//! `pcm history`, `pcm audit`, `pcm audit verify`.

use super::{count, mark, outcome, tone};
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::executor::talk::view::{AttemptDoc, AuditDoc, HistoryDoc, SerialDoc, SerialsDoc, VerifyDoc};

/// `pcm history`
pub fn attempts(doc: &HistoryDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    if doc.attempts.is_empty() {
        page.line("No attempt is recorded.");
        return page;
    }
    page.line(look.zone_line()).blank();
    table(&mut page, &doc.attempts, true, look);
    page
}

/// Attempts as rows; with the request where there are several.
pub fn table(page: &mut Page, attempts: &[AttemptDoc], several: bool, look: &Look) {
    let columns = [
        fixed(""),
        fixed(if several { "REQUEST" } else { "" }),
        fixed("#"),
        fixed("STATE"),
        fixed("BEGAN"),
        fixed("TOOK"),
        words(if several { "PACKAGE" } else { "" }, 12),
        words("RESULT", 16),
        words("BY", 12),
    ];
    let mut table = Table::new(if several { 0 } else { 2 }, &columns);
    for a in attempts {
        let only_several = |text: String| if several { text } else { String::new() };
        let took = match (a.started_at, a.ended_at) {
            (Some(from), Some(to)) => look.between(from, to),
            (Some(from), None) if !a.state.is_terminal() => {
                format!("{} so far", look.between(from, look.now))
            }
            // It was interrupted: nobody saw its end.
            (Some(_), None) => "unknown".to_owned(),
            (None, _) => String::new(),
        };
        table.row(
            tone(a.state),
            [
                mark(a.state).to_owned(),
                only_several(a.request_id.to_string()),
                a.attempt.to_string(),
                a.state.to_string(),
                look.time(a.started_at.unwrap_or(a.claimed_at)),
                took,
                only_several(a.package.to_string()),
                outcome(a.exit_code, a.result.as_str()),
                if a.reason.is_empty() { a.by.to_string() } else { format!("{}: \"{}\"", a.by, a.reason) },
            ],
        );
    }
    page.table(&table);
    let folded = attempts.iter().filter(|a| a.folded_at.is_some()).count();
    if folded > 0 {
        page.line(format!(
            "The details of {} were folded ([retention] details): this is all that is kept.",
            count(folded, "attempt")
        ));
    }
}

/// `pcm audit`
pub fn audit(doc: &AuditDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    if doc.entries.is_empty() {
        page.line("Nobody has done anything yet.");
        return page;
    }
    page.line(look.zone_line()).blank();
    let columns = [
        fixed("WHEN"),
        words("WHO", 10),
        words("FROM", 8),
        fixed("VERB"),
        fixed("REQUEST"),
        words("RESULT", 10),
        words("REASON", 14),
    ];
    let mut table = Table::new(0, &columns);
    for e in &doc.entries {
        let uid = e.uid.map(|u| format!(" ({u})")).unwrap_or_default();
        let from: Vec<String> =
            [&e.terminal, &e.from].into_iter().flatten().map(ToString::to_string).collect();
        let request = e.request_id.map(|r| r.to_string()).unwrap_or_default();
        table.row(
            Tone::Plain,
            [
                look.stamp(e.at),
                format!("{}{uid}", e.who),
                from.join(" "),
                e.verb.clone(),
                request,
                match (e.times, e.since) {
                    (Some(n), Some(since)) => format!("{}, {n} times since {}", e.result, look.time(since)),
                    _ => e.result.to_string(),
                },
                e.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            ],
        );
    }
    page.table(&table);
    page
}

/// The publications that were taken last; a part of `pcm evidence`.
pub fn serials(doc: &SerialsDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    if doc.serials.is_empty() {
        page.line("No publication is recorded.");
        return page;
    }
    page.line(look.zone_line()).blank();
    let columns = [
        fixed("TAKEN"),
        fixed("EPOCH"),
        fixed("SERIAL"),
        fixed("KIND"),
        fixed("SHA256"),
        words("ACCEPTED BY", 10),
    ];
    let mut table = Table::new(0, &columns);
    for SerialDoc { at, publication, accepted_by } in &doc.serials {
        let kind = if publication.index { "index" } else { "instruction file" };
        table.row(
            Tone::Plain,
            [
                look.stamp(*at),
                publication.epoch.to_string(),
                publication.serial.to_string(),
                kind.to_owned(),
                publication.sha256.as_str().to_owned(),
                accepted_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            ],
        );
    }
    page.table(&table);
    page
}

/// `pcm audit verify`
pub fn verify(doc: &VerifyDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    match (doc.ok, doc.first_bad) {
        (true, _) => page.line(format!("The chain of {} holds.", count(doc.entries as usize, "event"))),
        (false, Some(bad)) => page.strong(format!(
            "THE CHAIN IS BROKEN at event {bad}: it, or one before it, was changed after it was written."
        )),
        (false, None) => {
            page.strong("THE CHAIN DOES NOT END WHERE ITS MARK SAYS: events are missing at its end.")
        }
    };
    if let Some(until) = doc.folded_until {
        page.line(format!(
            "{} until {} were folded ([retention] details): nothing but their hashes is there to be checked.",
            count(doc.folded as usize, "event"),
            look.stamp(until)
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Zone;

    #[test]
    fn a_chain_of_which_something_was_folded_says_how_much_and_until_when() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap_or_default();
        let look = Look { width: Some(120), now, zone: Zone::utc(), pcm: "pcm".into() };
        let mut doc = VerifyDoc { ok: true, entries: 1234, first_bad: None, folded: 0, folded_until: None };
        assert_eq!(verify(&doc, &look).to_text(), "The chain of 1234 events holds.\n");
        (doc.folded, doc.folded_until) = (1000, "2024-10-31T23:00:00Z".parse().ok());
        let folded = "1000 events until 2024-10-31 23:00:00 were folded ([retention] details): nothing but their hashes is there";
        for said in ["The chain of 1234 events holds.", folded] {
            let text = verify(&doc, &look).to_text().replace('\n', " ");
            assert!(text.contains(said), "{text}");
        }
    }
}
