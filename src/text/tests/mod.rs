#![allow(clippy::unwrap_used)]
mod cells;
mod hostile;
mod rules;
mod spoken;

/// So many cases; a failing one is printed, and becomes a test of its own instead of a file of seeds.
fn cases(cases: u32) -> proptest::prelude::ProptestConfig {
    proptest::prelude::ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}
