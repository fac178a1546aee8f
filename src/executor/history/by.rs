//! Who decided about a history that was lost, or about two machines with one id: an operator here, or the site's administrator
//! with `pcm site machine replace` (SITE.md 5). What the audit says of it.

use super::{History, Result, schema};
use crate::clock::Wall;
use crate::executor::talk::view::AuditEntryDoc;
use crate::host::account::Actor;
use crate::text::SafeText;
use rusqlite::Transaction;

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

/// In `meta`: the site let this machine go on from this history, which it names. It does so once, and the mark has it, too.
const OBEYED: &str = "obeyed";

/// In `meta`: the state in whose place this history was begun.
const AFTER: &str = "after";

impl History {
    /// The history in whose place this one was begun, whoever decided that; None: there was none. What cannot be read says
    /// nothing.
    pub fn after(&self) -> Option<String> {
        self.meta(AFTER).ok().flatten()
    }

    /// Whether the site has let this machine go on from this history before.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn has_obeyed(&self) -> Result<bool> {
        self.meta(OBEYED).map(|obeyed| obeyed.is_some())
    }
}

/// Where the site decided, it has done so about this history.
pub(super) fn write(tx: &Transaction, by: &By) -> rusqlite::Result<()> {
    match by {
        By::Operator(_) => Ok(()),
        By::Site(state) => schema::set_meta(tx, OBEYED, state),
    }
}

/// A history begins in the place of this one.
pub(super) fn write_after(tx: &Transaction, state: &str) -> rusqlite::Result<()> {
    schema::set_meta(tx, AFTER, state)
}
