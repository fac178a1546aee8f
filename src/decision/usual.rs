//! How long runs take: what is assumed of it, and the usual times on this machine, from those that succeeded before.

use super::attempt::Attempt;
use crate::clock::{Wall, between};
use crate::site::ids::{PackageId, RequestId};
use crate::site::instruction::Request;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So many of the newest count.
const NEWEST: usize = 5;

/// How long runs take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunTime {
    /// As long as they may: `max_run_time`.
    #[default]
    Longest,
    /// From as long as they took before here, to as long as they may: the earliest times and the latest.
    Usual,
    /// No time at all.
    Nothing,
    /// This long, or as long as they may where that is less.
    About(Duration),
}

/// The usual time of each command of each package that was run before.
#[derive(Debug, Clone, Default)]
pub struct UsualTimes(BTreeMap<PackageId, BTreeMap<SafeText, Duration>>);

impl UsualTimes {
    /// The median of the newest successes of each. One look at every attempt there is.
    pub fn of(attempts: &BTreeMap<RequestId, Vec<Arc<Attempt>>>) -> UsualTimes {
        let mut places: BTreeMap<(PackageId, &SafeText), usize> = BTreeMap::new();
        let mut newest: Vec<Newest> = Vec::new();
        for attempts in attempts.values() {
            // Those of one request are nearly always of one command: it is looked up once, not for each of thousands.
            let mut last = None;
            for attempt in attempts.iter().filter(|attempt| attempt.state.is_success()) {
                let (Some(from), Some(until)) = (attempt.started_at, attempt.ended_at) else { continue };
                let which = (attempt.package_id, &attempt.command);
                let place = match last {
                    Some((known, place)) if known == which => place,
                    Some(_) | None => *places.entry(which).or_insert(newest.len()),
                };
                last = Some((which, place));
                if place == newest.len() {
                    newest.push(Newest::default());
                }
                newest[place].take(from, between(from, until));
            }
        }
        let mut usual = UsualTimes::default();
        for ((package, command), place) in places {
            usual.0.entry(package).or_default().insert(command.clone(), newest[place].median());
        }
        usual
    }

    /// What this one usually takes, and never more than it may; no time at all where it never ran here.
    pub fn get(&self, request: &Request) -> Duration {
        let usual = self.0.get(&request.package_id).and_then(|commands| commands.get(&request.command));
        usual.copied().unwrap_or_default().min(request.max_run_time)
    }
}

/// When the newest runs began and how long they took, oldest first.
#[derive(Default)]
struct Newest(Vec<(Wall, Duration)>);

impl Newest {
    fn take(&mut self, from: Wall, took: Duration) {
        let run = (from, took);
        let place = self.0.partition_point(|known| *known < run);
        self.0.insert(place, run);
        if self.0.len() > NEWEST {
            self.0.remove(0);
        }
    }

    /// Of two in the middle the shorter one: nothing starts before the earliest time that is named.
    fn median(&self) -> Duration {
        let mut took: Vec<Duration> = self.0.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        took.get(took.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }
}
