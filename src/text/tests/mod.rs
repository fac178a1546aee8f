#![allow(clippy::unwrap_used)]
mod cells;
pub(crate) mod hostile;
mod rules;
mod spoken;
mod when;

/// So many cases, `PCM_CASES` times as many where that is set; a failing one is printed, and becomes a test of its own instead of a file of seeds.
fn cases(cases: u32) -> proptest::prelude::ProptestConfig {
    let times = std::env::var("PCM_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let cases = cases.saturating_mul(times);
    proptest::prelude::ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}
