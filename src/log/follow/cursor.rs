//! From where a file is read on by somebody who knows it only by what was noted: which file, how far, and by what it is
//! recognised.

use crate::host::tail::FileId;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// How much of the beginning, and of what stands before the place, a file is recognised by.
const PRINT: u64 = 1024;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The log that it is, or was before it was rotated: a name without its folder.
    pub file: SafeText,
    /// [`FileId`], which another file may have once this one is gone.
    device: u64,
    index: u64,
    /// Everything before this byte was given out.
    pub at: u64,
    /// Of the first bytes, and of those before the place: their hashes.
    head: String,
    tail: String,
}

impl Cursor {
    /// Of this file, which is read up to `at`.
    ///
    /// # Errors
    /// What the file says.
    pub fn of(file: SafeText, id: FileId, open: &mut File, at: u64) -> io::Result<Cursor> {
        let (head, tail) = print(open, at)?;
        Ok(Cursor { file, device: id.device, index: id.index, at, head, tail })
    }

    /// Which file it was.
    pub fn id(&self) -> FileId {
        FileId { device: self.device, index: self.index }
    }

    /// Whether a file holds what was read, at the same place.
    pub fn is_in(&self, file: &mut File) -> bool {
        let long = file.metadata().is_ok_and(|meta| meta.len() >= self.at);
        long && print(file, self.at).is_ok_and(|(head, tail)| head == self.head && tail == self.tail)
    }
}

fn print(file: &mut File, at: u64) -> io::Result<(String, String)> {
    let most = at.min(PRINT);
    // At most a kilobyte.
    let len = usize::try_from(most).unwrap_or(0);
    Ok((hash(&read_at(file, 0, len)?), hash(&read_at(file, at - most, len)?)))
}

fn hash(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in &Sha256::digest(bytes)[..12] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Up to `len` bytes from `at` on; fewer at the end of the file.
pub(super) fn read_at(file: &mut File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    #[cfg(test)]
    super::instant::pass();
    let mut bytes = Vec::with_capacity(len);
    file.seek(SeekFrom::Start(at))?;
    file.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As a length in memory.
pub(super) fn len_of(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
