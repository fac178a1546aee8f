//! The parts of an index that a machine has got: texts, each known by its hash. They are read from a share once and kept in
//! one file beside the index. Packages' signatures stand with them: a signature may be made anew over the same bytes, so it
//! is known by what it signs. Beside them stands which job has which request, and which takes the place of which: a job whose
//! newest file cannot be read is known by it.

use super::compose::Named;
use super::told::Told;
use crate::site::content::hash_bytes;
use crate::site::instruction::ContentHash;
use crate::site::signed::signature::MAX_ARMOUR;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

/// The most bytes of all parts together, as they are kept in a file: they are read, kept and verified again and again.
/// What is written is never more than what is read back.
pub const MAX_FILE: u64 = 32 << 20;
/// The most of it that one look brings: it comes as one message, in which some characters take six bytes.
const MAX_BROUGHT: u64 = 8 << 20;
/// Before each of them: its kind, its hash, its length.
const MAX_HEAD: u64 = 100;
const PART: &str = "part";
const SIGNATURE: &str = "signature";
const IDS: &str = "ids";
const REPLACES: &str = "replaces";
const EARLIER: &str = "earlier";

/// What was got of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    texts: BTreeMap<ContentHash, String>,
    signatures: BTreeMap<ContentHash, String>,
    /// What its jobs said. Whoever decides says so: it crosses to nobody.
    #[serde(skip)]
    pub told: Told,
    /// The index whose list of machines gave the line that is held, while that of the newer one cannot be read: verified again
    /// like every index. It crosses to nobody, too.
    #[serde(skip)]
    pub earlier: Option<String>,
}

/// What a look brought beside the index: new parts, and why others could not be had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Those that were not there before.
    pub parts: Parts,
    /// By the hash of what is missing.
    pub faults: BTreeMap<ContentHash, SafeText>,
    /// What the index names and is not at hand, for the next look at all shares. Whoever decides says so.
    #[serde(skip)]
    pub missing: Vec<Named>,
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

    /// Takes in a text that a look brings, if there is room for it and it is what has this hash.
    ///
    /// # Errors
    /// Why not.
    pub fn put(&mut self, hash: &ContentHash, bytes: Vec<u8>) -> Result<(), SafeText> {
        if self.size() + MAX_HEAD + bytes.len() as u64 > MAX_BROUGHT {
            let most = crate::text::bytes(MAX_BROUGHT);
            return Err(SafeText::new(&format!(
                "one look brings {most} at most, and the next one goes on with it"
            )));
        }
        self.take(hash, bytes)
    }

    fn take(&mut self, hash: &ContentHash, bytes: Vec<u8>) -> Result<(), SafeText> {
        if hash_bytes(&bytes) != *hash {
            return Err("its bytes are not those that the index names".into());
        }
        let text = String::from_utf8(bytes).map_err(|_| SafeText::new("it is not UTF-8"))?;
        self.texts.insert(hash.clone(), text);
        Ok(())
    }

    /// Takes a signature in.
    pub fn put_signature(&mut self, of: &ContentHash, armour: String) {
        self.signatures.insert(of.clone(), armour);
    }

    /// Takes over what a look brought, as far as it is what it says: another process has read it. A newer signature replaces
    /// an older one.
    pub fn add(&mut self, others: Parts) {
        for (hash, text) in others.texts {
            // What it is not is as if it were not there.
            drop(self.take(&hash, text.into_bytes()));
        }
        let whole = |(_, armour): &(ContentHash, String)| armour.len() <= MAX_ARMOUR;
        self.signatures.extend(others.signatures.into_iter().filter(whole));
    }

    /// Takes over what its jobs said, and lets go of texts as long as all of it together is more than may be kept; those.
    pub fn fit(&mut self, told: Told) -> Vec<ContentHash> {
        self.told = told;
        let mut gone = Vec::new();
        let mut size = self.size();
        while size > MAX_FILE
            && let Some((hash, text)) = self.texts.pop_last()
        {
            size -= MAX_HEAD + text.len() as u64;
            if let Some(signature) = self.signatures.remove(&hash) {
                size -= MAX_HEAD + signature.len() as u64;
            }
            gone.push(hash);
        }
        gone
    }

    /// Lets go of what nothing names any more.
    pub fn keep(&mut self, named: &BTreeSet<ContentHash>) {
        self.texts.retain(|hash, _| named.contains(hash));
        self.signatures.retain(|hash, _| named.contains(hash));
    }

    /// As much as a file of them takes, or more.
    fn size(&self) -> u64 {
        let others = self.earlier.as_ref().map_or(0, |text| MAX_HEAD + text.len() as u64);
        let Told { ids, replaces } = &self.told;
        let ids = ids.iter().map(|(job, request)| pair_len(job.as_str(), request.as_str()));
        let replaces = replaces.iter().map(|(newer, older)| pair_len(newer.as_str(), older.as_str()));
        let told = others + 2 * MAX_HEAD + ids.chain(replaces).sum::<u64>();
        self.texts
            .values()
            .chain(self.signatures.values())
            .map(|text| MAX_HEAD + text.len() as u64)
            .sum::<u64>()
            + told
    }

    /// As they are kept in a file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        let mut one = |kind: &str, hash: &ContentHash, text: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{kind} {} {}", hash.as_str(), text.len());
            out.push_str(text);
            out.push('\n');
        };
        for (kind, all) in [(PART, &self.texts), (SIGNATURE, &self.signatures)] {
            for (hash, text) in all {
                one(kind, hash, text);
            }
        }
        let Told { ids, replaces } = &self.told;
        let ids: String = ids.iter().map(|(job, request)| format!("{job} {request}\n")).collect();
        let replaces: String = replaces.iter().map(|(newer, older)| format!("{newer} {older}\n")).collect();
        if !ids.is_empty() {
            one(IDS, &hash_bytes(ids.as_bytes()), &ids);
        }
        if let Some(earlier) = &self.earlier {
            one(EARLIER, &hash_bytes(earlier.as_bytes()), earlier);
        }
        // The last: a pcm from before it was kept reads no further.
        if !replaces.is_empty() {
            one(REPLACES, &hash_bytes(replaces.as_bytes()), &replaces);
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
                PART => drop(parts.take(&hash, text.as_bytes().to_vec())),
                SIGNATURE => parts.put_signature(&hash, text.to_owned()),
                IDS | REPLACES | EARLIER if hash_bytes(text.as_bytes()) != hash => {}
                IDS => parts.told.ids = text.lines().filter_map(pair).collect(),
                REPLACES => parts.told.replaces = text.lines().filter_map(pair).collect(),
                EARLIER => parts.earlier = Some(text.to_owned()),
                _ => break,
            }
        }
        parts
    }
}

/// So many bytes has a line of two ids.
fn pair_len(first: &str, second: &str) -> u64 {
    (first.len() + second.len() + 2) as u64
}

/// Two ids on a line.
fn pair<A: FromStr, B: FromStr>(line: &str) -> Option<(A, B)> {
    let (first, second) = line.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
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
        let big = vec![b'x'; MAX_BROUGHT as usize - 500];
        all.put(&hash_bytes(&big), big.clone()).unwrap();
        assert!(all.put(&hash, vec![b'y'; 500]).unwrap_err().as_str().contains("the next one goes on"));
        all.keep(&[hash.clone()].into());
        all.put(&hash, b"one".to_vec()).unwrap();
        assert_eq!(all.text(&hash), Some("one"));
        // Another process says that it has read something.
        let mut liar = Parts::default();
        liar.texts.insert(hash_bytes(b"three"), "four".into());
        all.add(liar);
        assert_eq!(all.text(&hash_bytes(b"three")), None);
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let mut all = Parts::default();
        // Many looks have brought much.
        for n in 0..40 {
            let text = format!("{n:02}").repeat(512 << 10);
            let mut brought = Parts::default();
            brought.put(&hash_bytes(text.as_bytes()), text.into_bytes()).unwrap();
            all.add(brought);
        }
        // As many jobs as there may be, each in the place of as many as it may name.
        let job = |n: usize| -> crate::site::ids::JobId { format!("BP0A{n:04}").parse().unwrap() };
        let ids = [("BP0000AA".parse().unwrap(), "BP0000Y".parse().unwrap())].into();
        let replaces = (0..1_000).flat_map(|n| (0..256).map(move |older| (job(n), job(older)))).collect();
        all.earlier = Some("kind = \"index\"\n".into());
        let told = Told { ids, replaces };
        let gone = all.fit(told.clone());
        assert_eq!((gone.len(), all.texts.len()), (13, 27), "of 40 MiB, as many as fit beside all that");
        assert!(gone.iter().all(|hash| all.text(hash).is_none()));
        let bytes = all.encode();
        assert!(bytes.len() as u64 <= MAX_FILE);
        assert_eq!(Parts::decode(&bytes), all);
        assert_eq!(all.fit(told), []);
        assert_eq!(Parts::decode(&bytes), all, "nothing of what was told goes");
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
