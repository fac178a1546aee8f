//! The share's side of a look at an index: what it names and this machine has not got is read, and nothing else.

use super::compose::{Named, Source};
use super::parts::{Brought, Parts};
use crate::clock::Monotonic;
use crate::host::facts;
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::text::SafeText;
use std::time::Duration;

/// Reads parts from a share, unless they are held.
pub struct FromShare<'a> {
    root: &'a Folder,
    held: &'a Parts,
    /// Since when it reads, and for how long: what comes later is read at another look.
    time: Option<(Monotonic, Duration)>,
    /// What was read, and what could not be.
    pub brought: Brought,
}

impl<'a> FromShare<'a> {
    /// From this share; `held`: what this machine has got. Whoever is killed after a deadline brings nothing: `patience` ends
    /// the reading before, and what was read is not read again.
    pub fn new(root: &'a Folder, held: &'a Parts, patience: Option<Duration>) -> Self {
        let time = patience.map(|patience| (facts::monotonic(), patience));
        Self { root, held, time, brought: Brought::default() }
    }

    fn is_late(&self) -> bool {
        self.time.is_some_and(|(since, patience)| facts::monotonic().since(since) >= patience)
    }

    fn bytes(&self, named: &Named) -> Result<Vec<u8>, OpenError> {
        let mut folders = named.folders.iter();
        let mut folder = match folders.next() {
            Some(first) => self.root.folder(first)?,
            None => return Err(OpenError::Missing),
        };
        for name in folders {
            folder = folder.folder(name)?;
        }
        read_bounded(&mut folder.file(&named.file)?, named.limit)
    }
}

impl Source for FromShare<'_> {
    fn text(&mut self, named: &Named) -> Result<&str, SafeText> {
        let hash = &named.sha256;
        if let Some(text) = self.held.text(hash) {
            return Ok(text);
        }
        if self.brought.parts.text(hash).is_none() {
            let read = match self.is_late() {
                true => Err("the share is slow, and the next look goes on with it".into()),
                false => self.bytes(named).map_err(|e| SafeText::new(&e.to_string())),
            };
            if let Err(why) = read.and_then(|bytes| self.brought.parts.put(hash, bytes)) {
                self.brought.faults.insert(hash.clone(), why.clone());
                return Err(why);
            }
        }
        self.brought.parts.text(hash).ok_or_else(|| "it was not read".into())
    }

    fn signature(&mut self, named: &Named, again: bool) -> Option<String> {
        let held = self.held.signature(&named.sha256);
        if let Some(held) = held.filter(|_| !again) {
            return Some(held.to_owned());
        }
        if self.is_late() {
            return None;
        }
        let read = String::from_utf8(self.bytes(named).ok()?).ok()?;
        if again && held == Some(read.as_str()) {
            return None;
        }
        self.brought.parts.put_signature(&named.sha256, read.clone());
        Some(read)
    }
}

/// Gives what is at hand, for whoever decides.
pub struct AtHand<'a> {
    /// What this machine has got.
    pub parts: &'a Parts,
    /// Why others could not be had, at the newest look.
    pub brought: Option<&'a Brought>,
}

impl Source for AtHand<'_> {
    fn text(&mut self, named: &Named) -> Result<&str, SafeText> {
        let why = || self.brought.and_then(|brought| brought.faults.get(&named.sha256)).cloned();
        self.parts.text(&named.sha256).ok_or_else(|| why().unwrap_or_else(|| "it was not read yet".into()))
    }

    fn signature(&mut self, named: &Named, again: bool) -> Option<String> {
        self.parts.signature(&named.sha256).filter(|_| !again).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::content::hash_bytes;

    #[test]
    fn a_slow_share_gives_some_now_and_the_rest_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("jobs")).unwrap();
        let named = |name: &str| {
            std::fs::write(dir.path().join("jobs").join(name), name).unwrap();
            Named {
                folders: vec!["jobs".into()],
                file: name.into(),
                sha256: hash_bytes(name.as_bytes()),
                limit: 100,
            }
        };
        let (first, second) = (named("first"), named("second"));
        let (root, nothing) = (Folder::open(dir.path()).unwrap(), Parts::default());
        let mut slow = FromShare::new(&root, &nothing, Some(Duration::from_secs(3_600)));
        assert_eq!(slow.text(&first), Ok("first"));
        slow.time = Some((facts::monotonic(), Duration::ZERO));
        assert!(slow.text(&second).unwrap_err().as_str().contains("slow"));
        assert_eq!(slow.text(&first), Ok("first"), "what was read is there");
        // A signature is asked for as little as everything else then, also another one.
        assert_eq!((slow.signature(&second, false), slow.signature(&second, true)), (None, None));
        assert_eq!(slow.brought.parts.signature(&second.sha256), None);
        let held = slow.brought.parts;
        // At the next look the file of what is held is not asked for.
        std::fs::remove_file(dir.path().join("jobs/first")).unwrap();
        let mut next = FromShare::new(&root, &held, None);
        assert_eq!(next.text(&first), Ok("first"));
        assert_eq!(next.brought.parts.text(&first.sha256), None);
        assert_eq!(next.text(&second), Ok("second"));
        assert_eq!(next.signature(&second, false).as_deref(), Some("second"));
        std::fs::write(dir.path().join("jobs/third"), "other").unwrap();
        let third = Named { sha256: hash_bytes(b"third"), file: "third".into(), ..first };
        assert!(next.text(&third).is_err() && next.brought.faults.contains_key(&third.sha256));
    }
}
