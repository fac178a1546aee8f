//! Whether a job may reach its next machines (SITE.md 3): Wald's sequential test with two failures of margin, which may be
//! looked at after every result. Whatever is missing counts against going on. Numbers in, an answer out; pure.

use crate::site::index::job::Limits;
use crate::site::index::target::{WHOLE, percent};
use crate::terms::words;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// What is known of a phase. Each machine is counted in one of `ended`, `running`, `silent`, or only in `machines`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The machines of the phase.
    pub machines: u64,
    /// For so many of them it has ended, whenever that was.
    pub ended: u64,
    /// So many of those ended since the job was resumed last, with success or without.
    pub n: u64,
    /// So many of those without success.
    pub f: u64,
    /// On so many it runs.
    pub running: u64,
    /// So many say nothing that can be counted.
    pub silent: u64,
    /// So many of the ended have nothing to do: they are done, and nothing can be learnt from them.
    pub nothing: u64,
    /// So many of the ended were stopped by an operator, which says nothing of the package.
    pub stopped: u64,
    /// So many of the machines were reached by an earlier phase already.
    pub earlier: u64,
    /// So many of the ended are among those.
    pub earlier_ended: u64,
}

words!(
    /// What the gate says of a phase.
    Answer {
        /// Too many failed: nothing more starts.
        Halt = "halt",
        /// The failure rate is below its limit: on to the next phase.
        GoOn = "go on",
        /// All have ended and the rate is within its limit, but so few cannot prove it: on to the next phase.
        AsSeen = "as seen",
        /// Nothing proceeds.
        Undecided = "undecided",
    }
);

/// What a phase lacks before the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// Its time has not come.
    Time,
    /// Nothing has ended since the job was resumed.
    Results,
    /// So many more machines have to end without a failure.
    Proof(u64),
    /// It has too few machines to prove the limit, and not all of them have ended.
    All,
    /// All of them have ended, more of them without success than the limit allows, and too few to halt.
    Rate,
    /// So many were stopped by an operator.
    Stopped(u64),
    /// So many ended before the job was resumed.
    Before(u64),
    /// Of the machines that this phase adds too few have ended: so many are wanted.
    Ended(u64),
    /// More of its machines are silent than may be: so many.
    Silent(u64),
}

/// What the gate says, and what is missing where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its word.
    pub answer: Answer,
    /// What is missing for going on; nothing where it goes on or halts.
    pub lacks: Vec<Lacks>,
}

const ALL: u64 = WHOLE as u64;

/// Judges a phase. `due`: the time of the next one has come.
pub fn judge(counts: &Counts, limits: &Limits, due: bool) -> Judged {
    let &Counts { machines, ended, n, f, silent, nothing, stopped, .. } = counts;
    let limit = u64::from(limits.max_failure_rate);
    let halts = if limit == 0 { f > 0 } else { f * ALL >= 2 * ALL + limit * n };
    if halts {
        return Judged { answer: Answer::Halt, lacks: Vec::new() };
    }
    let mut lacks = Vec::new();
    if !due {
        lacks.push(Lacks::Time);
    }
    // Nobody is in it, or all of them have nothing to do: there is nobody to wait for.
    if machines == nothing {
        let answer = if due { Answer::AsSeen } else { Answer::Undecided };
        return Judged { answer, lacks };
    }
    if n == 0 {
        lacks.push(Lacks::Results);
    }
    let within = f * ALL <= limit * n;
    // Whoever has something to do has done it since the job was resumed.
    let seen = ended == machines && n + nothing >= machines && within;
    if seen && lacks.is_empty() && needs(counts, limits) != Some(0) {
        return Judged { answer: Answer::AsSeen, lacks };
    }
    if !seen {
        // If every machine that is left does well.
        let best = Counts { n: n + machines.saturating_sub(ended), running: 0, ..*counts };
        match needs(counts, limits) {
            Some(0) => {}
            Some(more) if needs(&best, limits) == Some(0) => lacks.push(Lacks::Proof(more)),
            Some(_) | None => {
                if ended < machines {
                    lacks.push(Lacks::All);
                } else if !within {
                    lacks.push(Lacks::Rate);
                }
                let before = ended.saturating_sub(n + nothing + stopped);
                if stopped > 0 {
                    lacks.push(Lacks::Stopped(stopped));
                }
                if before > 0 && n > 0 {
                    lacks.push(Lacks::Before(before));
                }
            }
        }
    }
    let (added, new) = added(counts);
    let wanted = (added * u64::from(limits.min_ended)).div_ceil(ALL);
    if new < wanted {
        lacks.push(Lacks::Ended(wanted));
    }
    if silent * ALL > machines * u64::from(limits.max_silent) {
        lacks.push(Lacks::Silent(silent));
    }
    let answer = if lacks.is_empty() { Answer::GoOn } else { Answer::Undecided };
    Judged { answer, lacks }
}

/// The machines that a phase adds to those of the phases before it, and how many of them have ended: who ended long ago says
/// nothing of who has just begun.
fn added(counts: &Counts) -> (u64, u64) {
    let Counts { machines, ended, earlier, earlier_ended, .. } = counts;
    (machines.saturating_sub(*earlier), ended.saturating_sub(*earlier_ended))
}

/// How many more machines have to end without a failure until the rate is proven to be below its limit; None: no number of
/// them would, where no failure is allowed.
pub fn needs(counts: &Counts, limits: &Limits) -> Option<u64> {
    let limit = u64::from(limits.max_failure_rate);
    if limit == 0 {
        return None;
    }
    // Whatever runs may fail.
    let against = (counts.f + counts.running + 2) * ALL;
    Some(against.div_ceil(limit).saturating_sub(counts.n + counts.running))
}

/// How many machines a phase needs to prove a limit; None: no number does.
pub fn provable_from(limits: &Limits) -> Option<u64> {
    needs(&Counts::default(), limits)
}

/// The highest failure rate that so many failures leave possible, at 95 %, from 0 to 1.
pub fn could_be(f: u64, n: u64) -> f64 {
    if f >= n {
        return 1.0;
    }
    // Where so few failures would be seen once in twenty times.
    let ways = ways(f, n);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if at_most(f, n, ways, middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// The failure rates that so many failures leave possible, at 90 % (Clopper and Pearson: exact, and never too narrow), from 0
/// to 1: one in twenty is below the first, one in twenty above the second.
pub fn bounds(f: u64, n: u64) -> (f64, f64) {
    if f == 0 {
        return (0.0, could_be(f, n));
    }
    // Where so many failures would be seen once in twenty times.
    let ways = ways(f - 1, n);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if 1.0 - at_most(f - 1, n, ways, middle) < 0.05 { low = middle } else { high = middle }
    }
    (low, could_be(f, n))
}

/// In how many ways `f` of `n` fail, as a logarithm.
#[allow(clippy::cast_precision_loss)] // numbers of machines are small
fn ways(f: u64, n: u64) -> f64 {
    (0..f.min(n.saturating_sub(f))).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum()
}

/// How probable at most `f` failures among `n` are at this rate, where `f` of them fail in so many ways. Summed from `f` on to the
/// side on which each number is less probable than the one before, until nothing is added any more: of 100,000 machines some
/// hundred numbers count.
#[allow(clippy::cast_precision_loss)] // numbers of machines are small
fn at_most(f: u64, n: u64, ways: f64, rate: f64) -> f64 {
    if f >= n {
        return 1.0;
    }
    let (some, all, odds) = (f as f64, n as f64, rate / (1.0 - rate));
    let exactly = (ways + some * rate.ln() + (all - some) * (-rate).ln_1p()).exp();
    let more = |i: u64| (n - i) as f64 / (i + 1) as f64 * odds;
    if some < all * rate {
        exactly + sum(exactly, (0..f).rev().map(|i| 1.0 / more(i)))
    } else {
        1.0 - sum(exactly, (f..n).map(more))
    }
}

/// The sum of what comes after this, each so many times the one before, as long as that adds anything.
fn sum(first: f64, times: impl Iterator<Item = f64>) -> f64 {
    let (mut term, mut sum) = (first, 0.0);
    for times in times {
        term *= times;
        if sum + term <= sum {
            break;
        }
        sum += term;
    }
    sum
}

/// `9.1`, `5`, `0.02`: a share in percent, as it is said.
#[allow(clippy::cast_precision_loss)] // numbers of machines are small
pub fn rate(f: u64, n: u64) -> String {
    let text = format!("{:.1}", if n == 0 { 0.0 } else { f as f64 * 100.0 / n as f64 });
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How the reason of a job begins that a gate suspended.
const HALTED: &str = "halted: ";

/// Whether a gate suspended a job, by its reason.
pub fn is_halt(reason: &str) -> bool {
    reason.starts_with(HALTED)
}

/// The reason somebody gives for a job that is suspended already: that a gate halted it stays in front, until it is resumed or
/// cancelled.
pub fn with_halt(before: &SafeText, given: &SafeText) -> SafeText {
    match before.as_str().split(';').next().filter(|first| is_halt(first)) {
        Some(halt) => SafeText::new(&format!("{halt}; {given}")),
        None => given.clone(),
    }
}

/// Why a job was halted, as its machines show it: `halted: 9.1 % of 454 failed, limit 5 %`.
pub fn halted(counts: &Counts, limits: &Limits) -> String {
    let Counts { n, f, .. } = counts;
    format!("{HALTED}{} % of {n} failed, limit {} %", rate(*f, *n), percent(limits.max_failure_rate))
}

/// What is known of the failures: `0 of 18 failed, could be 15 %`.
pub fn known(counts: &Counts) -> String {
    let Counts { n, f, .. } = counts;
    match n {
        0 => "nothing has ended yet".to_owned(),
        _ => format!("{f} of {n} failed, could be {:.0} %", could_be(*f, *n) * 100.0),
    }
}

/// What is left where machines prove nothing and never will.
const WORD: &str = "send the job again, or advance it with --now --reason R";

/// What is missing in words; the time is said by whoever has a clock.
pub fn missing(lacks: Lacks, counts: &Counts, limits: &Limits) -> String {
    let machines = counts.machines;
    match lacks {
        Lacks::Time => "its time has not come".to_owned(),
        Lacks::Results => "nothing has ended since it began or was resumed".to_owned(),
        Lacks::Proof(more) => format!("{more} more without a failure"),
        Lacks::All => {
            let limit = percent(limits.max_failure_rate);
            format!("all of the {machines} have to end, which are too few to prove {limit} %")
        }
        Lacks::Rate => {
            let Counts { n, f, .. } = counts;
            let limit = percent(limits.max_failure_rate);
            format!("all have ended, and {f} of {n} failed, which is more than {limit} %")
        }
        Lacks::Stopped(stopped) => {
            format!("{stopped} of {machines} were stopped by an operator, which proves nothing: {WORD}")
        }
        Lacks::Before(before) => {
            format!("{before} of {machines} ended before the job was resumed, which proves nothing: {WORD}")
        }
        Lacks::Ended(wanted) => match (counts.earlier, added(counts)) {
            (0, _) => format!("{} of {machines} have ended, and {wanted} have to", counts.ended),
            (_, (added, new)) => {
                format!("{new} of the {added} that this phase adds have ended, and {wanted} have to")
            }
        },
        Lacks::Silent(silent) => {
            let most = machines * u64::from(limits.max_silent) / ALL;
            format!("{silent} of {machines} are silent, and {most} may be")
        }
    }
}

#[cfg(test)]
mod tests;
