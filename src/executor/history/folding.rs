//! Details that are kept no longer (`[retention] details`). The events of attempts that ended long ago, and what was seen of
//! their requests until then, are folded: they leave the table, and a row of `folded` says from which event to which, and the hash of
//! the last of them, from which the chain goes on. The newest `checkpoint` event vouches for all these rows. The fact of each
//! attempt never goes: its row stays with all that decisions see of it, and a `folded` event repeats that row. Entries of the
//! audit, publications, cancelled jobs and whatever else is an event stay as they are.
//!
//! ```text
//! 1 created  2 claim  3 ended  4 audit  5 states  6 claim …            before
//! 1 created [2 … 3 #] 4 audit [5 … 5 #] 6 claim …  n folded  n+1 checkpoint
//! ```

use super::chain::Event;
use super::row_error::RowError;
use super::rows::{self, AttemptRow};
use super::stretches::{self, ChainState, Checkpoint, Folded};
use super::{Delta, History, Result, schema, trail};
use crate::clock::Wall;
use crate::site::ids::RequestId;
use rusqlite::{Connection, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

/// At most about so many events at once: whoever reads waits for no longer than that takes.
const AT_ONCE: usize = 5_000;

/// In `meta`: everything from before this was folded that could be.
const FOLDED_TO: &str = "folded_to";

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

/// An event that is folded.
#[derive(Debug, Clone)]
struct Gone {
    event: u64,
    at: String,
    hash: String,
}

/// What is folded at once.
struct Found {
    /// In their order.
    gone: Vec<Gone>,
    attempts: Vec<AttemptRow>,
    /// There is more of it.
    more: bool,
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
        // A clock that was years ahead may have written down more.
        let is_done = |done: &String| *done >= folded_to && *done <= rows::stamp(now);
        if self.meta(FOLDED_TO)?.is_some_and(|done| is_done(&done)) {
            return Ok(None);
        }
        let Found { gone, attempts, more } = self.content(found(&self.db, now, before, most, needed))?;
        if gone.is_empty() {
            self.set_meta(FOLDED_TO, &folded_to)?;
            return Ok(None);
        }
        let folded = Folded::read(&self.db).map_err(|e| self.database(e))?;
        let attempts: Vec<AttemptRow> = attempts.into_iter().map(|row| without_details(row, now)).collect();
        let ends = gone.iter().map(|gone| ChainState { events: gone.event, hash: gone.hash.clone() });
        let stretches = folded.with(ends);
        let checkpoint = self.content(checkpoint(&folded, &stretches, &gone, attempts.len()))?;
        // The newest event, which is never folded, is the one that the mark names from here on: it is found there whatever
        // dies when, and a mark that names one of those that go would say that this is another history. And it says what is
        // folded and what is going to be: nobody who writes only the history folds anything else.
        self.folds(folded.rows_sha256(), &checkpoint.rows_sha256)?;
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
        self.has_folded(checkpoint.rows_sha256);
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
        rows_sha256: stretches::hash(stretches),
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

/// What can be folded, the oldest first. Everything before the first event that is not old is old: what a clock that had gone
/// back said of some of them makes none of them older. A time that is yet to come says nothing.
fn found(
    db: &Connection,
    now: Wall,
    before: Wall,
    most: usize,
    needed: &dyn Fn(&AttemptRow) -> bool,
) -> std::result::Result<Found, RowError> {
    let horizon: Option<i64> = db.query_row(
        "SELECT coalesce((SELECT min(seq) FROM events WHERE at BETWEEN ?1 AND ?2), max(seq)) FROM events",
        [rows::stamp(before), rows::stamp(now)],
        |row| row.get(0),
    )?;
    let all = All::read(db, horizon.unwrap_or_default().unsigned_abs())?;
    // Which is asked only of those that are taken: there may be as many as in two years.
    let mut oldest: Vec<(&(String, u32), &Vec<u64>)> = all.attempts.iter().collect();
    oldest.retain(|(_, events)| events.last().is_some_and(|last| *last < all.horizon));
    oldest.sort_by_key(|(_, events)| events.last());
    let (mut events, mut attempts, mut more) = (Vec::new(), Vec::new(), false);
    for ((request, number), own) in oldest {
        more = events.len() >= most;
        if more {
            break;
        }
        let row = rows::attempt(db, request, *number)?;
        if row.attempt.state.is_terminal() && !needed(&row) {
            events.extend(own);
            attempts.push(row);
        }
    }
    // What was seen of a request is told until its newest attempt that is folded, and not any more.
    let mut ends = ends(db)?;
    for row in &attempts {
        let end = ends.entry(row.request).or_insert(row.over());
        *end = row.over().max(*end);
    }
    for Seen { event, at, requests } in &all.seen {
        let at = rows::time(at)?;
        // What was seen last of each stays: it says since when it is as it is, and what is in its way.
        let is_told = |request: &RequestId| {
            ends.get(request).is_some_and(|end| at <= *end)
                && all.last_seen.get(request).is_some_and(|last| last > event)
        };
        if !requests.iter().all(is_told) {
            continue;
        }
        if events.len() >= most {
            more = true;
            break;
        }
        events.push(*event);
    }
    events.sort_unstable();
    let mut read = db.prepare("SELECT at, hash FROM events WHERE seq = ?1")?;
    let gone = events.into_iter().map(|event| {
        read.query_row([event.cast_signed()], |row| Ok(Gone { event, at: row.get(0)?, hash: row.get(1)? }))
    });
    let gone = gone.collect::<rusqlite::Result<_>>()?;
    Ok(Found { gone, attempts, more })
}

/// Of each request the end of its newest attempt whose details are folded.
fn ends(db: &Connection) -> std::result::Result<BTreeMap<RequestId, Wall>, RowError> {
    let mut ends: BTreeMap<RequestId, Wall> = BTreeMap::new();
    rows::attempts(db, |row| {
        if row.folded_at.is_some() {
            let end = ends.entry(row.request).or_insert(row.over());
            *end = row.over().max(*end);
        }
    })?;
    Ok(ends)
}

/// A `states` event, which may be of several requests.
struct Seen {
    event: u64,
    at: String,
    requests: Vec<RequestId>,
}

/// The events that can be folded, once they are old.
struct All {
    /// Those before this are.
    horizon: u64,
    /// Of each attempt, in their order; all of them.
    attempts: BTreeMap<(String, u32), Vec<u64>>,
    /// Those before the horizon.
    seen: Vec<Seen>,
    /// Of each request the newest.
    last_seen: BTreeMap<RequestId, u64>,
}

impl All {
    fn read(db: &Connection, horizon: u64) -> std::result::Result<Self, RowError> {
        let (attempts, seen, last_seen) = Default::default();
        let mut all = Self { horizon, attempts, seen, last_seen };
        let mut statement = db.prepare(
            "SELECT seq, at, request,
                 CASE WHEN kind IN ('state', 'states') THEN NULL ELSE json_extract(body, '$.number') END,
                 CASE WHEN kind IN ('state', 'states') THEN body ELSE NULL END
             FROM events WHERE kind IN ('claim', 'progress', 'ended', 'state', 'states') ORDER BY seq",
        )?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let event = row.get::<_, i64>(0)?.unsigned_abs();
            let (request, number): (Option<String>, Option<u32>) = (row.get(2)?, row.get(3)?);
            if let (Some(request), Some(number)) = (&request, number) {
                all.attempts.entry((request.clone(), number)).or_default().push(event);
                continue;
            }
            let at: String = row.get(1)?;
            let requests = match request {
                Some(request) => vec![rows::id(&request)?],
                None => trail::requests_in(&at, &row.get::<_, String>(4)?)?,
            };
            all.last_seen.extend(requests.iter().map(|request| (*request, event)));
            if event < horizon {
                all.seen.push(Seen { event, at, requests });
            }
        }
        Ok(all)
    }
}
