//! The simulation as tests: many seeds, and every mutant.

use super::mutants::Mutant;
use super::run;
use super::world::Figures;
use std::time::Instant;

fn knob(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn steps() -> u32 {
    u32::try_from(knob("PCM_SIM_STEPS").unwrap_or(200)).unwrap()
}

/// A long run goes on after a failure, and shows more than one.
const MOST_FAILURES: usize = 10;

/// Without a wish, so that every machine runs the same.
const SEEDS: u64 = 20;

#[test]
fn whatever_happens_no_promise_is_broken() {
    if let Some(seed) = knob("PCM_SIM_SEED") {
        match run(seed, steps(), None, None) {
            Ok(figures) => println!("simulation: seed {seed}: {figures}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let wanted = knob("PCM_SIM_SEEDS").unwrap_or(SEEDS);
    let first = knob("PCM_SIM_FIRST").unwrap_or(1);
    let clock = Instant::now();
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    for seed in first..first + wanted {
        match run(seed, steps(), None, None) {
            Ok(more) => figures.add(&more),
            Err(failure) => {
                figures.add(&failure.figures);
                println!("{failure}");
                failed.push(seed);
            }
        }
        let seeds = seed + 1 - first;
        let last = seeds == wanted || failed.len() >= MOST_FAILURES;
        if last || seeds.is_multiple_of(1_000) {
            let (took, steps) = (clock.elapsed().as_secs_f64(), steps());
            let so_far = if last { "" } else { " so far" };
            println!(
                "simulation{so_far}: {seeds} seeds from {first} on, of {steps} steps, in {took:.0} s ({:.1} seeds/s): \
                 {figures}, {} seeds failed",
                seeds as f64 / took,
                failed.len()
            );
        }
        if last {
            break;
        }
    }
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
    assert!(figures.launches > 0 && figures.crashes > 0 && figures.double_runs == 0, "{figures}");
}

#[test]
fn every_deliberate_defect_is_caught() {
    let most = knob("PCM_SIM_SEEDS").unwrap_or(100);
    let mut caught = 0;
    for mutant in Mutant::ALL {
        let mut seeds = std::iter::once(mutant.found_in()).chain(1..=most);
        let failure = seeds.find_map(|seed| run(seed, 120, Some(*mutant), mutant.focus()).err());
        match failure {
            Some(failure) => {
                caught += 1;
                println!("{mutant:?}: seed {}, step {}: {}", failure.seed, failure.step, failure.what[0]);
            }
            None => println!("{mutant:?}: NOT CAUGHT within {most} seeds"),
        }
    }
    println!("{caught} of {} mutants caught", Mutant::ALL.len());
    assert_eq!(caught, Mutant::ALL.len());
}
