//! The trust folder of a machine: the newest trust list that it took, as it was signed (`trust.toml`), its lines for
//! `ssh-keygen -Y verify` (`allowed_signers`), and the keys that count no more here (`revoked`), those that the machine
//! itself revoked among them. Only root and the service's account may write there (`executor::footing`).

use super::Distrust;
use super::list::{self, Keys, TrustList};
use super::signers::{Key, Signer};
use crate::clock::Wall;
use crate::host::durable;
use crate::host::lock::{self, ExclusiveLock};
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
/// Held by whoever changes the folder.
const LOCK: &str = ".lock";
/// How often the lock is asked for, ten times a second: a change takes milliseconds.
const TRIES: u32 = 100;

/// How many signatures a publication has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// As a machine is configured.
    Exactly(u32),
    /// As many as it has: for whoever looks at it and is no machine.
    Any,
}

/// What a machine holds of trust, as bytes: it crosses to the process that reads shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    list: Vec<u8>,
    revoked: Vec<u8>,
    wanted: Wanted,
}

/// Whose word counts on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The newest list that was taken.
    pub list: TrustList,
    revoked: Vec<Key>,
    /// How many have to sign a publication.
    pub wanted: Wanted,
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
        Ok(Some(Self { list, revoked, wanted: Wanted::Exactly(1) }))
    }

    /// The same where so many have to sign a publication.
    #[must_use]
    pub fn wanting(self, signatures: u32) -> Self {
        Self { wanted: Wanted::Exactly(signatures), ..self }
    }

    /// What it says.
    ///
    /// # Errors
    /// It is damaged.
    pub fn open(&self) -> Result<Trusted, SafeText> {
        let list = TrustList::own(&self.list)
            .map_err(|distrust| SafeText::new(&format!("{LIST} is damaged: {}", distrust.why)))?;
        Ok(Trusted { list, revoked: keys(&self.revoked)?, wanted: self.wanted })
    }
}

/// The keys of `revoked`.
fn keys(bytes: &[u8]) -> Result<Vec<Key>, SafeText> {
    let text = std::str::from_utf8(bytes).ok();
    let keys = text.and_then(|text| text.lines().map(|line| Key::read(line).ok()).collect());
    keys.ok_or_else(|| SafeText::new(&format!("{REVOKED} is damaged")))
}

/// What is left of a trust folder: a damaged list does not bring back a key that counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Whose word counts; None: no list was ever taken. The error is how the list is damaged.
    pub trusted: Result<Option<Trusted>, SafeText>,
    /// Keys that count no more here.
    pub revoked: Vec<Key>,
}

/// Why nothing can be made of a trust folder, and what an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// As a clause.
    pub why: SafeText,
    /// As a sentence.
    pub remedy: String,
}

impl Remains {
    /// Reads the trust folder.
    ///
    /// # Errors
    /// The system does not let it be read, or it is not known which keys count no more.
    pub fn read(dir: &Path) -> Result<Self, Unusable> {
        let read = |name: &str| open::read_own(&dir.join(name), list::MAX_BYTES);
        let bad = |name: &str, e: &OpenError| {
            SafeText::new(&format!("{} cannot be read: {e}", dir.join(name).display()))
        };
        let list = match read(LIST) {
            Ok(list) => Ok(Some(list)),
            Err(OpenError::Missing) => Ok(None),
            Err(e @ (OpenError::Denied | OpenError::Io(..))) => {
                let remedy = "Run it as root, or as the service's account, and see whether the disk is well";
                return Err(Unusable { why: bad(LIST, &e), remedy: remedy.to_owned() });
            }
            Err(e) => Err(bad(LIST, &e)),
        };
        let known = match (read(REVOKED), &list) {
            (Err(OpenError::Missing), Ok(None)) => Ok(Vec::new()),
            (Ok(bytes), _) => Ok(bytes),
            (Err(e), _) => Err(bad(REVOKED, &e)),
        };
        let known = known.and_then(|bytes| keys(&bytes).map(|revoked| (bytes, revoked)));
        let (bytes, revoked) = known.map_err(|why| Unusable {
            why,
            remedy: format!(
                "Put {REVOKED} back from a backup. Without one: remove {LIST} and {REVOKED} from {}, take the list again \
                 with pcm init --trust-key SHA256:…, and revoke again each key that was revoked on this machine alone: \
                 pcm key revoke PUBFILE",
                dir.display()
            ),
        })?;
        let open = |list: Option<Vec<u8>>| {
            let material = |list| Material { list, revoked: bytes.clone(), wanted: Wanted::Exactly(1) };
            list.map(|list| material(list).open()).transpose()
        };
        Ok(Self { trusted: list.and_then(open), revoked })
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

    /// A list, on a machine where these keys count no more.
    pub fn of(list: TrustList, revoked: Vec<Key>) -> Self {
        let revoked = united(revoked, &list);
        Self { list, revoked, wanted: Wanted::Exactly(1) }
    }

    /// The same for publications that so many have signed.
    #[must_use]
    pub fn wanting(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
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
        let next = Self::of(self.list.next(bytes, &self.revoked, at)?, self.revoked.clone());
        Ok(next.wanting(self.wanted))
    }
}

/// A key that was revoked once counts never again, whatever later lists say.
fn united(mut revoked: Vec<Key>, list: &TrustList) -> Vec<Key> {
    for key in &list.revoked {
        if !revoked.contains(key) {
            revoked.push(key.clone());
        }
    }
    revoked
}

/// Writes a list that was taken, and what follows from it. What the machine itself revoked stays revoked, and a list that
/// is as new as this one stays as it is.
///
/// # Errors
/// The folder cannot be written, or the list is of another site; the list before is in force still.
pub fn place(dir: &Path, bytes: &[u8], list: &TrustList) -> io::Result<()> {
    durable::make_readable_dir(dir)?;
    let _lock = lock(dir)?;
    let remains = Remains::read(dir).map_err(|unusable| io::Error::other(unusable.why.into_string()))?;
    if let Ok(Some(Trusted { list: held, .. })) = &remains.trusted {
        if held.site_id != list.site_id {
            let why = format!(
                "the list that counts is of site {}, and the new one of {}",
                held.site_id, list.site_id
            );
            return Err(io::Error::other(why));
        }
        if held.version >= list.version {
            return Ok(());
        }
    }
    let lines = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let revoked = lines(united(remains.revoked, list).iter().map(Key::line).collect());
    let allowed = lines(list.signers.iter().map(Signer::to_string).collect());
    // The list is the last: what counts is written when everything that belongs to it is.
    let files = [(REVOKED, revoked.as_bytes()), (ALLOWED, allowed.as_bytes()), (LIST, bytes)];
    files.iter().try_for_each(|(name, bytes)| readable(name, bytes))?;
    files.iter().try_for_each(|(name, bytes)| durable::write(&dir.join(name), bytes))
}

/// Lets a key count no more on this machine, at once and whatever a list says.
///
/// # Errors
/// The folder cannot be read or written.
pub fn revoke(dir: &Path, key: &Key) -> io::Result<()> {
    let known = || {
        let remains = Remains::read(dir).map_err(|unusable| io::Error::other(unusable.why.into_string()))?;
        match remains.trusted {
            Ok(None) => Err(io::Error::other("no trust list was taken yet")),
            Ok(Some(_)) | Err(_) => Ok(remains.revoked),
        }
    };
    // Before the lock, which would be the first file of a folder that is not there.
    known()?;
    let _lock = lock(dir)?;
    let mut revoked = known()?;
    if revoked.contains(key) {
        return Ok(());
    }
    revoked.push(key.clone());
    let text: String = revoked.iter().map(|key| format!("{}\n", key.line())).collect();
    readable(REVOKED, text.as_bytes())?;
    durable::write(&dir.join(REVOKED), text.as_bytes())
}

/// What is too large to be read back would close everything.
fn readable(name: &str, bytes: &[u8]) -> io::Result<()> {
    match bytes.len() as u64 > list::MAX_BYTES {
        true => Err(io::Error::other(format!("{name} would be larger than {} bytes", list::MAX_BYTES))),
        false => Ok(()),
    }
}

/// The service takes a list while an operator revokes a key: neither may be lost.
fn lock(dir: &Path) -> io::Result<ExclusiveLock> {
    let path = dir.join(LOCK);
    let take = || {
        let mut tries = 0;
        ExclusiveLock::wait_take(&path, "trust folder", |_| {
            tries += 1;
            tries < TRIES
        })
    };
    let taken = match take() {
        // Root made it, and the folder is the service's own, which then cannot write into the file.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && !lock::is_held(&path) => {
            std::fs::remove_file(&path)?;
            take()
        }
        taken => taken,
    };
    taken?.ok_or_else(|| io::Error::new(io::ErrorKind::WouldBlock, "somebody else is changing it just now"))
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

    #[test]
    fn an_older_list_or_another_site_s_is_never_placed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let version = || Trusted::read(dir).unwrap().list.version;
        place(dir, &signed_list(&list(2), 1), &list(2)).unwrap();
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        assert_eq!(version(), 2);
        let other = TrustList { site_id: "aaaaaaaaaaaaaaaa".parse().unwrap(), ..list(3) };
        assert!(place(dir, &signed_list(&other, 1), &other).is_err());
        assert_eq!(version(), 2);
    }

    #[test]
    fn nobody_writes_what_is_too_large_to_be_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        let line = format!("{}\n", signing_key(3).1.line());
        let room = usize::try_from(list::MAX_BYTES).unwrap() / line.len();
        std::fs::write(dir.join(REVOKED), line.repeat(room)).unwrap();
        let refused = revoke(dir, &signing_key(4).1).unwrap_err();
        assert!(refused.to_string().contains("would be larger"), "{refused}");
        assert_eq!(Trusted::read(dir).unwrap().list, list(1));
    }

    #[test]
    fn a_revocation_and_a_list_that_comes_meanwhile_both_stay() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        std::thread::scope(|s| {
            s.spawn(|| (2..20).for_each(|v| place(dir, &signed_list(&list(v), 1), &list(v)).unwrap()));
            (30..50).for_each(|number| revoke(dir, &signing_key(number).1).unwrap());
        });
        let held = Trusted::read(dir).unwrap();
        assert_eq!((held.list.version, held.revoked().len()), (19, 20));
    }

    #[test]
    fn a_damaged_list_is_replaced_and_brings_no_revoked_key_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let publish = signing_key(3).1;
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        revoke(dir, &publish).unwrap();
        std::fs::write(dir.join(LIST), "half").unwrap();
        let remains = Remains::read(dir).unwrap();
        assert!(remains.trusted.is_err() && remains.revoked == [publish.clone()]);
        place(dir, &signed_list(&list(1), 1), &list(1)).unwrap();
        assert_eq!(Trusted::read(dir).unwrap().revoked(), [publish]);
        std::fs::remove_file(dir.join(REVOKED)).unwrap();
        assert!(Remains::read(dir).unwrap_err().remedy.contains("remove trust.toml and revoked"));
        std::fs::remove_file(dir.join(LIST)).unwrap();
        assert_eq!(Remains::read(dir).unwrap().trusted, Ok(None));
    }
}
