//! Every target on stable Rust: over its corpus, and over mutations that follow from a seed. `PCM_FUZZ=n` makes n
//! mutations of each file instead of a hundred, `PCM_FUZZ_TOTAL=n` as many of all files of a target together, `PCM_FUZZ_FIRST=n` begins
//! with another seed, and `PCM_FUZZ_ONLY=log,log_search` takes these targets alone.

use super::TARGETS;
use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that follow from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let n = u64::try_from(n.max(1)).unwrap();
        usize::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n).unwrap()
    }
}

/// What breaks readers, to be put anywhere.
const PIECES: &[&[u8]] = &[
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\"\"\"",
    b"=",
    b"[",
    b"]]",
    b"{",
    b"}",
    b",",
    b"\\",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"1e999",
    b"9999-12-31T23:59:60Z",
    b"../",
    b"\xcc\x81",
];

/// One change or a few, at any place.
fn mutated(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(3) {
        let from = dice.below(bytes.len() + 1);
        let until = (from + dice.below(16)).min(bytes.len());
        match dice.below(5) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..until)),
            2 => bytes.extend_from_within(from..until),
            3 => drop(bytes.splice(from..until, PIECES[dice.below(PIECES.len())].iter().copied())),
            _ => bytes[from..until].iter_mut().for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
    }
    bytes
}

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn no_reader_breaks_its_rules_on_its_corpus_and_what_comes_of_it() {
    let told = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let first = told("PCM_FUZZ_FIRST").unwrap_or(1).max(1);
    let only = std::env::var("PCM_FUZZ_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|one| one == name);
    for (name, target) in TARGETS.iter().filter(|(name, _)| wanted(name)) {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        let many = files.len() as u64;
        let rounds =
            told("PCM_FUZZ_TOTAL").map_or(told("PCM_FUZZ").unwrap_or(100), |total| total.div_ceil(many));
        for file in files {
            let seed = fs::read(&file).unwrap();
            target(&seed);
            for n in first..first + rounds {
                let bytes = mutated(&seed, &mut Dice(n));
                let tried = std::panic::catch_unwind(|| target(&bytes));
                assert!(tried.is_ok(), "{}, mutation {n}: {}", file.display(), bytes.escape_ascii());
            }
        }
        println!("fuzz: {name}: {} executions", many * (rounds + 1));
    }
}

/// The manifest of cargo-fuzz has the same targets.
#[test]
fn cargo_fuzz_knows_every_target() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    let bins: Vec<&str> = bins.map(|bin| bin["name"].as_str().unwrap()).collect();
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(bins, names);
}
