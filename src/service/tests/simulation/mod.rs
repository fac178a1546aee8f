//! A seeded simulation of the whole service: the real engine, the real steps, the real history and the real decisions, in
//! a world of simulated clocks, files, processes and share that fails in every way it can. After every step the promises
//! are checked; a failure prints its seed and what happened last. How to run it longer: tests/README.md.

#![allow(clippy::unwrap_used)]

mod check;
mod disk;
mod driver;
mod hosts;
mod mutants;
mod share;
mod site;
mod store;
mod tests;
mod witness;
mod world;

use mutants::Mutant;
use std::ops::Deref;
use std::sync::Arc;
use world::{Figures, SimWorld};

/// The simulated world as the engine gets it.
pub struct World(pub Arc<SimWorld>);

impl Deref for World {
    type Target = SimWorld;
    fn deref(&self) -> &SimWorld {
        &self.0
    }
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub step: u32,
    pub what: Vec<String>,
    pub events: Vec<String>,
    pub figures: Figures,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        writeln!(
            f,
            "seed {} fails in step {}: repeat it with PCM_SIM_SEED={}",
            self.seed, self.step, self.seed
        )?;
        self.what.iter().try_for_each(|what| writeln!(f, "  {what}"))
    }
}

/// What happens more often than everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// Exact instants.
    Instants,
    /// Ends of packages, and power cuts after them.
    Ends,
    /// Deaths at the effect of this name.
    At(&'static str),
}

/// Runs one seed, with one of the deliberate defects where that is wanted.
pub fn run(
    seed: u64,
    steps: u32,
    mutant: Option<Mutant>,
    focus: Option<Focus>,
) -> Result<Figures, Box<Failure>> {
    driver::run(seed, steps, mutant, focus)
}
