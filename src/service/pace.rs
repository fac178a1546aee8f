//! When the loop makes its next step: when the one before said, at once after a change or news, and soon after a view.

use std::time::{Duration, Instant};

/// After a view was answered the next step is at most this far from the one before. Views change nothing: a console that
/// asks for several a second does not have as many steps made. What a step finds out by looking, somebody who watches sees
/// as soon as they ask again.
const AFTER_VIEW: Duration = Duration::from_secs(1);

/// The time of the next step.
pub struct Pace {
    /// When the one before began.
    began: Instant,
    next: Instant,
}

impl Pace {
    /// A step that began then has just ended, and the next one is due in so long.
    pub fn after(began: Instant, now: Instant, wake: Duration) -> Self {
        Self { began, next: now + wake }
    }

    /// A view was answered.
    pub fn viewed(&mut self) {
        self.next = self.next.min(self.began + AFTER_VIEW);
    }

    /// Something has changed, or may have.
    pub fn changed(&mut self) {
        self.next = self.began;
    }

    /// When it is due.
    pub fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn views_bring_the_next_step_within_a_second_of_the_one_before_and_no_more_steps_than_that() {
        let began = Instant::now();
        let mut pace = Pace::after(began, began + SECOND / 10, 30 * SECOND);
        assert_eq!(pace.next(), began + SECOND / 10 + 30 * SECOND);
        for _ in 0..5 {
            pace.viewed();
            assert_eq!(pace.next(), began + SECOND);
        }
    }

    #[test]
    fn no_view_puts_a_step_off() {
        let began = Instant::now();
        let mut pace = Pace::after(began, began, SECOND / 4);
        pace.viewed();
        assert_eq!(pace.next(), began + SECOND / 4);
        // A step that took longer than that is followed by one at once.
        let mut pace = Pace::after(began, began + 3 * SECOND, 30 * SECOND);
        pace.viewed();
        assert!(pace.next() <= began + 3 * SECOND);
    }

    #[test]
    fn what_changes_something_brings_a_step_at_once() {
        let began = Instant::now();
        let mut pace = Pace::after(began, began, 30 * SECOND);
        pace.changed();
        pace.viewed();
        assert!(pace.next() <= began);
    }
}
