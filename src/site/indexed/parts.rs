//! The parts of an index that a machine has got: texts, each known by its hash. They are read from a share once and kept in
//! one file beside the index. Packages' signatures stand with them: a signature may be made anew over the same bytes, so it
//! is known by what it signs.

use crate::site::content::hash_bytes;
use crate::site::instruction::ContentHash;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The most bytes of all parts together: they are read, kept and verified again and again.
pub const MAX_TOTAL: usize = 8 << 20;
/// The most of one file that holds them.
pub const MAX_FILE: u64 = (MAX_TOTAL as u64) * 2;
const PART: &str = "part";
const SIGNATURE: &str = "signature";

/// What was got of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    texts: BTreeMap<ContentHash, String>,
    signatures: BTreeMap<ContentHash, String>,
}

/// What a look brought beside the index: new parts, and why others could not be had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Those that were not there before.
    pub parts: Parts,
    /// By the hash of what is missing.
    pub faults: BTreeMap<ContentHash, SafeText>,
}

impl Parts {
    /// The text with this hash.
    pub fn text(&self, hash: &ContentHash) -> Option<&str> {
        self.texts.get(hash).map(String::as_str)
    }

    /// The signature of what has this hash.
    pub fn signature(&self, of: &ContentHash) -> Option<&str> {
        self.signatures.get(of).map(String::as_str)
    }

    /// Takes a text in, if there is room for it and it is what has this hash.
    ///
    /// # Errors
    /// Why not.
    pub fn put(&mut self, hash: &ContentHash, bytes: Vec<u8>) -> Result<(), SafeText> {
        if hash_bytes(&bytes) != *hash {
            return Err("its bytes are not those that the index names".into());
        }
        if self.bytes() + bytes.len() > MAX_TOTAL {
            let most = crate::text::bytes(MAX_TOTAL as u64);
            return Err(SafeText::new(&format!("the parts of this index take more than {most} together")));
        }
        let text = String::from_utf8(bytes).map_err(|_| SafeText::new("it is not UTF-8"))?;
        self.texts.insert(hash.clone(), text);
        Ok(())
    }

    /// Takes a signature in.
    pub fn put_signature(&mut self, of: &ContentHash, armour: String) {
        self.signatures.insert(of.clone(), armour);
    }

    /// Takes over what others hold; a newer signature replaces an older one.
    pub fn add(&mut self, others: Parts) {
        self.texts.extend(others.texts);
        self.signatures.extend(others.signatures);
    }

    /// Lets go of what nothing names any more.
    pub fn keep(&mut self, named: &BTreeSet<ContentHash>) {
        self.texts.retain(|hash, _| named.contains(hash));
        self.signatures.retain(|hash, _| named.contains(hash));
    }

    fn bytes(&self) -> usize {
        self.texts.values().map(String::len).sum()
    }

    /// As they are kept in a file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        for (kind, all) in [(PART, &self.texts), (SIGNATURE, &self.signatures)] {
            for (hash, text) in all {
                // Writing into a String cannot fail.
                let _ = writeln!(out, "{kind} {} {}", hash.as_str(), text.len());
                out.push_str(text);
                out.push('\n');
            }
        }
        out.into_bytes()
    }

    /// Reads them back. A text that is not what its hash says is left out: whoever needs it gets it anew.
    pub fn decode(bytes: &[u8]) -> Parts {
        let mut parts = Parts::default();
        let mut rest = std::str::from_utf8(bytes).unwrap_or_default();
        while let Some((kind, hash, text, after)) = one(rest) {
            rest = after;
            match kind {
                // Of the wrong bytes, or too much: as if it were not there.
                PART => drop(parts.put(&hash, text.as_bytes().to_vec())),
                SIGNATURE => parts.put_signature(&hash, text.to_owned()),
                _ => break,
            }
        }
        parts
    }
}

fn one(text: &str) -> Option<(&str, ContentHash, &str, &str)> {
    let (head, rest) = text.split_once('\n')?;
    let mut words = head.split(' ');
    let (kind, hash, length) = (words.next()?, words.next()?, words.next()?);
    let length: usize = length.parse().ok()?;
    let text = rest.get(..length)?;
    let after = rest.get(length..)?.strip_prefix('\n')?;
    Some((kind, ContentHash::try_from(hash.to_owned()).ok()?, text, after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn parts(texts: &[String]) -> Parts {
        let mut parts = Parts::default();
        for text in texts {
            parts.put(&hash_bytes(text.as_bytes()), text.clone().into_bytes()).unwrap();
            parts.put_signature(&hash_bytes(text.as_bytes()), format!("signature of {text}"));
        }
        parts
    }

    #[test]
    fn what_is_not_what_it_is_named_by_is_not_taken() {
        let mut all = Parts::default();
        let hash = hash_bytes(b"one");
        assert!(all.put(&hash, b"two".to_vec()).unwrap_err().as_str().contains("not those"));
        assert!(all.put(&hash_bytes(b"\xff"), b"\xff".to_vec()).unwrap_err().as_str().contains("UTF-8"));
        let big = vec![b'x'; MAX_TOTAL];
        all.put(&hash_bytes(&big), big.clone()).unwrap();
        assert!(all.put(&hash, b"one".to_vec()).unwrap_err().as_str().contains("together"));
        all.keep(&[hash.clone()].into());
        all.put(&hash, b"one".to_vec()).unwrap();
        assert_eq!(all.text(&hash), Some("one"));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_back(texts in prop::collection::vec("[a-z\n é]{0,40}", 0..8)) {
            let all = parts(&texts);
            prop_assert_eq!(Parts::decode(&all.encode()), all);
        }

        /// Whatever becomes of the file: no part is there that is not what its hash says.
        #[test]
        fn a_damaged_file_loses_parts_and_makes_none(
            texts in prop::collection::vec("[a-z\n é]{0,40}", 1..8), at in any::<prop::sample::Index>(), to in any::<u8>()
        ) {
            let all = parts(&texts);
            let mut bytes = all.encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            let read = Parts::decode(&bytes);
            for (hash, text) in &read.texts {
                prop_assert_eq!(&hash_bytes(text.as_bytes()), hash);
            }
            let _ = Parts::decode(&bytes[..at]);
        }
    }
}
