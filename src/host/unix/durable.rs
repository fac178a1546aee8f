//! Durable steps on Linux, behind `host::durable`.

use super::mounts::{self, Mount};
use crate::host::open::Access;
use crate::host::threads;
use crate::text::SafeText;
use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Renames unless `to` exists; [`io::ErrorKind::Unsupported`] where the file system has no way to do that.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        other => return Ok(other?),
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(e),
        Err(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

pub fn sync_dir(path: &Path) -> io::Result<()> {
    // A pipe of that name would be waited for.
    let folder = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::fs::fsync(&folder) {
        // Some file servers cannot sync a folder at all; there is nothing more to be had from them.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether a file system is mounted in this folder, or a part of one.
pub fn holds_mount(path: &Path) -> io::Result<bool> {
    let (path, table) = (fs::canonicalize(path)?, fs::read("/proc/self/mountinfo")?);
    Ok(mounts::parse(&String::from_utf8_lossy(&table)).iter().any(|mount| mount.point.starts_with(&path)))
}

/// The umask can only have made it tighter, until it gets its mode.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))?)
}

pub fn make_private_file(path: &Path) -> io::Result<()> {
    let file = crate::host::open::own(path, Access::Read)?;
    Ok(rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?)
}

pub fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

pub fn sync_local_file_systems(deadline: Duration) -> Result<(), SafeText> {
    let read = |path: &str| {
        fs::read_to_string(path)
            .map_err(|e| SafeText::new(&format!("{path} cannot be read ({e}), so nothing was synced")))
    };
    sync_mounts(
        mounts::local_writable(&read("/proc/self/mountinfo")?, &read("/proc/filesystems")?),
        deadline,
        sync_one,
    )
}

fn sync_mounts(
    mounts: Vec<Mount>,
    deadline: Duration,
    sync: fn(&[Mount]) -> io::Result<()>,
) -> Result<(), SafeText> {
    let end = Instant::now() + deadline;
    let devices: BTreeSet<&str> = mounts.iter().map(|m| m.device.as_str()).collect();
    let (tell, told) = mpsc::channel();
    let (mut waiting, mut bad) = (BTreeSet::new(), Vec::new());
    for device in devices {
        let points: Vec<Mount> = mounts.iter().filter(|m| m.device == device).cloned().collect();
        let tell = tell.clone();
        // A thread each: one disk that hangs must not keep the others from being synced in time.
        let point = points[0].point.clone();
        let syncing = threads::start("sync", move || {
            let _ = tell.send((points[0].point.clone(), sync(&points)));
        });
        match syncing {
            Ok(_) => drop(waiting.insert(point)),
            Err(e) => bad.push(format!("{}: {e}", point.display())),
        }
    }
    drop(tell);
    while !waiting.is_empty() {
        match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((point, done)) => {
                waiting.remove(&point);
                if let Err(e) = done {
                    bad.push(format!("{}: {e}", point.display()));
                }
            }
            Err(_) => break,
        }
    }
    bad.extend(waiting.iter().map(|p| format!("{}: no answer within {deadline:?}", p.display())));
    if bad.is_empty() {
        Ok(())
    } else {
        Err(SafeText::new(&format!("not known to be durable: {}", bad.join("; "))))
    }
}

/// Syncs the file system behind the first of its mount points that can be entered and is not covered by another one.
/// Where there is none, a package could not have written there either.
fn sync_one(points: &[Mount]) -> io::Result<()> {
    for mount in points {
        // It may also be a file mounted on its own, as containers do: any file of it will do.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file = match rustix::fs::open(&mount.point, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(Errno::ACCESS) if rustix::fs::access(&mount.point, rustix::fs::Access::EXEC_OK).is_err() => {
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let device = file.metadata()?.dev();
        let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        // The subvolumes of btrfs show devices of their own.
        if device == mount.device || mount.kind == "btrfs" {
            return Ok(rustix::fs::syncfs(&file)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mount(device: &str) -> Mount {
        let (root, point, kind) = ("/".into(), "/".into(), "ext4".into());
        Mount { device: device.into(), root, point, kind, options: "rw".into(), read_only: false }
    }

    #[test]
    fn a_private_folder_can_be_entered_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        crate::host::durable::make_private_dir(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_file_system_that_does_not_answer_is_named_after_the_deadline() {
        let hanging = |_: &[Mount]| loop {
            std::thread::park();
        };
        let said = sync_mounts(vec![mount("0:1")], Duration::from_millis(20), hanging).unwrap_err();
        assert!(said.as_str().contains("/: no answer within"), "{said}");
    }

    #[test]
    fn the_local_file_systems_can_be_synced() {
        if let Err(why) = sync_local_file_systems(Duration::from_secs(20)) {
            panic!("{why}");
        }
    }

    #[test]
    fn a_file_system_for_which_no_thread_can_be_had_is_not_known_to_be_durable() {
        let synced = |_: &[Mount]| Ok(());
        let sync = || sync_mounts(vec![mount("0:1")], Duration::from_secs(5), synced);
        let said = threads::tests::without(sync).unwrap_err();
        assert!(said.as_str().starts_with("not known to be durable: /: "), "{said}");
        sync().unwrap();
    }

    #[test]
    fn a_failed_sync_is_told_with_its_place() {
        let failing = |_: &[Mount]| Err(Errno::IO.into());
        let said =
            sync_mounts(vec![mount("0:1"), mount("0:2")], Duration::from_secs(5), failing).unwrap_err();
        assert!(said.as_str().starts_with("not known to be durable: /: "), "{said}");
    }

    #[test]
    fn a_file_system_that_is_covered_by_another_is_passed_over() {
        sync_mounts(vec![mount("999:9")], Duration::from_secs(5), sync_one).unwrap();
    }
}
