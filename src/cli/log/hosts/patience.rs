//! How long a host may take, judged by its messages: bytes that make none yet are no sign of life, so that one that sends them one
//! by one holds nobody up for ever. Pure.

use crate::log::far::hear::Heard;
use crate::text::{SafeText, duration};
use std::time::{Duration, Instant};

/// A host that has not greeted after so long is given up.
const GREETS_WITHIN: Duration = Duration::from_secs(10);
/// One that has greeted gives a sign every two seconds, and a message of some size takes its time on a slow line.
const SILENCE: Duration = Duration::from_secs(20);
/// A question that does not follow has an end.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30 * 60);

/// What is waited for, and since when.
#[derive(Debug)]
pub struct Patience {
    follows: bool,
    /// When the connection began, or when the host greeted.
    since: Instant,
    greeted: bool,
    /// When its last message was dealt with.
    heard: Instant,
    /// Any byte came.
    spoke: bool,
    silence: Duration,
    answers_within: Duration,
}

impl Patience {
    /// A connection begins. `follows`: what is asked has no end.
    pub fn new(follows: bool, now: Instant) -> Patience {
        Patience::of(follows, now, [SILENCE, ANSWERS_WITHIN])
    }

    /// The same with other limits: of a silence, and of a whole answer.
    pub(super) fn of(follows: bool, now: Instant, [silence, answers_within]: [Duration; 2]) -> Patience {
        Patience { follows, since: now, greeted: false, heard: now, spoke: false, silence, answers_within }
    }

    /// Bytes came.
    pub fn spoke(&mut self) {
        self.spoke = true;
    }

    /// A message came and was dealt with.
    pub fn hear(&mut self, is_greeting: bool, now: Instant) {
        self.heard = now;
        if is_greeting {
            (self.greeted, self.since) = (true, now);
        }
    }

    /// How long its next message is waited for.
    pub fn left(&self, now: Instant) -> Duration {
        let until =
            |since: Instant, limit: Duration| limit.saturating_sub(now.saturating_duration_since(since));
        if !self.greeted {
            return until(self.since, GREETS_WITHIN);
        }
        let silence = until(self.heard, self.silence);
        if self.follows { silence } else { silence.min(until(self.since, self.answers_within)) }
    }

    /// Why nothing more is waited for.
    pub fn words(&self, now: Instant) -> SafeText {
        SafeText::of(if !self.greeted {
            let nothing = if self.spoke { "no whole greeting of pcm" } else { "nothing" };
            format!("{nothing} came within {}", duration(GREETS_WITHIN))
        } else if now.saturating_duration_since(self.heard) >= self.silence {
            format!("nothing came within {}", duration(self.silence))
        } else {
            format!("it did not end its answer within {}", duration(self.answers_within))
        })
    }
}

/// Whether a message is the greeting.
pub fn is_greeting(heard: &Heard) -> bool {
    matches!(heard, Heard::Hello(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn bytes_that_make_no_message_do_not_make_anybody_wait_longer() {
        let began = Instant::now();
        let mut patience = Patience::new(false, began);
        assert_eq!(patience.words(began).as_str(), "nothing came within 10s");
        for second in 0..10 {
            patience.spoke();
            assert_eq!(patience.left(began + s(second)), s(10 - second));
        }
        assert_eq!(patience.words(began + s(10)).as_str(), "no whole greeting of pcm came within 10s");
        patience.hear(true, began + s(3));
        assert_eq!(patience.left(began + s(13)), s(10), "twenty seconds from its greeting on");
        patience.hear(false, began + s(14));
        assert_eq!(patience.left(began + s(33)), s(1));
        assert_eq!(patience.words(began + s(34)).as_str(), "nothing came within 20s");
    }

    #[test]
    fn who_only_says_that_it_goes_on_is_not_waited_for_without_an_end_and_what_is_followed_has_none() {
        let began = Instant::now();
        for (follows, ends) in [(false, true), (true, false)] {
            let mut patience = Patience::new(follows, began);
            patience.hear(true, began);
            for second in (2..=1_800).step_by(2) {
                patience.hear(false, began + s(second));
            }
            assert_eq!(patience.left(began + s(1_800)).is_zero(), ends);
        }
        let mut patience = Patience::new(false, began);
        patience.hear(true, began);
        patience.hear(false, began + s(1_799));
        assert_eq!(patience.words(began + s(1_800)).as_str(), "it did not end its answer within 30m");
    }
}
