//! Notice before an automatic run as a pure state machine (DESIGN.md 5): what is due and who may be logged on go in, whom
//! to tell and what to start come out. It counts on the monotonic clock and writes nothing: a service that starts anew
//! counts anew, in full. The engine steps it, and so does `simulate` on a virtual clock; `restart_count` counts with the
//! same [`Count`].

use super::model::{Announced, Change, Decision};
use crate::clock::{Monotonic, Wall, earlier};
use crate::site::ids::RequestId;
use crate::terms::{Gate, Verdict};
use chrono::TimeDelta;
use std::time::Duration;

/// Users are told once more this long before the end, where the first notice was given well before.
pub const LAST_NOTICE: Duration = Duration::from_secs(60);
/// A count shorter than this has no second notice.
const WORTH_TWO: Duration = Duration::from_secs(90);
/// A shortened count ends this long before the gate that shortens it closes.
const MARGIN: Duration = Duration::from_secs(2);

/// A notice is good for this long after its countdown; what has not been launched by then is announced anew.
const GOOD_FOR: Duration = Duration::from_secs(120);

/// A time that is counted down, with its two notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    since: Monotonic,
    length: Duration,
    reminded: bool,
}

impl Count {
    /// Counts from now on.
    pub fn start(now: Monotonic, length: Duration) -> Count {
        Count { since: now, length, reminded: length < WORTH_TWO }
    }

    /// What is left.
    pub fn left(&self, now: Monotonic) -> Duration {
        self.length.saturating_sub(now.since(self.since))
    }

    /// Whether the last notice is to be given now; true once.
    pub fn remind(&mut self, now: Monotonic) -> bool {
        let due = !self.reminded && self.left(now) <= LAST_NOTICE;
        self.reminded |= due;
        due
    }

    /// Until something is to be done: the last notice, or the end.
    pub fn wake(&self, now: Monotonic) -> Duration {
        let left = self.left(now);
        if self.reminded { left } else { left.saturating_sub(LAST_NOTICE) }
    }

    /// When it ends by the wall clock, as that stands now.
    pub fn ends(&self, now: Monotonic, wall: Wall) -> Wall {
        TimeDelta::from_std(self.left(now)).ok().and_then(|d| wall.checked_add_signed(d)).unwrap_or(wall)
    }
}

/// What a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first request in order that is due, and how long it can wait without a gate closing by time.
    pub due: Option<(RequestId, Duration)>,
    /// Somebody is logged on, or may be.
    pub attended: bool,
    /// `[run] countdown`
    pub notice: Duration,
}

/// What is to be done after a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Act {
    /// This one is not due any more: nothing came of its countdown.
    pub given_up: Option<RequestId>,
    /// Users are to be told that this one starts, and in how long.
    pub tell: Option<(RequestId, Duration)>,
    /// This one may start: to be decided again, then claimed.
    pub start: Option<RequestId>,
}

/// The countdown of one executor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Countdown {
    counting: Option<(RequestId, Count)>,
    /// After a jump of the clock nothing starts before.
    quiet_until: Monotonic,
}

impl Countdown {
    /// One step. It is given what is due anew each time: what was deferred, stopped, withdrawn or has expired in between
    /// is not, and its countdown ends with that.
    pub fn step(&mut self, now: Monotonic, seen: &Seen) -> Act {
        let mut act = Act::default();
        let first = seen.due.map(|(request, _)| request);
        if let Some((request, _)) = self.counting.filter(|(request, _)| Some(*request) != first) {
            act.given_up = Some(request);
            self.counting = None;
        }
        self.counting = self.counting.filter(|(_, count)| now.since(count.since) <= count.length + GOOD_FOR);
        let Some((request, room)) = seen.due else { return act };
        if let Some((_, count)) = &mut self.counting {
            if count.left(now).is_zero() {
                act.start = Some(request);
            } else if count.remind(now) && seen.attended {
                act.tell = Some((request, count.left(now)));
            }
            return act;
        }
        // Who is told late is told of the time there is; a clock that jumped gives all of it to whoever looks on.
        let notice = if seen.attended { seen.notice.min(room) } else { Duration::ZERO };
        let length = notice.max(self.quiet_until.since(now));
        if seen.attended {
            act.tell = Some((request, length));
        }
        // Also where there is nothing to count: whoever logs on while the share is asked once more changes nothing.
        self.counting = Some((request, Count::start(now, length)));
        if length.is_zero() {
            act.start = Some(request);
        }
        act
    }

    /// As it stands where one was announced before, with so much of it left.
    pub fn going_on(request: RequestId, left: Duration, now: Monotonic) -> Countdown {
        Countdown { counting: Some((request, Count::start(now, left))), ..Countdown::default() }
    }

    /// The clock jumped forward by more than a day: the full countdown before anything starts (PROMISES.md 3).
    pub fn clock_jumped(&mut self, now: Monotonic, notice: Duration) {
        self.counting = None;
        self.quiet_until = Monotonic(now.0 + notice);
    }

    /// It was launched.
    pub fn launched(&mut self) {
        self.counting = None;
    }

    /// What is announced and not launched.
    pub fn announced(&self, now: Monotonic, wall: Wall) -> Option<Announced> {
        let (request, count) = self.counting.filter(|(_, count)| !count.length.is_zero())?;
        Some(Announced { request, ends: count.ends(now, wall) })
    }

    /// Until it has something to do by itself; None: nothing is counted.
    pub fn wake(&self, now: Monotonic) -> Option<Duration> {
        let (_, count) = self.counting.filter(|(_, count)| !count.left(now).is_zero())?;
        Some(count.wake(now))
    }
}

/// When a count that the closing of a gate shortens ends.
pub fn latest_notice(closes: Wall) -> Wall {
    earlier(closes, MARGIN)
}

/// How long a request that is due can wait without a gate closing by time: its expiry, its window, a freeze to come.
pub fn room(decision: &Decision, now: Wall) -> Duration {
    let closing = [Gate::Expiry, Gate::Hold, Gate::Window];
    let gates = decision.gates.iter().filter(|g| closing.contains(&g.gate) && g.verdict == Verdict::Pass);
    let first = gates.filter_map(|g| match g.change {
        Change::At(at) => (at - now).to_std().ok(),
        Change::Event | Change::Never => None,
    });
    first.min().map_or(Duration::MAX, |room| room.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests;
