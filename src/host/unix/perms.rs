//! `host::perms` on Unix.

use crate::host::account;
use crate::host::perms::Loose;
use crate::text::shell_word;
use rustix::fs::{AtFlags, CWD, FileType, Stat, fstat, fstatfs, readlinkat, statat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// As many links on the way to a share as the kernel itself would follow.
const MAX_LINKS: usize = 40;
/// Written by group or others.
const FOREIGN_WRITE: u32 = 0o022;
/// Written by everybody.
const EVERYBODY: u32 = 0o002;
/// Written by its group.
const GROUP: u32 = 0o020;
const STICKY: u32 = 0o1000;

pub const ARE_REAL: bool = true;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writers {
    service: u32,
    /// Whose the folder is that a team shares: its group may write there.
    team: Option<u32>,
}

impl Writers {
    pub fn this_process() -> Self {
        Self { service: rustix::process::geteuid().as_raw(), team: None }
    }

    pub fn owner_of(state: &Path) -> Self {
        match std::fs::metadata(state) {
            Ok(meta) => Self { service: meta.uid(), team: None },
            Err(_) => Self::this_process(),
        }
    }

    fn include(&self, uid: u32) -> bool {
        uid == 0 || uid == self.service || self.team == Some(uid)
    }

    /// Who else must not write.
    fn foreign(&self) -> u32 {
        if self.team.is_some() { EVERYBODY } else { FOREIGN_WRITE }
    }
}

pub fn check_systems(path: &Path) -> Result<(), Loose> {
    check_way_to(path, &Writers { service: 0, team: None }).map(drop)
}

pub fn check_way_to(share: &Path, writers: &Writers) -> Result<PathBuf, Loose> {
    let share = std::path::absolute(share).map_err(|e| unknown(share, &e.to_string()))?;
    let mut here = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = names(&share);
    check(&here, &stat(&here)?, writers, Sticky::Fine)?;
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let found = stat(&next)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            let sticky = if ahead.is_empty() { Sticky::Loose } else { Sticky::Fine };
            check(&next, &found, writers, sticky)?;
            here = next;
            continue;
        }
        // The mode of a link says nothing; its owner could have pointed it anywhere.
        check_owner(&next, &found, writers)?;
        links += 1;
        if links > MAX_LINKS {
            return Err(unknown(&next, "too many symbolic links"));
        }
        let target = readlinkat(CWD, &next, Vec::new()).map_err(|e| unknown(&next, &e.to_string()))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    // A link to a folder ends the way without having met that folder as the last one.
    check(&here, &stat(&here)?, writers, Sticky::Loose)?;
    Ok(here)
}

pub fn check_way_of_team(dir: &Path) -> Result<(), Loose> {
    let owner = std::fs::metadata(dir).map_err(|e| unknown(dir, &e.to_string()))?.uid();
    let writers = Writers { team: Some(owner), ..Writers::this_process() };
    check_way_to(dir, &writers).map(drop)
}

pub fn check_of_team(path: &Path, dir: &Path) -> Result<(), Loose> {
    let stat = |path: &Path| rustix::fs::stat(path).map_err(|e| unknown(path, &e.to_string()));
    let (found, home) = (stat(path)?, stat(dir)?);
    let writers = Writers { team: Some(home.st_uid), ..Writers::this_process() };
    // Nobody gives a file to a group that he is not in.
    let is_members = home.st_mode & GROUP != 0 && found.st_gid == home.st_gid;
    match is_members {
        true => check_mode(path, &found, &writers),
        false => check(path, &found, &writers, Sticky::Loose),
    }
}

pub fn check_folder(folder: impl AsFd, path: &Path, writers: &Writers) -> Result<(), Loose> {
    check_open(folder, path, writers)
}

pub fn check_file(file: &File, path: &Path, writers: &Writers) -> Result<(), Loose> {
    check_open(file, path, writers)
}

/// A file of pcm's own: of root, of this account or of the owner of its folder, and writable by its owner alone.
pub fn check_own(path: &Path, found: &Stat) -> Result<(), Loose> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mine = found.st_uid == rustix::process::geteuid().as_raw();
    let writers = if mine { Writers::this_process() } else { Writers::owner_of(folder) };
    check(path, found, &writers, Sticky::Loose)
}

/// A file in a folder that a group writes: anybody's of them, and written by nobody else.
pub fn check_team(path: &Path, found: &Stat, group: u32) -> Result<(), Loose> {
    let mode = found.st_mode & 0o7777;
    let foreign = if found.st_gid == group { EVERYBODY } else { FOREIGN_WRITE };
    match mode & foreign {
        0 => Ok(()),
        _ => Err(Loose {
            why: format!(
                "{} can be written by others than the group of its folder (mode {mode:04o})",
                path.display()
            ),
            remedy: format!("chmod go-w {}", quoted(path)),
        }),
    }
}

pub fn check_home(path: &Path) -> Result<(), Loose> {
    let writers = Writers::this_process();
    let named = stat(path)?;
    if FileType::from_raw_mode(named.st_mode) != FileType::Symlink {
        return check(path, &named, &writers, Sticky::Fine);
    }
    check_owner(path, &named, &writers)?;
    let real = std::fs::canonicalize(path).map_err(|e| unknown(path, &e.to_string()))?;
    check(&real, &stat(&real)?, &writers, Sticky::Fine)
}

fn check_open(open: impl AsFd, path: &Path, writers: &Writers) -> Result<(), Loose> {
    let found = fstat(&open).map_err(|e| unknown(path, &e.to_string()))?;
    check(path, &found, writers, Sticky::Loose)?;
    let system = fstatfs(&open).map_err(|e| unknown(path, &e.to_string()))?;
    // The field's type differs between processors; the numbers all have 32 bits.
    let magic = system.f_type as u32;
    if has_real_modes(magic) {
        return Ok(());
    }
    Err(Loose {
        why: format!(
            "{} is on a file system (type {magic:#x}) whose owners and mode bits cannot be relied on",
            path.display()
        ),
        remedy:
            "put the share on ext, xfs, btrfs, zfs, tmpfs, overlay or nfs, or sign it (mode = \"signed\")"
                .into(),
    })
}

/// The file systems that keep owner and mode of each file: ext, xfs, btrfs, zfs, tmpfs, overlay, nfs.
fn has_real_modes(magic: u32) -> bool {
    matches!(magic, 0xef53 | 0x5846_5342 | 0x9123_683e | 0x2fc1_2fc1 | 0x0102_1994 | 0x794c_7630 | 0x6969)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sticky {
    /// In such a folder others can add names, and change none that is not theirs.
    Fine,
    Loose,
}

fn check(path: &Path, found: &Stat, writers: &Writers, sticky: Sticky) -> Result<(), Loose> {
    check_owner(path, found, writers)?;
    match sticky == Sticky::Fine && found.st_mode & STICKY != 0 {
        true => Ok(()),
        false => check_mode(path, found, writers),
    }
}

fn check_mode(path: &Path, found: &Stat, writers: &Writers) -> Result<(), Loose> {
    let mode = found.st_mode & 0o7777;
    if mode & writers.foreign() == 0 {
        return Ok(());
    }
    let (by, whose) = match writers.team {
        None => ("others than its owner", "go"),
        Some(_) => ("everybody", "o"),
    };
    Err(Loose {
        why: format!("{} can be written by {by} (mode {mode:04o})", path.display()),
        remedy: format!("chmod {whose}-w {}", quoted(path)),
    })
}

fn check_owner(path: &Path, found: &Stat, writers: &Writers) -> Result<(), Loose> {
    if writers.include(found.st_uid) {
        return Ok(());
    }
    let service = match (writers.team, writers.service) {
        (Some(owner), _) => format!(", to you or to {}, whose the folder is", named(owner)),
        (None, 0) => String::new(),
        (None, uid) => format!(" or to the service's account {}", named(uid)),
    };
    Err(Loose {
        why: format!(
            "{} belongs to {} (mode {:04o}), not to root{service}",
            path.display(),
            named(found.st_uid),
            found.st_mode & 0o7777
        ),
        remedy: format!("chown {} {}", writers.team.unwrap_or(writers.service), quoted(path)),
    })
}

fn stat(path: &Path) -> Result<Stat, Loose> {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| unknown(path, &e.to_string()))
}

fn unknown(path: &Path, why: &str) -> Loose {
    Loose {
        why: format!("who may write {} cannot be known: {why}", path.display()),
        remedy: "correct that path, or make what it names".into(),
    }
}

fn named(uid: u32) -> String {
    match account::by_uid(uid) {
        Some(account) => format!("{} (uid {uid})", account.name),
        None => format!("uid {uid}"),
    }
}

/// The path as a shell wants it.
fn quoted(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsStr::new("..").to_owned()),
            _ => None,
        })
        .collect()
}
