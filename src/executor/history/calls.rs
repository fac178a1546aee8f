//! What became of the changes that were asked for last, each by its id: written with the change itself, in its
//! transaction, so that who lost the connection can ask again and is told, and nothing is carried out twice. Bounded; no
//! part of the chain.

use super::chain::Event;
use super::{History, Result, rows};
use crate::clock::Wall;
use crate::executor::talk::protocol::CallId;
use crate::executor::talk::view::AuditEntryDoc;
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, params};

/// So many are kept.
pub(super) const KEPT: u32 = 1000;
/// And for so long: nobody waits for an answer for longer.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);
/// A longer reply is made anew when it is asked for again.
const LONGEST_REPLY: usize = 16 << 10;

/// What an entry of the audit says of a change with an id.
#[derive(Debug)]
pub enum CallNote<'a> {
    /// It is about to be carried out.
    Begun(&'a CallId),
    /// What was answered, as JSON.
    Answered(&'a CallId, String),
}

/// What is known of a change with an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It was begun, and nothing of it was recorded.
    Begun,
    /// It is in force; what was answered is not recorded.
    Taken,
    /// This was answered, as JSON.
    Answered(String),
}

impl CallNote<'_> {
    pub(super) fn write(&self, tx: &Connection, at: Wall) -> rusqlite::Result<()> {
        match self {
            CallNote::Begun(id) => {
                tx.prepare_cached("INSERT OR IGNORE INTO calls (id, at) VALUES (?1, ?2)")?
                    .execute(params![id.as_str(), rows::stamp(at)])?;
                let oldest = rows::stamp(at.checked_sub_signed(KEPT_FOR).unwrap_or(at));
                tx.prepare_cached(
                    "DELETE FROM calls WHERE at < ?1 OR seq <= (SELECT max(seq) FROM calls) - ?2",
                )?
                .execute(params![oldest, KEPT])?;
            }
            CallNote::Answered(_, reply) if reply.len() > LONGEST_REPLY => {}
            CallNote::Answered(id, reply) => {
                tx.prepare_cached("UPDATE calls SET reply = ?2 WHERE id = ?1")?
                    .execute(params![id.as_str(), reply])?;
            }
        }
        Ok(())
    }
}

/// A transition is this change's own: it is in force with it.
pub(super) fn taken(tx: &Connection, id: &CallId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE calls SET taken = 1 WHERE id = ?1")?.execute([id.as_str()])?;
    Ok(())
}

impl History {
    /// An entry of the audit, with what it says of the change that has an id.
    ///
    /// # Errors
    /// It is not recorded; the action must not be carried out.
    pub fn audit(&mut self, entry: &AuditEntryDoc, note: Option<&CallNote>) -> Result<()> {
        self.transition(entry.at, |tx, events| {
            if let Some(note) = note {
                note.write(tx, entry.at)?;
            }
            events.push(Event::new("audit", entry.request_id, entry));
            Ok(())
        })
    }

    /// What `act` records is what this change asks for: once it is on disk, that it was carried out is there too.
    ///
    /// # Errors
    /// As `act`.
    pub fn for_call<T>(
        &mut self,
        call: Option<&CallId>,
        act: impl FnOnce(&mut History) -> Result<T>,
    ) -> Result<T> {
        self.call = call.cloned();
        let done = act(self);
        self.call = None;
        done
    }

    /// What became of a change; None: nobody has begun it, or it is long ago.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn became(&self, id: &CallId) -> Result<Option<Became>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let mut statement = self
            .db
            .prepare_cached("SELECT taken, reply FROM calls WHERE id = ?1")
            .map_err(|e| self.database(e))?;
        let found: Option<(bool, Option<String>)> =
            statement.query_row([id.as_str()], read).optional().map_err(|e| self.database(e))?;
        Ok(found.map(|(taken, reply)| match reply {
            Some(reply) => Became::Answered(reply),
            None if taken => Became::Taken,
            None => Became::Begun,
        }))
    }
}
