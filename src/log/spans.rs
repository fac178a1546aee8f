//! The records of one stream of bytes, through one buffer that is used again and again: a file of any size and lines of any
//! length need the same memory. Called by `log::parse` and `pcm log`.
//!
//! Of a line longer than [`LONG`] its beginning and its end are kept; what is between is searched before it is let go.

use super::encoding::Decoding;
use super::scan::{Next, RECORD_BYTES, Scanner, Span, start_of};
use super::search::{Lost, Watch};
use std::io::{self, Read};

/// A longer line loses its middle.
pub const LONG: usize = 768 * 1024;
/// More than is shown of any line.
const HEAD: usize = 72 * 1024;
/// More than the attributes of format E, and than what a search finds across two pieces.
const TAIL: usize = 64 * 1024;
/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// What is missing of the line that the buffer begins with.
#[derive(Debug, Clone, Copy)]
struct Hole {
    at: usize,
    bytes: u64,
    /// What of that which is searched for stands in it.
    lost: Lost,
}

/// Bytes in, records out.
pub struct Spans {
    buffer: Vec<u8>,
    /// Up to here it is filled.
    end: usize,
    /// From here on nothing was given out yet.
    at: usize,
    /// Up to here nothing is that is looked for.
    looked: usize,
    scanner: Scanner,
    decoding: Decoding,
    hole: Option<Hole>,
    /// What is looked for in lines too long to be kept.
    watch: Option<Watch>,
    piece: usize,
    /// Bytes that the buffer does not begin with any more.
    gone: u64,
    /// Ends of lines before `counted`; none are counted before the first question.
    lines: u64,
    counted: usize,
    counts: bool,
    whole: bool,
}

impl Spans {
    /// Of a file that is read from its beginning. `watch` is looked for in lines that are too long to be kept.
    pub fn new(watch: Option<Watch>, counts_lines: bool) -> Spans {
        Spans {
            buffer: Vec::new(),
            end: 0,
            at: 0,
            looked: 0,
            scanner: Scanner { at_start: true },
            decoding: Decoding::new(),
            hole: None,
            watch,
            piece: PIECE,
            gone: 0,
            lines: 0,
            counted: 0,
            counts: counts_lines,
            whole: false,
        }
    }

    /// Of bytes from the middle of a file that begins with `head`.
    pub fn within(head: &[u8], lines_before: u64) -> Spans {
        let mut spans = Spans::new(None, true);
        spans.decoding = Decoding::of(head);
        spans.lines = lines_before;
        spans
    }

    /// Looks for this in lines that are too long to be kept.
    pub fn watching(mut self, watch: Option<Watch>) -> Spans {
        self.watch = watch;
        self
    }

    /// What comes begins with a record, not with the rest of one.
    pub fn at_a_record(mut self) -> Spans {
        self.scanner.at_start = false;
        self
    }

    /// The same for one that is in use.
    pub fn begins_with_a_record(&mut self) {
        self.scanner.at_start = false;
    }

    /// How many bytes were before this one, of those that were pushed or what they were decoded to.
    pub fn offset(&self, at: usize) -> u64 {
        let missing = self.hole.filter(|hole| hole.at < at).map_or(0, |hole| hole.bytes);
        self.gone + at as u64 + missing
    }

    /// The same of the first byte of a record that is more than the end of a line: in whatever pieces bytes come, it is one.
    pub fn begin(&self, span: &Span) -> u64 {
        let ends = self.buffer[span.at.clone()].iter().take_while(|b| b"\0\r\n".contains(b)).count();
        self.offset(span.at.start + ends)
    }

    /// How many bytes were before those that were not given out yet, as [`Spans::offset`]; None where they are no bytes of a
    /// file because they were decoded.
    pub fn given_of_file(&self) -> Option<u64> {
        self.decoding.is_plain().then(|| self.given())
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.at == self.end
    }

    /// Nothing but zeros is held, which no record begins with.
    pub fn holds_no_text(&self) -> bool {
        self.hole.is_none() && self.buffer[self.at..self.end].iter().all(|byte| *byte == 0)
    }

    /// Reads so much at once at most, for one of many.
    pub fn in_pieces_of(mut self, bytes: usize) -> Spans {
        self.piece = bytes.clamp(16 * 1024, PIECE);
        self
    }

    /// What the ranges of records are ranges of.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Reads the next piece. `false`: there is no more.
    ///
    /// # Errors
    /// What the source says.
    pub fn read(&mut self, source: &mut impl Read) -> io::Result<bool> {
        if self.whole {
            return Ok(false);
        }
        if self.decoding.is_plain() {
            self.make_room(self.piece);
            let n = retried(source, &mut self.buffer[self.end..])?;
            self.end += n;
            self.whole = n == 0;
        } else {
            let mut piece = vec![0; self.piece / 4];
            let n = retried(source, &mut piece)?;
            self.push(&piece[..n], n == 0);
        }
        Ok(!self.whole)
    }

    /// Takes up to `most` bytes that `read` finds now; how many those were. None says nothing of what may come later.
    ///
    /// # Errors
    /// What the source says.
    pub fn fill(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.make_room(most);
        let n = read(&mut self.buffer[self.end..self.end + most])?.min(most);
        self.end += n;
        Ok(n)
    }

    /// No more will come.
    pub fn no_more(&mut self) {
        self.whole = true;
    }

    /// Begins anew at a record that stands so far into a text that is taken as it is; the buffer is used again. `lines`:
    /// ends of lines before it, where they are to be counted.
    pub fn restart(&mut self, gone: u64, at_start: bool, lines: Option<u64>, watch: Option<Watch>) {
        *self = Spans {
            buffer: std::mem::take(&mut self.buffer),
            scanner: Scanner { at_start },
            decoding: Decoding::Plain,
            gone,
            lines: lines.unwrap_or(0),
            piece: self.piece,
            ..Spans::new(watch, lines.is_some())
        };
    }

    /// How many bytes were before what was not given out yet.
    pub fn given(&self) -> u64 {
        self.offset(self.at)
    }

    /// How many ends of lines are in all that was read.
    pub fn ends_of_lines(&self) -> u64 {
        let more = self.buffer.get(self.counted..self.end).unwrap_or_default();
        self.lines + memchr::memchr_iter(b'\n', more).count() as u64
    }

    /// The records among what is held, as if nothing more came. None of them is given out by that.
    pub fn standing(&self, mut each: impl FnMut(&Span)) {
        let (mut scanner, mut at) = (self.scanner.clone(), self.at);
        while let Next::Span(span) = scanner.next(&self.buffer[..self.end], at, true) {
            at = span.at.end;
            each(&span);
        }
    }

    /// Takes the next bytes. `last`: no more will come.
    pub fn push(&mut self, bytes: &[u8], last: bool) {
        self.whole = last;
        if self.decoding.is_plain() {
            self.take(bytes);
            return;
        }
        let mut decoded = Vec::new();
        self.decoding.push(bytes, last, &mut decoded);
        self.take(&decoded);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Nothing more may come: decides how the file is written, by however little there is.
    pub fn decide(&mut self) {
        let mut decoded = Vec::new();
        self.decoding.decide(&mut decoded);
        self.take(&decoded);
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next record that is whole, or with `whole` the next one as far as it goes.
    pub fn next(&mut self, whole: bool) -> Option<Span> {
        let whole = whole || self.whole;
        match self.scanner.next(&self.buffer[..self.end], self.at, whole) {
            Next::Span(span) => {
                self.at = span.at.end;
                Some(span)
            }
            Next::More(at) => {
                self.at = at;
                None
            }
        }
    }

    /// The next record of those among the lines that are whole, though more may come: without an open one of format E.
    pub fn next_as_it_stands(&mut self) -> Option<Span> {
        let span = self.as_it_stands(self.at)?;
        self.scanner.at_start = false;
        self.at = span.at.end;
        Some(span)
    }

    /// The same that begins there, and is not given out by that.
    pub fn as_it_stands(&self, from: usize) -> Option<Span> {
        let bytes = &self.buffer[self.at..self.end];
        let end = self.at + memchr::memrchr2(b'\n', b'\r', bytes).map_or(0, |at| at + 1);
        let at_start = self.scanner.at_start && from == self.at;
        match (Scanner { at_start }).next(&self.buffer[..end.max(from)], from, true) {
            Next::Span(span) if !span.is_open() => Some(span),
            Next::Span(_) | Next::More(_) => None,
        }
    }

    /// Where the first record would be that was not given out yet.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The newest line as it stands, if it has no end: a prompt, a progress bar. What comes to it later is a line of its own.
    /// Not where more than words may come of it: half a record of format E, half a time.
    pub fn unfinished(&mut self) -> Option<Span> {
        let line = &self.buffer[self.at..self.end];
        let words = line.iter().find(|b| **b > b' ').is_some_and(|first| !b"<[0123456789".contains(first));
        if !words || line.contains(&0) || memchr::memmem::find(line, b"$$<").is_some() {
            return None;
        }
        let span = self.scanner.clone().next(&self.buffer[..self.end], self.at, true);
        let Next::Span(span) = span else { return None };
        if span.is_open() || span.at.end != self.end {
            return None;
        }
        self.scanner.at_start = false;
        self.at = self.end;
        Some(span)
    }

    /// The next record that may be one that is looked for. `find` says where in some bytes the first such place is; what
    /// is before it is skipped.
    pub fn next_of(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> Option<Span> {
        let bytes = &self.buffer[..self.end];
        if self.hole.is_some_and(|hole| hole.lost.found != 0) {
            // What was found is not among the bytes any more.
            return self.next(self.whole);
        }
        let from = self.at.max(self.looked);
        let Some(place) = find(&bytes[from..]).map(|at| from + at) else {
            // It may begin in the last line, and that line may belong to a record above it.
            let last = memchr::memrchr2(b'\n', b'\r', &bytes[from..]).map_or(from, |at| from + at + 1);
            self.looked = last;
            if self.whole {
                self.skip_to(self.end);
            } else if self.end > self.at && !self.may_be_cut_at(last) {
                let at = start_of(bytes, self.at, last.min(self.end - 1));
                self.skip_to(at);
            }
            return None;
        };
        if !self.may_be_cut_at(place) {
            let start = start_of(bytes, self.at, place);
            self.skip_to(start);
        }
        while let Some(span) = self.next(self.whole) {
            if span.at.end > place {
                self.looked = span.at.end;
                return Some(span);
            }
        }
        self.looked = place.max(self.at);
        None
    }

    /// Whether a record that was cut at the beginning of the file may reach so far: then nothing is skipped.
    fn may_be_cut_at(&self, place: usize) -> bool {
        self.scanner.at_start && place - self.at <= RECORD_BYTES
    }

    fn skip_to(&mut self, at: usize) {
        if at > self.at {
            self.scanner.at_start = false;
            self.at = at;
        }
    }

    /// How many bytes of the text of a record are not among those that are kept, and what of that which is watched for is
    /// there.
    pub fn missing(&self, span: &Span) -> (u64, Lost) {
        match self.hole {
            Some(hole) if span.at.contains(&hole.at) => (hole.bytes, Lost { at: Some(hole.at), ..hole.lost }),
            _ => (0, Lost::default()),
        }
    }

    /// The line that a record begins on, from 1; 0 where lines are not counted.
    pub fn line(&mut self, span: &Span) -> u64 {
        if !self.counts {
            return 0;
        }
        self.count_up_to(span.at.start);
        self.lines + 1
    }

    /// Lines are not those of the file any more.
    pub fn forget_lines(&mut self) {
        self.counts = false;
    }

    fn count_up_to(&mut self, at: usize) {
        if self.counts && at > self.counted {
            self.lines += memchr::memchr_iter(b'\n', &self.buffer[self.counted..at]).count() as u64;
            self.counted = at;
        }
    }

    /// Room for so many more bytes behind those that are needed.
    fn make_room(&mut self, more: usize) {
        if let Some(hole) = self.hole.filter(|hole| hole.at < self.at) {
            self.gone += hole.bytes;
            self.hole = None;
        }
        if self.end - self.at > LONG {
            self.cut_the_middle();
        }
        if self.buffer.len() - self.end < more {
            self.count_up_to(self.at);
            self.buffer.copy_within(self.at..self.end, 0);
            let moved = self.at;
            self.gone += moved as u64;
            (self.at, self.end) = (0, self.end - moved);
            (self.looked, self.counted) =
                (self.looked.saturating_sub(moved), self.counted.saturating_sub(moved));
            if let Some(hole) = &mut self.hole {
                hole.at -= moved;
            }
            if self.buffer.len() - self.end < more {
                let size = (self.end + more).next_multiple_of(4096);
                self.buffer.reserve_exact(size - self.buffer.len());
                self.buffer.resize(size, 0);
            }
        }
    }

    /// Where the text of the line begins that is too long.
    fn text_of_long_line(&self) -> usize {
        let bytes = &self.buffer[..self.at + HEAD];
        last_line(bytes, self.scanner.clone(), self.at).unwrap_or(self.at)
    }

    /// Lets go what is between the beginning and the end of a line that is too long.
    fn cut_the_middle(&mut self) {
        let (from, to) = (self.at + HEAD, self.end - TAIL);
        // Only of the text at the beginning of a line something can stand at the beginning.
        let line = if self.hole.is_some() { self.at } else { self.text_of_long_line() };
        let searched = if self.hole.is_some() { from - line } else { 0 };
        let mut lost = self.hole.map_or(Lost::default(), |hole| hole.lost);
        for (n, search) in self.watch.iter().flat_map(|watch| watch.iter()).enumerate() {
            if search.is_within(&self.buffer[line..self.end], searched, false) {
                lost.add(n);
            }
        }
        self.count_up_to(to);
        self.counted = self.counted.max(to);
        self.buffer.copy_within(to..self.end, from);
        let gone = to - from;
        self.end -= gone;
        self.looked = self.looked.saturating_sub(gone).max(self.at);
        self.counted -= gone;
        let before = self.hole.map_or(0, |hole| hole.bytes);
        self.hole = Some(Hole { at: from, bytes: before + gone as u64, lost });
    }
}

/// Where the last line of a record begins that is told so far, without what stands before its text.
fn last_line(bytes: &[u8], mut scanner: Scanner, at: usize) -> Option<usize> {
    let Next::Span(span) = scanner.next(bytes, at, true) else { return None };
    let mut last = None;
    span.any_line(bytes, |line| {
        last = line.as_ptr().addr().checked_sub(bytes.as_ptr().addr());
        false
    });
    last
}

fn retried(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
