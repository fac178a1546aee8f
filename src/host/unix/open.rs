//! `host::open` on Unix: `openat` without links, without waiting, without a terminal.

use crate::host::open::OpenError;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

pub const NAMES_WITHOUT_CASE: bool = false;

#[derive(Debug)]
pub struct Folder(pub(in crate::host) OwnedFd);

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Folder(openat(CWD, path, flags, Mode::empty()).map_err(error)?))
    }

    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.0, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Folder(fd)),
            // With DIRECTORY, Linux says "not a directory" of a link, too.
            Err(Errno::NOTDIR | Errno::LOOP) if self.is_link(name) => Err(OpenError::Linked),
            Err(e) => Err(error(e)),
        }
    }

    pub fn file(&self, name: &str) -> Result<(File, u64), OpenError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match openat(&self.0, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::LOOP) => return Err(OpenError::Linked),
            // What sockets and devices without a driver say.
            Err(Errno::NXIO | Errno::NODEV) => return Err(OpenError::NotRegular),
            Err(e) => return Err(error(e)),
        };
        let stat = fstat(&fd).map_err(error)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        // None at all: it was replaced since, and what is open is still whole.
        if stat.st_nlink > 1 {
            return Err(OpenError::Linked);
        }
        Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == most {
                return Err(OpenError::TooMany(most));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    fn is_link(&self, name: &str) -> bool {
        let stat = rustix::fs::statat(&self.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Symlink)
    }
}

pub fn refused_name(_: &str) -> bool {
    false
}

pub fn make_runnable(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o755))
}

pub fn make_enterable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

pub fn make_readable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o644))
}

pub fn make_private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

#[cfg(test)]
pub fn usual_umask() {
    rustix::process::umask(Mode::from_raw_mode(0o022));
}

fn error(e: Errno) -> OpenError {
    match e {
        Errno::PERM => OpenError::Denied,
        Errno::LOOP => OpenError::Linked,
        other => io::Error::from(other).into(),
    }
}
