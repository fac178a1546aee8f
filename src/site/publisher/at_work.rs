//! The note on the share that somebody publishes: it keeps publishers on other machines away, as the lock of the site folder
//! does on this one.

use super::Publication;
use super::place::{Share, fault};
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::facts;
use crate::site::index;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::path::Path;

/// Its name on the share.
pub const PUBLISHING: &str = "PCM.PUBLISHING";
/// How far the clocks of the publisher and of the share may be apart.
const CLOCKS: TimeDelta = TimeDelta::minutes(5);
/// The largest note that is read.
pub(super) const MAX_NOTE: u64 = 4096;

/// The note on the share that somebody publishes.
pub(super) struct AtWork;

impl AtWork {
    /// Writes it, and compares the clocks by it. None: the index is not any more what was `seen` before, since somebody else
    /// published in between.
    ///
    /// # Errors
    /// `publishing`: somebody else is at work; `clock-suspect`; the share cannot be written.
    pub(super) fn begin(
        publication: &Publication<'_>,
        share: &Share,
        seen: Option<&[u8]>,
    ) -> Result<Option<Self>> {
        fault::before_note();
        let ours = ours(&publication.folder.dir);
        let note = format!(
            "{} since {} at {ours}\n",
            publication.how.who,
            publication.how.now.format("%Y-%m-%dT%H:%M:%SZ")
        );
        let cannot = |why: String| {
            let message = format!("the share {} cannot be written: {why}", share.root().path().display());
            Failure::new(Exit::Share, "share-denied", message, "Publish as somebody who may write it")
        };
        // Whole from its first moment: whoever dies at it leaves a note that says who it was.
        match share.root().bring(PUBLISHING, &mut note.as_bytes()) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                if let Some(who) = standing(publication, share)? {
                    let message = format!("{who} is publishing on {}", share.root().path().display());
                    let remedy = "Wait for its end; if it died, publish with pcm site publish --break-lock";
                    return Err(publication.refuse("publishing", &message, remedy));
                }
                share.root().replace(PUBLISHING, note.as_bytes()).map_err(|e| cannot(e.to_string()))?;
            }
            Err(e) => return Err(cannot(e.to_string())),
        }
        // Of two at the same moment on a file server that cannot promise the first step, the last one is at work.
        if share.read(&[], PUBLISHING, MAX_NOTE)?.as_deref() != Some(note.as_bytes()) {
            let message = format!("somebody else began to publish on {}", share.root().path().display());
            return Err(publication.refuse("publishing", &message, "Wait for its end, then publish again"));
        }
        let at_work = Self;
        let clock = share.root().file(PUBLISHING).ok().and_then(|file| file.modified().ok());
        let apart = clock.map(|clock| Wall::from(clock).signed_duration_since(facts::now()));
        if let Some(apart) = apart.filter(|apart| apart.abs() > CLOCKS) {
            at_work.end(share);
            let message = format!(
                "the clock of the share is {} minutes {} this one",
                apart.num_minutes().abs(),
                if apart > TimeDelta::zero() { "ahead of" } else { "behind" }
            );
            return Err(publication.refuse("clock-suspect", &message, "Set the clock that is wrong"));
        }
        if share.read(&[], index::NAME, index::MAX_BYTES)?.as_deref() != seen {
            at_work.end(share);
            return Ok(None);
        }
        Ok(Some(at_work))
    }

    /// Takes away a note that a dead publisher left, where nothing else is to be written.
    pub(super) fn clear(publication: &Publication<'_>, share: &Share) -> Result<()> {
        let is_there = share.root().holds(PUBLISHING).unwrap_or(false);
        if is_there && standing(publication, share)?.is_none() {
            Self.end(share);
        }
        Ok(())
    }

    /// A note that stays is taken over by the next publication from this folder.
    pub(super) fn end(self, share: &Share) {
        if let Err(e) = share.root().remove(PUBLISHING) {
            let note = share.root().path().join(PUBLISHING);
            tracing::warn!("{} was not removed, and says that somebody publishes: {e}", note.display());
        }
    }
}

/// This folder on this machine, whichever way leads there.
pub(super) fn ours(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    format!("{}:{}", facts::host_name(), dir.display())
}

/// Who keeps this publisher away by the note that stands there; None: nobody. The lock of this folder is ours, so whoever wrote
/// there that he publishes from it is dead.
fn standing(publication: &Publication<'_>, share: &Share) -> Result<Option<SafeText>> {
    if publication.how.break_lock {
        return Ok(None);
    }
    let who = share.read_any(&[], PUBLISHING, MAX_NOTE)?.unwrap_or_default();
    let who = SafeText::from_bytes(who.trim_ascii());
    let dead = who.as_str().ends_with(&format!(" at {}", ours(&publication.folder.dir)));
    let who = if who.is_empty() { "somebody".into() } else { who };
    Ok((!dead).then_some(who))
}
