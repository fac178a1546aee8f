//! The transcript of one run: what the package wrote, with a limit that keeps head and tail, so that a package that
//! prints without end neither fills the disk nor loses its last words; nor does it lose them, or hide that it did, on a
//! disk that is full.

use crate::host::{durable, open, perms};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Bytes kept from the beginning.
pub const HEAD: u64 = 8 << 20;
/// Bytes kept from the end, once the head is full.
pub const TAIL: usize = 1 << 20;

/// Room that is reserved from the beginning, so that on a full disk something can still be said.
const RESERVED: u64 = 4096;

/// A transcript that is being written. What cannot be written, because the head is full or the disk is, is held back.
pub struct Transcript {
    file: File,
    /// Bytes in the file.
    length: u64,
    /// Bytes of the package in the file.
    written: u64,
    head: u64,
    held: VecDeque<u8>,
    held_size: usize,
    left_out: u64,
    /// Why the disk takes nothing more.
    fault: Option<io::Error>,
}

impl Transcript {
    /// Starts a transcript; the folder is made if it is missing.
    ///
    /// # Errors
    /// It cannot be made, or somebody else could change its folder or the one above and so say where it is made; a
    /// transcript of that name is never overwritten.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            durable::make_readable_dir(folder)?;
            for home in folder.parent().into_iter().chain([folder]) {
                perms::check_home(home).map_err(|loose| io::Error::other(loose.why))?;
            }
        }
        let file = File::options().write(true).create_new(true).open(path)?;
        if let Err(e) = open::make_plain(&file).and_then(|()| durable::reserve(&file, RESERVED)) {
            // One that is empty for ever would hide the one that is kept elsewhere.
            let _ = std::fs::remove_file(path);
            return Err(e);
        }
        Ok(Self::of(file, HEAD, TAIL))
    }

    fn of(file: File, head: u64, held_size: usize) -> Self {
        let held = VecDeque::new();
        Self { file, length: 0, written: 0, head, held, held_size, left_out: 0, fault: None }
    }

    /// Takes what the package wrote. On a full disk it is held back until there is room again; the package is not stopped
    /// for that.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            self.hold(bytes);
            return self.catch_up();
        }
        let room = usize::try_from(self.head.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        if self.held.is_empty() && self.left_out == 0 {
            let note: &[u8] = if rest.is_empty() { b"" } else { TOO_LONG };
            if let Err(e) = self.append(&[head, note].concat()) {
                self.fault = Some(e);
                return self.hold(bytes);
            }
            self.written += head.len() as u64;
        }
        self.hold(rest);
    }

    /// Writes what was held back of the end.
    ///
    /// # Errors
    /// Some of the output is lost, and why. The transcript says so itself.
    pub fn finish(mut self) -> io::Result<()> {
        if self.fault.is_some() {
            self.catch_up();
        } else if let Err(e) = self.write_held() {
            self.fault = Some(e);
        }
        if let Some(e) = self.fault.take() {
            self.overwrite_end(&e)?;
            self.file.sync_all()?;
            return Err(e);
        }
        self.file.sync_all()
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held.extend(bytes);
        let surplus = self.held.len().saturating_sub(self.held_size);
        self.held.drain(..surplus);
        self.left_out += surplus as u64;
    }

    /// The disk may have room again.
    fn catch_up(&mut self) {
        let held = self.held.len() as u64;
        if self.write_held().is_ok() {
            self.written += held;
            (self.fault, self.left_out) = (None, 0);
            self.held.clear();
        }
    }

    fn write_held(&mut self) -> io::Result<()> {
        let mut bytes = match self.left_out {
            0 => Vec::new(),
            n => format!("[pcm: {n} bytes are left out here]\n").into_bytes(),
        };
        bytes.extend(&self.held);
        self.append(&bytes)
    }

    /// All of it or nothing.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(e) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
                Err(e)
            }
        }
    }

    /// There is no room for the end, which says how the package ended. It takes the place of what was written before it,
    /// but for the first half.
    fn overwrite_end(&mut self, why: &io::Error) -> io::Result<()> {
        let note = format!("\n[pcm: output was lost here: {why}]\n").into_bytes();
        let have = self.length.max(RESERVED);
        let take = (note.len() + self.held.len()) as u64;
        let at = have.saturating_sub(take).max(self.length / 2).min(self.length);
        let last = usize::try_from(have - at).unwrap_or(usize::MAX).saturating_sub(note.len());
        let skip = self.held.len().saturating_sub(last);
        let bytes: Vec<u8> = note.into_iter().chain(self.held.iter().skip(skip).copied()).collect();
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&bytes)?;
        self.file.set_len(at + bytes.len() as u64)
    }
}

/// Stands where the head ends, until the run has ended.
const TOO_LONG: &[u8] = b"\n[pcm: the output is too long; what follows is written when the run has ended]\n";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(chunks: &[&[u8]]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/x.log");
        let mut transcript = Transcript::create(&path).unwrap();
        (transcript.head, transcript.held_size) = (10, 5);
        for chunk in chunks {
            transcript.push(chunk);
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
