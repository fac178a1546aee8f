//! When content over which a copy failed is copied again: after 1, 2, 4 … minutes up to a day, at once when what it failed
//! over has changed on the share (SITE.md 5). Pure: time is an argument. It lasts over a restart of the service, or one that
//! is restarted again and again would copy gigabytes each time.

use crate::clock::{Monotonic, Wall};
use crate::site::content::{ContentFact, Stands};
use crate::site::instruction::ContentHash;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
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

/// What of it lasts.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    hash: ContentHash,
    over: Stands,
    failures: u32,
    next_at: Wall,
    /// How the copy failed.
    fact: ContentFact,
}

impl Again {
    /// What is to last over a restart, with how each copy failed.
    pub fn kept(&self, facts: &BTreeMap<ContentHash, ContentFact>) -> Vec<Kept> {
        let kept = self.0.iter().filter_map(|(hash, one)| {
            let (over, failures, next_at) = (one.over.clone(), one.failures, one.next_at);
            Some(Kept { hash: hash.clone(), over, failures, next_at, fact: facts.get(hash)?.clone() })
        });
        kept.collect()
    }

    /// Takes up what was kept before a restart, and how those copies failed, where nothing newer is known.
    pub fn take_up(
        &mut self,
        kept: Vec<Kept>,
        facts: &mut BTreeMap<ContentHash, ContentFact>,
        now: Wall,
        mono: Monotonic,
    ) {
        for Kept { hash, over, failures, next_at, fact } in kept {
            if facts.contains_key(&hash) {
                continue;
            }
            // A clock that was set meanwhile makes the wait no longer than it can be.
            let wait = (next_at - now).to_std().unwrap_or_default().min(LONGEST);
            facts.insert(hash.clone(), fact);
            self.0.insert(hash, Try { over, failures, next: Monotonic(mono.0 + wait), next_at });
        }
    }

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

    #[test]
    fn a_restart_makes_no_copy_and_takes_up_the_wait_where_it_was() {
        let hash = ContentHash::try_from("a".repeat(64)).unwrap();
        let minutes = |n: u64| Monotonic(Duration::from_secs(60 * n));
        let at = |n: i64| Wall::default() + TimeDelta::minutes(n);
        let mut again = Again::default();
        for (n, wall) in [(0, 0), (1, 1), (3, 3)] {
            again.ended(&hash, Some(over(700)), at(wall), minutes(n));
        }
        let facts = BTreeMap::from([(hash.clone(), ContentFact::Mismatch("it differs".into()))]);
        let text = serde_json::to_string(&again.kept(&facts)).unwrap();
        // The machine has started anew, its clock too; it is minute 5, and the next copy is due at 7.
        let (mut later, mut known) = (Again::default(), BTreeMap::new());
        later.take_up(serde_json::from_str(&text).unwrap(), &mut known, at(5), minutes(0));
        assert_eq!(known, facts, "what is wrong is said as before");
        assert!(later.unless(&hash, minutes(1)).is_some() && later.is_due(&hash, minutes(2)));
        later.ended(&hash, Some(over(700)), at(7), minutes(2));
        assert_eq!(later.next_at(&hash), Some(at(15)), "twice as long as the wait before");
        // What has been staged since is staged.
        let mut staged = BTreeMap::from([(hash.clone(), ContentFact::Staged)]);
        let mut none = Again::default();
        none.take_up(serde_json::from_str(&text).unwrap(), &mut staged, at(5), minutes(0));
        assert_eq!((none.next_at(&hash), staged.get(&hash)), (None, Some(&ContentFact::Staged)));
    }
}
