//! Which publications this machine took last: what the events of the chain say of them, for views.

use super::row_error::RowError;
use super::{History, health, rows};
use crate::executor::talk::view::SerialDoc;
use crate::host::paths::Layout;
use crate::site::publication::Publication;
use crate::text::SafeText;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;

/// What an event of a publication says, read back.
#[derive(Deserialize)]
struct Said {
    #[serde(flatten)]
    publication: Publication,
    #[serde(default)]
    accepted_by: Option<SafeText>,
}

impl History {
    /// The publications that were taken last, at most so many, newest first.
    ///
    /// # Errors
    /// In words, what the database says.
    pub fn publications(&self, most: usize) -> std::result::Result<Vec<SerialDoc>, String> {
        self.content(last(&self.db, most)).map_err(|e| e.to_string())
    }

    /// The same for a view.
    ///
    /// # Errors
    /// In words, why the history cannot be read or believed.
    pub fn read_publications(layout: &Layout, most: usize) -> std::result::Result<Vec<SerialDoc>, String> {
        let opened = health::open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY);
        opened.map_err(|lost| lost.evidence.to_string())?.history.publications(most)
    }
}

fn last(db: &Connection, most: usize) -> std::result::Result<Vec<SerialDoc>, RowError> {
    let mut statement =
        db.prepare("SELECT at, body FROM events WHERE kind = 'publication' ORDER BY seq DESC LIMIT ?1")?;
    let mut found = statement.query([i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut serials = Vec::new();
    while let Some(row) = found.next()? {
        let (at, body): (String, String) = (row.get(0)?, row.get(1)?);
        let Said { publication, accepted_by } = serde_json::from_str(&body)
            .map_err(|e| RowError::Content(format!("the publication of {at}: {e}")))?;
        serials.push(SerialDoc { at: rows::time(&at)?, publication, accepted_by });
    }
    Ok(serials)
}
