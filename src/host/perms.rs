//! Who could have written a file: owners, mode bits, and whether the file system's mode bits mean anything
//! (PROMISES.md 4, mode `permissions`). Called by `site::trust` on the very files and folders that were opened.

use super::open::{Bytes, Folder, Inner, RegularFile, remote};
use super::sys;
use std::path::{Path, PathBuf};

/// The accounts that may write what is trusted: root, and the service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writers {
    pub(super) inner: sys::perms::Writers,
}

impl Writers {
    /// Root and the account that this process acts as.
    pub fn this_process() -> Self {
        Self { inner: sys::perms::Writers::this_process() }
    }

    /// Root and the owner of this folder, which is the service's account where it is the state folder.
    pub fn owner_of(state: &Path) -> Self {
        Self { inner: sys::perms::Writers::owner_of(state) }
    }
}

/// Somebody else could have written it: what, why, and how that is mended, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}: {remedy}")]
pub struct Loose {
    /// What is wrong, with the path, its owner and its mode.
    pub why: String,
    /// The command that mends it.
    pub remedy: String,
}

/// Whether owners and mode bits mean anything on this system.
pub const ARE_REAL: bool = sys::perms::ARE_REAL;

/// Checks every folder above a share, following the links on the way, and the share's own folder. Returns where the
/// share really is.
///
/// # Errors
/// The first folder or link that somebody else could change.
pub fn check_way_to(share: &Path, writers: &Writers) -> Result<PathBuf, Loose> {
    if remote::is_remote(share) {
        return Err(no_folder(share));
    }
    sys::perms::check_way_to(share, &writers.inner)
}

/// Checks a file of the system and every folder above it: only root may be able to write them.
///
/// # Errors
/// The first of them that somebody else could change.
pub fn check_systems(path: &Path) -> Result<(), Loose> {
    sys::perms::check_systems(path)
}

/// Checks a folder that pcm makes files in by their paths: whoever else could write there, or has put a link in its place,
/// would say where they are made. What is above it is not looked at: `/var/log` belongs to others on some systems, who can
/// move a folder there and make none that is root's.
///
/// # Errors
/// Somebody else could change it, or who could is not known.
pub fn check_home(path: &Path) -> Result<(), Loose> {
    sys::perms::check_home(path)
}

/// Checks a folder that several administrators may share, and every folder above it: a group may write them, everybody may
/// not, and they belong to root, to this account, or to whom the folder itself belongs.
///
/// # Errors
/// The first of them that somebody else could change, or of which that is not known.
pub fn check_way_of_team(dir: &Path) -> Result<(), Loose> {
    sys::perms::check_way_of_team(dir)
}

/// Checks a file or folder in such a folder. What a group writes has files of all its members: those of the folder's own group
/// may be anybody's.
///
/// # Errors
/// Everybody may write it, it belongs to somebody else, or neither is known.
pub fn check_of_team(path: &Path, dir: &Path) -> Result<(), Loose> {
    sys::perms::check_of_team(path, dir)
}

/// Checks an open folder on the share.
///
/// # Errors
/// Where somebody else could change it, or its mode bits are not real.
pub fn check_folder(folder: &Folder, writers: &Writers) -> Result<(), Loose> {
    match &folder.inner {
        Inner::Here(inner) => sys::perms::check_folder(inner, &folder.path, &writers.inner),
        Inner::There(_) => Err(no_folder(&folder.path)),
    }
}

/// Checks an open file on the share.
///
/// # Errors
/// Where somebody else could change it, or its mode bits are not real.
pub fn check_file(file: &RegularFile, writers: &Writers) -> Result<(), Loose> {
    match &file.file {
        Bytes::Here(open) => sys::perms::check_file(open, &file.path, &writers.inner),
        Bytes::There(_) => Err(no_folder(&file.path)),
    }
}

/// Nobody can know who writes on a server.
fn no_folder(path: &Path) -> Loose {
    Loose {
        why: format!("{} is no folder: it has no owner and no mode bits", path.display()),
        remedy: "sign what is published and set [trust] mode = \"signed\"".into(),
    }
}
