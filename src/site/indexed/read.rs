//! The share's side of a look at an index: what it names and this machine has not got is read, and nothing else.

use super::compose::{Named, Source};
use super::parts::{Brought, Parts};
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::text::SafeText;

/// Reads parts from a share, unless they are held.
pub struct FromShare<'a> {
    root: &'a Folder,
    held: &'a Parts,
    /// What was read, and what could not be.
    pub brought: Brought,
}

impl<'a> FromShare<'a> {
    /// From this share; `held`: what this machine has got.
    pub fn new(root: &'a Folder, held: &'a Parts) -> Self {
        Self { root, held, brought: Brought::default() }
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
            let read = self.bytes(named).map_err(|e| SafeText::new(&e.to_string()));
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
