//! Where the last records of a file begin, found from its end.

use super::encoding::{Decoding, TELLING};
use super::scan::start_of;
use super::spans::Spans;
use std::io::{self, Read, Seek, SeekFrom};

/// Further back it is as well to read from the beginning.
const FURTHEST: u64 = 4 << 20;

/// A place from which at least `last` records follow and where one begins. `None`: that is the beginning of the file, or too
/// far from its end, or not to be found from there.
///
/// # Errors
/// What the file says.
pub fn place_of(file: &mut (impl Read + Seek), last: usize) -> io::Result<Option<u64>> {
    let len = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, TELLING as u64)?;
    if !Decoding::of(&head).is_plain() {
        return Ok(None);
    }
    let mut reach = (last as u64).saturating_mul(512).max(64 * 1024);
    while reach < len && reach <= FURTHEST {
        let base = len - reach;
        let bytes = read_at(file, base, reach)?;
        let start = start_of(&bytes, 0, bytes.len() / 2);
        if start > 0 && records(&bytes[start..], last) == last {
            return Ok(Some(base + start as u64));
        }
        reach *= 4;
    }
    Ok(None)
}

/// How many records these bytes hold, counted up to `most`.
fn records(bytes: &[u8], most: usize) -> usize {
    let mut spans = Spans::within(&[b' '; 2], 0).at_a_record();
    let mut count = 0;
    for piece in bytes.chunks(64 * 1024) {
        spans.push(piece, false);
        while count < most && spans.next(false).is_some() {
            count += 1;
        }
    }
    count
}

/// Up to so many bytes from a place on; fewer at the end of the file.
pub(super) fn read_at(file: &mut (impl Read + Seek), at: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}
