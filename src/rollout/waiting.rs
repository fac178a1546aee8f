//! Whoever reads a share that hangs waits there until it comes back, and nobody can end him. A console looks again and again:
//! nobody is sent where somebody still waits, so that at most one look leaves its readers behind, whatever comes.

use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One that is about to be back is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// How many are there, at each place.
static OUT: Mutex<BTreeMap<Place, usize>> = Mutex::new(BTreeMap::new());
/// One came back.
static BACK: Condvar = Condvar::new();

type Place = (PathBuf, What);

/// What is read of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The reports themselves.
    Reports,
    /// What a collector has read of them.
    Collected,
}

/// One who reads; as long as it is there, he is. It goes where he goes.
#[derive(Debug)]
pub(super) struct Reader(Place);

/// Sends somebody to a share.
///
/// # Errors
/// Somebody who was sent before is not back.
pub(super) fn send(share: &Path, what: What) -> Result<Reader, SafeText> {
    send_after(GRACE, share, what)
}

fn send_after(grace: Duration, share: &Path, what: What) -> Result<Reader, SafeText> {
    let place = (share.to_owned(), what);
    let are_there = |out: &mut BTreeMap<Place, usize>| out.contains_key(&place);
    let waited = BACK.wait_timeout_while(out(), grace, are_there);
    let (mut out, late) = waited.unwrap_or_else(PoisonError::into_inner);
    if late.timed_out() {
        return Err("what read it before still waits for the share, and nothing more is sent there".into());
    }
    out.insert(place.clone(), 1);
    Ok(Reader(place))
}

fn out() -> MutexGuard<'static, BTreeMap<Place, usize>> {
    OUT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        *out().entry(self.0.clone()).or_default() += 1;
        Self(self.0.clone())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut out = out();
        if let Some(others) = out.get_mut(&self.0).map(|there| there.saturating_sub(1)) {
            match others {
                0 => drop(out.remove(&self.0)),
                others => drop(out.insert(self.0.clone(), others)),
            }
        }
        BACK.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn nobody_is_sent_where_one_still_waits_and_another_place_is_another() {
        let share = Path::new("/a share of this test");
        let first = send(share, What::Reports).unwrap();
        let second = first.clone();
        assert!(send(share, What::Collected).is_ok());
        assert!(send(Path::new("/another share of this test"), What::Reports).is_ok());
        drop(first);
        let why = send_after(Duration::ZERO, share, What::Reports).unwrap_err();
        assert!(why.as_str().contains("still waits"), "{why}");
        // One that comes back while it is waited for.
        let (tell, told) = mpsc::channel();
        let back = std::thread::spawn(move || {
            told.recv().unwrap();
            drop(second);
        });
        tell.send(()).unwrap();
        assert!(send_after(Duration::from_secs(60), share, What::Reports).is_ok());
        back.join().unwrap();
        assert!(send_after(Duration::ZERO, share, What::Reports).is_ok());
    }
}
