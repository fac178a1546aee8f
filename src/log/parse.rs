//! Bytes of one log file in, records out, as they come. Knows no file and no clock: `log::follow` pushes what it reads.
//! Bounded as `log::spans` and `log::scan` are.

use super::batch::Batch;
use super::scan::Span;
use super::spans::Spans;
use super::{Record, Zoned};
use crate::clock::Wall;
use crate::text::SafeText;

/// How much is pushed at once.
const PIECE: usize = 64 * 1024;

/// The parser of one file. The same bytes give the same records, in whatever pieces they are pushed.
pub struct Parser {
    file: SafeText,
    zone: Zoned,
    spans: Spans,
    /// Where in the file the first byte stood that was pushed; added without a carry, since a file may be cut at its end.
    base: u64,
    last_time: Option<Wall>,
}

impl Parser {
    /// For a file that is read from its beginning. `file` is how records name it.
    pub fn new(file: SafeText, zone: Zoned) -> Self {
        Self { file, zone, spans: Spans::new(None, true), base: 0, last_time: None }
    }

    /// For a file that begins with `head` and is read from the beginning of its line `line`; 0: line numbers are not known.
    pub fn starting_at(file: SafeText, zone: Zoned, head: &[u8], line: u64) -> Self {
        if line == 1 {
            return Self::new(file, zone);
        }
        let mut spans = Spans::within(head, line.saturating_sub(1));
        if line == 0 {
            spans.forget_lines();
        }
        Self { file, zone, spans, base: 0, last_time: None }
    }

    /// The next byte that is pushed stands here in the file.
    pub fn goes_on_at(&mut self, at: u64) {
        self.base = at.wrapping_sub(self.spans.given_of_file().unwrap_or(0));
    }

    /// Nothing but zeros is held back.
    pub fn holds_no_text(&self) -> bool {
        self.spans.holds_no_text()
    }

    /// So many zeros are not pushed: there is a hole in the file. Whoever holds text gives it out first, which has another place.
    pub fn skips(&mut self, zeros: u64) {
        self.base = self.base.wrapping_add(zeros);
    }

    /// What is pushed next begins with a record, not with the rest of one.
    pub fn begins_with_a_record(&mut self) {
        self.spans.begins_with_a_record();
    }

    /// Everything before this byte of the file was given out; None where that is not known.
    pub fn position(&self) -> Option<u64> {
        Some(self.base.wrapping_add(self.spans.given_of_file()?))
    }

    /// Nothing is held back.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes the next bytes and appends the records that are complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Record>) {
        for piece in bytes.chunks(PIECE) {
            self.spans.push(piece, false);
            while let Some(span) = self.spans.next(false) {
                self.give(&span, out);
            }
        }
    }

    /// The same, leaving the records as they stand.
    pub fn push_raw(&mut self, bytes: &[u8]) -> Batch {
        let mut batch = Batch::new(self.file.clone(), self.zone.clone(), self.last_time);
        for piece in bytes.chunks(PIECE) {
            self.spans.push(piece, false);
            let (from, plain) = (batch.len(), self.spans.given_of_file().is_some());
            while let Some(span) = self.spans.next(false) {
                let line = self.spans.line(&span);
                let missing = self.spans.missing(&span).0;
                let at = plain.then(|| self.base.wrapping_add(self.spans.begin(&span)));
                batch.add(span, line, at, missing);
            }
            batch.keep(from, self.spans.bytes());
        }
        self.last_time = batch.ends();
        batch
    }

    /// The records that wait for further lines, if they could stand as they are. For a reader who has seen no new bytes for a
    /// while: lines that come later then stand alone. A line that has no end yet stays.
    pub fn flush(&mut self, out: &mut Vec<Record>) {
        while let Some(span) = self.spans.next_as_it_stands() {
            self.give(&span, out);
        }
    }

    /// What [`Parser::flush`] would give out now; lines are not counted.
    pub fn standing(&self) -> Vec<Record> {
        let (mut records, mut at, mut near) = (Vec::new(), self.spans.at(), self.last_time);
        while let Some(span) = self.spans.as_it_stands(at) {
            let missing = self.spans.missing(&span).0;
            let mut record = Record::of(&span, self.spans.bytes(), missing, &self.file, 0, &self.zone);
            near = record.time.or(near);
            record.near = near;
            records.push(record);
            at = span.at.end;
        }
        records
    }

    /// The newest line as it stands, if it has no end and none has come for long.
    pub fn flush_line(&mut self, out: &mut Vec<Record>) {
        if let Some(span) = self.spans.unfinished() {
            self.give(&span, out);
        }
    }

    /// The end of the file: everything that is left, also half a line and a record without its end.
    pub fn finish(&mut self, out: &mut Vec<Record>) {
        self.spans.decide();
        while let Some(span) = self.spans.next(true) {
            self.give(&span, out);
        }
    }

    /// From here on records have line 0: the file is no longer the one whose lines were counted.
    pub fn forget_line_numbers(&mut self) {
        self.spans.forget_lines();
    }

    /// Bytes held at the moment: never more than a megabyte.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.spans.held()
    }

    fn give(&mut self, span: &Span, out: &mut Vec<Record>) {
        let line = self.spans.line(span);
        let missing = self.spans.missing(span).0;
        let mut record = Record::of(span, self.spans.bytes(), missing, &self.file, line, &self.zone);
        record.near = record.time.or(self.last_time);
        let plain = self.spans.given_of_file().is_some();
        record.at = plain.then(|| self.base.wrapping_add(self.spans.begin(span)));
        self.last_time = record.near;
        out.push(record);
    }
}
