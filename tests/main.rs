//! All tests that run pcm from outside, in one binary: it is linked once, and no core waits for the last test of each part.
//! `cargo test --test all e2e::` runs one part. The map of the folders is tests/README.md.
#![allow(clippy::unwrap_used)]

mod common;
mod dependencies;

mod cli;
mod defects;
mod directions;
mod e2e;
mod harness;
mod pty;
mod ssh;
