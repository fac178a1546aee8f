//! Threads that may not be had. `std::thread::spawn` panics where the system gives none; here that is an error, and the
//! caller says what becomes of what was to be done.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};
use std::time::Duration;

/// Starts a thread.
///
/// # Errors
/// None can be had. What it was to do is dropped; [`give`] brings it back.
pub fn start<T: Send + 'static>(
    name: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    #[cfg(test)]
    if tests::NONE.get() {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "no thread for a test"));
    }
    Builder::new().name(name.into()).spawn(act)
}

/// Starts a thread that ends before its scope does.
///
/// # Errors
/// None can be had.
pub fn scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    act: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    #[cfg(test)]
    if tests::NONE.get() {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "no thread for a test"));
    }
    Builder::new().name(name.into()).spawn_scoped(scope, act)
}

/// Starts a thread and hands `what` over to it.
///
/// # Errors
/// None can be had: `what` comes back.
pub fn give<T: Send + 'static>(
    name: &str,
    what: T,
    act: impl FnOnce(T) + Send + 'static,
) -> Result<(), (T, io::Error)> {
    let (hand, taken) = mpsc::channel();
    match start(name, move || taken.recv().map(act)) {
        Err(e) => Err((what, e)),
        Ok(_) => hand.send(what).map_err(|e| (e.0, io::Error::other("the thread has ended already"))),
    }
}

/// Does it beside and waits for at most `deadline`. What is not done by then goes on by itself, or hangs by itself.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`]: it was not done by then. Anything else: no thread can be had, or it ended without an answer.
pub fn within<T: Send + 'static>(
    name: &str,
    deadline: Duration,
    act: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (tell, told) = mpsc::channel();
    // Nobody waits any more after the deadline.
    start(name, move || drop(tell.send(act())))?;
    told.recv_timeout(deadline).map_err(|e| match e {
        mpsc::RecvTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        mpsc::RecvTimeoutError::Disconnected => io::Error::other("the thread ended without an answer"),
    })
}

/// For those who test what becomes of them without a thread.
#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;
    use std::path::Path;

    thread_local! {
        pub(super) static NONE: Cell<bool> = const { Cell::new(false) };
    }

    /// Does it in a thread that can have no others.
    pub fn without<T>(act: impl FnOnce() -> T) -> T {
        NONE.set(true);
        let done = act();
        NONE.set(false);
        done
    }

    #[test]
    fn what_no_thread_can_be_had_for_comes_back() {
        let (back, _) = without(|| give("test", 7, |_| unreachable!("there is no thread"))).unwrap_err();
        assert_eq!(back, 7);
        let (tell, told) = mpsc::channel();
        give("test", 7, move |n| tell.send(n).unwrap()).unwrap();
        assert_eq!(told.recv(), Ok(7));
    }

    #[test]
    fn what_hangs_is_waited_for_no_longer_than_its_deadline() {
        let (never, hangs) = mpsc::channel::<()>();
        let late = within("test", Duration::from_millis(1), move || hangs.recv()).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(within("test", Duration::from_secs(60), || 7).unwrap(), 7);
        let none = without(|| within("test", Duration::from_secs(60), || 7)).unwrap_err();
        assert_ne!(none.kind(), io::ErrorKind::TimedOut);
        let ends = within("test", Duration::from_secs(60), || std::panic::resume_unwind(Box::new(())));
        let ends: io::Result<()> = ends;
        assert_eq!(ends.unwrap_err().kind(), io::ErrorKind::Other);
        drop(never);
    }

    #[test]
    fn no_thread_is_started_in_the_way_that_panics() {
        let mut files = 0;
        for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            let entry = entry.unwrap();
            if entry.path().extension().is_none_or(|ext| ext != "rs") {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let production = text.split("\nmod tests {").next().unwrap_or_default();
            let named =
                |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().starts_with("tests");
            let in_tests = entry.path().components().any(named);
            let spawns = ["thread::", " s.", "scope."].map(|from| format!("{from}spawn("));
            let found = spawns.iter().find(|words| production.contains(words.as_str()));
            assert!(in_tests || found.is_none(), "{}: {found:?}", entry.path().display());
        }
        assert!(files > 100, "a test of nothing: {files} files");
    }
}
