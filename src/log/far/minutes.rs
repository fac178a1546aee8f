//! How many records there were, minute by minute; where that would be too many stretches, in longer ones.

use crate::clock::Wall;
use crate::log::Level;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many stretches in which anything happened are told at most.
pub const MOST: usize = 240;
/// How long a stretch may be, in seconds.
const STEPS: [i64; 10] = [60, 300, 900, 3_600, 14_400, 86_400, 604_800, 2_592_000, 31_536_000, 315_360_000];

/// Counts of one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records of every level.
    #[serde(rename = "n")]
    pub total: u64,
    /// Of level error.
    #[serde(rename = "e")]
    pub errors: u64,
    /// Of level warning.
    #[serde(rename = "w")]
    pub warnings: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.total = self.total.saturating_add(other.total);
        self.errors = self.errors.saturating_add(other.errors);
        self.warnings = self.warnings.saturating_add(other.warnings);
    }
}

/// Counts by stretches that begin at whole multiples of their length since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// Their length in seconds: 60, or more where they would be too many.
    pub step_s: i64,
    /// Those in which there was anything.
    stretches: BTreeMap<i64, Counts>,
    /// Of records without a time.
    pub untimed: Counts,
}

impl Default for Minutes {
    fn default() -> Self {
        Minutes { step_s: STEPS[0], stretches: BTreeMap::new(), untimed: Counts::default() }
    }
}

impl Minutes {
    /// Counts a record.
    pub fn count(&mut self, at: Option<Wall>, level: Level) {
        let one = Counts {
            total: 1,
            errors: u64::from(level == Level::Error),
            warnings: u64::from(level == Level::Warning),
        };
        match at {
            None => self.untimed.add(one),
            Some(at) => self.put(at.timestamp(), one),
        }
    }

    fn put(&mut self, second: i64, counts: Counts) {
        self.stretches.entry(second.div_euclid(self.step_s)).or_default().add(counts);
        while self.stretches.len() > MOST && self.widen() {}
    }

    /// Makes longer stretches; false: there are no longer ones.
    fn widen(&mut self) -> bool {
        let Some(step) = STEPS.into_iter().find(|step| *step > self.step_s) else { return false };
        let before = std::mem::take(&mut self.stretches);
        for (index, counts) in before {
            self.stretches.entry(index.saturating_mul(self.step_s).div_euclid(step)).or_default().add(counts);
        }
        self.step_s = step;
        true
    }

    /// Takes those of another, in stretches as long as the longer ones of both, by a clock that is so many seconds fast.
    pub fn join(&mut self, other: &Minutes, fast_s: i64) {
        while self.step_s < other.step_s && self.widen() {}
        self.untimed.add(other.untimed);
        for (index, counts) in &other.stretches {
            self.put(index.saturating_mul(other.step_s).saturating_sub(fast_s), *counts);
        }
    }

    /// Whether it may have come over a wire as it is.
    pub fn is_sound(&self) -> bool {
        STEPS.contains(&self.step_s) && self.stretches.len() <= MOST
    }

    /// Whether they are longer than minutes.
    pub fn is_widened(&self) -> bool {
        self.step_s > STEPS[0]
    }

    /// All of them together.
    pub fn sum(&self) -> Counts {
        let mut sum = self.untimed;
        self.stretches.values().for_each(|counts| sum.add(*counts));
        sum
    }

    /// Each with when it begins, oldest first.
    pub fn each(&self) -> impl Iterator<Item = (Wall, Counts)> {
        self.stretches.iter().filter_map(|(index, counts)| {
            Some((DateTime::from_timestamp(index.checked_mul(self.step_s)?, 0)?, *counts))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::tests::at;
    use chrono::TimeDelta;

    #[test]
    fn stretches_get_longer_instead_of_too_many_and_nothing_is_lost() {
        let start = at("2026-11-24T10:00:00Z");
        let mut minutes = Minutes::default();
        for n in 0..2_000 {
            let level = if n % 10 == 0 { Level::Error } else { Level::Info };
            minutes.count(Some(start + TimeDelta::minutes(n)), level);
        }
        minutes.count(None, Level::Warning);
        assert!(minutes.is_widened() && minutes.is_sound() && minutes.each().count() <= MOST);
        assert_eq!(minutes.sum(), Counts { total: 2_001, errors: 200, warnings: 1 });
        assert_eq!(minutes.each().next().unwrap().0, start);
        for far in ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            minutes.count(Some(at(far)), Level::Info);
        }
        let all: u64 = minutes.each().map(|(_, counts)| counts.total).sum();
        assert_eq!(all, 2_002);
    }

    #[test]
    fn those_of_two_hosts_are_one_by_the_clock_here() {
        let (mut all, mut other) = (Minutes::default(), Minutes::default());
        all.count(Some(at("2026-11-24T10:00:30Z")), Level::Info);
        other.count(Some(at("2026-11-24T10:05:30Z")), Level::Error);
        all.join(&other, 300);
        let told: Vec<_> = all.each().map(|(at, counts)| (at.to_rfc3339(), counts.total)).collect();
        assert_eq!(told, [("2026-11-24T10:00:00+00:00".to_owned(), 2)]);
        assert_eq!(all.sum().errors, 1);
    }
}
