//! What this machine has reported is kept: outside the chain, but for another machine that was found and what an operator
//! decided about it.

use super::by::{self, By};
use super::chain::Event;
use super::reported::{REPORTED, Reported, text};
use super::{Delta, History, Result, rows, schema};
use crate::clock::Wall;
use crate::site::ids::RequestId;

impl History {
    /// Keeps what is known of this machine's reports, outside the chain.
    ///
    /// # Errors
    /// What was kept before stays.
    pub fn note_reported(&mut self, reported: &Reported) -> Result<Delta> {
        self.set_meta(REPORTED, &text(reported))?;
        Ok(Delta::Reported(reported.clone()))
    }

    /// Another machine reports in this one's name.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn note_other_machine(&mut self, at: Wall, reported: &Reported) -> Result<Delta> {
        self.transition(at, |tx, events| {
            schema::set_meta(tx, REPORTED, &text(reported))?;
            events.push(Event::new("two-machines", None, &reported.other));
            Ok(())
        })?;
        Ok(Delta::Reported(reported.clone()))
    }

    /// `by` decides that this machine is the one; `done` counts as done on it.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn keep_id(&mut self, at: Wall, reported: &Reported, by: &By, done: Vec<RequestId>) -> Result<Delta> {
        self.transition(at, |tx, events| {
            schema::set_meta(tx, REPORTED, &text(reported))?;
            events.push(Event::new("one-machine", None, &serde_json::json!({ "by": by.name() })));
            by::write(tx, by)?;
            if let By::Site(_) = by {
                // What an operator does is in the audit by itself.
                events.push(Event::new("audit", None, &by.entry("keep-id", &[], at)));
            }
            for request in &done {
                tx.execute(
                    "INSERT OR IGNORE INTO adopted (request, at) VALUES (?1, ?2)",
                    [request.as_str(), rows::stamp(at).as_str()],
                )?;
                events.push(Event::new("adopted-as-done", Some(*request), &serde_json::json!({})));
            }
            Ok(())
        })?;
        Ok(Delta::OneMachine { at, reported: reported.clone(), done })
    }
}
