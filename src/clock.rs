//! Time as values: `Wall` for gates, `Monotonic` for run times and countdowns, `Zone` for local times. Nothing here
//! but [`System`] reads a clock; the pure cores get their time as an argument.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneTransition};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
    /// The changes of the years around now, as the rules give them: a decision about a thousand requests asks thousands
    /// of times, and the rules work each answer out from the calendar.
    near: Arc<[Stretch]>,
}

/// From a change of the clock on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// Seconds since 1970.
    from: i64,
    /// Seconds east of UTC.
    offset: i32,
}

/// Which changes are kept: those from 2020 up to 2050, in seconds since 1970. All else is asked of the rules.
const NEAR: Range<i64> = 1_577_836_800..2_524_608_000;

/// No offset is as large: within it of a change, a local time may be read in two ways.
const MARGIN: i64 = 2 * 24 * 60 * 60;

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

/// The one place that reads the wall clock. Called at the edges, never by a core.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl System {
    /// What the wall clock says. Whether it can be believed is a fact of the host.
    pub fn now() -> Wall {
        Utc::now()
    }
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone::of_rules("UTC", TimeZone::UTC)
    }

    /// A zone from the bytes of a file of the system's zone data (RFC 8536). `name` is how messages name it.
    ///
    /// # Errors
    /// [`ZoneError::Damaged`] where the bytes are not such a file, or count leap seconds, which [`Wall`] does not.
    pub fn from_tzif(name: &str, bytes: &[u8]) -> Result<Zone, ZoneError> {
        let damaged = |why: String| ZoneError::Damaged(name.to_owned(), why);
        let rules = TimeZone::tzif(name, bytes).map_err(|e| damaged(e.to_string()))?;
        if counts_leap_seconds(bytes) {
            return Err(damaged(
                "it counts leap seconds: choose the same zone outside of \"right\"".to_owned(),
            ));
        }
        Ok(Zone::of_rules(name, rules))
    }

    /// A zone from a rule as POSIX writes it in `TZ`, e.g. `CET-1CEST,M3.5.0,M10.5.0/3`. No file is ever read. A change
    /// within a day of New Year, which no zone has, may be missed by an hour.
    ///
    /// # Errors
    /// [`ZoneError::Damaged`] where the text is not such a rule.
    pub fn from_posix(name: &str, tz_string: &str) -> Result<Zone, ZoneError> {
        match TimeZone::posix(tz_string) {
            Ok(rules) => Ok(Zone::of_rules(name, rules)),
            Err(e) => Err(ZoneError::Damaged(name.to_owned(), e.to_string())),
        }
    }

    fn of_rules(name: &str, rules: TimeZone) -> Zone {
        let first = within(NEAR.start);
        let begins = Stretch { from: NEAR.start, offset: rules.to_offset(first).seconds() };
        let of = |change: TimeZoneTransition| Stretch {
            from: change.timestamp().as_second(),
            offset: change.offset().seconds(),
        };
        let mut near = vec![begins];
        // Of some data the last change is told again and again.
        for change in rules.following(first).map(of).take_while(|change| change.from < NEAR.end) {
            if near.last().is_some_and(|last| change.from <= last.from) {
                break;
            }
            near.push(change);
        }
        Zone { name: name.to_owned(), rules, near: near.into() }
    }

    /// The offset in force `at` this time and as many seconds before and after it, in seconds since 1970; None: it changes
    /// within them, or the rules have to be asked.
    fn near(&self, at: i64, margin: i64) -> Option<i32> {
        if !(NEAR.start + margin..NEAR.end - margin).contains(&at) {
            return None;
        }
        let next = self.near.partition_point(|stretch| stretch.from <= at);
        let here = self.near.get(next.checked_sub(1)?)?;
        let ends = self.near.get(next).map_or(NEAR.end, |next| next.from);
        (here.from + margin <= at && at + margin < ends).then_some(here.offset)
    }

    /// How the zone was named when it was read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, at: Wall) -> i32 {
        let seconds = at.timestamp();
        self.near(seconds, 0).unwrap_or_else(|| self.rules.to_offset(within(seconds)).seconds())
    }

    /// What a clock on the wall of this zone shows at an instant.
    pub fn to_local(&self, at: Wall) -> NaiveDateTime {
        let utc = at.naive_utc();
        utc.checked_add_signed(TimeDelta::seconds(self.offset_at(at).into())).unwrap_or(utc)
    }

    /// The instant of a local time (FORMATS.md 3): one that a clock change skips means the first instant after the gap,
    /// one that occurs twice means the first.
    pub fn resolve(&self, local: NaiveDateTime) -> (Wall, LocalKind) {
        if let Some(offset) = self.near(local.and_utc().timestamp(), MARGIN) {
            return (instant(local, offset), LocalKind::Plain);
        }
        let Some(civil) = civil(local) else {
            return (instant(local, self.offset_at(local.and_utc())), LocalKind::Plain);
        };
        match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => (instant(local, offset.seconds()), LocalKind::Plain),
            AmbiguousOffset::Fold { before, .. } => (instant(local, before.seconds()), LocalKind::Fold),
            AmbiguousOffset::Gap { after, .. } => {
                // Read with the clock from after the gap, the time lies before it: the gap is the next such change.
                let read = instant(local, after.seconds());
                let mut changes = self.rules.following(within(read.timestamp()));
                let gap = changes.find(|change| change.offset() == after);
                let end = gap.and_then(|gap| DateTime::from_timestamp(gap.timestamp().as_second(), 0));
                (end.unwrap_or(read), LocalKind::Gap)
            }
        }
    }
}

/// The third of the six counts in the last header of zone data; from version 2 on there are two headers.
fn counts_leap_seconds(data: &[u8]) -> bool {
    let header = data.windows(4).rposition(|word| word == b"TZif").unwrap_or(0);
    data.get(header + 28..header + 32).is_some_and(|count| count != [0; 4])
}

/// The same instant; the rules know the years from -9999 to 9999, and what is beyond is taken for the first or last of
/// them.
fn within(seconds: i64) -> Timestamp {
    let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(end)
}

/// The same local time; None: it lies beyond those years.
fn civil(local: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    let small = |n: u32| i8::try_from(n).ok();
    let (month, day) = (small(local.month())?, small(local.day())?);
    let (hour, minute, second) = (small(local.hour())?, small(local.minute())?, small(local.second())?);
    jiff::civil::DateTime::new(i16::try_from(local.year()).ok()?, month, day, hour, minute, second, 0).ok()
}

fn instant(local: NaiveDateTime, offset: i32) -> Wall {
    local.checked_sub_signed(TimeDelta::seconds(offset.into())).unwrap_or(local).and_utc()
}

/// From one instant to a later one; nothing if it is not later.
pub fn between(from: Wall, until: Wall) -> Duration {
    until.signed_duration_since(from).to_std().unwrap_or_default()
}

/// `at + duration`, or the last instant there is.
pub fn later(at: Wall, duration: Duration) -> Wall {
    let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(delta).unwrap_or(Wall::MAX_UTC)
}

/// `at - duration`, or the first instant there is.
pub fn earlier(at: Wall, duration: Duration) -> Wall {
    let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    at.checked_sub_signed(delta).unwrap_or(Wall::MIN_UTC)
}

impl When {
    /// The instant this means on a machine in that zone.
    pub fn resolve(&self, zone: &Zone) -> Wall {
        match *self {
            When::Instant(at) => at,
            When::Local(local) => zone.resolve(local).0,
        }
    }
}

#[cfg(test)]
mod tests;
