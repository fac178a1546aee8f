//! The restart of the machine as a pure state machine: due, announced, asked for, and shown until it is done (DEFECTS
//! Q171070). What is due is the decision core's question; the engine carries out what comes out.

use super::countdown::Count;
use crate::clock::{Monotonic, Wall};
use std::time::Duration;

/// A machine that was asked to restart and still runs after this long was not restarted.
pub const OVERDUE: Duration = Duration::from_secs(600);

/// What a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The core lets it begin.
    pub due: bool,
    /// How long it may wait before a window closes.
    pub room: Duration,
    /// Somebody is logged on, or may be.
    pub attended: bool,
    /// `[restart] countdown`
    pub notice: Duration,
}

/// What is to be done after a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Act {
    /// Users are to be told that it restarts, and in how long.
    pub tell: Option<Duration>,
    /// Users are to be told that it does not.
    pub called_off: bool,
    /// The system is to be asked for it now; once.
    pub restart: bool,
    /// It was asked for and did not happen.
    pub overdue: bool,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Counting(Count),
    Asked(Monotonic),
}

/// The restart of one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restart {
    phase: Phase,
    /// After a jump of the clock, or a restart that failed, nothing begins before.
    quiet_until: Monotonic,
}

impl Restart {
    /// One step.
    pub fn step(&mut self, now: Monotonic, seen: &Seen) -> Act {
        let mut act = Act::default();
        match &mut self.phase {
            Phase::Asked(at) => {
                if now.since(*at) >= OVERDUE {
                    act.overdue = true;
                    self.failed(now);
                }
            }
            Phase::Counting(_) if !seen.due => {
                act.called_off = true;
                self.phase = Phase::Idle;
            }
            Phase::Counting(count) if count.left(now).is_zero() => {
                act.restart = true;
                self.phase = Phase::Asked(now);
            }
            Phase::Counting(count) => {
                if count.remind(now) && seen.attended {
                    act.tell = Some(count.left(now));
                }
            }
            Phase::Idle if seen.due && now >= self.quiet_until => {
                let length = if seen.attended { seen.notice.min(seen.room) } else { Duration::ZERO };
                if seen.attended {
                    act.tell = Some(length);
                }
                // Also without a countdown it is a step of its own: all that is in the way is looked at once more.
                self.phase = Phase::Counting(Count::start(now, length));
            }
            Phase::Idle => {}
        }
        act
    }

    /// An operator asks for it: no countdown.
    pub fn asked(&mut self, now: Monotonic) {
        self.phase = Phase::Asked(now);
    }

    /// It could not be asked for, or did not come: not again at once.
    pub fn failed(&mut self, now: Monotonic) {
        self.phase = Phase::Idle;
        self.quiet_until = Monotonic(now.0 + OVERDUE);
    }

    /// The clock jumped: nothing begins for as long as a full countdown.
    pub fn clock_jumped(&mut self, now: Monotonic, notice: Duration) {
        if !self.is_asked() {
            self.phase = Phase::Idle;
        }
        self.quiet_until = Monotonic(now.0 + notice);
    }

    /// The system was asked for it.
    pub fn is_asked(&self) -> bool {
        matches!(self.phase, Phase::Asked(_))
    }

    /// When it restarts, by the wall clock as it stands now; None: it is not announced.
    pub fn announced(&self, now: Monotonic, wall: Wall) -> Option<Wall> {
        match &self.phase {
            Phase::Counting(count) => Some(count.ends(now, wall)),
            Phase::Idle | Phase::Asked(_) => None,
        }
    }

    /// Until it has something to do by itself.
    pub fn wake(&self, now: Monotonic) -> Option<Duration> {
        match &self.phase {
            Phase::Counting(count) => Some(count.wake(now)),
            Phase::Idle | Phase::Asked(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn due() -> Seen {
        let notice = Duration::from_secs(900);
        Seen { due: true, room: Duration::MAX, attended: true, notice }
    }

    fn nothing() -> Seen {
        Seen { due: false, ..due() }
    }

    #[test]
    fn users_are_told_twice_and_the_system_is_asked_once() {
        let mut restart = Restart::default();
        let (mut told, mut asked) = (Vec::new(), Vec::new());
        for second in 0..1200 {
            let act = restart.step(at(second), &due());
            told.extend(act.tell.map(|left| (second, left.as_secs())));
            asked.extend(act.restart.then_some(second));
            assert!(!act.called_off && !act.overdue);
        }
        assert_eq!((told, asked), (vec![(0, 900), (840, 60)], vec![900]));
        assert!(restart.is_asked());
    }

    #[test]
    fn with_nobody_logged_on_it_is_decided_twice_and_not_counted() {
        let mut restart = Restart::default();
        let alone = Seen { attended: false, ..due() };
        assert_eq!(restart.step(at(0), &alone), Act::default());
        assert_eq!(restart.wake(at(0)), Some(Duration::ZERO));
        assert!(restart.step(at(0), &alone).restart);
    }

    #[test]
    fn what_comes_in_the_way_meanwhile_calls_it_off_and_the_next_one_counts_in_full() {
        let mut restart = Restart::default();
        let _ = restart.step(at(0), &due());
        assert!(restart.step(at(899), &nothing()).called_off);
        assert_eq!(restart.step(at(900), &nothing()), Act::default(), "said once");
        assert_eq!(restart.step(at(901), &due()).tell, Some(Duration::from_secs(900)));
        assert!(!restart.step(at(1800), &due()).restart);
        assert!(restart.step(at(1801), &due()).restart);
    }

    #[test]
    fn a_restart_that_does_not_come_is_said_and_tried_again_later_with_a_countdown() {
        let mut restart = Restart::default();
        restart.asked(at(0));
        assert_eq!(restart.step(at(599), &due()), Act::default());
        assert!(restart.step(at(600), &due()).overdue);
        assert_eq!(restart.step(at(601), &due()), Act::default());
        assert!(restart.step(at(1200), &due()).tell.is_some());
    }

    #[test]
    fn after_a_jump_of_the_clock_nothing_begins_for_a_full_countdown() {
        let mut restart = Restart::default();
        let _ = restart.step(at(0), &due());
        restart.clock_jumped(at(100), due().notice);
        assert_eq!(restart.step(at(999), &due()), Act::default());
        assert!(restart.step(at(1000), &due()).tell.is_some());
    }
}
