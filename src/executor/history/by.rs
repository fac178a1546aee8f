//! Who decided about a history that was lost, or about two machines with one id: an operator here, or the site's administrator
//! with `pcm site machine replace` (SITE.md 5). What the audit says of it.

use super::row_error::RowError;
use super::{History, Result, schema};
use crate::clock::Wall;
use crate::executor::talk::view::AuditEntryDoc;
use crate::host::account::Actor;
use crate::text::SafeText;
use rusqlite::{Connection, Transaction};
use std::collections::BTreeSet;

/// Whoever decided.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// An operator.
    Operator(&'a Actor),
    /// The site, by naming this state in the machine's line of its list.
    Site(&'a str),
}

impl By<'_> {
    /// The name.
    pub fn name(&self) -> SafeText {
        match self {
            By::Operator(actor) => actor.name.clone(),
            By::Site(_) => "the site".into(),
        }
    }

    /// The entry of the audit. `forgotten`: what is not known any more.
    pub fn entry(&self, verb: &str, forgotten: &[SafeText], now: Wall) -> AuditEntryDoc {
        let actor = match self {
            By::Operator(actor) => Some(actor),
            By::Site(_) => None,
        };
        let mut words = Vec::new();
        if let By::Site(state) = self {
            words.push(format!("pcm site machine replace, state {state}"));
        }
        if !forgotten.is_empty() {
            let all: Vec<&str> = forgotten.iter().map(SafeText::as_str).collect();
            words.push(format!("not known any more: {}", all.join("; ")));
        }
        AuditEntryDoc {
            at: now,
            who: self.name(),
            uid: actor.and_then(|actor| actor.uid),
            terminal: actor.and_then(|actor| actor.terminal.clone()),
            from: actor.and_then(|actor| actor.from.clone()),
            verb: verb.to_owned(),
            request_id: None,
            reason: (!words.is_empty()).then(|| SafeText::new(&words.join("; "))),
            result: "done".into(),
            times: None,
            since: None,
        }
    }
}

/// The states from which the site let this machine go on, in `meta`: from each it does so once.
const OBEYED: &str = "obeyed";

impl History {
    /// Whether the site has let this machine go on from this state before.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn has_obeyed(&self, state: &str) -> Result<bool> {
        self.content(obeyed(&self.db)).map(|obeyed| obeyed.contains(state))
    }
}

pub(super) fn obeyed(db: &Connection) -> std::result::Result<BTreeSet<String>, RowError> {
    let Some(row) = schema::meta(db, OBEYED)? else { return Ok(BTreeSet::new()) };
    serde_json::from_str(&row).map_err(|e| RowError::Content(format!("what the site decided: {e}")))
}

/// Adds the state that the site named to those of before.
pub(super) fn write(tx: &Transaction, by: &By, mut before: BTreeSet<String>) -> rusqlite::Result<()> {
    if let By::Site(state) = by {
        before.insert((*state).to_owned());
    }
    match before.is_empty() {
        true => Ok(()),
        // Words: nothing that JSON could refuse.
        false => schema::set_meta(tx, OBEYED, &serde_json::to_string(&before).unwrap_or_default()),
    }
}
