//! `pcm audit verify` as a document. The chain is walked whether or not the history is believed: where it breaks is what is
//! asked. Called by whoever is the executor, beside its loop, and by a view where nobody is.

use super::history::History;
use super::talk::protocol::busy;
use super::talk::view::VerifyDoc;
use crate::error::{Exit, Failure, Result};
use crate::host::paths::Layout;

/// What is to be walked.
pub struct Chain {
    /// Where the history is.
    pub layout: Layout,
    /// It does not end where its mark says, or cannot be believed for another reason.
    pub lost: bool,
}

impl Chain {
    /// Walks it, which takes seconds where much has happened.
    ///
    /// # Errors
    /// The history cannot be read; `go_on` said no.
    pub fn verify(&self, go_on: &dyn Fn() -> bool) -> Result<VerifyDoc> {
        let walked = History::verify(&self.layout, go_on).map_err(|why| unreadable(&why))?;
        let walked = walked.ok_or_else(|| busy("this check of the chain made room for another"))?;
        let (entries, first_bad) = (walked.events, walked.first_bad);
        Ok(VerifyDoc {
            ok: first_bad.is_none() && !self.lost,
            entries,
            first_bad,
            folded: walked.folded.as_ref().map_or(0, |folded| folded.events),
            folded_until: walked.folded.map(|folded| folded.until),
        })
    }
}

/// The failure of a view whose history cannot be read.
pub fn unreadable(why: &str) -> Failure {
    Failure::new(
        Exit::State,
        "state-unreadable",
        why,
        "Look at the rights and the health of the state folder",
    )
}
