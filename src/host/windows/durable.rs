//! Durable steps on Windows, behind `host::durable`.

#![allow(unsafe_code)]

use super::{security, wide};
use crate::host::threads;
use crate::text::SafeText;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, SetFileSecurityW};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, GetDriveTypeW, GetLogicalDrives, MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH,
    MoveFileExW,
};

/// What `GetDriveTypeW` answers for a disk of this machine.
const DRIVE_FIXED: u32 = 3;

/// Replaces `to`, on disk when it returns. A scanner or a reader may hold the old file open for a moment.
pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match move_file(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) {
            Err(e) if is_busy(&e) && start.elapsed() < PATIENCE && !to.is_dir() => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(100));
            }
            other => return other,
        }
    }
}

/// Renames unless `to` exists.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    move_file(from, to, MOVEFILE_WRITE_THROUGH)
}

fn is_busy(e: &io::Error) -> bool {
    let code = e.raw_os_error().and_then(|c| u32::try_from(c).ok());
    matches!(code, Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION))
}

fn move_file(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let (from, to) = (wide(from), wide(to));
    // SAFETY: both texts end with a zero.
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// NTFS keeps names in its journal, and the moves above write through: there is no sync of a folder to be had.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

/// Reserving makes a file longer here.
pub fn reserve(_file: &File, _bytes: u64) -> io::Result<()> {
    Ok(())
}

/// What is mounted in a folder is a reparse point there: removing the folder removes that, and nothing behind it.
pub fn holds_mount(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

/// A private one (0700) is for the system, administrators and its owner; any other inherits.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";
    if mode != 0o700 {
        return fs::create_dir(path);
    }
    let path = wide(path);
    security::with_attributes(PRIVATE, |attributes| {
        // SAFETY: the text ends with a zero, and the attributes live during the call.
        let done = unsafe { CreateDirectoryW(path.as_ptr(), attributes) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    })
}

/// For the system, administrators and its owner only.
pub fn make_private_file(path: &Path) -> io::Result<()> {
    let path = wide(path);
    security::with_attributes("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)", |attributes| {
        // SAFETY: the text ends with a zero, and the descriptor lives during the call.
        let done = unsafe {
            SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, attributes.lpSecurityDescriptor)
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    })
}

/// Nobody else can open it before its rights are taken from others.
pub fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).share_mode(0).open(path)?;
    kept_where(make_private_file(path), file, path)
}

/// A new file, which is gone where something that it needs has failed.
fn kept_where(done: io::Result<()>, file: File, path: &Path) -> io::Result<File> {
    match done {
        Ok(()) => Ok(file),
        Err(e) => {
            // An open one cannot be removed.
            drop(file);
            let _ = fs::remove_file(path);
            Err(e)
        }
    }
}

pub fn sync_local_file_systems(deadline: Duration) -> Result<(), SafeText> {
    let end = Instant::now() + deadline;
    let (tell, told) = mpsc::channel();
    let (mut waiting, mut bad) = (Vec::new(), Vec::new());
    for drive in fixed_drives() {
        let tell = tell.clone();
        let syncing = threads::start("sync", move || {
            let volume = OpenOptions::new().write(true).open(format!(r"\\.\{drive}:"));
            let _ = tell.send((drive, volume.and_then(|v: File| v.sync_all())));
        });
        match syncing {
            Ok(_) => waiting.push(drive),
            Err(e) => bad.push(format!("{drive}: {e}")),
        }
    }
    while !waiting.is_empty() {
        let Ok((drive, done)) = told.recv_timeout(end.saturating_duration_since(Instant::now())) else {
            break;
        };
        waiting.retain(|d| *d != drive);
        if let Err(e) = done {
            bad.push(format!("{drive}: {e}"));
        }
    }
    bad.extend(waiting.iter().map(|d| format!("{d}: no answer within {deadline:?}")));
    if bad.is_empty() {
        Ok(())
    } else {
        Err(SafeText::new(&format!("not known to be durable: {}", bad.join("; "))))
    }
}

fn fixed_drives() -> Vec<char> {
    // SAFETY: it takes nothing and returns a set of bits.
    let drives = unsafe { GetLogicalDrives() };
    let present =
        ('A'..='Z').enumerate().filter(|(bit, _)| drives & (1 << bit) != 0).map(|(_, letter)| letter);
    let fixed = |letter: &char| {
        let root = wide(format!(r"{letter}:\"));
        // SAFETY: the text ends with a zero.
        unsafe { GetDriveTypeW(root.as_ptr()) == DRIVE_FIXED }
    };
    present.filter(fixed).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_drive_that_cannot_be_synced_is_named() {
        // Only an administrator may, so that either outcome is right here.
        if let Err(why) = sync_local_file_systems(Duration::from_secs(20)) {
            assert!(why.as_str().starts_with("not known to be durable: "), "{why}");
        }
    }

    #[test]
    fn of_a_private_file_that_could_not_be_made_private_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evidence");
        let make = || OpenOptions::new().write(true).create_new(true).share_mode(0).open(&path).unwrap();
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        let failed = kept_where(Err(refused()), make(), &path).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::PermissionDenied);
        assert!(!path.exists());
        drop(kept_where(Ok(()), make(), &path).unwrap());
        assert!(path.exists());
    }

    #[test]
    fn a_private_file_can_still_be_read_by_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        fs::write(&file, b"x").unwrap();
        make_private_file(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"x");
    }
}
