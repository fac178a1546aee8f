//! `host::open` on Windows: no reparse point is followed below the share, and a file has one name. Win32 opens nothing
//! relative to an open folder, so each name is looked at directly before it is used; making a link takes a right that
//! accounts without administration do not have. Who may write pcm's own files is what the access list of their folder
//! says, which they inherit: owners are not looked at.

use crate::host::durable;
use crate::host::open::{Access, Looked, OpenError};
use std::ffi::{OsStr, OsString};
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
        let info = regular(&file)?;
        Ok((file, (u64::from(info.nFileSizeHigh) << 32) | u64::from(info.nFileSizeLow)))
    }

    pub fn look(&self, name: &str) -> Result<Looked, OpenError> {
        if refused_name(name) {
            return Err(OpenError::NotRegular);
        }
        let found = fs::symlink_metadata(self.0.join(name))?;
        if found.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(OpenError::Linked);
        }
        match found.file_attributes() & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) {
            0 => Ok(looked_at(&found)),
            _ => Err(OpenError::NotRegular),
        }
    }

    pub fn make_folder(&self, name: &str) -> Result<Folder, OpenError> {
        match fs::create_dir(self.changed(name)?) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e.into()),
            _ => self.folder(name),
        }
    }

    pub fn new_folder(&self, name: &str) -> io::Result<Folder> {
        let path = self.changed(name)?;
        fs::create_dir(&path)?;
        Ok(Folder(path))
    }

    pub fn new_file(&self, name: &str) -> io::Result<File> {
        File::create_new(self.changed(name)?)
    }

    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        super::durable::rename_new(&self.changed(from)?, &self.changed(to)?)
    }

    pub fn holds(&self, name: &str) -> io::Result<bool> {
        match fs::symlink_metadata(self.0.join(name)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|_| true),
        }
    }

    pub fn remove_tree(&self, name: &str) -> io::Result<()> {
        let path = self.changed(name)?;
        let attributes = fs::symlink_metadata(&path)?.file_attributes();
        match (attributes & FILE_ATTRIBUTE_DIRECTORY != 0, attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0) {
            (false, _) => fs::remove_file(path),
            // What it leads to stays.
            (true, true) => fs::remove_dir(path),
            (true, false) => fs::remove_dir_all(path),
        }
    }

    /// As for `durable::sync_dir`: there is none to be had.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub fn replace(&self, name: &str, _temporary: &str, bytes: &[u8]) -> io::Result<()> {
        durable::write(&self.changed(name)?, bytes)
    }

    /// A file that is there, to be written where it stands.
    pub fn existing(&self, name: &str) -> Result<File, OpenError> {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let file = options.open(self.changed(name)?)?;
        regular(&file)?;
        Ok(file)
    }

    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let entries = fs::read_dir(&self.0)?.take(most);
        Ok(entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>()?)
    }

    pub fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.changed(name)?)
    }

    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.changed(name)?)
    }

    /// The path of a name that is changed here.
    fn changed(&self, name: &str) -> io::Result<PathBuf> {
        if refused_name(name) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if is_reparse_point(&self.0)? {
            return Err(OpenError::Linked.into());
        }
        Ok(self.0.join(name))
    }
}

/// Files have no number here but where they are open; a time counts in steps of 100 nanoseconds from 1601 on.
pub fn looked_at(meta: &fs::Metadata) -> Looked {
    const STEPS_TO_1970: i64 = 116_444_736_000_000_000;
    let steps = i64::try_from(meta.last_write_time()).unwrap_or(i64::MAX);
    let changed = steps.saturating_sub(STEPS_TO_1970).saturating_mul(100);
    Looked { size: meta.len(), changed, number: 0 }
}

fn is_reparse_point(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0)
}

/// What is open is a regular file with one name.
fn regular(file: &File) -> Result<BY_HANDLE_FILE_INFORMATION, OpenError> {
    let info = information(file)?;
    if info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 || info.nNumberOfLinks > 1 {
        return Err(OpenError::Linked);
    }
    if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 || !is_disk_file(file) {
        return Err(OpenError::NotRegular);
    }
    Ok(info)
}

pub fn own(path: &Path, access: Access) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    match access {
        Access::Read => &mut options,
        Access::Change => options.write(true),
        Access::Write | Access::Lock => options.write(true).create(true).truncate(false),
        Access::Append => options.append(true).create(true),
    };
    let file = options.open(path)?;
    regular(&file)?;
    Ok(file)
}

/// Who may write a file is what its folder's access list says.
pub fn of_team(path: &Path, access: Access) -> Result<File, OpenError> {
    own(path, access)
}

pub fn check_own(path: &Path) -> Result<(), OpenError> {
    let found = fs::symlink_metadata(path)?;
    match found.file_attributes() {
        attributes if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 => Err(OpenError::Linked),
        attributes if attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) != 0 => {
            Err(OpenError::NotRegular)
        }
        _ => Ok(()),
    }
}

/// A database that is open gives its name to no other file.
pub fn identity(_: &std::fs::Metadata) -> [u64; 2] {
    [0, 0]
}

/// Shared with everybody, as the standard library opens files: a log that is open here can be renamed and removed.
pub fn named(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    // Names of devices and pipes open what they name.
    if is_disk_file(&file) {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

pub fn local(folder: &Path, name: &OsStr) -> Result<(File, u64), OpenError> {
    // A device name opens the device in any folder.
    if name.to_str().is_none_or(refused_name) {
        return Err(OpenError::NotRegular);
    }
    let path = folder.join(name);
    let regular = |attributes: u32| match attributes {
        attributes if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 => Err(OpenError::Linked),
        attributes if attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) != 0 => {
            Err(OpenError::NotRegular)
        }
        _ => Ok(()),
    };
    regular(fs::symlink_metadata(&path)?.file_attributes())?;
    let file = OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(&path)?;
    let info = information(&file)?;
    regular(info.dwFileAttributes)?;
    if !is_disk_file(&file) {
        return Err(OpenError::NotRegular);
    }
    Ok((file, (u64::from(info.nFileSizeHigh) << 32) | u64::from(info.nFileSizeLow)))
}

#[allow(unsafe_code)]
pub(super) fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open while `file` is borrowed, and `info` is the structure that the call fills.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}

#[allow(unsafe_code)]
fn is_disk_file(file: &File) -> bool {
    // SAFETY: the handle is open while `file` is borrowed.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

/// Whether an error with this number is that of a disk or of a file server: ERROR_BAD_NETPATH, ERROR_UNEXP_NET_ERR,
/// ERROR_NETNAME_DELETED, ERROR_SEM_TIMEOUT, ERROR_IO_DEVICE, ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE.
pub fn is_of_store(number: i32) -> bool {
    [53, 59, 64, 121, 1117, 1231, 1232].contains(&number)
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

pub fn state_of(meta: &std::fs::Metadata) -> Vec<u64> {
    vec![meta.file_size(), meta.creation_time(), meta.last_write_time(), meta.file_attributes().into()]
}

/// What protects it is its access list, which is that of the folder it is in. Nobody judges that; README says so.
#[cfg(feature = "remote")]
pub fn is_secret(_: &File) -> io::Result<bool> {
    Ok(true)
}

pub fn make_runnable(_: &File) -> io::Result<()> {
    Ok(())
}

pub fn make_enterable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub fn make_plain(_: &File) -> io::Result<()> {
    Ok(())
}

pub fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub fn usual_umask() {}
