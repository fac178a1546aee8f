//! The tables and how older versions of them are brought forward.

use super::connect;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::path::Path;

/// What brings tables of version n forward to n + 1, from version 1 on. Events are never among what a step changes: the
/// chain and its mark hold over every one of them.
const STEPS: &[&str] = &[
    // What became of the changes that were asked for last (`calls`).
    "CREATE TABLE calls (
         seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, taken INTEGER NOT NULL DEFAULT 0, reply TEXT
     ) STRICT;",
    // Operators' runs that wait for the executor, in the order of asking (`queue`).
    "CREATE TABLE queue (seq INTEGER PRIMARY KEY, request TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;",
    // Stretches of the chain of which only the last hash is kept (`folding`). No other event can be deleted.
    "CREATE TABLE folded (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
     DROP TRIGGER events_are_not_deleted;
     CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
     WHEN coalesce((SELECT last FROM folded WHERE first <= OLD.seq ORDER BY first DESC LIMIT 1), 0) < OLD.seq
     BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;",
];

/// Raised by every step; a newer one than this is refused, never guessed at.
pub(super) const VERSION: i64 = 1 + STEPS.len() as i64;

/// From this version on there is a queue.
pub(super) const WITH_QUEUE: i64 = 3;

/// From this version on events can have been folded.
pub(super) const WITH_FOLDED: i64 = 4;

/// Events can be added, folded, and nothing else: whoever changes one has to work around the database and breaks the chain.
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

/// Makes the tables of a new history, in one transaction: each by itself would be synced by itself.
pub(super) fn create(db: &mut Connection, generation: &str) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    tx.execute_batch(V1)?;
    for step in STEPS {
        tx.execute_batch(step)?;
    }
    set_meta(&tx, "generation", generation)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}

/// Brings older tables forward, one transaction a version: a crash leaves the tables of one version or the next.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    bring_forward(db, STEPS)
}

fn bring_forward(db: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    loop {
        let found = version(db)?;
        let Some(step) = usize::try_from(found - 1).ok().and_then(|done| steps.get(done)) else {
            return Ok(());
        };
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        // In the transaction like everything else: SQLite keeps the number in the file's header.
        tx.pragma_update(None, "user_version", found + 1)?;
        tx.commit()?;
    }
}

/// The version of the tables in this file.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
    )?
    .execute([key, value])?;
    Ok(())
}

/// Whether an executor died in the middle of writing, and nobody has taken its part of a transition back yet.
pub(super) fn is_unfinished(e: &rusqlite::Error) -> bool {
    e.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// Takes it back, as the next executor would: SQLite does that by itself for whoever may write.
pub(super) fn roll_back(file: &Path) -> rusqlite::Result<()> {
    connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|db| version(&db)).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::chain::{self, ChainState, Event};
    use super::*;
    use std::path::{Path, PathBuf};

    /// Two steps as a later version may have them: a column more, and a table made over.
    const LATER: [&str; 2] = [
        "ALTER TABLE adopted ADD COLUMN who TEXT NOT NULL DEFAULT 'unknown';",
        "CREATE TABLE again (request TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL, note TEXT) STRICT;
         INSERT INTO again SELECT request, state, since, hex(randomblob(500)) FROM seen;
         DROP TABLE seen; ALTER TABLE again RENAME TO seen;",
    ];
    const ROWS: i64 = 1000;

    /// A history of the first version with rows and events in it.
    fn first(dir: &Path) -> (PathBuf, Connection, ChainState) {
        let file = dir.join("history.db");
        let db = Connection::open(&file).unwrap();
        db.execute_batch("BEGIN").unwrap();
        db.execute_batch(V1).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        let mut head = ChainState::default();
        for n in 0..ROWS {
            let event = Event::new("state", None, &n);
            head = chain::append(&db, &head, "2026-11-22T12:00:00Z".parse().unwrap(), &event).unwrap();
            let row = [format!("BP{n:05}"), "due".into(), "2026-11-22T12:00:00Z".into()];
            db.execute("INSERT INTO seen (request, state, since) VALUES (?1, ?2, ?3)", row).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        (file, db, head)
    }

    fn rows(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM seen", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn older_tables_are_brought_forward_step_by_step_and_the_chain_holds() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut db, head) = first(dir.path());
        bring_forward(&mut db, &LATER).unwrap();
        assert_eq!((version(&db).unwrap(), rows(&db)), (3, ROWS));
        db.query_row("SELECT note FROM seen LIMIT 1", [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(chain::verify(&db).unwrap(), Ok(head));
        bring_forward(&mut db, &LATER).unwrap();
        assert_eq!(version(&db).unwrap(), 3, "done is done");
    }

    #[test]
    fn a_step_that_fails_changes_nothing_and_the_steps_before_it_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut db, head) = first(dir.path());
        let broken = [LATER[0], "DROP TABLE seen; SELECT nonsense FROM nowhere;"];
        bring_forward(&mut db, &broken).unwrap_err();
        assert_eq!((version(&db).unwrap(), rows(&db)), (2, ROWS));
        assert_eq!(chain::verify(&db).unwrap(), Ok(head));
        bring_forward(&mut db, &LATER).unwrap();
        assert_eq!(version(&db).unwrap(), 3, "and a corrected one goes on from there");
    }

    #[test]
    fn a_crash_in_the_middle_of_a_step_leaves_the_tables_of_the_version_before() {
        let dir = tempfile::tempdir().unwrap();
        let (file, mut db, head) = first(dir.path());
        bring_forward(&mut db, &LATER[..1]).unwrap();
        // So little memory that the step is in the file before it is committed.
        db.pragma_update(None, "cache_size", 2).unwrap();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        tx.execute_batch(LATER[1]).unwrap();
        tx.pragma_update(None, "user_version", 3).unwrap();
        // What a crash would leave at this moment: the file half changed, and its journal.
        let crashed = dir.path().join("crashed.db");
        std::fs::copy(&file, &crashed).unwrap();
        std::fs::copy(dir.path().join("history.db-journal"), dir.path().join("crashed.db-journal")).unwrap();
        tx.rollback().unwrap();
        assert_ne!(std::fs::read(&crashed).unwrap(), std::fs::read(&file).unwrap(), "it was half changed");
        let mut db = Connection::open(&crashed).unwrap();
        assert_eq!((version(&db).unwrap(), rows(&db)), (2, ROWS));
        assert_eq!(chain::verify(&db).unwrap(), Ok(head));
        bring_forward(&mut db, &LATER).unwrap();
        assert_eq!((version(&db).unwrap(), rows(&db)), (3, ROWS));
    }
}
