//! The site folder (SITE.md 3), as far as trust needs it: `site.toml` and the versions of the trust list. It is the
//! publisher's own and local; what is signed comes from here and never from the share.

use super::block;
use super::list::{self, TrustList};
use super::signature::Signature;
use super::signers::{Key, Role, Signer};
use super::store::Trusted;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::fields::{self, Fields, Source};
use crate::host::open::{OpenError, open_bounded};
use crate::host::{durable, ssh_keygen};
use crate::site::ids::{PackageId, SiteCode, SiteId};
use crate::site::instruction::render::quoted;
use crate::site::site_file::SiteFile;
use crate::terms::Problem;
use crate::text::SafeText;
use chrono::SubsecRound as _;
use ssh_key::rand_core::{OsRng, RngCore as _};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What makes a folder a site folder.
pub const NAME: &str = "site.toml";
const MAX_BYTES: u64 = 64 << 10;
/// More versions of a list than any site makes.
const MAX_VERSIONS: u64 = 100_000;

/// A site folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFolder {
    /// Where it is.
    pub dir: PathBuf,
    /// Whose ids its publications have.
    pub site: SiteCode,
    /// Which of all sites with this code.
    pub site_id: SiteId,
}

/// A change of the trust list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key counts from now on, or for another time.
    Trust(Signer),
    /// A key counts no more.
    Revoke(Key),
    /// Releases of a package below this one are run nowhere any more.
    Withdraw(PackageId, u64),
}

impl SiteFolder {
    /// Reads `site.toml`.
    ///
    /// # Errors
    /// `no-site-folder`: it is not there; `malformed`.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let bytes = open_bounded(&path, MAX_BYTES).map_err(|e| {
            Failure::new(
                Exit::NotFound,
                "no-site-folder",
                format!("{} is no site folder: {}: {e}", dir.display(), path.display()),
                "Name it with --folder DIR; the first `pcm key trust --share SHARE` makes one for a share",
            )
        })?;
        let (site, site_id) = parse(&bytes, &path.display().to_string())
            .map_err(|problems| malformed(&path, &super::Distrust::malformed(&problems).why))?;
        Ok(Self { dir: dir.to_owned(), site, site_id })
    }

    /// A new one for the site of a share that is filled by hand. Nothing is written yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(dir: &Path, site: SiteCode) -> Result<Self> {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut random = [0; SiteId::LENGTH];
        let id = OsRng.try_fill_bytes(&mut random).map_err(|e| e.to_string()).and_then(|()| {
            let text: String = random.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
            text.parse::<SiteId>()
        });
        let site_id = id.map_err(|e| {
            let message = format!("no site id was made: {e}");
            Failure::new(Exit::Failed, "site-not-made", message, "Try again when the system has random bytes")
        })?;
        Ok(Self { dir: dir.to_owned(), site, site_id })
    }

    /// Writes `site.toml` and the folder of the lists.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn make(&self, share: &SiteFile, location: &Path) -> Result<()> {
        let text = format!(
            "# The site folder: the source of what is published on the share. Keep private keys elsewhere.\nsite = {}\n\
             site_id = {}\nname = {}\nshare = {}\n",
            quoted(self.site.as_str()),
            quoted(self.site_id.as_str()),
            quoted(share.name.as_str()),
            quoted(&location.display().to_string()),
        );
        let path = self.dir.join(NAME);
        durable::make_readable_dir(&self.dir)
            .and_then(|()| durable::create_new(&path, text.as_bytes()))
            .map_err(|e| not_written(&path, &e))
    }

    /// Where a version of the trust list is.
    pub fn list_path(&self, version: u64) -> PathBuf {
        self.dir.join(list::FOLDER).join(TrustList::file_name(version))
    }

    /// One version of the trust list, as a machine comes to it: from the first, each signed by a key of the one before.
    /// None: there is none.
    ///
    /// # Errors
    /// `malformed`: one on the way cannot be read, was changed after it was signed, is of another site, or is signed by
    /// nobody whom the one before it knows.
    pub fn list(&self, version: u64) -> Result<Option<TrustList>> {
        let newest = self.chain(version)?;
        Ok(newest.filter(|list| list.version == version))
    }

    /// The newest version; None: no list was made yet.
    ///
    /// # Errors
    /// As [`SiteFolder::list`].
    pub fn newest(&self) -> Result<Option<TrustList>> {
        self.chain(MAX_VERSIONS)
    }

    /// The last version without a gap, up to this one. Each is judged at the time when it was made.
    fn chain(&self, up_to: u64) -> Result<Option<TrustList>> {
        let mut held: Option<Trusted> = None;
        for version in 1..=up_to {
            let path = self.list_path(version);
            let bytes = match open_bounded(&path, list::MAX_BYTES) {
                Ok(bytes) => bytes,
                Err(OpenError::Missing) => break,
                Err(e) => return Err(malformed(&path, &SafeText::new(&e.to_string()))),
            };
            let bad = |distrust: super::Distrust| malformed(&path, &distrust.why);
            let (list, by) = TrustList::whole(&bytes).map_err(bad)?;
            if (list.site, &list.site_id, list.version) != (self.site, &self.site_id, version) {
                let why = format!(
                    "it is version {} of the list of site {} {}, and not what its name and {NAME} say",
                    list.version, list.site, list.site_id
                );
                return Err(malformed(&path, &why.into()));
            }
            let next = match &held {
                None => TrustList::anchored(&bytes, &by.fingerprint(), list.issued)
                    .map(|list| Trusted::of(list, Vec::new())),
                Some(held) => held.next(&bytes, list.issued),
            };
            held = Some(next.map_err(bad)?);
        }
        Ok(held.map(|held| held.list))
    }

    /// The next version of the list: changed, signed with `key`, and taken as a machine would take it before it is placed.
    /// With `dry_run` it is neither signed nor written.
    ///
    /// # Errors
    /// The change makes no good list; the key signs nothing, or is none whose word a machine would take.
    pub fn change(&self, change: Change, key: &Path, now: Wall, dry_run: bool) -> Result<TrustList> {
        let (now, held) = (now.trunc_subsecs(0), self.newest()?);
        let mut next = held.clone().unwrap_or_else(|| TrustList {
            site: self.site,
            site_id: self.site_id.clone(),
            version: 0,
            issued: now,
            signers: Vec::new(),
            revoked: Vec::new(),
            withdrawn: [].into(),
        });
        (next.version, next.issued) = (next.version + 1, now);
        apply(&mut next, change)?;
        let text = next.render();
        TrustList::parse(text.as_bytes()).map_err(|problems| {
            let message = format!("no list was made: {}", super::Distrust::malformed(&problems).why);
            let remedy = match held {
                None => "The first list has to hold the trust key that signs it: pcm key trust KEY.pub --role trust first",
                Some(_) => "Correct that and try again; nothing was changed",
            };
            Failure::new(Exit::Refused, "malformed", message, remedy)
        })?;
        if dry_run {
            return Ok(next);
        }
        let armour = ssh_keygen::sign(key, Role::Trust.namespace(), text.as_bytes()).map_err(|why| {
            let remedy =
                "Name a private key, or the .pub of one that your agent or token holds; nothing was changed";
            Failure::new(Exit::Failed, "not-signed", why, remedy)
        })?;
        let signed = block::append(&text, &armour);
        let taken = match &held {
            None => Signature::read(&armour)
                .and_then(|s| TrustList::anchored(signed.as_bytes(), &s.key().fingerprint(), now)),
            Some(held) => held.next(signed.as_bytes(), &[], now),
        };
        let taken = taken.map_err(|distrust| {
            Failure::new(
                Exit::Refused,
                distrust.code.as_str(),
                format!(
                    "no machine would take a list that is signed with {}: {}",
                    key.display(),
                    distrust.why
                ),
                "Sign with a key that the list calls a trust key; nothing was changed",
            )
        })?;
        let path = self.list_path(taken.version);
        durable::make_readable_dir(&self.dir.join(list::FOLDER))
            .and_then(|()| durable::create_new(&path, signed.as_bytes()))
            .map_err(|e| not_written(&path, &e))?;
        Ok(taken)
    }
}

fn apply(list: &mut TrustList, change: Change) -> Result<()> {
    let refuse =
        |message: String, remedy: &str| Err(Failure::new(Exit::Refused, "no-change", message, remedy));
    match change {
        Change::Trust(signer) => {
            if list.revoked.contains(&signer.key) {
                let message =
                    format!("{} was revoked, and a revoked key never counts again", signer.key.fingerprint());
                return refuse(message, "Make another key: pcm key generate FILE");
            }
            match list.signers.iter_mut().find(|other| other.key == signer.key) {
                Some(other) if other.role != signer.role => {
                    let message = format!(
                        "{} is the {} key of {}; a key has one role",
                        signer.key.fingerprint(),
                        other.role,
                        other.principal
                    );
                    return refuse(message, "Make another key for it: pcm key generate FILE");
                }
                Some(other) if *other == signer => {
                    return refuse("the list says exactly that already".into(), "Nothing has to be done");
                }
                Some(other) => *other = signer,
                None => list.signers.push(signer),
            }
        }
        Change::Revoke(key) => {
            if list.revoked.contains(&key) {
                return refuse(format!("{} is revoked already", key.fingerprint()), "Nothing has to be done");
            }
            list.signers.retain(|signer| signer.key != key);
            list.revoked.push(key);
        }
        Change::Withdraw(package, below) => {
            let held = list.withdrawn.get(&package).copied().unwrap_or_default();
            if below <= held {
                let message = format!("releases of {package} below {held} are withdrawn already");
                return refuse(message, "Name a higher release: what was withdrawn stays withdrawn");
            }
            list.withdrawn.insert(package, below);
        }
    }
    Ok(())
}

/// Site and id. What else is in there is for those who publish.
fn parse(bytes: &[u8], file: &str) -> std::result::Result<(SiteCode, SiteId), Vec<Problem>> {
    let source = Source::decode(bytes, file, "malformed").map_err(|p| vec![p])?;
    let table = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut f = Fields::top(&source, table.get_ref());
    let (site, site_id) = (f.need("site", fields::parsed), f.need("site_id", fields::parsed));
    site.zip(site_id).ok_or_else(|| f.finish())
}

fn malformed(path: &Path, why: &SafeText) -> Failure {
    let message = format!("{} cannot be used: {why}", path.display());
    Failure::new(
        Exit::Failed,
        "malformed",
        message,
        "Put it back as it was, from a backup or your repository",
    )
}

fn not_written(path: &Path, e: &std::io::Error) -> Failure {
    let message = format!("{} was not written: {e}", path.display());
    Failure::new(Exit::Failed, "not-written", message, "Correct that and try again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{issued, list, signed_list, signing_key};
    use super::*;

    fn folder(dir: &Path) -> SiteFolder {
        SiteFolder { dir: dir.to_owned(), site: "BP0".parse().unwrap(), site_id: list(1).site_id }
    }

    #[test]
    fn a_new_folder_has_an_id_of_its_own_and_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let made = SiteFolder::new(dir.path(), "BP0".parse().unwrap()).unwrap();
        let share =
            crate::site::site_file::parse(b"format = 1\nsite = \"BP0\"\nname = \"x\"\n", "f").unwrap();
        made.make(&share, Path::new("/srv/pcm")).unwrap();
        assert_eq!(SiteFolder::open(dir.path()), Ok(made.clone()));
        assert_ne!(SiteFolder::new(dir.path(), made.site).unwrap().site_id, made.site_id);
        assert_eq!(made.make(&share, Path::new("/srv/pcm")).unwrap_err().code, "not-written");
    }

    #[test]
    fn the_newest_list_is_the_last_without_a_gap_and_one_that_was_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        assert_eq!(folder.newest(), Ok(None));
        std::fs::create_dir(dir.path().join(list::FOLDER)).unwrap();
        for version in [1, 2, 4] {
            std::fs::write(folder.list_path(version), signed_list(&list(version), 1)).unwrap();
        }
        assert_eq!(folder.newest().unwrap().unwrap().version, 2);
        let changed = String::from_utf8(signed_list(&list(2), 1)).unwrap().replace("trust-1 ", "mallory ");
        std::fs::write(folder.list_path(2), changed).unwrap();
        assert_eq!(folder.newest().unwrap_err().code, "malformed");
        std::fs::write(folder.list_path(2), signed_list(&list(3), 1)).unwrap();
        assert!(folder.newest().unwrap_err().message.as_str().contains("not what its name"));
    }

    #[test]
    fn a_list_that_a_stranger_signed_is_no_link_of_the_chain() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        std::fs::create_dir(dir.path().join(list::FOLDER)).unwrap();
        let put = |version, number| {
            std::fs::write(folder.list_path(version), signed_list(&list(version), number)).unwrap();
        };
        (1..=3).for_each(|version| put(version, 1));
        assert_eq!(folder.newest().unwrap().unwrap().version, 3);
        for (version, number) in [(3, 9), (3, 2), (1, 9)] {
            put(version, number);
            let refused = folder.newest().unwrap_err();
            assert_eq!(refused.code, "malformed");
            assert!(refused.message.as_str().contains(&format!("{version}.toml")), "{}", refused.message);
            assert!(folder.list(3).is_err());
            put(version, 1);
        }
        put(2, 9);
        assert_eq!(folder.list(1).unwrap().unwrap().version, 1);
        assert!(folder.newest().is_err(), "in the middle, too");
    }

    #[test]
    fn changes_say_why_they_make_no_list() {
        let mut changed = list(1);
        let signer = |number: u8, role| Signer {
            principal: "anna".into(),
            role,
            after: None,
            before: None,
            key: signing_key(number).1,
        };
        let no = |list: &mut TrustList, change| apply(list, change).unwrap_err().message.into_string();
        assert!(no(&mut changed, Change::Trust(signer(2, Role::Trust))).contains("a key has one role"));
        apply(&mut changed, Change::Trust(signer(2, Role::Package))).unwrap();
        assert_eq!((changed.signers.len(), changed.signers[1].principal.as_str()), (3, "anna"));
        assert!(no(&mut changed, Change::Trust(signer(2, Role::Package))).contains("already"));
        apply(&mut changed, Change::Revoke(signing_key(2).1)).unwrap();
        assert_eq!((changed.signers.len(), changed.revoked.len()), (2, 1));
        assert!(no(&mut changed, Change::Trust(signer(2, Role::Package))).contains("never counts again"));
        assert!(no(&mut changed, Change::Revoke(signing_key(2).1)).contains("already"));
        let package = "BP00000A".parse().unwrap();
        apply(&mut changed, Change::Withdraw(package, 3)).unwrap();
        assert!(no(&mut changed, Change::Withdraw(package, 3)).contains("below 3 are withdrawn already"));
        assert_eq!(changed.issued, issued());
    }
}
