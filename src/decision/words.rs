//! Times and sizes in an operator's words, on top of `text::spoken`: in evidence, in the list's column, in refusals.
//! Pure; called by the gates and the refusals.

use crate::clock::{Wall, Zone};
use crate::text;
use chrono::{Datelike, TimeDelta, Timelike};
use std::time::Duration;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The whole time with its day and offset: `Sun 2026-11-22 22:00 +01:00`; seconds only where there are any.
pub fn stamp(at: Wall, zone: &Zone) -> String {
    let offset = zone.offset_at(at);
    let local = text::local(at, |_| offset);
    let (date, time) = (local.date(), local.time());
    // By hand: nearly every gate of every request shows a time, and formatting is several times slower.
    let mut text = String::with_capacity(32);
    text.push_str(DAYS[date.weekday().num_days_from_monday() as usize % 7]);
    text.push(' ');
    match u32::try_from(date.year()) {
        Ok(year) if year < 10_000 => {
            two_digits(&mut text, year / 100);
            two_digits(&mut text, year);
        }
        _ => text.push_str(&date.year().to_string()),
    }
    for (before, number) in [('-', date.month()), ('-', date.day()), (' ', time.hour()), (':', time.minute())]
    {
        text.push(before);
        two_digits(&mut text, number);
    }
    if time.second() != 0 {
        text.push(':');
        two_digits(&mut text, time.second());
    }
    text.push_str(if offset < 0 { " -" } else { " +" });
    two_digits(&mut text, offset.unsigned_abs() / 3600);
    text.push(':');
    two_digits(&mut text, offset.unsigned_abs() / 60 % 60);
    text
}

/// The last two digits of a number.
fn two_digits(text: &mut String, number: u32) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from_digit(digit, 10).unwrap_or('?'));
    }
}

/// A time for a narrow column: `22:00` today, `Tue 22:00` within six days, else the date too.
pub fn short(at: Wall, now: Wall, zone: &Zone) -> String {
    text::time(at, now, |t| zone.offset_at(t))
}

/// From one instant to a later one; nothing if it is not later.
pub fn between(from: Wall, until: Wall) -> Duration {
    until.signed_duration_since(from).to_std().unwrap_or_default()
}

/// A number of bytes: `512 B`, `200 MB`, `1.5 GB`, in steps of 1024 as publishers' `disk_space` is read, so that their
/// own figure comes back.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let unit = UNITS.len().min(1 + n.checked_ilog2().unwrap_or(0) as usize / 10) - 1;
    let step = 1_u128 << (10 * unit);
    match u128::from(n) * 10 / step {
        tenths if unit == 0 || tenths % 10 == 0 => format!("{} {}", tenths / 10, UNITS[unit]),
        tenths => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

/// `at + duration`, or the last instant there is.
pub(super) fn later(at: Wall, duration: Duration) -> Wall {
    let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(delta).unwrap_or(Wall::MAX_UTC)
}

/// `at - duration`, or the first instant there is.
pub(super) fn earlier(at: Wall, duration: Duration) -> Wall {
    let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    at.checked_sub_signed(delta).unwrap_or(Wall::MIN_UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stamp_has_day_date_time_and_offset() {
        let at = |text| chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let paris = Zone::from_posix("Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(stamp(at("2026-11-22T21:00:00Z"), &paris), "Sun 2026-11-22 22:00 +01:00");
        let st_johns = Zone::from_posix("X", "NST3:30").unwrap();
        assert_eq!(stamp(at("2026-11-22T21:00:05Z"), &st_johns), "Sun 2026-11-22 17:30:05 -03:30");
    }

    #[test]
    fn sizes_have_one_unit() {
        for (n, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1 << 10, "1 KB"),
            (200 << 20, "200 MB"),
            (3 << 29, "1.5 GB"),
            (900 << 40, "900 TB"),
            (u64::MAX, "16383.9 PB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }
}
