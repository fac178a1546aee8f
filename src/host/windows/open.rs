//! `host::open` on Windows: no reparse point is followed below the share, and a file has one name.

use crate::host::open::OpenError;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DEVICE, FILE_ATTRIBUTE_DIRECTORY,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_OPEN_REPARSE_POINT, FILE_TYPE_DISK, GetFileInformationByHandle,
    GetFileType,
};

pub const NAMES_WITHOUT_CASE: bool = true;

#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        let found = fs::metadata(path)?;
        if found.is_dir() { Ok(Folder(path.to_owned())) } else { Err(OpenError::NotFolder) }
    }

    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        if refused_name(name) {
            return Err(OpenError::Missing);
        }
        let path = self.0.join(name);
        let found = fs::symlink_metadata(&path)?;
        if found.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(OpenError::Linked);
        }
        if found.is_dir() { Ok(Folder(path)) } else { Err(OpenError::NotFolder) }
    }

    pub fn file(&self, name: &str) -> Result<(File, u64), OpenError> {
        // A device name opens the device in any folder.
        if refused_name(name) {
            return Err(OpenError::NotRegular);
        }
        let path = self.0.join(name);
        let attributes = fs::symlink_metadata(&path)?.file_attributes();
        if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(OpenError::Linked);
        }
        if attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) != 0 {
            return Err(OpenError::NotRegular);
        }
        let file = OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(&path)?;
        let info = information(&file)?;
        if info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 || info.nNumberOfLinks > 1 {
            return Err(OpenError::Linked);
        }
        if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 || !is_disk_file(&file) {
            return Err(OpenError::NotRegular);
        }
        Ok((file, (u64::from(info.nFileSizeHigh) << 32) | u64::from(info.nFileSizeLow)))
    }

    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            if names.len() == most {
                return Err(OpenError::TooMany(most));
            }
            names.push(entry?.file_name());
        }
        Ok(names)
    }
}

#[allow(unsafe_code)]
pub(super) fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open while `file` is borrowed, and `info` is the structure that the call fills.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}

#[allow(unsafe_code)]
pub(super) fn is_disk_file(file: &File) -> bool {
    // SAFETY: the handle is open while `file` is borrowed.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

/// Device names, and names whose end Windows drops.
pub fn refused_name(name: &str) -> bool {
    const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().filter_map(|device| stem.strip_prefix(device)).any(|number| {
        let mut digits = number.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    });
    let forbidden = name.chars().any(|c| c.is_control() || "<>:\"/\\|?*".contains(c));
    name.ends_with(['.', ' ']) || DEVICES.contains(&stem.as_str()) || numbered || forbidden
}

pub fn make_runnable(_: &File) -> io::Result<()> {
    Ok(())
}

pub fn make_enterable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub fn usual_umask() {}
