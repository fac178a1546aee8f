//! What operators have seen of what expired or failed (`pcm seen`): an event of the chain with who and when, and a current
//! row of those that still are as they were seen. No decision about a run rests on it.

use super::chain::Event;
use super::row_error::RowError;
use super::snapshot::AllAcknowledged;
use super::{Delta, History, Result, schema};
use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use rusqlite::Connection;
use serde::Serialize;

/// The key of the current row, in `meta`.
const ACKNOWLEDGED: &str = "acknowledged";

/// The body of an `acknowledged` event.
#[derive(Serialize)]
struct Body<'a> {
    who: &'a SafeText,
    requests: &'a [RequestId],
}

impl History {
    /// From now on these count as seen; `news` are those that `who` has just seen. What is no longer as it was seen is
    /// left out by the caller, so that the row does not grow with the life of the machine.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn acknowledge(
        &mut self,
        at: Wall,
        who: &SafeText,
        news: &[RequestId],
        all: AllAcknowledged,
    ) -> Result<Delta> {
        self.transition(at, |tx, events| {
            // Ids, words and times: nothing that JSON could refuse.
            schema::set_meta(tx, ACKNOWLEDGED, &serde_json::to_string(&all).unwrap_or_default())?;
            events.push(Event::new("acknowledged", None, &Body { who, requests: news }));
            Ok(())
        })?;
        Ok(Delta::Acknowledged(all))
    }
}

/// The current row.
pub(super) fn read(db: &Connection) -> std::result::Result<AllAcknowledged, RowError> {
    let Some(row) = schema::meta(db, ACKNOWLEDGED)? else { return Ok(AllAcknowledged::new()) };
    serde_json::from_str(&row).map_err(|e| RowError::Content(format!("what operators have seen: {e}")))
}
