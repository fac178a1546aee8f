//! When results and the machine report go to the share (SITE.md 5, DEFECTS Q188042 Q140389): what changes at once, the
//! report otherwise at least as often as it says itself, with jitter; after a failure ever later, each of the two by its own time. A
//! result that waits takes the report along. Time is an argument.

use crate::clock::{Monotonic, Wall};
use crate::executor::share::deliver::Delivery;
use crate::executor::talk::view::Undelivered;
use crate::log::Level;
use crate::site::ids::MachineId;
use crate::site::report::MachineReport;
use crate::text::SafeText;
use std::path::PathBuf;
use std::time::Duration;

/// After a failure the share is left alone this long; doubled each time, up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(15);
/// What has not changed since is said in the log once in this time; `status` says it all the while.
const SAID_AGAIN: Duration = Duration::from_secs(86_400);

/// What was reported and what is to be.
pub struct Reporting {
    /// Of polling.
    interval: Duration,
    /// Every machine has its own moment within the time between two reports, so that 100,000 do not write at once.
    machine: Option<MachineId>,
    /// What the share holds, without its time stamps.
    delivered: Option<MachineReport>,
    next: Option<MachineReport>,
    under_way: bool,
    /// What is under way writes no report.
    looks: bool,
    /// When the place was last written to or looked at.
    seen: Monotonic,
    /// What stands there has to be replaced.
    again: bool,
    periodic: Monotonic,
    results: Tries,
    report: Tries,
    undelivered: Option<Undelivered>,
    /// What the log says of that, without the time of the next try, and since when.
    said: Option<(String, Monotonic)>,
    /// Where everything arrived last; None: nothing did, or not there for two intervals.
    place: Option<PathBuf>,
    arrived: Monotonic,
}

/// How often something has failed in a row, and when it is tried again.
#[derive(Default)]
struct Tries {
    failures: u32,
    not_before: Monotonic,
}

impl Tries {
    /// The wait until the next try, after a failure.
    fn ended(&mut self, failed: bool, most: Duration, now: Monotonic) -> Option<Duration> {
        if !failed {
            *self = Self::default();
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let wait = FIRST_RETRY.saturating_mul(1 << (self.failures - 1).min(16)).min(most.max(FIRST_RETRY));
        self.not_before = Monotonic(now.0 + wait);
        Some(wait)
    }
}

impl Reporting {
    /// Nothing is reported yet.
    pub fn new(machine: Option<MachineId>, interval: Duration) -> Self {
        Self {
            interval,
            machine,
            delivered: None,
            next: None,
            under_way: false,
            looks: false,
            seen: Monotonic::default(),
            again: false,
            periodic: Monotonic::default(),
            results: Tries::default(),
            report: Tries::default(),
            undelivered: None,
            said: None,
            place: None,
            arrived: Monotonic::default(),
        }
    }

    /// Another polling interval is in force.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Whether something is to be delivered now: results that wait, a change, or the time for it.
    pub fn wanted(&mut self, now: Monotonic, waiting: bool, make: impl FnOnce() -> MachineReport) -> bool {
        let results_due = waiting && now >= self.results.not_before;
        let report_may = now >= self.report.not_before;
        if self.under_way || !(results_due || report_may) {
            return false;
        }
        let report = make();
        let changed = self.delivered.as_ref().is_none_or(|old| !old.says_the_same(&report));
        self.next = Some(report);
        results_due || report_may && (changed || now >= self.periodic)
    }

    /// Whether a place that only reports go to is looked at now, as the shares are at every poll: another machine may write
    /// this one's report there.
    pub fn look_wanted(&self, now: Monotonic) -> bool {
        let after = self.interval.saturating_sub(self.jitter(self.interval));
        !self.under_way && now >= self.report.not_before && now.since(self.seen) >= after
    }

    fn jitter(&self, interval: Duration) -> Duration {
        self.machine.map(|id| id.part_of(interval / 4)).unwrap_or_default()
    }

    /// The report to be delivered, with its number, or why there is none: results go without it then.
    pub fn take(&mut self, now: Wall, number: Option<u64>) -> Result<Box<MachineReport>, SafeText> {
        let report = self.next.as_mut().ok_or("there is no report")?;
        (report.summary.reported_at, report.summary.report) = (now, number);
        Ok(Box::new(report.clone()))
    }

    /// What stands at these places is not what has to stand there: it is written anew and at once, where reports go there.
    pub fn report_again(&mut self, places: &[PathBuf]) {
        self.again |= places.iter().any(|place| self.place.as_ref().is_none_or(|goes| goes == place));
        self.begin_again();
    }

    /// One that is under way may have been made before that was known.
    fn begin_again(&mut self) {
        if self.again && !self.under_way {
            (self.again, self.delivered, self.report) = (false, None, Tries::default());
        }
    }

    /// There is no place to deliver to.
    pub fn nowhere(&mut self, why: &SafeText, now: Wall) {
        let since = self.undelivered.as_ref().map_or(now, |before| before.since);
        self.undelivered = Some(Undelivered { since, cause: why.clone(), refused: false });
    }

    /// Where it is to go: of these the one that took it last, until it has taken nothing for two intervals; then, or where
    /// there is none, to the first that can be written.
    pub fn places(&mut self, possible: Vec<PathBuf>, now: Monotonic) -> Vec<PathBuf> {
        let failing =
            self.undelivered.is_some() && now.since(self.arrived) >= self.interval.saturating_mul(2);
        self.place = self.place.take().filter(|place| !failing && possible.contains(place));
        self.place.as_ref().map_or(possible, |place| vec![place.clone()])
    }

    /// It is on its way.
    pub fn started(&mut self) {
        self.under_way = true;
    }

    /// A look is on its way, which writes no report.
    pub fn started_to_look(&mut self) {
        (self.under_way, self.looks) = (true, true);
    }

    /// Both have arrived or not; what the log should say about it.
    pub fn ended(&mut self, delivery: &Delivery, now: Wall, mono: Monotonic) -> Option<(Level, String)> {
        self.under_way = false;
        self.seen = mono;
        let looked = std::mem::take(&mut self.looks);
        let results = self.results.ended(delivery.results.is_err(), self.interval, mono);
        let report = self.report.ended(delivery.report.is_err(), self.interval, mono);
        if report.is_none() && !looked {
            self.delivered = self.next.take();
            let said = self.delivered.as_ref().map(|report| report.summary.heartbeat_s);
            let heartbeat = said.map_or(self.interval, Duration::from_secs);
            self.periodic = Monotonic(mono.0 + heartbeat.saturating_sub(self.jitter(heartbeat)));
        }
        self.begin_again();
        let (what, why) = match (&delivery.results, &delivery.report) {
            (Ok(_), Ok(())) => {
                self.place = delivery.place.clone();
                self.arrived = mono;
                let before = self.undelivered.take().zip(self.said.take());
                return before.map(|(before, _)| {
                    let took = crate::text::duration((now - before.since).to_std().unwrap_or_default());
                    (Level::Info, format!("Results and report reach the share again, after {took}."))
                });
            }
            // Why that is so is said where it is heard of.
            (Ok(_), Err(_)) if delivery.found.is_some() => return None,
            (Err(why), Ok(())) => ("Some results", why.clone()),
            (Ok(_), Err(why)) => ("The report", why.clone()),
            (Err(why), Err(same)) if why == same => ("Results and report", why.clone()),
            (Err(results), Err(report)) => ("Results and report", format!("{results}; {report}").into()),
        };
        let since = self.undelivered.as_ref().map_or(now, |before| before.since);
        self.undelivered = Some(Undelivered { since, cause: why.clone(), refused: delivery.refused });
        let wait = results.into_iter().chain(report).min().unwrap_or_default();
        let what = format!("{what} did not reach the share ({why})");
        // While the tries come ever later each is said; then it is one that goes on.
        let goes_on = |(said, at): &(String, Monotonic)| {
            *said == what && wait >= self.interval && mono.since(*at) < SAID_AGAIN
        };
        if self.said.as_ref().is_some_and(goes_on) {
            return None;
        }
        let line = format!("{what}; that is tried again in {}.", crate::text::duration(wait));
        self.said = Some((what, mono));
        Some((Level::Warning, line))
    }

    /// What has not arrived, since when, and why.
    pub fn undelivered(&self) -> Option<Undelivered> {
        self.undelivered.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    const HOUR: Duration = Duration::from_secs(3600);

    fn arrived() -> Delivery {
        let place = Some("/second".into());
        Delivery { results: Ok(0), report: Ok(()), place, stands: None, found: None, refused: false }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    /// It says something else for each number.
    fn report(serial: u64) -> MachineReport {
        let mut report = crate::site::report::tests::report(0);
        report.summary.serial = Some(serial);
        report
    }

    /// Asks at every second; the seconds at which something was delivered.
    fn delivered(reporting: &mut Reporting, seconds: u64, says: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut when = Vec::new();
        for second in 0..seconds {
            if reporting.wanted(at(second), false, || report(says(second))) {
                reporting.started();
                when.push(second);
                assert_eq!(reporting.ended(&arrived(), Wall::default(), at(second)), None);
            }
        }
        when
    }

    #[test]
    fn q140389_the_machines_of_a_site_report_at_moments_spread_over_the_interval() {
        let mut minutes: BTreeMap<u64, usize> = BTreeMap::new();
        for n in 0..3_000 {
            let machine = format!("BP0{n:05}").parse().unwrap();
            let mut reporting = Reporting::new(Some(machine), HOUR);
            // All were started at once; what counts is when each comes again.
            assert!(reporting.wanted(at(0), false, || report(1)));
            reporting.started();
            reporting.ended(&arrived(), Wall::default(), at(0));
            let next = reporting.periodic.0.as_secs();
            assert!(!reporting.wanted(at(next - 1), false, || report(1)));
            assert!(reporting.wanted(at(next + 1), false, || report(1)));
            *minutes.entry(next / 60).or_default() += 1;
        }
        let (most, first) = (minutes.values().max().unwrap(), minutes.keys().next().unwrap());
        assert!(minutes.len() >= 15 && *first >= 44, "in {} minutes, from minute {first}", minutes.len());
        assert!(*most < 3_000 / 15 * 3 / 2, "{most} of 3,000 in one minute");
    }

    #[test]
    fn q188042_a_change_is_reported_at_once_and_what_stays_only_once_in_an_interval() {
        let mut reporting = Reporting::new(None, HOUR);
        let when = delivered(&mut reporting, 7_300, |second| u64::from(second >= 100));
        assert_eq!(when, [0, 100, 3_700]);
    }

    #[test]
    fn what_stays_is_reported_as_often_as_the_report_says_itself() {
        let mut reporting = Reporting::new(None, HOUR);
        let beats = |hours: u64| {
            let mut report = report(1);
            report.summary.heartbeat_s = hours * 3_600;
            report
        };
        let mut when = Vec::new();
        for minute in 0..15 * 60 {
            // Something mandatory comes after seven hours, and is done an hour later.
            let hours = if (7 * 60..8 * 60).contains(&minute) { 1 } else { 6 };
            if reporting.wanted(at(minute * 60), false, || beats(hours)) {
                reporting.started();
                when.push(minute);
                reporting.ended(&arrived(), Wall::default(), at(minute * 60));
            }
        }
        assert_eq!(when, [0, 6 * 60, 7 * 60, 8 * 60, 14 * 60]);
    }

    #[test]
    fn q230242_a_share_that_refuses_is_asked_ever_less_often() {
        let mut reporting = Reporting::new(None, HOUR);
        let mut tried = Vec::new();
        let mut said = Vec::new();
        for second in 0..200_000 {
            if reporting.wanted(at(second), true, || report(second)) {
                reporting.started();
                tried.push(second);
                let refused = Delivery::failed(&"permission denied".into());
                if let Some((level, told)) = reporting.ended(&refused, Wall::default(), at(second)) {
                    assert!(told.contains("permission denied") && told.contains("tried again in"), "{told}");
                    assert_eq!(level, Level::Warning);
                    said.push(second);
                }
            }
        }
        let waits: Vec<u64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.windows(2).all(|pair| pair[1] == (pair[0] * 2).min(3_600)), "{waits:?}");
        assert_eq!((waits[0], *waits.last().unwrap()), (15, 3_600));
        // While it is tried ever later each is said, then one a day; another cause at once, and the end of it.
        assert_eq!(said[..8], tried[..8]);
        let days: Vec<u64> = said[7..].windows(2).map(|pair| (pair[1] - pair[0]) / 3_600).collect();
        assert_eq!(days, [24, 24]);
        let away = Delivery::failed(&"away".into());
        assert!(reporting.ended(&away, Wall::default(), at(200_000)).is_some());
        assert!(reporting.ended(&away, Wall::default(), at(200_001)).is_none());
        let later = Wall::default() + chrono::TimeDelta::days(2);
        let again = reporting.ended(&arrived(), later, at(200_002)).unwrap();
        assert_eq!(again, (Level::Info, "Results and report reach the share again, after 2d.".to_owned()));
        assert_eq!(reporting.ended(&arrived(), later, at(200_003)), None);
    }

    #[test]
    fn a_result_goes_at_once_while_the_report_is_refused_and_what_did_not_arrive_is_said() {
        let mut reporting = Reporting::new(None, HOUR);
        let refused =
            Delivery { results: Ok(0), report: Err("machines: read-only".into()), place: None, ..arrived() };
        let start: Wall = "2026-11-22T12:00:00Z".parse().unwrap();
        for (tried, second) in [0, 15, 45].into_iter().enumerate() {
            assert!(reporting.wanted(at(second), false, || report(1)));
            reporting.started();
            reporting.ended(&refused, start + chrono::TimeDelta::minutes(tried as i64), at(second));
            assert!(!reporting.wanted(at(second + 1), false, || report(2)));
        }
        let undelivered = reporting.undelivered().unwrap();
        assert_eq!((undelivered.since, undelivered.cause.as_str()), (start, "machines: read-only"));
        assert!(reporting.wanted(at(47), true, || report(2)), "a result does not wait for the report");
        reporting.started();
        reporting.ended(&arrived(), start, at(47));
        assert_eq!(reporting.undelivered(), None);
    }

    #[test]
    fn what_has_to_be_written_anew_is_written_at_once_also_after_a_delivery_that_was_under_way() {
        let mut reporting = Reporting::new(None, HOUR);
        let share = [PathBuf::from("/second")];
        let found = Delivery { report: Err("another one stands there".into()), place: None, ..arrived() };
        for delivery in [&arrived(), &found] {
            assert!(reporting.wanted(at(0), false, || report(1)));
            reporting.started();
            reporting.report_again(&share);
            reporting.ended(delivery, Wall::default(), at(0));
            assert!(reporting.wanted(at(0), false, || report(1)), "{delivery:?}");
        }
        reporting.started();
        reporting.ended(&arrived(), Wall::default(), at(0));
        assert!(!reporting.wanted(at(0), false, || report(1)));
        reporting.report_again(&share);
        assert!(reporting.wanted(at(0), false, || report(1)));
    }

    #[test]
    fn the_share_that_took_a_report_keeps_getting_them_until_two_intervals_have_failed() {
        let mut reporting = Reporting::new(None, HOUR);
        let possible = vec![PathBuf::from("/first"), PathBuf::from("/second")];
        assert_eq!(reporting.places(possible.clone(), at(0)), possible);
        reporting.ended(&arrived(), Wall::default(), at(100));
        assert_eq!(reporting.places(possible.clone(), at(9_000)), [PathBuf::from("/second")]);
        reporting.ended(&Delivery::failed(&"away".into()), Wall::default(), at(7_000));
        assert_eq!(reporting.places(possible.clone(), at(7_299)), [PathBuf::from("/second")]);
        assert_eq!(reporting.places(possible.clone(), at(7_300)), possible);
        reporting.ended(&arrived(), Wall::default(), at(7_400));
        assert_eq!(
            reporting.places(possible[..1].to_vec(), at(7_401)),
            possible[..1],
            "it is configured no more"
        );
    }
}
