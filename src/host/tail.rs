//! Opening log files of other programs, and telling files apart whatever they are called. Called by `log::follow`.

use super::sys;
use std::fs::File;
use std::io;
use std::path::Path;

/// What stays the same when a file is renamed: device and inode, or volume and file index. Only meaningful as long as
/// somebody has the file open, because systems give the number of a deleted file to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device or volume.
    pub device: u64,
    /// Inode or file index.
    pub index: u64,
}

/// Opens a regular file for reading, without ever waiting: a pipe, a device or a folder is refused.
///
/// # Errors
/// What the system says; `InvalidInput` for what is no regular file.
pub fn open(path: &Path) -> io::Result<(File, FileId)> {
    let file = super::open::named(path)?;
    let id = sys::tail::identity(&file)?;
    Ok((file, id))
}

/// What a path leads to at the moment; `None`: nothing, or no regular file.
///
/// # Errors
/// What the system says, except that there is no such file.
pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    match sys::tail::identity_at(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other,
    }
}

/// Reads from this place on, once; whatever place others read at is not moved where the system can do that. Fewer bytes than
/// there is room for say nothing; none say that the file ends here.
///
/// # Errors
/// What the system says.
pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    sys::tail::read_at(file, at, into)
}
