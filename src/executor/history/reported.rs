//! What this machine has reported, and whether somebody else reports in its name (SITE.md 5, "Two machines with one id").
//! Each report has a number, which is kept before the report is written; how the file stood is kept after it. A file that
//! stands otherwise was written by this machine in a moment that it does not remember, by a share that was restored, or by
//! another machine.

use super::row_error::RowError;
use super::schema;
use crate::clock::Wall;
use crate::site::own_report::{OwnReport, Stood};
use crate::text::SafeText;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The key in `meta`.
pub(super) const REPORTED: &str = "reported";

/// What is known of this machine's reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reported {
    /// Of the newest report, written or about to be; 0: this history has none yet.
    pub number: u64,
    /// The boot in which.
    pub boot_id: SafeText,
    /// Of the history of which it speaks.
    pub state_id: SafeText,
    /// When it was made, by this machine's clock.
    pub at: Wall,
    /// How the file stood at each place when it was written or read last.
    pub stands: BTreeMap<PathBuf, Stood>,
    /// Another machine reports in this one's name.
    pub other: Option<Other>,
}

/// Another machine with this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// What shows it.
    pub why: SafeText,
    /// One report says so; no further one takes the place of the other machine's.
    pub told: bool,
}

/// What a report is that stands otherwise than it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This machine's newest, or what stood there before this history began.
    Own,
    /// Older than what this machine wrote, or gone: the share was restored.
    Older,
    /// Another machine's.
    Other,
}

impl Reported {
    /// Takes what was found at a place.
    pub fn see(&mut self, found: &OwnReport) -> Whose {
        match found.stood {
            Some(stood) => self.stands.insert(found.place.clone(), stood),
            None => self.stands.remove(&found.place),
        };
        let Some(written) = found.written.as_ref().filter(|written| written.number > 0) else {
            return Whose::Older;
        };
        if self.number == 0 {
            // Of an earlier life of this machine, or of another one: that one finds this machine's next report.
            self.number = written.number;
            (self.boot_id, self.state_id) = (written.boot_id.clone(), written.state_id.clone());
            self.at = written.at;
            return Whose::Own;
        }
        // Copies of one machine on one system have one boot and one history.
        let own =
            written.boot_id == self.boot_id && written.state_id == self.state_id && written.at == self.at;
        match written.number.cmp(&self.number) {
            Ordering::Less => Whose::Older,
            Ordering::Equal if own => Whose::Own,
            Ordering::Equal | Ordering::Greater => {
                let why = format!(
                    "{} wrote report {} of this machine to {} at {}, and the newest of this one is {}: another machine has \
                     this id, or this one was put back to an earlier state",
                    written.host,
                    written.number,
                    found.place.display(),
                    written.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                    self.number
                );
                self.number = written.number;
                // What that one writes next is known already.
                if self.other.is_none() {
                    self.other = Some(Other { why: SafeText::new(&why), told: false });
                }
                Whose::Other
            }
        }
    }
}

/// Numbers, ids and paths of the configuration, which is UTF-8.
pub(super) fn text(reported: &Reported) -> String {
    serde_json::to_string(reported).unwrap_or_else(|_| "{}".into())
}

pub(super) fn read(db: &Connection) -> std::result::Result<Reported, RowError> {
    let Some(text) = schema::meta(db, REPORTED)? else { return Ok(Reported::default()) };
    serde_json::from_str(&text).map_err(|e| RowError::Content(format!("what was reported: {e}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::own_report::Written;

    fn found(number: u64, boot: &str, state: &str) -> OwnReport {
        OwnReport {
            place: "/share".into(),
            known: None,
            stood: None,
            written: Some(Written {
                number,
                boot_id: boot.into(),
                state_id: state.into(),
                host: "other".into(),
                at: "2026-11-22T12:00:00Z".parse().unwrap(),
            }),
        }
    }

    #[test]
    fn a_higher_number_or_ones_own_of_another_boot_or_history_is_another_machine() {
        let own = || Reported {
            number: 7,
            boot_id: "b".into(),
            state_id: "s".into(),
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Reported::default()
        };
        for (number, boot, state, whose) in [
            (7, "b", "s", Whose::Own),
            (6, "b", "s", Whose::Older),
            (6, "c", "t", Whose::Older),
            (0, "b", "s", Whose::Older),
            (8, "b", "s", Whose::Other),
            (7, "c", "s", Whose::Other),
            (7, "b", "t", Whose::Other),
        ] {
            let mut reported = own();
            assert_eq!(reported.see(&found(number, boot, state)), whose, "{number} {boot} {state}");
            assert_eq!(reported.other.is_some(), whose == Whose::Other);
            assert_eq!(reported.number, number.max(7), "the next one is above both");
        }
        let mut copied = own();
        copied.at += chrono::TimeDelta::seconds(1);
        assert_eq!(copied.see(&found(7, "b", "s")), Whose::Other, "of a copy on the same system");
        let mut gone = own();
        assert_eq!(gone.see(&OwnReport { written: None, ..found(0, "", "") }), Whose::Older);
    }

    #[test]
    fn a_new_history_goes_on_from_the_number_that_it_finds() {
        let mut new = Reported::default();
        assert_eq!(new.see(&found(41, "old", "before")), Whose::Own);
        assert_eq!((new.number, new.other.is_none()), (41, true));
    }
}
