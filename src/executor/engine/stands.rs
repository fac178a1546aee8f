//! How long this machine's own report has stood on a share: of several machines with one id it is one at most whose report
//! stands (SITE.md 5). Pure.

use crate::site::publication::Publication;
use std::path::{Path, PathBuf};

/// A look may have been under way when the report was written: the second one after it has surely seen it.
const ENOUGH_LOOKS: u32 = 2;

/// This machine's report as it stands on a share.
#[derive(Debug)]
pub(super) struct Stands {
    /// Where.
    place: PathBuf,
    /// The epoch and serial that it says are in force here.
    named: (u64, Option<u64>),
    /// How often it was looked at since, and was there as it was written.
    looks: u32,
}

impl Stands {
    /// One that was written there and says that this is in force; `before`: the one whose place it took, as it stood until
    /// then.
    pub fn next(before: Option<Self>, place: PathBuf, named: (u64, Option<u64>)) -> Self {
        let before = before.filter(|before| before.named == named && before.place == place);
        before.unwrap_or(Self { place, named, looks: 0 })
    }

    pub fn is_at(&self, place: &Path) -> bool {
        self.place == place
    }

    /// At these places it was seen as it was known.
    pub fn stood(&mut self, places: &[PathBuf]) {
        if places.contains(&self.place) {
            self.looks = self.looks.saturating_add(1);
        }
    }

    pub fn names(&self, publication: &Publication) -> bool {
        self.named == (publication.epoch, Some(publication.serial))
    }

    /// It says that this publication is in force, and has stood for long enough.
    pub fn is_settled(&self, publication: &Publication) -> bool {
        self.names(publication) && self.looks >= ENOUGH_LOOKS
    }
}
