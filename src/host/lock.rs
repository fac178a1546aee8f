//! Locks that name their holder (DESIGN.md 5): the executor's, and one for each run. The lock of the operating system
//! is what counts, and it ends with its process; the text only says who it is.

use super::open::{self, Access, OpenError};
use super::sys;
use crate::clock::{System, Wall};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the service calls itself as the holder of the executor's lock; whoever else takes it does so for a moment.
pub const SERVICE: &str = "pcm service";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What it is: `service`, or a command and its account.
    pub who: SafeText,
    /// For messages only: liveness is the lock, never a pid.
    pub pid: u32,
    /// When it was taken.
    pub since: Wall,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, since {})", self.who, self.pid, self.since.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// A lock that this process holds until it is dropped or the process ends.
#[derive(Debug)]
pub struct ExclusiveLock {
    file: File,
    path: PathBuf,
    who: String,
    whose: Whose,
}

/// Whose file a lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// pcm's own: nobody else could have written it.
    Own,
    /// That of all who may write its folder: whoever locks it first keeps none of them out for ever.
    Team,
}

impl Whose {
    fn open(self, path: &Path) -> Result<File, OpenError> {
        match self {
            Whose::Own => open::own(path, Access::Lock),
            Whose::Team => open::of_team(path, Access::Lock),
        }
    }
}

/// A holder is three short fields; whatever is longer is not one.
const MAX_HOLDER: u64 = 4096;

/// How long somebody who only looks may stand in the way.
const LOOKING: Duration = Duration::from_millis(500);

impl ExclusiveLock {
    /// Takes the lock, or answers None where another process, or another place in this one, has it. `holder_text` says
    /// who takes it.
    ///
    /// # Errors
    /// Where the file cannot be made, locked or written.
    pub fn try_take(path: &Path, holder_text: &str) -> io::Result<Option<ExclusiveLock>> {
        Self::take(path, holder_text, Whose::Own)
    }

    /// The same in a folder that several accounts work in.
    ///
    /// # Errors
    /// As [`ExclusiveLock::try_take`].
    pub fn try_take_of_team(path: &Path, holder_text: &str) -> io::Result<Option<ExclusiveLock>> {
        Self::take(path, holder_text, Whose::Team)
    }

    fn take(path: &Path, holder_text: &str, whose: Whose) -> io::Result<Option<ExclusiveLock>> {
        let start = Instant::now();
        loop {
            let file = whose.open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::Error(e)) => return Err(e),
                Err(TryLockError::WouldBlock) => {
                    // `is_held` looks by a shared lock of a moment; only an exclusive one is a holder.
                    match file.try_lock_shared() {
                        Err(TryLockError::Error(e)) => return Err(e),
                        Err(TryLockError::WouldBlock) => return Ok(None),
                        // Closing the file, a moment later, ends it too.
                        Ok(()) => drop(file.unlock()),
                    }
                    if start.elapsed() > LOOKING {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
            }
            // Removed or replaced between the opening and the lock: it would guard a file that nobody else sees.
            if !sys::lock::is_at(&file, path)? {
                continue;
            }
            let mut lock = ExclusiveLock { file, path: path.to_owned(), who: holder_text.to_owned(), whose };
            lock.write_holder()?;
            return Ok(Some(lock));
        }
    }

    /// Takes the lock as soon as it is free. `keep_waiting` is asked about ten times a second with the present holder;
    /// its `false` ends the waiting with None.
    ///
    /// # Errors
    /// As [`ExclusiveLock::try_take`].
    pub fn wait_take(
        path: &Path,
        holder_text: &str,
        keep_waiting: impl FnMut(Option<Holder>) -> bool,
    ) -> io::Result<Option<ExclusiveLock>> {
        Self::wait(path, holder_text, Whose::Own, keep_waiting)
    }

    /// The same in a folder that several accounts work in.
    ///
    /// # Errors
    /// As [`ExclusiveLock::try_take`].
    pub fn wait_take_of_team(
        path: &Path,
        holder_text: &str,
        keep_waiting: impl FnMut(Option<Holder>) -> bool,
    ) -> io::Result<Option<ExclusiveLock>> {
        Self::wait(path, holder_text, Whose::Team, keep_waiting)
    }

    fn wait(
        path: &Path,
        holder_text: &str,
        whose: Whose,
        mut keep_waiting: impl FnMut(Option<Holder>) -> bool,
    ) -> io::Result<Option<ExclusiveLock>> {
        loop {
            if let Some(lock) = ExclusiveLock::take(path, holder_text, whose)? {
                return Ok(Some(lock));
            }
            let holder = match whose {
                Whose::Own => read_holder(path),
                Whose::Team => holder_of_team(path),
            };
            if !keep_waiting(holder) {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether this is still the lock that others see. Where somebody removed its file it is taken anew; false: another
    /// process was faster, and holds it now.
    ///
    /// # Errors
    /// It cannot be found out or made anew now; nobody else can have taken it then either.
    pub fn keep(&mut self) -> io::Result<bool> {
        if sys::lock::is_at(&self.file, &self.path)? {
            return Ok(true);
        }
        match ExclusiveLock::take(&self.path, &self.who, self.whose)? {
            Some(anew) => {
                *self = anew;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn write_holder(&mut self) -> io::Result<()> {
        let holder = Holder { who: SafeText::new(&self.who), pid: std::process::id(), since: System::now() };
        let text = serde_json::to_string(&holder)?;
        match sys::lock::holder_file(&self.path) {
            // A mandatory lock keeps others from reading the locked file itself.
            Some(beside) => {
                let mut beside = self.whose.open(&beside)?;
                beside.set_len(0)?;
                beside.write_all(text.as_bytes())
            }
            None => {
                self.file.set_len(0)?;
                self.file.rewind()?;
                self.file.write_all(text.as_bytes())
            }
        }
    }
}

impl Drop for ExclusiveLock {
    fn drop(&mut self) {
        // Unlocked by word and not only by closing: a child between fork and exec still has a copy of the descriptor.
        let _ = self.file.unlock();
    }
}

/// Who holds the lock; None where nobody does, or where the holder has not yet said who it is.
pub fn holder(path: &Path) -> Option<Holder> {
    if is_held(path) { read_holder(path) } else { None }
}

/// Whether a living process holds the lock. Where that cannot be found out it counts as held: a run is not taken for
/// dead because a file could not be opened.
pub fn is_held(path: &Path) -> bool {
    match open::own(path, Access::Read) {
        Err(e) => e != OpenError::Missing,
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => {
                let _ = file.unlock();
                false
            }
            Err(_) => true,
        },
    }
}

/// The same of a lock that several accounts share, whoever wrote its file. One that cannot be opened is not held.
pub fn is_held_by_team(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    open::Folder::open(folder).and_then(|folder| folder.file(name)).is_ok_and(|open| {
        let Some(file) = open.here() else { return false };
        let taken = file.try_lock_shared();
        if taken.is_ok() {
            let _ = file.unlock();
        }
        taken.is_err()
    })
}

/// Who has taken a lock that another could not have: it is held, whoever wrote its file.
pub fn holder_of_team(path: &Path) -> Option<Holder> {
    let beside = sys::lock::holder_file(path);
    serde_json::from_slice(&open::open_bounded(beside.as_deref().unwrap_or(path), MAX_HOLDER).ok()?).ok()
}

fn read_holder(path: &Path) -> Option<Holder> {
    let beside = sys::lock::holder_file(path);
    serde_json::from_slice(&open::read_own(beside.as_deref().unwrap_or(path), MAX_HOLDER).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_open_a_lock_and_so_keep_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mode = || {
            let lock = ExclusiveLock::try_take(&path, "test").unwrap();
            assert!(lock.is_some());
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(mode(), 0o600, "one that a former version made");
    }

    #[test]
    fn one_holds_it_and_the_others_see_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_held(&path));
        let lock = ExclusiveLock::try_take(&path, "service").unwrap().unwrap();
        assert!(ExclusiveLock::try_take(&path, "other").unwrap().is_none());
        let seen = holder(&path).unwrap();
        assert_eq!((seen.who.as_str(), seen.pid), ("service", std::process::id()));
        assert!(is_held(&path));
        drop(lock);
        assert!(!is_held(&path));
        assert_eq!(holder(&path), None);
    }

    #[test]
    fn a_shorter_holder_leaves_nothing_of_a_longer_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        drop(ExclusiveLock::try_take(&path, &"x".repeat(500)).unwrap().unwrap());
        let _lock = ExclusiveLock::try_take(&path, "y").unwrap().unwrap();
        assert_eq!(holder(&path).unwrap().who.as_str(), "y");
    }

    #[test]
    fn those_who_look_do_not_keep_anyone_from_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let stop = AtomicBool::new(false);
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        is_held(&path);
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                });
            }
            let taken = (0..100).filter(|_| ExclusiveLock::try_take(&path, "t").unwrap().is_some()).count();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(taken, 100);
        });
    }

    #[test]
    fn waiting_ends_when_it_is_free_or_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = ExclusiveLock::try_take(&path, "first").unwrap().unwrap();
        assert!(ExclusiveLock::wait_take(&path, "second", |_| false).unwrap().is_none());
        let mut first = Some(first);
        let second = ExclusiveLock::wait_take(&path, "second", |who| {
            if first.take().is_some() {
                assert_eq!(who.unwrap().who.as_str(), "first");
            }
            true
        });
        assert!(second.unwrap().is_some());
    }

    #[test]
    fn a_holder_whose_file_is_removed_takes_it_anew_unless_another_was_faster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut first = ExclusiveLock::try_take(&path, "first").unwrap().unwrap();
        assert!(first.keep().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_held(&path));
        assert!(first.keep().unwrap());
        assert!(is_held(&path) && ExclusiveLock::try_take(&path, "second").unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
        let _second = ExclusiveLock::try_take(&path, "second").unwrap().unwrap();
        assert!(!first.keep().unwrap());
        drop(first);
        assert_eq!(holder(&path).unwrap().who.as_str(), "second");
    }

    #[test]
    fn a_lock_that_was_removed_and_made_anew_is_taken_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, b"not a holder").unwrap();
        assert_eq!(holder(&path), None);
        let _lock = ExclusiveLock::try_take(&path, "me").unwrap().unwrap();
        assert!(is_held(&path));
    }
}
