//! The current rows beside the events: attempts, deferrals, the hold, what was adopted, and since when a state is seen.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Result, Snapshot};
use crate::clock::{Monotonic, Wall};
use crate::decision::{Attempt, Hold, RestartOrder};
use crate::executor::run::run_folder::Started;
use crate::site::ids::RequestId;
use crate::site::installed::Need;
use crate::site::instruction::{ContentHash, Outcome};
use crate::terms::State;
use crate::text::SafeText;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The key of what an operator said about a restart, in `meta`.
const RESTART: &str = "restart";

/// One attempt with everything that is needed to finish it without the instruction file it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Which request.
    pub request: RequestId,
    /// What decisions see of it, and hold together with this row.
    #[serde(flatten)]
    pub attempt: Arc<Attempt>,
    /// The content it was claimed with.
    pub content: Option<ContentHash>,
    /// What its exit codes mean where that differs from the default table.
    pub exit_codes: BTreeMap<i64, Outcome>,
    /// Its time limit in seconds.
    pub max_run_time_s: u64,
    /// The gates the operator passed over, by name.
    pub overrides: Vec<String>,
    /// How long the machine had been up when it was launched, in milliseconds: no setting of the clock changes that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_up_ms: Option<u64>,
    /// What it had to do when it was claimed: a success is one only where that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Box<Need>>,
    /// Its run host, once there is one. What the run's folder says of it can be deleted by the package. Of a run that has
    /// ended only the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<Started>>,
    /// When its details were folded: nothing above that decisions do not see is known any more, but for its time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded_at: Option<Wall>,
}

impl AttemptRow {
    /// When it was over; where nobody knows, when it began.
    pub fn over(&self) -> Wall {
        self.attempt.ended_at.unwrap_or(self.attempt.claimed_at)
    }

    /// `<RequestID>-<attempt>`: the name of its folder and of its transcript.
    pub fn run(&self) -> String {
        format!("{}-{}", self.request, self.attempt.number)
    }
}

/// One deferral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferralRow {
    /// Which request.
    pub request: RequestId,
    /// When it was set.
    pub at: Wall,
    /// By whom.
    pub who: SafeText,
    /// Until when.
    pub until: Wall,
    /// Why.
    pub reason: SafeText,
    /// When it was ended before its time.
    pub ended_at: Option<Wall>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResultRow {
    /// One of the group Executed.
    pub state: State,
    /// Set where another attempt is due.
    pub retry_at: Option<Wall>,
    /// When it was launched, where it was.
    pub started_at: Option<Wall>,
    /// When its process tree had ended, where that is known.
    pub ended_at: Option<Wall>,
    /// What the package returned.
    pub exit_code: Option<i64>,
    /// In words, at most 128 characters.
    pub result: SafeText,
}

impl History {
    /// The claim: durable before anything is launched, or an error and no claim at all.
    ///
    /// # Errors
    /// The claim must then be taken as absent only after it was read again ([`History::has_claim`]).
    pub fn claim(&mut self, at: Wall, row: &AttemptRow) -> Result<Delta> {
        let json = json(row);
        self.transition(at, |tx, events| {
            // The primary key is the promise: a second claim of the same attempt cannot be inserted.
            tx.execute(
                "INSERT INTO attempts (request, number, row) VALUES (?1, ?2, ?3)",
                params![row.request.as_str(), row.attempt.number, json],
            )?;
            super::queue::remove(tx, row.request)?;
            events.push(Event::new("claim", Some(row.request), row));
            Ok(Delta::Claimed(row.clone()))
        })
    }

    /// Whether this attempt is claimed, asked of the file and not of memory.
    ///
    /// # Errors
    /// It cannot be known.
    pub fn has_claim(&self, request: RequestId, number: u32) -> Result<bool> {
        self.db
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM attempts WHERE request = ?1 AND number = ?2)",
                params![request.as_str(), number],
                |row| row.get(0),
            )
            .map_err(|e| self.database(e))
    }

    /// The attempt is about to be launched by this run host: durable before it is told to go.
    ///
    /// # Errors
    /// It must not be told to go.
    pub fn hosted(
        &mut self,
        at: Wall,
        up: Monotonic,
        request: RequestId,
        number: u32,
        host: Option<Started>,
    ) -> Result<Delta> {
        self.change_attempt(at, request, number, "progress", |row| {
            Arc::make_mut(&mut row.attempt).started_at = Some(at);
            row.started_up_ms = u64::try_from(up.0.as_millis()).ok();
            row.host = host.map(Box::new);
        })
    }

    /// The attempt is being stopped.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn progress(
        &mut self,
        at: Wall,
        request: RequestId,
        number: u32,
        state: State,
        started: Wall,
    ) -> Result<Delta> {
        assert!(state.group() == crate::terms::Group::Running, "progress is not an end");
        self.change_attempt(at, request, number, "progress", |row| {
            if !row.attempt.state.is_terminal() {
                let attempt = Arc::make_mut(&mut row.attempt);
                attempt.state = state;
                attempt.started_at = Some(started);
            }
        })
    }

    /// The end of an attempt. A terminal state is never overwritten (DEFECTS Q152229).
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn finish(&mut self, at: Wall, request: RequestId, number: u32, result: &ResultRow) -> Result<Delta> {
        assert!(result.state.is_terminal(), "{} is not an end", result.state);
        self.change_attempt(at, request, number, "ended", |row| {
            if row.attempt.state.is_terminal() {
                return;
            }
            let attempt = Arc::make_mut(&mut row.attempt);
            attempt.state = result.state;
            attempt.retry_at = result.retry_at;
            attempt.started_at = result.started_at;
            attempt.ended_at = result.ended_at;
            attempt.exit_code = result.exit_code;
            attempt.result = result.result.clone();
        })
    }

    fn change_attempt(
        &mut self,
        at: Wall,
        request: RequestId,
        number: u32,
        kind: &'static str,
        change: impl FnOnce(&mut AttemptRow),
    ) -> Result<Delta> {
        self.transition(at, |tx, events| {
            let old: String = tx.query_row(
                "SELECT row FROM attempts WHERE request = ?1 AND number = ?2",
                params![request.as_str(), number],
                |row| row.get(0),
            )?;
            let mut row: AttemptRow = serde_json::from_str(&old).map_err(unreadable)?;
            let ended = row.attempt.state.is_terminal();
            change(&mut row);
            if row.attempt.state.is_terminal() && !ended {
                super::schema::set_meta(tx, &owed(&row.run()), &stamp(at))?;
            }
            tx.execute(
                "UPDATE attempts SET row = ?3 WHERE request = ?1 AND number = ?2",
                params![request.as_str(), number, json(&row)],
            )?;
            events.push(Event::new(kind, Some(request), &row));
            Ok(Delta::Attempt(row))
        })
    }

    /// The runs that have ended and whose result is not in the outbox yet, with the time at which the end was recorded.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn owed(&self) -> Result<Vec<(String, Wall)>> {
        let read = || -> std::result::Result<Vec<_>, RowError> {
            let mut statement = self
                .db
                .prepare_cached("SELECT key, value FROM meta WHERE key LIKE ?1 || '%' ORDER BY key")?;
            let rows = statement
                .query_map([OWED], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let mut runs = Vec::new();
            for row in rows {
                let (key, at) = row?;
                runs.push((key[OWED.len()..].to_owned(), time(&at)?));
            }
            Ok(runs)
        };
        self.content(read())
    }

    /// The result of a run is in the outbox.
    ///
    /// # Errors
    /// It stays owed, and is put there once more: the same under the same name.
    pub fn reported(&mut self, run: &str) -> Result<()> {
        let done = self.db.execute("DELETE FROM meta WHERE key = ?1", [owed(run)]);
        done.map(|_| ()).map_err(|e| self.database(e))
    }

    /// A deferral; it takes the place of the one in force.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn defer(&mut self, row: &DeferralRow) -> Result<Delta> {
        self.transition(row.at, |tx, events| {
            end_deferral(tx, row.request, row.at)?;
            tx.execute(
                "INSERT INTO deferrals (request, at, who, until, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    row.request.as_str(),
                    stamp(row.at),
                    row.who.as_str(),
                    stamp(row.until),
                    row.reason.as_str()
                ],
            )?;
            let body = serde_json::json!({"who": row.who, "until": stamp(row.until), "reason": row.reason});
            events.push(Event::new("deferred", Some(row.request), &body));
            Ok(Delta::Deferral { request: row.request, at: row.at, set: Some(row.clone()) })
        })
    }

    /// Ends the deferral in force.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn undefer(&mut self, at: Wall, request: RequestId, who: &SafeText) -> Result<Delta> {
        self.transition(at, |tx, events| {
            end_deferral(tx, request, at)?;
            events.push(Event::new("undeferred", Some(request), &serde_json::json!({ "who": who })));
            Ok(Delta::Deferral { request, at, set: None })
        })
    }

    /// Sets or ends the hold.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn set_hold(&mut self, at: Wall, hold: Option<&Hold>, who: &SafeText) -> Result<Delta> {
        self.transition(at, |tx, events| {
            tx.execute("DELETE FROM hold", [])?;
            if let Some(hold) = hold {
                tx.execute("INSERT INTO hold (id, row) VALUES (1, ?1)", [json(hold)])?;
            }
            events.push(Event::new(
                if hold.is_some() { "held" } else { "unheld" },
                None,
                &serde_json::json!({"who": who, "hold": hold}),
            ));
            Ok(Delta::Hold(hold.cloned()))
        })
    }

    /// What an operator wants to become of a pending restart; it takes the place of what was said before.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn order_restart(&mut self, order: &RestartOrder) -> Result<Delta> {
        self.transition(order.at, |tx, events| {
            super::schema::set_meta(tx, RESTART, &json(order))?;
            events.push(Event::new("restart-ordered", None, order));
            Ok(Delta::Restart(order.clone()))
        })
    }

    /// The system is about to be asked to restart the machine.
    ///
    /// # Errors
    /// It is not recorded; the machine must not be restarted.
    pub fn note_restart(&mut self, at: Wall, by: &SafeText, why: &SafeText) -> Result<Delta> {
        self.transition(at, |_, events| {
            events.push(Event::new("restart", None, &serde_json::json!({ "by": by, "why": why })));
            Ok(Delta::Nothing)
        })
    }

    /// Remembers a value across restarts, outside the chain: nothing that a decision about a run rests on.
    ///
    /// # Errors
    /// The old value stays.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        super::same(&self.db, &self.head, &self.file)?;
        super::schema::set_meta(&self.db, key, value).map_err(|e| self.database(e))
    }
}

/// A result that is still to be put into the outbox: written with the end itself, so that a crash in between loses none.
const OWED: &str = "owed:";

fn owed(run: &str) -> String {
    format!("{OWED}{run}")
}

fn end_deferral(tx: &Transaction, request: RequestId, at: Wall) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE deferrals SET ended_at = ?2 WHERE request = ?1 AND ended_at IS NULL",
        params![request.as_str(), stamp(at)],
    )?;
    Ok(())
}

/// Everything that is held of the history.
pub(super) fn read(db: &Connection) -> std::result::Result<Snapshot, RowError> {
    let mut snapshot = Snapshot::default();
    snapshot.since = since(db)?;
    attempts(db, |row| snapshot.put(row))?;
    for row in deferrals(db)? {
        snapshot.put_deferral(row);
    }
    let mut statement = db.prepare_cached("SELECT row FROM hold")?;
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        let hold = serde_json::from_str(&row?);
        snapshot.view.hold = Some(hold.map_err(|e| RowError::Content(format!("the hold: {e}")))?);
    }
    if let Some(order) = super::schema::meta(db, RESTART)? {
        let order = serde_json::from_str(&order);
        let order = order.map_err(|e| RowError::Content(format!("the order about a restart: {e}")))?;
        snapshot.view.restart = Some(order);
    }
    let mut statement = db.prepare_cached("SELECT request, at FROM adopted")?;
    for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
        let (request, at) = row?;
        snapshot.view.adopted.insert(id(&request)?, time(&at)?);
    }
    Ok(snapshot)
}

/// All attempts, by request and in the order of their numbers.
pub(super) fn attempts(
    db: &Connection,
    mut take: impl FnMut(AttemptRow),
) -> std::result::Result<(), RowError> {
    let mut statement =
        db.prepare_cached("SELECT request, number, row FROM attempts ORDER BY request, number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (request, number, text): (String, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let row: AttemptRow = serde_json::from_str(&text)
            .map_err(|e| RowError::Content(format!("attempt {number} of {request}: {e}")))?;
        if row.request.as_str() != request || row.attempt.number != number {
            return Err(RowError::Content(format!(
                "attempt {number} of {request} holds another attempt's row"
            )));
        }
        take(row);
    }
    Ok(())
}

/// One attempt.
pub(super) fn attempt(
    db: &Connection,
    request: &str,
    number: u32,
) -> std::result::Result<AttemptRow, RowError> {
    let text: String = db
        .prepare_cached("SELECT row FROM attempts WHERE request = ?1 AND number = ?2")?
        .query_row(params![request, number], |row| row.get(0))?;
    serde_json::from_str(&text).map_err(|e| RowError::Content(format!("attempt {number} of {request}: {e}")))
}

/// Compares the attempts with what the chain says of them: the rows stand beside it and carry no hash of their own, so
/// one that was changed or removed shows only here. `Err` inside: the first difference, in words.
pub(super) fn agree_with_events(db: &Connection) -> rusqlite::Result<std::result::Result<(), String>> {
    // An executor that writes meanwhile writes both.
    let tx = db.unchecked_transaction()?;
    let mut told: BTreeMap<(String, u32), String> = BTreeMap::new();
    let mut statement = tx.prepare(
        "SELECT request, json_extract(body, '$.number'), body FROM events
         WHERE kind IN ('claim', 'progress', 'ended', 'folded') ORDER BY seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        told.insert((row.get(0)?, row.get(1)?), row.get(2)?);
    }
    let mut statement = tx.prepare("SELECT request, number, row FROM attempts")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (request, number, text): (String, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if told.remove(&(request.clone(), number)).as_ref() != Some(&text) {
            return Ok(Err(format!("attempt {number} of {request} is not what its events say")));
        }
    }
    Ok(match told.into_keys().next() {
        Some((request, number)) => Err(format!("attempt {number} of {request} was removed")),
        None => Ok(()),
    })
}

fn deferrals(db: &Connection) -> std::result::Result<Vec<DeferralRow>, RowError> {
    let mut statement =
        db.prepare_cached("SELECT request, at, who, until, reason, ended_at FROM deferrals ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let texts: [String; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((texts, row.get::<_, Option<String>>(5)?))
    })?;
    let mut deferrals = Vec::new();
    for row in rows {
        let ([request, at, who, until, reason], ended_at) = row?;
        deferrals.push(DeferralRow {
            request: id(&request)?,
            at: time(&at)?,
            who: SafeText::new(&who),
            until: time(&until)?,
            reason: SafeText::new(&reason),
            ended_at: ended_at.as_deref().map(time).transpose()?,
        });
    }
    Ok(deferrals)
}

fn since(db: &Connection) -> std::result::Result<BTreeMap<RequestId, (State, Wall)>, RowError> {
    let mut statement = db.prepare_cached("SELECT request, state, since FROM seen")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut since = BTreeMap::new();
    for row in rows {
        let (request, state, at) = row?;
        let state = state.parse().map_err(|e| RowError::Content(format!("the state of {request}: {e}")))?;
        since.insert(id(&request)?, (state, time(&at)?));
    }
    Ok(since)
}

pub(super) fn json(value: &impl Serialize) -> String {
    // Rows are our own structs; a failure would be a key that is not a string, and the integer keys become strings.
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn stamp(at: Wall) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub(super) fn time(text: &str) -> std::result::Result<Wall, RowError> {
    text.parse().map_err(|e| RowError::Content(format!("{text:?} is not a time: {e}")))
}

pub(super) fn id(text: &str) -> std::result::Result<RequestId, RowError> {
    text.parse().map_err(|e: crate::site::ids::BadId| RowError::Content(e.to_string()))
}

fn unreadable(e: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(e))
}
