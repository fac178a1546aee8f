//! `pcm init --trust-key`: an operator says by its fingerprint whose word counts on this machine. It is the only thing that
//! is taken on somebody's word alone; every later trust list is signed by a key of the one before.

use super::App;
use super::key::damaged;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::site::ids::MachineId;
use crate::site::signed::list::{self, TrustList};
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::{Key, Role};
use crate::site::signed::store::{self, Remains, Trusted};
use crate::site::signed::{Distrust, block};
use crate::site::trust::TrustMode;
use crate::terms::Code;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most names in the folder of lists.
const MAX_NAMES: usize = 10_000;
/// The most versions that are looked at, the newest first.
const MAX_LISTS: usize = 64;
/// The most that are asked for by their names.
const MAX_VERSIONS: u64 = 500;
/// The most lists that were not taken and are named.
const MOST_LEFT: usize = 8;

/// A list that is to count on this machine.
pub struct Confirmed {
    dir: PathBuf,
    /// What is to be written, one after the other; nothing where what is there is as new.
    new: Vec<Taken>,
    list: TrustList,
    left: Vec<NotTaken>,
}

/// A list of the share that is newer and was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotTaken {
    /// Where it is.
    pub file: SafeText,
    /// Why.
    pub why: SafeText,
}

/// A list that was believed, with its bytes.
type Taken = (Vec<u8>, TrustList);

impl Confirmed {
    /// Whose word counts by it.
    pub fn trusted(&self) -> Trusted {
        Trusted::of(self.list.clone(), Vec::new())
    }

    /// What newer ones the share has.
    pub fn not_taken(&self) -> &[NotTaken] {
        &self.left
    }

    /// Writes the trust folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn place(self) -> Result<TrustList> {
        for (bytes, list) in &self.new {
            store::place(&self.dir, bytes, list).map_err(|e| {
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

/// The list that counts: where one is held, it and those after it; else the highest that the confirmed key signed, and
/// those after it. None: mode `permissions`, or no share has any. Nothing is written.
///
/// # Errors
/// `not-confirmed`: a share has lists, and nobody said whose key counts; `bad-signature`: that key signed none of them, or
/// counts no more; `trust-unreadable`: it is not known whose word counts.
pub fn confirm(
    app: &App,
    machine: Option<MachineId>,
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
    let remains = Remains::read(&dir).map_err(|unusable| {
        let message = format!("whose keys count on this machine is not known: {}", unusable.why);
        Failure::new(Exit::State, "trust-unreadable", message, unusable.remedy)
    })?;
    let confirmed = match (key, remains.trusted) {
        (None, Err(why)) => return Err(damaged(&why)),
        (None, Ok(Some(held))) => Confirmed { dir, new: Vec::new(), list: held.list, left: Vec::new() },
        (None, Ok(None)) => {
            let offers = offered(app, u64::MAX);
            if let (Some(fault), []) = (offers.faults.first(), offers.lists.as_slice()) {
                app.out.note(format!(
                    "the trust lists of {} were not read: {}",
                    fault.at.display(),
                    fault.why
                ));
            }
            return not_confirmed(&offers.lists).map(|()| None);
        }
        (Some(key), Ok(Some(held))) => following(app, dir, held, key)?,
        (Some(key), Ok(None) | Err(_)) => first(app, dir, remains.revoked, key)?,
    };
    match (&confirmed.list, machine) {
        (_, None) => Ok(Some(confirmed)),
        (list, Some(machine)) if list.site == machine.site() => Ok(Some(confirmed)),
        (list, Some(machine)) => Err(Failure::new(
            Exit::Refused,
            "other-site",
            format!("the trust list is of site {}, and {machine} is not", list.site),
            "Name the share of the machine's own site",
        )),
    }
}

/// On a machine that holds a list, a key is confirmed by that list: no word of an operator brings back what a list ended.
fn following(app: &App, dir: PathBuf, held: Trusted, key: &str) -> Result<Confirmed> {
    check_revoked(key, held.revoked())?;
    check_revoked(key, &held.list.revoked)?;
    let offers = offered(app, held.list.version);
    let of_another = |(_, _, bytes): &&Offered| {
        TrustList::anchored(bytes, key, app.now).is_ok_and(|list| list.site_id != held.list.site_id)
    };
    if let Some((share, version, _)) = offers.lists.iter().find(of_another) {
        return Err(Failure::new(
            Exit::Refused,
            "other-site",
            format!(
                "trust list {version} of {} is of another site than the list that this machine holds, so nothing was \
                 changed",
                share.display()
            ),
            "Name the share of the machine's own site",
        ));
    }
    let (before, (now, new)) = (held.list.clone(), later(&offers.lists, held, app.now));
    let knows =
        |list: &TrustList| list.signers.iter().any(|s| s.role == Role::Trust && s.key.fingerprint() == key);
    if !knows(&before) && !knows(&now.list) {
        return Err(Failure::new(
            Exit::Refused,
            "bad-signature",
            format!(
                "{key} is no trust key of trust list {}, which counts on this machine, so nothing was changed",
                now.list.version
            ),
            "Compare the fingerprint with what the site's administrator tells you",
        ));
    }
    let left = left(&offers, &now, app.now);
    Ok(Confirmed { dir, new, list: now.list, left })
}

/// On a machine that holds none, or a damaged one, an operator's word is what is there. What was revoked stays revoked.
fn first(app: &App, dir: PathBuf, revoked: Vec<Key>, key: &str) -> Result<Confirmed> {
    check_revoked(key, &revoked)?;
    let offers = offered(app, u64::MAX);
    let mut last = None;
    for (share, version, bytes) in &offers.lists {
        match TrustList::anchored(bytes, key, app.now) {
            Ok(list) => {
                let anchor = (bytes.clone(), list.clone());
                let (now, mut new) = later(&offers.lists, Trusted::of(list, revoked), app.now);
                new.insert(0, anchor);
                let left = left(&offers, &now, app.now);
                return Ok(Confirmed { dir, new, list: now.list, left });
            }
            Err(why) => last = last.or(Some((share, *version, why))),
        }
    }
    Err(none_signed(key, last, &offers))
}

fn check_revoked(key: &str, revoked: &[Key]) -> Result<()> {
    match revoked.iter().any(|other| other.fingerprint() == key) {
        false => Ok(()),
        true => Err(Failure::new(
            Exit::Refused,
            "bad-signature",
            format!("{key} is revoked on this machine, and a revoked key never counts again"),
            "Ask the site's administrator which trust key counts now",
        )),
    }
}

/// The versions after what is held, as far as each is signed by the one before.
fn later(offered: &[Offered], mut held: Trusted, at: Wall) -> (Trusted, Vec<Taken>) {
    let mut new = Vec::new();
    while let Some((bytes, next)) = offered.iter().find_map(|(_, version, bytes)| {
        let is_next = *version == held.list.version + 1;
        let next = is_next.then(|| held.next(bytes, at).ok()).flatten()?;
        Some((bytes.clone(), next))
    }) {
        new.push((bytes, next.list.clone()));
        held = next;
    }
    (held, new)
}

/// What the shares have beyond the newest list that was taken, and why each of them was not: the oldest first.
fn left(offers: &Offers, now: &Trusted, at: Wall) -> Vec<NotTaken> {
    let (newest, follows) = (now.list.version, now.list.version + 1);
    let newer = offers.lists.iter().rev().filter(|(_, version, _)| *version > newest);
    let lists = newer.map(|(share, version, bytes)| {
        let why = match now.next(bytes, at) {
            Err(distrust) if *version == follows => distrust.why.clone(),
            Ok(_) | Err(_) => format!("it follows on version {}, which was not taken", version - 1).into(),
        };
        NotTaken { file: file_of(share, *version).display().to_string().into(), why }
    });
    let faults = offers
        .faults
        .iter()
        .map(|fault| NotTaken { file: fault.at.display().to_string().into(), why: fault.why.clone() });
    lists.chain(faults).take(MOST_LEFT).collect()
}

fn file_of(share: &Path, version: u64) -> PathBuf {
    share.join(list::FOLDER).join(TrustList::file_name(version))
}

type Offered = (PathBuf, u64, Vec<u8>);

/// What the shares have.
#[derive(Default)]
struct Offers {
    /// The newest first.
    lists: Vec<Offered>,
    /// What could not be read.
    faults: Vec<Fault>,
    /// Shares that are not there.
    away: Vec<PathBuf>,
}

/// A share or a file that could not be read.
struct Fault {
    at: PathBuf,
    code: Code,
    why: SafeText,
    remedy: &'static str,
}

impl Fault {
    fn of(at: PathBuf, e: &OpenError) -> Self {
        let code = if e.is_denial() { Code::ShareDenied } else { Code::ShareMissing };
        let remedy = "Run it as an account that may read the share, or correct that there";
        Self { at, code, why: e.to_string().into(), remedy }
    }

    fn silent(share: PathBuf, why: SafeText) -> Self {
        let remedy = "Bring the share back (is its server up?), then try again";
        Self { at: share, code: Code::ShareMissing, why, remedy }
    }
}

/// The shares that cannot be opened now, and why: what an `init` has to see there was not seen.
pub fn not_reached(app: &App) -> Vec<NotTaken> {
    let of = |share: &PathBuf| {
        let why = match app.reaches(share) {
            Err(why) => why,
            Ok(()) => Folder::open(share).err()?.to_string().into(),
        };
        Some(NotTaken { file: share.display().to_string().into(), why })
    };
    app.setup.locations().iter().filter_map(of).collect()
}

/// The newest lists of the shares, and those that follow this version.
fn offered(app: &App, after: u64) -> Offers {
    let shares = match app.setup.flags.shares.as_slice() {
        [] => app.setup.config.shares.clone(),
        shares => shares.to_vec(),
    };
    let mut all = Offers::default();
    for share in shares {
        if let Err(why) = app.reaches(&share) {
            all.faults.push(Fault::silent(share, why));
            continue;
        }
        // None there is no fault: a share of mode `permissions` has none, and one may not be mounted yet.
        match lists_of(&share, after, &mut all) {
            Ok(()) => {}
            Err(OpenError::Missing) if Folder::open(&share).is_err() => all.away.push(share),
            Err(OpenError::Missing) => {}
            Err(e) => all.faults.push(Fault::of(share, &e)),
        }
    }
    all.lists.sort_by_key(|(_, version, _)| std::cmp::Reverse(*version));
    all
}

fn lists_of(share: &Path, after: u64, all: &mut Offers) -> std::result::Result<(), OpenError> {
    let folder = Folder::open(share)?.folder(list::FOLDER)?;
    if folder.is_remote() {
        return lists_by_name(share, &folder, after, all);
    }
    let names = folder.names(MAX_NAMES)?;
    let version = |name: &str| {
        let version: u64 = name.strip_suffix(".toml")?.parse().ok()?;
        (TrustList::file_name(version) == name).then_some(version)
    };
    let versions: BTreeSet<u64> = names.iter().filter_map(|name| version(name.to_str()?)).collect();
    // However many others somebody puts there, those that follow are found.
    let following = versions.iter().filter(|version| **version > after).take(MAX_LISTS);
    let wanted: BTreeSet<u64> = versions.iter().rev().take(MAX_LISTS).chain(following).copied().collect();
    for version in wanted {
        let read = folder
            .file(&TrustList::file_name(version))
            .and_then(|mut file| read_bounded(&mut file, list::MAX_BYTES));
        match read {
            Ok(bytes) => all.lists.push((share.to_owned(), version, bytes)),
            Err(OpenError::Missing) => {}
            Err(e) => all.faults.push(Fault::of(file_of(share, version), &e)),
        }
    }
    Ok(())
}

/// The same where no names are listed: one after the other, until there is none of the next name. Who may not list may not
/// hear that either.
fn lists_by_name(
    share: &Path,
    folder: &Folder,
    after: u64,
    all: &mut Offers,
) -> std::result::Result<(), OpenError> {
    let before = all.lists.len();
    // Where none has to follow, the newest are wanted.
    let first = after.checked_add(1).unwrap_or(1);
    for version in first..first.saturating_add(MAX_VERSIONS) {
        let read = folder
            .file(&TrustList::file_name(version))
            .and_then(|mut file| read_bounded(&mut file, list::MAX_BYTES));
        match read {
            Ok(bytes) => all.lists.push((share.to_owned(), version, bytes)),
            Err(OpenError::Missing) => break,
            Err(OpenError::Denied) if all.lists.len() > before || first > 1 => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What a share says of itself is shown, to be compared with what its administrator says.
fn not_confirmed(offered: &[Offered]) -> Result<()> {
    let Some((share, version, bytes)) = offered.first() else { return Ok(()) };
    let by = match signed_by(bytes) {
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

fn signed_by(bytes: &[u8]) -> std::result::Result<String, Distrust> {
    let parts = block::split_into(bytes, 1)?;
    Ok(Signature::read(parts.armours.first().map_or("", String::as_str))?.key().fingerprint())
}

/// With which key the newest trust list of the shares is signed, to be compared with what its administrator says; None: no
/// share has one that is signed.
pub fn offered_key(app: &App) -> Option<String> {
    let offers = offered(app, u64::MAX);
    let (_, _, newest) = offers.lists.first()?;
    signed_by(newest).ok()
}

/// A share of which nothing is known.
fn away(share: &Path) -> Failure {
    Failure::new(
        Exit::Share,
        Code::ShareMissing.as_str(),
        format!(
            "the share {} cannot be opened, so nothing was changed: {}",
            share.display(),
            OpenError::Missing
        ),
        "Mount it, or correct --share or `shares` of the configuration, and run it again",
    )
}

fn none_signed(key: &str, last: Option<(&PathBuf, u64, Distrust)>, offers: &Offers) -> Failure {
    let (code, why) = match (last, offers.faults.first(), offers.away.first()) {
        (None, None, Some(share)) => return away(share),
        (None, Some(Fault { at, code, why, remedy }), _) => {
            let message = format!("no trust list was read, so nothing was changed: {}: {why}", at.display());
            return Failure::new(Exit::Share, code.as_str(), message, remedy);
        }
        (None, None, None) => {
            return Failure::new(
                Exit::Refused,
                "no-trust-list",
                "no share has a trust list, so nothing was changed",
                "Publish the site first (pcm site publish), or correct --share or `shares` of the configuration",
            );
        }
        (Some((share, version, distrust)), ..) => {
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
