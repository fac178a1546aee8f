//! The highest publication that this machine has ever taken (SITE.md 1): an event of the chain, a current row beside it,
//! and in the mark. It survives a history that is adopted, so that nothing older comes into force by a loss.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Result, schema};
use crate::clock::Wall;
use crate::site::publication::Publication;
use crate::text::SafeText;
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::Serialize;

/// The key of the current row, in `meta`.
const HIGHEST: &str = "publication";

/// The body of a `publication` event.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    publication: &'a Publication,
    /// The operator who let an older one take the place of a newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_by: Option<&'a SafeText>,
}

impl History {
    /// A newer publication was taken.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn note_publication(&mut self, at: Wall, publication: &Publication) -> Result<Delta> {
        self.transition(at, |tx, events| write(tx, events, publication, None))?;
        Ok(Delta::Publication(publication.clone()))
    }

    /// An operator lets this publication count as the highest, whatever was seen before.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn accept_publication(
        &mut self,
        at: Wall,
        publication: &Publication,
        by: &SafeText,
    ) -> Result<Delta> {
        self.transition(at, |tx, events| write(tx, events, publication, Some(by)))?;
        Ok(Delta::Publication(publication.clone()))
    }
}

pub(super) fn write(
    tx: &Transaction,
    events: &mut Vec<Event>,
    publication: &Publication,
    accepted_by: Option<&SafeText>,
) -> rusqlite::Result<()> {
    // A number and 64 hex digits.
    let row = serde_json::to_string(publication).unwrap_or_default();
    schema::set_meta(tx, HIGHEST, &row)?;
    events.push(Event::new("publication", None, &Body { publication, accepted_by }));
    Ok(())
}

/// The highest one; None: none was ever taken.
pub(super) fn highest(db: &Connection) -> std::result::Result<Option<Publication>, RowError> {
    schema::meta(db, HIGHEST)?.map(|row| parse(&row)).transpose()
}

/// What a file that cannot be believed says of it: the higher of its row and its newest event.
///
/// # Errors
/// It says nothing: neither of the two can be read.
pub(super) fn left(db: &Connection) -> std::result::Result<Option<Publication>, RowError> {
    let told = newest(db).map_err(RowError::from).and_then(|told| told.as_deref().map(parse).transpose());
    match (highest(db), told) {
        (Err(e), Err(_) | Ok(None)) | (Ok(None), Err(e)) => Err(e),
        (row, told) => Ok(higher(row.into_iter().chain(told).flatten())),
    }
}

/// The highest of these; the first of two alike.
pub(super) fn higher(all: impl IntoIterator<Item = Publication>) -> Option<Publication> {
    all.into_iter().reduce(|first, other| if first.order() < other.order() { other } else { first })
}

fn newest(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT body FROM events WHERE kind = 'publication' ORDER BY seq DESC LIMIT 1", [], |row| {
        row.get(0)
    })
    .optional()
}

/// Compares the current row with what the chain says of it: a row that was lowered would let something older run.
pub(super) fn agrees_with_events(db: &Connection) -> rusqlite::Result<std::result::Result<(), String>> {
    let told = newest(db)?.as_deref().map(parse).transpose();
    Ok(match (told, highest(db)) {
        (Ok(told), Ok(row)) if told == row => Ok(()),
        _ => Err("the highest serial that was seen is not what its events say".into()),
    })
}

fn parse(text: &str) -> std::result::Result<Publication, RowError> {
    serde_json::from_str(text).map_err(|e| RowError::Content(format!("the highest serial: {e}")))
}
