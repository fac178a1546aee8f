//! The queue of operators' runs: a row for each that waits. It goes with the claim of its request, in the same transaction,
//! so that what was asked for once is claimed once, whatever dies when.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Result};
use crate::clock::Wall;
use crate::decision::Queued;
use crate::executor::talk::view::AuditEntryDoc;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use rusqlite::{Connection, Transaction};
use serde::Serialize;

/// The body of an `unqueued` event.
#[derive(Serialize)]
struct Unqueued<'a> {
    who: &'a SafeText,
    reason: &'a SafeText,
}

impl History {
    /// An operator's run waits in the queue from now on, behind all others.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn enqueue(&mut self, queued: &Queued) -> Result<Delta> {
        self.transition(queued.at, |tx, events| {
            // Ids, words and times: nothing that JSON could refuse.
            let row = serde_json::to_string(queued).unwrap_or_default();
            tx.execute("INSERT INTO queue (request, row) VALUES (?1, ?2)", [queued.request.as_str(), &row])?;
            events.push(Event::new("queued", Some(queued.request), queued));
            Ok(Delta::Queued(queued.clone()))
        })
    }

    /// The same in the place of the run of its request that is in the queue.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn requeue(&mut self, queued: &Queued) -> Result<Delta> {
        self.transition(queued.at, |tx, events| {
            let row = serde_json::to_string(queued).unwrap_or_default();
            tx.execute("UPDATE queue SET row = ?2 WHERE request = ?1", [queued.request.as_str(), &row])?;
            events.push(Event::new("queued", Some(queued.request), queued));
            Ok(Delta::Requeued(queued.clone()))
        })
    }

    /// It was taken out of the queue without an attempt; `entry` of the audit says so where no operator's own does.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn unqueue(
        &mut self,
        at: Wall,
        request: RequestId,
        (who, reason): (&SafeText, &SafeText),
        entry: Option<&AuditEntryDoc>,
    ) -> Result<Delta> {
        self.transition(at, |tx, events| {
            remove(tx, request)?;
            events.push(Event::new("unqueued", Some(request), &Unqueued { who, reason }));
            events.extend(entry.map(|entry| Event::new("audit", Some(request), entry)));
            Ok(Delta::Unqueued(request))
        })
    }
}

/// The request waits no more.
pub(super) fn remove(tx: &Transaction, request: RequestId) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM queue WHERE request = ?1", [request.as_str()])?;
    Ok(())
}

/// The whole queue, in the order of asking.
pub(super) fn read(db: &Connection) -> std::result::Result<Vec<Queued>, RowError> {
    // A view reads tables that no executor has brought forward yet.
    if super::schema::version(db)? < super::schema::WITH_QUEUE {
        return Ok(Vec::new());
    }
    let mut statement = db.prepare_cached("SELECT row FROM queue ORDER BY seq")?;
    let mut queue = Vec::new();
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        let queued = serde_json::from_str(&row?);
        queue.push(queued.map_err(|e| RowError::Content(format!("a run in the queue: {e}")))?);
    }
    Ok(queue)
}
