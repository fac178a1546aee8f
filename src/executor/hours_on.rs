//! For how many hours of the last seven days this machine was on (SITE.md 5): how likely a package meets it. Since its boot,
//! as the system says, and before it as long as the service saw its clock go on. Pure: time is an argument.

use crate::clock::{Monotonic, Wall};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// In seconds.
const WEEK: i64 = 7 * 24 * 3_600;
/// A service that is awake looks at the clock more often; what is longer was sleep.
const GAP: Duration = Duration::from_secs(5 * 60);
/// The most times of being on that are kept: one that goes to sleep more often than that in a week is known for less time.
const MOST: usize = 200;

/// When this machine was on, as it is kept from one service to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoursOn {
    /// From then on it is known, in seconds since 1970; None: nothing is.
    since: Option<i64>,
    /// The boot of the newest reading.
    boot: String,
    /// From when to when it was on, the oldest first.
    on: Vec<(i64, i64)>,
    /// The newest readings of this process.
    #[serde(skip)]
    read: Option<(Wall, Monotonic)>,
}

impl HoursOn {
    /// As it was kept; what cannot be read says nothing.
    pub fn kept(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes a pair of readings of clocks that are believed: it is on now. What nobody saw of this very boot, while no
    /// service ran, counts as on.
    pub fn is_on(&mut self, now: Wall, mono: Monotonic, boot: &str) {
        let at = now.timestamp();
        let booted = at.saturating_sub(i64::try_from(mono.0.as_secs()).unwrap_or(i64::MAX));
        let goes_on = match self.read {
            Some((wall, before)) => {
                let passed = now - wall;
                let awake = TimeDelta::from_std(GAP).is_ok_and(|gap| passed <= gap);
                passed >= TimeDelta::zero() && awake && mono.since(before) <= GAP
            }
            None => self.boot == boot,
        };
        // What a clock said that was ahead.
        self.on.retain_mut(|(from, to)| {
            *to = (*to).min(at);
            from <= to && *to > at - WEEK
        });
        self.since = Some(self.since.map_or(booted, |since| since.min(at)));
        let ended = self.on.last().map_or(i64::MIN, |(_, to)| *to);
        match self.on.last_mut().filter(|_| goes_on) {
            Some((_, to)) => *to = at,
            None if self.read.is_some() => self.on.push((at, at)),
            None => self.on.push((booted.max(ended).min(at), at)),
        }
        if self.on.len() > MOST {
            let (_, to) = self.on.remove(0);
            self.since = self.since.max(Some(to));
        }
        boot.clone_into(&mut self.boot);
        self.read = Some((now, mono));
    }

    /// So many of the last seven days; None: not all of them are known.
    pub fn hours(&self, now: Wall) -> Option<u32> {
        let (from, to) = (now.timestamp() - WEEK, now.timestamp());
        if self.since? > from {
            return None;
        }
        let within = |(began, ended): &(i64, i64)| ((*ended).min(to) - (*began).max(from)).max(0);
        let on: i64 = self.on.iter().map(within).sum();
        u32::try_from((on + 1_800) / 3_600).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(minutes: i64) -> Wall {
        "2026-11-22T12:00:00Z".parse::<Wall>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn up(minutes: i64) -> Monotonic {
        Monotonic(Duration::from_secs(u64::try_from(minutes * 60).unwrap()))
    }

    /// The service sees each of these minutes of a boot that began with the minute 0.
    fn sees(on: &mut HoursOn, boot: &str, began: i64, minutes: std::ops::Range<i64>) {
        for minute in minutes {
            on.is_on(at(minute), up(minute - began), boot);
        }
    }

    /// As the next service takes it up.
    fn again(on: &HoursOn) -> HoursOn {
        HoursOn::kept(&on.text())
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn a_machine_that_was_booted_a_week_ago_was_on_all_of_it() {
        let mut on = HoursOn::default();
        assert_eq!(on.hours(at(0)), None, "nobody has looked");
        on.is_on(at(0), up(6 * DAY), "a");
        assert_eq!(on.hours(at(0)), None, "a day of it is not known");
        let mut on = HoursOn::default();
        on.is_on(at(0), up(8 * DAY), "a");
        assert_eq!(on.hours(at(0)), Some(168));
    }

    #[test]
    fn what_was_off_or_asleep_does_not_count_and_what_no_service_saw_of_a_boot_does() {
        let mut on = HoursOn::default();
        // Ten hours of each day, then it is switched off.
        for day in 0..8 {
            on = again(&on);
            sees(&mut on, &format!("boot {day}"), day * DAY, day * DAY + 5..day * DAY + 600);
        }
        let now = at(7 * DAY + 599);
        assert_eq!(on.hours(now), Some(70));
        // Another service of the same boot, two hours later.
        let mut later = again(&on);
        later.is_on(at(7 * DAY + 720), up(720), "boot 7");
        assert_eq!(later.hours(at(7 * DAY + 720)), Some(72), "two more");
        // It goes on with the same service, and slept.
        let mut slept = on.clone();
        slept.is_on(at(7 * DAY + 720), up(720), "boot 7");
        assert_eq!(slept.hours(at(7 * DAY + 720)), Some(70));
    }

    #[test]
    fn a_clock_that_was_ahead_leaves_nothing_of_the_future_and_what_is_kept_is_bounded() {
        let mut on = HoursOn::default();
        sees(&mut on, "a", -8 * DAY, 0..10);
        on.is_on(at(3 * DAY), up(8 * DAY + 10), "a");
        on.is_on(at(10), up(8 * DAY + 11), "a");
        assert_eq!(on.hours(at(10)), Some(168));
        assert!(on.on.iter().all(|(_, to)| *to <= at(10).timestamp()), "{on:?}");
        // Asleep every few minutes.
        for nap in 1..2_000 {
            on.is_on(at(10 + nap * 7), up(8 * DAY + 11 + nap * 7), "a");
        }
        assert!(on.on.len() <= MOST && on.text().len() < 8 << 10, "{}", on.on.len());
        assert_eq!(on.hours(at(14_010)), None, "not all of the week is known any more");
        assert_eq!(HoursOn::kept("{"), HoursOn::default());
    }
}
