//! Whose word counts at a site: its trust lists, one after the other as a machine comes to them, and when their keys end.

use super::{Asked, Found};
use crate::clock::Wall;
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::site::ids::{SiteCode, SiteId};
use crate::site::signed::folder::SiteFolder;
use crate::site::signed::list::{self, TrustList};
use crate::site::signed::signers::Role;
use crate::site::signed::store::{Trusted, Wanted};
use chrono::TimeDelta;

/// So long before its end a key is spoken of (SITE.md 4).
const AHEAD: TimeDelta = TimeDelta::days(30);
/// The most names of lists that are looked at.
const MAX_NAMES: usize = 100_000;

/// What is known of whose word counts.
pub(super) enum Lists {
    /// The newest list.
    Newest(Box<Trusted>),
    /// There is none: nothing is signed at this site.
    None,
    /// They are not whole, which was said.
    Damaged,
}

impl Lists {
    /// Whose keys count; None where nothing is signed, or nothing can be judged.
    pub fn newest(&self) -> Option<&Trusted> {
        match self {
            Self::Newest(trusted) => Some(trusted),
            Self::None | Self::Damaged => None,
        }
    }
}

/// Judges the trust lists of a share or a site folder. `whose` they have to be; None: whose the first one says.
pub(super) fn lists(
    root: &Folder,
    whose: Option<(SiteCode, &SiteId)>,
    asked: &Asked<'_>,
    found: &mut Found,
) -> Lists {
    let names = match root.folder(list::FOLDER).and_then(|folder| folder.names(MAX_NAMES)) {
        Ok(names) => names,
        Err(OpenError::Missing) => Vec::new(),
        Err(e) => {
            let message = format!("{}: {e}", root.path().join(list::FOLDER).display());
            found.block("trust", message, "Put a folder there, with every version of the trust list");
            return Lists::Damaged;
        }
    };
    let versions = names.iter().filter_map(|name| name.to_str()?.strip_suffix(".toml")?.parse::<u64>().ok());
    let highest = versions.max().unwrap_or(0);
    if highest == 0 {
        return Lists::None;
    }
    let whose = match whose {
        Some((site, site_id)) => Ok((site, site_id.clone())),
        None => first(root).map(|list| (list.site, list.site_id)),
    };
    let (site, site_id) = match whose {
        Ok(whose) => whose,
        Err(why) => {
            let message = format!("{}: {why}", root.path().join(list::FOLDER).display());
            found.block("trust", message, "Put back every version, from the site folder or a backup");
            return Lists::Damaged;
        }
    };
    let folder = SiteFolder { dir: root.path().to_owned(), site, site_id };
    let newest = match folder.newest() {
        Ok(newest) => newest,
        Err(fault) => {
            let remedy = "Put back the lists as they were signed, from the site folder or a backup: until then no machine \
                          takes that list, or one after it";
            found.block("trust", fault.message.as_str(), remedy);
            return Lists::Damaged;
        }
    };
    let version = newest.as_ref().map_or(0, |list| list.version);
    if version < highest {
        let message = format!(
            "{}: version {} is missing, so no machine comes to version {highest}",
            root.path().join(list::FOLDER).display(),
            version + 1
        );
        found.block("trust", message, "Put back every version, from the site folder or a backup");
        return Lists::Damaged;
    }
    let Some(newest) = newest else { return Lists::None };
    ends(&newest, asked.now, found);
    let keys = |role| newest.signers.iter().filter(|signer| signer.role == role).count();
    let (trust, package, publish) = (keys(Role::Trust), keys(Role::Package), keys(Role::Publish));
    found.looked(
        "trust",
        format!(
            "trust list {version}, each signed by a key of the one before: {trust} trust, {package} package, {publish} publish"
        ),
    );
    // How many have to sign is each machine's own matter.
    Lists::Newest(Box::new(Trusted::of(newest, Vec::new()).wanting(Wanted::Any)))
}

/// The first list, which says whose they all are.
///
/// # Errors
/// In words.
fn first(root: &Folder) -> Result<TrustList, String> {
    let read = root
        .folder(list::FOLDER)
        .and_then(|folder| read_bounded(&mut folder.file(&TrustList::file_name(1))?, list::MAX_BYTES));
    let bytes = match read {
        Err(OpenError::Missing) => {
            return Err("version 1 is missing, so no machine comes to the others".into());
        }
        read => read.map_err(|e| format!("{}: {e}", TrustList::file_name(1)))?,
    };
    TrustList::own(&bytes).map_err(|distrust| format!("{}: {}", TrustList::file_name(1), distrust.why))
}

/// Keys that have ended, or will soon.
fn ends(list: &TrustList, now: Wall, found: &mut Found) {
    for signer in list.signers.iter().filter(|signer| !list.revoked.contains(&signer.key)) {
        let Some(before) = signer.before.filter(|before| *before <= now + AHEAD) else { continue };
        let at = before.format("%Y-%m-%d %H:%M UTC");
        let (principal, role) = (&signer.principal, signer.role);
        let what = match role {
            Role::Package => "what it signed runs nowhere any more",
            Role::Publish => "what it signed is taken nowhere any more",
            Role::Trust => "it changes the list no more",
        };
        let remedy =
            format!("Trust a key for longer: pcm key trust PUBFILE --role {role} --principal {principal}");
        let ended = if before <= now { "ended" } else { "ends" };
        found.unknown(
            "trust",
            format!("the {role} key of {principal} {ended} at {at}: from then on {what}"),
            remedy,
        );
    }
}
