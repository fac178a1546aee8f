//! Logs: the formats that are read and written (FORMATS.md 8), following files over rotation, merging several by time,
//! search and counts.
//!
//! bytes -> `spans` (one buffer; `encoding`) -> `scan` (where records are, by `formats`) -> `search` -> `record` (what is shown);
//! `follow` (files, rotation) by way of `parse` and `batch`; `back` (from the end of a file); then `merge`, `histogram`, `codes`. `far` is what two
//! pcm say to each other of logs. `write` is the only writer. Called by the console,
//! `pcm log` and the service.

pub mod back;
pub mod batch;
pub mod codes;
pub(crate) mod encoding;
pub mod far;
mod faults;
pub mod follow;
pub mod formats;
pub mod histogram;
pub mod index;
pub mod last;
mod least;
mod level;
pub mod merge;
pub mod parse;
pub mod readat;
mod record;
pub mod scan;
pub mod search;
pub mod spans;
#[cfg(test)]
mod tests;
pub(crate) mod trace;
pub mod view;
pub mod wide;
pub mod write;

pub use level::Level;
pub use record::{Record, Zoned, zoned};
