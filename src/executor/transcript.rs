//! The transcript of one run: what the package wrote, with a limit that keeps head and tail, so that a package that
//! prints without end neither fills the disk nor loses its last words.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Bytes kept from the beginning.
pub const HEAD: u64 = 8 << 20;
/// Bytes kept from the end, once the head is full.
pub const TAIL: usize = 1 << 20;

/// A transcript that is being written.
pub struct Transcript {
    file: File,
    written: u64,
    head: u64,
    tail: VecDeque<u8>,
    tail_size: usize,
    left_out: u64,
}

impl Transcript {
    /// Starts a transcript; the folder is made if it is missing.
    ///
    /// # Errors
    /// It cannot be made; a transcript of that name is never overwritten.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::with_limits(path, HEAD, TAIL)
    }

    fn with_limits(path: &Path, head: u64, tail_size: usize) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self { file, written: 0, head, tail: VecDeque::new(), tail_size, left_out: 0 })
    }

    /// Takes what the package wrote.
    ///
    /// # Errors
    /// The disk is full or broken; the package is not stopped for that.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.head - self.written).unwrap_or(usize::MAX).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.file.write_all(head)?;
        self.written += head.len() as u64;
        if rest.is_empty() {
            return Ok(());
        }
        if self.tail.is_empty() && self.left_out == 0 {
            self.file.write_all(
                b"\n[pcm: the output is too long; what follows is written when the run has ended]\n",
            )?;
        }
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(self.tail_size);
        self.tail.drain(..surplus);
        self.left_out += surplus as u64;
        Ok(())
    }

    /// Writes what was kept of the end.
    ///
    /// # Errors
    /// As for [`Transcript::push`].
    pub fn finish(mut self) -> io::Result<()> {
        if self.left_out > 0 {
            writeln!(self.file, "[pcm: {} bytes are left out here]", self.left_out)?;
        }
        let (a, b) = self.tail.as_slices();
        self.file.write_all(a)?;
        self.file.write_all(b)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(chunks: &[&[u8]]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/x.log");
        let mut transcript = Transcript::with_limits(&path, 10, 5).unwrap();
        for chunk in chunks {
            transcript.push(chunk).unwrap();
        }
        transcript.finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_fits_is_kept_to_the_byte() {
        assert_eq!(written(&[b"0123", b"456789"]), "0123456789");
    }

    #[test]
    fn of_what_does_not_fit_head_and_tail_are_kept_and_the_gap_is_said() {
        let text = written(&[b"0123456789abc", b"defghijkl"]);
        assert!(text.starts_with("0123456789\n[pcm: "), "{text}");
        assert!(text.ends_with("[pcm: 7 bytes are left out here]\nhijkl"), "{text}");
    }

    #[test]
    fn a_little_too_much_loses_nothing() {
        let text = written(&[b"0123456789", b"abc"]);
        assert!(text.ends_with("\nabc") && !text.contains("left out"), "{text}");
    }

    #[test]
    fn a_transcript_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        Transcript::create(&path).unwrap();
        assert!(Transcript::create(&path).is_err());
    }
}
