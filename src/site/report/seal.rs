//! The signature of a report (SITE.md 5): over the summary, by the machine's own key, so that a site knows whose report it
//! counts. The key is the machine's SSH host key where the service may read that, or one that `pcm init` has made. `ssh_key`
//! computes.

use super::lines::Sealed;
use crate::host::open::{self, OpenError};
use crate::host::{durable, paths};
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::Key;
use crate::site::signed::{Distrust, many};
use crate::text::SafeText;
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What such a signature is made for.
pub const NAMESPACE: &str = "pcm-report";
/// The key that `init` makes, in the trust folder.
const OWN: &str = "host_key";
/// Its public half.
pub const PUBLIC: &str = "host_key.pub";
/// The largest file of a key, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// The key that a machine signs its reports with. Its private half is wiped from memory when it is dropped.
pub struct HostKey {
    private: PrivateKey,
    key: Key,
    file: PathBuf,
}

impl HostKey {
    /// The key of this machine: of the file that is named; without one its SSH host key, else the one in the trust folder.
    ///
    /// # Errors
    /// There is none that this account may read, with the reason for each that is there.
    pub fn find(named: Option<&Path>, trust_folder: &Path) -> Result<Self, SafeText> {
        let files = named.map_or_else(|| candidates(trust_folder), |named| vec![named.to_owned()]);
        let mut faults = Vec::new();
        for file in &files {
            match Self::read(file) {
                Ok(Some(key)) => return Ok(key),
                Ok(None) => {}
                Err(why) => faults.push(format!("{}: {why}", file.display())),
            }
        }
        let nothing = || {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            format!("there is none at {}", names.join(", "))
        };
        Err(SafeText::new(&if faults.is_empty() { nothing() } else { faults.join("; ") }))
    }

    /// The key of a file; None: there is no such file.
    fn read(file: &Path) -> Result<Option<Self>, String> {
        let bytes = match open::read_own(file, MAX_FILE) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(OpenError::Missing) => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| "it is no private key of OpenSSH".to_owned())?;
        let private = PrivateKey::from_openssh(text)
            .map_err(|e| format!("it is no private key that can be used ({e}); ed25519 and ecdsa can"))?;
        if private.is_encrypted() {
            return Err("a passphrase guards it".into());
        }
        let key = Key::of(private.public_key().clone()).map_err(|distrust| distrust.why.to_string())?;
        Ok(Some(Self { private, key, file: file.to_owned() }))
    }

    /// Makes a key in the trust folder, which only this account may read.
    ///
    /// # Errors
    /// As the system reports them; a key that is there already is left as it is.
    pub fn make(trust_folder: &Path) -> io::Result<Self> {
        let file = trust_folder.join(OWN);
        let mut private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(io::Error::other)?;
        private.set_comment("pcm");
        let key = Key::of(private.public_key().clone()).map_err(io::Error::other)?;
        let text = private.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
        durable::make_readable_dir(trust_folder)?;
        durable::create_secret(&file, text.as_bytes())?;
        durable::write(&trust_folder.join(PUBLIC), format!("{}\n", key.line()).as_bytes())?;
        Ok(Self { private, key, file })
    }

    /// Its public half.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its signature over a summary, as ssh-keygen writes it.
    ///
    /// # Errors
    /// A key of this kind signs nothing here.
    pub fn sign(&self, summary: &str) -> Result<String, SafeText> {
        let bad = |e: ssh_key::Error| SafeText::new(&format!("{}: {e}", self.file.display()));
        let made = self.private.sign(NAMESPACE, HashAlg::Sha512, summary.as_bytes()).map_err(bad)?;
        let armour = made.to_pem(LineEnding::LF).map_err(bad)?;
        Ok(format!("{}\n", armour.trim_end()))
    }
}

impl Sealed {
    /// Whose signature it is that is over the summary.
    ///
    /// # Errors
    /// It does not verify.
    pub fn by(&self) -> Result<Key, Distrust> {
        let signature = Signature::read(&self.signature)?;
        signature.verify_for(NAMESPACE, self.summary.as_bytes())?;
        Ok(signature.key().clone())
    }

    /// The same of many, which is much quicker than one after the other.
    pub fn all_by(all: &[Self]) -> Vec<Result<Key, Distrust>> {
        let read: Vec<_> = all.iter().map(|sealed| Signature::read(&sealed.signature)).collect();
        let good = read
            .iter()
            .zip(all)
            .filter_map(|(read, sealed)| Some((read.as_ref().ok()?, sealed.summary.as_bytes())));
        let mut verified = many::verify_for(NAMESPACE, &good.collect::<Vec<_>>()).into_iter();
        let by = |(read, sealed): (&Result<Signature, Distrust>, &Self)| -> Result<Key, Distrust> {
            let signature = read.as_ref().map_err(Clone::clone)?;
            // There are as many as were asked for.
            verified.next().unwrap_or_else(|| signature.verify_for(NAMESPACE, sealed.summary.as_bytes()))?;
            Ok(signature.key().clone())
        };
        read.iter().zip(all).map(by).collect()
    }
}

/// Where the key of this machine may be.
fn candidates(trust_folder: &Path) -> Vec<PathBuf> {
    let mut files = paths::ssh_host_keys();
    files.push(trust_folder.join(OWN));
    files
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::report::MachineReport;
    use crate::site::report::tests::report;

    fn sealed(key: &HostKey) -> (Vec<u8>, Sealed) {
        let lines = report(2).lines().unwrap();
        let bytes = lines.bytes(Some(&key.sign(&lines.summary).unwrap())).unwrap();
        let sealed = MachineReport::read(&bytes).unwrap().1.unwrap();
        (bytes, sealed)
    }

    #[test]
    fn what_a_machine_signs_is_known_to_be_its_own_and_nothing_else_is() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let named = |dir: &Path| HostKey::find(Some(&dir.join(OWN)), dir);
        assert!(named(dir.path()).err().unwrap().as_str().contains("there is none at"));
        let (own, another) = (HostKey::make(dir.path()).unwrap(), HostKey::make(other.path()).unwrap());
        assert_eq!(HostKey::make(dir.path()).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        let read = named(dir.path()).unwrap();
        assert_eq!((read.key(), read.file()), (own.key(), dir.path().join(OWN).as_path()));
        let public = std::fs::read_to_string(dir.path().join("host_key.pub")).unwrap();
        assert_eq!(&Key::read(&public).unwrap(), own.key());
        let (bytes, good) = sealed(&own);
        assert_eq!(good.by().unwrap(), *read.key());
        assert_ne!(sealed(&another).1.by().unwrap(), *read.key());
        // Of another summary, for another namespace, and no signature at all.
        let text = String::from_utf8(bytes).unwrap();
        let changed = text.replace("\"host\":\"host\"", "\"host\":\"hosT\"");
        assert!(MachineReport::read(changed.as_bytes()).unwrap().1.unwrap().by().is_err());
        let other = own.private.sign("pcm-publish", HashAlg::Sha512, good.summary.as_bytes()).unwrap();
        let other = other.to_pem(LineEnding::LF).unwrap();
        let mut all = vec![good.clone(), sealed(&another).1];
        for signature in [format!("{}\n", other.trim_end()), String::new(), "x".repeat(4_000)] {
            all.insert(1, Sealed { signature, ..good.clone() });
            assert!(all[1].by().is_err());
        }
        assert_eq!(Sealed::all_by(&all), all.iter().map(Sealed::by).collect::<Vec<_>>());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_write_or_that_is_none_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let own = HostKey::make(dir.path()).unwrap();
        let mode =
            |mode| std::fs::set_permissions(own.file(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(std::fs::metadata(own.file()).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o666);
        assert!(HostKey::read(own.file()).is_err());
        mode(0o600);
        std::fs::write(own.file(), "no key").unwrap();
        let why = HostKey::find(Some(own.file()), dir.path()).err().unwrap();
        assert!(why.as_str().contains("no private key"), "{why}");
    }
}
