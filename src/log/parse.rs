//! Bytes of one log file in, records out. Knows no file and no clock: `log::follow` and `pcm log` push what they read.
//! Bounded: a line is kept up to [`LINE_MAX`] bytes, a record up to [`RECORD_LINES`] lines and [`RECORD_BYTES`] bytes;
//! what is longer goes on in a further record, so that nothing is hidden.

use super::formats::{self, CLOSER, OPENER, Stamp, Tail};
use super::{Level, Record, Zoned};
use crate::clock::Wall;
use crate::text::SafeText;

/// A longer line loses its middle: its beginning is the text, its end may hold the time.
pub const LINE_MAX: usize = 256 * 1024;
/// Further lines of a record begin a new one.
pub const RECORD_LINES: usize = 1000;
/// Further bytes of a record begin a new one.
pub const RECORD_BYTES: usize = 256 * 1024;

const HEAD_KEPT: usize = 64 * 1024;
const TAIL_KEPT: usize = 8 * 1024;

/// The parser of one file. The same bytes give the same records, in whatever pieces they are pushed.
pub struct Parser {
    file: SafeText,
    zone: Zoned,
    /// The line being read, from 1; 0 as long as line numbers are not known.
    line: u64,
    counts_lines: bool,
    buffer: Vec<u8>,
    /// NULs of which it is not known yet whether something follows them on their line.
    nuls: usize,
    pending: Option<Pending>,
    last_time: Option<Wall>,
    /// Nothing has been made of the file yet: its beginning may be the end of a record.
    at_start: bool,
}

/// A record that may still get lines.
struct Pending {
    kind: Kind,
    line: u64,
    stamp: Stamp,
    component: SafeText,
    thread: SafeText,
    text: Vec<SafeText>,
    bytes: usize,
}

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    /// Format E, its end not seen yet.
    Open,
    /// Formats A, B, C, D, F: what follows and is nothing else belongs to it.
    Whole,
    /// Lines that are nothing, above which is nothing they could belong to. `true`: at the very beginning of the file.
    Loose(bool),
}

impl Parser {
    /// For a file that is read from its beginning. `file` is how records name it.
    pub fn new(file: SafeText, zone: Zoned) -> Self {
        Self::starting_at(file, zone, 1)
    }

    /// For a file that is read from the beginning of its line `line`; 0: line numbers are not known.
    pub fn starting_at(file: SafeText, zone: Zoned, line: u64) -> Self {
        Self {
            file,
            zone,
            line,
            counts_lines: line > 0,
            buffer: Vec::new(),
            nuls: 0,
            pending: None,
            last_time: None,
            at_start: true,
        }
    }

    /// Takes the next bytes and appends the records that are complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Record>) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.buffer(&rest[..end]);
            self.end_line(out);
            rest = &rest[end + 1..];
        }
        self.buffer(rest);
    }

    /// The record that waits for further lines, if it could stand as it is. For a reader who has seen no new bytes for a
    /// while: lines that come later then stand alone.
    pub fn flush(&mut self, out: &mut Vec<Record>) {
        if self.buffer.is_empty() && self.pending.as_ref().is_some_and(|p| p.kind != Kind::Open) {
            self.close(out);
        }
    }

    /// The end of the file: everything that is left, also half a line and a record without its end.
    pub fn finish(&mut self, out: &mut Vec<Record>) {
        if !self.buffer.is_empty() {
            self.end_line(out);
        }
        self.nuls = 0;
        self.close(out);
    }

    /// From here on records have line 0: the file is no longer the one whose lines were counted.
    pub fn forget_line_numbers(&mut self) {
        self.line = 0;
        self.counts_lines = false;
    }

    /// Bytes held at the moment: never more than a few hundred KiB.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity() + self.pending.as_ref().map_or(0, |p| p.bytes)
    }

    /// Collects a part of a line. NULs at the end of a line are padding: files that were growing when the power went
    /// have megabytes of them.
    fn buffer(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let nuls = rest.iter().take_while(|b| **b == 0).count();
            self.nuls += nuls;
            rest = &rest[nuls..];
            let text = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
            if text > 0 {
                // At the beginning of a line they are padding as well; more than a few anywhere are.
                let inner = if self.buffer.is_empty() { 0 } else { self.nuls.min(16) };
                self.append(&[0; 16][..inner]);
                self.nuls = 0;
                self.append(&rest[..text]);
                rest = &rest[text..];
            }
        }
    }

    fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = LINE_MAX - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == LINE_MAX {
                self.buffer.drain(HEAD_KEPT..LINE_MAX - TAIL_KEPT);
            }
        }
    }

    fn end_line(&mut self, out: &mut Vec<Record>) {
        let buffer = std::mem::take(&mut self.buffer);
        self.nuls = 0;
        let line = buffer.strip_suffix(b"\r").unwrap_or(&buffer);
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let mut rest = line;
        loop {
            rest = self.line(rest, out);
            if rest.is_empty() {
                break;
            }
        }
        if self.counts_lines {
            self.line += 1;
        }
        // Keep the memory for the next line, but not that of a monster.
        self.buffer = buffer;
        self.buffer.clear();
        self.buffer.shrink_to(8 * 1024);
    }

    /// Takes one line, without its end; what is returned is another record on the same line.
    fn line<'a>(&mut self, line: &'a [u8], out: &mut Vec<Record>) -> &'a [u8] {
        if let Some(body) = line.strip_prefix(OPENER) {
            self.close(out);
            if let Some(tail) = formats::find_tail(body) {
                self.complete(body, &tail, self.line, Vec::new(), out);
                return tail.rest;
            }
            self.begin(Kind::Open, Vec::new());
            self.add(body, out);
            return b"";
        }
        let open = self.pending.as_ref().is_some_and(|p| p.kind == Kind::Open);
        if has(line, CLOSER)
            && let Some(tail) = formats::find_tail(line)
        {
            // Without an opener the file was cut at its start, and what stands there is the rest of the text.
            let mut before = Vec::new();
            let mut first = self.line;
            if open || self.pending.as_ref().is_some_and(|p| p.kind == Kind::Loose(true)) {
                if let Some(pending) = self.pending.take() {
                    first = pending.line;
                    before = pending.text;
                }
            } else {
                self.close(out);
                if let Some(at) = find(line, OPENER).filter(|at| *at < tail.text_end) {
                    // The end of one record and the whole of another on one line.
                    self.loose(&line[..at], out);
                    return &line[at..];
                }
            }
            self.complete(line, &tail, first, before, out);
            return tail.rest;
        }
        match formats::one_line(line) {
            Some(found) => {
                self.close(out);
                self.begin(Kind::Whole, found.text);
                if let Some(pending) = &mut self.pending {
                    pending.stamp = found.stamp;
                    pending.component = found.component;
                    pending.thread = found.thread;
                }
            }
            None => self.loose(line, out),
        }
        b""
    }

    /// A line that begins nothing: it belongs to what is above it, or stands alone.
    fn loose(&mut self, line: &[u8], out: &mut Vec<Record>) {
        if self.pending.is_none() {
            if line.trim_ascii().is_empty() {
                return;
            }
            self.begin(Kind::Loose(self.at_start), Vec::new());
        }
        self.add(line, out);
    }

    fn begin(&mut self, kind: Kind, text: Vec<SafeText>) {
        let bytes = text.iter().map(|t| t.as_str().len()).sum();
        self.at_start = false;
        self.pending = Some(Pending {
            kind,
            line: self.line,
            stamp: Stamp::default(),
            component: SafeText::default(),
            thread: SafeText::default(),
            text,
            bytes,
        });
    }

    fn add(&mut self, line: &[u8], out: &mut Vec<Record>) {
        let text = SafeText::from_bytes(line);
        let full = |p: &Pending| p.text.len() >= RECORD_LINES || p.bytes + text.as_str().len() > RECORD_BYTES;
        if self.pending.as_ref().is_some_and(full) {
            self.close(out);
            self.begin(Kind::Loose(false), Vec::new());
        }
        if let Some(pending) = &mut self.pending {
            pending.bytes += text.as_str().len() + 24;
            pending.text.push(text);
        }
    }

    /// Gives out a record of format E. `body` is the line from after the opener, if it has one.
    fn complete(
        &mut self,
        body: &[u8],
        tail: &Tail,
        line: u64,
        mut text: Vec<SafeText>,
        out: &mut Vec<Record>,
    ) {
        self.at_start = false;
        text.push(SafeText::from_bytes(&body[..tail.text_end]));
        let (time, offset_trusted) = tail.stamp.resolve(self.zone.as_ref());
        self.give(
            Record {
                file: self.file.clone(),
                line,
                time,
                offset_trusted,
                component: tail.component.clone(),
                level: tail.level,
                thread: tail.thread.clone(),
                source: tail.source.clone(),
                text,
                time_text: tail.stamp.text.clone(),
                near: None,
            },
            out,
        );
    }

    /// Gives out what is pending, if anything is.
    fn close(&mut self, out: &mut Vec<Record>) {
        let Some(pending) = self.pending.take() else { return };
        let (time, offset_trusted) = pending.stamp.resolve(self.zone.as_ref());
        let level = match pending.kind {
            Kind::Whole => {
                pending.text.iter().map(|t| Level::of_words(t.as_str())).max().unwrap_or(Level::Info)
            }
            Kind::Open | Kind::Loose(_) => Level::Info,
        };
        self.give(
            Record {
                file: self.file.clone(),
                line: pending.line,
                time,
                offset_trusted,
                component: pending.component,
                level,
                thread: pending.thread,
                source: SafeText::default(),
                text: pending.text,
                time_text: pending.stamp.text,
                near: None,
            },
            out,
        );
    }

    fn give(&mut self, mut record: Record, out: &mut Vec<Record>) {
        while record.text.len() > 1 && record.text.last().is_some_and(SafeText::is_empty) {
            record.text.pop();
        }
        record.near = record.time.or(self.last_time);
        self.last_time = record.near;
        out.push(record);
    }
}

fn has(line: &[u8], what: &[u8]) -> bool {
    find(line, what).is_some()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
