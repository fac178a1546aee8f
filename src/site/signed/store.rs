//! The trust folder of a machine: the newest trust list that it took, as it was signed (`trust.toml`), its lines for
//! `ssh-keygen -Y verify` (`allowed_signers`), and the keys that count no more here (`revoked`), those that the machine
//! itself revoked among them. Only root and the service's account may write there (`executor::footing`).

use super::Distrust;
use super::list::{self, Keys, TrustList};
use super::signers::{Key, Signer};
use crate::clock::Wall;
use crate::host::durable;
use crate::host::open::{self, OpenError};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The list as it was signed.
pub const LIST: &str = "trust.toml";
/// Its lines.
pub const ALLOWED: &str = "allowed_signers";
/// Keys that count no more.
pub const REVOKED: &str = "revoked";

/// What a machine holds of trust, as bytes: it crosses to the process that reads shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    list: Vec<u8>,
    revoked: Vec<u8>,
}

/// Whose word counts on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The newest list that was taken.
    pub list: TrustList,
    revoked: Vec<Key>,
}

impl Material {
    /// Reads the trust folder; None: no list was ever taken.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, SafeText> {
        let read = |name: &str| open::read_own(&dir.join(name), list::MAX_BYTES);
        let bad = |name: &str, e: &OpenError| {
            SafeText::new(&format!("{} cannot be read: {e}", dir.join(name).display()))
        };
        let list = match read(LIST) {
            Ok(list) => list,
            Err(OpenError::Missing) => return Ok(None),
            Err(e) => return Err(bad(LIST, &e)),
        };
        // It is written before the list: where it is missing, somebody took it away.
        let revoked = read(REVOKED).map_err(|e| bad(REVOKED, &e))?;
        Ok(Some(Self { list, revoked }))
    }

    /// What it says.
    ///
    /// # Errors
    /// It is damaged.
    pub fn open(&self) -> Result<Trusted, SafeText> {
        let list = TrustList::own(&self.list)
            .map_err(|distrust| SafeText::new(&format!("{LIST} is damaged: {}", distrust.why)))?;
        let damaged = || SafeText::new(&format!("{REVOKED} is damaged"));
        let text = std::str::from_utf8(&self.revoked).map_err(|_| damaged())?;
        let revoked: Result<Vec<Key>, _> = text.lines().map(Key::read).collect();
        Ok(Trusted { list, revoked: revoked.map_err(|_| damaged())? })
    }
}

impl Trusted {
    /// Reads the trust folder.
    ///
    /// # Errors
    /// Nothing is trusted, or it cannot be known what is.
    pub fn read(dir: &Path) -> Result<Self, SafeText> {
        let material = Material::read(dir)?
            .ok_or_else(|| SafeText::new(&format!("there is no trust list in {}", dir.display())))?;
        material.open()
    }

    /// Keys that count no more here.
    pub fn revoked(&self) -> &[Key] {
        &self.revoked
    }

    /// Whose word counts.
    pub fn keys(&self) -> Keys<'_> {
        Keys::of(&self.list, &self.revoked)
    }

    /// Takes the next version of the list.
    ///
    /// # Errors
    /// As [`TrustList::next`].
    pub fn next(&self, bytes: &[u8], at: Wall) -> Result<Self, Distrust> {
        Ok(Self { list: self.list.next(bytes, &self.revoked, at)?, revoked: self.revoked.clone() })
    }
}

/// Writes a list that was taken, and what follows from it. What the machine itself revoked stays revoked.
///
/// # Errors
/// The folder cannot be written; the list before is in force still.
pub fn place(dir: &Path, bytes: &[u8], list: &TrustList) -> io::Result<()> {
    durable::make_readable_dir(dir)?;
    let mut revoked = Material::read(dir)
        .map_err(|e| io::Error::other(e.into_string()))?
        .map(|held| held.open().map(|held| held.revoked).map_err(|e| io::Error::other(e.into_string())))
        .transpose()?
        .unwrap_or_default();
    for key in &list.revoked {
        if !revoked.contains(key) {
            revoked.push(key.clone());
        }
    }
    let lines = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    durable::write(&dir.join(REVOKED), lines(revoked.iter().map(Key::line).collect()).as_bytes())?;
    durable::write(&dir.join(LIST), bytes)?;
    let allowed = list.signers.iter().map(Signer::to_string).collect();
    durable::write(&dir.join(ALLOWED), lines(allowed).as_bytes())
}

/// Lets a key count no more on this machine, at once and whatever a list says.
///
/// # Errors
/// The folder cannot be read or written.
pub fn revoke(dir: &Path, key: &Key) -> io::Result<()> {
    let held = Material::read(dir).and_then(|held| held.ok_or_else(|| "no trust list was taken yet".into()));
    let held = held.map_err(|e| io::Error::other(e.into_string()))?;
    let revoked = held.open().map_err(|e| io::Error::other(e.into_string()))?.revoked;
    if revoked.contains(key) {
        return Ok(());
    }
    let mut text = held.revoked;
    text.extend_from_slice(format!("{}\n", key.line()).as_bytes());
    durable::write(&dir.join(REVOKED), &text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::signers::Role;
    use super::super::testing::{issued, list, signed_list, signing_key};
    use super::*;

    #[test]
    fn what_was_taken_is_read_back_and_a_damaged_folder_trusts_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("trust.d");
        assert!(Trusted::read(&dir).unwrap_err().as_str().contains("no trust list"));
        place(&dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        assert_eq!(Trusted::read(&dir).unwrap().list, list(1));
        let allowed = std::fs::read_to_string(dir.join(ALLOWED)).unwrap();
        assert_eq!(allowed.lines().count(), 3);
        let bytes = signed_list(&list(1), 1);
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(dir.join(LIST), changed).unwrap();
            assert!(Trusted::read(&dir).is_err(), "byte {at}");
        }
        std::fs::write(dir.join(LIST), &bytes).unwrap();
        std::fs::write(dir.join(REVOKED), "nonsense\n").unwrap();
        assert!(Trusted::read(&dir).is_err());
        std::fs::remove_file(dir.join(REVOKED)).unwrap();
        assert!(Trusted::read(&dir).is_err());
    }

    #[test]
    fn what_a_machine_revoked_stays_revoked_under_the_lists_that_come() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let publish = signing_key(3).1;
        assert!(revoke(dir, &publish).is_err());
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        let check = || Trusted::read(dir).unwrap().keys().check(&publish, Role::Publish, issued()).is_ok();
        assert!(check());
        revoke(dir, &publish).unwrap();
        revoke(dir, &publish).unwrap();
        assert!(!check());
        place(dir, &signed_list(&list(2), 1), &list(2)).unwrap();
        assert_eq!(Trusted::read(dir).unwrap().list.version, 2);
        assert!(!check());
    }
}
