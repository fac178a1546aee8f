//! See `host::tail`.

use super::open::{information, named};
use crate::host::tail::FileId;
use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
use std::path::Path;

pub fn identity(file: &File) -> io::Result<FileId> {
    let info = information(file)?;
    let index = (u64::from(info.nFileIndexHigh) << 32) | u64::from(info.nFileIndexLow);
    Ok(FileId { device: u64::from(info.dwVolumeSerialNumber), index })
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    identity(&named(path)?).map(Some)
}

pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek_read(into, at)
}
