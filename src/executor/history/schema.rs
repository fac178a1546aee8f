//! The tables and how older versions of them are brought forward.

use rusqlite::{Connection, OptionalExtension};

/// Raised with every change of the tables; a newer one than this is refused as damaged, never guessed at.
pub(super) const VERSION: i64 = 1;

/// Events can be added and nothing else: whoever changes one has to work around the database and breaks the chain.
const V1: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, request TEXT, body TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TABLE attempts (
    request TEXT NOT NULL, number INTEGER NOT NULL CHECK (number >= 1), row TEXT NOT NULL, PRIMARY KEY (request, number)
) STRICT;
CREATE TABLE deferrals (
    id INTEGER PRIMARY KEY, request TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL, ended_at TEXT
) STRICT;
CREATE INDEX deferrals_by_request ON deferrals (request);
CREATE TABLE hold (id INTEGER PRIMARY KEY CHECK (id = 1), row TEXT NOT NULL) STRICT;
CREATE TABLE adopted (request TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE seen (request TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL) STRICT;
";

/// Makes the tables of a new history.
pub(super) fn create(db: &Connection, generation: &str) -> rusqlite::Result<()> {
    db.execute_batch(V1)?;
    set_meta(db, "generation", generation)?;
    db.pragma_update(None, "user_version", VERSION)
}

/// Brings older tables forward, one transaction a version.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let found = version(db)?;
    debug_assert!(found <= VERSION, "health refuses newer tables");
    Ok(())
}

/// The version of the tables in this file.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

pub(super) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        [key, value],
    )?;
    Ok(())
}
