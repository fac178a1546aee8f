//! Opening what others wrote (PROMISES.md 4): nothing that is not a regular file with one name is ever opened for
//! reading, no link is followed below a folder that the configuration names, and opening never waits. Called by `site`.

use super::sys;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Why something was not opened or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is nothing of that name.
    #[error("it does not exist")]
    Missing,
    /// The system does not allow it.
    #[error("access is denied")]
    Denied,
    /// A folder, pipe, socket or device where a file is wanted.
    #[error("it is not a regular file")]
    NotRegular,
    /// Something else where a folder is wanted.
    #[error("it is not a folder")]
    NotFolder,
    /// A symbolic link, or a file with more than one name.
    #[error("it is a link, or has more than one name")]
    Linked,
    /// More bytes than are read of such a file.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// More names than are read of such a folder.
    #[error("it holds more than {0} names")]
    TooMany(usize),
    /// Anything else, in the system's words.
    #[error("{0}")]
    Io(String),
}

impl From<io::Error> for OpenError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            io::ErrorKind::PermissionDenied => OpenError::Denied,
            io::ErrorKind::NotADirectory => OpenError::NotFolder,
            _ => OpenError::Io(e.to_string()),
        }
    }
}

/// An open regular file with one name.
#[derive(Debug)]
pub struct RegularFile {
    /// For reading.
    pub file: File,
    /// Its size when it was opened.
    pub size: u64,
    /// Where it is, for messages.
    pub path: PathBuf,
}

/// An open folder. What is below it is opened from here, name by name, so that no link in between is followed.
#[derive(Debug)]
pub struct Folder {
    pub(super) inner: sys::open::Folder,
    pub(super) path: PathBuf,
}

impl Folder {
    /// Opens a folder that the configuration names; links on the way to it are the operator's own.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        Ok(Folder { inner: sys::open::Folder::open(path)?, path: path.to_owned() })
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link is [`OpenError::Linked`].
    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        Ok(Folder { inner: self.inner.folder(one_name(name)?)?, path: self.path.join(name) })
    }

    /// Opens a file in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link or a second name is [`OpenError::Linked`].
    pub fn file(&self, name: &str) -> Result<RegularFile, OpenError> {
        let (file, size) = self.inner.file(one_name(name)?)?;
        Ok(RegularFile { file, size, path: self.path.join(name) })
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// [`OpenError`]; more than `most` names are [`OpenError::TooMany`].
    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        self.inner.names(most)
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a name of a package's file would mean another file, or none, on this system.
pub fn refused_name(name: &str) -> bool {
    sys::open::refused_name(name)
}

/// Whether names that differ only in case mean one file here.
pub const NAMES_WITHOUT_CASE: bool = sys::open::NAMES_WITHOUT_CASE;

/// Makes what was copied runnable by everyone and writable by its owner (mode 0755), where there are such bits.
///
/// # Errors
/// As the system reports them.
pub fn make_runnable(file: &File) -> io::Result<()> {
    sys::open::make_runnable(file)
}

/// The same for a folder.
///
/// # Errors
/// As the system reports them.
pub fn make_enterable(path: &Path) -> io::Result<()> {
    sys::open::make_enterable(path)
}

/// Makes a file readable by everyone and writable by its owner (mode 0644), whatever the umask.
///
/// # Errors
/// As the system reports them.
pub fn make_readable(path: &Path) -> io::Result<()> {
    sys::open::make_readable(path)
}

/// Makes a folder that only its owner can enter (mode 0700), whatever the umask.
///
/// # Errors
/// As the system reports them.
pub fn make_private(path: &Path) -> io::Result<()> {
    sys::open::make_private(path)
}

/// Tests of modes have to mean the same under any umask.
#[cfg(test)]
pub fn usual_umask() {
    sys::open::usual_umask();
}

fn one_name(name: &str) -> Result<&str, OpenError> {
    let bad = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0', ':']);
    if bad { Err(OpenError::Missing) } else { Ok(name) }
}
