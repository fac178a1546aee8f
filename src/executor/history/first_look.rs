//! A new history knows nothing of what this machine has run before it. It stays closed until every place where results of
//! this machine may lie was seen and holds none, or an operator decides (PROMISES.md 2): a share that is away says nothing.

use super::row_error::RowError;
use super::schema;
use crate::host::open::remote;
use crate::site::past::{Past, Told};
use crate::text::SafeText;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Keys of `meta`: what waits for a place to be seen, and what was found at one.
const UNSEEN: &str = "unseen";
const NOT_ADOPTED: &str = "not_adopted";

/// What keeps a new history closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// This is there of an earlier life.
    Earlier(SafeText),
    /// Not every place was seen.
    Unseen(Unseen),
}

/// How far the look at all places has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unseen {
    /// They hold nothing of this machine.
    seen: Vec<PathBuf>,
    /// Why it is not known of these.
    waits: Vec<(PathBuf, SafeText)>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unseen = match self {
            Closed::Earlier(what) => return write!(f, "this history is new, while {what}"),
            Closed::Unseen(unseen) => unseen,
        };
        let waits: Vec<String> =
            unseen.waits.iter().map(|(place, why)| format!("{} ({why})", place.display())).collect();
        f.write_str("it is not known whether this machine has run anything before, ")?;
        match waits.as_slice() {
            [] => f.write_str("no share is configured"),
            waits => write!(f, "this was not seen yet: {}", waits.join(", ")),
        }
    }
}

/// What a look at all places that are configured now comes to, after those before it; None: nothing of this machine is
/// anywhere.
pub(super) fn after(before: &Unseen, told: &[Told]) -> Option<Closed> {
    let mut now = Unseen::default();
    for (place, past) in told {
        match past {
            Past::Found(what) => return Some(Closed::Earlier(what.clone())),
            Past::None => now.seen.push(place.clone()),
            Past::Unknown(_) if before.seen.contains(place) => now.seen.push(place.clone()),
            Past::Unknown(why) => now.waits.push((place.clone(), why.clone())),
        }
    }
    // This machine cannot have written to those: one of them that answers is enough, others may be away for good.
    if !now.seen.is_empty() {
        now.waits.retain(|(place, _)| !remote::is_read_only(place));
    }
    // Where no place is configured, none was seen.
    (now.seen.is_empty() || !now.waits.is_empty()).then_some(Closed::Unseen(now))
}

/// What keeps this history closed; None: nothing does.
pub(super) fn read(db: &Connection) -> Result<Option<Closed>, RowError> {
    if let Some(what) = schema::meta(db, NOT_ADOPTED)? {
        return Ok(Some(Closed::Earlier(SafeText::new(&what))));
    }
    let Some(text) = schema::meta(db, UNSEEN)? else { return Ok(None) };
    let unseen = serde_json::from_str(&text).map_err(|e| RowError::Content(format!("{UNSEEN}: {e}")))?;
    Ok(Some(Closed::Unseen(unseen)))
}

/// Keeps it closed by this from now on; None: it is open.
pub(super) fn write(db: &Connection, closed: Option<&Closed>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key IN (?1, ?2)", [UNSEEN, NOT_ADOPTED])?;
    match closed {
        None => Ok(()),
        Some(Closed::Earlier(what)) => schema::set_meta(db, NOT_ADOPTED, what.as_str()),
        Some(Closed::Unseen(unseen)) => {
            // Paths of the configuration, which is UTF-8.
            let text = serde_json::to_string(unseen).unwrap_or_else(|_| "{\"seen\":[],\"waits\":[]}".into());
            schema::set_meta(db, UNSEEN, &text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_to_be_seen_once_and_what_one_holds_closes_for_good() {
        let place = |name: &str| PathBuf::from(name);
        let away = || Past::Unknown("away".into());
        let told = |a: Past, b: Past| [(place("a"), a), (place("b"), b)];
        let Some(Closed::Unseen(first)) = after(&Unseen::default(), &told(Past::None, away())) else {
            panic!("b was not seen")
        };
        assert_eq!((first.seen.as_slice(), first.waits.len()), ([place("a")].as_slice(), 1));
        assert!(Closed::Unseen(first.clone()).to_string().contains("b (away)"));
        assert_eq!(after(&first, &told(away(), Past::None)), None, "both were seen once");
        let found = Past::Found("there are results".into());
        assert!(matches!(after(&first, &told(away(), found)), Some(Closed::Earlier(_))));
        assert!(after(&first, &[]).is_some(), "no place, nothing seen");
        assert_eq!(after(&first, &[(place("a"), away())]), None, "b is not configured any more");
    }

    #[test]
    fn of_places_that_are_only_read_one_that_answers_is_enough() {
        let place = |name: &str| PathBuf::from(name);
        let denied = || Past::Unknown("access is denied".into());
        let told = |a, b| [(place("https://a.example.com"), a), (place("https://b.example.com"), b)];
        let new = Unseen::default();
        assert_eq!(after(&new, &told(denied(), Past::None)), None);
        assert!(after(&new, &told(denied(), denied())).is_some(), "none of them answers");
        let written = [(place("s3://pcm-site"), denied()), (place("https://a.example.com"), Past::None)];
        assert!(after(&new, &written).is_some(), "there it may have written");
    }
}
