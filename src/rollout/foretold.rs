//! What was foretold a day ago for now (SITE.md 6), so that whoever reads a forecast sees how far the last one held. Kept for
//! a day and a little, one every two hours. Pure: the time is an argument.

use super::forecast::Point;
use crate::clock::Wall;
use crate::site::ids::{JobId, RequestId};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Two of one phase of a job are at least so far apart.
const APART: TimeDelta = TimeDelta::hours(2);
/// So old is the one that is shown: a day, or what comes next to it.
const SHOWN: [TimeDelta; 2] = [TimeDelta::hours(20), TimeDelta::hours(30)];
/// The most that are kept.
const MOST: usize = 20_000;

/// Of what one is. A job that is sent again, or has reached more machines, is another thing to foretell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// Of which job.
    pub job_id: JobId,
    /// And of which sending of it.
    pub request_id: RequestId,
    /// The share of its machines that it had reached, in hundredths of a percent.
    pub percent: u32,
}

/// A forecast of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foretold {
    /// Of which.
    pub of: Of,
    /// When it was made.
    pub at: Wall,
    /// Of so many machines.
    pub targets: u64,
    /// So many were done.
    pub done: u64,
    /// And the others then.
    pub curve: Vec<Point>,
}

/// What one said of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Then {
    /// When it was made.
    pub made_at: Wall,
    /// Of so many machines.
    pub targets: u64,
    /// At least so many are done.
    pub done_low: u64,
    /// At most so many.
    pub done_high: u64,
}

impl Foretold {
    /// What it said of this time.
    fn says(&self, at: Wall) -> Then {
        let passed = self.curve.iter().take_while(|point| point.at <= at).last();
        let (done_low, done_high) =
            passed.map_or((self.done, self.done), |point| (point.done_low, point.done_high));
        Then { made_at: self.at, targets: self.targets, done_low, done_high }
    }
}

/// All that are kept.
#[derive(Debug, Default)]
pub struct Forecasts {
    all: Vec<Foretold>,
    /// Some are not on disk yet.
    pub(super) changed: bool,
}

impl Forecasts {
    /// Those that were kept.
    pub(super) fn of(all: Vec<Foretold>) -> Self {
        Self { all, changed: false }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Foretold] {
        &self.all
    }

    /// Keeps one, where the last of the same is some time ago. What nobody needs any more goes.
    pub fn keep(&mut self, new: Foretold) {
        let same = || self.all.iter().filter(|old| old.of == new.of);
        let due = |old: &Foretold| (new.at - old.at).abs() >= APART;
        if !same().all(due) {
            return;
        }
        let now = new.at;
        self.all.retain(|old| (now - old.at).abs() <= SHOWN[1]);
        if self.all.len() < MOST {
            self.all.push(new);
            self.changed = true;
        }
    }

    /// What was said of it a day ago for now.
    pub fn yesterday(&self, of: Of, now: Wall) -> Option<Then> {
        let age = |old: &Foretold| now - old.at;
        let shown = |old: &&Foretold| old.of == of && age(old) >= SHOWN[0] && age(old) <= SHOWN[1];
        let nearest = self.all.iter().filter(shown).min_by_key(|old| (age(old) - TimeDelta::days(1)).abs());
        nearest.map(|old| old.says(now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(hours: i64) -> Wall {
        "2026-11-29T12:00:00Z".parse::<Wall>().unwrap() + TimeDelta::hours(hours)
    }

    fn job(n: usize) -> Of {
        let job_id = format!("BP0000A{n}").parse().unwrap();
        Of { job_id, request_id: "BP0000Y".parse().unwrap(), percent: 500 }
    }

    fn foretold(n: usize, hours: i64) -> Foretold {
        let point =
            |after: i64, done_low: u64, done_high: u64| Point { at: at(hours + after), done_low, done_high };
        let curve = vec![point(10, 30, 40), point(23, 70, 85), point(30, 90, 99)];
        Foretold { of: job(n), at: at(hours), targets: 100, done: 20, curve }
    }

    #[test]
    fn what_was_said_a_day_ago_stands_beside_what_came() {
        let mut kept = Forecasts::default();
        for hours in 0..40 {
            kept.keep(foretold(1, hours));
            kept.keep(foretold(2, hours));
        }
        assert!(kept.changed && kept.all().len() < 40, "{}", kept.all().len());
        let then = kept.yesterday(job(1), at(40)).unwrap();
        assert_eq!(then, Then { made_at: at(16), targets: 100, done_low: 70, done_high: 85 });
        assert_eq!(kept.yesterday(job(3), at(40)), None);
        assert_eq!(kept.yesterday(job(1), at(90)), None, "that was long ago");
        let mut new = Forecasts::default();
        new.keep(foretold(1, 0));
        assert_eq!(new.yesterday(job(1), at(10)), None, "it is not a day old");
        let early = Foretold { curve: Vec::new(), ..foretold(1, 0) };
        assert_eq!(early.says(at(24)).done_high, 20);
    }

    #[test]
    fn another_phase_and_another_sending_of_a_job_are_foretold_anew() {
        let mut kept = Forecasts::default();
        kept.keep(foretold(1, 0));
        let later = Of { percent: 5_000, ..job(1) };
        let again = Of { request_id: "BP0000Z".parse().unwrap(), ..job(1) };
        for of in [later, again] {
            assert_eq!(kept.yesterday(of, at(24)), None, "{of:?}");
            // The last one of what it was before keeps none of them out.
            kept.keep(Foretold { of, targets: 900, ..foretold(1, 1) });
            assert_eq!(kept.yesterday(of, at(24)).unwrap().targets, 900);
        }
        assert_eq!(kept.yesterday(job(1), at(24)).unwrap().targets, 100);
    }
}
