//! The jobs that an index in force has ever called cancelled (SITE.md 2): that is final on this machine, whatever a later
//! index says. An event of the chain for what is new, and a current row of all. None is ever forgotten: an id is eight
//! characters, and one that was used is never given again.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Result, schema};
use crate::clock::Wall;
use crate::site::ids::JobId;
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The key of the current row, in `meta`.
const CANCELLED: &str = "cancelled";

/// The body of a `cancelled` event.
#[derive(Serialize, Deserialize)]
struct Body {
    jobs: BTreeSet<JobId>,
}

impl History {
    /// These jobs were cancelled, too.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn note_cancelled(&mut self, at: Wall, jobs: &BTreeSet<JobId>) -> Result<Delta> {
        let before = self.content(read(&self.db))?;
        let news: BTreeSet<JobId> = jobs.difference(&before).copied().collect();
        let all: BTreeSet<JobId> = before.union(&news).copied().collect();
        self.transition(at, |tx, events| write(tx, events, &news, &all))?;
        Ok(Delta::Cancelled(all))
    }
}

pub(super) fn write(
    tx: &Transaction,
    events: &mut Vec<Event>,
    news: &BTreeSet<JobId>,
    all: &BTreeSet<JobId>,
) -> rusqlite::Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    // Ids: nothing that JSON could refuse.
    schema::set_meta(tx, CANCELLED, &serde_json::to_string(all).unwrap_or_default())?;
    events.push(Event::new("cancelled", None, &Body { jobs: news.clone() }));
    Ok(())
}

/// The current row.
pub(super) fn read(db: &Connection) -> std::result::Result<BTreeSet<JobId>, RowError> {
    let Some(row) = schema::meta(db, CANCELLED)? else { return Ok(BTreeSet::new()) };
    serde_json::from_str(&row).map_err(|e| RowError::Content(format!("the cancelled jobs: {e}")))
}

/// What a file that cannot be believed says of them, in its row or its events.
///
/// # Errors
/// It says nothing: neither of the two can be read.
pub(super) fn left(db: &Connection) -> rusqlite::Result<BTreeSet<JobId>> {
    let row = read(db);
    match told(db) {
        Ok(mut all) => {
            all.extend(row.unwrap_or_default());
            Ok(all)
        }
        Err(e) => row.map_err(|_| e),
    }
}

/// Those of the events that can be read.
fn told(db: &Connection) -> rusqlite::Result<BTreeSet<JobId>> {
    let mut statement = db.prepare("SELECT body FROM events WHERE kind = 'cancelled'")?;
    let mut told = BTreeSet::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        told.extend(serde_json::from_str::<Body>(&body).ok().into_iter().flat_map(|body| body.jobs));
    }
    Ok(told)
}

/// Compares the current row with what the chain says of it: a job that was taken out of it would run.
pub(super) fn agrees_with_events(db: &Connection) -> rusqlite::Result<std::result::Result<(), String>> {
    let mut statement = db.prepare("SELECT body FROM events WHERE kind = 'cancelled'")?;
    let mut told = BTreeSet::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match serde_json::from_str::<Body>(&row.get::<_, String>(0)?) {
            Ok(body) => told.extend(body.jobs),
            Err(e) => return Ok(Err(format!("an event of cancelled jobs cannot be read: {e}"))),
        }
    }
    Ok(match read(db) {
        Ok(row) if row == told => Ok(()),
        _ => Err("the cancelled jobs are not what their events say".into()),
    })
}
