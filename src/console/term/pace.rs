//! When the next frame may be drawn: at most so many a second, at once after a pause, and on a slow line never before
//! it has carried the last one. Pure; the main loop asks it.

use std::time::{Duration, Instant};

/// A frame of news on a slow line leaves the line to the keys for so many times as long as it took.
const NEWS_LEAVE: u32 = 3;

/// How often frames are drawn.
#[derive(Debug, Clone)]
pub struct Pace {
    /// A further frame may be drawn each time this has passed.
    refill: Duration,
    /// So many may follow each other at once.
    burst: u32,
    left: u32,
    refilled: Option<Instant>,
    slow: bool,
}

/// Why a frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Not at all.
    No,
    /// Something changed by itself.
    News,
    /// Somebody pressed a key or changed the size, and waits.
    Key,
}

impl Pace {
    /// At most 30 frames in any second.
    pub fn fast() -> Pace {
        Pace { refill: Duration::from_millis(37), burst: 3, left: 3, refilled: None, slow: false }
    }

    /// At most 5 frames in any second; what changes by itself leaves three quarters of the line to the keys.
    pub fn slow() -> Pace {
        Pace { refill: Duration::from_millis(200), burst: 1, left: 1, refilled: None, slow: true }
    }

    /// When a frame may be drawn that is wanted for this reason. `line` says when the last frame was begun and when a
    /// slow line will have carried it.
    pub fn due(&self, wanted: Wanted, line: Option<(Instant, Instant)>, now: Instant) -> Instant {
        let refilled = self.refilled.unwrap_or(now);
        // News leave one frame to the keys: who presses one while a log rushes by waits for none.
        let kept = u32::from(wanted == Wanted::News && self.burst > 1);
        let missing = (kept + 1).saturating_sub(self.left);
        let free = if missing == 0 { now } else { refilled + missing * self.refill };
        match line {
            Some((begun, carried)) if self.slow && wanted == Wanted::News => {
                free.max(carried + NEWS_LEAVE * carried.saturating_duration_since(begun))
            }
            Some((_, carried)) => free.max(carried),
            None => free,
        }
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, now: Instant) {
        self.refill_until(now);
        self.left = self.left.saturating_sub(1);
    }

    /// Time passed.
    pub fn refill_until(&mut self, now: Instant) {
        let Some(mut at) = self.refilled.filter(|_| self.left < self.burst) else {
            self.refilled = Some(now);
            return;
        };
        while self.left < self.burst && at + self.refill <= now {
            at += self.refill;
            self.left += 1;
        }
        self.refilled = Some(if self.left == self.burst { now } else { at });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Frames drawn by somebody who wants one at every instant, within so long.
    fn drawn(
        mut pace: Pace,
        wanted: Wanted,
        line: impl Fn(Instant) -> Option<(Instant, Instant)>,
    ) -> Vec<u64> {
        let start = Instant::now();
        let mut times = Vec::new();
        let mut last = None;
        for ms in 0..3000 {
            let now = start + Duration::from_millis(ms);
            pace.refill_until(now);
            if pace.due(wanted, last.and_then(&line), now) <= now {
                pace.drawn(now);
                times.push(ms);
                last = Some(now);
            }
        }
        times
    }

    fn most_in_a_second(times: &[u64]) -> usize {
        times
            .iter()
            .map(|from| times.iter().filter(|t| (*from..from + 1000).contains(t)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn no_second_has_more_than_thirty_frames_and_a_slow_one_no_more_than_five() {
        let fast = drawn(Pace::fast(), Wanted::Key, |_| None);
        assert!((25..=30).contains(&most_in_a_second(&fast)), "{}", most_in_a_second(&fast));
        assert_eq!(most_in_a_second(&drawn(Pace::slow(), Wanted::Key, |_| None)), 5);
    }

    #[test]
    fn a_key_after_a_frame_is_drawn_at_once() {
        let now = Instant::now();
        let mut pace = Pace::fast();
        pace.drawn(now);
        assert_eq!(pace.due(Wanted::Key, None, now), now);
    }

    #[test]
    fn a_key_is_drawn_at_once_while_news_rush_and_there_are_no_more_frames_for_it() {
        let start = Instant::now();
        let (mut pace, mut times) = (Pace::fast(), Vec::new());
        for ms in 0..3000 {
            let now = start + Duration::from_millis(ms);
            pace.refill_until(now);
            let is_key = ms % 101 == 100;
            let wanted = if is_key { Wanted::Key } else { Wanted::News };
            let due = pace.due(wanted, None, now);
            assert!(!is_key || due <= now, "a key waits at {ms}");
            if due <= now {
                pace.drawn(now);
                times.push(ms);
            }
        }
        assert!((25..=30).contains(&most_in_a_second(&times)), "{}", most_in_a_second(&times));
    }

    #[test]
    fn a_slow_line_carries_one_frame_at_a_time_and_news_leave_most_of_it() {
        let half = Duration::from_millis(500);
        let line = |begun: Instant| Some((begun, begun + half));
        assert_eq!(drawn(Pace::slow(), Wanted::Key, line), [0, 500, 1000, 1500, 2000, 2500]);
        assert_eq!(drawn(Pace::slow(), Wanted::News, line), [0, 2000]);
    }
}
