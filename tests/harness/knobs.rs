//! How much is done, and the chance with which it is chosen.

use std::io::Write;

/// Everything, however long it takes.
pub fn full() -> bool {
    std::env::var("PCM_HARNESS").is_ok_and(|v| v == "full")
}

/// A number from the environment, or what the form says.
pub fn number(name: &str, bounded: usize, in_full: usize) -> usize {
    let form = if full() { in_full } else { bounded };
    std::env::var(name).map_or(form, |v| v.parse().unwrap_or_else(|e| panic!("{name}={v}: {e}")))
}

pub fn seed() -> u64 {
    number("PCM_HARNESS_SEED", 1, 1) as u64
}

/// Figures are to be seen although the test passes: only the macros' output is captured.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "harness: {line}");
}

/// splitmix64: small, and the same everywhere.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// `n` of them, evenly spread over their order, with a seeded place in each stretch.
pub fn spread<T: Clone>(all: &[T], n: usize, chance: &mut Chance) -> Vec<T> {
    if n >= all.len() {
        return all.to_vec();
    }
    (0..n)
        .map(|i| {
            let (from, to) = (i * all.len() / n, (i + 1) * all.len() / n);
            all[from + chance.below((to - from) as u64) as usize].clone()
        })
        .collect()
}
