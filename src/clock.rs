//! Time as values: `Wall` for gates, `Monotonic` for run times and countdowns, `Zone` for local times. Nothing here
//! but [`System`] reads a clock; the pure cores get their time as an argument.

mod spans;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use spans::Spans;
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
    rules: tz::TimeZone,
    spans: Spans,
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

/// The one place that reads the wall clock. Called at the edges, never by a core.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl System {
    /// What the wall clock says. Whether it can be believed is a fact of the host.
    pub fn now() -> Wall {
        Utc::now()
    }
}

/// No zone has ever been further from UTC than this, so a time this far away on either side sees every clock change
/// that could concern it.
const FAR: i64 = 26 * 3600;

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone::of("UTC", tz::TimeZone::utc())
    }

    fn of(name: &str, rules: tz::TimeZone) -> Zone {
        let spans = Spans::new(&rules, |seconds| offset_by(&rules, seconds));
        Zone { name: name.to_owned(), rules, spans }
    }

    /// A zone from the bytes of a file of the system's zone data (RFC 8536). `name` is how messages name it.
    ///
    /// # Errors
    /// [`ZoneError::Damaged`] where the bytes are not such a file.
    pub fn from_tzif(name: &str, bytes: &[u8]) -> Result<Zone, ZoneError> {
        match tz::TimeZone::from_tz_data(bytes) {
            Ok(rules) => Ok(Zone::of(name, rules)),
            Err(e) => Err(ZoneError::Damaged(name.to_owned(), e.to_string())),
        }
    }

    /// A zone from a rule as POSIX writes it in `TZ`, e.g. `CET-1CEST,M3.5.0,M10.5.0/3`. No file is ever read.
    ///
    /// # Errors
    /// [`ZoneError::Damaged`] where the text is not such a rule.
    pub fn from_posix(name: &str, tz_string: &str) -> Result<Zone, ZoneError> {
        // The crate would first look for a file of that name: it is given no folder and no way to read.
        let pure = tz::TimeZoneSettings::new(&[], |_| Err("zone files are read by the host".into()));
        match pure.parse_posix_tz(tz_string) {
            Ok(rules) => Ok(Zone::of(name, rules)),
            Err(e) => Err(ZoneError::Damaged(name.to_owned(), e.to_string())),
        }
    }

    /// How the zone was named when it was read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, at: Wall) -> i32 {
        self.offset_at_unix(at.timestamp())
    }

    fn offset_at_unix(&self, seconds: i64) -> i32 {
        self.spans.at(seconds).map_or_else(|| offset_by(&self.rules, seconds), |span| span.offset)
    }

    /// What a clock on the wall of this zone shows at an instant.
    pub fn to_local(&self, at: Wall) -> NaiveDateTime {
        let utc = at.naive_utc();
        utc.checked_add_signed(TimeDelta::seconds(self.offset_at(at).into())).unwrap_or(utc)
    }

    /// The instant of a local time (FORMATS.md 3): one that a clock change skips means the first instant after the gap,
    /// one that occurs twice means the first.
    pub fn resolve(&self, local: NaiveDateTime) -> (Wall, LocalKind) {
        let seconds = local.and_utc().timestamp();
        let (before, after) = (seconds.saturating_sub(FAR), seconds.saturating_add(FAR));
        let span = self.spans.at(before);
        let offset = span.map_or_else(|| offset_by(&self.rules, before), |span| span.offset);
        let plain = earlier(local, offset);
        if span.is_some_and(|span| after < span.until) {
            return (plain, LocalKind::Plain);
        }
        self.resolve_near_change(local).unwrap_or((plain, LocalKind::Plain))
    }

    /// The same, looking at every clock change of the zone.
    fn resolve_near_change(&self, local: NaiveDateTime) -> Option<(Wall, LocalKind)> {
        use tz::datetime::FoundDateTimeKind::{Normal, Skipped};
        let found = tz::DateTime::find(
            local.year(),
            u8::try_from(local.month()).ok()?,
            u8::try_from(local.day()).ok()?,
            u8::try_from(local.hour()).ok()?,
            u8::try_from(local.minute()).ok()?,
            u8::try_from(local.second()).ok()?,
            0,
            self.rules.as_ref(),
        );
        let found = found.ok()?.into_inner();
        let twice = found.iter().filter(|kind| matches!(kind, Normal(_))).count() > 1;
        match found.first()? {
            Normal(at) => {
                let nanos = local.and_utc().timestamp_subsec_nanos();
                let at = DateTime::from_timestamp(at.unix_time(), nanos)?;
                Some((at, if twice { LocalKind::Fold } else { LocalKind::Plain }))
            }
            Skipped { after_transition, .. } => {
                Some((DateTime::from_timestamp(after_transition.unix_time(), 0)?, LocalKind::Gap))
            }
        }
    }
}

/// Seconds east of UTC, worked out from the rules.
fn offset_by(rules: &tz::TimeZone, seconds: i64) -> i32 {
    match rules.find_local_time_type(seconds) {
        Ok(kind) => kind.ut_offset(),
        // Data without a rule for the time after its last transition: what held last goes on.
        Err(_) => {
            let zone = rules.as_ref();
            let last = zone.transitions().last().map_or(0, |t| t.local_time_type_index());
            zone.local_time_types().get(last).map_or(0, |kind| kind.ut_offset())
        }
    }
}

fn earlier(local: NaiveDateTime, offset: i32) -> Wall {
    local.checked_sub_signed(TimeDelta::seconds(offset.into())).unwrap_or(local).and_utc()
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
