//! The rest of the curve (SITE.md 6): from when each machine says that it runs, at the earliest and at the latest. For those
//! that can run; who never will is a figure of its own. Never in the past. Pure: the time is an argument.

use crate::clock::Wall;
use serde::{Deserialize, Serialize};

/// The most points of a curve.
const POINTS: usize = 24;

/// How many have run by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// By then.
    pub at: Wall,
    /// At least.
    pub done_low: u64,
    /// At most.
    pub done_high: u64,
}

/// The curve of a job on which so many are done, where the others say that they run then, at the earliest and, where that can
/// be said, at the latest. Nothing where nobody says anything.
pub fn expected(done: u64, runs: &[(Wall, Option<Wall>)]) -> Vec<Point> {
    let mut earliest: Vec<Wall> = runs.iter().map(|(next, _)| *next).collect();
    let mut latest: Vec<Wall> = runs.iter().filter_map(|(_, latest)| *latest).collect();
    earliest.sort_unstable();
    latest.sort_unstable();
    let mut times: Vec<Wall> = earliest.iter().chain(&latest).copied().collect();
    times.sort_unstable();
    times.dedup();
    // Evenly among the times at which something happens, with the last one of all.
    let step = times.len().div_ceil(POINTS).max(1);
    let last = times.len().saturating_sub(1);
    let chosen = times.iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last);
    let until = |times: &[Wall], at: Wall| times.partition_point(|time| *time <= at) as u64;
    chosen
        .map(|(_, at)| Point {
            at: *at,
            done_low: done + until(&latest, *at),
            done_high: done + until(&earliest, *at),
        })
        .collect()
}

/// How many were done by when, of which so many say when they were; those that do not were before all others.
pub fn measured(done: u64, ended: &[Wall], now: Wall) -> Vec<(Wall, u64)> {
    let mut times: Vec<Wall> = ended.iter().map(|at| (*at).min(now)).collect();
    times.sort_unstable();
    let untold = done.saturating_sub(times.len() as u64);
    let step = times.len().div_ceil(2 * POINTS).max(1);
    let chosen = (0..times.len()).filter(|n| (n + 1) % step == 0 || *n == 0 || n + 1 == times.len());
    chosen.map(|n| (times[n], untold + n as u64 + 1)).collect()
}

/// When so many of those that can run have run: at the earliest, and at the latest where that can be said.
pub fn reached(done: u64, runs: &[(Wall, Option<Wall>)], share: f64) -> Option<(Wall, Option<Wall>)> {
    let mut earliest: Vec<Wall> = runs.iter().map(|(next, _)| *next).collect();
    earliest.sort_unstable();
    let mut latest: Vec<Wall> = runs.iter().filter_map(|(_, latest)| *latest).collect();
    latest.sort_unstable();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let wanted = ((done + runs.len() as u64) as f64 * share).ceil() as u64;
    // It is reached already: there is nothing to foretell.
    let nth = usize::try_from(wanted.checked_sub(done + 1)?).ok()?;
    Some((*earliest.get(nth)?, latest.get(nth).copied()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn at(minutes: i64) -> Wall {
        "2026-11-29T12:00:00Z".parse::<Wall>().unwrap() + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_curve_goes_from_the_earliest_to_the_latest() {
        let runs = [(at(10), Some(at(20))), (at(10), Some(at(40))), (at(30), None)];
        let curve = expected(5, &runs);
        let points: Vec<(Wall, u64, u64)> = curve.iter().map(|p| (p.at, p.done_low, p.done_high)).collect();
        assert_eq!(points, [(at(10), 5, 7), (at(20), 6, 7), (at(30), 6, 8), (at(40), 7, 8)]);
        assert_eq!(reached(5, &runs, 0.95), Some((at(30), None)));
        assert_eq!(reached(5, &runs, 0.75), Some((at(10), Some(at(20)))));
        assert_eq!(reached(5, &runs, 0.5), None, "it is already");
        assert!(expected(5, &[]).is_empty() && reached(0, &[], 0.95).is_none());
    }

    #[test]
    fn what_was_measured_ends_at_what_is_done_and_never_lies_ahead() {
        let ended: Vec<Wall> = (0..500).map(|n| at(n * 7 % 100 - 90)).collect();
        let curve = measured(510, &ended, at(0));
        assert_eq!((curve[0], curve.last().copied()), ((at(-90), 11), Some((at(0), 510))));
        assert!(
            curve.len() <= 2 * POINTS + 2 && curve.windows(2).all(|pair| pair[0] <= pair[1]),
            "{curve:?}"
        );
        assert!(measured(3, &[], at(0)).is_empty());
    }

    proptest! {
        #[test]
        fn it_never_falls_and_never_promises_more_than_there_are(
            done in 0..1_000_u64,
            runs in prop::collection::vec((0..10_000_i64, prop::option::of(0..10_000_i64)), 0..300),
        ) {
            let runs: Vec<_> = runs.into_iter().map(|(next, more)| (at(next), more.map(|m| at(next + m)))).collect();
            let curve = expected(done, &runs);
            prop_assert!(curve.len() <= POINTS + 1);
            for pair in curve.windows(2) {
                prop_assert!(pair[0].at < pair[1].at);
                prop_assert!(pair[0].done_low <= pair[1].done_low && pair[0].done_high <= pair[1].done_high);
            }
            for point in &curve {
                prop_assert!(done <= point.done_low && point.done_low <= point.done_high);
                prop_assert!(point.done_high <= done + runs.len() as u64);
            }
            if let Some(last) = curve.last() {
                prop_assert_eq!(last.done_high, done + runs.len() as u64);
            }
        }
    }
}
