//! The simulation as tests: many seeds, and every mutant.

use super::world::Figures;
use super::{Focus, run};
use crate::executor::mutants::Mutant;
use std::time::Instant;

fn knob(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn steps() -> u32 {
    u32::try_from(knob("PCM_SIM_STEPS").unwrap_or(200)).unwrap()
}

/// Without a wish, so that every machine runs the same.
const SEEDS: u64 = 20;

#[test]
fn whatever_happens_no_promise_is_broken() {
    if let Some(seed) = knob("PCM_SIM_SEED") {
        match run(seed, steps(), None, None) {
            Ok(figures) => println!("seed {seed}: {figures:?}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let wanted = knob("PCM_SIM_SEEDS").unwrap_or(SEEDS);
    let first = knob("PCM_SIM_FIRST").unwrap_or(1);
    let clock = Instant::now();
    let mut figures = Figures::default();
    let mut seeds = 0;
    while seeds < wanted {
        match run(first + seeds, steps(), None, None) {
            Ok(more) => figures.add(&more),
            Err(failure) => panic!("{failure}"),
        }
        seeds += 1;
    }
    println!("simulation: {seeds} seeds of {} steps in {:?}: {figures:?}", steps(), clock.elapsed());
    assert!(seeds > 0 && figures.launches > 0 && figures.crashes > 0, "{figures:?}");
}

#[test]
fn every_deliberate_defect_is_caught() {
    let most = knob("PCM_SIM_SEEDS").unwrap_or(100);
    let mut caught = 0;
    for mutant in Mutant::ALL {
        // What each of them breaks is rare in a world where everything happens as often.
        let focus = match mutant {
            Mutant::RunsAtExpiry => Some(Focus::Instants),
            Mutant::RecordBeforeSync => Some(Focus::Ends),
            Mutant::RerunInterrupted | Mutant::StartedIgnored | Mutant::FolderNotSynced => {
                Some(Focus::At("gone"))
            }
            Mutant::LaunchWithoutGo => Some(Focus::At("ready")),
            Mutant::ReportForgotten => Some(Focus::At("write outbox")),
            _ => None,
        };
        let failure = (1..=most).find_map(|seed| run(seed, 120, Some(*mutant), focus).err());
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
