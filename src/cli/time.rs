//! Times as views show them: local, with the zone said once. The time now and the zone are arguments, so that tests need
//! no clock. `text::parse_time` reads those that operators write.

use crate::clock::{Wall, Zone};
use crate::host::open::remote;
use crate::text;
use chrono::Datelike;
use std::path::PathBuf;
use std::time::Duration;

/// What a view needs beside its document.
#[derive(Debug, Clone)]
pub struct Look {
    /// Columns of the terminal; None: as wide as it needs to be.
    pub width: Option<usize>,
    /// Now.
    pub now: Wall,
    /// The machine's own zone.
    pub zone: Zone,
    /// `pcm` with the flags that say which installation is meant, for commands that are suggested.
    pub pcm: String,
}

impl Look {
    /// `14:01`, `Tue 22:00` or `2026-12-22 22:00`.
    pub fn time(&self, at: Wall) -> String {
        text::time(at, self.now, |at| self.zone.offset_at(at))
    }

    /// The same in at most 10 columns: days that are further away come without a time.
    pub fn short(&self, at: Wall) -> String {
        let (here, today) = (self.zone.to_local(at).date(), self.zone.to_local(self.now).date());
        match here.signed_duration_since(today).num_days().abs() {
            0..=6 => self.time(at),
            _ if here.year() == today.year() => here.format("%-d %b").to_string(),
            _ => here.format("%Y-%m-%d").to_string(),
        }
    }

    /// The same, or a word.
    pub fn time_or(&self, at: Option<Wall>, otherwise: &str) -> String {
        at.map_or_else(|| otherwise.to_owned(), |at| self.time(at))
    }

    /// `Tue 22:00 (in 7h 58m)`, `14:01 (3m ago)`.
    pub fn time_and_distance(&self, at: Wall) -> String {
        format!("{} ({})", self.time(at), self.distance(at))
    }

    /// `in 7h 58m`, `3m ago`, `now`.
    pub fn distance(&self, at: Wall) -> String {
        let ahead = at.signed_duration_since(self.now);
        match (ahead.to_std(), (-ahead).to_std()) {
            // Rounded up: two hours from a moment ago are "in 2h".
            (Ok(ahead), _) if !ahead.is_zero() => {
                format!("in {}", text::duration(ahead + Duration::from_millis(999)))
            }
            (_, Ok(ago)) if ago.as_secs() > 0 => format!("{} ago", text::duration(ago)),
            _ => "now".to_owned(),
        }
    }

    /// From when to when something begins: `16:59`, `from 16:59, at the latest 20:59`.
    pub fn pair(&self, at: Wall, latest: Option<Wall>) -> String {
        text::pair(at, latest, |at| self.time(at))
    }

    /// The same with how far away that is: `16:59 (in 2h)`, `from 16:59 (in 2h), at the latest 20:59`.
    pub fn pair_and_distance(&self, at: Wall, latest: Option<Wall>) -> String {
        let distance = format!("{} ({})", self.time(at), self.distance(at));
        self.pair(at, latest).replacen(&self.time(at), &distance, 1)
    }

    /// The same for a column: `16:59`, `16:59-20:59`, `from 16:59`.
    pub fn short_pair(&self, at: Wall, latest: Option<Wall>) -> String {
        text::short_pair(at, latest, self.now, &self.zone)
    }

    /// How long from one instant to another; zero if it is not after.
    pub fn between(&self, from: Wall, to: Wall) -> String {
        text::duration(to.signed_duration_since(from).to_std().unwrap_or_default())
    }

    /// `2026-11-22 14:01:58`
    pub fn stamp(&self, at: Wall) -> String {
        text::local(at, |at| self.zone.offset_at(at)).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `Times are local: Europe/Berlin, UTC+01:00.`
    pub fn zone_line(&self) -> String {
        format!("Times are local: {}.", zone_words(self.zone.name(), self.zone.offset_at(self.now)))
    }
}

/// `Europe/Berlin, UTC+01:00`, or `UTC`.
pub fn zone_words(name: &str, east: i32) -> String {
    if east == 0 && ["UTC", "Etc/UTC"].contains(&name) {
        return "UTC".to_owned();
    }
    let sign = if east < 0 { '-' } else { '+' };
    let minutes = east.unsigned_abs() / 60;
    format!("{name}, UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A duration as written after `--for`: `90m`, `1h30m`, `3d`; not zero.
///
/// # Errors
/// A sentence for clap.
pub fn parse_span(written: &str) -> Result<Duration, String> {
    let span = text::parse_span(written)?;
    if span.is_zero() { Err("a duration of nothing: write e.g. 90m, 1h30m or 3d".into()) } else { Ok(span) }
}

/// A path made absolute against the current folder, so that it means the same to a service and after a change of folder.
pub fn absolute(path: &std::path::Path) -> PathBuf {
    if remote::is_remote(path) {
        return path.to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone;

    fn berlin() -> Zone {
        Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    /// Tuesday 2026-11-24 14:02 in Berlin.
    fn now() -> Wall {
        chrono::Utc.with_ymd_and_hms(2026, 11, 24, 13, 2, 0).unwrap()
    }

    #[test]
    fn spans_are_positive() {
        assert_eq!(parse_span("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_span("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_span("3d"), Ok(Duration::from_secs(3 * 86_400)));
        assert!(parse_span("0m").is_err() && parse_span("-1h").is_err() && parse_span("2").is_err());
    }

    #[test]
    fn distances_are_said_on_both_sides_of_now() {
        let look = Look { width: None, now: now(), zone: berlin(), pcm: "pcm".into() };
        assert_eq!(look.time_and_distance(now() + chrono::Duration::hours(2)), "16:02 (in 2h)");
        assert_eq!(look.time_and_distance(now() - chrono::Duration::minutes(3)), "13:59 (3m ago)");
        assert_eq!(look.distance(now()), "now");
        assert_eq!(look.zone_line(), "Times are local: Europe/Berlin, UTC+01:00.");
        assert_eq!(zone_words("America/St_Johns", -12_600), "America/St_Johns, UTC-03:30");
    }
}
