#![allow(clippy::unwrap_used)]
//! Local times over real clock changes: the system's own zone files, and the same rules as POSIX strings.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Wall {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
}

/// A zone of the system's data; says so where there is none.
fn system(name: &str) -> Option<Zone> {
    match std::fs::read(format!("/usr/share/zoneinfo/{name}")) {
        Ok(bytes) => Some(Zone::from_tzif(name, &bytes).unwrap()),
        Err(e) => {
            crate::skipped(format_args!("no zone data for {name}: {e}"));
            None
        }
    }
}

/// The zone from both sources.
fn zones(name: &str, posix: &str) -> Vec<Zone> {
    system(name).into_iter().chain([Zone::from_posix(name, posix).unwrap()]).collect()
}

fn check(zones: &[Zone], written: &str, instant: &str, kind: LocalKind) {
    for zone in zones {
        assert_eq!(zone.resolve(local(written)), (at(instant), kind), "{written} in {}", zone.name());
    }
}

#[test]
fn london_skips_an_hour_in_march_and_repeats_one_in_october() {
    let z = zones("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0");
    check(&z, "2026-03-29 00:59:59", "2026-03-29T00:59:59Z", LocalKind::Plain);
    check(&z, "2026-03-29 01:00:00", "2026-03-29T01:00:00Z", LocalKind::Gap);
    check(&z, "2026-03-29 01:30:00", "2026-03-29T01:00:00Z", LocalKind::Gap);
    check(&z, "2026-03-29 02:00:00", "2026-03-29T01:00:00Z", LocalKind::Plain);
    check(&z, "2026-10-25 00:59:59", "2026-10-24T23:59:59Z", LocalKind::Plain);
    check(&z, "2026-10-25 01:00:00", "2026-10-25T00:00:00Z", LocalKind::Fold);
    check(&z, "2026-10-25 01:59:59", "2026-10-25T00:59:59Z", LocalKind::Fold);
    check(&z, "2026-10-25 02:00:00", "2026-10-25T02:00:00Z", LocalKind::Plain);
}

#[test]
fn new_york_both_ways() {
    let z = zones("America/New_York", "EST5EDT,M3.2.0,M11.1.0");
    check(&z, "2026-03-08 02:30:00", "2026-03-08T07:00:00Z", LocalKind::Gap);
    check(&z, "2026-03-08 03:00:00", "2026-03-08T07:00:00Z", LocalKind::Plain);
    check(&z, "2026-11-01 01:30:00", "2026-11-01T05:30:00Z", LocalKind::Fold);
    check(&z, "2026-11-01 02:00:00", "2026-11-01T07:00:00Z", LocalKind::Plain);
}

#[test]
fn lord_howe_moves_by_half_an_hour_both_ways() {
    let z = zones("Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
    check(&z, "2026-10-04 02:00:00", "2026-10-03T15:30:00Z", LocalKind::Gap);
    check(&z, "2026-10-04 02:29:59", "2026-10-03T15:30:00Z", LocalKind::Gap);
    check(&z, "2026-10-04 02:30:00", "2026-10-03T15:30:00Z", LocalKind::Plain);
    check(&z, "2026-04-05 01:45:00", "2026-04-04T14:45:00Z", LocalKind::Fold);
    check(&z, "2026-04-05 01:29:59", "2026-04-04T14:29:59Z", LocalKind::Plain);
    check(&z, "2026-04-05 02:00:00", "2026-04-04T15:30:00Z", LocalKind::Plain);
}

#[test]
fn troll_moves_by_two_hours() {
    let z = zones("Antarctica/Troll", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3");
    check(&z, "2026-03-29 02:59:59", "2026-03-29T01:00:00Z", LocalKind::Gap);
    check(&z, "2026-03-29 03:00:00", "2026-03-29T01:00:00Z", LocalKind::Plain);
    check(&z, "2026-10-25 01:00:00", "2026-10-24T23:00:00Z", LocalKind::Fold);
    check(&z, "2026-10-25 02:59:59", "2026-10-25T00:59:59Z", LocalKind::Fold);
}

#[test]
fn midnights_that_a_clock_change_skips_mean_the_first_instant_of_that_day() {
    if let Some(z) = system("America/Sao_Paulo") {
        check(&[z], "2018-11-04 00:00:00", "2018-11-04T03:00:00Z", LocalKind::Gap);
    }
    let beirut = zones("Asia/Beirut", "EET-2EEST,M3.5.0/0,M10.5.0/0");
    check(&beirut, "2026-03-29 00:00:00", "2026-03-28T22:00:00Z", LocalKind::Gap);
    check(&beirut, "2026-10-24 23:30:00", "2026-10-24T20:30:00Z", LocalKind::Fold);
    let cairo = zones("Africa/Cairo", "EET-2EEST,M4.5.5/0,M10.5.4/24");
    check(&cairo, "2026-04-24 00:00:00", "2026-04-23T22:00:00Z", LocalKind::Gap);
    check(&cairo, "2026-10-29 23:15:00", "2026-10-29T20:15:00Z", LocalKind::Fold);
    let santiago = zones("America/Santiago", "<-04>4<-03>,M9.1.6/24,M4.1.6/24");
    check(&santiago, "2026-09-06 00:00:00", "2026-09-06T04:00:00Z", LocalKind::Gap);
    check(&santiago, "2026-09-06 01:00:00", "2026-09-06T04:00:00Z", LocalKind::Plain);
}

#[test]
fn a_whole_day_that_apia_never_had_means_the_start_of_the_next() {
    if let Some(z) = system("Pacific/Apia") {
        let z = [z];
        check(&z, "2011-12-29 23:59:59", "2011-12-30T09:59:59Z", LocalKind::Plain);
        check(&z, "2011-12-30 00:00:00", "2011-12-30T10:00:00Z", LocalKind::Gap);
        check(&z, "2011-12-30 23:59:59", "2011-12-30T10:00:00Z", LocalKind::Gap);
        check(&z, "2011-12-31 00:00:00", "2011-12-30T10:00:00Z", LocalKind::Plain);
    }
}

/// What a clock of the zone shows means the instant at which it shows it, or the first one at which it does: at each
/// clock change of this and the last century, a second before and after it, and anywhere.
fn what_is_shown_means_its_instant(zone: &Zone, anywhere: impl IntoIterator<Item = i64>) {
    let (begin, end) = (at("1900-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z"));
    let changes =
        zone.rules.following(within(begin.timestamp())).map(|change| change.timestamp().as_second());
    let near = changes.take_while(|at| *at < end.timestamp()).flat_map(|at| [at - 1, at, at + 1]);
    for seconds in near.chain(anywhere) {
        let shown_at = DateTime::from_timestamp(seconds, 0).unwrap();
        let by_rule = zone.rules.to_offset(within(seconds)).seconds();
        assert_eq!(zone.offset_at(shown_at), by_rule, "{} at {shown_at}", zone.name());
        let shown = zone.to_local(shown_at);
        let (resolved, kind) = zone.resolve(shown);
        match kind {
            LocalKind::Plain => assert_eq!(resolved, shown_at, "{} at {shown}", zone.name()),
            LocalKind::Fold => {
                assert!(resolved <= shown_at, "{} at {shown}: {resolved} is not the first", zone.name());
                assert_eq!(zone.to_local(resolved), shown, "{}", zone.name());
            }
            LocalKind::Gap => panic!("{} at {shown}: a clock does show it", zone.name()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Two changes a year, some days from each other and from New Year, as every zone has them.
    #[test]
    fn what_a_clock_shows_means_its_instant_whatever_the_rules(
        standard in -12i32..12,
        (start, end) in ((1u32..=11, 2u32..=5, 0u32..7, -30i32..60), (2u32..=12, 2u32..=3, 0u32..7, -30i32..60)),
        days in proptest::option::of((4u32..=180, 186u32..=360, any::<bool>())),
        anywhere in proptest::collection::vec(-5_000_000_000i64..8_000_000_000, 50),
    ) {
        prop_assume!(start.0 != end.0);
        let week = |(month, week, day, hour)| format!("M{month}.{week}.{day}/{hour}");
        let (start, end) = match days {
            None => (week(start), week(end)),
            Some((one, other, true)) => (format!("{one}"), format!("J{other}")),
            Some((one, other, false)) => (format!("J{other}"), format!("{one}")),
        };
        let zone = Zone::from_posix("Z", &format!("AAA{standard}BBB,{start},{end}")).unwrap();
        what_is_shown_means_its_instant(&zone, anywhere);
    }
}

#[test]
fn every_zone_of_the_system_is_read() {
    let mut read = 0;
    for name in
        ["Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Pacific", "Etc"]
    {
        let folder = walkdir::WalkDir::new(format!("/usr/share/zoneinfo/{name}"));
        for entry in folder.into_iter().flatten().filter(|e| e.file_type().is_file()) {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.starts_with(b"TZif") {
                let zone = Zone::from_tzif(&entry.path().to_string_lossy(), &bytes).unwrap();
                // Far beyond the last transition written in the file.
                let far = at("2400-07-01T00:00:00Z");
                assert_eq!(zone.resolve(zone.to_local(far)).0, far, "{}", zone.name());
                what_is_shown_means_its_instant(&zone, (-60..240).map(|n| n * 20_000_003));
                read += 1;
            }
        }
    }
    if read == 0 {
        crate::skipped("no zone data");
    }
}

#[test]
fn zone_data_that_counts_leap_seconds_is_refused_and_not_half_a_minute_off() {
    let Ok(bytes) = std::fs::read("/usr/share/zoneinfo/right/Europe/London") else {
        crate::skipped("no zone data with leap seconds");
        return;
    };
    let refused = Zone::from_tzif("right/Europe/London", &bytes).unwrap_err().to_string();
    assert!(refused.contains("leap seconds"), "{refused}");
}

#[test]
fn damaged_data_and_rules_are_errors_that_name_the_zone() {
    for bad in [&b""[..], b"TZif", b"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"not a zone"] {
        assert!(matches!(Zone::from_tzif("X/Y", bad), Err(ZoneError::Damaged(name, _)) if name == "X/Y"));
    }
    for bad in [
        "",
        "localtime",
        "Europe/London",
        ":Europe/London",
        "/etc/localtime",
        "CET",
        "CET-1CEST,M13.1.0,M1.1.0",
    ] {
        assert!(Zone::from_posix("TZ", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_time_with_a_zone_is_one_instant_everywhere_and_one_without_is_the_wall_clocks() {
    let paris = Zone::from_posix("Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let instant = at("2026-11-22T22:00:00Z");
    assert_eq!(When::Instant(instant).resolve(&paris), instant);
    assert_eq!(When::Local(local("2026-11-22 22:00:00")).resolve(&paris), at("2026-11-22T21:00:00Z"));
    assert_eq!(When::Local(local("2026-11-22 22:00:00")).resolve(&Zone::utc()), instant);
}

/// What the rule says, by looking at every second's offset around it.
fn naive(zone: &Zone, wanted: NaiveDateTime) -> (Wall, LocalKind) {
    let middle = wanted.and_utc();
    let mut first = None;
    let mut hits = 0;
    let mut after = None;
    for minutes in -30 * 60..=30 * 60 {
        let t = middle + TimeDelta::minutes(minutes);
        let shown = zone.to_local(t);
        if shown == wanted {
            first.get_or_insert(t);
            hits += 1;
        }
        if shown > wanted {
            after.get_or_insert(t);
        }
    }
    match (first, hits) {
        (Some(t), 1) => (t, LocalKind::Plain),
        (Some(t), _) => (t, LocalKind::Fold),
        (None, _) => (after.unwrap(), LocalKind::Gap),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whole minutes near clock changes of either direction, against a search minute by minute.
    #[test]
    fn resolving_agrees_with_a_search_of_every_minute(which in 0usize..8, year in 2020i32..2045, change in 0usize..4, minute in -300i64..300) {
        let posix = [
            "GMT0BST,M3.5.0/1,M10.5.0", "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", "EET-2EEST,M3.5.0/0,M10.5.0/0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
            "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", "IST-1GMT0,M10.5.0,M3.5.0/1",
        ][which];
        let zone = Zone::from_posix("Z", posix).unwrap();
        // Find the year's changes by day, then look around one of them.
        let start = chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
        let days: Vec<_> = (0..365).map(|d| start + TimeDelta::days(d))
            .filter(|t| zone.offset_at(*t) != zone.offset_at(*t + TimeDelta::days(1))).collect();
        let day = days[change % days.len()];
        let wanted = zone.to_local(day + TimeDelta::hours(12)) + TimeDelta::minutes(minute * 3);
        prop_assert_eq!(zone.resolve(wanted), naive(&zone, wanted));
    }

    /// Also at the ends of the calendar.
    #[test]
    fn any_local_time_has_an_instant(seconds in any::<i64>()) {
        for posix in ["GMT0BST,M3.5.0/1,M10.5.0", "<+14>-14", "<-12>12"] {
            let zone = Zone::from_posix("Z", posix).unwrap();
            let any = DateTime::from_timestamp(seconds % 8_210_000_000_000, 0).unwrap();
            for t in [any, Wall::MIN_UTC, Wall::MAX_UTC] {
                let (resolved, _) = zone.resolve(t.naive_utc());
                let away = resolved.signed_duration_since(t).num_hours().abs();
                prop_assert!(away <= 14, "{} h", away);
                let _ = zone.to_local(t);
            }
        }
    }
}
