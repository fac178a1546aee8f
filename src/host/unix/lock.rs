//! Locks on Linux, behind `host::lock`: flock(2), which is advisory, so the locked file itself can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Whether `path` still names the opened file.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Where the holder is written, if not in the locked file itself.
pub fn holder_file(_path: &Path) -> Option<PathBuf> {
    None
}
