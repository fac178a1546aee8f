//! See `host::tail`.

use crate::host::tail::FileId;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

pub fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK the opening of a pipe waits for its writer.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC).open(path)
}

pub fn identity(file: &File) -> io::Result<FileId> {
    Ok(id(&file.metadata()?))
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    let meta = std::fs::metadata(path)?;
    Ok(meta.is_file().then(|| id(&meta)))
}

fn id(meta: &Metadata) -> FileId {
    FileId { device: meta.dev(), index: meta.ino() }
}
