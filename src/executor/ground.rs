//! Whether the state folder can be worked on as it stands: what keeps every start from being recorded although nothing is
//! wrong with the history, and what helps. Called by the service and the client, which take the lock there, by every look
//! of the executor around itself, and by views while nobody is the executor.

use crate::error::{Exit, Failure};
use crate::host::facts;
use crate::host::open::{self, OpenError};
use crate::host::paths::Layout;
use crate::text::SafeText;
use std::io;
use std::path::Path;

/// What keeps whoever is the executor from writing down what it does, with what helps. None: nothing that can be seen; a
/// disk may fail at the next write all the same.
pub fn fault(layout: &Layout) -> Option<SafeText> {
    let mark = layout.mark();
    for (what, path) in [("the state folder", layout.state.as_path()), ("the history's mark", mark.as_path())]
    {
        if facts::is_read_only(path) {
            let e = io::ErrorKind::ReadOnlyFilesystem.into();
            let (path, help) = (path.display(), remedy(path, &e));
            return Some(SafeText::new(&format!("{what} {path} cannot be written. {help}")));
        }
    }
    let lock = layout.lock();
    let e: io::Error = match open::check_own(&lock) {
        Ok(()) | Err(OpenError::Missing | OpenError::Denied | OpenError::NotFolder) => return None,
        Err(e) => e.into(),
    };
    Some(SafeText::new(&format!("{}. {}", cannot_be_locked(&lock, &e), remedy(&lock, &e))))
}

/// The failure of whoever wants to be the executor and cannot take the lock.
pub fn no_lock(layout: &Layout, e: &io::Error) -> Failure {
    let lock = layout.lock();
    Failure::new(Exit::State, "state-unusable", cannot_be_locked(&lock, e), remedy(&lock, e))
}

fn cannot_be_locked(lock: &Path, e: &io::Error) -> String {
    match OpenError::within(e) {
        // It names the file itself.
        Some(OpenError::Loose(why)) => why.clone(),
        _ => format!("{} cannot be locked: {e}", lock.display()),
    }
}

/// Whether it is the disk or a lack of something, which may be over at any time, and nothing that `pcm init` or another
/// account could change.
pub fn passes(e: &io::Error) -> bool {
    use io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, ResourceBusy, StorageFull,
    };
    match e.kind() {
        ReadOnlyFilesystem | StorageFull | ResourceBusy => true,
        NotFound | PermissionDenied | NotADirectory => false,
        // Input/output errors and a lack of descriptors have no kind of their own.
        _ => e.raw_os_error().is_some(),
    }
}

/// What helps against a file or folder of the state that cannot be used.
pub fn remedy(path: &Path, e: &io::Error) -> String {
    match (OpenError::within(e), e.kind()) {
        (_, io::ErrorKind::ReadOnlyFilesystem) => {
            "Its file system is read-only: see why in the kernel's log, then mount it for writing (mount -o remount,rw)".into()
        }
        (_, io::ErrorKind::StorageFull) => "Make room on that file system".into(),
        _ if passes(e) => "Look at the disk and its file system".into(),
        (Some(OpenError::Loose(_)), _) => "Put that right".into(),
        (Some(wrong), _) => match wrong.way_out(path) {
            Some(command) => format!("Move it away, and pcm makes its own: {command}"),
            None => BY_INIT.into(),
        },
        (None, io::ErrorKind::NotFound) => {
            "Put the state folder back where there was one; else create it with: pcm init".into()
        }
        (None, _) => BY_INIT.into(),
    }
}

const BY_INIT: &str =
    "Run pcm init as root or as the account of the service, or name a folder of yours with --state";
