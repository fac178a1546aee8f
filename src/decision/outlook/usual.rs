//! How long runs take: what is assumed of it, and the usual times on this machine, from those that succeeded before.

use super::super::model::Inputs;
use crate::clock::{Wall, between};
use crate::site::ids::PackageId;
use crate::site::instruction::{Entry, Request};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

/// The usual time of each command of each package that is published now and was run before.
#[derive(Default)]
pub(in super::super) struct UsualTimes<'a>(BTreeMap<(PackageId, &'a SafeText), Duration>);

impl<'a> UsualTimes<'a> {
    /// The median of the newest successes of each. One look at every attempt there is.
    pub fn of(inputs: &Inputs<'a>) -> UsualTimes<'a> {
        let entries = inputs.instructions.file.iter().flat_map(|file| &file.requests);
        let published = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some((request.package_id, &request.command)),
            Entry::Rejected(_) => None,
        });
        let places: BTreeMap<_, usize> = published.zip(0..).collect();
        let mut took: Vec<Vec<(Wall, Duration)>> =
            vec![Vec::new(); places.values().max().map_or(0, |n| n + 1)];
        for attempts in inputs.history.attempts.values() {
            // Those of one request are nearly always of one command: it is looked up once, not for each of thousands.
            let mut last = None;
            for attempt in attempts.iter().filter(|attempt| attempt.state.is_success()) {
                let which = (attempt.package_id, &attempt.command);
                let place = match last {
                    Some((known, place)) if known == which => place,
                    Some(_) | None => places.get(&which).copied(),
                };
                last = Some((which, place));
                if let (Some(place), Some(from), Some(until)) = (place, attempt.started_at, attempt.ended_at)
                {
                    took[place].push((until, between(from, until)));
                }
            }
        }
        let usual = places
            .into_iter()
            .filter_map(|(which, place)| Some((which, median_of_newest(std::mem::take(&mut took[place]))?)));
        UsualTimes(usual.collect())
    }

    /// What this one usually takes, and never more than it may; no time at all where it never ran here.
    pub fn get(&self, request: &Request) -> Duration {
        let usual = self.0.get(&(request.package_id, &request.command));
        usual.copied().unwrap_or_default().min(request.max_run_time)
    }
}

fn median_of_newest(mut all: Vec<(Wall, Duration)>) -> Option<Duration> {
    all.sort_unstable();
    let mut newest: Vec<Duration> = all.iter().rev().take(NEWEST).map(|(_, took)| *took).collect();
    newest.sort_unstable();
    // Of two in the middle the shorter one: nothing starts before the earliest time that is named.
    newest.get(newest.len().saturating_sub(1) / 2).copied()
}
