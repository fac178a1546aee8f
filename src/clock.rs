//! Time as values: `Wall` for gates, `Monotonic` for run times and countdowns, `Zone` for local times. Nothing here
//! but [`System`] reads a clock; the pure cores get their time as an argument.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An instant on the wall clock, in UTC.
pub type Wall = DateTime<Utc>;

/// Time since the machine started, counting sleep where the system does. Never compared across boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A time as a publisher wrote it: with a zone it is one instant everywhere, without one it is the machine's own wall
/// clock (FORMATS.md 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum When {
    /// Written with `Z` or an offset.
    Instant(Wall),
    /// Written without a zone.
    Local(NaiveDateTime),
}

/// What became of a local time on its way to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalKind {
    /// It occurs once.
    Plain,
    /// A clock change skips it: the first instant after the gap.
    Gap,
    /// It occurs twice: the first one.
    Fold,
}

/// The rules of a time zone, as a value. Built from the system's zone data at the edge.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: tz::TimeZone,
}

/// Why a zone cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ZoneError {
    /// No such zone in the system's zone data.
    #[error("the time zone {0:?} is not in this system's zone data: install tzdata or correct the name")]
    Unknown(String),
    /// The zone data is damaged.
    #[error("the data of time zone {0:?} cannot be read: {1}")]
    Damaged(String, String),
}
