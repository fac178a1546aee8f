//! The file that is open, and how far its index is.

use super::{Done, Ended};
use crate::host::tail::{self, FileId};
use crate::log::Zoned;
use crate::log::index::{Grown, Index};
use crate::log::readat::ReadAt;
use crate::log::wide::Wide;
use crate::text::SafeText;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// So much is indexed before the next question is looked for.
const SLICE: u64 = 4 << 20;

/// What is read.
pub enum Source {
    /// The bytes of a file.
    Plain(File),
    /// The text of one in UTF-16.
    Wide(Wide<File>),
    /// What tests say.
    #[cfg(test)]
    Told(Box<dyn ReadAt + Send>),
}

impl ReadAt for Source {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file) => file.read_at(at, into),
            Source::Wide(wide) => wide.read_at(at, into),
            #[cfg(test)]
            Source::Told(told) => told.read_at(at, into),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Source::Plain(file) => file.size(),
            Source::Wide(wide) => wide.size(),
            #[cfg(test)]
            Source::Told(told) => told.size(),
        }
    }
}

/// A file.
pub struct Open {
    /// The name that its lines have.
    pub name: SafeText,
    path: PathBuf,
    id: FileId,
    /// Its bytes, or its text.
    pub source: Source,
    /// Where its records are.
    pub index: Index,
    /// There is more to be indexed.
    pub behind: bool,
    /// What is behind the index could not be read.
    pub stopped: bool,
    /// How much of it was told of, in hundredths.
    pub told: Option<u64>,
}

impl Open {
    /// Opens it; nothing is read of it yet.
    pub fn of(name: SafeText, path: PathBuf, zone: Zoned) -> Done<Open> {
        let (file, id) = tail::open(&path)?;
        let source = match Wide::order(&file)? {
            Some(order) => Source::Wide(Wide::new(file, order)),
            None => Source::Plain(file),
        };
        let index = Index::new(zone);
        Ok(Open { name, path, id, source, index, behind: true, stopped: false, told: None })
    }

    /// How much of the file was gone through, and how large it is, in bytes of the file.
    pub fn part(&self) -> io::Result<(u64, u64)> {
        match &self.source {
            Source::Wide(wide) => wide.part_of_file(),
            source => Ok((self.index.read(), source.size()?)),
        }
    }

    /// Nothing can be said of its end before all of it was gone through.
    pub fn is_wide(&self) -> bool {
        matches!(self.source, Source::Wide(_))
    }

    /// One that tests say the bytes of.
    #[cfg(test)]
    pub fn told(name: SafeText, source: Box<dyn ReadAt + Send>, zone: Zoned) -> Open {
        let (id, source) = (FileId { device: 0, index: 0 }, Source::Told(source));
        let (path, index) = (PathBuf::new(), Index::new(zone));
        Open { name, path, id, source, index, behind: true, stopped: false, told: None }
    }

    /// Another file has its name by now, or none.
    pub fn is_renamed(&self) -> bool {
        tail::identity_at(&self.path).is_ok_and(|id| id != Some(self.id))
    }

    /// Indexes a part more.
    pub fn grow(&mut self) -> Done<()> {
        let more = match &mut self.source {
            Source::Wide(wide) => wide.grow(SLICE)?,
            Source::Plain(_) => false,
            #[cfg(test)]
            Source::Told(_) => false,
        };
        match self.index.grow(&self.source, SLICE)? {
            Grown::Current => self.behind = more,
            Grown::More => self.behind = true,
            // What it says is UTF-16 once more: opened anew it would say so again, without an end.
            Grown::Wide if self.is_wide() => {
                (self.behind, self.stopped) = (false, true);
                return Err(Ended::Failed("it is written neither in UTF-8 nor in UTF-16".into()));
            }
            // When it was opened too little of it was there to tell how it is written.
            Grown::Changed | Grown::Wide => return Err(Ended::Changed),
        }
        self.stopped = false;
        Ok(())
    }
}
