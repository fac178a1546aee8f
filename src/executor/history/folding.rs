//! Details that are kept no longer (`[retention] details`). The events of attempts that ended long ago, and what was seen of
//! requests meanwhile, are folded: they leave the table, and a row of `folded` says from which event to which, and the hash of
//! the last of them, from which the chain goes on. The newest `checkpoint` event vouches for all these rows. The fact of each
//! attempt never goes: its row stays with all that decisions see of it, and a `folded` event repeats that row. Entries of the
//! audit, publications, cancelled jobs and whatever else is an event stay as they are.
//!
//! ```text
//! 1 created  2 claim  3 ended  4 audit  5 states  6 claim …            before
//! 1 created [2 … 3 #] 4 audit [5 … 5 #] 6 claim …  n folded  n+1 checkpoint
//! ```

use super::chain::{ChainState, Event};
use super::row_error::RowError;
use super::rows::{self, AttemptRow};
use super::{Delta, History, Result, schema, trail};
use crate::clock::Wall;
use crate::site::content;
use crate::site::ids::RequestId;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// At most about so many events at once: whoever reads waits for no longer than that takes.
const AT_ONCE: usize = 5_000;

/// In `meta`: everything from before this was folded that could be.
const FOLDED_TO: &str = "folded_to";

/// The body of a `checkpoint` event: what was folded up to then, all times together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many events.
    pub events: u64,
    /// Of how many attempts the details are gone.
    pub attempts: u64,
    /// When the oldest of the events happened, as it said itself.
    pub from: Wall,
    /// The newest.
    pub until: Wall,
    /// The hash of the last event that was folded.
    pub head: String,
    /// The SHA-256 of all rows of `folded`.
    pub rows_sha256: String,
}

/// What folding came to.
#[derive(Debug)]
pub struct Done {
    /// The attempts, as they are now.
    pub delta: Delta,
    /// How many attempts.
    pub attempts: usize,
    /// How many events.
    pub events: usize,
    /// There is more of it.
    pub more: bool,
}

/// What is missing in the chain, and who vouches for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// By the first event of each stretch: its last one, and the hash of that.
    stretches: BTreeMap<u64, ChainState>,
    checkpoint: Option<Checkpoint>,
}

impl Folded {
    /// As the file says it. In one transaction with the walk over the chain, or what is folded in between is missed.
    pub fn read(db: &Connection) -> rusqlite::Result<Self> {
        use rusqlite::OptionalExtension;
        // A view reads tables that no executor has brought forward yet.
        if schema::version(db)? < schema::WITH_FOLDED {
            return Ok(Self::default());
        }
        let mut statement =
            db.prepare_cached("SELECT first, last, hash FROM folded WHERE first > 0 AND last >= first")?;
        let rows = statement.query_map([], |row| {
            let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((first.unsigned_abs(), ChainState { events: last.unsigned_abs(), hash: row.get(2)? }))
        })?;
        let stretches = rows.collect::<rusqlite::Result<_>>()?;
        let newest = db
            .prepare_cached("SELECT body FROM events WHERE kind = 'checkpoint' ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| row.get::<_, String>(0))
            .optional()?;
        let checkpoint = newest.and_then(|body| serde_json::from_str(&body).ok());
        Ok(Self { stretches, checkpoint })
    }

    /// From where the chain goes on if this is the first event that is missing.
    pub fn over(&self, missing: u64) -> Option<&ChainState> {
        self.stretches.get(&missing)
    }

    /// Whether the newest checkpoint names exactly these stretches, as it does in a chain that holds.
    ///
    /// # Errors
    /// The first event of which nobody knows whether it was folded.
    pub fn vouched(&self) -> std::result::Result<(), u64> {
        let told = self.checkpoint.as_ref().map(|checkpoint| checkpoint.rows_sha256.as_str());
        let none = self.checkpoint.is_none() && self.stretches.is_empty();
        if none || told == Some(hash(&self.stretches).as_str()) {
            return Ok(());
        }
        Err(self.stretches.keys().next().copied().unwrap_or(1))
    }

    /// What was folded; None: nothing was.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The same with these events, which are in their order.
    fn with(&self, gone: &[Gone]) -> BTreeMap<u64, ChainState> {
        let new =
            gone.iter().map(|gone| (gone.event, ChainState { events: gone.event, hash: gone.hash.clone() }));
        let mut all: Vec<(u64, ChainState)> =
            self.stretches.iter().map(|(first, last)| (*first, last.clone())).chain(new).collect();
        all.sort_by_key(|(first, _)| *first);
        let mut joined: Vec<(u64, ChainState)> = Vec::new();
        for (first, last) in all {
            match joined.last_mut() {
                Some((_, before)) if before.events + 1 == first => *before = last,
                _ => joined.push((first, last)),
            }
        }
        joined.into_iter().collect()
    }
}

fn hash(stretches: &BTreeMap<u64, ChainState>) -> String {
    let row = |(first, last): (&u64, &ChainState)| format!("{first} {} {}\n", last.events, last.hash);
    let rows: String = stretches.iter().map(row).collect();
    content::hash_bytes(rows.as_bytes()).as_str().to_owned()
}

/// An event that is folded.
#[derive(Debug, Clone)]
struct Gone {
    event: u64,
    at: String,
    hash: String,
}

/// What goes together or not at all.
struct Unit {
    /// Of an attempt all its events; or one of what was seen.
    events: Vec<Gone>,
    attempt: Option<AttemptRow>,
}

impl Unit {
    fn newest(&self) -> u64 {
        self.events.last().map_or(0, |gone| gone.event)
    }
}

impl History {
    /// Folds what is older than `before`, the oldest first, and no more than is done in a moment. Of an attempt that is
    /// `needed`, or has not ended, nothing is folded. None: there is nothing to fold.
    ///
    /// The caller believes the clock: `now` is now.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn fold(
        &mut self,
        now: Wall,
        before: Wall,
        needed: &dyn Fn(&AttemptRow) -> bool,
    ) -> Result<Option<Done>> {
        self.fold_at_most(AT_ONCE, now, before, needed)
    }

    pub(super) fn fold_at_most(
        &mut self,
        most: usize,
        now: Wall,
        before: Wall,
        needed: &dyn Fn(&AttemptRow) -> bool,
    ) -> Result<Option<Done>> {
        let folded_to = rows::stamp(before);
        if self.meta(FOLDED_TO)?.is_some_and(|done| done >= folded_to) {
            return Ok(None);
        }
        let (units, more) = self.content(units(&self.db, now, before, most, needed))?;
        if units.is_empty() {
            self.set_meta(FOLDED_TO, &folded_to)?;
            return Ok(None);
        }
        // The newest event, which is never folded, is the one that the mark names from here on: it is found there whatever
        // dies when, and a mark that names one of those that go would say that this is another history.
        self.confirm_mark()?;
        let folded = Folded::read(&self.db).map_err(|e| self.database(e))?;
        let attempts: Vec<AttemptRow> = units
            .iter()
            .filter_map(|unit| unit.attempt.clone())
            .map(|row| without_details(row, now))
            .collect();
        let mut gone: Vec<Gone> = units.into_iter().flat_map(|unit| unit.events).collect();
        gone.sort_by_key(|gone| gone.event);
        let stretches = folded.with(&gone);
        let checkpoint = self.content(checkpoint(&folded, &stretches, &gone, attempts.len()))?;
        self.transition(now, |tx, events| {
            put_stretches(tx, &stretches)?;
            let mut delete = tx.prepare("DELETE FROM events WHERE seq = ?1")?;
            for gone in &gone {
                delete.execute([gone.event.cast_signed()])?;
            }
            for row in &attempts {
                tx.prepare_cached("UPDATE attempts SET row = ?3 WHERE request = ?1 AND number = ?2")?
                    .execute(params![row.request.as_str(), row.attempt.number, rows::json(row)])?;
                events.push(Event::new("folded", Some(row.request), row));
            }
            events.push(Event::new("checkpoint", None, &checkpoint));
            if more { Ok(()) } else { schema::set_meta(tx, FOLDED_TO, &folded_to) }
        })?;
        let (attempts_len, events) = (attempts.len(), gone.len());
        Ok(Some(Done { delta: Delta::Folded(attempts), attempts: attempts_len, events, more }))
    }
}

/// All that decisions see of it stays.
fn without_details(row: AttemptRow, now: Wall) -> AttemptRow {
    AttemptRow {
        content: None,
        exit_codes: BTreeMap::new(),
        overrides: Vec::new(),
        started_up_ms: None,
        need: None,
        host: None,
        folded_at: Some(now),
        ..row
    }
}

fn checkpoint(
    before: &Folded,
    stretches: &BTreeMap<u64, ChainState>,
    gone: &[Gone],
    attempts: usize,
) -> std::result::Result<Checkpoint, RowError> {
    let times: BTreeSet<Wall> =
        gone.iter().map(|gone| rows::time(&gone.at)).collect::<std::result::Result<_, _>>()?;
    let known = before.checkpoint();
    let from = known.map(|known| known.from).into_iter().chain(times.first().copied()).min();
    let until = known.map(|known| known.until).into_iter().chain(times.last().copied()).max();
    Ok(Checkpoint {
        events: stretches.iter().map(|(first, last)| last.events + 1 - first).sum(),
        attempts: known.map_or(0, |known| known.attempts) + attempts as u64,
        from: from.unwrap_or_default(),
        until: until.unwrap_or_default(),
        head: stretches.values().next_back().map(|last| last.hash.clone()).unwrap_or_default(),
        rows_sha256: hash(stretches),
    })
}

/// Before any event goes: the database lets none go that is not in one of them.
fn put_stretches(tx: &Transaction, stretches: &BTreeMap<u64, ChainState>) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM folded", [])?;
    let mut insert = tx.prepare("INSERT INTO folded (first, last, hash) VALUES (?1, ?2, ?3)")?;
    for (first, last) in stretches {
        insert.execute(params![first.cast_signed(), last.events.cast_signed(), last.hash])?;
    }
    Ok(())
}

/// What can be folded, the oldest first, and whether there is more. Everything before the first event that is not old is old:
/// what a clock that had gone back said of some of them makes none of them older. A time that is yet to come says nothing.
fn units(
    db: &Connection,
    now: Wall,
    before: Wall,
    most: usize,
    needed: &dyn Fn(&AttemptRow) -> bool,
) -> std::result::Result<(Vec<Unit>, bool), RowError> {
    let horizon: Option<i64> = db.query_row(
        "SELECT coalesce((SELECT min(seq) FROM events WHERE at BETWEEN ?1 AND ?2), max(seq)) FROM events",
        [rows::stamp(before), rows::stamp(now)],
        |row| row.get(0),
    )?;
    let horizon = horizon.unwrap_or_default().unsigned_abs();
    let mut attempts: BTreeMap<(String, u32), Vec<Gone>> = BTreeMap::new();
    let mut seen: Vec<(Gone, Vec<RequestId>)> = Vec::new();
    let mut last_seen: BTreeMap<RequestId, u64> = BTreeMap::new();
    let mut statement = db.prepare(
        "SELECT seq, at, hash, kind, request, body,
             CASE WHEN kind IN ('state', 'states') THEN NULL ELSE json_extract(body, '$.number') END
         FROM events WHERE kind IN ('claim', 'progress', 'ended', 'state', 'states') ORDER BY seq",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let event = row.get::<_, i64>(0)?.unsigned_abs();
        let gone = Gone { event, at: row.get(1)?, hash: row.get(2)? };
        let (request, number): (Option<String>, Option<u32>) = (row.get(4)?, row.get(6)?);
        match (request, number) {
            (Some(request), Some(number)) => attempts.entry((request, number)).or_default().push(gone),
            (request, _) => {
                let told = match request {
                    Some(request) => vec![rows::id(&request)?],
                    None => trail::requests_in(&gone.at, &row.get::<_, String>(5)?)?,
                };
                last_seen.extend(told.iter().map(|request| (*request, event)));
                if event < horizon {
                    seen.push((gone, told));
                }
            }
        }
    }
    let mut units = Vec::new();
    for ((request, number), events) in attempts {
        if events.last().is_none_or(|gone| gone.event >= horizon) {
            continue;
        }
        let row = rows::attempt(db, &request, number)?;
        if row.attempt.state.is_terminal() && !needed(&row) {
            units.push(Unit { events, attempt: Some(row) });
        }
    }
    // What was seen last of each request stays: it says since when it is as it is, and what is in its way.
    let newer =
        |request: &RequestId, gone: &Gone| last_seen.get(request).is_some_and(|last| *last > gone.event);
    let seen = seen.into_iter().filter(|(gone, told)| told.iter().all(|request| newer(request, gone)));
    units.extend(seen.map(|(gone, _)| Unit { events: vec![gone], attempt: None }));
    units.sort_by_key(Unit::newest);
    let mut count = 0;
    let whole = units.len();
    units.retain(|unit| {
        let taken = count < most;
        count += unit.events.len();
        taken
    });
    let more = units.len() < whole;
    Ok((units, more))
}
