//! How many errors and warnings there were, and when. Pure.

use super::Level;
use crate::clock::Wall;
use chrono::TimeDelta;

/// Counts of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Bucket {
    /// From here, up to the next bucket's.
    pub from: Wall,
    /// Records of level error.
    pub errors: u32,
    /// Records of level warning.
    pub warnings: u32,
    /// Records of every level.
    pub total: u32,
}

/// Counts records, by their instants and levels, from `from` up to `until` (not included) in `buckets` stretches of equal
/// length.
pub fn count(
    points: impl IntoIterator<Item = (Wall, Level)>,
    from: Wall,
    until: Wall,
    buckets: usize,
) -> Vec<Bucket> {
    let span = until.signed_duration_since(from).num_milliseconds();
    let Ok(count) = i64::try_from(buckets) else { return Vec::new() };
    if span <= 0 || count == 0 {
        return Vec::new();
    }
    let start = |index: i64| {
        let offset = i128::from(span) * i128::from(index) / i128::from(count);
        from + TimeDelta::milliseconds(i64::try_from(offset).unwrap_or(span))
    };
    let mut all: Vec<Bucket> =
        (0..count).map(|i| Bucket { from: start(i), errors: 0, warnings: 0, total: 0 }).collect();
    for (at, level) in points.into_iter().filter(|(at, _)| (from..until).contains(at)) {
        let index = all.partition_point(|bucket| bucket.from <= at);
        let Some(bucket) = index.checked_sub(1).and_then(|index| all.get_mut(index)) else { continue };
        bucket.total = bucket.total.saturating_add(1);
        match level {
            Level::Error => bucket.errors = bucket.errors.saturating_add(1),
            Level::Warning => bucket.warnings = bucket.warnings.saturating_add(1),
            Level::Info | Level::Verbose => {}
        }
    }
    all
}

/// The same counts in fewer stretches.
pub fn narrow(buckets: &[Bucket], columns: usize) -> Vec<Bucket> {
    if columns == 0 || buckets.len() <= columns {
        return buckets.to_vec();
    }
    let part = |n: usize| n * buckets.len() / columns;
    let sum = |of: &[Bucket]| {
        let add = |count: fn(&Bucket) -> u32| of.iter().map(count).fold(0, u32::saturating_add);
        let from = of.first().map_or(Wall::MIN_UTC, |first| first.from);
        Bucket { from, errors: add(|b| b.errors), warnings: add(|b| b.warnings), total: add(|b| b.total) }
    };
    (0..columns).map(|n| sum(&buckets[part(n)..part(n + 1)])).collect()
}
