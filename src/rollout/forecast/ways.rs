//! The ways in which the rest of a rollout may go, and how many have run by when in eight of ten of them. Times are minutes
//! from now.
//!
//! What a machine foretells holds if nothing happens but time. What is not known is how much else happens, and that is the same
//! for many machines of a site at once: a fifth of it is switched off tonight, or nobody is. So this takes the same few unknowns
//! for all machines of a job, lets each of them be anything between bounds, spread evenly and always in the same way, and counts
//! what would come of it. It assumes:
//!
//! - a machine that says when it runs begins somewhere between its earliest and its latest time, and does not where it is off
//!   or busy then: one that was on all of last week seldom is, of any other one nothing is known; it then comes within days;
//! - one that waits for somebody to go, or for something that no clock brings, comes at the rate at which machines came of late,
//!   or within hours to days, and perhaps nobody comes before the next working day;
//! - one that fell silent within a day comes back as those do, one that is silent for longer seldom does;
//! - they fail as often as those have that ended, and where few have, that may be anything up to a third;
//! - a run takes half to nearly twice as long as those before.
//!
//! The bounds are such that hundreds of simulated jobs of many kinds (`simulated`) come out within the range in seven to nine
//! of ten cases. Whoever changes one of them looks at what that test prints.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // machines and minutes are small

/// So many ways.
const WAYS: usize = 64;
/// So many groups of machines that begin together.
const GROUPS: usize = 64;
/// Of ten, so many are below the range, and so many above it.
const TENTHS: (f64, f64) = (0.1, 0.9);
const DAY: f64 = 1_440.0;
/// Where nothing is known of when they begin at the latest.
const NO_LATEST: f64 = 60.0;

/// Machines that say when they run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    /// So many.
    pub machines: f64,
    /// They begin then at the earliest.
    pub next: f64,
    /// So long after that at the latest; None: that cannot be said.
    pub within: Option<f64>,
    /// They were on all of last week.
    pub always_on: bool,
}

/// What is known of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Those that say when they run.
    pub timed: Vec<Group>,
    /// So many run.
    pub running: f64,
    /// So many wait for what no clock brings.
    pub open: f64,
    /// So many fell silent within a day, and before.
    pub silent: [f64; 2],
    /// So many ended with success, and without.
    pub ended: [f64; 2],
    /// So many of the first were done in the last so many minutes.
    pub lately: Option<(f64, f64)>,
    /// How long a run takes.
    pub takes: f64,
    /// Whether they end with success is not asked.
    pub whatever_comes: bool,
}

/// One of the ways.
struct Way {
    /// So many of those that begin fail.
    failing: f64,
    /// How far between their earliest and their latest time they begin.
    pace: f64,
    /// So many do not begin then: of those that are not always on, and of those that are.
    slipping: [f64; 2],
    /// They come within about so long.
    days: f64,
    /// Before that nobody comes or goes.
    nobody: f64,
    /// So many of those that wait for somebody come in a minute.
    rate: f64,
    /// So many of the silent ones come back.
    back: f64,
    takes: f64,
    /// How each machine by itself makes it more or less than that.
    chance: f64,
}

impl Known {
    /// How many more are done by each of these times, in eight of ten ways: at least and at most.
    pub fn ranges(&self, times: &[f64]) -> Vec<(f64, f64)> {
        let groups = together(&self.timed);
        let timed: f64 = groups.iter().map(|group| group.machines).sum();
        let ways: Vec<Way> = (1..=WAYS).map(|n| self.way(n, timed)).collect();
        // All that could still be done.
        let possible = timed + self.running + self.open + self.silent[0] + self.silent[1];
        let mut before = (0.0_f64, 0.0_f64);
        let range = |at: &f64| {
            let mut more: Vec<f64> = ways.iter().map(|way| self.more(way, &groups, possible, *at)).collect();
            more.sort_by(f64::total_cmp);
            let nth = |part: f64| quantile(&more, part);
            // What was done stays done.
            before = (nth(TENTHS.0).floor().max(before.0), nth(TENTHS.1).ceil().max(before.1));
            before
        };
        times.iter().map(range).collect()
    }

    /// One of them, where so many say when they run.
    fn way(&self, n: usize, timed: f64) -> Way {
        let part = |base| spread(n, base);
        let failing = if self.whatever_comes { 0.0 } else { self.failing(normal(part(2))) };
        let usual = 1.0 / 900.0;
        let coming: f64 = self.lately.map_or(usual, |(done, minutes)| {
            let seen = (done + 0.5) / ((self.open + timed + done / 2.0 + 1.0) * minutes.clamp(60.0, DAY));
            (seen * usual).sqrt().max(1e-6)
        });
        Way {
            failing,
            pace: part(3).powf(1.3),
            slipping: [part(5), 0.35 * part(5) * part(5)],
            days: DAY * (0.3 + 1.2 * part(7)),
            nobody: 2.5 * DAY * ((part(23) - 0.4) / 0.6).max(0.0).powi(2),
            rate: coming * (1.3 * normal(part(11)) + 0.5).exp(),
            back: part(13),
            takes: self.takes * (0.5 + 1.2 * part(17)),
            chance: normal(part(19)),
        }
    }

    /// The failure rate that lies so far from what was seen: Wilson's bounds, with a few that nobody has seen.
    fn failing(&self, z: f64) -> f64 {
        let [good, bad] = self.ended;
        let (bad, all) = (bad + 0.3, good + bad + 4.0);
        let middle = bad + z * z / 2.0;
        let away = z * (bad * (all - bad) / all + z * z / 4.0).max(0.0).sqrt();
        ((middle + away) / (all + z * z)).clamp(0.0, 1.0)
    }

    /// How many more are done by then, of so many that could be, if it goes this way.
    fn more(&self, way: &Way, groups: &[Group], possible: f64, at: f64) -> f64 {
        let timed: f64 = groups.iter().map(|group| group.machines * way.begun(group, at)).sum();
        let open = self.open * came((at - way.takes - way.nobody) * way.rate);
        let [lately, longer] = self.silent;
        let silent = lately * way.back * came((at - way.nobody) / way.days * 2.0)
            + longer * way.back * 0.2 * came(at / way.days / 2.0);
        let running = self.running * (at / way.takes.max(1.0)).min(1.0);
        let more = (timed + open + silent + running) * (1.0 - way.failing);
        let alone = (more * (1.0 - more / possible.max(1.0))).max(0.0).sqrt();
        (more + 0.7 * way.chance * alone).clamp(0.0, possible)
    }
}

impl Way {
    /// How many of a group have run by then, of one.
    fn begun(&self, group: &Group, at: f64) -> f64 {
        let slipping = self.slipping[usize::from(group.always_on)];
        let begins = group.next + self.pace * group.within.unwrap_or(NO_LATEST);
        let as_told = if begins + self.takes <= at { 1.0 - slipping } else { 0.0 };
        as_told + slipping * came((at - group.next) / self.days)
    }
}

/// How many of one came, at a rate of one by this time.
fn came(time: f64) -> f64 {
    if time > 0.0 { 1.0 - (-time).exp() } else { 0.0 }
}

/// Those that begin at nearly the same times as one, where there are many.
fn together(all: &[Group]) -> Vec<Group> {
    let mut sorted = all.to_vec();
    let within = |group: &Group| group.within.unwrap_or(NO_LATEST);
    sorted.sort_by(|a, b| {
        a.always_on.cmp(&b.always_on).then(a.next.total_cmp(&b.next)).then(within(a).total_cmp(&within(b)))
    });
    let joined = |some: &[Group]| {
        // One that says the year 9999 takes nobody with it.
        let median = |of: &dyn Fn(&Group) -> f64| {
            let mut all: Vec<f64> = some.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[(all.len() - 1) / 2]
        };
        Group {
            machines: some.iter().map(|group| group.machines).sum(),
            next: median(&|group| group.next),
            within: Some(median(&within)),
            ..some[0]
        }
    };
    let most = sorted.len().div_ceil(GROUPS).max(1);
    sorted
        .chunk_by(|a, b| a.always_on == b.always_on)
        .flat_map(|alike| alike.chunks(most))
        .map(joined)
        .collect()
}

/// The nth of numbers that lie evenly between 0 and 1, by one of the bases that have nothing in common (Halton).
fn spread(n: usize, base: usize) -> f64 {
    let (mut n, mut step, mut at) = (n, 1.0, 0.0);
    while n > 0 {
        step /= base as f64;
        at += step * (n % base) as f64;
        n /= base;
    }
    at
}

/// So far from the middle, in standard deviations, lies what this part of all is below: the logistic curve is near enough.
fn normal(part: f64) -> f64 {
    (part / (1.0 - part)).ln() / 1.702
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(0.0)
}
