//! The file that is open, and how far its index is.

use super::{Done, Ended};
use crate::host::tail::{self, FileId};
use crate::log::Zoned;
use crate::log::index::{Grown, Index};
use crate::text::SafeText;
use std::fs::File;
use std::path::PathBuf;

/// So much is indexed before the next question is looked for.
const SLICE: u64 = 4 << 20;

/// A file.
pub struct Open {
    /// The name that its lines have.
    pub name: SafeText,
    path: PathBuf,
    id: FileId,
    /// Its bytes.
    pub source: File,
    /// Where its records are.
    pub index: Index,
    /// There is more to be indexed.
    pub behind: bool,
    /// How much of it was told of, in hundredths.
    pub told: Option<u64>,
}

impl Open {
    /// Opens it; nothing is read of it yet.
    pub fn of(name: SafeText, path: PathBuf, zone: Zoned) -> Done<Open> {
        let (source, id) = tail::open(&path)?;
        Ok(Open { name, path, id, source, index: Index::new(zone), behind: true, told: None })
    }

    /// Another file has its name by now, or none.
    pub fn is_renamed(&self) -> bool {
        tail::identity_at(&self.path).is_ok_and(|id| id != Some(self.id))
    }

    /// Indexes a part more.
    pub fn grow(&mut self) -> Done<()> {
        match self.index.grow(&self.source, SLICE)? {
            Grown::Current => self.behind = false,
            Grown::More => self.behind = true,
            Grown::Changed => return Err(Ended::Changed),
            Grown::Wide => {
                self.behind = false;
                return Err(Ended::Failed(
                    "it is UTF-16, of which only the newest lines are shown here; `pcm log` reads all of it"
                        .into(),
                ));
            }
        }
        Ok(())
    }
}
