//! Times as operators write them, at the console and on the command line: on the machine's own wall clock, with the time
//! now as an argument.

use super::{SafeText, parse_duration};
use crate::clock::{LocalKind, Wall, Zone, later};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Weekday};
use std::time::Duration;

/// What `tonight` alone means.
const TONIGHT: u32 = 22;

/// On which side of now a time of day or of the week is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The next such (until when); a duration is so long from now.
    Next,
    /// The last such (since when); a duration is so long ago.
    Last,
}

/// Examples for a hint or a message, which are on the wanted side of now.
pub fn examples(side: Side, now: Wall, zone: &Zone) -> String {
    let today = zone.to_local(now).date();
    let week = Days::new(7);
    match side {
        Side::Next => {
            let date = today.checked_add_days(week).unwrap_or(today);
            format!("2h, 22:00, tomorrow 7am, {date} 22:00")
        }
        Side::Last => {
            let date = today.checked_sub_days(week).unwrap_or(today);
            format!("2h, 7am, yesterday 22:00, {date} 22:00")
        }
    }
}

/// A time as an operator writes it:
///
/// - how long from now, or ago: `90m`, `1h30m`, `+2h`, `in 2h`, `2h ago`;
/// - a time of day: `22:00`, `7am`, `7:30 pm`, the next such, or the last;
/// - a day, which begins at 00:00, or a time on it: `tomorrow`, `tomorrow 07:00`, `today 18:00`, `yesterday`, `Tue`,
///   `Tuesday 22:00`, `tonight` (22:00), `tonight 23:30`;
/// - a date: `2026-12-22`, `2026-12-22 22:00`; or an instant of RFC 3339.
///
/// A time that a clock change skips is the first instant after it; of one that occurs twice the nearer one counts where a
/// time of day is written, and the first where a date is. What is written in full may lie on the other side of now.
///
/// # Errors
/// A sentence without a full stop.
pub fn parse_time(text: &str, side: Side, now: Wall, zone: &Zone) -> Result<Wall, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "at").collect();
    read(&words, side, now, zone).ok_or_else(|| {
        let shown = SafeText::new(text.trim()).fit_ascii(40);
        format!("\"{shown}\" is not a time: write {}", examples(side, now, zone))
    })
}

fn read(words: &[&str], side: Side, now: Wall, zone: &Zone) -> Option<Wall> {
    let joined = words.join(" ");
    if let Ok(at) = DateTime::parse_from_rfc3339(&joined.to_uppercase().replacen(' ', "T", 1)) {
        return Some(at.to_utc());
    }
    if let Some(local) = date_and_time(&joined) {
        return Some(zone.resolve(local).0);
    }
    if let Some(distance) = distance(words, side) {
        return now.checked_add_signed(distance);
    }
    let today = zone.to_local(now).date();
    let (day, clock) = match words {
        [] => return None,
        [first, rest @ ..] => match named_day(first, today) {
            Some(day) => (Some(day), rest.concat()),
            None => (None, words.concat()),
        },
    };
    let clock = if clock.is_empty() { None } else { Some(clock_of(&clock)?) };
    let on = |date: NaiveDate, clock: NaiveTime| Some(zone.resolve(date.and_time(clock)).0);
    match (day, clock) {
        (None, None) => None,
        (None, Some(clock)) => nearest(today, None, clock, side, now, zone),
        (Some(Day::Date(date)), clock) => on(date, clock.unwrap_or(NaiveTime::MIN)),
        (Some(Day::Each(weekday)), clock) => {
            nearest(today, Some(weekday), clock.unwrap_or(NaiveTime::MIN), side, now, zone)
        }
        (Some(Day::Tonight), None) => on(today, NaiveTime::from_hms_opt(TONIGHT, 0, 0)?),
        // The night goes on until the morning.
        (Some(Day::Tonight), Some(clock)) if clock.hour() < 12 => {
            nearest(today, None, clock, Side::Next, now, zone)
        }
        (Some(Day::Tonight), Some(clock)) => on(today, clock),
    }
}

/// A day that has a name.
enum Day {
    Date(NaiveDate),
    Each(Weekday),
    Tonight,
}

fn named_day(word: &str, today: NaiveDate) -> Option<Day> {
    Some(match word {
        "today" => Day::Date(today),
        "tomorrow" => Day::Date(today.checked_add_days(Days::new(1))?),
        "yesterday" => Day::Date(today.checked_sub_days(Days::new(1))?),
        "tonight" => Day::Tonight,
        word => Day::Each(word.parse().ok()?),
    })
}

/// So long after now, or before it.
fn distance(words: &[&str], side: Side) -> Option<TimeDelta> {
    let (words, side) = match words {
        ["in", rest @ ..] => (rest, Side::Next),
        [rest @ .., "ago"] => (rest, Side::Last),
        words => (words, side),
    };
    let joined = words.concat();
    let (text, side) = match joined.strip_prefix('+') {
        Some(text) => (text, Side::Next),
        None => (joined.as_str(), side),
    };
    let span = TimeDelta::from_std(parse_span(text).ok()?).ok()?;
    Some(if side == Side::Next { span } else { -span })
}

/// A duration as an operator writes it: `90m`, `2h`, `3d`, `1h30m`; larger units come first.
///
/// # Errors
/// A sentence without a full stop.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let mut sum = Duration::ZERO;
    let mut rest: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut last = None;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let unit = rest[end..].chars().next().and_then(|c| "dhms".find(c));
        // What is not in order is a slip of the hand.
        if unit.is_none() || unit <= last {
            break;
        }
        sum = sum.saturating_add(parse_duration(&rest[..=end])?);
        rest.drain(..=end);
        last = unit;
    }
    if last.is_some() && rest.is_empty() {
        return Ok(sum);
    }
    // Its words for what is no duration.
    parse_duration(text)
}

/// The nearest instant on the wanted side of now at which the clock of the zone shows this.
fn nearest(
    today: NaiveDate,
    weekday: Option<Weekday>,
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
        if weekday.is_some_and(|wanted| wanted != chrono::Datelike::weekday(&date)) {
            return None;
        }
        let (first, second) = both(date.and_time(clock), zone);
        match side {
            Side::Next => [Some(first), second].into_iter().flatten().find(|at| *at > now),
            Side::Last => [second, Some(first)].into_iter().flatten().find(|at| *at <= now),
        }
    })
}

/// The instants of a local time: two of one that occurs twice.
fn both(local: NaiveDateTime, zone: &Zone) -> (Wall, Option<Wall>) {
    let (first, kind) = zone.resolve(local);
    if kind != LocalKind::Fold {
        return (first, None);
    }
    // No clock is ever set by more than this.
    let after = zone.offset_at(later(first, Duration::from_secs(26 * 3600)));
    let second = first + TimeDelta::seconds((zone.offset_at(first) - after).into());
    (first, (second > first && zone.to_local(second) == local).then_some(second))
}

fn date_and_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.to_uppercase().replacen('T', " ", 1);
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
        .or_else(|| {
            let (date, clock) = text.split_once(' ')?;
            Some(NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?.and_time(clock_of(&clock.to_lowercase())?))
        })
}

/// `22:00`, `22:00:30`, `7am`, `7:30pm`.
fn clock_of(text: &str) -> Option<NaiveTime> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let Some((hours, afternoon)) = text
        .strip_suffix("am")
        .map(|hours| (hours, false))
        .or_else(|| text.strip_suffix("pm").map(|hours| (hours, true)))
    else {
        return ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(&text, format).ok());
    };
    let (hour, minute) = hours.split_once(':').unwrap_or((hours, "0"));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    let (hour, minute) = (number(hour).filter(|hour| (1..=12).contains(hour))?, number(minute)?);
    NaiveTime::from_hms_opt(hour % 12 + if afternoon { 12 } else { 0 }, minute, 0)
}
