//! See `host::tail`.

use super::facts::network_fs;
use crate::host::tail::{FileId, Woken};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{SeekFrom, Timespec, seek};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
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

fn id(meta: &Metadata) -> FileId {
    FileId { device: meta.dev(), index: meta.ino() }
}

/// More files than these are looked at from time to time.
const MOST: usize = 1024;

pub struct Watch {
    /// None: the system has no more of them.
    inotify: Option<OwnedFd>,
    bell: Arc<OwnedFd>,
    /// What is watched, as inotify numbers it.
    watched: BTreeSet<i32>,
}

pub struct Bell(Arc<OwnedFd>);

impl Watch {
    pub fn new() -> io::Result<(Watch, Bell)> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        Ok((Watch { inotify, bell: Arc::clone(&bell), watched: BTreeSet::new() }, Bell(bell)))
    }

    pub fn set(&mut self, folders: &[PathBuf], files: &[PathBuf], open: &[&File]) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let watched = watch(inotify, folders, files, open);
        let now = watched.as_ref().cloned().unwrap_or_default();
        for gone in self.watched.difference(&now) {
            // What is deleted is watched no more by itself.
            let _ = inotify::remove_watch(inotify, *gone);
        }
        self.watched = now;
        watched.is_some()
    }

    pub fn wait(&mut self, most: Duration) -> Woken {
        let timeout = Timespec::try_from(most).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 });
        let mut ready = vec![PollFd::new(&*self.bell, PollFlags::IN)];
        ready.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        if poll(&mut ready, Some(&timeout)).is_err() {
            // A signal: the next wait goes on.
            return Woken::Not;
        }
        let is_ready: Vec<bool> = ready.iter().map(|one| !one.revents().is_empty()).collect();
        let mut woken = Woken::Not;
        if is_ready[0] {
            let _ = rustix::io::read(&*self.bell, &mut [0_u8; 8]);
            woken = Woken::Rung;
        }
        if is_ready.get(1) == Some(&true) {
            woken = woken.max(self.drain());
        }
        woken
    }

    /// Takes what it has to tell.
    fn drain(&mut self) -> Woken {
        let Some(inotify) = &self.inotify else { return Woken::Not };
        let mut woken = Woken::Files;
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut events = Reader::new(inotify, &mut buffer);
        while let Ok(event) = events.next() {
            if event.events() != ReadFlags::MODIFY {
                woken = Woken::Names;
            }
        }
        woken
    }
}

impl Bell {
    pub fn ring(&self) {
        // Full is rung.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// `None`: it does not tell of all of them.
fn watch(inotify: &OwnedFd, folders: &[PathBuf], files: &[PathBuf], open: &[&File]) -> Option<BTreeSet<i32>> {
    let mut watched = BTreeSet::new();
    if files.len() + open.len() > MOST {
        return None;
    }
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // Of a link on the way that is changed nothing is told.
        let is_plain = folder.canonicalize().ok()? == std::path::absolute(folder).ok()?;
        if !is_plain || network_fs(folder).is_some() {
            return None;
        }
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ATTRIB;
        let itself = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        watched.insert(inotify::add_watch(inotify, folder, names | itself).ok()?);
    }
    for file in files {
        match std::fs::symlink_metadata(file) {
            Ok(meta) if meta.is_symlink() => return None,
            Ok(meta) if meta.is_file() => {}
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
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        watched.insert(inotify::add_watch(inotify, itself, WatchFlags::MODIFY).ok()?);
    }
    Some(watched)
}
