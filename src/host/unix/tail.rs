//! See `host::tail`.

use crate::host::tail::{FileId, Woken};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{SeekFrom, Timespec, fstatfs, seek, statfs};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub fn identity(file: &File) -> io::Result<FileId> {
    Ok(id(&file.metadata()?))
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    let meta = std::fs::metadata(path)?;
    Ok(meta.is_file().then(|| id(&meta)))
}

pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.read_at(into, at)
}

pub fn data_at(file: &File, at: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(Errno::NXIO) => Ok(None),
        // It knows of no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(at)),
        Err(e) => Err(e.into()),
    }
}

pub fn names(file: &File) -> u64 {
    file.metadata().map_or(1, |meta| meta.nlink())
}

fn id(meta: &Metadata) -> FileId {
    FileId { device: meta.dev(), index: meta.ino() }
}

/// More files than these are looked at from time to time.
const MOST: usize = 1024;
/// So much is taken at once of what the system has to tell; the rest is there at the next wait.
const MOST_TOLD: usize = 4096;
/// File systems of this machine alone, where whatever changes a file goes by this kernel: ext2 to ext4, XFS, Btrfs, tmpfs, ramfs,
/// overlayfs, ZFS, F2FS, JFS, bcachefs. On any other one files may change without a word.
const LOCAL: [u32; 10] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0x0102_1994,
    0x8584_58F6,
    0x794C_7630,
    0x2FC1_2FC1,
    0xF2F5_2010,
    0x3153_464A,
    0xCA45_1A4E,
];

pub struct Watch {
    /// None: the system has no more of them.
    inotify: Option<OwnedFd>,
    bell: Arc<OwnedFd>,
    /// What is watched, as inotify numbers it.
    watched: BTreeSet<i32>,
    /// Which of these are folders.
    folders: BTreeMap<i32, PathBuf>,
    /// Names that were removed from them; None: not all of them are known.
    removed: Option<Vec<PathBuf>>,
    /// What was told at a question and nobody was woken by yet.
    pending: Woken,
}

pub struct Bell(Arc<OwnedFd>);

impl Watch {
    pub fn new() -> io::Result<(Watch, Bell)> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let (watched, folders) = (BTreeSet::new(), BTreeMap::new());
        let pending = Woken::Not;
        Ok((Watch { inotify, bell: Arc::clone(&bell), watched, folders, removed: None, pending }, Bell(bell)))
    }

    pub fn set(&mut self, folders: &[PathBuf], files: &[PathBuf], open: &[&File]) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let (mut now, mut numbered) = (BTreeSet::new(), BTreeMap::new());
        let all = watch(inotify, folders, files, open, (&mut now, &mut numbered)).is_some();
        // Where it does not tell of all, everything is looked at, and nothing has to be told.
        let kept = if all { now.clone() } else { BTreeSet::new() };
        for gone in self.watched.union(&now).filter(|number| !kept.contains(*number)) {
            // What is deleted is watched no more by itself.
            let _ = inotify::remove_watch(inotify, *gone);
        }
        self.watched = kept;
        if !all || self.folders != numbered {
            self.removed = None;
        }
        self.folders = numbered;
        all
    }

    pub fn removed(&mut self) -> Option<Vec<PathBuf>> {
        let (told, all) = self.drain();
        self.pending = self.pending.max(told);
        // What was removed before it was asked may be told later: only once all is told they are counted anew.
        std::mem::replace(&mut self.removed, all.then(Vec::new))
    }

    /// How many files and folders the kernel watches for this one.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        let number = self.inotify.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        told.lines().filter(|line| line.starts_with("inotify wd:")).count()
    }

    pub fn wait(&mut self, most: Duration) -> Woken {
        let pending = std::mem::replace(&mut self.pending, Woken::Not);
        let most = if pending == Woken::Not { most } else { Duration::ZERO };
        let timeout = Timespec::try_from(most).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 });
        let mut ready = vec![PollFd::new(&*self.bell, PollFlags::IN)];
        ready.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        if poll(&mut ready, Some(&timeout)).is_err() {
            // A signal: the next wait goes on.
            return pending;
        }
        let is_ready: Vec<bool> = ready.iter().map(|one| !one.revents().is_empty()).collect();
        let mut woken = pending;
        if is_ready[0] {
            let _ = rustix::io::read(&*self.bell, &mut [0_u8; 8]);
            woken = woken.max(Woken::Rung);
        }
        if is_ready.get(1) == Some(&true) {
            woken = woken.max(self.drain().0);
        }
        woken
    }

    /// Takes what it has to tell, or as much of it as is taken at once: who fills the folder with names must not be listened to
    /// for ever. Whether that was all.
    fn drain(&mut self) -> (Woken, bool) {
        let Some(inotify) = &self.inotify else { return (Woken::Not, false) };
        let mut woken = Woken::Not;
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut events = Reader::new(inotify, &mut buffer);
        for _ in 0..MOST_TOLD {
            match events.next() {
                // It was given back, or what it watched has gone, which is told as well.
                Ok(event) if event.events() == ReadFlags::IGNORED => {}
                Ok(event) if event.events() == ReadFlags::MODIFY => woken = woken.max(Woken::Files),
                Ok(event) => {
                    woken = Woken::Names;
                    let is_full = self.removed.as_ref().is_some_and(|removed| removed.len() >= MOST_TOLD);
                    if is_full || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                        self.removed = None;
                    }
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    if let (true, Some(folder), Some(name), Some(removed)) = (
                        event.events().contains(ReadFlags::DELETE),
                        self.folders.get(&event.wd()),
                        name,
                        self.removed.as_mut(),
                    ) {
                        removed.push(folder.join(name));
                    }
                }
                Err(_) => return (woken, true),
            }
        }
        // What else was in the buffer is not known.
        self.removed = None;
        (Woken::Names, false)
    }
}

impl Bell {
    pub fn ring(&self) {
        // Full is rung.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Watches all of them, and says as which numbers. `None`: it does not tell of all of them.
fn watch(
    inotify: &OwnedFd,
    folders: &[PathBuf],
    files: &[PathBuf],
    open: &[&File],
    (watched, numbered): (&mut BTreeSet<i32>, &mut BTreeMap<i32, PathBuf>),
) -> Option<()> {
    if files.len() + open.len() > MOST {
        return None;
    }
    // A file in a folder may be on another file system: something is mounted over it.
    let mut local = BTreeSet::new();
    for named in folders {
        let folder = if named.as_os_str().is_empty() { Path::new(".") } else { named };
        // Of a link on the way that is changed nothing is told.
        let is_plain = folder.canonicalize().ok()? == std::path::absolute(folder).ok()?;
        let device = std::fs::metadata(folder).ok()?.dev();
        if !is_plain || !is_local(statfs(folder).ok()?.f_type) {
            return None;
        }
        local.insert(device);
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ATTRIB;
        let itself = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        let number = inotify::add_watch(inotify, folder, names | itself).ok()?;
        watched.insert(number);
        numbered.insert(number, named.clone());
    }
    for file in files {
        match std::fs::symlink_metadata(file) {
            Ok(meta) if meta.is_symlink() => return None,
            Ok(meta) if meta.is_file() => {
                if !local.contains(&meta.dev()) && !statfs(file).is_ok_and(|fs| is_local(fs.f_type)) {
                    return None;
                }
            }
            // Its folder tells when it comes.
            Ok(_) | Err(_) => continue,
        }
        match inotify::add_watch(inotify, file, WatchFlags::MODIFY) {
            Ok(number) => drop(watched.insert(number)),
            // It may have gone just now, or may not be read: its folder tells when that changes.
            Err(Errno::NOENT | Errno::ACCESS) => {}
            Err(_) => return None,
        }
    }
    for file in open {
        if !file.metadata().is_ok_and(|meta| local.contains(&meta.dev()))
            && !is_local(fstatfs(file).ok()?.f_type)
        {
            return None;
        }
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        watched.insert(inotify::add_watch(inotify, itself, WatchFlags::MODIFY).ok()?);
    }
    Some(())
}

/// Whether the kernel tells of all that happens on a file system of this type.
fn is_local(kind: impl TryInto<i64>) -> bool {
    // The high bits of a type are those of its sign.
    kind.try_into().is_ok_and(|kind| LOCAL.iter().any(|local| i64::from(*local) == kind & 0xFFFF_FFFF))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn what_goes_out_of_view_is_not_watched_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let (mut watch, _bell) = Watch::new().unwrap();
        if !is_local(statfs(&folder).unwrap().f_type) {
            return crate::skipped("the temporary folder is on no file system of this machine alone");
        }
        let mut before = None;
        for n in 0..2_000 {
            // All of them stay where they are, and are watched as long as nobody gives that back.
            let file = folder.join(format!("log.{n}"));
            fs::write(&file, "text").unwrap();
            let unnamed = before.replace(File::open(&file).unwrap());
            assert!(watch.set(std::slice::from_ref(&folder), &[file], unnamed.as_ref().as_slice()));
            assert!(watch.count() <= 3, "{} after {n}", watch.count());
        }
        // Where it cannot tell of all, nothing is left over of the attempt.
        let link = folder.join("link");
        std::os::unix::fs::symlink("log.1", &link).unwrap();
        while watch.wait(Duration::ZERO) != Woken::Not {}
        for _ in 0..3 {
            assert!(!watch.set(std::slice::from_ref(&folder), &[folder.join("log.2"), link.clone()], &[]));
            assert_eq!(watch.count(), 0);
            assert_eq!(watch.wait(Duration::ZERO), Woken::Not, "what it does itself wakes nobody");
        }
        let other = tempfile::tempdir().unwrap();
        assert!(watch.set(&[other.path().canonicalize().unwrap()], &[], &[]));
        assert_eq!(watch.count(), 1);
    }

    #[test]
    fn what_was_removed_is_known_when_it_is_asked_and_wakes_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let (mut watch, _bell) = Watch::new().unwrap();
        if !watch.set(std::slice::from_ref(&folder), &[], &[]) {
            return crate::skipped("the temporary folder is not told of");
        }
        let file = folder.join("log");
        fs::write(&file, "").unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(watch.removed(), None, "before it was asked first nothing is known");
        for _ in 0..2 {
            fs::write(&file, "").unwrap();
            fs::remove_file(&file).unwrap();
            assert_eq!(watch.removed(), Some(vec![file.clone()]));
            assert_eq!(watch.removed(), Some(Vec::new()));
            assert_eq!(watch.wait(Duration::from_secs(50)), Woken::Names);
            assert_eq!(watch.wait(Duration::ZERO), Woken::Not);
        }
        for n in 0..MOST_TOLD {
            fs::write(folder.join(format!("a.{n}")), "").unwrap();
            fs::remove_file(folder.join(format!("a.{n}"))).unwrap();
        }
        assert_eq!(watch.removed(), None, "more than is told at once");
        while watch.removed().is_none() {}
        fs::write(&file, "").unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(watch.removed(), Some(vec![file]));
    }

    #[test]
    fn only_file_systems_of_this_machine_alone_are_believed() {
        // ext4 and Btrfs, whose type has the highest bit, as either system says it.
        assert!(is_local(0xEF53_i64) && is_local(0x9123_683E_i64) && is_local(-0x6EDC_97C2_i64));
        let (nfs, smb, fuse, proc, plan_9) =
            (0x6969_i64, 0xFE53_4D42_i64, 0x6573_5546_i64, 0x9FA0_i64, 0x0102_1997_i64);
        for kind in [nfs, smb, fuse, proc, plan_9, 0] {
            assert!(!is_local(kind), "{kind:x}");
        }
        let (mut watch, _bell) = Watch::new().unwrap();
        assert!(!watch.set(&[PathBuf::from("/proc/self/task")], &[], &[]));
        assert_eq!(watch.count(), 0);
    }

    #[test]
    fn who_floods_a_folder_with_names_holds_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let (mut watch, _bell) = Watch::new().unwrap();
        if !watch.set(std::slice::from_ref(&folder), &[], &[]) {
            return crate::skipped("the temporary folder is not told of");
        }
        for n in 0..3_000 {
            fs::write(folder.join(format!("a.{n}")), "").unwrap();
            fs::remove_file(folder.join(format!("a.{n}"))).unwrap();
        }
        // More than one turn takes: the rest is there at the next, and nothing is lost of it.
        assert_eq!(watch.wait(Duration::ZERO), Woken::Names);
        assert_eq!(watch.wait(Duration::ZERO), Woken::Names);
        while watch.wait(Duration::ZERO) != Woken::Not {}
    }
}
