//! Where a simulated disk fails under the history. Exists in the tests' build only.

use std::cell::RefCell;
use std::io;

/// Decides at a named point whether it fails there, or dies.
type Hook = Box<dyn Fn(&'static str) -> io::Result<()>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// From now on in this thread.
pub fn set(hook: Option<Hook>) {
    HOOK.set(hook);
}

/// Whether the disk is a simulated one.
pub(super) fn simulated() -> bool {
    HOOK.with_borrow(Option::is_some)
}

/// Passes a point of the history's way to disk.
pub(super) fn point(name: &'static str) -> io::Result<()> {
    HOOK.with_borrow(|hook| hook.as_ref().map_or(Ok(()), |hook| hook(name)))
}

/// The same as the database would say it.
pub(super) fn database(name: &'static str) -> rusqlite::Result<()> {
    point(name).map_err(|e| {
        let full = e.kind() == io::ErrorKind::StorageFull;
        let code = if full { rusqlite::ffi::SQLITE_FULL } else { rusqlite::ffi::SQLITE_IOERR };
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(e.to_string()))
    })
}
