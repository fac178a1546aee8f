//! The rest of the curve (SITE.md 6): how many will be done by when, in eight of ten cases. For those that can run; who never
//! will is a figure of its own. Never in the past. Each machine says when it runs if nothing happens but time; what else may
//! happen is in `ways`. Pure: the time is an argument.

#[cfg(test)]
mod simulated;
mod ways;

use crate::clock::{Wall, later};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use ways::{Group, Known};

/// The most points of a curve.
const POINTS: usize = 24;
/// When most have run is looked for at so many times.
const LOOKS: usize = 48;
/// A forecast is kept for as long as it stands beside what came.
const KEPT: Duration = Duration::from_secs(32 * 3_600);
const APART: TimeDelta = TimeDelta::hours(2);
/// What lies further ahead is in no curve: one machine that says the year 9999 would leave no room for all others.
const FARTHEST: Duration = Duration::from_secs(62 * 86_400);
/// Of most that can run, all have run so long after the last of them says.
const TAIL: [i64; 4] = [6, 12, 24, 72];
/// Nobody has run yet: how long it may take.
const TAKES: Duration = Duration::from_secs(15 * 60);
/// How quickly machines come is measured over so long at least, and at most.
const LATELY: [Duration; 2] = [Duration::from_secs(3_600), Duration::from_secs(86_400)];

/// How many have run by then, in eight of ten cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// By then.
    pub at: Wall,
    /// At least.
    pub done_low: u64,
    /// At most.
    pub done_high: u64,
}

/// A machine that says when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// At the earliest; never in the past.
    pub next: Wall,
    /// At the latest; None: that cannot be said.
    pub latest: Option<Wall>,
    /// It was on all of last week.
    pub always_on: bool,
}

/// What is known of a job.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Now.
    pub now: Wall,
    /// So many have nothing to do any more.
    pub done: u64,
    /// When those were done that say so.
    pub ended: &'a [Wall],
    /// How long a run took; None: nobody says so.
    pub took: Option<Duration>,
    /// So many ended without success.
    pub failed: u64,
    /// So many run.
    pub running: u64,
    /// Those that wait and say when they run.
    pub runs: &'a [Run],
    /// So many wait for what no clock brings.
    pub open: u64,
    /// So many fell silent within a day, and so many before.
    pub silent: [u64; 2],
}

impl Seen<'_> {
    fn takes(&self) -> Duration {
        self.took.unwrap_or(TAKES)
    }

    fn minutes(&self, at: Wall) -> f64 {
        minutes(at - self.now)
    }

    #[allow(clippy::cast_precision_loss)] // machines are few
    fn known(&self) -> Known {
        let first = self.ended.iter().min();
        let lately = first.map(|first| {
            let since = (self.now - *first).to_std().unwrap_or_default().clamp(LATELY[0], LATELY[1]);
            let recent = |at: &&Wall| (self.now - **at).to_std().unwrap_or_default() <= since;
            (self.ended.iter().filter(recent).count() as f64, since.as_secs_f64() / 60.0)
        });
        let group = |run: &Run| Group {
            machines: 1.0,
            next: self.minutes(run.next),
            within: run.latest.map(|latest| minutes(latest - run.next)),
            always_on: run.always_on,
        };
        Known {
            timed: self.runs.iter().map(group).collect(),
            running: self.running as f64,
            open: self.open as f64,
            silent: self.silent.map(|n| n as f64),
            ended: [self.done as f64, self.failed as f64],
            lately,
            takes: self.takes().as_secs_f64() / 60.0,
            whatever_comes: false,
        }
    }

    /// When those that say when they run will have run, as they say it: sorted, each once.
    fn times(&self) -> Vec<Wall> {
        let takes = TimeDelta::from_std(self.takes()).unwrap_or_default();
        let ends = |at: Wall| at.checked_add_signed(takes).unwrap_or(Wall::MAX_UTC);
        let both = |run: &Run| [Some(run.next), run.latest];
        let farthest = later(self.now, FARTHEST);
        let times = self.runs.iter().flat_map(both).flatten().map(ends);
        let mut times: Vec<Wall> = times.filter(|at| *at <= farthest).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole numbers of machines
    fn points(&self, known: &Known, times: &[Wall]) -> Vec<Point> {
        let after: Vec<f64> = times.iter().map(|at| self.minutes(*at)).collect();
        let point = |(at, (low, high)): (&Wall, (f64, f64))| Point {
            at: *at,
            done_low: self.done + low as u64,
            done_high: self.done + high as u64,
        };
        times.iter().zip(known.ranges(&after)).map(point).collect()
    }
}

/// The curve of a job, at the times at which those that say so run. Nothing where nobody says when.
pub fn expected(seen: &Seen<'_>) -> Vec<Point> {
    let times = some_of(&seen.times(), POINTS);
    if times.is_empty() { Vec::new() } else { seen.points(&seen.known(), &times) }
}

/// What comes before a curve, to stand beside what comes: those of which nobody says when do not wait for the first that says.
pub fn before(seen: &Seen<'_>, curve: &[Point]) -> Vec<Point> {
    let Some(first) = curve.first() else { return Vec::new() };
    let until = later(seen.now, KEPT).min(first.at);
    let times = std::iter::successors(seen.now.checked_add_signed(APART), |at| at.checked_add_signed(APART));
    let times: Vec<Wall> = times.take_while(|at| *at < until).collect();
    if times.is_empty() {
        return Vec::new();
    }
    let mut points = seen.points(&seen.known(), &times);
    for point in &mut points {
        point.done_low = point.done_low.min(first.done_low);
        point.done_high = point.done_high.min(first.done_high);
    }
    points
}

/// How a curve goes on, to stand beside what comes: for those that come later than they say.
pub fn beyond(seen: &Seen<'_>, curve: &[Point]) -> Vec<Point> {
    let Some(last) = curve.last() else { return Vec::new() };
    let until = later(seen.now, KEPT);
    let times = std::iter::successors(last.at.checked_add_signed(APART), |at| at.checked_add_signed(APART));
    let times: Vec<Wall> = times.take_while(|at| *at <= until).collect();
    let mut points = seen.points(&seen.known(), &times);
    for point in &mut points {
        point.done_low = point.done_low.max(last.done_low);
        point.done_high = point.done_high.max(last.done_high);
    }
    points
}

/// So many of these at most, evenly among them and with the last one.
fn some_of(times: &[Wall], most: usize) -> Vec<Wall> {
    let step = times.len().div_ceil(most).max(1);
    let last = times.len().saturating_sub(1);
    let chosen = times.iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last);
    chosen.map(|(_, at)| *at).collect()
}

#[allow(clippy::cast_precision_loss)]
fn minutes(time: TimeDelta) -> f64 {
    time.num_seconds() as f64 / 60.0
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

/// When this share of those that can run have run, with success or without, in eight of ten cases: at the earliest, and at
/// the latest where that can be said. Those that run and those that say when they do are the ones that can.
pub fn reached(seen: &Seen<'_>, share: f64) -> Option<(Wall, Option<Wall>)> {
    let all = seen.done + seen.failed + seen.running + seen.runs.len() as u64;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let wanted = ((all as f64 * share).ceil() as u64).saturating_sub(seen.done + seen.failed);
    let times = seen.times();
    // It is reached already, or nobody says when: there is nothing to foretell.
    let last = times.last().filter(|_| wanted > 0)?;
    let mut looks = some_of(&times, LOOKS);
    looks.extend(TAIL.iter().filter_map(|hours| last.checked_add_signed(TimeDelta::hours(*hours))));
    let known = Known { open: 0.0, silent: [0.0; 2], whatever_comes: true, ..seen.known() };
    let curve = seen.points(&known, &looks);
    let first = |of: fn(&Point) -> u64| curve.iter().find(|point| of(point) >= seen.done + wanted);
    Some((first(|point| point.done_high)?.at, first(|point| point.done_low).map(|point| point.at)))
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

    fn run(next: i64, latest: Option<i64>) -> Run {
        Run { next: at(next), latest: latest.map(at), always_on: true }
    }

    fn seen(runs: &[Run]) -> Seen<'_> {
        let took = Some(Duration::from_secs(600));
        Seen { now: at(0), done: 900, ended: &[], took, failed: 0, running: 0, runs, open: 0, silent: [0, 0] }
    }

    #[test]
    fn a_curve_goes_through_what_machines_say_and_stays_near_it_where_nothing_else_is_known() {
        let runs: Vec<Run> = (0..100).map(|n| run(60 + n % 2 * 600, Some(60 + n % 2 * 600))).collect();
        let curve = expected(&seen(&runs));
        let points: Vec<(Wall, u64, u64)> = curve.iter().map(|p| (p.at, p.done_low, p.done_high)).collect();
        let [(first, low, high), (second, .., all)] = points[..] else { panic!("{points:?}") };
        assert_eq!((first, second), (at(70), at(670)), "when their runs have ended");
        assert!(
            (930..=950).contains(&high) && (900..high).contains(&low) && (980..=1_000).contains(&all),
            "{points:?}"
        );
        // What waits for somebody, and what is silent, widens it at the top.
        let more = expected(&Seen { open: 50, silent: [50, 0], ..seen(&runs) });
        assert!(
            more[1].done_high > all + 10 && more[1].done_low <= curve[1].done_low + 20,
            "{more:?} {points:?}"
        );
        // Where half fails, not all can be done.
        let failing = expected(&Seen { failed: 900, ..seen(&runs) });
        assert!(failing[1].done_high < 970 && failing[1].done_high > 930, "{failing:?}");
        assert!(expected(&seen(&[])).is_empty());
        // One that never comes takes nobody's room.
        let far = [&runs[..], &[Run { next: Wall::MAX_UTC, latest: Some(Wall::MAX_UTC), always_on: true }]]
            .concat();
        let times = |runs: &[Run]| expected(&seen(runs)).iter().map(|point| point.at).collect::<Vec<_>>();
        assert_eq!(times(&far), times(&runs));
    }

    #[test]
    fn one_machine_at_the_end_of_time_takes_no_other_one_out_of_the_forecast() {
        let runs: Vec<Run> = (0..9_999).map(|n| run(60 + n % 600, Some(90 + n % 600))).collect();
        let never = Run { next: Wall::MAX_UTC, latest: Some(Wall::MAX_UTC), always_on: true };
        let late = Run { latest: Some(Wall::MAX_UTC), ..run(659, None) };
        let plain = expected(&seen(&runs));
        for strange in [never, late] {
            let with = expected(&seen(&[&runs[..], &[strange]].concat()));
            assert_eq!(with.len(), plain.len());
            for (with, plain) in with.iter().zip(&plain) {
                let near = |a: u64, b: u64| a.abs_diff(b) <= 10;
                assert!(
                    near(with.done_low, plain.done_low) && near(with.done_high, plain.done_high),
                    "{strange:?}: {with:?}, without it {plain:?}"
                );
            }
        }
    }

    #[test]
    fn most_have_run_between_two_times_and_nothing_is_foretold_of_what_is_reached() {
        let runs: Vec<Run> = (0..100).map(|n| run(60 + n, Some(120 + n))).collect();
        let (earliest, latest) = reached(&seen(&runs), 0.97).unwrap();
        assert!(at(60) < earliest && earliest <= at(240) && latest.is_some_and(|latest| latest > earliest));
        assert_eq!(reached(&seen(&runs), 0.9), None, "it is already");
        assert_eq!(reached(&seen(&[]), 0.95), None);
        // Those that fail have run, too.
        let failed = Seen { done: 0, failed: 900, ..seen(&runs) };
        assert_eq!(reached(&failed, 0.97), Some((earliest, latest)));
    }

    #[test]
    fn those_of_which_nobody_says_when_come_before_the_first_that_says() {
        let runs = [run(3 * 1_440, None)];
        let seen = Seen { open: 100, silent: [100, 0], running: 20, ..seen(&runs) };
        let curve = expected(&seen);
        let early = before(&seen, &curve);
        let a_day_later = early.iter().rfind(|point| point.at <= at(1_440)).unwrap();
        assert!(a_day_later.done_high > 950 && a_day_later.done_low > 910, "{a_day_later:?}");
        assert!(a_day_later.done_high <= curve[0].done_high);
        assert!(before(&seen, &[]).is_empty());
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
            runs in prop::collection::vec((0..10_000_i64, prop::option::of(0..10_000_i64), any::<bool>()), 0..300),
            [failed, running, open, lately, longer] in [0..300_u64, 0..300, 0..300, 0..300, 0..300],
            ended in prop::collection::vec(-10_000..5_i64, 0..20),
            took in prop::option::of(0..100_000_u64),
        ) {
            let run = |(next, more, always_on): (i64, Option<i64>, bool)| {
                Run { next: at(next), latest: more.map(|m| at(next + m)), always_on }
            };
            let runs: Vec<Run> = runs.into_iter().map(run).collect();
            let ended: Vec<Wall> = ended.into_iter().map(at).collect();
            let took = took.map(Duration::from_secs);
            let silent = [lately, longer];
            let seen = Seen { now: at(0), done, ended: &ended, took, failed, running, runs: &runs, open, silent };
            let curve = expected(&seen);
            prop_assert!(curve.len() <= POINTS + 1);
            prop_assert_eq!(curve.is_empty(), runs.is_empty());
            let early = before(&seen, &curve).into_iter();
            let whole: Vec<Point> = early.chain(curve.iter().copied()).chain(beyond(&seen, &curve)).collect();
            prop_assert!(whole.len() <= POINTS + 1 + 16, "{}", whole.len());
            for pair in whole.windows(2) {
                prop_assert!(pair[0].at < pair[1].at);
                prop_assert!(pair[0].done_low <= pair[1].done_low && pair[0].done_high <= pair[1].done_high);
            }
            for point in &whole {
                prop_assert!(point.at >= at(0));
                prop_assert!(done <= point.done_low && point.done_low <= point.done_high);
                prop_assert!(point.done_high <= done + runs.len() as u64 + running + open + lately + longer);
            }
            if let Some((earliest, latest)) = reached(&seen, 0.95) {
                prop_assert!(earliest >= at(0) && latest.is_none_or(|latest| latest >= earliest));
            }
        }
    }
}
