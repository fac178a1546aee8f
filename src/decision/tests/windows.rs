//! Maintenance windows against an oracle that paints every minute of more than a year.

use super::super::window::{Calendar, Opening, Weekly, parse};
use super::scene::{at, minutes};
use crate::clock::{Wall, Zone};
use chrono::{Datelike, TimeDelta};
use proptest::prelude::*;

#[test]
fn windows_are_read_as_day_and_times() {
    let read = |text| parse(text).map(|w| (w.start, w.minutes));
    assert_eq!(read("Mon 00:00-24:00"), Ok((0, 1440)));
    assert_eq!(read("Sat 22:00-06:00"), Ok((5 * 1440 + 1320, 480)));
    assert_eq!(read("sun 9:30 - 24:00"), Ok((6 * 1440 + 570, 870)));
    assert_eq!(read(" Tue\t22:00-00:00 "), Ok((1440 + 1320, 120)));
    for bad in [
        "",
        "Sat",
        "22:00-06:00",
        "Sat 22:00",
        "Sat 22:00-22:00",
        "Sat 24:00-06:00",
        "Sat 22:00-24:01",
        "Sat 22:60-23:00",
        "Sam 22:00-06:00",
        "Saturday 22:00-06:00",
        "Sat 22-06",
        "Sat 22:00-06:00 UTC",
        "Sat 22:00-06:00-07:00",
        "Sat -1:00-06:00",
        "Sat 22:00–06:00",
        "Sat +2:00-06:00",
        "Sat 022:00-06:00",
        "Sat 22:0-06:00",
        "Sat 99999999999:00-06:00",
        "Sat, 22:00-06:00",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn windows_that_leave_nothing_out_are_always_open() {
    let all: Vec<String> = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        .iter()
        .flat_map(|day| [format!("{day} 18:00-06:00"), format!("{day} 06:00-18:00")])
        .collect();
    let zone = Zone::utc();
    let calendar = Calendar::new(&all, &zone, at("2026-11-22T12:00:00Z")).unwrap();
    assert_eq!(calendar.at(at("2026-11-22T12:00:00Z"), minutes(24 * 60 * 30)), Opening::Always);
}

#[test]
fn the_error_names_the_window() {
    let zone = Zone::utc();
    let windows = ["Sab 22:00-06:00".to_owned()];
    let error = Calendar::new(&windows, &zone, at("2026-11-22T12:00:00Z")).unwrap_err();
    assert!(
        error.starts_with("the maintenance window \"Sab 22:00-06:00\" cannot be read: the day"),
        "{error}"
    );
}

#[test]
fn a_window_is_as_long_as_the_night_is() {
    let london = Zone::from_posix("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0").unwrap();
    let windows = ["Sun 00:00-04:00".to_owned()];
    let calendar = Calendar::new(&windows, &london, at("2026-03-20T00:00:00Z")).unwrap();
    // Spring: an hour shorter, so four hours do not fit on that Sunday.
    let spring = calendar.at(at("2026-03-29T00:00:00Z"), minutes(240));
    let (until, next) = (at("2026-03-29T03:00:00Z"), at("2026-04-04T23:00:00Z"));
    assert_eq!(spring, Opening::TooShort { until, next });
    // Autumn: an hour longer. Five hours fit on no other Sunday of the year.
    let autumn = calendar.at(at("2026-03-29T00:00:00Z"), minutes(300));
    assert_eq!(autumn, Opening::TooShort { until, next: at("2026-10-24T23:00:00Z") });
    assert_eq!(
        calendar.at(at("2026-03-29T00:00:00Z"), minutes(301)),
        Opening::NeverFits { longest: minutes(240) }
    );
}

#[test]
fn windows_that_touch_are_one_also_around_the_end_of_the_week() {
    let windows = ["Mon 00:00-02:00".to_owned(), "Sun 22:00-24:00".to_owned()];
    let zone = Zone::utc();
    let calendar = Calendar::new(&windows, &zone, at("2026-11-22T12:00:00Z")).unwrap();
    let night = at("2026-11-22T22:00:00Z");
    assert_eq!(calendar.at(night, minutes(240)), Opening::Open { until: at("2026-11-23T02:00:00Z") });
    assert_eq!(calendar.at(night, minutes(241)), Opening::NeverFits { longest: minutes(240) });
}

#[test]
fn what_a_clock_change_skips_between_two_windows_makes_them_one() {
    let london = Zone::from_posix("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0").unwrap();
    let windows = ["Sun 00:00-01:00".to_owned(), "Sun 02:00-03:00".to_owned()];
    let calendar = Calendar::new(&windows, &london, at("2026-03-29T00:00:00Z")).unwrap();
    let opening = calendar.at(at("2026-03-29T00:00:00Z"), minutes(120));
    assert_eq!(opening, Opening::Open { until: at("2026-03-29T02:00:00Z") });
}

/// Every minute of a stretch, open or closed.
struct Painted {
    from: Wall,
    open: Vec<bool>,
}

impl Painted {
    fn new(windows: &[(u32, u32, u32)], zone: &Zone, around: Wall) -> Painted {
        let from = around - TimeDelta::days(10);
        let mut open = vec![false; 60 * 7 * 1440];
        let first_day = zone.to_local(from).date();
        for day in -9..=60 * 7 + 9 {
            let date = first_day + TimeDelta::days(day);
            for (weekday, start, end) in windows {
                if date.weekday().num_days_from_monday() != *weekday {
                    continue;
                }
                let midnight = date.and_hms_opt(0, 0, 0).unwrap();
                let end = if end > start { *end } else { end + 1440 };
                let start = zone.resolve(midnight + TimeDelta::minutes((*start).into())).0;
                let end = zone.resolve(midnight + TimeDelta::minutes(end.into())).0;
                for minute in (start - from).num_minutes()..(end - from).num_minutes() {
                    if let Some(slot) = usize::try_from(minute).ok().and_then(|m| open.get_mut(m)) {
                        *slot = true;
                    }
                }
            }
        }
        Painted { from, open }
    }

    /// How many minutes are open from this one on.
    fn run(&self, minute: usize) -> usize {
        self.open[minute..].iter().take_while(|open| **open).count()
    }

    fn at(&self, t: Wall, need: usize, longest: u32) -> Opening {
        let minute = usize::try_from((t - self.from).num_minutes()).unwrap();
        let when = |minute: usize| self.from + TimeDelta::minutes(i64::try_from(minute).unwrap());
        let left = self.run(minute);
        if left > 0 && left >= need {
            return Opening::Open { until: when(minute + left) };
        }
        let mut from = minute + left;
        // Not to the very end: a run that is cut off there is no short one.
        while from < self.open.len() - 3 * 1440 {
            let open = self.run(from);
            if open > 0 && open >= need {
                let next = when(from);
                return match left {
                    0 => Opening::Closed { next },
                    _ => Opening::TooShort { until: when(minute + left), next },
                };
            }
            from += open.max(1);
        }
        Opening::NeverFits { longest: minutes(longest.into()) }
    }
}

fn zone(which: usize) -> (Zone, &'static [&'static str]) {
    let (posix, near): (_, &[&str]) = match which {
        0 => ("UTC0", &["2026-11-22T12:00:00Z"]),
        1 => ("GMT0BST,M3.5.0/1,M10.5.0", &["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"]),
        2 => ("EST5EDT,M3.2.0,M11.1.0", &["2026-03-08T12:00:00Z", "2026-11-01T12:00:00Z"]),
        3 => ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", &["2026-04-04T12:00:00Z", "2026-10-03T12:00:00Z"]),
        4 => ("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", &["2026-03-29T12:00:00Z", "2026-10-25T12:00:00Z"]),
        5 => ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", &["2026-04-05T12:00:00Z", "2026-09-06T12:00:00Z"]),
        6 => ("<+14>-14", &["2026-11-22T12:00:00Z"]),
        _ => ("EET-2EEST,M3.5.0/0,M10.5.0/0", &["2026-03-29T12:00:00Z", "2026-10-24T22:00:00Z"]),
    };
    (Zone::from_posix("Z", posix).unwrap(), near)
}

/// The longest window by the clock on the wall after merging, painted on one week that goes round.
fn longest(windows: &[(u32, u32, u32)]) -> u32 {
    let mut week = vec![false; 7 * 1440];
    for (day, start, end) in windows {
        let length = if end > start { end - start } else { end + 1440 - start };
        for minute in 0..length {
            week[((day * 1440 + start + minute) % (7 * 1440)) as usize] = true;
        }
    }
    if week.iter().all(|open| *open) {
        return u32::MAX;
    }
    let (mut best, mut run) = (0, 0);
    for minute in 0..14 * 1440 {
        run = if week[minute % (7 * 1440)] { run + 1 } else { 0 };
        best = best.max(run);
    }
    best
}

fn text(window: &(u32, u32, u32)) -> String {
    let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][window.0 as usize];
    let (start, end) = (window.1, window.2);
    format!("{day} {:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_agree_with_every_minute_painted(
        which in 0usize..8,
        near in 0usize..2,
        windows in proptest::collection::vec((0u32..7, 0u32..96, 0u32..=96), 1..5),
        need in 0u32..48,
        offsets in proptest::collection::vec(-5i64 * 1440..25 * 1440, 24),
    ) {
        // Quarters of an hour: so that windows touch and needs fit exactly often enough.
        let windows: Vec<_> = windows.iter().map(|(d, s, e)| (*d, s * 15, e * 15)).filter(|(_, s, e)| s != e).collect();
        let (zone, times) = zone(which);
        let around = at(times[near % times.len()]);
        let written: Vec<String> = windows.iter().map(text).collect();
        let calendar = Calendar::new(&written, &zone, around).unwrap();
        let longest = longest(&windows);
        let painted = Painted::new(&windows, &zone, around);
        for offset in offsets {
            // Within reach of what the calendar has ready, and beyond it on both sides.
            let t = around + TimeDelta::minutes(offset);
            let need = need * 15;
            let expected = match longest {
                _ if windows.is_empty() => Opening::Always,
                u32::MAX => Opening::Always,
                _ => painted.at(t, need as usize, longest),
            };
            prop_assert_eq!(calendar.at(t, minutes(need.into())), expected, "{:?} at {} for {}", written, t, need);
        }
    }

    #[test]
    fn reading_never_panics_and_what_is_read_fits_a_week(text in ".{0,24}") {
        if let Ok(Weekly { start, minutes }) = parse(&text) {
            prop_assert!(start < 7 * 1440 && (1..=1440).contains(&minutes));
        }
    }

    #[test]
    fn no_time_is_too_far_away(seconds in i64::MIN..i64::MAX, need in 0u64..u64::MAX) {
        let far = chrono::DateTime::from_timestamp(seconds % 8_210_000_000_000, 0).unwrap();
        let london = Zone::from_posix("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0").unwrap();
        let windows = ["Sun 22:00-06:00".to_owned()];
        for around in [far, at("2026-11-22T12:00:00Z"), Wall::MIN_UTC, Wall::MAX_UTC] {
            let calendar = Calendar::new(&windows, &london, around).unwrap();
            for t in [far, Wall::MIN_UTC, Wall::MAX_UTC] {
                let opening = calendar.at(t, std::time::Duration::from_secs(need));
                prop_assert_ne!(opening, Opening::Always);
            }
        }
        prop_assert!(!crate::text::stamp(far, &london).is_empty());
    }
}
