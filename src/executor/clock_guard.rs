//! Whether the wall clock can be believed (PROMISES.md 3): compared with the time since boot within one boot, with the
//! last recorded time across boots, and with the age of this program. Pure: time is an argument.

use crate::clock::{Monotonic, Wall};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::time::Duration;

/// A clock may go back this far without being suspected.
const TOLERANCE: TimeDelta = TimeDelta::minutes(10);
/// Further ahead than this in one leap is a jump, and no correction.
const JUMP: TimeDelta = TimeDelta::hours(24);
/// After this long of steady running it is believed again, if it is synchronised.
const STEADY: Duration = Duration::from_secs(3600);
/// Why steady running is not enough.
const UNSYNCHRONISED: &str = "it runs steadily now, and the system says that it is not synchronised";
/// This program was not built before: 2026-11-01 in seconds since 1970.
const BUILT: i64 = 1_793_491_200;

/// Watches the wall clock.
#[derive(Debug, Clone, Default)]
pub struct ClockGuard {
    /// The newest pair of readings.
    seen: Option<(Wall, Monotonic)>,
    /// When what is in force was published: it is not earlier.
    issued: Option<Wall>,
    suspect: Option<(SafeText, Monotonic)>,
    jumped: bool,
}

impl ClockGuard {
    /// Takes a pair of readings, and whether the system says that its clock is synchronised (None: it does not say).
    pub fn step(&mut self, wall: Wall, mono: Monotonic, synchronised: Option<bool>) {
        if let Some((old_wall, old_mono)) = self.seen {
            let passed = TimeDelta::from_std(mono.since(old_mono)).unwrap_or(TimeDelta::MAX);
            let back = old_wall.checked_add_signed(passed).map_or(TimeDelta::zero(), |wanted| wanted - wall);
            self.jumped |= -back > JUMP;
            if back > TOLERANCE {
                self.suspect(format!("the clock went back {} min", back.num_minutes()), mono);
            }
        }
        self.seen = Some((wall, mono));
        if wall.timestamp() < BUILT {
            self.suspect(format!("the clock says {}, before this pcm was built", wall.date_naive()), mono);
        } else if let Some(behind) = self.issued.map(|at| at - wall).filter(|behind| *behind > TOLERANCE) {
            let min = behind.num_minutes();
            self.suspect(
                format!("the clock is {min} min behind the time when what is in force was published"),
                mono,
            );
        } else if let Some((why, since)) = &self.suspect
            && mono.since(*since) >= STEADY
        {
            if synchronised == Some(false) {
                let since = *since;
                let first = why.as_str().split("; ").next().unwrap_or_default();
                self.suspect(format!("{first}; {UNSYNCHRONISED}"), since);
            } else {
                self.suspect = None;
            }
        }
    }

    /// Takes the last time that an executor recorded before it ended. A machine that was off for days looks no different
    /// from one whose clock is wrong by days.
    pub fn last_known(&mut self, last: Wall, now: Wall) {
        self.jumped |= now - last > JUMP;
        if last - now > TOLERANCE {
            let mono = self.seen.map_or(Monotonic::default(), |(_, mono)| mono);
            self.suspect(
                format!("the clock is {} min behind its last recorded time", (last - now).num_minutes()),
                mono,
            );
        }
    }

    /// What is in force was published then. It counts with the next readings.
    pub fn issued_at(&mut self, at: Wall) {
        self.issued = Some(at);
    }

    fn suspect(&mut self, why: String, mono: Monotonic) {
        self.suspect = Some((SafeText::new(&why), mono));
    }

    /// Whether the clock jumped forward by more than a day since this was last asked.
    pub fn take_jump(&mut self) -> bool {
        std::mem::take(&mut self.jumped)
    }

    /// Why it cannot be believed now.
    pub fn suspect_why(&self) -> Option<&SafeText> {
        self.suspect.as_ref().map(|(why, _)| why)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(minutes: i64) -> Wall {
        "2026-11-22T12:00:00Z".parse::<Wall>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn mono(minutes: u64) -> Monotonic {
        Monotonic(Duration::from_secs(minutes * 60))
    }

    fn step(guard: &mut ClockGuard, wall: Wall, mono: Monotonic) {
        guard.step(wall, mono, Some(true));
    }

    #[test]
    fn it_is_not_earlier_than_what_is_in_force_was_published() {
        let mut guard = ClockGuard::default();
        guard.issued_at(at(10));
        step(&mut guard, at(0), mono(0));
        assert!(guard.suspect_why().is_none(), "the publisher's clock may be a little ahead");
        guard.issued_at(at(90));
        step(&mut guard, at(1), mono(1));
        assert!(guard.suspect_why().unwrap().as_str().contains("89 min behind"));
        step(&mut guard, at(70), mono(70));
        assert!(guard.suspect_why().is_some(), "steady, and still behind");
        step(&mut guard, at(91), mono(91));
        step(&mut guard, at(160), mono(160));
        assert!(guard.suspect_why().is_none());
    }

    #[test]
    fn a_clock_that_is_not_synchronised_is_not_believed_again_however_steady_it_runs() {
        let mut guard = ClockGuard::default();
        guard.step(at(0), mono(0), Some(false));
        assert_eq!(guard.suspect_why(), None, "that alone is no reason to doubt it");
        guard.step(at(-60), mono(1), Some(false));
        for minute in 1..200 {
            guard.step(at(-60 + minute), mono(1 + u64::try_from(minute).unwrap()), Some(false));
        }
        let why = guard.suspect_why().unwrap().as_str();
        assert_eq!(why, format!("the clock went back 61 min; {UNSYNCHRONISED}"));
        let mut unsaid = guard.clone();
        unsaid.step(at(140), mono(201), None);
        assert_eq!(unsaid.suspect_why(), None, "where the system does not say, an hour is all there is");
        guard.step(at(140), mono(201), Some(true));
        assert_eq!(guard.suspect_why(), None);
    }

    #[test]
    fn a_steady_clock_is_believed_and_small_corrections_are_too() {
        let mut guard = ClockGuard::default();
        for minute in 0..1000 {
            let wobble = i64::from(minute % 7 == 0) * -9;
            step(&mut guard, at(i64::from(minute) + wobble), mono(minute.try_into().unwrap()));
            assert_eq!(guard.suspect_why(), None, "minute {minute}");
        }
    }

    #[test]
    fn a_clock_that_went_back_is_suspected_for_an_hour_of_steady_running() {
        let mut guard = ClockGuard::default();
        step(&mut guard, at(0), mono(0));
        step(&mut guard, at(-60), mono(1));
        assert!(guard.suspect_why().is_some());
        for minute in 1..60 {
            step(&mut guard, at(-60 + minute), mono(1 + u64::try_from(minute).unwrap()));
            assert!(guard.suspect_why().is_some(), "minute {minute}");
        }
        step(&mut guard, at(0), mono(61));
        assert_eq!(guard.suspect_why(), None);
    }

    #[test]
    fn a_clock_older_than_the_program_is_never_believed() {
        let mut guard = ClockGuard::default();
        for hour in 0..5 {
            step(
                &mut guard,
                "2001-01-01T00:00:00Z".parse::<Wall>().unwrap() + TimeDelta::hours(hour),
                mono(60 * hour as u64),
            );
            assert!(guard.suspect_why().is_some());
        }
    }

    #[test]
    fn a_clock_behind_the_last_recorded_time_is_suspected() {
        let mut guard = ClockGuard::default();
        step(&mut guard, at(0), mono(0));
        guard.last_known(at(9), at(0));
        assert_eq!(guard.suspect_why(), None);
        guard.last_known(at(11), at(0));
        assert!(guard.suspect_why().is_some());
    }

    #[test]
    fn only_a_leap_of_more_than_a_day_is_a_jump() {
        let day = 24 * 60;
        let mut guard = ClockGuard::default();
        step(&mut guard, at(0), mono(0));
        step(&mut guard, at(day), mono(0));
        step(&mut guard, at(3 * day), mono(2 * 24 * 60));
        assert!(!guard.take_jump(), "a day, and two days of sleep");
        step(&mut guard, at(4 * day + 1), mono(2 * 24 * 60));
        assert_eq!((guard.take_jump(), guard.take_jump()), (true, false));
        guard.last_known(at(0), at(day));
        assert!(!guard.take_jump());
        guard.last_known(at(0), at(day + 1));
        assert!(guard.take_jump());
    }

    #[test]
    fn a_clock_that_jumps_forward_is_not_suspected_of_going_back() {
        let mut guard = ClockGuard::default();
        step(&mut guard, at(0), mono(0));
        step(&mut guard, at(10_000), mono(1));
        assert_eq!(guard.suspect_why(), None);
    }
}
