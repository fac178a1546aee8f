//! Times as operators write them.

use crate::clock::{Wall, Zone};
use crate::text::{Side, examples, parse_span, parse_time};
use chrono::{NaiveTime, TimeDelta, TimeZone, Timelike};
use proptest::prelude::*;
use std::time::Duration;

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

fn next(text: &str) -> String {
    parsed(text, Side::Next)
}

fn last(text: &str) -> String {
    parsed(text, Side::Last)
}

#[test]
fn a_time_of_day_is_the_next_or_the_last_such() {
    assert_eq!(next("22:00"), "2026-11-24T21:00:00+00:00");
    assert_eq!(next("14:02"), "2026-11-25T13:02:00+00:00");
    assert_eq!(last("22:00"), "2026-11-23T21:00:00+00:00");
    assert_eq!(last("14:02"), "2026-11-24T13:02:00+00:00");
}

#[test]
fn hours_may_be_written_with_am_and_pm() {
    assert_eq!(next("7am"), "2026-11-25T06:00:00+00:00");
    assert_eq!(next("7 PM"), "2026-11-24T18:00:00+00:00");
    assert_eq!(next("7:30pm"), "2026-11-24T18:30:00+00:00");
    assert_eq!(next("12am"), "2026-11-24T23:00:00+00:00");
    assert_eq!(next("12 pm"), "2026-11-25T11:00:00+00:00");
    for bad in ["13pm", "0am", "am", "7:60am", "+7am", "7 am pm"] {
        assert!(next(bad).contains("is not a time"), "{bad}: {}", next(bad));
    }
}

#[test]
fn a_weekday_is_the_next_or_the_last_such_and_begins_at_midnight() {
    assert_eq!(next("Tue 22:00"), "2026-11-24T21:00:00+00:00");
    assert_eq!(next("tuesday 09:00"), "2026-12-01T08:00:00+00:00");
    assert_eq!(next("Mon at 10pm"), "2026-11-30T21:00:00+00:00");
    assert_eq!(last("Tue 22:00"), "2026-11-17T21:00:00+00:00");
    assert_eq!(next("friday"), "2026-11-26T23:00:00+00:00");
    assert_eq!(next("tue"), "2026-11-30T23:00:00+00:00");
    assert_eq!(last("tue"), "2026-11-23T23:00:00+00:00");
}

#[test]
fn days_have_names() {
    assert_eq!(next("tomorrow 07:00"), "2026-11-25T06:00:00+00:00");
    assert_eq!(next("  Tomorrow   7am "), "2026-11-25T06:00:00+00:00");
    assert_eq!(next("tomorrow"), "2026-11-24T23:00:00+00:00");
    assert_eq!(next("today 18:00"), "2026-11-24T17:00:00+00:00");
    // Today, and not in a week, though it has passed: who asks for it is told so.
    assert_eq!(next("today 09:00"), "2026-11-24T08:00:00+00:00");
    assert_eq!(next("tonight"), "2026-11-24T21:00:00+00:00");
    assert_eq!(next("tonight 23:30"), "2026-11-24T22:30:00+00:00");
    assert_eq!(next("tonight 2am"), "2026-11-25T01:00:00+00:00");
    assert_eq!(last("yesterday 22:00"), "2026-11-23T21:00:00+00:00");
}

#[test]
fn a_date_is_local_and_rfc_3339_is_where_it_says() {
    assert_eq!(next("2026-12-22 22:00"), "2026-12-22T21:00:00+00:00");
    assert_eq!(next("2026-12-22 10pm"), "2026-12-22T21:00:00+00:00");
    assert_eq!(next("2026-07-01T22:00"), "2026-07-01T20:00:00+00:00");
    assert_eq!(next("2026-12-22T22:00:00Z"), "2026-12-22T22:00:00+00:00");
    assert_eq!(next("2026-12-22 22:00:00-05:00"), "2026-12-23T03:00:00+00:00");
    assert_eq!(next("2026-12-22"), "2026-12-21T23:00:00+00:00");
}

#[test]
fn a_duration_is_from_now_or_ago() {
    for two_and_a_half in ["2h30m", "+2h30m", "150m", "in 2h 30m", "+ 2h 30m"] {
        assert_eq!(next(two_and_a_half), "2026-11-24T15:32:00+00:00", "{two_and_a_half}");
    }
    assert_eq!(last("2h"), "2026-11-24T11:02:00+00:00");
    assert_eq!(last("2h ago"), "2026-11-24T11:02:00+00:00");
}

#[test]
fn a_span_is_a_sum_of_units_larger_ones_first() {
    assert_eq!(parse_span("90m"), Ok(Duration::from_secs(5400)));
    assert_eq!(parse_span("1h30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(parse_span("1d 12h 1s"), Ok(Duration::from_secs(36 * 3600 + 1)));
    for bad in ["", "2", "h", "30m1h", "1h1h", "1h30", "-1h", "1.5h", "1w", "99999999999d"] {
        assert!(parse_span(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_no_time_is_refused_with_examples_that_are_read_and_lie_on_the_side_that_is_meant() {
    for bad in
        ["", "25:00", "noon", "Xyz 22:00", "22.00", "2026-02-30 10:00", "tomorrow soon", "Tue Wed", "22"]
    {
        assert!(
            next(bad).contains("is not a time: write 2h, 22:00, tomorrow 7am, 2026-12-01 22:00"),
            "{bad}"
        );
    }
    for (side, sign) in [(Side::Next, 1), (Side::Last, -1)] {
        for example in examples(side, now(), &berlin()).split(", ") {
            let at = parse_time(example, side, now(), &berlin()).unwrap();
            assert!((at - now()).num_seconds() * sign > 0, "{example} is {at}");
        }
    }
}

#[test]
fn of_a_time_that_occurs_twice_the_nearer_one_on_the_wanted_side_counts() {
    let zone = berlin();
    // 02:10 for the second time: 02:30 comes again in twenty minutes.
    let second = chrono::Utc.with_ymd_and_hms(2027, 10, 31, 1, 10, 0).unwrap();
    let at = |text: &str, side| parse_time(text, side, second, &zone).unwrap() - second;
    assert_eq!(at("02:30", Side::Next), TimeDelta::minutes(20));
    assert_eq!(at("02:05", Side::Last), TimeDelta::minutes(-5));
    assert_eq!(at("02:30", Side::Last), TimeDelta::minutes(-40));
    // With its date it is the first.
    assert_eq!(at("2027-10-31 02:30", Side::Next), TimeDelta::minutes(-40));
    // What is skipped is the first instant after the gap.
    assert_eq!(next("2027-03-28 02:30"), "2027-03-28T01:00:00+00:00");
}

fn zones() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just("CET-1CEST,M3.5.0,M10.5.0/3"),
        Just("EST5EDT,M3.2.0,M11.1.0"),
        Just("LHST-10:30LHDT-11,M10.1.0,M4.1.0"),
        Just("IST-5:30"),
    ]
    .prop_map(|rules| Zone::from_posix("X", rules).unwrap())
}

/// Minutes of two years, half of them around a clock change.
fn times() -> impl Strategy<Value = Wall> {
    let start = chrono::Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    let changes = [(2026, 3, 29), (2026, 10, 25), (2026, 3, 8), (2026, 11, 1), (2026, 10, 4), (2026, 4, 5)];
    let near = (0..changes.len(), -2880_i64..2880).prop_map(move |(n, minutes)| {
        let (y, m, d) = changes[n];
        chrono::Utc.with_ymd_and_hms(y, m, d, 0, 0, 0).unwrap() + TimeDelta::minutes(minutes)
    });
    prop_oneof![(0_i64..2 * 366 * 1440).prop_map(move |minutes| start + TimeDelta::minutes(minutes)), near]
}

proptest! {
    #![proptest_config(super::cases(200))]

    /// Held against a walk from minute to minute with the clock on the wall in view.
    #[test]
    fn a_time_of_day_is_the_very_next_minute_at_which_the_clock_shows_it(
        zone in zones(), now in times(), hour in 0_u32..24, minute in 0_u32..60,
    ) {
        let clock = NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let at = parse_time(&format!("{hour:02}:{minute:02}"), Side::Next, now, &zone).unwrap();
        prop_assert!(at > now);
        let shows = |n: i64| zone.to_local(now + TimeDelta::minutes(n)).time();
        let walked = (1..=1440 * 2).find(|n| {
            let (before, here) = (shows(n - 1), shows(*n));
            // It shows it, or has just jumped over it.
            here == clock || (before < clock && clock < here && here.signed_duration_since(before) > TimeDelta::minutes(1))
        });
        prop_assert_eq!(at, now + TimeDelta::minutes(walked.unwrap()));
    }

    #[test]
    fn all_forms_of_one_time_are_the_same_time(zone in zones(), now in times(), hour in 0_u32..24, minute in 0_u32..60) {
        let (half, h) = if hour < 12 { ("am", hour) } else { ("pm", hour - 12) };
        let twelve = format!("{}:{minute:02} {half}", if h == 0 { 12 } else { h });
        let plain = format!("{hour:02}:{minute:02}");
        for side in [Side::Next, Side::Last] {
            prop_assert_eq!(parse_time(&twelve, side, now, &zone), parse_time(&plain, side, now, &zone));
        }
        let tomorrow = zone.to_local(now).date().succ_opt().unwrap();
        let dated = parse_time(&format!("{tomorrow} {plain}"), Side::Next, now, &zone);
        prop_assert_eq!(parse_time(&format!("tomorrow {plain}"), Side::Next, now, &zone), dated.clone());
        let at = dated.unwrap();
        let shown = zone.to_local(at).time();
        prop_assert!(shown.minute() == minute && shown.hour() == hour || zone.resolve(tomorrow.and_hms_opt(hour, minute, 0).unwrap()).1 == crate::clock::LocalKind::Gap);
    }

    #[test]
    fn nothing_typed_panics(text in "\\PC{0,24}", now in times(), zone in zones()) {
        let _ = parse_time(&text, Side::Next, now, &zone);
        let _ = parse_time(&text, Side::Last, now, &zone);
        let _ = parse_span(&text);
    }
}
