//! Bytes by their place: one open file, or in tests a text. It is read and never mapped, because a log may be cut while it
//! is looked at.

use crate::host::tail;
use std::fs::File;
use std::io;

/// What can be read from any place on.
pub trait ReadAt {
    /// Reads once from here on; no bytes: it ends here.
    ///
    /// # Errors
    /// What the source says.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How long it is at the moment.
    ///
    /// # Errors
    /// What the source says.
    fn size(&self) -> io::Result<u64>;

    /// Up to `most` bytes from here on; fewer only where it ends.
    ///
    /// # Errors
    /// What the source says.
    fn part(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut got = 0;
        while got < most {
            match self.read_at(at + got as u64, &mut bytes[got..])? {
                0 => break,
                n => got += n,
            }
        }
        bytes.truncate(got);
        Ok(bytes)
    }
}

impl ReadAt for File {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match tail::read_at(self, at, into) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

#[cfg(test)]
impl ReadAt for Vec<u8> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(at).map_or(self.len(), |at| at.min(self.len()));
        let n = into.len().min(self.len() - from);
        into[..n].copy_from_slice(&self[from..from + n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}
