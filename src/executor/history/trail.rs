//! What was seen of each request, and when nobody looked: `states` and `unwatched` events, written by the engine and read
//! by `explain`. Kept small, so that a history grows with what happened to each request and not with how many others
//! there are: what was seen at one step is one event; what is in the way is noted only while a request waits; that another
//! package runs is not noted at all, and what the events of an attempt say is not said again.

use super::chain::Event;
use super::row_error::RowError;
use super::{Delta, History, Lost, Result, health, rows};
use crate::clock::Wall;
use crate::decision::{Trail, TrailStep};
use crate::host::paths::Layout;
use crate::site::ids::RequestId;
use crate::terms::{Code, State};
use crate::text::SafeText;
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change of state, or of what is in the way of a request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Which.
    pub request: RequestId,
    /// Its state.
    pub state: State,
    /// What is in its way besides its turn; None where it does not wait.
    pub codes: Option<Vec<Code>>,
    /// It needs no event: an attempt has, or it is told to whoever is logged on.
    pub silent: bool,
}

/// One request of a `states` event. Before, each was the body of a `state` event of its own, and had no codes at first.
#[derive(Serialize, Deserialize)]
struct StateBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<Code>>,
}

/// What a `folded` event says of its attempt, whose own events are gone.
#[derive(Deserialize)]
struct FoldedBody {
    state: State,
    claimed_at: Wall,
    ended_at: Option<Wall>,
}

/// The body of an `unwatched` event.
#[derive(Serialize, Deserialize)]
struct UnwatchedBody {
    from: Wall,
    until: Wall,
}

/// The body of an `unqueued` event.
#[derive(Deserialize)]
struct UnqueuedBody {
    who: SafeText,
    reason: SafeText,
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
            for Noted { request, state, .. } in changes {
                // Since when it is in this state does not change with what is in its way.
                tx.prepare_cached(
                    "INSERT INTO seen (request, state, since) VALUES (?1, ?2, ?3) ON CONFLICT (request)
                     DO UPDATE SET since = CASE WHEN state = ?2 THEN since ELSE ?3 END, state = ?2",
                )?
                .execute(params![request.as_str(), state.as_str(), rows::stamp(at)])?;
            }
            let loud = changes.iter().filter(|noted| !noted.silent).map(|noted| StateBody {
                request: Some(noted.request),
                state: noted.state,
                codes: noted.codes.clone(),
            });
            let loud: Vec<StateBody> = loud.collect();
            if !loud.is_empty() {
                events.push(Event::new("states", None, &loud));
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

    /// What was in the way of each request when that was noted last; not of those that waited no more.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn noted_codes(&self) -> Result<BTreeMap<RequestId, Vec<Code>>> {
        let read = || -> std::result::Result<_, RowError> {
            let mut codes = BTreeMap::new();
            let mut statement =
                self.db.prepare("SELECT at, body FROM events WHERE kind = 'states' ORDER BY seq")?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                for noted in bodies(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?)? {
                    match noted.request.zip(noted.codes) {
                        Some((request, noted)) => codes.insert(request, noted),
                        None => noted.request.and_then(|request| codes.remove(&request)),
                    };
                }
            }
            Ok(codes)
        };
        self.content(read())
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
    let (mut trail, mut folded) = (Trail::default(), false);
    let mut statement = db.prepare(
        "SELECT at, kind, body FROM events
         WHERE (request = ?1 AND kind IN ('state', 'claim', 'ended', 'folded', 'unqueued')) OR kind = 'unwatched'
             OR (kind = 'states' AND instr(body, ?1) > 0) ORDER BY seq",
    )?;
    let mut found = statement.query([request.as_str()])?;
    while let Some(row) = found.next()? {
        let (at, kind, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let unreadable = |e| unreadable(&at, &e);
        let noted = match kind.as_str() {
            "unwatched" => {
                let gap: UnwatchedBody = serde_json::from_str(&body).map_err(unreadable)?;
                trail.unwatched.push((gap.from, gap.until));
                continue;
            }
            "unqueued" => {
                let left: UnqueuedBody = serde_json::from_str(&body).map_err(unreadable)?;
                trail.unqueued.push((rows::time(&at)?, left.who, left.reason));
                continue;
            }
            "folded" => {
                let FoldedBody { state, claimed_at, ended_at } =
                    serde_json::from_str(&body).map_err(unreadable)?;
                for (at, state) in [(claimed_at, State::Running), (ended_at.unwrap_or(claimed_at), state)] {
                    trail.steps.push(TrailStep { at, state, codes: None });
                }
                folded = true;
                continue;
            }
            "states" => bodies(&at, &body)?.into_iter().find(|noted| noted.request == Some(request)),
            // Of an attempt's own events its state is all that is wanted here.
            _ => Some(serde_json::from_str(&body).map_err(unreadable)?),
        };
        if let Some(StateBody { state, codes, .. }) = noted {
            trail.steps.push(TrailStep { at: rows::time(&at)?, state, codes });
        }
    }
    // They were folded long after they happened.
    if folded {
        trail.steps.sort_by_key(|step| step.at);
    }
    Ok(trail)
}

/// Whom a `states` event is about.
pub(super) fn requests_in(at: &str, body: &str) -> std::result::Result<Vec<RequestId>, RowError> {
    Ok(bodies(at, body)?.into_iter().filter_map(|noted| noted.request).collect())
}

fn bodies(at: &str, body: &str) -> std::result::Result<Vec<StateBody>, RowError> {
    serde_json::from_str(body).map_err(|e| unreadable(at, &e))
}

fn unreadable(at: &str, e: &serde_json::Error) -> RowError {
    RowError::Content(format!("an event of {at}: {e}"))
}
