//! See `host::tail`.

use super::open::{information, is_disk_file};
use crate::host::tail::FileId;
use std::fs::File;
use std::io;
use std::path::Path;

/// Shared with everybody, as the standard library opens files: a log that is open here can be renamed and removed.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    // Names of devices and pipes open what they name.
    if is_disk_file(&file) {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

pub fn identity(file: &File) -> io::Result<FileId> {
    let info = information(file)?;
    let index = (u64::from(info.nFileIndexHigh) << 32) | u64::from(info.nFileIndexLow);
    Ok(FileId { device: u64::from(info.dwVolumeSerialNumber), index })
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    identity(&open(path)?).map(Some)
}
