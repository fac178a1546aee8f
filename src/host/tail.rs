//! Opening log files of other programs, telling files apart whatever they are called, and waiting until they change. Called by
//! `log::follow`.

use super::sys;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// Where the next byte from here on is that was ever written, as far as the file system knows of holes: what is before it reads
/// as zeros. `None`: nothing but a hole is left.
///
/// # Errors
/// What the system says.
pub fn data_at(file: &File, at: u64) -> io::Result<Option<u64>> {
    sys::tail::data_at(file, at)
}

/// How many names a file that is open has, as far as the system tells: none if it was deleted.
pub fn names(file: &File) -> u64 {
    sys::tail::names(file)
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Woken {
    /// The time is.
    Not,
    /// Somebody rang.
    Rung,
    /// Files were written to or cut.
    Files,
    /// Names have changed, too, or nobody knows what has.
    Names,
}

/// Waits for changes of files as the system tells of them.
pub struct Watch(sys::tail::Watch);

/// Ends a [`Watch::wait`] from elsewhere, also the next one.
pub struct Bell(sys::tail::Bell);

impl Watch {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<(Watch, Bell)> {
        let (watch, bell) = sys::tail::Watch::new()?;
        Ok((Watch(watch), Bell(bell)))
    }

    /// Watches from now on which names are in these folders, what stands in these files, and in these that are open; and
    /// nothing else. Whether the system tells of all of it: it does not of what is on a server or on a file system that is not
    /// known to be this machine's alone, behind a symbolic link or not there, nor on Windows.
    pub fn set(&mut self, folders: &[PathBuf], files: &[PathBuf], open: &[&File]) -> bool {
        self.0.set(folders, files, open)
    }

    /// Which names were removed from the folders that are watched between the last question and now, each as often as it was;
    /// None: not all that were are known. What else the system tells meanwhile ends the next wait.
    pub fn removed(&mut self) -> Option<Vec<PathBuf>> {
        self.0.removed()
    }

    /// How many files and folders are watched.
    #[cfg(all(test, unix))]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// Waits until something that is watched has changed, somebody rings, or for so long.
    pub fn wait(&mut self, most: Duration) -> Woken {
        self.0.wait(most)
    }
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        self.0.ring();
    }
}
