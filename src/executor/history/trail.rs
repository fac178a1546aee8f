//! What was seen of each request, and when nobody looked: `state` and `unwatched` events, written by the engine at every
//! change and read by `explain`. Kept small: what is in the way is noted only while a request waits, and not again for
//! each package that runs in between.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Lost, Result, health, rows};
use crate::clock::Wall;
use crate::decision::{Trail, TrailStep};
use crate::host::paths::Layout;
use crate::site::ids::RequestId;
use crate::terms::{Code, State};
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};

/// A change of state, or of what is in the way of a request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Which.
    pub request: RequestId,
    /// Its state.
    pub state: State,
    /// What is in its way besides a package that runs; None where it does not wait.
    pub codes: Option<Vec<Code>>,
}

/// The body of a `state` event. Codes came later: an older one has none.
#[derive(Serialize, Deserialize)]
struct StateBody {
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<Code>>,
}

/// The body of an `unwatched` event.
#[derive(Serialize, Deserialize)]
struct UnwatchedBody {
    from: Wall,
    until: Wall,
}

impl History {
    /// Records changes of state and of what is in the way, each once.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn note_states(&mut self, at: Wall, changes: &[Noted]) -> Result<Delta> {
        if changes.is_empty() {
            return Ok(Delta::Nothing);
        }
        self.transition(at, |tx, events| {
            for Noted { request, state, codes } in changes {
                // Since when it is in this state does not change with what is in its way.
                tx.prepare_cached(
                    "INSERT INTO seen (request, state, since) VALUES (?1, ?2, ?3) ON CONFLICT (request)
                     DO UPDATE SET since = CASE WHEN state = ?2 THEN since ELSE ?3 END, state = ?2",
                )?
                .execute(params![request.as_str(), state.as_str(), rows::stamp(at)])?;
                let body = StateBody { state: *state, codes: codes.clone() };
                events.push(Event::new("state", Some(*request), &body));
            }
            Ok(Delta::Seen(at, changes.iter().map(|noted| (noted.request, noted.state)).collect()))
        })
    }

    /// Records that no executor looked in this time.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn note_unwatched(&mut self, from: Wall, until: Wall) -> Result<()> {
        self.transition(until, |_, events| {
            events.push(Event::new("unwatched", None, &UnwatchedBody { from, until }));
            Ok(())
        })
    }

    /// What was seen of a request.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn trail(&self, request: RequestId) -> Result<Trail> {
        self.content(read(&self.db, request))
    }

    /// The same for a view, which closes the database again.
    ///
    /// # Errors
    /// As [`History::read`].
    pub fn read_trail(layout: &Layout, request: RequestId) -> std::result::Result<Trail, Lost> {
        let history = health::open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY)?.history;
        Ok(history.trail(request)?)
    }
}

fn read(db: &Connection, request: RequestId) -> std::result::Result<Trail, RowError> {
    let mut trail = Trail::default();
    let mut statement = db.prepare(
        "SELECT at, kind, body FROM events
         WHERE (kind = 'state' AND request = ?1) OR kind = 'unwatched' ORDER BY seq",
    )?;
    let mut found = statement.query([request.as_str()])?;
    while let Some(row) = found.next()? {
        let (at, kind, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let unreadable = |e: serde_json::Error| RowError::Content(format!("an event of {at}: {e}"));
        if kind == "unwatched" {
            let gap: UnwatchedBody = serde_json::from_str(&body).map_err(unreadable)?;
            trail.unwatched.push((gap.from, gap.until));
        } else {
            let noted: StateBody = serde_json::from_str(&body).map_err(unreadable)?;
            trail.steps.push(TrailStep { at: rows::time(&at)?, state: noted.state, codes: noted.codes });
        }
    }
    Ok(trail)
}
