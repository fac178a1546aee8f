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
    if doc.offers.is_empty() {
        page.line("Nothing is offered to you on this machine.");
        return page;
    }
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
    page.blank().line(match doc.offers.iter().find(|offer| offer.can_install) {
        Some(example) => format!("To have one installed: {} install {}", look.pcm, example.request_id),
        None => "None of these can be installed now.".to_owned(),
    });
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::{Wall, Zone};
    use crate::executor::talk::view::OfferDoc;

    fn offer(id: &str, can_install: bool) -> OfferDoc {
        OfferDoc {
            request_id: id.parse().unwrap(),
            package_id: None,
            package: "Acme".into(),
            command: "Typical".into(),
            offer: if can_install { OfferState::Available } else { OfferState::Installed },
            state: State::Offered,
            can_install,
            code: None,
            why: "it is so".into(),
        }
    }

    fn last_line(offers: Vec<OfferDoc>) -> String {
        let zone = Zone::from_posix("UTC", "UTC0").unwrap();
        let look = Look { width: Some(80), now: Wall::default(), zone, pcm: "pcm".into() };
        super::offers(&OffersDoc { offers }, &look).to_text().lines().last().unwrap().to_owned()
    }

    #[test]
    fn only_what_can_be_installed_is_recommended() {
        let (done, free) = (offer("BP0000X", false), offer("BP0000Y", true));
        assert_eq!(last_line(vec![done.clone(), free]), "To have one installed: pcm install BP0000Y");
        assert_eq!(last_line(vec![done]), "None of these can be installed now.");
        assert_eq!(last_line(Vec::new()), "Nothing is offered to you on this machine.");
    }
}
