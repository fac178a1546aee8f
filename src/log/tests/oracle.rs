//! An independent reader of whole lines, which pushes them through states and copies all that it keeps: what `log::scan`
//! finds by ranges has to be the same. It knows neither long records, CR alone nor runs of NULs.

use crate::clock::Wall;
use crate::log::encoding::readable;
use crate::log::formats::{self, CLOSER, OPENER, Stamp, Tail, thread_in_decimal};
use crate::log::scan::words;
use crate::log::{Level, Record, Zoned};
use crate::text::SafeText;

/// The parser of one file. The same bytes give the same records, in whatever pieces they are pushed.
pub struct Oracle {
    file: SafeText,
    zone: Zoned,
    /// The line being read, from 1; 0 as long as line numbers are not known.
    line: u64,
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
    time_text: SafeText,
    component: SafeText,
    thread: SafeText,
    text: Vec<SafeText>,
    /// What its words say, as they were written: made safe, a byte that is no text may look like a word.
    words: Level,
    /// Of each line of a loose one; None: nothing but ASCII blanks stands there.
    lines: Vec<Option<u64>>,
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

impl Oracle {
    /// All records of a file.
    pub fn read(bytes: &[u8], file: SafeText, zone: Zoned) -> Vec<Record> {
        let mut out = Vec::new();
        let mut this = Self { file, zone, line: 1, pending: None, last_time: None, at_start: true };
        for line in bytes.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut rest = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            loop {
                rest = this.line(rest, &mut out);
                if rest.is_empty() {
                    break;
                }
            }
            this.line += 1;
        }
        this.close(&mut out);
        out
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
                let text = found.lines().iter().map(|l| SafeText::from_bytes(&readable(l))).collect();
                self.begin(Kind::Whole, text);
                let level = found.lines().iter().map(|l| words(l)).max();
                if let Some(pending) = &mut self.pending {
                    pending.words = level.unwrap_or(Level::Info);
                    pending.stamp = found.stamp;
                    pending.time_text = SafeText::from_bytes(found.time.trim_ascii());
                    pending.component = SafeText::from_bytes(&readable(found.component));
                    pending.thread = thread_in_decimal(found.thread);
                }
            }
            None => self.loose(line, out),
        }
        b""
    }

    /// A line that begins nothing: it belongs to what is above it, or stands alone.
    fn loose(&mut self, line: &[u8], out: &mut Vec<Record>) {
        if self.pending.as_ref().is_some_and(|p| p.kind == Kind::Loose(false)) {
            self.close(out);
        }
        if self.pending.is_none() {
            if line.trim_ascii().is_empty() {
                return;
            }
            self.begin(Kind::Loose(self.at_start), Vec::new());
        }
        self.add(line, out);
    }

    fn begin(&mut self, kind: Kind, text: Vec<SafeText>) {
        self.at_start = false;
        self.pending = Some(Pending {
            kind,
            line: self.line,
            stamp: Stamp::default(),
            time_text: SafeText::default(),
            component: SafeText::default(),
            thread: SafeText::default(),
            text,
            words: Level::Info,
            lines: Vec::new(),
        });
    }

    fn add(&mut self, line: &[u8], _: &mut Vec<Record>) {
        if let Some(pending) = &mut self.pending {
            pending.text.push(SafeText::from_bytes(&readable(line)));
            pending.words = pending.words.max(words(line));
            pending.lines.push((!line.trim_ascii().is_empty()).then_some(self.line));
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
        text.push(SafeText::from_bytes(&readable(&body[..tail.text_end])));
        let (time, offset_trusted) = tail.stamp().resolve(self.zone.as_ref());
        self.give(
            Record {
                file: self.file.clone(),
                line,
                time,
                offset_trusted,
                component: SafeText::from_bytes(&readable(tail.component)),
                level: tail.level,
                thread: SafeText::from_bytes(tail.thread),
                source: SafeText::from_bytes(&readable(tail.source)),
                text,
                time_text: SafeText::from_bytes([tail.date, b" ", tail.time].concat().trim_ascii()),
                near: None,
                at: None,
            },
            out,
        );
    }

    /// Gives out what is pending, if anything is.
    fn close(&mut self, out: &mut Vec<Record>) {
        let Some(mut pending) = self.pending.take() else { return };
        if pending.kind == Kind::Loose(true) {
            // No end of a record followed: each line stands alone.
            pending.kind = Kind::Loose(false);
            let lines = std::mem::take(&mut pending.lines).into_iter().zip(std::mem::take(&mut pending.text));
            for (line, text) in lines.filter_map(|(line, text)| Some((line?, text))).collect::<Vec<_>>() {
                self.begin(Kind::Loose(false), vec![text]);
                if let Some(pending) = &mut self.pending {
                    pending.line = line;
                }
                self.close(out);
            }
            return;
        }
        let (time, offset_trusted) = pending.stamp.resolve(self.zone.as_ref());
        let level = match pending.kind {
            Kind::Whole => pending.words,
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
                time_text: pending.time_text,
                near: None,
                at: None,
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
