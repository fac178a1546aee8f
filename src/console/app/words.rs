//! Numbers and times in words: the one place where the console says how long, how old and when. All of it is short,
//! because columns are; all of it is in the machine's own zone, which stands in the header.

use crate::clock::{Wall, Zone};
use crate::text;
use chrono::{Datelike, TimeDelta};
use std::time::Duration;

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// How long, as everywhere in pcm; negative counts as nothing.
pub fn span(seconds: i64) -> String {
    text::duration(Duration::from_secs(seconds.max(0).unsigned_abs()))
}

/// How old, to the coarsest unit that says something: `<1m`, `8m`, `3h`, `2d`. It changes seldom.
pub fn age(seconds: i64) -> String {
    match seconds {
        ..60 => "<1m".into(),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / DAY),
    }
}

/// How long something has been wrong, in steps of ten seconds at first.
pub fn since(seconds: i64) -> String {
    if seconds < 60 { format!("{}s", seconds.max(0) / 10 * 10) } else { age(seconds) }
}

/// How long somebody has been idle, in minutes at the finest: `0m`, `12m`, `3h`, `2d`.
pub fn idle(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// When, as short as it stays clear: `13:50` today, `Tue 22:00` within six days, `22 Dec` this year, else `2027-12`.
pub fn when(at: Wall, now: Wall, zone: &Zone) -> String {
    let (then, today) = (zone.to_local(at), zone.to_local(now));
    let days = (then.date() - today.date()).num_days();
    match days {
        0 => then.format("%H:%M").to_string(),
        -6..=6 => then.format("%a %H:%M").to_string(),
        _ if then.year() == today.year() => then.format("%-d %b").to_string(),
        _ => then.format("%-d %b %y").to_string(),
    }
}

/// From when to when something begins, as short: `16:59`, `16:59-20:59`, `from 16:59`.
pub fn when_pair(at: Wall, latest: Option<Wall>, now: Wall, zone: &Zone) -> String {
    let days = |at: Wall| (zone.to_local(at).date() - zone.to_local(now).date()).num_days();
    // Days that are further away come without a time here, and then without a second day.
    if days(at).abs() > 6 {
        return when(at, now, zone);
    }
    match latest {
        Some(latest) if days(latest).abs() > 6 => {
            format!("{}-{}", when(at, now, zone), when(latest, now, zone))
        }
        latest => text::short_pair(at, latest, now, zone),
    }
}

/// When, in full but without what goes without saying: `today 13:50`, `Tue 24 Nov 22:00`, `Fri 1 Jan 2027 00:00`.
pub fn when_long(at: Wall, now: Wall, zone: &Zone) -> String {
    let (then, today) = (zone.to_local(at), zone.to_local(now));
    if then.date() == today.date() {
        then.format("today %H:%M").to_string()
    } else if then.year() == today.year() {
        then.format("%a %-d %b %H:%M").to_string()
    } else {
        then.format("%a %-d %b %Y %H:%M").to_string()
    }
}

/// When, with how far away that is: `Tue 24 Nov 22:00 (in 2d 7h)`, `today 13:50 (12m ago)`.
pub fn when_and_far(at: Wall, now: Wall, zone: &Zone) -> String {
    format!("{} ({})", when_long(at, now, zone), far(at, now))
}

/// From when to when something begins, with how far away that is: `today 16:59 (in 2h)`, `from today 16:59 (in 2h), at the
/// latest today 20:59`.
pub fn pair_and_far(at: Wall, latest: Option<Wall>, now: Wall, zone: &Zone) -> String {
    let first = when_long(at, now, zone);
    let pair = text::pair(at, latest, |at| when_long(at, now, zone));
    pair.replacen(&first, &when_and_far(at, now, zone), 1)
}

/// How far away, to the minute: `in 2d 7h`, `12m ago`, `now`.
pub fn far(at: Wall, now: Wall) -> String {
    let seconds = (at - now).num_seconds();
    // Whole minutes, so that what is shown does not change each second.
    let rounded = |s: i64| if s < 60 { s } else { s / 60 * 60 };
    match seconds {
        1.. => format!("in {}", span(rounded(seconds))),
        -9..=0 => "now".into(),
        _ => format!("{} ago", span(if -seconds < 60 { -seconds / 10 * 10 } else { rounded(-seconds) })),
    }
}

/// How long after something before it: `+0s`, `+0.350s`, `+12.5s`, `+3m12s`; `-2s` where a clock was set back.
pub fn after(since: TimeDelta) -> String {
    let sign = if since < TimeDelta::zero() { '-' } else { '+' };
    format!("{sign}{}", apart(since))
}

/// How long between two things, whichever was first.
pub fn apart(by: TimeDelta) -> String {
    let ms = by.num_milliseconds().unsigned_abs();
    match (ms, ms % 1000) {
        (60_000.., _) | (_, 0) => text::duration(Duration::from_secs(ms / 1000)),
        (..10_000, rest) => format!("{}.{rest:03}s", ms / 1000),
        (_, rest) => format!("{}.{}s", ms / 1000, rest / 100),
    }
}

/// `14:02`
pub fn clock(at: Wall, zone: &Zone) -> String {
    zone.to_local(at).format("%H:%M").to_string()
}

/// `11-22 14:01:58` for another day than now, else `14:01:58`.
pub fn stamp(at: Wall, now: Wall, zone: &Zone) -> String {
    let (then, today) = (zone.to_local(at), zone.to_local(now));
    if then.date() == today.date() {
        then.format("%H:%M:%S").to_string()
    } else {
        then.format("%m-%d %H:%M").to_string()
    }
}

/// `2026-11-22 14:01:58`
pub fn full(at: Wall, zone: &Zone) -> String {
    zone.to_local(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `+01:00`, or `UTC`.
pub fn offset(at: Wall, zone: &Zone) -> String {
    let seconds = zone.offset_at(at);
    if seconds == 0 {
        return "UTC".into();
    }
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `1 error`, `2 errors`
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Safe text from words made here and safe parts.
#[macro_export]
#[doc(hidden)]
macro_rules! safe {
    ($($arg:tt)*) => { $crate::text::SafeText::of(format!($($arg)*)) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Wall {
        text.parse().unwrap()
    }

    #[test]
    fn ages_are_coarse_so_that_they_change_seldom() {
        let all = [0, 9, 41, 60, 3599, 7200, 2 * DAY].map(age);
        assert_eq!(all, ["<1m", "<1m", "<1m", "1m", "59m", "2h", "2d"]);
        assert_eq!(span(-5), "0s");
    }

    #[test]
    fn a_time_is_as_short_as_it_stays_clear() {
        let (now, zone) = (at("2026-11-22T13:02:00Z"), Zone::utc());
        let show = |t: &str| when(at(t), now, &zone);
        assert_eq!(show("2026-11-22T22:00:00Z"), "22:00");
        assert_eq!(show("2026-11-24T22:00:00Z"), "Tue 22:00");
        assert_eq!(show("2026-11-17T22:00:00Z"), "Tue 22:00");
        assert_eq!(show("2026-12-22T22:00:00Z"), "22 Dec");
        assert_eq!(show("2027-01-02T22:00:00Z"), "2 Jan 27");
    }

    #[test]
    fn what_is_after_something_is_told_as_exactly_as_it_matters() {
        let all = [0, 350, 1_000, 9_999, 12_530, 61_900, -2_000].map(|ms| after(TimeDelta::milliseconds(ms)));
        assert_eq!(all, ["+0s", "+0.350s", "+1s", "+9.999s", "+12.5s", "+1m01s", "-2s"]);
    }

    #[test]
    fn distances_are_told_to_the_minute() {
        let now = at("2026-11-22T13:02:00Z");
        assert_eq!(far(at("2026-11-24T20:30:40Z"), now), "in 2d 7h");
        assert_eq!(far(at("2026-11-22T12:49:30Z"), now), "12m ago");
        assert_eq!(far(now, now), "now");
    }
}
