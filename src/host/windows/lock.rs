//! Locks on Windows, behind `host::lock`. They are mandatory: a locked file cannot even be read, so its holder is
//! written beside it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A locked file is open, and Windows gives its name to no other file while it is.
pub fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Where the holder is written.
pub fn holder_file(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_name()?.to_owned();
    name.push(".holder");
    Some(path.with_file_name(name))
}
