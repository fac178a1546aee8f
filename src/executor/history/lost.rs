//! A history that cannot be used: what was found, what that means, and what mends it. What a disk or a system says of a file is
//! told apart from what a file says of itself.

use super::HistoryError;
use super::first_look::Closed;
use super::mark::Mark;
use crate::host::open::OpenError;
use crate::host::paths::Layout;
use crate::text::SafeText;
use std::io;
use std::path::Path;

/// History cannot be used: the evidence, as a clause, and what kind of trouble it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What was found.
    pub evidence: SafeText,
    /// What it means.
    pub cause: Cause,
    /// What mends it, as a clause, where that is known.
    pub mend: Option<SafeText>,
}

/// Why history cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There never was a history here, or `pcm init` did not get to its end: nothing has run under it.
    NeverCreated,
    /// It is new, and not every place was seen where results of an earlier life may lie. Once all were seen and hold none,
    /// it is open and nobody has to decide anything.
    Unseen,
    /// It is new, and this machine has had an earlier life: an operator decides.
    Earlier,
    /// It cannot be read now: a failing disk, a read-only file system, missing rights, no descriptors. That says nothing
    /// about what is in it. Once the cause is gone, it is read again and nobody has to decide anything.
    Unreadable,
    /// It is missing, damaged, changed, or older than its mark: an operator decides.
    Lost,
}

impl Lost {
    pub(super) fn new(evidence: impl AsRef<str>) -> Self {
        Self { evidence: SafeText::new(evidence.as_ref()), cause: Cause::Lost, mend: None }
    }

    pub(super) fn unreadable(evidence: impl AsRef<str>) -> Self {
        Self { cause: Cause::Unreadable, ..Self::new(evidence) }
    }

    /// A new history is whole and waits.
    pub(super) fn closed(closed: &Closed) -> Self {
        let cause = match closed {
            Closed::Earlier(_) => Cause::Earlier,
            Closed::Unseen(_) => Cause::Unseen,
        };
        Self { cause, ..Self::new(closed.to_string()) }
    }

    pub(super) fn mended_by(self, how: impl AsRef<str>) -> Self {
        Self { mend: Some(SafeText::new(how.as_ref())), ..self }
    }

    /// What the system says of a file that was looked at.
    pub(super) fn of_io(file: &Path, e: &io::Error) -> Self {
        let evidence = format!("{}: {e}", file.display());
        let wrong = OpenError::within(e);
        // It is read again once its mode is right, and held against chain and mark.
        if let Some(OpenError::Loose(why)) = wrong {
            return Self::unreadable(why).mended_by("put that right");
        }
        // Whoever put that there may have moved the file, which is whole then.
        if let Some(command) = wrong.and_then(|wrong| wrong.way_out(file)) {
            let how = format!("move away what is there and put the real file in its place: {command}");
            return Self::unreadable(evidence).mended_by(how);
        }
        // A file that was read and does not hold what it should is no trouble of the disk.
        if e.kind() == io::ErrorKind::InvalidData { Self::new(evidence) } else { Self::unreadable(evidence) }
    }

    /// There is nothing where the history belongs, and the mark knows of one.
    pub(super) fn missing(layout: &Layout, mark: &Mark) -> Self {
        let known = format!("{} says that it held {} events", layout.mark().display(), mark.events);
        if layout.state.exists() {
            let evidence = format!("{} is missing, and {known}", layout.history().display());
            return Self::new(evidence).mended_by("put the file back");
        }
        let evidence =
            format!("the state folder {} is missing with its history, and {known}", layout.state.display());
        Self::new(evidence).mended_by("put the folder back, and a service that still runs goes on by itself")
    }

    /// What the database says of its file.
    pub(super) fn of_database(file: &Path, e: &rusqlite::Error) -> Self {
        if is_trouble(e) {
            Self::unreadable(format!("{} cannot be read: {e}", file.display()))
        } else {
            Self::new(format!("{} is damaged: {e}", file.display()))
        }
    }
}

impl From<HistoryError> for Lost {
    fn from(e: HistoryError) -> Self {
        let trouble = match &e {
            HistoryError::Database { source, .. } => is_trouble(source),
            HistoryError::Mark { .. } => true,
            HistoryError::Content { .. } => false,
        };
        if trouble { Self::unreadable(e.to_string()) } else { Self::new(e.to_string()) }
    }
}

/// Whether the disk or the system failed, which says nothing about what is in the file.
fn is_trouble(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, OutOfMemory,
        PermissionDenied, ReadOnly, SystemIoFailure,
    };
    matches!(
        e.sqlite_error_code(),
        Some(
            CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure
        )
    )
}
