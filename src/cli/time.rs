//! Times as operators write them and as views show them: local, with the zone said once. The time now and the zone are
//! arguments, so that tests need no clock.

use crate::clock::{Wall, Zone};
use crate::text;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
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
        text::time(at, self.now, |at| self.zone.offset(at))
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
            (Ok(ahead), _) if ahead.as_secs() > 0 => format!("in {}", text::duration(ahead)),
            (_, Ok(ago)) if ago.as_secs() > 0 => format!("{} ago", text::duration(ago)),
            _ => "now".to_owned(),
        }
    }

    /// How long from one instant to another; zero if it is not after.
    pub fn between(&self, from: Wall, to: Wall) -> String {
        text::duration(to.signed_duration_since(from).to_std().unwrap_or_default())
    }

    /// `2026-11-22 14:01:58`
    pub fn stamp(&self, at: Wall) -> String {
        text::local(at, |at| self.zone.offset(at)).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `Times are local: Europe/Berlin, UTC+01:00.`
    pub fn zone_line(&self) -> String {
        format!("Times are local: {}.", zone_words(self.zone.name(), self.zone.offset(self.now)))
    }
}

/// `Europe/Berlin, UTC+01:00`, or `UTC`.
pub fn zone_words(name: &str, east: i32) -> String {
    if name == "UTC" && east == 0 {
        return name.to_owned();
    }
    let sign = if east < 0 { '-' } else { '+' };
    let minutes = east.unsigned_abs() / 60;
    format!("{name}, UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A duration as written after `--for`: `90m`, `2h`, `3d`; not zero.
///
/// # Errors
/// A sentence for clap.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let span = text::parse_duration(text)?;
    if span.is_zero() { Err("a duration of nothing: write e.g. 90m, 2h or 3d".into()) } else { Ok(span) }
}

/// On which side of now a time of day or of the week is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The next such (`--until`).
    Next,
    /// The last such (`--since`); a duration means so long ago.
    Last,
}

/// A time as an operator writes it: RFC 3339, `2026-12-22 22:00`, `2026-12-22`, `22:00`, `Tue 22:00`. Local times obey
/// the rules of FORMATS.md 3 at gaps and folds.
///
/// # Errors
/// A sentence without a full stop.
pub fn parse_time(text: &str, side: Side, now: Wall, zone: &Zone) -> Result<Wall, String> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Ok(at.to_utc());
    }
    if let (Side::Last, Ok(span)) = (side, text::parse_duration(text)) {
        let span = chrono::Duration::from_std(span).map_err(|e| e.to_string())?;
        return Ok(now - span);
    }
    let refuse = || {
        let more = if side == Side::Last { ", or a duration like 2h" } else { "" };
        format!(
            "{text:?} is not a time: write 22:00, \"Tue 22:00\", \"2026-12-22 22:00\", \
             2026-12-22T22:00:00Z{more}"
        )
    };
    if let Some(local) = parse_local(text) {
        return Ok(zone.instant(local).0);
    }
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (Some(parse_weekday(day).ok_or_else(refuse)?), clock.trim()),
        None => (None, text),
    };
    let clock = parse_clock(clock).ok_or_else(refuse)?;
    let today = text::local(now, |at| zone.offset(at)).date();
    nearest(today, day, clock, side, now, zone).ok_or_else(refuse)
}

/// The nearest day on the wanted side of now at which the local clock shows this.
fn nearest(
    today: NaiveDate,
    day: Option<Weekday>,
    clock: NaiveTime,
    side: Side,
    now: Wall,
    zone: &Zone,
) -> Option<Wall> {
    (0..=8).find_map(|distance| {
        let date = match side {
            Side::Next => today.checked_add_days(Days::new(distance))?,
            Side::Last => today.checked_sub_days(Days::new(distance))?,
        };
        let (at, _) = zone.instant(date.and_time(clock));
        let fits = day.is_none_or(|day| day == date.weekday());
        let beyond = if side == Side::Next { at > now } else { at <= now };
        (fits && beyond).then_some(at)
    })
}

fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen('T', " ", 1);
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
}

fn parse_clock(text: &str) -> Option<NaiveTime> {
    ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

fn parse_weekday(text: &str) -> Option<Weekday> {
    text.parse().ok()
}

/// A path made absolute against the current folder, so that it means the same to a service and after a change of folder.
pub fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
