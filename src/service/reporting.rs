//! When the machine report goes to the share (FORMATS.md 6, DEFECTS Q188042 Q140389): a change at once, otherwise once in
//! a polling interval with jitter; after a failure ever later. Time is an argument.

use crate::clock::{Monotonic, Wall};
use crate::site::ids::MachineId;
use crate::site::report::MachineReport;
use crate::text::SafeText;
use std::time::Duration;

/// After a failure the share is left alone this long; doubled each time, up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(15);

/// What was reported and what is to be.
pub struct Reporting {
    interval: Duration,
    /// Every machine has its own moment within the interval, so that 100,000 do not write at once.
    jitter: Duration,
    /// What the share holds, without its time stamps.
    delivered: Option<MachineReport>,
    next: Option<MachineReport>,
    under_way: bool,
    not_before: Monotonic,
    periodic: Monotonic,
    failures: u32,
}

impl Reporting {
    /// Nothing is reported yet.
    pub fn new(machine: Option<MachineId>, interval: Duration) -> Self {
        // FNV-1a over the id: spread evenly, the same at every start.
        let hash = machine.map(|id| {
            id.as_str().bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
        });
        let jitter = interval.mul_f64(f64::from(hash.unwrap_or(0) % 1000) / 4000.0);
        Self {
            interval,
            jitter,
            delivered: None,
            next: None,
            under_way: false,
            not_before: Monotonic::default(),
            periodic: Monotonic::default(),
            failures: 0,
        }
    }

    /// Another polling interval is in force; this machine's moment within it stays in proportion.
    pub fn set_interval(&mut self, interval: Duration) {
        if interval != self.interval && !self.interval.is_zero() {
            self.jitter = self.jitter.mul_f64(interval.as_secs_f64() / self.interval.as_secs_f64());
            self.interval = interval;
        }
    }

    /// Whether something is to be delivered now: results that wait, a change, or the time for it.
    pub fn wanted(&mut self, now: Monotonic, waiting: bool, make: impl FnOnce() -> MachineReport) -> bool {
        if self.under_way || now < self.not_before {
            return false;
        }
        let report = make();
        let changed = self.delivered.as_ref().is_none_or(|old| !old.says_the_same(&report));
        self.next = Some(report);
        waiting || changed || now >= self.periodic
    }

    /// The report to be delivered, as JSON.
    pub fn take(&mut self, now: Wall) -> Option<String> {
        let report = self.next.as_mut()?;
        report.reported_at = now;
        String::from_utf8(report.to_bytes().ok()?).ok()
    }

    /// It is on its way.
    pub fn started(&mut self) {
        self.under_way = true;
    }

    /// It has arrived or not; what the log should say about it.
    pub fn ended(&mut self, result: &Result<usize, SafeText>, now: Monotonic) -> Option<String> {
        self.under_way = false;
        match result {
            Ok(_) => {
                self.failures = 0;
                self.delivered = self.next.take();
                self.periodic = Monotonic(now.0 + self.interval.saturating_sub(self.jitter));
                None
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                let wait = FIRST_RETRY
                    .saturating_mul(1 << (self.failures - 1).min(16))
                    .min(self.interval.max(FIRST_RETRY));
                self.not_before = Monotonic(now.0 + wait);
                let wait = crate::text::duration(wait);
                Some(format!("The report did not reach the share ({why}); it is tried again in {wait}."))
            }
        }
    }
}
