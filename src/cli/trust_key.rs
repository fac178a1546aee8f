//! `pcm init --trust-key`: an operator says by its fingerprint whose word counts on this machine. It is the only thing that
//! is taken on somebody's word alone; every later trust list is signed by a key of the one before.

use super::App;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::host::threads;
use crate::site::ids::MachineId;
use crate::site::signed::list::{self, TrustList};
use crate::site::signed::signature::Signature;
use crate::site::signed::store::{self, Trusted};
use crate::site::signed::{Distrust, block};
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use std::path::{Path, PathBuf};

/// The most names in the folder of lists.
const MAX_NAMES: usize = 10_000;
/// The most versions that are looked at, the newest first.
const MAX_LISTS: usize = 64;

/// A list that is to count on this machine.
pub struct Confirmed {
    dir: PathBuf,
    /// What is to be written; None: what is there is as new.
    new: Option<Vec<u8>>,
    list: TrustList,
}

impl Confirmed {
    /// Writes the trust folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn place(self) -> Result<TrustList> {
        if let Some(bytes) = &self.new {
            store::place(&self.dir, bytes, &self.list).map_err(|e| {
                let message = format!("the trust folder {} was not written: {e}", self.dir.display());
                Failure::new(
                    Exit::Failed,
                    "init",
                    message,
                    "Run it as root, or name another folder: [trust] dir",
                )
            })?;
        }
        Ok(self.list)
    }
}

/// The list that counts: the highest that the confirmed key signed, and those after it. None: mode `permissions`, or no
/// share has any. Nothing is written.
///
/// # Errors
/// `not-confirmed`: a share has lists, and nobody said whose key counts; `bad-signature`: that key signed none of them.
pub fn confirm(
    app: &App,
    machine: MachineId,
    mode: TrustMode,
    key: Option<&str>,
) -> Result<Option<Confirmed>> {
    let dir = app.setup.layout.trust_folder(app.setup.config.trust.dir.as_deref());
    if mode == TrustMode::Permissions {
        return match key {
            None => Ok(None),
            Some(_) => Err(Failure::new(
                Exit::Usage,
                "usage",
                "--trust-key goes with trust mode `signed`",
                "Leave it out, or set [trust] mode",
            )),
        };
    }
    let held = Trusted::read(&dir).ok();
    if let (None, Some(held)) = (key, &held) {
        return Ok(Some(Confirmed { dir, new: None, list: held.list.clone() }));
    }
    let offered = offered(app)?;
    let Some(key) = key else { return not_confirmed(&offered).map(|()| None) };
    let (mut last, mut found) = (None, None);
    for (share, version, bytes) in &offered {
        match TrustList::anchored(bytes, key, app.now) {
            Ok(list) => {
                found = Some((bytes.clone(), list));
                break;
            }
            Err(why) => last = last.or(Some((share, *version, why))),
        }
    }
    let Some((bytes, list)) = found else { return Err(none_signed(key, last)) };
    let (bytes, list) = later(&offered, bytes, list, app.now);
    if list.site != machine.site() {
        let message = format!("the trust list is of site {}, and {machine} is not", list.site);
        return Err(Failure::new(
            Exit::Refused,
            "other-site",
            message,
            "Name the share of the machine's own site",
        ));
    }
    let newer = held.filter(|held| held.list.site_id == list.site_id && held.list.version >= list.version);
    Ok(Some(match newer {
        Some(held) => Confirmed { dir, new: None, list: held.list },
        None => Confirmed { dir, new: Some(bytes), list },
    }))
}

type Offered = (PathBuf, u64, Vec<u8>);

/// The versions after a list, as far as each is signed by the one before.
fn later(offered: &[Offered], mut bytes: Vec<u8>, mut list: TrustList, at: Wall) -> (Vec<u8>, TrustList) {
    while let Some((next, taken)) = offered.iter().find_map(|(_, version, next)| {
        let is_next = *version == list.version + 1;
        let taken = is_next.then(|| list.next(next, &[], at).ok()).flatten()?;
        Some((next.clone(), taken))
    }) {
        (bytes, list) = (next, taken);
    }
    (bytes, list)
}

/// All lists of the shares, the newest first.
fn offered(app: &App) -> Result<Vec<Offered>> {
    let shares = match app.setup.flags.shares.as_slice() {
        [] => app.setup.config.shares.clone(),
        shares => shares.to_vec(),
    };
    let timeout =
        app.setup.config.share.timeout.saturating_mul(u32::try_from(shares.len().max(1)).unwrap_or(1));
    // A share may hang; this command then ends all the same.
    let read = threads::within("trust-lists", timeout, move || {
        let mut all: Vec<Offered> = Vec::new();
        for share in shares {
            let lists = lists_of(&share).unwrap_or_default();
            all.extend(lists.into_iter().map(|(version, bytes)| (share.clone(), version, bytes)));
        }
        all.sort_by_key(|(_, version, _)| std::cmp::Reverse(*version));
        all
    });
    read.map_err(|e| {
        let message = format!("the trust lists of the share were not read: {e}");
        Failure::new(
            Exit::Share,
            "share-missing",
            message,
            "See whether the share answers; nothing was changed",
        )
    })
}

fn lists_of(share: &Path) -> std::result::Result<Vec<(u64, Vec<u8>)>, OpenError> {
    let folder = Folder::open(share)?.folder(list::FOLDER)?;
    let names = folder.names(MAX_NAMES)?;
    let version = |name: &str| {
        let version: u64 = name.strip_suffix(".toml")?.parse().ok()?;
        (TrustList::file_name(version) == name).then_some(version)
    };
    let mut versions: Vec<u64> = names.iter().filter_map(|name| version(name.to_str()?)).collect();
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(*version));
    let read = |version: u64| {
        let mut file = folder.file(&TrustList::file_name(version)).ok()?;
        Some((version, read_bounded(&mut file, list::MAX_BYTES).ok()?))
    };
    Ok(versions.into_iter().take(MAX_LISTS).filter_map(read).collect())
}

/// What a share says of itself is shown, to be compared with what its administrator says.
fn not_confirmed(offered: &[Offered]) -> Result<()> {
    let Some((share, version, bytes)) = offered.first() else { return Ok(()) };
    let signed_by = || -> std::result::Result<String, Distrust> {
        let parts = block::split_into(bytes, 1)?;
        Ok(Signature::read(parts.armours.first().map_or("", String::as_str))?.key().fingerprint())
    };
    let by = match signed_by() {
        Ok(fingerprint) => format!("signed with the key {fingerprint}"),
        Err(distrust) => format!("not signed in a way that counts: {}", distrust.why),
    };
    Err(Failure::new(
        Exit::Refused,
        "not-confirmed",
        format!(
            "trust list {version} of {} is {by}; nobody has confirmed that key, so nothing was changed",
            share.display()
        ),
        "Compare it with what the site's administrator tells you, then: pcm init --trust-key SHA256:…",
    ))
}

fn none_signed(key: &str, last: Option<(&PathBuf, u64, Distrust)>) -> Failure {
    let (code, why) = match last {
        None => ("no-trust-list", SafeText::from("no share has a trust list")),
        Some((share, version, distrust)) => {
            let why = format!("trust list {version} of {}: {}", share.display(), distrust.why);
            (distrust.code.as_str(), SafeText::new(&why))
        }
    };
    let message = format!("no trust list is signed with {key}, so nothing was changed: {why}");
    Failure::new(
        Exit::Refused,
        code,
        message,
        "Compare the fingerprint with what the site's administrator tells you",
    )
}
