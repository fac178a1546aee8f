//! When the share is looked at: once in an interval, at a moment of each machine's own; sooner after a fault, at once when
//! asked, and once more directly before an automatic launch. Pure: time is an argument.

use crate::clock::Monotonic;
use crate::site::ids::MachineId;
use std::time::Duration;

/// After a fault the share is looked at again this soon; doubled each time, up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// A look this young is good enough for a launch.
const FRESH: Duration = Duration::from_secs(10);

/// Where the polling stands.
#[derive(Debug, Clone)]
pub struct Schedule {
    interval: Duration,
    /// One access to the share may take this long.
    timeout: Duration,
    /// Whose part of an interval its own moment is (SITE.md 5). Machines that have started or launched at one time do not
    /// go on together.
    machine: Option<MachineId>,
    /// From when on intervals are counted.
    began: Monotonic,
    due: Monotonic,
    /// The look under way, since when.
    looking: Option<Monotonic>,
    /// The newest look that ended, well or not.
    looked: Option<Monotonic>,
    faults: u32,
}

/// Whether an automatic launch may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// The share was asked just now, or does not answer in time: what is held is in force.
    Go,
    /// A look is under way: wait for it.
    Wait,
    /// Start a look.
    Look,
}

impl Schedule {
    /// A schedule that is due at once.
    pub fn new(machine: Option<MachineId>, interval: Duration, timeout: Duration, now: Monotonic) -> Self {
        Self { interval, timeout, machine, began: now, due: now, looking: None, looked: None, faults: 0 }
    }

    /// The configuration was read again.
    pub fn set(&mut self, interval: Duration, timeout: Duration, now: Monotonic) {
        (self.interval, self.timeout) = (interval, timeout);
        self.due = self.due.min(Monotonic(now.0 + interval));
    }

    /// A look is to be started now.
    pub fn is_due(&self, now: Monotonic) -> bool {
        self.looking.is_none() && now >= self.due
    }

    /// A look is under way.
    pub fn is_looking(&self) -> bool {
        self.looking.is_some()
    }

    /// A look has ended since the start, well or not.
    pub fn has_looked(&self) -> bool {
        self.looked.is_some()
    }

    /// A look is asked for.
    pub fn ask(&mut self, now: Monotonic) {
        self.due = now;
    }

    /// A look was started.
    pub fn started(&mut self, now: Monotonic) {
        self.looking = Some(now);
    }

    /// A look ended, well or with a fault; or it was given up.
    pub fn ended(&mut self, now: Monotonic, fault: bool) {
        self.looking = None;
        self.looked = Some(now);
        self.faults = if fault { self.faults.saturating_add(1) } else { 0 };
        let wait = if fault {
            let most = FIRST_RETRY.saturating_mul(1 << (self.faults - 1).min(16)).min(self.interval);
            most / 2 + self.part_of(most / 2)
        } else {
            self.until_own_moment(now)
        };
        self.due = Monotonic(now.0 + wait);
    }

    /// At most one interval; less after a look that came in between.
    fn until_own_moment(&self, now: Monotonic) -> Duration {
        let first = Monotonic(self.began.0 + self.part_of(self.interval));
        let early = first.since(now);
        if !early.is_zero() {
            return early;
        }
        let into = now.since(first).as_nanos() % self.interval.as_nanos().max(1);
        self.interval.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap_or(0)))
    }

    fn part_of(&self, whole: Duration) -> Duration {
        self.machine.map(|id| id.part_of(whole)).unwrap_or_default()
    }

    /// Before an automatic launch.
    pub fn recheck(&self, now: Monotonic) -> Recheck {
        match (self.looking, self.looked) {
            (Some(since), _) if now.since(since) <= self.timeout => Recheck::Wait,
            (Some(_), _) => Recheck::Go,
            (None, Some(at)) if now.since(at) <= FRESH => Recheck::Go,
            (None, _) => Recheck::Look,
        }
    }

    /// How long until there is something to do by the clock. A look that is under way is heard of when it ends; only who
    /// waits for it with a launch does not wait for longer than one access to the share may take.
    pub fn wake_in(&self, now: Monotonic) -> Duration {
        match self.looking {
            None => self.due_in(now),
            Some(since) if now.since(since) <= self.timeout => {
                self.timeout.saturating_sub(now.since(since)).saturating_add(Duration::from_millis(1))
            }
            Some(_) => Duration::MAX,
        }
    }

    /// How long until the next look.
    pub fn due_in(&self, now: Monotonic) -> Duration {
        self.due.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn schedule() -> Schedule {
        Schedule::new(None, Duration::from_secs(3600), Duration::from_secs(10), at(0))
    }

    #[test]
    fn the_first_look_is_due_at_once_and_the_next_after_the_interval() {
        let mut s = schedule();
        assert!(s.is_due(at(0)));
        s.started(at(0));
        assert!(!s.is_due(at(5000)), "one look at a time");
        s.ended(at(1), false);
        assert!(!s.is_due(at(3599)));
        assert!(s.is_due(at(3600)));
    }

    #[test]
    fn machines_that_start_or_launch_together_do_not_ask_together_again() {
        let mut minutes = [0; 60];
        for n in 0..6_000 {
            let machine = format!("BP0{n:05}").parse().ok();
            let mut s = Schedule::new(machine, Duration::from_secs(3600), Duration::from_secs(10), at(0));
            s.started(at(0));
            s.ended(at(0), false);
            let first = s.due_in(at(0));
            assert!(first <= Duration::from_secs(3600));
            // All of them launch something three hours later, and ask before.
            s.started(at(10_800));
            s.ended(at(10_800), false);
            let again = s.due_in(at(10_800));
            assert_eq!(again.max(first) - again.min(first), Duration::ZERO, "it keeps its moment");
            minutes[(again.as_secs() / 60).min(59) as usize] += 1;
            // The share is away for all of them at once.
            s.ended(at(10_900), true);
            let retry = s.due_in(at(10_900));
            assert!((15..=30).contains(&retry.as_secs()), "{retry:?}");
        }
        assert!(minutes.iter().all(|machines| (60..150).contains(machines)), "{minutes:?}");
    }

    #[test]
    fn faults_are_looked_at_again_sooner_and_ever_later_up_to_the_interval() {
        let mut s = schedule();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            s.started(at(now));
            s.ended(at(now), true);
            let wait = s.due_in(at(now)).as_secs();
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1800, 1800], "of the machine that is the first");
        s.started(at(now));
        s.ended(at(now), false);
        assert_eq!(s.due_in(at(now)).as_secs(), 3600 - now % 3600);
    }

    #[test]
    fn a_launch_waits_for_a_look_and_not_for_a_share_that_hangs() {
        let mut s = schedule();
        assert_eq!(s.recheck(at(0)), Recheck::Look);
        s.started(at(0));
        assert_eq!(s.recheck(at(10)), Recheck::Wait);
        assert_eq!(s.recheck(at(11)), Recheck::Go);
        s.ended(at(12), true);
        assert_eq!(s.recheck(at(20)), Recheck::Go);
        assert_eq!(s.recheck(at(23)), Recheck::Look);
    }

    #[test]
    fn a_look_that_hangs_wakes_nobody_but_a_launch_that_has_waited_for_long_enough() {
        let mut s = schedule();
        assert_eq!(s.wake_in(at(0)), Duration::ZERO);
        s.started(at(0));
        assert_eq!(s.recheck(at(3)), Recheck::Wait);
        assert_eq!(s.recheck(Monotonic(at(3).0 + s.wake_in(at(3)))), Recheck::Go);
        assert_eq!(s.wake_in(at(11)), Duration::MAX);
        s.ended(at(12), false);
        assert_eq!(s.wake_in(at(12)), Duration::from_secs(3588));
    }

    #[test]
    fn polling_every_second_asks_every_second() {
        let mut s = Schedule::new(None, Duration::from_secs(1), Duration::from_secs(10), at(0));
        for second in 0..100 {
            assert!(s.is_due(at(second)));
            s.started(at(second));
            s.ended(at(second), second % 3 == 0);
        }
    }
}
