//! `host::perms` on Windows: there are no mode bits to rely on, so nothing is ever trusted by them.

use crate::host::perms::Loose;
use std::fs::File;
use std::path::{Path, PathBuf};

pub const ARE_REAL: bool = false;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writers;

impl Writers {
    pub fn this_process() -> Self {
        Self
    }

    pub fn owner_of(_: &Path) -> Self {
        Self
    }
}

/// What protects the folders of the system is their access list, which nobody but an administrator can have loosened.
pub fn check_systems(_: &Path) -> Result<(), Loose> {
    Ok(())
}

/// What is below the folders of the installation inherits their access lists.
pub fn check_home(_: &Path) -> Result<(), Loose> {
    Ok(())
}

/// There are no such bits; a folder has the access list of the one above it, in which everybody writes nowhere by default.
pub fn check_way_of_team(_: &Path) -> Result<(), Loose> {
    Ok(())
}

/// The same.
pub fn check_of_team(_: &Path, _: &Path) -> Result<(), Loose> {
    Ok(())
}

pub fn check_way_to(share: &Path, _: &Writers) -> Result<PathBuf, Loose> {
    Err(loose(share))
}

pub fn check_folder(_: &super::open::Folder, path: &Path, _: &Writers) -> Result<(), Loose> {
    Err(loose(path))
}

pub fn check_file(_: &File, path: &Path, _: &Writers) -> Result<(), Loose> {
    Err(loose(path))
}

fn loose(path: &Path) -> Loose {
    Loose {
        why: format!(
            "{} has no owner and mode bits that could be relied on, as on all of Windows",
            path.display()
        ),
        remedy: "sign what is published and set [trust] mode = \"signed\"".into(),
    }
}
