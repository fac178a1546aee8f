//! What the run host sees of the tree that it owns while it waits for its end, and leaves in the run's folder for the
//! executor: a list of processes where nothing else holds them together, and whether the package appears to wait for
//! input that will never come (DEFECTS Q214448).

use super::run_folder::{RunFolder, Waits};
use crate::host::facts;
use crate::host::process::{Activity, Process, Tree};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::time::Duration;

/// A look at a large tree takes its time: there are this many times as long between two of them.
const REST: u32 = 20;
/// Between two looks at what the tree does.
const SAMPLE: Duration = Duration::from_secs(1);
/// What is still for this long, or for a quarter of its time limit if that is shorter, appears to wait.
const STILL: Duration = Duration::from_secs(120);

/// The looks so far.
#[derive(Debug)]
pub struct Lookout {
    /// What the folder says.
    seen: Vec<Process>,
    next_list: Duration,
    stillness: Stillness,
    next_sample: Duration,
    /// The folder says that it waits.
    said: bool,
}

impl Lookout {
    /// For a run with this time limit.
    pub fn new(limit: Duration) -> Self {
        Self {
            seen: Vec::new(),
            next_list: Duration::ZERO,
            stillness: Stillness { patience: STILL.min(limit / 4), quiet: None },
            next_sample: Duration::ZERO,
            said: false,
        }
    }

    /// Looks, if it is time; `ran` is the time since the launch, `output` what the package has written so far, in
    /// bytes. What cannot be written is written with the next look.
    pub fn look(&mut self, folder: &RunFolder, tree: &Tree, ran: Duration, output: u64) {
        let clock = facts::monotonic();
        if tree.is_open() && ran >= self.next_list {
            self.list(folder, tree);
            self.next_list = ran + facts::monotonic().since(clock) * REST;
        }
        if ran >= self.next_sample {
            self.sample(folder, tree, ran, output);
            let rest = facts::monotonic().since(clock) * REST;
            self.next_sample = ran + rest.max(SAMPLE.min(self.stillness.patience / 4));
        }
    }

    /// Keeps a list of what would be an orphan without a trace if this process were killed.
    fn list(&mut self, folder: &RunFolder, tree: &Tree) {
        let mut seen = tree.processes();
        seen.sort_unstable();
        if seen != self.seen && folder.write_seen(&seen).is_ok() {
            self.seen = seen;
        }
    }

    fn sample(&mut self, folder: &RunFolder, tree: &Tree, ran: Duration, output: u64) {
        let still = tree.activity().and_then(|activity| self.stillness.take(activity, output, ran));
        if still.is_some() != self.said {
            let waits = still.map(|still| Waits {
                since: TimeDelta::from_std(still.lasts).map_or_else(|_| facts::now(), |t| facts::now() - t),
                what: still.what,
            });
            self.said = match folder.write_waits(waits.as_ref()) {
                Ok(()) => waits.is_some(),
                Err(_) => self.said,
            };
        }
    }
}

/// Tells a package that waits for somebody from one that works: for a while it writes nothing, uses next to no
/// processor time, and the same process of it is blocked in a read. Knows no clock and no process.
#[derive(Debug)]
struct Stillness {
    patience: Duration,
    quiet: Option<Quiet>,
}

#[derive(Debug)]
struct Quiet {
    since: Duration,
    cpu: Duration,
    output: u64,
    reader: Process,
}

#[derive(Debug, PartialEq, Eq)]
struct Still {
    lasts: Duration,
    what: SafeText,
}

impl Stillness {
    /// Takes what was seen at `ran`; what it is if it has been still for long enough.
    fn take(&mut self, activity: Activity, output: u64, ran: Duration) -> Option<Still> {
        let Some(blocked) = activity.blocked else {
            self.quiet = None;
            return None;
        };
        let quiet = self.quiet.take().filter(|quiet| {
            let lasts = ran.saturating_sub(quiet.since);
            // Somebody else in the tree may look at a clock now and then.
            let next_to_nothing = lasts / 200 + Duration::from_millis(20);
            quiet.output == output
                && quiet.reader == blocked.process
                && activity.cpu.saturating_sub(quiet.cpu) <= next_to_nothing
        });
        let quiet = self.quiet.insert(quiet.unwrap_or(Quiet {
            since: ran,
            cpu: activity.cpu,
            output,
            reader: blocked.process,
        }));
        let lasts = ran.saturating_sub(quiet.since);
        (lasts >= self.patience).then(|| Still {
            lasts,
            what: SafeText::new(&format!("{} ({}) {}", blocked.name, blocked.process.pid, blocked.on)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::process::Blocked;

    fn reading(pid: u32, cpu_ms: u64) -> Activity {
        let process = Process { pid, start_time: 1 };
        let blocked = Blocked { process, name: "sh".into(), on: "reads the terminal /dev/pts/3".into() };
        Activity { cpu: Duration::from_millis(cpu_ms), blocked: Some(blocked) }
    }

    fn stillness() -> Stillness {
        Stillness { patience: Duration::from_secs(120), quiet: None }
    }

    /// The second at which it first appears to wait, of an hour in which each second looks so.
    fn first(look: impl Fn(u64) -> (Activity, u64)) -> Option<u64> {
        let mut stillness = stillness();
        (0..3600).find(|second| {
            let (activity, output) = look(*second);
            stillness.take(activity, output, Duration::from_secs(*second)).is_some()
        })
    }

    #[test]
    fn one_that_reads_and_does_nothing_else_appears_to_wait_after_two_minutes() {
        assert_eq!(first(|_| (reading(7, 500), 10)), Some(120));
        assert_eq!(first(|second| (reading(7, 500), second.min(30))), Some(150), "after its last output");
        let mut stillness = stillness();
        stillness.take(reading(7, 0), 0, Duration::ZERO);
        let still = stillness.take(reading(7, 0), 0, Duration::from_secs(121)).unwrap();
        assert_eq!(still.what.as_str(), "sh (7) reads the terminal /dev/pts/3");
        assert_eq!(still.lasts, Duration::from_secs(121));
    }

    #[test]
    fn one_that_writes_works_or_sleeps_never_does() {
        assert_eq!(first(|second| (reading(7, 0), second)), None, "it writes");
        assert_eq!(first(|second| (reading(7, second * 10), 0)), None, "it uses a hundredth of a processor");
        assert_eq!(first(|second| (reading(second as u32, 0), 0)), None, "always another one reads");
        assert_eq!(first(|_| (Activity { blocked: None, ..reading(7, 0) }, 0)), None, "nothing of it reads");
    }

    #[test]
    fn one_that_looks_at_its_clock_now_and_then_still_appears_to_wait() {
        assert_eq!(first(|second| (reading(7, second * 2), 0)), Some(120));
    }

    #[test]
    fn what_goes_on_is_not_said_any_more() {
        let mut stillness = stillness();
        let mut at = |second, activity| stillness.take(activity, 0, Duration::from_secs(second)).is_some();
        assert!(!at(0, reading(7, 0)));
        assert!(at(130, reading(7, 0)));
        assert!(!at(131, Activity { blocked: None, ..reading(7, 0) }));
        assert!(!at(132, reading(7, 0)));
        assert!(at(252, reading(7, 0)));
    }
}
