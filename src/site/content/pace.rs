//! How fast content is copied: no faster than the configuration allows, and not for ever from a share that trickles while there
//! is another one. Whoever copies says what it has and what time it is, and whoever waits for it is told how far it is.

use std::time::Duration;

/// What is slower than this for so long is given up.
const SLOWEST: u64 = 10 << 10;
const PATIENCE: Duration = Duration::from_secs(300);
/// A pause is never longer: whoever waits for the copy has to hear that it gets further.
const LONGEST: Duration = Duration::from_secs(60);
/// It is told this often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The pace of one content.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Bytes a second; 0: any.
    most: u64,
    /// Another share may be faster.
    others: bool,
    began: Duration,
    bytes: u64,
    /// Since when, and with how many bytes, it is looked whether it is too slow.
    window: (Duration, u64),
    /// All that is to come.
    of: u64,
    /// Told so many bytes of so many.
    tell: fn(u64, u64),
    told: Option<Duration>,
}

impl Pace {
    /// Begins at this time.
    pub fn new(most: u64, others: bool, now: Duration) -> Self {
        let tell = |_: u64, _: u64| {};
        Self { most, others, began: now, bytes: 0, window: (now, 0), of: 0, tell, told: None }
    }

    /// The same, and this is told how many bytes of how many are here, as they come.
    pub fn telling(self, tell: fn(u64, u64)) -> Self {
        Self { tell, ..self }
    }

    /// So many bytes are to come.
    pub fn expects(&mut self, bytes: u64) {
        self.of = bytes;
    }

    /// So many bytes more are here; how long to wait before the next ones. None: it is too slow.
    pub fn took(&mut self, bytes: u64, now: Duration) -> Option<Duration> {
        self.bytes += bytes;
        if self.told.is_none_or(|told| now.saturating_sub(told) >= TOLD_EVERY) {
            self.told = Some(now);
            (self.tell)(self.bytes, self.of);
        }
        let (since, before) = self.window;
        let lasts = now.saturating_sub(since);
        if lasts >= PATIENCE {
            // What the configuration slows down is not the share's fault.
            let slowest = if self.most == 0 { SLOWEST } else { SLOWEST.min(self.most / 2) };
            if self.others && self.bytes - before < slowest * lasts.as_secs() {
                return None;
            }
            self.window = (now, self.bytes);
        }
        if self.most == 0 {
            return Some(Duration::ZERO);
        }
        let due = Duration::from_millis(self.bytes.saturating_mul(1000) / self.most);
        Some(due.saturating_sub(now.saturating_sub(self.began)).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_never_faster_than_it_may_be() {
        let mut pace = Pace::new(1 << 20, false, SECOND);
        let mut now = SECOND;
        for _ in 0..1_000 {
            now += pace.took(64 << 10, now).unwrap_or_default();
        }
        // 62.5 MB at 1 MB/s.
        assert_eq!((now - SECOND).as_secs(), 62);
        let mut any = Pace::new(0, true, SECOND);
        assert_eq!(any.took(1 << 30, SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn a_share_that_trickles_is_given_up_where_there_is_another() {
        let trickle = |most, others, each: u64| {
            let mut pace = Pace::new(most, others, Duration::ZERO);
            (1..=1_200_u32).find(|n| pace.took(each, SECOND * *n).is_none())
        };
        assert_eq!(trickle(0, true, 9 << 10), Some(300));
        assert_eq!(trickle(0, true, 11 << 10), None);
        assert_eq!(trickle(0, false, 1), None, "there is no other");
        assert_eq!(trickle(8 << 10, true, 8 << 10), None, "it may be no faster");
        // Only what became slow later, and for so long.
        let mut pace = Pace::new(0, true, Duration::ZERO);
        assert!((1..=300_u32).all(|n| pace.took(1 << 20, SECOND * n).is_some()));
        assert_eq!((301..=1_200_u32).find(|n| pace.took(1, SECOND * *n).is_none()), Some(600));
    }

    #[test]
    fn whoever_waits_hears_now_and_then_how_far_it_is() {
        thread_local!(static HEARD: RefCell<Vec<(u64, u64)>> = const { RefCell::new(Vec::new()) });
        let hear = |done: u64, of: u64| HEARD.with_borrow_mut(|heard| heard.push((done, of)));
        let mut pace = Pace::new(0, false, Duration::ZERO).telling(hear);
        pace.expects(100);
        assert!((1..=25_u32).all(|n| pace.took(1, SECOND * n).is_some()));
        assert_eq!(HEARD.take(), [(1, 100), (11, 100), (21, 100)]);
    }
}
