//! Signatures that verified before (SITE.md 6), so that whoever reads what a collector has read computes only those that are
//! new: of a hundred thousand machines a few hundred between two looks. Of each the hash of the key, of what it signed and of the
//! signature is known: the same three verify again, whoever put them there, and any other three are computed.

use crate::site::content::digest;
use std::sync::Arc;

/// One of them.
pub(super) type Seal = [u8; 32];

/// All of them, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seals(Arc<[Seal]>);

impl Default for Seals {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

/// Of a key as OpenSSH writes it, and of the lines of a summary and of its signature, with their ends.
pub(super) fn seal(key: &str, summary: &[u8], signature: &[u8]) -> Seal {
    // No two of them are one text: each ends where its line does.
    digest(&[key.as_bytes(), b"\n", summary, signature])
}

impl Seals {
    /// These, which were verified.
    pub(super) fn of(mut all: Vec<Seal>) -> Self {
        all.sort_unstable();
        Self(all.into())
    }

    /// It was verified.
    pub(super) fn has(&self, seal: &Seal) -> bool {
        self.0.binary_search(seal).is_ok()
    }

    /// As they are kept.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    /// As they were kept; what is not, is none.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (all, more) = bytes.as_chunks();
        if more.is_empty() && all.is_sorted() { Self(all.into()) } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_each_of_the_three_counts() {
        let [one, key, summary, signature] =
            [("k", "s", "t"), ("l", "s", "t"), ("k", "u", "t"), ("k", "s", "v")].map(
                |(key, summary, signature)| {
                    seal(key, format!("{summary}\n").as_bytes(), format!("{signature}\n").as_bytes())
                },
            );
        let seals = Seals::of(vec![one, signature]);
        assert!(seals.has(&one) && seals.has(&signature) && !seals.has(&key) && !seals.has(&summary));
        assert_eq!(Seals::read(seals.bytes()), seals);
        let mut damaged = seals.bytes().to_vec();
        damaged.reverse();
        assert_eq!(Seals::read(&damaged), Seals::default(), "in no order");
        assert_eq!(Seals::read(&seals.bytes()[..40]), Seals::default());
    }
}
