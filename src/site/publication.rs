//! Nothing older is ever taken (SITE.md 1): which of the instruction files that the shares offer a machine may take,
//! given the highest one it has ever seen. Pure.

use super::content;
use super::indexed::verify;
use super::instruction::ContentHash;
use super::share::Found;
use super::signed::published::SignedBy;
use super::trust::TrustVerdict;
use serde::{Deserialize, Serialize};

/// An instruction file as a machine remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The trust list that it was signed under; 0: nobody signed it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// As the file says it.
    pub serial: u64,
    /// Of its bytes; of what is signed, of the bytes that are, since a signature over the same ones can be made anew. The same
    /// serial with other bytes is another publication.
    pub sha256: ContentHash,
    /// It is an index: from the first one on, no instruction file is read any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub index: bool,
}

/// Records of earlier versions have no epoch, and are written as they were.
fn is_zero(epoch: &u64) -> bool {
    *epoch == 0
}

impl Publication {
    /// Of a file with this serial and these bytes, and of whoever signed it.
    pub fn of(signed: Option<&SignedBy>, serial: u64, bytes: &[u8]) -> Self {
        match signed {
            Some(by) => Self { epoch: by.epoch, serial, sha256: by.sha256.clone(), index: false },
            None => Self { epoch: 0, serial, sha256: content::hash_bytes(bytes), index: false },
        }
    }

    /// Of an index: two of them with other signatures over the same bytes are one.
    pub fn of_index(epoch: u64, serial: u64, bytes: &[u8]) -> Self {
        let sha256 = content::hash_bytes(verify::signed_bytes(bytes));
        Self { epoch, serial, sha256, index: true }
    }

    /// The name of the folder that holds it.
    pub fn folder(&self) -> String {
        let mark = self.sha256.as_str().get(..8).unwrap_or_default();
        format!("{}-{}-{mark}", self.epoch, self.serial)
    }

    /// What orders publications: a new trust list begins its serials anew.
    pub fn order(&self) -> (u64, u64) {
        (self.epoch, self.serial)
    }

    /// Why a machine that has seen `highest` does not take this one, as a clause; None: it may.
    pub fn behind(&self, highest: &Publication) -> Option<String> {
        if self.epoch < highest.epoch {
            return Some(format!(
                "its epoch {} is below {}, the highest that this machine has seen",
                self.epoch, highest.epoch
            ));
        }
        if self.order() < highest.order() {
            return Some(format!(
                "serial {} is below {}, the highest that this machine has seen",
                self.serial, highest.serial
            ));
        }
        (self.order() == highest.order() && self.sha256 != highest.sha256)
            .then(|| format!("serial {} was seen before with another content", self.serial))
    }
}

impl Found {
    /// As a machine remembers it.
    pub fn publication(&self) -> Publication {
        match self.brought {
            Some(_) => Publication::of_index(self.epoch(), self.file.serial, &self.bytes),
            None => Publication::of(self.signed.as_ref(), self.file.serial, &self.bytes),
        }
    }

    /// The higher, the better. An untrusted file with a high serial must not keep a trusted one out.
    pub fn rank(&self) -> (bool, u64, u64) {
        (matches!(self.trust, TrustVerdict::Trusted(_)), self.epoch(), self.file.serial)
    }

    /// The trust list that it was signed under; 0: nobody signed it.
    fn epoch(&self) -> u64 {
        let signed = self.signed.as_ref().map(|by| by.epoch);
        signed.or(self.index.as_ref().map(|index| index.epoch)).unwrap_or(0)
    }
}

/// What becomes of the files that the shares offer.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The newest that may be taken; one that is not trusted only where no share offers one that is.
    pub taken: Option<Found>,
    /// What is trusted and not taken, because something newer was seen, and why.
    pub behind: Vec<(Found, String)>,
}

/// Chooses among what the shares offer, best first.
pub fn choose(offers: Vec<Found>, highest: Option<&Publication>) -> Chosen {
    let (trusted, refused): (Vec<_>, Vec<_>) =
        offers.into_iter().partition(|found| matches!(found.trust, TrustVerdict::Trusted(_)));
    let none_trusted = trusted.is_empty();
    let mut highest = highest.cloned();
    let mut chosen = Chosen::default();
    for found in trusted {
        let publication = found.publication();
        match highest.as_ref().and_then(|highest| publication.behind(highest)) {
            Some(why) => chosen.behind.push((found, why)),
            None if chosen.taken.is_none() => {
                highest = Some(publication);
                chosen.taken = Some(found);
            }
            // Another share has the same.
            None => {}
        }
    }
    if none_trusted {
        chosen.taken = refused.into_iter().next();
    }
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::instruction::parse::{Defaults, parse};
    use super::super::site_file;
    use super::*;
    use crate::terms::Code;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::time::Duration;

    /// What a share offers: its serial, which of several contents it has under that serial, and whether it is trusted.
    fn offer(serial: u64, content: u8, trusted: bool) -> Found {
        let defaults =
            Defaults { max_run_time: Duration::from_secs(60), programs: Vec::new(), ignore_windows: false };
        let text = format!(
            "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = {serial}\nissued = 2026-11-22T08:00:00Z\n\
             # content {content}\n[end]\nserial = {serial}\n"
        );
        let site = "format = 1\nsite = \"BP0\"\nname = \"x\"\n";
        Found {
            file: parse(text.as_bytes(), "BP004000".parse().unwrap(), "f", &defaults).unwrap(),
            bytes: text.into_bytes(),
            trust: match trusted {
                true => TrustVerdict::Trusted("test".into()),
                false => TrustVerdict::Refused(Code::LoosePermissions, "anybody may write it".into()),
            },
            share: PathBuf::from("/share"),
            site: site_file::parse(site.as_bytes(), "PCM.SITE").unwrap(),
            site_bytes: site.into(),
            packages: [].into(),
            unread: [].into(),
            signed: None,
            brought: None,
            tag: None,
            index: None,
        }
    }

    /// In the order in which a look gives them.
    fn best_first(mut offers: Vec<Found>) -> Vec<Found> {
        offers.sort_by_key(|found| std::cmp::Reverse(found.rank()));
        offers
    }

    #[test]
    fn a_share_that_lags_is_behind_and_the_newest_is_taken() {
        let chosen = choose(best_first(vec![offer(1, 0, true), offer(2, 0, true)]), None);
        assert_eq!(chosen.taken.unwrap().file.serial, 2);
        assert_eq!(chosen.behind.len(), 1);
    }

    #[test]
    fn the_newer_share_is_away_and_the_other_one_gives_nothing() {
        let seen = offer(2, 0, true).publication();
        let chosen = choose(vec![offer(1, 0, true)], Some(&seen));
        assert!(chosen.taken.is_none());
        assert_eq!(chosen.behind[0].1, "serial 1 is below 2, the highest that this machine has seen");
    }

    #[test]
    fn of_two_contents_with_one_serial_only_the_one_that_was_seen_is_taken() {
        let seen = offer(5, 1, true).publication();
        let chosen = choose(vec![offer(5, 0, true), offer(5, 1, true)], Some(&seen));
        assert_eq!(chosen.taken.unwrap().publication(), seen);
        assert_eq!(chosen.behind[0].1, "serial 5 was seen before with another content");
    }

    #[test]
    fn an_untrusted_file_is_taken_for_nothing_while_a_share_can_be_trusted() {
        let seen = offer(2, 0, true).publication();
        let chosen = choose(best_first(vec![offer(9, 0, false), offer(1, 0, true)]), Some(&seen));
        assert!(chosen.taken.is_none());
        assert_eq!(chosen.behind.len(), 1);
    }

    proptest! {
        /// Whatever the shares offer, look after look: the serial in force never falls, one serial has one content for
        /// ever, and what is refused as behind always has something at least as high that was seen.
        #[test]
        fn nothing_older_is_ever_taken(
            looks in prop::collection::vec(prop::collection::vec((1..6u64, 0..3u8, prop::bool::weighted(0.8)), 0..4), 1..20)
        ) {
            let mut highest: Option<Publication> = None;
            for offers in looks {
                let offers = offers.into_iter().map(|(serial, content, trusted)| offer(serial, content, trusted));
                let chosen = choose(best_first(offers.collect()), highest.as_ref());
                if let Some(taken) = chosen.taken.filter(|found| matches!(found.trust, TrustVerdict::Trusted(_))) {
                    let taken = taken.publication();
                    if let Some(seen) = &highest {
                        prop_assert!(taken.serial > seen.serial || taken == *seen, "{taken:?} after {seen:?}");
                    }
                    highest = Some(taken);
                }
                for (found, _) in chosen.behind {
                    let seen = highest.as_ref().map(|seen| seen.serial);
                    prop_assert!(seen >= Some(found.file.serial), "{} behind {seen:?}", found.file.serial);
                }
            }
        }
    }
}
