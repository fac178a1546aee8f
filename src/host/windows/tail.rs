//! See `host::tail`.

use super::open::{information, named};
use crate::host::tail::{FileId, Woken};
use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

pub fn identity(file: &File) -> io::Result<FileId> {
    let info = information(file)?;
    let index = (u64::from(info.nFileIndexHigh) << 32) | u64::from(info.nFileIndexLow);
    Ok(FileId { device: u64::from(info.dwVolumeSerialNumber), index })
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileId>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    identity(&named(path)?).map(Some)
}

pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek_read(into, at)
}

/// Holes are read.
pub fn data_at(_file: &File, at: u64) -> io::Result<Option<u64>> {
    Ok(Some(at))
}

/// It keeps its name as long as it is open.
pub fn names(_file: &File) -> u64 {
    1
}

/// Whether somebody has rung since the last wait.
type Rung = Arc<(Mutex<bool>, Condvar)>;

pub struct Watch(Rung);

pub struct Bell(Rung);

impl Watch {
    pub fn new() -> io::Result<(Watch, Bell)> {
        let rung = Rung::default();
        Ok((Watch(Arc::clone(&rung)), Bell(rung)))
    }

    /// Files are looked at from time to time here: a writer's handle may be told of only when it is closed.
    pub fn set(&mut self, _folders: &[PathBuf], _files: &[PathBuf], _open: &[&File]) -> bool {
        false
    }

    /// Nothing is told here.
    pub fn removed(&mut self) -> Option<Vec<PathBuf>> {
        None
    }

    pub fn wait(&mut self, most: Duration) -> Woken {
        let (rung, bell) = &*self.0;
        let rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = bell.wait_timeout_while(rung, most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *rung) { Woken::Rung } else { Woken::Not }
    }
}

impl Bell {
    pub fn ring(&self) {
        let (rung, bell) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }
}
