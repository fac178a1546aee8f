//! Lines of many hosts in one order: by the clock here, and those of one log always in their own. Pure.

use crate::clock::Wall;
use crate::log::Record;
use crate::log::merge::Places;
use crate::text::SafeText;
use chrono::TimeDelta;

/// So many more than are shown wait at most, so that they are put in order rarely.
const AHEAD: usize = 1_000;

/// A line that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Of which host.
    pub host: usize,
    /// As that host told it.
    pub record: Record,
    /// By how many seconds the clock there is fast.
    pub fast_s: i64,
}

impl Placed {
    /// With its time by the clock here.
    pub fn by_our_clock(&self) -> Record {
        let mut record = self.record.clone();
        record.time = record.time.map(|at| earlier(at, self.fast_s));
        record
    }
}

/// What came and was not shown yet.
#[derive(Debug, Default)]
pub struct Together {
    fast: Vec<i64>,
    places: Places,
    waiting: Vec<(Wall, Placed)>,
}

impl Together {
    /// Of so many hosts.
    pub fn new(hosts: usize) -> Together {
        Together { fast: vec![0; hosts], ..Together::default() }
    }

    /// What was found out about a clock: it is so many seconds fast.
    pub fn clock(&mut self, host: usize, fast_s: i64) {
        if let Some(fast) = self.fast.get_mut(host) {
            *fast = fast_s;
        }
    }

    /// By how many seconds each clock is fast.
    pub fn clocks(&self) -> &[i64] {
        &self.fast
    }

    /// Takes lines of a host, in the order of their logs.
    pub fn take(&mut self, host: usize, records: Vec<Record>) {
        let fast_s = self.fast.get(host).copied().unwrap_or(0);
        for record in records {
            let log = SafeText::of(format!("{host} {}", record.file));
            let at = self.places.place(&log, record.near.map(|at| earlier(at, fast_s)));
            self.waiting.push((at, Placed { host, record, fast_s }));
        }
    }

    /// All that wait, in their order; of more than `last` those that are last.
    pub fn drain(&mut self, last: Option<usize>) -> Vec<Placed> {
        self.order(last.unwrap_or(usize::MAX));
        std::mem::take(&mut self.waiting).into_iter().map(|(_, placed)| placed).collect()
    }

    /// Only the last so many of all are shown once: of ten thousand hosts what is surely none of them is not held.
    pub fn keep(&mut self, last: usize) {
        if self.waiting.len() >= last.saturating_mul(2).saturating_add(AHEAD) {
            self.order(last);
        }
    }

    fn order(&mut self, last: usize) {
        // What is equal keeps its order.
        self.waiting.sort_by_key(|(at, _)| *at);
        let surplus = self.waiting.len().saturating_sub(last);
        self.waiting.drain(..surplus);
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn earlier(at: Wall, seconds: i64) -> Wall {
    TimeDelta::try_seconds(seconds).and_then(|by| at.checked_sub_signed(by)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::Level;

    fn record(seconds: i64, text: &str) -> Record {
        let time = chrono::DateTime::from_timestamp(1_790_000_000 + seconds, 0);
        Record {
            file: "PACMAN.LOG".into(),
            line: 0,
            time,
            offset_trusted: true,
            component: SafeText::default(),
            level: Level::Info,
            thread: SafeText::default(),
            source: SafeText::default(),
            text: vec![text.into()],
            time_text: SafeText::default(),
            near: time,
            at: None,
        }
    }

    fn texts(placed: &[Placed]) -> Vec<&str> {
        placed.iter().map(|placed| placed.record.first_line().as_str()).collect()
    }

    #[test]
    fn lines_stand_in_the_order_of_the_clock_here() {
        let mut together = Together::new(2);
        together.clock(1, 100);
        together.take(0, vec![record(0, "a0"), record(20, "a20")]);
        together.take(1, vec![record(110, "b10"), record(130, "b30")]);
        let all = together.drain(None);
        assert_eq!(texts(&all), ["a0", "b10", "a20", "b30"]);
        assert_eq!(all[1].by_our_clock().time, record(10, "").time);
        assert_eq!(all[1].record.time, record(110, "").time, "what the host wrote is kept");
        assert!(together.is_empty());
    }

    #[test]
    fn the_last_of_all_are_among_the_last_of_each() {
        let mut together = Together::new(3);
        for host in 0..3 {
            let one = |n: i64| record(n * 3 + host, &format!("{host}/{n}"));
            together.take(usize::try_from(host).unwrap(), (0..5).map(one).collect());
        }
        assert_eq!(texts(&together.drain(Some(4))), ["2/3", "0/4", "1/4", "2/4"]);
    }

    #[test]
    fn what_is_none_of_the_last_does_not_wait_for_those_that_are() {
        let (mut all, mut few) = (Together::new(200), Together::new(200));
        for host in 0..200 {
            let one = |n: i64| record((n * 37 + host * 11) % 500, &format!("{host}/{n}"));
            for together in [&mut all, &mut few] {
                together.take(usize::try_from(host).unwrap(), (0..50).map(one).collect());
            }
            few.keep(100);
            assert!(few.waiting.len() < 2 * 100 + AHEAD, "{}", few.waiting.len());
        }
        assert_eq!(all.waiting.len(), 10_000);
        assert_eq!(few.drain(Some(100)), all.drain(Some(100)));
    }

    #[test]
    fn lines_of_one_log_keep_their_order_though_its_clock_was_set_back() {
        let mut together = Together::new(2);
        together.take(0, vec![record(60, "first"), record(0, "second")]);
        together.take(1, vec![record(30, "other")]);
        assert_eq!(texts(&together.drain(None)), ["other", "first", "second"]);
    }
}
