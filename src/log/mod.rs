//! Logs: the formats that are read and written (FORMATS.md 8), following files over rotation, merging several by time,
//! search and counts.
//!
//! bytes -> `follow` (files, rotation) -> `parse` (lines to records, by `formats`) -> `merge` -> `search`, `histogram`;
//! `write` is the only writer. Called by the console, `pcm log` and the service.

pub mod follow;
pub mod formats;
pub mod histogram;
pub mod merge;
pub mod parse;
mod record;
pub mod search;
#[cfg(test)]
mod tests;
pub(crate) mod trace;
pub mod write;

pub use record::{Level, Record, Zoned, zoned};
