//! What this machine has reported, and whether somebody else reports in its name (SITE.md 5, "Two machines with one id").
//! Each report has a number, which is kept before the report is written; how the file stood is kept after it. A file that
//! stands otherwise was written by this machine in a moment that it does not remember, by a share that was restored, or by
//! another machine.

use super::row_error::RowError;
use super::schema;
use crate::clock::Wall;
use crate::site::own_report::{OwnReport, Stood};
use crate::site::report::Written;
use crate::text::SafeText;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The key in `meta`.
pub(super) const REPORTED: &str = "reported";

/// What is known of this machine's reports. Where another machine has this id, both say so in their reports: whoever reads
/// what the other one wrote writes what it knows over it, until it reads that the other one knows, too. An operator's
/// decision has a number, which is above those of all reports before it: of two machines the one with the newest decision is
/// the machine, and the other one is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reported {
    /// Of the newest report, written or about to be; 0: there is none yet.
    pub number: u64,
    /// Since this history began one was written.
    pub written: bool,
    /// The name of this history; empty: it has made no report yet.
    pub history: SafeText,
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
    /// Which report was the next when an operator or the site decided last that this machine keeps its id; 0: nobody had to.
    pub kept_id: u64,
}

/// Another machine with this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// What shows it.
    pub why: SafeText,
    /// The report that stands on the share says so, or that one was decided for: this machine writes none over it.
    pub told: bool,
    /// The report that stands is this machine's: of several that know of each other it is the one that wrote last.
    #[serde(default)]
    pub ours: bool,
    /// That one was decided for, by an operator or by the site: what the site says of the id is obeyed there already.
    #[serde(default)]
    pub decided: bool,
}

/// What a report is that stands otherwise than it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This machine's newest, as it has written it.
    Own,
    /// It stood there before this history began.
    Earlier,
    /// Older than what this machine wrote, or gone: the share was restored. Or a machine without a history took its place and
    /// says so: this machine's own is wanted there, as nothing else speaks for it.
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
            return self.older();
        };
        // What names this very history was not there before it, whether or not this machine heard that it has written it.
        let of_this_history = !self.history.is_empty() && written.state_id == self.history;
        if !self.written && found.known.is_none() && !of_this_history {
            // Of an earlier life of this machine, or of another one: that one finds this machine's next report.
            if written.number >= self.number {
                self.go_on_from(written);
            }
            return Whose::Earlier;
        }
        // Copies of one machine on one system have one boot and one history.
        let own =
            written.boot_id == self.boot_id && written.state_id == self.state_id && written.at == self.at;
        match written.number.cmp(&self.number) {
            Ordering::Less => self.older(),
            Ordering::Equal if own && found.numbered => Whose::Own,
            Ordering::Equal if own => self.older(),
            Ordering::Equal | Ordering::Greater => {
                self.meet(written, &found.place);
                Whose::Other
            }
        }
    }

    fn go_on_from(&mut self, written: &Written) {
        (self.number, self.kept_id) = (written.number, written.kept_id);
        (self.boot_id, self.state_id) = (written.boot_id.clone(), written.state_id.clone());
        self.at = written.at;
    }

    /// What stands there says nothing of another machine.
    fn older(&mut self) -> Whose {
        if let Some(other) = &mut self.other {
            (other.told, other.ours) = (false, false);
        }
        Whose::Older
    }

    /// Another machine wrote this.
    fn meet(&mut self, written: &Written, place: &Path) {
        let at = written.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let wrote = format!("{} wrote report {} of this machine", written.host, written.number);
        let where_when = format!("to {} at {at}", place.display());
        let decided = written.kept_id > self.kept_id;
        let why = if decided {
            format!(
                "{wrote} {where_when}, after an operator or the site decided that it is the one with this id"
            )
        } else {
            format!(
                "{wrote} {where_when}, and the newest of this one is {}: another machine has this id, or this one was put \
                 back to an earlier state",
                self.number
            )
        };
        // What this one writes next is news to that one.
        self.number = written.number;
        let told = decided || written.two_machines;
        let before = self.other.take();
        let decided_before = before.as_ref().is_some_and(|other| other.decided);
        let first = before.filter(|_| !decided);
        let why = first.map_or_else(|| SafeText::new(&why), |first| first.why);
        self.other = Some(Other { why, told, ours: false, decided: decided || decided_before });
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

    fn written(number: u64, boot: &str, state: &str) -> Written {
        Written {
            number,
            boot_id: boot.into(),
            state_id: state.into(),
            host: "other".into(),
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
            two_machines: false,
            kept_id: 0,
            after: None,
        }
    }

    fn found(written: Written) -> OwnReport {
        let (place, numbered) = ("/share".into(), written.number > 0);
        OwnReport { place, known: None, stood: None, written: Some(written), numbered, sealed: None }
    }

    fn own() -> Reported {
        Reported {
            number: 7,
            written: true,
            boot_id: "b".into(),
            state_id: "s".into(),
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Reported::default()
        }
    }

    #[test]
    fn a_higher_number_or_ones_own_of_another_boot_or_history_is_another_machine() {
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
            assert_eq!(reported.see(&found(written(number, boot, state))), whose, "{number} {boot} {state}");
            assert_eq!(reported.other.is_some(), whose == Whose::Other);
            assert_eq!(reported.number, number.max(7), "the next one is above both");
        }
        let mut copied = own();
        copied.at += chrono::TimeDelta::seconds(1);
        assert_eq!(copied.see(&found(written(7, "b", "s"))), Whose::Other, "of a copy on the same system");
        // A machine that was set up anew with this id has taken its place, and knows of no number.
        let over = OwnReport { numbered: false, ..found(written(7, "b", "s")) };
        let mut displaced = own();
        assert_eq!(displaced.see(&over), Whose::Older, "it writes its own anew");
        assert_eq!((displaced.other, displaced.number), (None, 7));
        let over = OwnReport { numbered: false, ..found(written(8, "b", "s")) };
        assert_eq!(own().see(&over), Whose::Other, "this one was put back to an earlier state");
        let mut gone = own();
        assert_eq!(gone.see(&OwnReport { written: None, ..found(written(0, "", "")) }), Whose::Older);
    }

    #[test]
    fn a_history_put_back_to_before_it_heard_of_its_first_report_is_not_the_newest() {
        let unheard = || Reported { written: false, number: 1, history: "s".into(), ..own() };
        assert_eq!(
            unheard().see(&found(written(1, "b", "s"))),
            Whose::Own,
            "its own, which it has not heard of"
        );
        assert_eq!(unheard().see(&found(written(4, "b", "s"))), Whose::Other);
        assert_eq!(unheard().see(&found(written(4, "b", "of an earlier life"))), Whose::Earlier);
    }

    #[test]
    fn a_new_history_goes_on_from_the_highest_number_that_it_finds() {
        for order in [[41, 30], [30, 41]] {
            // Its own first report has its number already where its place is looked at only when it is written.
            let mut new = Reported { number: 1, ..Reported::default() };
            for number in order {
                assert_eq!(new.see(&found(written(number, "old", "before"))), Whose::Earlier);
            }
            assert_eq!((new.number, new.other), (41, None));
        }
    }

    #[test]
    fn it_writes_over_the_other_one_until_that_one_knows() {
        let mut reported = own();
        let told = |reported: &Reported| reported.other.as_ref().map(|other| other.told);
        reported.see(&found(written(8, "c", "s")));
        assert_eq!(told(&reported), Some(false));
        // What this one wrote then was lost: the other one wrote at the same moment.
        reported.number = 9;
        reported.see(&found(written(9, "c", "s")));
        assert_eq!(told(&reported), Some(false));
        reported.see(&found(Written { two_machines: true, ..written(10, "c", "s") }));
        assert_eq!(told(&reported), Some(true));
        // The share is restored: nothing that stands there says so.
        reported.see(&found(written(3, "b", "s")));
        assert_eq!(told(&reported), Some(false));
    }

    #[test]
    fn the_newest_decision_of_an_operator_silences_the_other_one_and_no_later_copy() {
        let decided = Written { kept_id: 9, ..written(9, "c", "s") };
        let mut other = own();
        other.see(&found(written(8, "c", "s")));
        other.see(&found(decided.clone()));
        let found_out = other.other.clone().unwrap();
        assert!(
            found_out.told && found_out.why.as_str().contains("an operator or the site decided"),
            "{found_out:?}"
        );
        assert!(found_out.decided, "{found_out:?}");
        other.see(&found(Written { two_machines: true, ..written(12, "d", "s") }));
        assert!(other.other.unwrap().decided, "a third one changes nothing about that");
        // Copied after that decision, it knows it.
        let mut copy = Reported { kept_id: 9, ..own() };
        copy.see(&found(decided));
        let found_out = copy.other.unwrap();
        assert!(!found_out.told && !found_out.decided, "{found_out:?}");
    }
}
