//! Writing so that it survives a power cut: whole or not at all, synced with its folder. Everything that pcm keeps
//! outside its database is written through here.

mod growing;

pub use growing::{Growing, abandon};

use super::open::{self, Access, Folder};
use super::sys;
use crate::text::SafeText;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Replaces `path` with `bytes`: a reader sees the old content or the new, never a part, and after the return the new
/// one is on disk.
///
/// # Errors
/// Any failure to write, sync or rename; the old content is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (temporary, ()) = write_temporary(path, |temporary| write_exclusively(temporary, bytes))?;
    let done = sys::durable::rename_over(&temporary, path);
    finish(path, &temporary, done)
}

/// Makes `path` with `bytes`, durably.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where there is such a file already, which is left as it is; any failure to write
/// or sync.
pub fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_by(path, |path| write_exclusively(path, bytes))
}

/// The same of what only this account may read: not for a moment could another one open it, nor see a part of it under its
/// name.
///
/// # Errors
/// As [`create_new`].
pub fn create_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_by(path, |path| create_secret(path, bytes))
}

fn create_by(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let (temporary, ()) = write_temporary(path, &make)?;
    let done = match sys::durable::rename_new(&temporary, path) {
        // File servers that cannot do it in one step can still make a file exclusively.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            let _ = fs::remove_file(&temporary);
            make(path)
        }
        other => other,
    };
    finish(path, &temporary, done)
}

/// Room on the disk for a small file that has to be written later, however full the disk is by then. It is a file of
/// blanks that is overwritten where it stands and then gets its name. File systems that never overwrite (btrfs, zfs) may
/// want new room all the same: writing can fail and be tried again.
#[derive(Debug)]
pub struct Reserved {
    file: File,
    place: PathBuf,
}

impl Reserved {
    /// Reserves `size` bytes for the file that is to be `path`, durably.
    ///
    /// # Errors
    /// There is no room, or it is reserved already.
    pub fn make(path: &Path, size: usize) -> io::Result<()> {
        write_exclusively(&Self::place(path), &vec![b' '; size])?;
        sync_dir(folder_of(path))
    }

    /// Takes what was reserved for `path`, or reserves it now where nobody has.
    ///
    /// # Errors
    /// There is no room, or it cannot be written.
    pub fn open(path: &Path, size: usize) -> io::Result<Reserved> {
        match Self::make(path, size) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let place = Self::place(path);
        Ok(Reserved { file: open::own(&place, Access::Change)?, place })
    }

    /// Makes `path` with `bytes`, durably, in the room that was reserved for it.
    ///
    /// # Errors
    /// Nothing is at `path` then, or what was there before. Calling it again writes all of it anew, so that a sync that
    /// failed proves nothing about the next one.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        sys::durable::rename_over(&self.place, path)?;
        sync_dir(folder_of(path))
    }

    fn place(path: &Path) -> PathBuf {
        path.with_added_extension("room")
    }
}

/// Reserves so many bytes for a file that is to grow, without making it longer. A file system that has no way to do that
/// reserves nothing.
///
/// # Errors
/// There is no room.
pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    sys::durable::reserve(file, bytes)
}

/// Puts what was renamed, made or removed in a folder on disk.
///
/// # Errors
/// A failed sync: nothing in the folder is known to be durable, and a second try would prove nothing.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    sys::durable::sync_dir(path)
}

/// How the names of what is being written end.
const TEMPORARY: &str = ".tmp";

/// How the names of what was put away begin.
const PUT_AWAY: &str = ".gone-";

/// Takes a file or folder out of the way, in one short step however much is in it: whoever looks for its name finds nothing
/// of it, and [`remove_put_away`] removes it later. After a power cut it may be back, whole.
///
/// # Errors
/// As the system reports them; it is where it was.
pub fn put_away(folder: &Path, name: &str) -> io::Result<()> {
    loop {
        let away = folder.join(away(name));
        // By an earlier process with this pid.
        if fs::symlink_metadata(&away).is_err() {
            return fs::rename(folder.join(name), away);
        }
    }
}

/// The same in an open folder, on which nothing is removed later. Returns the name that it has now.
///
/// # Errors
/// As [`put_away`].
pub fn put_away_in(folder: &Folder, name: &str) -> io::Result<String> {
    loop {
        let away = away(name);
        match folder.rename(name, &away) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| away),
        }
    }
}

fn away(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{PUT_AWAY}{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Whether what has this name was put away.
pub fn is_put_away(name: &str) -> bool {
    name.starts_with(PUT_AWAY)
}

/// The name that something had before it was put away, by the one that it has now; None: it was not put away.
pub fn name_before(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix(PUT_AWAY)?.splitn(3, '-');
    let counted =
        |part: Option<&str>| part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    (counted(parts.next()) && counted(parts.next())).then(|| parts.next()).flatten()
}

/// Removes what was put away in a folder, which takes as long as it takes. No link is followed, and what somebody has
/// mounted in it is left as it is.
///
/// # Errors
/// The first thing that could not be removed; the others are gone all the same.
pub fn remove_put_away(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut failed = Ok(());
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_put_away) {
            continue;
        }
        let path = entry.path();
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_tree(&path),
            _ => fs::remove_file(&path),
        };
        if let Err(e) = removed {
            failed = failed.and(Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))));
        }
    }
    failed
}

fn remove_tree(path: &Path) -> io::Result<()> {
    if sys::durable::holds_mount(path)? {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "something is mounted in it"));
    }
    fs::remove_dir_all(path)
}

/// Makes a folder that only this account can enter (mode 0700), with the folders above it (0755), and syncs each new
/// one and the folder it stands in. One that is already there keeps its mode. No umask counts, here and below.
///
/// # Errors
/// Where something else stands at that path, or a folder cannot be made or synced.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    make_dirs(path, 0o700, 0o755)
}

/// Makes a folder that everybody may pass through and only this account may list (mode 0711), and so the folders above
/// it: sockets and stages are below. One that is already there keeps its mode.
///
/// # Errors
/// As [`make_private_dir`].
pub fn make_passage_dir(path: &Path) -> io::Result<()> {
    make_dirs(path, 0o711, 0o711)
}

/// Makes a folder that everybody may list and only this account may change (mode 0755), and so the folders above it:
/// configuration and logs are below. One that is already there keeps its mode.
///
/// # Errors
/// As [`make_private_dir`].
pub fn make_readable_dir(path: &Path) -> io::Result<()> {
    make_dirs(path, 0o755, 0o755)
}

fn make_dirs(path: &Path, mode: u32, above: u32) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_dirs(parent, above, above)?;
    }
    make_and_sync(path, mode)
}

/// Takes every right to this file from others.
///
/// # Errors
/// What the system refuses.
pub fn make_private_file(path: &Path) -> io::Result<()> {
    sys::durable::make_private_file(path)
}

/// Makes `path` with what only its owner may ever read, durably: not for a moment could another account open it.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where there is such a file already, which is left as it is; any failure to write
/// or sync.
pub fn create_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = sys::durable::create_private(path)?;
    let done = fill(&mut file, bytes).and_then(|()| sync_dir(folder_of(path)));
    if done.is_err() {
        let _ = fs::remove_file(path);
    }
    done
}

fn make_and_sync(path: &Path, mode: u32) -> io::Result<()> {
    match sys::durable::make_dir(path, mode) {
        // Somebody else made it in between: as good.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    sync_dir(path)?;
    sync_dir(folder_of(path))
}

/// Syncs every local writable file system, so that what a package wrote survives a power cut before its success is
/// recorded (P3). Network, FUSE and memory ones are left out. `deadline` holds for all together; a file system that
/// does not answer by then is left to a thread of its own.
///
/// # Errors
/// Which file systems are not known to be durable and why, as a sentence.
pub fn sync_local_file_systems(deadline: Duration) -> Result<(), SafeText> {
    sys::durable::sync_local_file_systems(deadline)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A synced file beside `path`, on the same file system and under a name that no reader takes for content; `make` makes it.
fn write_temporary<T>(path: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        temporary.push(format!(".{}-{count}{TEMPORARY}", std::process::id()));
        let temporary = folder_of(path).join(temporary);
        match make(&temporary) {
            // Left by an earlier process with this pid.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|made| (temporary, made)),
        }
    }
}

/// Whether a file with this name was being written when its writer was last heard of.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

fn write_exclusively(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    let done = open::make_plain(&file).and_then(|()| fill(&mut file, bytes));
    if done.is_err() {
        let _ = fs::remove_file(path);
    }
    done
}

fn fill(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn finish(path: &Path, temporary: &Path, done: io::Result<()>) -> io::Result<()> {
    if done.is_err() {
        let _ = fs::remove_file(temporary);
    }
    done?;
    sync_dir(folder_of(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(super) fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("exit");
        write(&file, b"a long first content").unwrap();
        write(&file, b"short").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"short");
        assert_eq!(names(dir.path()), ["exit"]);
    }

    #[test]
    fn creating_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("started");
        create_new(&file, b"first").unwrap();
        assert_eq!(create_new(&file, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert_eq!(names(dir.path()), ["started"]);
    }

    #[test]
    fn what_is_private_is_made_whole_under_its_name_and_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("evidence");
        create_new_private(&file, b"first").unwrap();
        assert_eq!(create_new_private(&file, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"first");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["evidence"]);
        assert!(create_new_private(&dir.path().join("gone/evidence"), b"x").is_err());
    }

    #[test]
    fn what_room_was_reserved_for_is_written_whole_also_over_what_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("exit");
        Reserved::make(&file, 4096).unwrap();
        assert_eq!(Reserved::make(&file, 4096).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!file.exists());
        let mut room = Reserved::open(&file, 4096).unwrap();
        fs::write(&file, b"garbage").unwrap();
        room.write(&file, b"record").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"record");
        assert_eq!(names(dir.path()), ["exit"]);
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("x"), b"").unwrap();
        assert!(write(&taken, b"bytes").is_err());
        assert_eq!(names(dir.path()), ["taken"]);
    }

    #[test]
    fn what_was_put_away_is_known_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("one-a")).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let away = put_away_in(&folder, "one-a").unwrap();
        assert_eq!(names(dir.path()), [away.as_str()]);
        assert_eq!(name_before(&away), Some("one-a"));
        for other in ["two", ".gone-", ".gone-1-two", ".gone-x-1-two", ".gone--1-two"] {
            assert_eq!(name_before(other), None, "{other}");
        }
    }

    #[test]
    fn a_private_folder_is_made_with_what_is_above_it_and_twice_is_as_good() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("var/lib/pcm");
        make_private_dir(&deep).unwrap();
        make_private_dir(&deep).unwrap();
        assert!(deep.is_dir());
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(make_private_dir(&file).is_err());
        assert!(make_private_dir(&file.join("below")).is_err());
    }
}
