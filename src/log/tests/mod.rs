#![allow(clippy::unwrap_used)]
mod batch;
mod corpus;
mod follow;
mod follow_model;
mod fuzz;
mod index;
mod merge;
mod oracle;
mod parse;
mod search;
mod spans;
mod view;
mod write;

use super::{Record, Zoned};
use crate::clock::Wall;
use crate::log::follow::Event;
use crate::log::parse::Parser;
use chrono::TimeDelta;
use std::sync::Arc;

/// A zone that is so many minutes west of UTC all year.
pub fn west(minutes: i64) -> Zoned {
    Arc::new(move |local| Some((local + TimeDelta::minutes(minutes)).and_utc()))
}

pub fn at(text: &str) -> Wall {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// All records of a file, in UTC where a record does not say.
pub fn read(bytes: impl AsRef<[u8]>) -> Vec<Record> {
    read_at(bytes, west(0))
}

pub fn read_at(bytes: impl AsRef<[u8]>, zone: Zoned) -> Vec<Record> {
    let mut parser = Parser::new("x.log".into(), zone);
    let mut records = Vec::new();
    parser.push(bytes.as_ref(), &mut records);
    parser.finish(&mut records);
    records
}

/// Each record by itself.
pub fn apart(event: Event) -> Vec<Event> {
    match event {
        Event::Batch(batch) => batch.records().into_iter().map(Event::Record).collect(),
        other => vec![other],
    }
}

/// So many cases, `PCM_CASES` times as many where that is set; a failing one is printed, and becomes a test of its own instead of a file of seeds.
pub fn cases(cases: u32) -> proptest::prelude::ProptestConfig {
    let times = std::env::var("PCM_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let cases = cases.saturating_mul(times);
    proptest::prelude::ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}
