//! A file that grows bit by bit under another name and gets its own once all of it is there. What still grows when a process ends would
//! be left for ever: whoever ends one calls [`abandon`] before.

use super::{folder_of, sync_dir, sys, write_temporary};
use crate::host::threads;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No end of a process waits longer for a file that cannot be removed.
const PATIENCE: Duration = Duration::from_millis(300);

/// Removes all that grows in this process, and lets nothing grow from now on. What it takes longer to remove than a moment is left.
pub fn abandon() {
    ALL.abandon(PATIENCE);
}

/// A file that only this account may read, that grows under another name and gets its own once all of it is there. Dropped before,
/// nothing of it is left.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    unfinished: Unfinished,
}

impl Growing {
    /// With nothing in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where there is such a file already; it cannot be made, or the process ends.
    pub fn new(path: &Path) -> io::Result<Growing> {
        Growing::among(&ALL, path)
    }

    fn among(all: &Arc<All>, path: &Path) -> io::Result<Growing> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let unfinished = all.make(|| write_temporary(path, sys::durable::create_private))?;
        Ok(Growing { path: path.to_owned(), unfinished })
    }

    /// Writes on.
    ///
    /// # Errors
    /// As the system reports them; or the process ends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unfinished.file.open().as_mut().ok_or_else(ends)?.write_all(bytes)
    }

    /// Gives it its name, durably. In a folder that this account may write to but not read, its name is on disk whenever the system
    /// writes it there: the file itself is.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where there is such a file by now, which is left as it is; any failure to sync or rename, and
    /// nothing is left of it then.
    pub fn keep(self) -> io::Result<()> {
        self.keep_synced_by(sync_dir)
    }

    fn keep_synced_by(self, sync_dir: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
        // It is closed before it is renamed.
        let file = self.unfinished.file.open().take().ok_or_else(ends)?;
        file.sync_all()?;
        drop(file);
        match sys::durable::rename_new(&self.unfinished.file.path, &self.path) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => self.copy()?,
            other => other?,
        }
        match sync_dir(folder_of(&self.path)) {
            // It has to be opened to be synced, which takes the right to read it.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(e) => {
                let _ = fs::remove_file(&self.path);
                Err(e)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Makes it exclusively, where a file server cannot rename so.
    fn copy(&self) -> io::Result<()> {
        let make = || sys::durable::create_private(&self.path).map(|file| (self.path.clone(), file));
        let mut copy = self.unfinished.all.make(make)?;
        let mut to = copy.file.open().take().ok_or_else(ends)?;
        io::copy(&mut File::open(&self.unfinished.file.path)?, &mut to)?;
        to.sync_all()?;
        copy.stays = true;
        // The name that is not wanted goes before the folder is synced.
        let _ = fs::remove_file(&self.unfinished.file.path);
        Ok(())
    }
}

fn ends() -> io::Error {
    io::Error::other("the program ends")
}

/// A file of [`All`]. Dropped, it is gone: once it has another name there is none of this one.
#[derive(Debug)]
struct Unfinished {
    all: Arc<All>,
    file: Arc<Named>,
    /// It is whole, and has its name.
    stays: bool,
}

#[derive(Debug)]
struct Named {
    path: PathBuf,
    /// None: it is closed, and may be renamed or removed.
    open: Mutex<Option<File>>,
}

impl Named {
    fn open(&self) -> MutexGuard<'_, Option<File>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        drop(self.file.open().take());
        if !self.stays {
            let _ = fs::remove_file(&self.file.path);
        }
        self.all.state().there.retain(|file| !Arc::ptr_eq(file, &self.file));
    }
}

/// What grows in a process.
static ALL: LazyLock<Arc<All>> = LazyLock::new(Arc::default);

#[derive(Debug, Default)]
struct All {
    state: Mutex<State>,
    /// One that was being made is there, or never will be.
    made: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing is made any more.
    over: bool,
    making: usize,
    there: Vec<Arc<Named>>,
}

impl All {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one more, by this.
    fn make(self: &Arc<All>, make: impl FnOnce() -> io::Result<(PathBuf, File)>) -> io::Result<Unfinished> {
        {
            let mut state = self.state();
            if state.over {
                return Err(ends());
            }
            state.making += 1;
        }
        // A share that hangs here holds up nobody else.
        let made = make();
        let mut state = self.state();
        state.making -= 1;
        self.made.notify_all();
        let (path, file) = made?;
        let file = Arc::new(Named { path, open: Mutex::new(Some(file)) });
        state.there.push(Arc::clone(&file));
        Ok(Unfinished { all: Arc::clone(self), file, stays: false })
    }

    fn abandon(self: &Arc<All>, patience: Duration) {
        let mut state = self.state();
        state.over = true;
        let nothing = state.making == 0 && state.there.is_empty();
        drop(state);
        if !nothing {
            let all = Arc::clone(self);
            // Nothing can be done about one that hangs, and nobody is left to be told.
            let removed = threads::within("abandon", patience, move || {
                all.remove();
                let making = |state: &mut State| state.making > 0;
                drop(all.made.wait_while(all.state(), making).unwrap_or_else(PoisonError::into_inner));
                all.remove();
            });
            // Without a thread to spare it is done here.
            if removed.is_err_and(|e| e.kind() != io::ErrorKind::TimedOut) {
                self.remove();
            }
        }
    }

    /// Removes those that are there. They stay in the list until they are gone: a second caller waits for that, too.
    fn remove(&self) {
        let there = self.state().there.clone();
        let is_gone = |file: &Named| match fs::remove_file(&file.path) {
            Err(e) => e.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        };
        let busy = there.iter().filter(|file| {
            if let Ok(mut open) = file.open.try_lock() {
                drop(open.take());
            }
            !is_gone(file)
        });
        // Where one that is being written cannot be removed, it can be afterwards.
        for file in busy.collect::<Vec<_>>() {
            drop(file.open().take());
            is_gone(file);
        }
        self.state().there.retain(|file| !there.iter().any(|gone| Arc::ptr_eq(file, gone)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::is_unfinished;
    use super::super::tests::names;
    use super::*;

    #[test]
    fn what_grows_has_its_name_once_it_is_whole_and_is_gone_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("evidence");
        let mut growing = Growing::new(&file).unwrap();
        growing.write(b"one").unwrap();
        growing.write(b" two").unwrap();
        assert!(!file.exists() && names(dir.path()).iter().all(|name| is_unfinished(name)));
        growing.keep().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one two");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777, 0o600);
        assert_eq!(Growing::new(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let other = dir.path().join("other");
        drop(Growing::new(&other).unwrap());
        let growing = Growing::new(&other).unwrap();
        fs::write(&other, b"mine").unwrap();
        assert_eq!(growing.keep().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&other).unwrap(), b"mine");
        let copied = dir.path().join("copied");
        let mut growing = Growing::new(&copied).unwrap();
        growing.write(b"three").unwrap();
        drop(growing.unfinished.file.open().take());
        growing.copy().unwrap();
        assert_eq!(growing.copy().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(growing);
        assert_eq!(fs::read(&copied).unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_has_grown_is_synced_under_its_name_and_is_gone_where_that_fails() {
        let dir = tempfile::tempdir().unwrap();
        let grown = |name: &str| {
            let mut growing = Growing::new(&dir.path().join(name)).unwrap();
            growing.write(b"all of it").unwrap();
            growing
        };
        let synced = grown("evidence").keep_synced_by(|folder| {
            assert_eq!(names(folder), ["evidence"]);
            Ok(())
        });
        synced.unwrap();
        let failed = grown("other").keep_synced_by(|folder| {
            assert_eq!(names(folder).len(), 2);
            Err(io::Error::other("no sync"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no sync");
        assert_eq!(names(dir.path()), ["evidence"]);
        // A folder in which one may make files and not see which there are.
        let blind = grown("letter").keep_synced_by(|_| Err(io::ErrorKind::PermissionDenied.into()));
        blind.unwrap();
        assert_eq!(fs::read(dir.path().join("letter")).unwrap(), b"all of it");
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn without_a_thread_to_spare_what_grows_is_gone_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let all = Arc::<All>::default();
        let _growing = Growing::among(&all, &dir.path().join("part")).unwrap();
        threads::tests::without(|| all.abandon(Duration::from_secs(60)));
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn what_cannot_be_written_to_its_end_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut growing = Growing::new(&dir.path().join("part")).unwrap();
        growing.write(b"a part").unwrap();
        // What is written is closed already: its end cannot be written.
        drop(growing.unfinished.file.open().take());
        assert!(growing.keep().is_err());
        // Its folder is gone, and with it the name that it was to get.
        let gone = dir.path().join("gone");
        fs::create_dir(&gone).unwrap();
        let growing = Growing::new(&gone.join("part")).unwrap();
        fs::remove_file(&growing.unfinished.file.path).unwrap();
        assert!(growing.keep().is_err());
        assert!(names(dir.path()) == ["gone"] && names(&gone).is_empty());
    }

    #[test]
    fn what_grows_when_a_process_ends_is_gone_and_nothing_grows_after_that() {
        let dir = tempfile::tempdir().unwrap();
        let long = Duration::from_secs(60);
        let all = Arc::<All>::default();
        let grow = |name: &str| Growing::among(&all, &dir.path().join(name));
        grow("kept").unwrap().keep().unwrap();
        drop(grow("dropped").unwrap());
        assert!(all.state().there.is_empty(), "nothing is kept in mind of those that are no more");
        let (mut one, other) = (grow("one").unwrap(), grow("other").unwrap());
        one.write(b"a part").unwrap();
        assert_eq!(names(dir.path()).len(), 3);
        all.abandon(long);
        assert_eq!(names(dir.path()), ["kept"]);
        assert_eq!(one.write(b" more").unwrap_err().to_string(), "the program ends");
        assert_eq!(other.keep().unwrap_err().to_string(), "the program ends");
        assert_eq!(grow("new").unwrap_err().to_string(), "the program ends");
        drop(one);
        all.abandon(long);
        assert_eq!(names(dir.path()), ["kept"]);
    }

    #[test]
    fn one_that_is_just_being_made_is_waited_for_and_gone_too() {
        let dir = tempfile::tempdir().unwrap();
        let all = Arc::<All>::default();
        let (path, of_it) = (dir.path().join("late"), Arc::clone(&all));
        let (tell, told) = std::sync::mpsc::channel();
        let making = std::thread::spawn(move || {
            of_it.make(|| {
                tell.send(()).unwrap();
                // Not before nothing new may begin.
                while !of_it.state().over {
                    std::thread::yield_now();
                }
                Ok((path.clone(), File::create(&path)?))
            })
        });
        told.recv().unwrap();
        all.abandon(Duration::from_secs(60));
        assert!(names(dir.path()).is_empty());
        drop(making.join().unwrap().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn one_that_is_being_written_and_waits_for_its_disk_is_gone_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let all = Arc::<All>::default();
        let growing = Growing::among(&all, &dir.path().join("slow")).unwrap();
        let writes = growing.unfinished.file.open();
        all.abandon(Duration::from_secs(60));
        assert!(names(dir.path()).is_empty());
        drop(writes);
    }
}
