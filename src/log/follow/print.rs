//! What a file is recognised by, also under another name, in a copy, or after it was written over.

use super::cursor::{len_of, read_at};
use crate::host::tail;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;

/// How much of the beginning and of the end of what was read is remembered.
pub const PRINT: usize = 1024;
/// A beginning of fewer bytes than these may be that of many files.
const TELLS: u64 = 64;
/// The hole that a writer leaves which does not append is a hole in the log and zeros in its copy: so many of them are looked
/// over for what stands behind them.
const ZEROS: u64 = 64 << 20;
/// Between both ends so many places are remembered at most, evenly, and those at powers of two: what begins like this and is
/// shorter ends elsewhere.
const PLACES: usize = 16;
/// They are not nearer to each other than this.
const NEAREST: u64 = PRINT as u64;

/// What a file is recognised by: how much of it was read, both ends of that, and places between them.
#[derive(Debug, Clone, Default)]
pub struct Print {
    /// Bytes read.
    pub offset: u64,
    /// Where the first byte is that is not zero: all holes look alike. So many bytes as were read if none was found, and
    /// `u64::MAX` if that is not known.
    head_at: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Where each of the places between ends, and the hash of the kilobyte before it.
    places: Vec<(u64, u64)>,
}

impl Print {
    /// Of the first `offset` bytes of a file.
    pub fn of(file: &mut File, offset: u64) -> io::Result<Print> {
        let mut head = read_at(file, 0, PRINT.min(len_of(offset)))?;
        let mut head_at = 0;
        if head.first() == Some(&0) {
            head_at = end_of_zeros(file, offset)?.unwrap_or(u64::MAX);
            head = match offset.checked_sub(head_at) {
                Some(left) => read_at(file, head_at, PRINT.min(len_of(left)))?,
                None => Vec::new(),
            };
        }
        let end = offset.min(PRINT as u64);
        let tail = read_at(file, offset - end, len_of(end))?;
        let mut print = Print { offset, head_at, head, tail, places: Vec::new() };
        let mut at = print.place_after(0);
        while at <= offset {
            if at > head_at {
                print.places.push((at, hash(&read_at(file, at - PRINT as u64, PRINT)?)));
            }
            at = print.place_after(at);
        }
        Ok(print)
    }

    /// How far the places are from each other that are as far from each other.
    fn apart(&self) -> u64 {
        let least = (self.offset / PLACES as u64).max(NEAREST);
        least.checked_next_power_of_two().unwrap_or(1 << 63)
    }

    /// Where the next place ends.
    fn place_after(&self, at: u64) -> u64 {
        let apart = self.apart();
        let even = (at - at % apart).saturating_add(apart);
        let double = (at + 1).checked_next_power_of_two().unwrap_or(u64::MAX);
        even.min(double.max(NEAREST))
    }

    /// Whether there was nothing but zeros so far.
    pub fn is_hole(&self) -> bool {
        self.head.is_empty() && self.head_at == self.offset
    }

    /// There is nothing but zeros up to here either.
    fn pass_hole(&mut self, to: u64) {
        (self.head_at, self.offset) = (to, to);
        self.tail = vec![0; PRINT.min(len_of(to))];
    }

    /// A hole is behind what was read, up to here.
    pub fn skip_hole(&mut self, to: u64) {
        if self.is_hole() {
            return self.pass_hole(to);
        }
        self.offset = to;
        self.tail = vec![0; PRINT];
        self.thin_out();
    }

    /// Whether what was read ends with zeros, as far as that is remembered.
    pub fn ends_with_zeros(&self) -> bool {
        self.tail.len() == PRINT && self.tail.iter().all(|byte| *byte == 0)
    }

    /// Whether a file holds what was read, at the same place.
    pub fn is_in(&self, file: &mut File) -> bool {
        self.check(file).unwrap_or(false)
    }

    /// Whether a file of `len` bytes is a part of what was read: it begins so, goes on so, and is not longer.
    pub fn covers(&self, file: &mut File, len: u64) -> bool {
        let known = len.saturating_sub(self.head_at).min(self.head.len() as u64);
        if known < TELLS || len > self.offset {
            return false;
        }
        let mut holds =
            |at: u64, bytes: &[u8]| read_at(file, at, bytes.len()).is_ok_and(|read| read == bytes);
        // Logs of one program often begin alike: what a part ends with has to be the same as well.
        let tail_at = self.offset - self.tail.len() as u64;
        let tail = &self.tail[..len_of(len.saturating_sub(tail_at))];
        if !holds(self.head_at, &self.head[..len_of(known)]) || !holds(tail_at, tail) {
            return false;
        }
        let place = |(at, known): &(u64, u64)| {
            read_at(file, at - PRINT as u64, PRINT).is_ok_and(|read| hash(&read) == *known)
        };
        self.places.iter().filter(|(at, _)| *at <= len).all(place)
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
            && self
                .places
                .iter()
                .all(|(at, known)| other.places.iter().all(|(other, hash)| other != at || hash == known))
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
        let before = self.offset;
        self.offset += bytes.len() as u64;
        self.thin_out();
        let mut at = self.place_after(before);
        while at <= self.offset {
            // What is before it may be of an earlier piece.
            let here = &bytes[..len_of(at - before)];
            let rest = self.tail.len().min(PRINT.saturating_sub(here.len()));
            let mut last = self.tail[self.tail.len() - rest..].to_vec();
            last.extend_from_slice(&here[here.len().saturating_sub(PRINT)..]);
            if at > self.head_at {
                self.places.push((at, hash(&last)));
            }
            at = self.place_after(at);
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(PRINT)..]);
        let surplus = self.tail.len().saturating_sub(PRINT);
        self.tail.drain(..surplus);
    }

    /// Of more and more bytes there are never more places.
    fn thin_out(&mut self) {
        let apart = self.apart();
        self.places.retain(|(at, _)| at.is_multiple_of(apart) || at.is_power_of_two());
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Where the first byte of a file is that is not zero; `end` if none is before that, None where it is not found soon.
fn end_of_zeros(file: &mut File, end: u64) -> io::Result<Option<u64>> {
    let (mut at, mut read) = (0, 0);
    while at < end {
        match tail::data_at(file, at)? {
            None => return Ok(Some(end)),
            Some(data) => at = data,
        }
        let bytes = read_at(file, at, len_of(end.saturating_sub(at)).min(64 * 1024))?;
        if let Some(found) = bytes.iter().position(|byte| *byte != 0) {
            return Ok(Some(at + found as u64));
        }
        (at, read) = (at + bytes.len() as u64, read + bytes.len() as u64);
        if bytes.is_empty() {
            break;
        }
        if read >= ZEROS {
            return Ok(None);
        }
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn text(lines: std::ops::Range<usize>) -> Vec<u8> {
        lines.flat_map(|n| format!("{n:07} is what this line says\n").into_bytes()).collect()
    }

    /// Of a file of these bytes, read in pieces of this size.
    fn read(bytes: &[u8], piece: usize) -> Print {
        let mut print = Print::default();
        bytes.chunks(piece).for_each(|piece| print.add(piece));
        print
    }

    #[test]
    fn what_is_read_in_pieces_has_the_same_print_as_what_is_read_at_once() {
        for len in [100, 4_096, 40_000, 65_536, 700_000] {
            let bytes = text(0..50_000)[..len].to_vec();
            let of = Print::of(&mut file(&bytes), len as u64).unwrap();
            for piece in [1_000, 4_096, 65_536] {
                let read = read(&bytes, piece);
                assert_eq!((read.offset, &read.head, &read.tail), (of.offset, &of.head, &of.tail));
                let kept: Vec<_> = read.places.iter().filter(|place| of.places.contains(place)).collect();
                assert_eq!(kept.len(), of.places.len(), "{len} in pieces of {piece}");
                assert_eq!(read.places.len(), of.places.len());
            }
        }
    }

    #[test]
    fn a_part_is_known_by_its_end_as_well() {
        let banner = "=".repeat(2_000).into_bytes();
        let ours = [&banner[..], &text(0..20_000)].concat();
        let print = read(&ours, 65_536);
        for len in [2_500, 30_000, 300_000, ours.len() - 300, ours.len()] {
            assert!(print.covers(&mut file(&ours[..len]), len as u64), "{len}");
        }
        let others = [&banner[..], &text(50_000..70_000)].concat();
        for len in [3_500, 9_000, 300_000, others.len() - 300, others.len()] {
            assert!(!print.covers(&mut file(&others[..len]), len as u64), "{len}");
        }
        // The same up to shortly before its end.
        let mut other = ours.clone();
        let end = other.len();
        other[end - 100] ^= 1;
        assert!(!print.covers(&mut file(&other), end as u64));
        assert!(!print.covers(&mut file(&[&ours[..], b"more"].concat()), end as u64 + 4));
    }

    #[test]
    fn behind_a_hole_of_any_length_a_file_is_recognised() {
        for (hole, sparse) in [(500, false), (100_000, false), (100_000, true), (3 << 30, true)] {
            let mut log = tempfile::tempfile().unwrap();
            let ours = text(0..100);
            if sparse {
                log.seek(SeekFrom::Start(hole)).unwrap();
            } else {
                log.write_all(&vec![0; len_of(hole)]).unwrap();
            }
            log.write_all(&ours).unwrap();
            let len = hole + ours.len() as u64;
            let print = Print::of(&mut log, len).unwrap();
            assert_eq!((print.head_at, print.tells()), (hole, true));
            assert!(print.covers(&mut log, len) && print.covers(&mut log, hole + 500));
            assert!(print.is_in(&mut log));
        }
        let mut nothing = tempfile::tempfile().unwrap();
        nothing.set_len(1 << 40).unwrap();
        let print = Print::of(&mut nothing, 1 << 40).unwrap();
        assert!(print.is_hole() && !print.tells());
    }
}
