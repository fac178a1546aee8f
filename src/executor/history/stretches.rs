//! Where the chain goes on over what was folded (`folding`): the stretches that are missing in it, and the checkpoint that vouches
//! for them.

use super::schema;
use crate::clock::Wall;
use crate::site::content;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many events there are and the hash of the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// Events are numbered from 1 without gaps, those that were folded included.
    pub events: u64,
    /// 64 hex digits; of no event: zeros.
    pub hash: String,
}

impl Default for ChainState {
    fn default() -> Self {
        Self { events: 0, hash: "0".repeat(64) }
    }
}

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
        let events: u64 =
            self.stretches.iter().map(|(first, last)| last.events.saturating_add(1) - first).sum();
        let counted = self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.events == events);
        if none || counted && told == Some(hash(&self.stretches).as_str()) {
            return Ok(());
        }
        Err(self.stretches.keys().next().copied().unwrap_or(1))
    }

    /// The SHA-256 of all rows; None: there are none.
    pub fn rows_sha256(&self) -> Option<String> {
        (!self.stretches.is_empty()).then(|| hash(&self.stretches))
    }

    /// What was folded; None: nothing was.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The same with these events, which are in their order.
    pub fn with(&self, gone: impl Iterator<Item = ChainState>) -> BTreeMap<u64, ChainState> {
        let new = gone.map(|gone| (gone.events, gone));
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

/// What a checkpoint says of these stretches.
pub fn hash(stretches: &BTreeMap<u64, ChainState>) -> String {
    let row = |(first, last): (&u64, &ChainState)| format!("{first} {} {}\n", last.events, last.hash);
    let rows: String = stretches.iter().map(row).collect();
    content::hash_bytes(rows.as_bytes()).as_str().to_owned()
}
