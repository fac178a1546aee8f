//! "Until when" as an operator types it: `2h`, `22:00`, `Tue 22:00`, `2026-11-24 22:00`, or RFC 3339. Always in the
//! future; always shown back in full before it counts.

use super::words;
use crate::clock::{Wall, Zone};
use crate::safe;
use crate::text::{self, SafeText};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};

/// What may be typed, for the hint beside the field.
pub const FORMS: &str = "2h, 22:00, Tue 22:00, 2026-11-24 22:00";

/// Reads a time.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(typed: &str, now: Wall, zone: &Zone) -> Result<Wall, SafeText> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(SafeText::from("enter a time"));
    }
    let at = read(typed, now, zone).ok_or_else(|| safe!("not a time: write {FORMS}"))?;
    if at <= now {
        return Err(safe!("{} has passed", words::when_long(at, now, zone)));
    }
    Ok(at)
}

fn read(typed: &str, now: Wall, zone: &Zone) -> Option<Wall> {
    if let Ok(span) = text::parse_duration(typed) {
        return now.checked_add_signed(TimeDelta::from_std(span).ok()?);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(typed) {
        return Some(instant.with_timezone(&Utc));
    }
    let local = |local: NaiveDateTime| zone.resolve(local).0;
    for form in ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(typed, form) {
            return Some(local(at));
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(typed, "%Y-%m-%d") {
        return Some(local(day.and_time(NaiveTime::MIN)));
    }
    let today = zone.to_local(now).date();
    let (day, clock) = typed.rsplit_once(' ').map_or((None, typed), |(day, clock)| (Some(day.trim()), clock));
    let clock = NaiveTime::parse_from_str(clock, "%H:%M").ok()?;
    let wanted: Option<Weekday> = match day {
        None => None,
        Some(day) if day.eq_ignore_ascii_case("today") => Some(today.weekday()),
        Some(day) if day.eq_ignore_ascii_case("tomorrow") => Some(today.weekday().succ()),
        Some(day) => Some(day.parse().ok()?),
    };
    // The first such time that is still to come.
    (0..=7).find_map(|days| {
        let date = today.checked_add_days(Days::new(days))?;
        let at = local(date.and_time(clock));
        (wanted.is_none_or(|day| date.weekday() == day) && at > now).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Sunday 22 November 2026, 14:02 at UTC+1.
    fn until(typed: &str) -> Result<String, String> {
        let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = parse(typed, "2026-11-22T13:02:00Z".parse().unwrap(), &zone);
        at.map(|at| at.to_rfc3339()).map_err(|why| why.to_string())
    }

    #[test]
    fn every_form_of_the_hint_is_read() {
        assert_eq!(until("2h").unwrap(), "2026-11-22T15:02:00+00:00");
        assert_eq!(until("22:00").unwrap(), "2026-11-22T21:00:00+00:00");
        assert_eq!(until("Tue 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("tuesday 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("tomorrow 06:00").unwrap(), "2026-11-23T05:00:00+00:00");
        assert_eq!(until("2026-11-24 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("2026-11-24T22:00:00Z").unwrap(), "2026-11-24T22:00:00+00:00");
    }

    #[test]
    fn a_clock_time_that_has_passed_means_the_next_one() {
        assert_eq!(until("13:00").unwrap(), "2026-11-23T12:00:00+00:00");
        assert_eq!(until("Sun 13:00").unwrap(), "2026-11-29T12:00:00+00:00");
    }

    #[test]
    fn what_is_no_time_or_has_passed_is_refused_in_words() {
        assert!(until("").unwrap_err().contains("enter a time"));
        assert!(until("soon").unwrap_err().contains("not a time"));
        assert!(until("2020-01-01 00:00").unwrap_err().contains("has passed"));
        assert!(until("0s").unwrap_err().contains("has passed"));
    }
}
