//! How many machines have launched when a halt is in force (SITE.md 5: a halt reaches nobody who has launched): a phase is
//! simulated machine by machine, with the turns that machines have, the gate, a timer and the time that reading takes.
#![allow(clippy::cast_precision_loss)]

use super::gate::{Answer, Counts, judge};
use crate::site::ids::MachineId;
use crate::site::index::job::Limits;
use std::time::Duration;

/// What is simulated.
struct Phase {
    machines: usize,
    /// Of a hundred.
    fail: u64,
    spread: Duration,
    /// The shortest and the longest run.
    runs: [Duration; 2],
    /// How often the timer comes, what it is late by at most, and how long reading and publishing take.
    every: Duration,
    late: Duration,
    takes: Duration,
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A number that follows from another one.
fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Phase {
    /// When each machine launches, when it has ended, and whether that failed.
    fn machines(&self) -> Vec<(Duration, Duration, bool)> {
        let [shortest, longest] = self.runs;
        let more = (longest - shortest).as_secs() + 1;
        (0..self.machines)
            .map(|n| {
                let id: MachineId = format!("BP0{n:05}").parse().expect("an id");
                let (launched, dice) = (id.part_of(self.spread), scattered(n as u64));
                let took = shortest + Duration::from_secs(dice % more);
                (launched, launched + took, scattered(dice) % 100 < self.fail)
            })
            .collect()
    }

    /// The share of its machines that has launched when the halt is in force, where the timer came first so long after the
    /// first of them could.
    fn launched(&self, machines: &[(Duration, Duration, bool)], first: Duration) -> f64 {
        let limits = Limits::default();
        let mut at = first;
        loop {
            let ended = machines.iter().filter(|(_, ended, _)| *ended <= at);
            let (n, f) = ended.fold((0, 0), |(n, f), (.., fails)| (n + 1, f + u64::from(*fails)));
            let counts = Counts { machines: self.machines as u64, ended: n, n, f, ..Counts::default() };
            if judge(&counts, &limits, false).answer == Answer::Halt {
                let in_force = at + self.takes;
                let launched = machines.iter().filter(|(launched, ..)| *launched <= in_force).count();
                return launched as f64 / self.machines as f64;
            }
            at += self.every + self.late;
            assert!(at < self.spread * 10, "nobody halts it");
        }
    }

    /// The largest and the mean share, whenever the timer comes.
    fn shares(&self) -> (f64, f64) {
        let step = Duration::from_secs(15);
        let offsets = (0..).map(|n| step * n).take_while(|offset| *offset <= self.every + self.late);
        let machines = self.machines();
        let shares: Vec<f64> = offsets.map(|offset| self.launched(&machines, offset)).collect();
        let most = shares.iter().copied().fold(0.0, f64::max);
        (most, shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

/// A phase of 50,000 of which 30 % fail, over an hour, with the timer that is installed.
#[test]
fn a_fifth_has_launched_at_most_when_the_halt_of_a_bad_phase_is_in_force() {
    let phase = |runs: [u64; 2], every: u64| Phase {
        machines: 50_000,
        fail: 30,
        spread: minutes(60),
        runs: runs.map(minutes),
        every: minutes(every),
        late: minutes(1),
        takes: Duration::from_secs(30),
    };
    let installed = u64::from(crate::cli::timer::MINUTES);
    for (runs, every) in [([1, 5], installed), ([2, 10], installed), ([5, 5], installed), ([1, 5], 15)] {
        let (most, mean) = phase(runs, every).shares();
        println!(
            "runs of {} to {} min, timer of {every} min: at most {:.1} % have launched, {:.1} % on average",
            runs[0],
            runs[1],
            most * 100.0,
            mean * 100.0
        );
        if every == installed {
            assert!(most <= 0.20, "{most}");
        }
    }
}
