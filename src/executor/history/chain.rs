//! The chain of events: each carries the hash of the one before, so that a changed byte shows (PROMISES.md P14). Audit
//! entries are events like any other: who did what stands in the same chain as what became of it.

use super::row_error::RowError;
pub use super::stretches::ChainState;
use super::stretches::Folded;
use crate::clock::Wall;
use crate::executor::talk::view::AuditEntryDoc;
use crate::site::ids::RequestId;
use rusqlite::{Connection, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `claim`, `launched`, `ended`, `state`, `deferred`, `audit` …
    pub kind: &'static str,
    /// What it is about.
    pub request: Option<RequestId>,
    /// JSON.
    pub body: String,
}

impl Event {
    /// An event whose body is the JSON of `body`.
    pub fn new(kind: &'static str, request: Option<RequestId>, body: &impl Serialize) -> Self {
        // Bodies are our own structs of strings and numbers: they have no map with odd keys that could fail.
        let body = serde_json::to_string(body).unwrap_or_else(|e| format!("{{\"unprintable\":\"{e}\"}}"));
        Self { kind, request, body }
    }
}

/// The hash of an event covers its number, time, kind, subject, body, and the hash before it; lengths are part of what
/// is hashed, so that nothing can move from one field to the next.
fn hash(previous: &str, seq: u64, at: &str, kind: &str, request: &str, body: &str) -> String {
    let mut sha = Sha256::new();
    sha.update(previous.as_bytes());
    sha.update(seq.to_be_bytes());
    for field in [at, kind, request, body] {
        sha.update((field.len() as u64).to_be_bytes());
        sha.update(field.as_bytes());
    }
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn append(
    db: &Connection,
    head: &ChainState,
    at: Wall,
    event: &Event,
) -> rusqlite::Result<ChainState> {
    let seq = head.events + 1;
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let request = event.request.map(|r| r.to_string());
    let hash = hash(&head.hash, seq, &at, event.kind, request.as_deref().unwrap_or(""), &event.body);
    db.prepare_cached(
        "INSERT INTO events (seq, at, kind, request, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![seq as i64, at, event.kind, request, event.body, hash])?;
    Ok(ChainState { events: seq, hash })
}

/// Walks the whole chain, over what was folded.
///
/// # Errors
/// What the database says. A chain that does not hold is no error: `Err(first bad event)` inside.
pub fn verify(db: &Connection) -> rusqlite::Result<Result<ChainState, u64>> {
    let tx = db.unchecked_transaction()?;
    let folded = Folded::read(&tx)?;
    let walked = verify_next(&tx, &folded, ChainState::default(), i64::MAX)?;
    tx.commit()?;
    Ok(walked.and_then(|head| folded.vouched().map(|()| head)))
}

/// Walks on from an event that holds, over so many events at most: the last of them. Who vouches for what was folded is not
/// asked here.
///
/// # Errors
/// As [`verify`].
pub(super) fn verify_next(
    db: &Connection,
    folded: &Folded,
    mut head: ChainState,
    most: i64,
) -> rusqlite::Result<Result<ChainState, u64>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, at, kind, request, body, hash FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    // Nothing comes before the first.
    let after = if head.events == 0 { i64::MIN } else { head.events as i64 };
    let mut rows = statement.query(params![after, most])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        while seq > head.events.saturating_add(1).cast_signed()
            && let Some(last) = folded.over(head.events + 1)
        {
            head = last.clone();
        }
        let wanted = head.events + 1;
        let request: Option<String> = row.get(3)?;
        let (at, kind, body, stored): (String, String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(4)?, row.get(5)?);
        let computed = hash(&head.hash, wanted, &at, &kind, request.as_deref().unwrap_or(""), &body);
        if seq != wanted as i64 || stored != computed {
            return Ok(Err(wanted));
        }
        head = ChainState { events: wanted, hash: stored };
    }
    Ok(Ok(head))
}

/// The newest event as the file says it, unchecked.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<ChainState> {
    use rusqlite::OptionalExtension;
    let newest = db
        .prepare_cached("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(ChainState { events: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? })
        })
        .optional()?;
    Ok(newest.unwrap_or_default())
}

/// When the newest event happened, as the file says it.
pub(super) fn newest_time(db: &Connection) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    db.prepare_cached("SELECT at FROM events ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()
}

/// When the first event happened, as the file says it.
pub(super) fn first_time(db: &Connection) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    db.prepare_cached("SELECT at FROM events ORDER BY seq LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()
}

/// Whether nothing but its creation is in a history that ends with `head`.
pub(super) fn only_created(db: &Connection, head: &ChainState) -> rusqlite::Result<bool> {
    let others: i64 =
        db.query_row("SELECT count(*) FROM events WHERE kind <> 'created'", [], |row| row.get(0))?;
    Ok(head.events > 0 && others == 0)
}

/// The hash of event number `seq`, to compare with a mark that is behind the database.
pub(super) fn hash_at(db: &Connection, seq: u64) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    if seq == 0 {
        return Ok(Some(ChainState::default().hash));
    }
    db.query_row("SELECT hash FROM events WHERE seq = ?1", [seq as i64], |row| row.get(0)).optional()
}

/// The newest entries of the audit before this event, oldest first, and the event before which there are more.
pub(super) fn read_audit(
    db: &Connection,
    before: Option<u64>,
    most: usize,
) -> Result<(Vec<AuditEntryDoc>, Option<u64>), RowError> {
    let before = before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(
        "SELECT seq, body FROM events WHERE kind = 'audit' AND seq < ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    // One more, to see whether there is one.
    let rows = statement.query_map(params![before, most as i64 + 1], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut entries = Vec::new();
    let mut oldest = None;
    for row in rows {
        let (seq, body) = row?;
        if entries.len() == most {
            entries.reverse();
            return Ok((entries, oldest));
        }
        let entry = serde_json::from_str(&body)
            .map_err(|e| RowError::Content(format!("event {seq} is not an audit entry: {e}")))?;
        entries.push(entry);
        oldest = u64::try_from(seq).ok();
    }
    entries.reverse();
    Ok((entries, None))
}
