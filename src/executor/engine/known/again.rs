//! When content over which a copy failed is copied again: after 1, 2, 4 … minutes up to a day, at once when what it failed
//! over has changed on the share (SITE.md 5). Pure: time is an argument. Nothing of it is kept over a restart: the first
//! look after it copies once more.

use crate::clock::{Monotonic, Wall};
use crate::site::content::Stands;
use crate::site::instruction::ContentHash;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The contents over which a copy has failed.
#[derive(Default)]
pub struct Again(BTreeMap<ContentHash, Try>);

struct Try {
    over: Stands,
    failures: u32,
    next: Monotonic,
    /// The same for whoever reads it.
    next_at: Wall,
}

impl Again {
    /// A copy has ended: over this, where it failed.
    pub fn ended(&mut self, hash: &ContentHash, over: Option<Stands>, now: Wall, mono: Monotonic) {
        let Some(over) = over else {
            self.0.remove(hash);
            return;
        };
        let before =
            self.0.get(hash).filter(|before| before.over == over).map_or(0, |before| before.failures);
        let wait = FIRST.saturating_mul(1 << before.min(16)).min(LONGEST);
        let next_at =
            TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait)).unwrap_or(now);
        let next = Monotonic(mono.0 + wait);
        self.0.insert(hash.clone(), Try { over, failures: before + 1, next, next_at });
    }

    /// What has to have changed, as long as it is not time for another copy.
    pub fn unless(&self, hash: &ContentHash, mono: Monotonic) -> Option<Stands> {
        self.0.get(hash).filter(|one| mono < one.next).map(|one| one.over.clone())
    }

    /// When it is copied again, whether or not anything has changed.
    pub fn next_at(&self, hash: &ContentHash) -> Option<Wall> {
        self.0.get(hash).map(|one| one.next_at)
    }

    /// Whether it is time for another copy of this.
    pub fn is_due(&self, hash: &ContentHash, mono: Monotonic) -> bool {
        self.0.get(hash).is_some_and(|one| mono >= one.next)
    }

    /// Whether it is time for another copy of anything.
    pub fn any_due(&self, mono: Monotonic) -> bool {
        self.0.values().any(|one| mono >= one.next)
    }

    /// What is named no more is tried no more.
    pub fn keep(&mut self, named: &BTreeSet<ContentHash>) {
        self.0.retain(|hash, _| named.contains(hash));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn over(size: u64) -> Stands {
        let json = format!(r#"{{"list":"1 bytes","file":["big.bin","{size} bytes"]}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn content_that_differs_is_copied_ever_less_often_and_anew_when_it_has_changed() {
        let hash = ContentHash::try_from("a".repeat(64)).unwrap();
        let (mut again, mut copies) = (Again::default(), Vec::new());
        // Asked every two seconds for three days, as by a short polling interval.
        for second in (0..3 * 86_400).step_by(2) {
            let mono = Monotonic(Duration::from_secs(second));
            if again.unless(&hash, mono).is_none() {
                copies.push(second / 60);
                again.ended(&hash, Some(over(700)), Wall::default(), mono);
                assert!(!again.any_due(mono));
            }
        }
        assert_eq!(copies, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023, 2_047, 3_487]);

        let mono = Monotonic(Duration::from_secs(300_000));
        again.ended(&hash, Some(over(701)), Wall::default(), mono);
        assert!(again.unless(&hash, mono).is_some());
        assert!(again.is_due(&hash, Monotonic(mono.0 + FIRST)), "something else begins anew");
        again.ended(&hash, None, Wall::default(), mono);
        assert_eq!(again.next_at(&hash), None);
    }
}
