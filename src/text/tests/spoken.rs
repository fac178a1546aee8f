use crate::clock::{Wall, Zone};
use crate::text::{bytes, duration, parse_duration, stamp, time, time_of_day};
use proptest::prelude::*;
use std::time::Duration;

fn at(text: &str) -> Wall {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

#[test]
fn durations_are_told_in_their_two_largest_units() {
    for (seconds, want) in [
        (0, "0s"),
        (41, "41s"),
        (60, "1m"),
        (192, "3m12s"),
        (182, "3m02s"),
        (480, "8m"),
        (7200, "2h"),
        (7259, "2h"),
        (7500, "2h 5m"),
        (86_400, "1d"),
        (273_600, "3d 4h"),
        (273_659, "3d 4h"),
    ] {
        assert_eq!(duration(Duration::from_secs(seconds)), want);
    }
    assert_eq!(duration(Duration::from_millis(999)), "0s");
    let _ = duration(Duration::MAX);
}

#[test]
fn instants_are_told_by_their_distance_from_now() {
    let now = at("2026-11-24T14:00:00Z");
    let utc = |_| 0;
    assert_eq!(time(at("2026-11-24T14:01:59Z"), now, utc), "14:01");
    assert_eq!(time(at("2026-11-24T00:00:00Z"), now, utc), "00:00");
    assert_eq!(time(at("2026-11-25T02:00:00Z"), now, utc), "Wed 02:00");
    assert_eq!(time(at("2026-11-22T22:00:00Z"), now, utc), "Sun 22:00");
    assert_eq!(time(at("2026-11-30T22:00:00Z"), now, utc), "Mon 22:00");
    assert_eq!(
        time(at("2026-12-01T22:00:00Z"), now, utc),
        "2026-12-01 22:00",
        "a weekday would mean two days"
    );
    assert_eq!(time(at("2026-12-22T22:00:00Z"), now, utc), "2026-12-22 22:00");
    assert_eq!(time(at("0999-01-02T03:04:00Z"), now, utc), "0999-01-02 03:04");
    assert_eq!(time(at("2026-11-24T22:30:00Z"), now, |_| 7200), "Wed 00:30", "the day is the local one");
    assert_eq!(time_of_day(at("2026-11-24T22:30:05Z"), |_| -3600), "21:30:05");
    let _ = time(Wall::MAX_UTC, Wall::MIN_UTC, |_| i32::MAX);
    let _ = time(Wall::MIN_UTC, Wall::MAX_UTC, |_| i32::MIN);
}

#[test]
fn durations_are_read_with_one_number_and_one_unit() {
    assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("20m"), Ok(Duration::from_secs(1200)));
    assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
    assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
    assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
    for bad in [
        "",
        "s",
        "10",
        "1.5h",
        "-1h",
        "+1h",
        " 1h",
        "1h ",
        "1 h",
        "1H",
        "1w",
        "h1",
        "1h30m",
        "٣h",
        "1\u{301}h",
    ] {
        let said = parse_duration(bad).unwrap_err();
        assert!(said.contains("write a number"), "{said}");
    }
    for long in ["99999999999999999999s", "99999999999999999d", "36601d"] {
        assert!(parse_duration(long).unwrap_err().contains("longer than 100 years"));
    }
    assert!(!parse_duration("\x1b[2Jh").unwrap_err().contains('\x1b'));
}

proptest! {
    #![proptest_config(super::cases(500))]

    #[test]
    fn reading_a_duration_never_panics(text in ".{0,12}") {
        let _ = parse_duration(&text);
    }
}

#[test]
fn a_stamp_has_day_date_time_and_offset() {
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
