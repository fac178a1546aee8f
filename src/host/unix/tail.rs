//! See `host::tail`.

use crate::host::tail::FileId;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

pub fn identity(file: &File) -> io::Result<FileId> {
    Ok(id(&file.metadata()?))
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    let meta = std::fs::metadata(path)?;
    Ok(meta.is_file().then(|| id(&meta)))
}

pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.read_at(into, at)
}

fn id(meta: &Metadata) -> FileId {
    FileId { device: meta.dev(), index: meta.ino() }
}
