//! `pcm offers` and `pcm install`, for people who know nothing of pcm.

use super::outcome;
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::executor::talk::view::{OfferState, OffersDoc, RunResultDoc};
use crate::terms::{Group, State};

/// `pcm offers`
pub fn offers(doc: &OffersDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let Some(first) = doc.offers.first() else {
        page.line("Nothing is offered to you on this machine.");
        return page;
    };
    let columns = [fixed("ID"), words("PACKAGE", 16), fixed("STATE"), words("WHAT THAT MEANS", 20)];
    let mut table = Table::new(0, &columns);
    for offer in &doc.offers {
        let tone = if offer.offer == OfferState::Available { Tone::Strong } else { Tone::Plain };
        let why = offer.why.to_string();
        table.row(
            tone,
            [offer.request_id.to_string(), offer.package.to_string(), offer.offer.to_string(), why],
        );
    }
    page.table(&table);
    let example = doc.offers.iter().find(|offer| offer.can_install).unwrap_or(first);
    page.blank().line(format!("To have one installed: {} install {}", look.pcm, example.request_id));
    page
}

/// `pcm install`
pub fn installing(doc: &RunResultDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let id = doc.request_id;
    let how = outcome(doc.exit_code, doc.result.as_ref().map_or("", |result| result.as_str()));
    let how = if how.is_empty() { how } else { format!(" ({how})") };
    match doc.state {
        State::SucceededRestart => {
            page.line(format!("{id} is done{how}; it is complete when the machine has restarted."));
        }
        state if state.is_success() => {
            page.line(format!("{id} is done{how}."));
        }
        State::Queued => {
            page.line(format!("{id} starts by itself when what runs before it has ended."));
        }
        state if state.group() == Group::Running => {
            page.line(format!("{id} is being installed. See how it goes: {} offers", look.pcm));
        }
        state => {
            page.line(format!(
                "{id} did not succeed: {state}{how}. Whoever looks after this machine can say more."
            ));
        }
    }
    page
}
