//! This machine's history (DESIGN.md 5, PROMISES.md 2): attempts, deferrals, the hold, and an append-only chain of
//! events, in SQLite with a rollback journal and `synchronous = EXTRA`; one transaction a transition. Only the executor
//! writes it. Whether it can be believed is judged in `health`, against the mark in `mark`.

mod acknowledged;
mod by;
mod calls;
mod cancelled;
mod chain;
#[cfg(test)]
pub mod faults;
mod first_look;
mod folding;
mod health;
mod lost;
mod mark;
mod note_reported;
mod publication;
mod queue;
mod reported;
mod row_error;
mod rows;
mod schema;
mod serials;
mod snapshot;
mod stretches;
mod taken;
#[cfg(test)]
mod tests;
mod trail;

pub use by::By;
pub use calls::{Became, CallNote};
pub use chain::{ChainState, Event, verify};
pub use health::{Adopt, Adopted, InitOutcome, adopt, init, is_new, replace, seen, unreadable};
pub use lost::{Cause, Lost};
pub use mark::Mark;
pub use reported::{Reported, Whose};
pub use rows::{AttemptRow, DeferralRow, ResultRow};
pub use snapshot::{Acknowledged, Delta, Snapshot};
pub use stretches::Checkpoint;
pub use taken::state_left;
pub use trail::Noted;

use crate::clock::Wall;
use crate::executor::talk::protocol::CallId;
use crate::executor::talk::view::AuditEntryDoc;
use crate::host::open;
use crate::host::paths::Layout;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;
use stretches::Folded;

/// Why a transition could not be recorded. Nothing of it is durable.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The database refused or failed.
    #[error("history {file}: {source}", file = .file.display())]
    Database {
        /// The database.
        file: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The mark beside the configuration could not be written.
    #[error("mark {file}: {source}", file = .file.display())]
    Mark {
        /// The mark.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A row holds what this version cannot read.
    #[error("history {file}: {what}", file = .file.display())]
    Content {
        /// The database.
        file: PathBuf,
        /// Which row and why.
        what: String,
    },
}

impl HistoryError {
    /// Whether what failed may be another file than the one that was opened, or damaged. A disk that is full and a lock
    /// that somebody holds say nothing of that.
    pub fn doubts_the_file(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        match self {
            HistoryError::Database { source, .. } => {
                !matches!(source.sqlite_error_code(), Some(DiskFull | DatabaseBusy | DatabaseLocked))
            }
            HistoryError::Mark { .. } => false,
            HistoryError::Content { .. } => true,
        }
    }
}

/// Entries of the audit, oldest first, and the event before which there are more.
pub type AuditPage = (Vec<AuditEntryDoc>, Option<u64>);

/// How far the chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// So many events, those that were folded included.
    pub events: u64,
    /// The first that does not.
    pub first_bad: Option<u64>,
    /// What was folded, as the newest checkpoint says.
    pub folded: Option<Checkpoint>,
}

/// What most functions of the history return.
pub type Result<T> = std::result::Result<T, HistoryError>;

/// The open history of the one executor. Dropping it closes the database.
pub struct History {
    db: Connection,
    file: PathBuf,
    /// Which file that was when it was judged.
    identity: [u64; 2],
    mark_file: PathBuf,
    generation: String,
    head: ChainState,
    /// What the mark says of what was folded.
    folded: Vec<String>,
    /// The change that a transition is made for.
    call: Option<CallId>,
}

/// All that the executor asks at every transition, and some more.
const STATEMENTS: usize = 32;

/// In `meta`: the last time that was believed, and how many events there were then.
const LAST_TIME: &str = "last_time";
const LAST_TIME_EVENTS: &str = "last_time_events";
/// The key in `meta` for when this machine was on.
pub const ON: &str = "on";

/// Writers wait this long for a lock (PROMISES.md 2).
const BUSY: Duration = Duration::from_secs(5);

impl History {
    /// Opens the history for writing and judges its health.
    ///
    /// # Errors
    /// `Lost` with the evidence where it is missing, damaged, of another generation or behind its mark.
    pub fn open(layout: &Layout) -> std::result::Result<History, Lost> {
        let opened = health::open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mut history = opened.history;
        if opened.ahead_of_mark {
            // The executor died between a commit and the mark: the database is the newer of the two, so it leads.
            history.write_mark()?;
        }
        history.migrate()?;
        Ok(history)
    }

    /// Whether what stands at its path is still what was judged. A file that was removed, and one that another has taken the
    /// place of, can be read and written on, and nobody who starts later sees anything of that.
    pub fn is_in_place(&self) -> bool {
        open::identity(&self.file).is_ok_and(|found| found == self.identity)
    }

    /// Reads everything a view needs in one short transaction and closes the database again.
    ///
    /// # Errors
    /// As [`History::open`].
    pub fn read(layout: &Layout) -> std::result::Result<Snapshot, Lost> {
        let history = health::open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY)?.history;
        Ok(history.snapshot()?)
    }

    /// Everything that is in it, read in one transaction. What a [`Delta`] says of a transition afterwards comes to the same.
    ///
    /// # Errors
    /// Whatever the database says; rows that cannot be understood are an error, never left out.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.forget_pages()?;
        let tx = self.db.unchecked_transaction().map_err(|e| self.database(e))?;
        same(&tx, &self.head, &self.file)?;
        let mut snapshot = self.content(rows::read(&tx))?;
        snapshot.acknowledged = self.content(acknowledged::read(&tx))?;
        snapshot.highest = self.content(publication::highest(&tx))?;
        snapshot.view.cancelled = self.content(cancelled::read(&tx))?;
        snapshot.apply(Delta::Reported(self.content(reported::read(&tx))?));
        snapshot.view.queue = self.content(queue::read(&tx))?;
        Ok(snapshot)
    }

    /// The newest entries of the audit, or those before the event `before`; oldest first, with the event before which there
    /// are more.
    ///
    /// # Errors
    /// In words, what the database says.
    pub fn audit_page(&self, before: Option<u64>, most: usize) -> std::result::Result<AuditPage, String> {
        self.content(chain::read_audit(&self.db, before, most)).map_err(|e| e.to_string())
    }

    /// The same for a view.
    ///
    /// # Errors
    /// In words, why the history cannot be read or believed.
    pub fn read_audit(
        layout: &Layout,
        before: Option<u64>,
        most: usize,
    ) -> std::result::Result<AuditPage, String> {
        let opened = health::open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY);
        opened.map_err(|lost| lost.evidence.to_string())?.history.audit_page(before, most)
    }

    /// Walks the chain of the file as it is, believed or not. It looks at some of the events at a time, so that whoever writes
    /// waits for no longer than that. None: `go_on` said no.
    ///
    /// # Errors
    /// In words, why it cannot be read at all.
    pub fn verify(layout: &Layout, go_on: &dyn Fn() -> bool) -> std::result::Result<Option<Walked>, String> {
        const AT_ONCE: i64 = 500;
        let file = layout.history();
        let failed = |e: rusqlite::Error| format!("{} cannot be read: {e}", file.display());
        let db = connect(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        let read = || db.unchecked_transaction().and_then(|tx| Folded::read(&tx)).map_err(failed);
        let mut folded = read()?;
        let mut head = ChainState::default();
        while go_on() {
            let first_bad = match chain::verify_next(&db, &folded, head.clone(), AT_ONCE).map_err(failed)? {
                Ok(newest) if newest != head => {
                    head = newest;
                    continue;
                }
                Ok(_) => folded.vouched().err(),
                Err(bad) => Some(bad),
            };
            // What was folded meanwhile is no longer where it was looked for.
            let newer = read()?;
            if newer == folded {
                let events = first_bad.map_or(head.events, |bad| bad - 1);
                return Ok(Some(Walked { events, first_bad, folded: folded.checkpoint().cloned() }));
            }
            (folded, head) = (newer, ChainState::default());
        }
        Ok(None)
    }

    /// The time that a service wrote down last.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn noted_time(&self) -> Result<Option<Wall>> {
        self.meta(LAST_TIME)?.map(|text| self.content(rows::time(&text))).transpose()
    }

    /// When this history began, as its first event says.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn began(&self) -> Result<Option<Wall>> {
        let first = chain::first_time(&self.db).map_err(|e| self.database(e))?;
        first.map(|text| self.content(rows::time(&text))).transpose()
    }

    /// How far the clock is known to have come: the time that was written down last, and that of the newest event where
    /// it came after that.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn last_time(&self) -> Result<Option<Wall>> {
        let noted = self.noted_time()?;
        let known: u64 = self.meta(LAST_TIME_EVENTS)?.and_then(|text| text.parse().ok()).unwrap_or(0);
        if self.head.events <= known {
            return Ok(noted);
        }
        let newest = chain::newest_time(&self.db).map_err(|e| self.database(e))?;
        let newest = newest.map(|text| self.content(rows::time(&text))).transpose()?;
        Ok(noted.max(newest))
    }

    /// Writes down a time that is believed, outside the chain, and beside it when this machine was on. Events before it say
    /// nothing about the clock any more.
    ///
    /// # Errors
    /// What was written before stays.
    pub fn set_last_time(&mut self, now: Wall, on: Option<&str>) -> Result<()> {
        same(&self.db, &self.head, &self.file)?;
        let write = |db: &Connection, events: u64| {
            let tx = db.unchecked_transaction()?;
            schema::set_meta(&tx, LAST_TIME, &rows::stamp(now))?;
            schema::set_meta(&tx, LAST_TIME_EVENTS, &events.to_string())?;
            on.map_or(Ok(()), |on| schema::set_meta(&tx, ON, on))?;
            tx.commit()
        };
        write(&self.db, self.head.events).map_err(|e| self.database(e))
    }

    /// Number of events and hash of the newest.
    pub fn head(&self) -> &ChainState {
        &self.head
    }

    /// The generation this history was created as.
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// One transition: `change` writes its rows and names its events; all of it is durable on return, or none.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn transition<T>(
        &mut self,
        at: Wall,
        change: impl FnOnce(&Transaction, &mut Vec<Event>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let file = self.file.clone();
        let database = |source| HistoryError::Database { file: file.clone(), source };
        self.forget_pages()?;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(database)?;
        same(&tx, &self.head, &file)?;
        let mut events = Vec::new();
        let value = change(&tx, &mut events).map_err(database)?;
        if let Some(call) = &self.call {
            calls::taken(&tx, call).map_err(database)?;
        }
        let mut head = self.head.clone();
        for event in &events {
            head = chain::append(&tx, &head, at, event).map_err(database)?;
        }
        if let Err(e) = commit(tx) {
            // It may be on disk all the same. The chain goes on from what is there, or nothing could follow it.
            if chain::newest(&self.db).is_ok_and(|newest| newest == head) {
                self.head = head;
            }
            return Err(database(e));
        }
        self.head = head;
        Ok(value)
    }

    /// Writes what [`Mark`] has beside the configuration, durably.
    ///
    /// # Errors
    /// The mark is then the old one.
    pub fn write_mark(&mut self) -> Result<()> {
        let mark = Mark {
            generation: self.generation.clone(),
            events: self.head.events,
            head: self.head.hash.clone(),
            publication: self.content(publication::highest(&self.db))?,
            obeyed: self.has_obeyed()?,
            folded: self.folded.clone(),
        };
        #[cfg(test)]
        faults::point("mark")
            .map_err(|source| HistoryError::Mark { file: self.mark_file.clone(), source })?;
        mark.write(&self.mark_file)
            .map_err(|source| HistoryError::Mark { file: self.mark_file.clone(), source })
    }

    /// The same for what is on disk at the moment: where another file was put in the place of this one, the mark stays.
    ///
    /// # Errors
    /// The mark is then the old one.
    pub fn confirm_mark(&mut self) -> Result<()> {
        self.forget_pages()?;
        same(&self.db, &self.head, &self.file)?;
        self.write_mark()
    }

    /// The mark says that this is going to be folded beside what is, and nothing of what was tried before.
    fn folds(&mut self, is: Option<String>, rows_sha256: &str) -> Result<()> {
        let folded = is.into_iter().chain([rows_sha256.to_owned()]).collect();
        let known = std::mem::replace(&mut self.folded, folded);
        // Where it could not be written, nothing is folded.
        self.confirm_mark().inspect_err(|_| self.folded = known)
    }

    /// It is. The mark says so once it is written again.
    fn has_folded(&mut self, rows_sha256: String) {
        self.folded = vec![rows_sha256];
    }

    /// Reads one value of the `meta` table.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        schema::meta(&self.db, key).map_err(|e| self.database(e))
    }

    fn migrate(&mut self) -> Result<()> {
        schema::migrate(&mut self.db)
            .map_err(|source| HistoryError::Database { file: self.file.clone(), source })
    }

    /// What is looked at next is what the file holds. SQLite takes its pages for good where the file's change counter is
    /// the one it knows, and a file put over this one in place may have the same.
    fn forget_pages(&self) -> Result<()> {
        self.db.execute_batch("PRAGMA shrink_memory").map_err(|e| self.database(e))
    }

    fn database(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Database { file: self.file.clone(), source }
    }

    fn content<T>(&self, read: std::result::Result<T, row_error::RowError>) -> Result<T> {
        read.map_err(|e| match e {
            row_error::RowError::Database(source) => self.database(source),
            row_error::RowError::Content(what) => HistoryError::Content { file: self.file.clone(), what },
        })
    }
}

/// The file may be replaced under its executor, also in place. What it holds then is not what was judged when it was
/// opened, and says nothing about what has run.
fn same(db: &Connection, head: &ChainState, file: &Path) -> Result<()> {
    let newest =
        chain::newest(db).map_err(|source| HistoryError::Database { file: file.to_owned(), source })?;
    if newest == *head {
        return Ok(());
    }
    Err(HistoryError::Content {
        file: file.to_owned(),
        what: format!(
            "it ends with event {}, and this executor knows event {}: it was replaced",
            newest.events, head.events
        ),
    })
}

fn commit(tx: Transaction) -> rusqlite::Result<()> {
    #[cfg(test)]
    faults::database("commit")?;
    tx.commit()?;
    #[cfg(test)]
    faults::database("committed")?;
    Ok(())
}

/// 32 hexadecimal digits that nobody else has: of a history, and of a call.
///
/// # Errors
/// There is no memory for it.
pub fn random_id() -> rusqlite::Result<String> {
    Connection::open_in_memory()?.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))
}

/// Opens the database file with the settings that P1 rests on.
fn connect(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        db.pragma_update(None, "journal_mode", "DELETE")?;
        db.pragma_update(None, "synchronous", "EXTRA")?;
        db.pragma_update(None, "fullfsync", true)?;
    }
    // A simulated disk decides itself what it forgets, and a simulated death rolls back what it interrupts.
    #[cfg(test)]
    if faults::simulated() {
        db.pragma_update(None, "synchronous", "OFF")?;
    }
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}
