//! Whoever reads a share that hangs waits there until it comes back, and nobody can end him. A console looks again and again:
//! nobody is sent where as many looks have left their readers behind as may. One alone would not do: what was read from a mount
//! that somebody took away never comes back, and the share that was mounted in its place is to be looked at all the same.

use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One that is about to be back is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// So many looks may leave their readers behind, at each place.
pub(super) const LEFT: usize = 4;

/// How many looks have readers there, at each place.
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

/// One who reads for a look; as long as it is there, he is. It goes where he goes.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    _look: Arc<Look>,
}

/// A look that has readers.
#[derive(Debug)]
struct Look(Place);

/// Sends somebody to a share.
///
/// # Errors
/// Of those who were sent before too many are not back.
pub(super) fn send(share: &Path, what: What) -> Result<Reader, SafeText> {
    send_after(GRACE, share, what)
}

/// The same; whoever was sent before is waited for so long.
pub(super) fn send_after(grace: Duration, share: &Path, what: What) -> Result<Reader, SafeText> {
    let place = (share.to_owned(), what);
    let are_there = |out: &mut BTreeMap<Place, usize>| out.contains_key(&place);
    let (mut out, _) =
        BACK.wait_timeout_while(out(), grace, are_there).unwrap_or_else(PoisonError::into_inner);
    let there = out.entry(place.clone()).or_default();
    if *there >= LEFT {
        return Err("what read it before still waits for the share, and nothing more is sent there".into());
    }
    *there += 1;
    Ok(Reader { _look: Arc::new(Look(place)) })
}

fn out() -> MutexGuard<'static, BTreeMap<Place, usize>> {
    OUT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Look {
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
    fn nobody_is_sent_where_four_looks_still_wait_and_another_place_is_another() {
        let share = Path::new("/a share of this test");
        let now = || send_after(Duration::ZERO, share, What::Reports);
        let first = send(share, What::Reports).unwrap();
        // However many read for one look, it is one.
        let second = first.clone();
        let mut others: Vec<Reader> = (1..LEFT).map(|_| now().unwrap()).collect();
        assert!(send(share, What::Collected).is_ok());
        assert!(send(Path::new("/another share of this test"), What::Reports).is_ok());
        drop(first);
        let why = now().unwrap_err();
        assert!(why.as_str().contains("still waits"), "{why}");
        drop(others.pop());
        others.push(now().unwrap());
        assert!(now().is_err());
        drop(others);
        // One that comes back while it is waited for.
        let (tell, told) = mpsc::channel();
        let back = std::thread::spawn(move || {
            told.recv().unwrap();
            drop(second);
        });
        tell.send(()).unwrap();
        let again = send_after(Duration::from_secs(60), share, What::Reports).unwrap();
        back.join().unwrap();
        assert_eq!(out().get(&(share.to_owned(), What::Reports)), Some(&1), "it was waited for");
        drop(again);
        assert_eq!(out().get(&(share.to_owned(), What::Reports)), None);
    }
}
