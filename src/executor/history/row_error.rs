//! Why what the database holds cannot be read: the database itself, or a row of another version.

/// Why rows cannot be read.
#[derive(Debug)]
pub(super) enum RowError {
    /// The database failed.
    Database(rusqlite::Error),
    /// A row holds what this version cannot read.
    Content(String),
}

impl From<rusqlite::Error> for RowError {
    fn from(e: rusqlite::Error) -> Self {
        RowError::Database(e)
    }
}
