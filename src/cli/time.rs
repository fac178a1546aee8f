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
        return Ok(zone.resolve(local).0);
    }
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (Some(parse_weekday(day).ok_or_else(refuse)?), clock.trim()),
        None => (None, text),
    };
    let clock = parse_clock(clock).ok_or_else(refuse)?;
    let today = text::local(now, |at| zone.offset_at(at)).date();
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
        let (at, _) = zone.resolve(date.and_time(clock));
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

    fn parsed(text: &str, side: Side) -> String {
        parse_time(text, side, now(), &berlin()).map_or_else(|e| e, |at| at.to_rfc3339())
    }

    #[test]
    fn a_time_of_day_is_the_next_or_the_last_such() {
        assert_eq!(parsed("22:00", Side::Next), "2026-11-24T21:00:00+00:00");
        assert_eq!(parsed("14:02", Side::Next), "2026-11-25T13:02:00+00:00");
        assert_eq!(parsed("22:00", Side::Last), "2026-11-23T21:00:00+00:00");
        assert_eq!(parsed("14:02", Side::Last), "2026-11-24T13:02:00+00:00");
    }

    #[test]
    fn a_weekday_is_the_next_or_the_last_such() {
        assert_eq!(parsed("Tue 22:00", Side::Next), "2026-11-24T21:00:00+00:00");
        assert_eq!(parsed("tuesday 09:00", Side::Next), "2026-12-01T08:00:00+00:00");
        assert_eq!(parsed("Mon 22:00", Side::Next), "2026-11-30T21:00:00+00:00");
        assert_eq!(parsed("Tue 22:00", Side::Last), "2026-11-17T21:00:00+00:00");
    }

    #[test]
    fn a_date_is_local_and_rfc_3339_is_where_it_says() {
        assert_eq!(parsed("2026-12-22 22:00", Side::Next), "2026-12-22T21:00:00+00:00");
        assert_eq!(parsed("2026-07-01T22:00", Side::Next), "2026-07-01T20:00:00+00:00");
        assert_eq!(parsed("2026-12-22T22:00:00Z", Side::Next), "2026-12-22T22:00:00+00:00");
        assert_eq!(parsed("2026-12-22 22:00:00-05:00", Side::Next), "2026-12-23T03:00:00+00:00");
        assert_eq!(parsed("2026-12-22", Side::Next), "2026-12-21T23:00:00+00:00");
    }

    #[test]
    fn a_time_that_a_clock_change_skips_is_the_first_instant_after_the_gap() {
        assert_eq!(parsed("2027-03-28 02:30", Side::Next), "2027-03-28T01:00:00+00:00");
        // Twice: the first.
        assert_eq!(parsed("2027-10-31 02:30", Side::Next), "2027-10-31T00:30:00+00:00");
    }

    #[test]
    fn a_duration_is_so_long_ago_where_a_past_time_is_wanted() {
        assert_eq!(parsed("2h", Side::Last), "2026-11-24T11:02:00+00:00");
        assert!(parsed("2h", Side::Next).contains("is not a time"));
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for bad in ["", "25:00", "noon", "Xyz 22:00", "22.00", "2026-02-30 10:00"] {
            assert!(parsed(bad, Side::Next).contains("write 22:00"), "{bad}");
        }
    }

    #[test]
    fn spans_are_positive() {
        assert_eq!(parse_span("90m"), Ok(Duration::from_secs(5400)));
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
