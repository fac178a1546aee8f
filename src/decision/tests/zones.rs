//! The twelve awkward clock changes, through the whole core: a mandatory time, an expiry and a window written in local
//! time over each of them.

use super::super::simulate::{Assumptions, simulate};
use super::scene::*;
use crate::clock::{Wall, Zone};
use crate::terms::*;
use chrono::TimeDelta;

/// One clock change.
struct Case {
    /// Of the system's zone data.
    name: &'static str,
    /// The rule of these years; empty where a change came once ([`ONCE`]).
    posix: &'static str,
    /// A local time that the change skips or repeats.
    written: &'static str,
    /// The instant it means (FORMATS.md 3).
    means: &'static str,
    /// A weekly window over the change, when it opens and how long it is by the clock on the wall and really.
    window: (&'static str, &'static str, u64, u64),
}

const LONDON: &str = "GMT0BST,M3.5.0/1,M10.5.0";
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

/// Minutes; the windows are all but one around the change.
#[rustfmt::skip]
const CASES: [Case; 12] = [
    Case { name: "Europe/London", posix: LONDON, written: "2026-03-29T01:30:00", means: "2026-03-29T01:00:00Z",
        window: ("Sun 00:00-04:00", "2026-03-29T00:00:00Z", 240, 180) },
    Case { name: "Europe/London", posix: LONDON, written: "2026-10-25T01:30:00", means: "2026-10-25T00:30:00Z",
        window: ("Sun 00:00-04:00", "2026-10-24T23:00:00Z", 240, 300) },
    Case { name: "America/New_York", posix: NEW_YORK, written: "2026-03-08T02:30:00", means: "2026-03-08T07:00:00Z",
        window: ("Sun 01:00-05:00", "2026-03-08T06:00:00Z", 240, 180) },
    Case { name: "America/New_York", posix: NEW_YORK, written: "2026-11-01T01:30:00", means: "2026-11-01T05:30:00Z",
        window: ("Sun 00:00-04:00", "2026-11-01T04:00:00Z", 240, 300) },
    Case { name: "Australia/Lord_Howe", posix: LORD_HOWE, written: "2026-10-04T02:15:00", means: "2026-10-03T15:30:00Z",
        window: ("Sun 01:00-05:00", "2026-10-03T14:30:00Z", 240, 210) },
    Case { name: "Australia/Lord_Howe", posix: LORD_HOWE, written: "2026-04-05T01:45:00", means: "2026-04-04T14:45:00Z",
        window: ("Sun 01:00-05:00", "2026-04-04T14:00:00Z", 240, 270) },
    Case { name: "America/Sao_Paulo", posix: "", written: "2018-11-04T00:00:00", means: "2018-11-04T03:00:00Z",
        window: ("Sat 22:00-02:00", "2018-11-04T01:00:00Z", 240, 180) },
    // Friday the 30th never was: what is left of a window into it ends with Thursday.
    Case { name: "Pacific/Apia", posix: "", written: "2011-12-30T12:00:00", means: "2011-12-30T10:00:00Z",
        window: ("Thu 22:00-02:00", "2011-12-30T08:00:00Z", 240, 120) },
    Case { name: "Asia/Beirut", posix: "EET-2EEST,M3.5.0/0,M10.5.0/0", written: "2026-03-29T00:00:00",
        means: "2026-03-28T22:00:00Z", window: ("Sat 22:00-02:00", "2026-03-28T20:00:00Z", 240, 180) },
    Case { name: "Africa/Cairo", posix: "EET-2EEST,M4.5.5/0,M10.5.4/24", written: "2026-04-24T00:00:00",
        means: "2026-04-23T22:00:00Z", window: ("Thu 22:00-02:00", "2026-04-23T20:00:00Z", 240, 180) },
    Case { name: "America/Santiago", posix: "<-04>4<-03>,M9.1.6/24,M4.1.6/24", written: "2026-09-06T00:00:00",
        means: "2026-09-06T04:00:00Z", window: ("Sat 22:00-02:00", "2026-09-06T02:00:00Z", 240, 180) },
    Case { name: "Antarctica/Troll", posix: "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", written: "2026-03-29T02:00:00",
        means: "2026-03-29T01:00:00Z", window: ("Sun 00:00-04:00", "2026-03-29T00:00:00Z", 240, 120) },
];

/// Changes that follow no rule: when, and the hours east of UTC before and after.
const ONCE: [(&str, &str, i32, i32); 2] = [
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z", -3, -2),
    ("Pacific/Apia", "2011-12-30T10:00:00Z", -10, 14),
];

/// Zone data (RFC 8536, version 1) with one change, which is in force for ever after.
fn zone_data(at: Wall, before: i32, after: i32) -> Vec<u8> {
    let mut data = b"TZif".to_vec();
    data.extend([0; 16]);
    // Nothing standard or universal, no leap seconds; two times, two types, the letters of their name.
    data.extend([0, 0, 0, 2, 2, 4].iter().flat_map(|count: &i32| count.to_be_bytes()));
    let at = i32::try_from(at.timestamp()).unwrap();
    data.extend([at, i32::MAX].iter().flat_map(|time| time.to_be_bytes()));
    data.extend([1, 1]);
    for hours in [before, after] {
        data.extend((hours * 3600).to_be_bytes());
        data.extend([0, 0]);
    }
    data.extend(b"ZZZ\0");
    data
}

/// The zone from its rule or its one change, and from the system's data where that is there.
fn zones(case: &Case) -> Vec<Zone> {
    let own = match ONCE.iter().find(|(name, ..)| *name == case.name) {
        Some((name, at_text, before, after)) => {
            Zone::from_tzif(name, &zone_data(at(at_text), *before, *after)).unwrap()
        }
        None => Zone::from_posix(case.name, case.posix).unwrap(),
    };
    let system = match std::fs::read(format!("/usr/share/zoneinfo/{}", case.name)) {
        Ok(bytes) => Some(Zone::from_tzif(case.name, &bytes).unwrap()),
        Err(e) => {
            crate::skipped(format_args!("no zone data of {}: {e}", case.name));
            None
        }
    };
    std::iter::once(own).chain(system).collect()
}

/// A scene in that zone whose request was offered and mandatory long before, at an instant.
fn scene(zone: &Zone, now: Wall) -> Scene {
    let mut scene = Scene::due();
    scene.zone = zone.clone();
    scene.policy.window_zone = Ok(zone.clone());
    scene.request().offer_after = local("2011-01-01T00:00:00");
    scene.request().mandatory_after = Some(local("2011-01-01T00:00:01"));
    scene.facts.host.started = Some(at("2010-12-01T00:00:00Z"));
    scene.instructions.share_seen = Some(now);
    scene.now = now;
    scene
}

fn each(mut check: impl FnMut(&Case, &Zone)) {
    let mut checked = 0;
    for case in &CASES {
        for zone in zones(case) {
            check(case, &zone);
            checked += 1;
        }
    }
    assert!(checked >= CASES.len(), "all twelve, also without the system's data");
}

#[test]
fn a_mandatory_time_in_a_gap_or_fold_is_due_at_its_instant_and_not_a_second_before() {
    each(|case, zone| {
        let means = at(case.means);
        let decided = |now: Wall| {
            let mut scene = scene(zone, now);
            scene.request().mandatory_after = Some(local(case.written));
            scene.decision()
        };
        assert_eq!(decided(means).state, State::Due, "{} in {}", case.written, case.name);
        let before = decided(means - TimeDelta::seconds(1));
        assert_eq!((before.state, before.next_run), (State::Offered, Some(means)), "{}", case.name);
    });
}

#[test]
fn an_expiry_in_a_gap_or_fold_closes_at_its_instant_and_not_a_second_before() {
    each(|case, zone| {
        let means = at(case.means);
        let state = |now: Wall| {
            let mut scene = scene(zone, now);
            scene.request().expire_after = Some(local(case.written));
            scene.decision().state
        };
        assert_eq!(state(means - TimeDelta::seconds(1)), State::Due, "{} in {}", case.written, case.name);
        assert_eq!(state(means), State::Expired, "{} in {}", case.written, case.name);
    });
}

#[test]
fn a_window_over_the_change_is_as_long_as_that_night_and_a_run_must_fit_into_what_is_left() {
    each(|case, zone| {
        let (window, opens, usual, really) = case.window;
        let opens = at(opens);
        let run = |need: u64, now: Wall| {
            let mut scene = scene(zone, now);
            scene.windows(&[window]);
            scene.request().max_run_time = minutes(need);
            scene.decision()
        };
        let early = opens - TimeDelta::seconds(1);
        assert_eq!(run(1, early).next_run, Some(opens), "{window} in {}", case.name);
        assert_eq!(run(1, early).blocked_by(), [Code::WindowClosed], "{}", case.name);
        // Exactly as long as the night is: it fits at the opening, and a second later it does not.
        assert_eq!(run(really, opens).state, State::Due, "{really} minutes in {}", case.name);
        let late = run(really, opens + TimeDelta::seconds(1));
        assert_eq!(late.state, State::Waiting, "{}", case.name);
        let end = opens + TimeDelta::minutes(i64::try_from(really).unwrap());
        assert_eq!(run(1, end - TimeDelta::minutes(1)).state, State::Due, "the last minute in {}", case.name);
        assert_eq!(run(1, end).state, State::Waiting, "{}", case.name);
        if really < usual {
            // What fits every other week waits for the next one.
            let longer = run(usual, opens);
            assert_eq!(longer.blocked_by(), [Code::WindowTooShort], "{}", case.name);
            assert!(longer.next_run.is_some_and(|t| t > end), "{}", case.name);
        }
        // What fits in no week at all is told so, once and for all.
        let never = run(24 * 60, opens);
        assert_eq!(never.blocked_by(), [Code::WindowNeverFits], "{}", case.name);
        assert!(never.never && never.next_run.is_none(), "{}", case.name);
    });
}

#[test]
fn the_virtual_clock_goes_over_every_change_as_the_core_does() {
    each(|case, zone| {
        let means = at(case.means);
        let from = means - TimeDelta::days(2);
        let mut scene = scene(zone, from);
        scene.request().mandatory_after = Some(local(case.written));
        let course = simulate(&scene.inputs(), from, means + TimeDelta::days(1), &Assumptions::default());
        assert_eq!(course.timelines[0].at, Some(means), "{} in {}", case.written, case.name);
    });
}

#[test]
fn windows_in_a_zone_of_their_own_do_not_follow_the_machines() {
    let tokyo = Zone::from_posix("Asia/Tokyo", "JST-9").unwrap();
    let mut scene = Scene::due();
    scene.windows(&["Mon 03:00-05:00"]);
    scene.policy.window_zone = Ok(tokyo);
    // Monday 03:00 in Tokyo is Sunday 18:00 UTC.
    assert_eq!(scene.decision().next_run, Some(at("2026-11-22T18:00:00Z")));
    let evidence = scene.decision().gates.into_iter().find(|g| g.gate == Gate::Window).unwrap().evidence;
    assert!(evidence.as_str().ends_with("opens Mon 2026-11-23 03:00 +09:00"), "{evidence}");
}

#[test]
fn a_window_over_the_end_of_the_week_touches_the_first_of_the_next() {
    let mut scene = Scene::due();
    scene.windows(&["Sun 23:00-24:00", "Mon 00:00-01:00"]);
    scene.request().max_run_time = minutes(120);
    let monday = at("2026-11-23T00:00:00Z");
    assert_eq!(scene.decision().next_run, Some(monday - TimeDelta::hours(1)));
    scene.request().max_run_time = minutes(121);
    assert_eq!(scene.decision().blocked_by(), [Code::WindowNeverFits]);
}

#[test]
fn what_is_exactly_as_long_as_the_window_still_fits_a_moment_after_it_opens() {
    let mut scene = Scene::due().with(|s| s.windows(&["Sun 12:00-12:30"]));
    let at = |millis| scene.now + TimeDelta::milliseconds(millis);
    let (moment, second) = (at(999), at(1000));
    scene.now = moment;
    let decision = scene.decision();
    assert_eq!(decision.state, State::Due, "{}", decision.why);
    scene.now = second;
    assert_eq!(scene.decision().blocked_by(), [Code::WindowTooShort]);
}
