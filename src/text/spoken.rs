//! The one place where a duration, an instant or a size is put into words for an operator, and where a duration is read.
//! Pure: the time now and the zone are arguments.

use crate::clock::{Wall, Zone};
use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use std::time::Duration;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A duration in its two largest units, rounded down: `41s`, `3m12s`, `8m`, `2h`, `2h 5m`, `3d 4h`.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    let (days, hours, minutes, seconds) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, 0) => format!("{m}m"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, 0, _) => format!("{h}h"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, 0, ..) => format!("{d}d"),
        (d, h, ..) => format!("{d}d {h}h"),
    }
}

/// Reads `<number>s|m|h|d`, e.g. `90s`, `2h`. Fractions, blanks and other units are refused.
///
/// # Errors
/// A sentence without a full stop that says what was read and what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse = || {
        let shown = super::SafeText::new(text).fit_ascii(40);
        format!("\"{shown}\" is not a duration: write a number and one of s, m, h, d, e.g. 90s, 20m, 2h, 7d")
    };
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => return Err(refuse()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refuse());
    }
    let too_long = || format!("\"{}\" is longer than 100 years", super::SafeText::new(text).fit_ascii(40));
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(too_long)?;
    // Further than this, adding it to a time could leave the calendar.
    if seconds > 100 * 366 * 86_400 {
        return Err(too_long());
    }
    Ok(Duration::from_secs(seconds))
}

/// An instant on the operator's wall clock: `14:01` today, `Tue 22:00` within six days, else `2026-12-22 22:00`.
/// `offset` gives the seconds east of UTC at an instant.
pub fn time(at: Wall, now: Wall, offset: impl Fn(Wall) -> i32) -> String {
    let (here, today) = (local(at, &offset), local(now, &offset).date());
    match here.date().signed_duration_since(today).num_days().abs() {
        0 => clock(String::with_capacity(5), here),
        1..=6 => {
            let mut text = String::with_capacity(9);
            text.push_str(weekday(here.date()));
            text.push(' ');
            clock(text, here)
        }
        _ if (0..=9999).contains(&here.year()) => {
            let mut text = String::with_capacity(16);
            date(&mut text, here.date());
            text.push(' ');
            clock(text, here)
        }
        _ => "out of range".to_owned(),
    }
}

/// Adds `14:01`. By hand: a list of a thousand rows shows two or three of them in each, and formatting by a pattern is
/// several times slower.
fn clock(mut text: String, at: NaiveDateTime) -> String {
    two_digits(&mut text, at.hour());
    text.push(':');
    two_digits(&mut text, at.minute());
    text
}

/// Adds `2026-11-22`, by hand for the same reason.
fn date(text: &mut String, date: NaiveDate) {
    match u32::try_from(date.year()) {
        Ok(year) if year < 10_000 => {
            two_digits(text, year / 100);
            two_digits(text, year);
        }
        _ => text.push_str(&date.year().to_string()),
    }
    for number in [date.month(), date.day()] {
        text.push('-');
        two_digits(text, number);
    }
}

fn weekday(date: NaiveDate) -> &'static str {
    DAYS[date.weekday().num_days_from_monday() as usize % 7]
}

/// The clock alone, with seconds: `14:01:58`, as rows of a log show it.
pub fn time_of_day(at: Wall, offset: impl Fn(Wall) -> i32) -> String {
    local(at, offset).format("%H:%M:%S").to_string()
}

/// What the wall clock shows at an instant where the offset (seconds east of UTC) is as given.
pub fn local(at: Wall, offset: impl Fn(Wall) -> i32) -> NaiveDateTime {
    let utc = at.naive_utc();
    utc.checked_add_signed(TimeDelta::seconds(i64::from(offset(at)))).unwrap_or(utc)
}

/// The whole time with its day and offset: `Sun 2026-11-22 22:00 +01:00`; seconds only where there are any.
pub fn stamp(at: Wall, zone: &Zone) -> String {
    let offset = zone.offset_at(at);
    let local = local(at, |_| offset);
    // By hand: nearly every gate of every request shows a time, and formatting is several times slower.
    let mut text = String::with_capacity(32);
    text.push_str(weekday(local.date()));
    text.push(' ');
    date(&mut text, local.date());
    text.push(' ');
    let mut text = clock(text, local);
    if local.second() != 0 {
        text.push(':');
        two_digits(&mut text, local.second());
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
    time(at, now, |t| zone.offset_at(t))
}

/// From when to when something may begin, for a narrow column: `22:00` where that is one time, `16:59-20:59`, `Tue
/// 22:00-23:30`, `from 22:00` where no latest time is known.
pub fn short_pair(at: Wall, latest: Option<Wall>, now: Wall, zone: &Zone) -> String {
    let first = short(at, now, zone);
    let Some(latest) = latest else { return format!("from {first}") };
    let last = short(latest, now, zone);
    if first == last {
        return first;
    }
    let (here, there) = (zone.to_local(at), zone.to_local(latest));
    if here.date() == there.date() {
        format!("{first}-{}", there.format("%H:%M"))
    } else {
        format!("{first}-{last}")
    }
}

/// The same in a sentence, with times as `show` writes them: `22:00`, `from 16:59, at the latest 20:59`, `from 22:00, the
/// latest time is not known`.
pub fn pair(at: Wall, latest: Option<Wall>, show: impl Fn(Wall) -> String) -> String {
    let first = show(at);
    match latest.map(show) {
        Some(last) if last == first => first,
        Some(last) => format!("from {first}, at the latest {last}"),
        None => format!("from {first}, the latest time is not known"),
    }
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
