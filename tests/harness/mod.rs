//! The adversary: the real binary is killed and starved at its system calls, killed at random, and given the nastiest
//! packages there are. What has to hold (PROMISES.md P1, P2, P4, P6, P7, P15): whatever dies, a package runs at most once
//! per attempt and attempt 1 at most once ever, its end is known or honestly unknown, and nothing is lost.
//!
//! `cargo test --test all harness::` is the bounded form, about a minute and a half on two slow cores: a seeded sample. Longer:
//!
//! | variable | meaning | bounded | full |
//! | --- | --- | --- | --- |
//! | `PCM_HARNESS=full` | the column "full", and 10 GB of output | | |
//! | `PCM_HARNESS_POINTS=n` | system calls at which a process is killed | 30 | all, about 2,900 |
//! | `PCM_HARNESS_ERRORS=n` | system calls that fail, once and from then on | 30 | all, about 6,400 |
//! | `PCM_HARNESS_KILLS=n` | random `kill -9` | 60 | 2,000 |
//! | `PCM_HARNESS_DUE=n` | requests that are due at once while it is killed | 60 | 500 |
//! | `PCM_HARNESS_DUE_KILLS=n` | random `kill -9` among them | 20 | 300 |
//! | `PCM_HARNESS_FOLDS=n` | system calls at which a service dies that folds old details | 12 | all, about 70 |
//! | `PCM_HARNESS_SEED=n` | another sample | 1 | 1 |
//! | `PCM_HARNESS_THREADS=n` | points at once | 3 | 3 |
//! | `PCM_HARNESS_ONLY=text` | only points whose name contains it, `executor:fcntl` | | |
//! | `PCM_HARNESS_POINT=role:call:n:fault` | this point alone, as a failure prints it | | |
//!
//! For example `PCM_HARNESS=full cargo test --test all kill_at_every`. A point takes about 0.8 s, a random kill half
//! a second. Figures go to standard error even when all is well. Points are met in the first thread of each process; its
//! other threads (output, syncs) die with it, and at the random kills.
//!
//! The witness lies outside of what is tested: each package appends a line with its request and attempt, synced. After each
//! fault: one start without faults until everything has ended, the rules (`ground::Tally`), and a start that changes nothing.
#![cfg(target_os = "linux")]

use crate::common::{self, pty};

mod folding;
mod ground;
mod keeper;
mod knobs;
mod nasty;
mod nasty_clock;
mod nasty_files;
mod nasty_state;
mod points;
mod random;
mod service;
pub mod trace;
