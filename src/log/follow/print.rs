//! What a file is recognised by, also under another name, in a copy, or after it was written over.

use super::cursor::{len_of, read_at};
use std::fs::File;
use std::io;

/// How much of the beginning and of the end of what was read is remembered.
pub const PRINT: usize = 1024;
/// A beginning of fewer bytes than these may be that of many files.
const TELLS: u64 = 64;
/// The hole that a writer leaves which does not append is looked over up to here for what stands behind it.
const HOLE: u64 = 64 * 1024;

/// What a file is recognised by: how much of it was read, and both ends of that.
#[derive(Debug, Clone, Default)]
pub struct Print {
    /// Bytes read.
    pub offset: u64,
    /// Where the first byte is that is not zero: all holes look alike. So many bytes as were read if none was found, and
    /// `u64::MAX` if that is not known.
    head_at: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Print {
    /// Of the first `offset` bytes of a file.
    pub fn of(file: &mut File, offset: u64) -> io::Result<Print> {
        let mut head = read_at(file, 0, PRINT.min(len_of(offset)))?;
        let mut head_at = 0;
        if head.first() == Some(&0) {
            let hole = read_at(file, 0, len_of(offset.min(HOLE)))?;
            let end = hole.iter().position(|byte| *byte != 0).unwrap_or(hole.len()) as u64;
            head_at = if end == HOLE { u64::MAX } else { end };
            head = match offset.checked_sub(head_at) {
                Some(left) => read_at(file, head_at, PRINT.min(len_of(left)))?,
                None => Vec::new(),
            };
        }
        let end = offset.min(PRINT as u64);
        let tail = read_at(file, offset - end, len_of(end))?;
        Ok(Print { offset, head_at, head, tail })
    }

    /// Whether there was nothing but zeros so far.
    pub fn is_hole(&self) -> bool {
        self.head.is_empty() && self.head_at == self.offset
    }

    /// There is nothing but zeros up to here either.
    pub fn pass_hole(&mut self, to: u64) {
        (self.head_at, self.offset) = (to, to);
        self.tail = vec![0; PRINT.min(len_of(to))];
    }

    /// Whether a file holds what was read, at the same place.
    pub fn is_in(&self, file: &mut File) -> bool {
        self.check(file).unwrap_or(false)
    }

    /// Whether a file of `len` bytes is a part of what was read: it begins so, and is not longer.
    pub fn covers(&self, file: &mut File, len: u64) -> bool {
        let known = len.saturating_sub(self.head_at).min(self.head.len() as u64);
        let head = &self.head[..len_of(known)];
        known >= TELLS
            && len <= self.offset
            && read_at(file, self.head_at, head.len()).is_ok_and(|h| h == head)
    }

    /// Whether it is enough to recognise a file by: of holes and short beginnings there are many.
    pub fn tells(&self) -> bool {
        let text = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != 0).count() as u64;
        self.head.len() as u64 >= TELLS || text(&self.tail) >= TELLS
    }

    /// Whether it is of the same beginning, and as long or longer.
    pub fn includes(&self, other: &Print) -> bool {
        let known = self.head.len().min(other.head.len());
        known as u64 >= TELLS
            && self.head_at == other.head_at
            && self.head[..known] == other.head[..known]
            && self.offset >= other.offset
    }

    pub fn check(&self, file: &mut File) -> io::Result<bool> {
        Ok(file.metadata()?.len() >= self.offset
            && (self.head.is_empty() || read_at(file, self.head_at, self.head.len())? == self.head)
            && read_at(file, self.offset - self.tail.len() as u64, self.tail.len())? == self.tail)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        // The head is only known while everything before it was read.
        if self.head_at.saturating_add(self.head.len() as u64) == self.offset {
            let zeros =
                if self.head.is_empty() { bytes.iter().take_while(|byte| **byte == 0).count() } else { 0 };
            self.head_at += zeros as u64;
            let room = PRINT - self.head.len();
            self.head.extend(bytes[zeros..].iter().take(room));
        }
        self.offset += bytes.len() as u64;
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(PRINT)..]);
        let surplus = self.tail.len().saturating_sub(PRINT);
        self.tail.drain(..surplus);
    }
}
