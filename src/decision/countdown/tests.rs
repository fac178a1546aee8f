//! The countdown on a clock of numbers.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const NOTICE: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

fn due(name: &str) -> Seen {
    Seen { due: Some((id(name), Duration::MAX)), attended: true, notice: NOTICE }
}

fn nothing() -> Seen {
    Seen { due: None, ..due("BP00001") }
}

fn alone(name: &str) -> Seen {
    Seen { attended: false, ..due(name) }
}

#[test]
fn users_are_told_at_the_start_and_in_the_last_minute_and_each_once() {
    let mut countdown = Countdown::default();
    let mut told = Vec::new();
    let mut started = None;
    for second in 1000..2000 {
        let act = countdown.step(at(second), &due("BP00001"));
        told.extend(act.tell.map(|(_, left)| (second - 1000, left.as_secs())));
        if act.start.is_some() {
            started = Some(second - 1000);
            break;
        }
        let announced = countdown.announced(at(second), Wall::UNIX_EPOCH).unwrap();
        assert_eq!(announced.request, id("BP00001"));
        assert_eq!(announced.ends.timestamp(), 300 - (i64::try_from(second).unwrap() - 1000));
    }
    assert_eq!(told, [(0, 300), (240, 60)]);
    assert_eq!(started, Some(300));
}

#[test]
fn nobody_logged_on_means_no_countdown() {
    let mut countdown = Countdown::default();
    let act = countdown.step(at(5), &alone("BP00001"));
    assert_eq!(act, Act { start: Some(id("BP00001")), ..Act::default() });
    assert_eq!(countdown.announced(at(5), Wall::UNIX_EPOCH), None);
}

#[test]
fn a_user_who_logs_off_meanwhile_does_not_shorten_it() {
    let mut countdown = Countdown::default();
    assert!(countdown.step(at(0), &due("BP00001")).start.is_none());
    for second in 1..300 {
        let act = countdown.step(at(second), &alone("BP00001"));
        assert_eq!(act, Act::default(), "nobody is there to be told either");
    }
    assert!(countdown.step(at(300), &alone("BP00001")).start.is_some());
}

#[test]
fn what_is_deferred_stopped_or_withdrawn_meanwhile_is_given_up_and_counts_anew_in_full() {
    let mut countdown = Countdown::default();
    assert!(countdown.step(at(0), &due("BP00001")).tell.is_some());
    assert_eq!(countdown.step(at(299), &nothing()).given_up, Some(id("BP00001")));
    assert_eq!(countdown.step(at(300), &nothing()), Act::default(), "said once");
    assert_eq!(countdown.step(at(301), &due("BP00001")).tell, Some((id("BP00001"), NOTICE)));
    assert_eq!(countdown.step(at(600), &due("BP00001")).start, None);
    assert_eq!(countdown.step(at(601), &due("BP00001")).start, Some(id("BP00001")));
}

#[test]
fn what_has_to_run_before_it_takes_its_place_with_a_countdown_of_its_own() {
    let mut countdown = Countdown::default();
    let _ = countdown.step(at(0), &due("BP00002"));
    let act = countdown.step(at(200), &due("BP00001"));
    assert_eq!((act.given_up, act.tell), (Some(id("BP00002")), Some((id("BP00001"), NOTICE))));
    assert_eq!(countdown.step(at(300), &due("BP00001")).start, None);
}

#[test]
fn what_may_start_goes_on_to_until_it_was_launched() {
    let mut countdown = Countdown::default();
    let _ = countdown.step(at(0), &due("BP00001"));
    for second in 300..310 {
        let act = countdown.step(at(second), &due("BP00001"));
        assert_eq!(act, Act { start: Some(id("BP00001")), ..Act::default() });
    }
    countdown.launched();
    assert_eq!(countdown.step(at(311), &nothing()), Act::default());
    assert_eq!(countdown.step(at(312), &due("BP00001")).tell, Some((id("BP00001"), NOTICE)));
}

#[test]
fn what_could_not_be_launched_for_long_is_announced_anew() {
    let mut countdown = Countdown::default();
    let _ = countdown.step(at(0), &alone("BP00001"));
    assert!(countdown.step(at(120), &due("BP00001")).start.is_some());
    let act = countdown.step(at(121), &due("BP00001"));
    assert_eq!((act.start, act.tell), (None, Some((id("BP00001"), NOTICE))));
}

#[test]
fn after_a_jump_of_the_clock_nothing_starts_before_a_full_countdown_even_where_nobody_is_logged_on() {
    let mut countdown = Countdown::default();
    let _ = countdown.step(at(0), &due("BP00001"));
    countdown.clock_jumped(at(299), NOTICE);
    for second in 299..599 {
        let act = countdown.step(at(second), &alone("BP00001"));
        assert_eq!(act, Act::default(), "second {second}");
        assert!(countdown.announced(at(second), Wall::UNIX_EPOCH).is_some(), "it is shown");
    }
    assert!(countdown.step(at(599), &alone("BP00001")).start.is_some());
    // What becomes due later starts as always.
    countdown.launched();
    assert!(countdown.step(at(600), &alone("BP00002")).start.is_some());
}

#[test]
fn a_jump_is_longer_than_the_room_a_window_leaves() {
    let mut countdown = Countdown::default();
    countdown.clock_jumped(at(0), NOTICE);
    let seen = Seen { due: Some((id("BP00001"), secs(10))), ..due("BP00001") };
    assert_eq!(countdown.step(at(0), &seen).tell, Some((id("BP00001"), NOTICE)));
}

#[test]
fn a_gate_that_closes_soon_shortens_the_notice_so_that_it_can_run_at_all() {
    let mut countdown = Countdown::default();
    let seen = |room| Seen { due: Some((id("BP00001"), secs(room))), ..due("BP00001") };
    assert_eq!(countdown.step(at(0), &seen(100)).tell, Some((id("BP00001"), secs(100))));
    assert_eq!(countdown.step(at(40), &seen(60)).tell, Some((id("BP00001"), secs(60))));
    assert!(countdown.step(at(100), &seen(0)).start.is_some());
    countdown.launched();
    let act = countdown.step(at(200), &seen(0));
    assert_eq!((act.tell, act.start), (Some((id("BP00001"), secs(0))), Some(id("BP00001"))));
}

#[test]
fn a_short_countdown_tells_once() {
    let mut countdown = Countdown::default();
    let seen = Seen { notice: secs(60), ..due("BP00001") };
    let told = (0..=60).filter(|s| countdown.step(at(*s), &seen).tell.is_some()).count();
    assert_eq!(told, 1);
}

#[test]
fn it_wakes_for_the_last_notice_and_for_the_end() {
    let mut countdown = Countdown::default();
    assert_eq!(countdown.wake(at(0)), None);
    let _ = countdown.step(at(0), &due("BP00001"));
    assert_eq!(countdown.wake(at(0)), Some(secs(240)));
    let _ = countdown.step(at(240), &due("BP00001"));
    assert_eq!(countdown.wake(at(250)), Some(secs(50)));
    assert_eq!(countdown.wake(at(300)), None, "it waits for its launch, not for the clock");
}

proptest! {
    /// Whatever happens in whatever order: nothing that somebody may have to be told of starts before it was due and
    /// announced without a break for its full time, nothing starts within a full time after a jump, and nobody is told
    /// more than twice of one countdown.
    #[test]
    fn nothing_starts_without_its_full_notice(
        steps in proptest::collection::vec((0u64..90, 0u8..12, any::<bool>()), 1..200)
    ) {
        let mut countdown = Countdown::default();
        let (mut now, mut unbroken, mut jumped): (u64, Option<(RequestId, u64, bool)>, Option<u64>) = (0, None, None);
        let mut told = 0;
        for (passed, what, attended) in steps {
            now += passed;
            if what == 11 {
                countdown.clock_jumped(at(now), NOTICE);
                (jumped, unbroken, told) = (Some(now), None, 0);
                continue;
            }
            let request = match what { 0..=6 => Some(id("BP00001")), 7..=8 => Some(id("BP00002")), _ => None };
            let seen = Seen { due: request.map(|r| (r, Duration::MAX)), attended, notice: NOTICE };
            let act = countdown.step(at(now), &seen);
            if unbroken.map(|(r, ..)| r) != request {
                unbroken = request.map(|r| (r, now, attended));
                told = 0;
            }
            told += u8::from(act.tell.is_some());
            prop_assert!(told <= 2);
            if let Some(started) = act.start {
                let (request, since, attended) = unbroken.unwrap();
                prop_assert_eq!(started, request);
                prop_assert!(!attended || now - since >= 300);
                prop_assert!(jumped.is_none_or(|j| now - j >= 300));
                countdown.launched();
                unbroken = None;
            }
        }
    }
}
