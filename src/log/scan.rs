//! Where the records of a log are: ranges of bytes, nothing copied. The same bytes give the same records wherever reading
//! begins at the start of one. Knows no file and no clock; `log::spans` reads for it, `log::record` makes of a range what
//! is shown.
//!
//! A record begins at a line that a format knows. Lines that are nothing belong to the one above them, up to
//! [`RECORD_LINES`] lines and [`RECORD_BYTES`] bytes; without one above, each is a record. That is told from so much
//! above a line alone, so a search need not read what it skips.

use super::Level;
use super::encoding::readable;
use super::formats::{self, CLOSER, Line, OPENER, Stamp, Tail, thread_in_decimal};
use crate::text::{MAX_BYTES, SafeText};
use memchr::{memchr3, memmem, memrchr};
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Further lines are records of their own.
pub const RECORD_LINES: usize = 1000;
/// A line that ends further from the beginning of its record is one of its own.
pub const RECORD_BYTES: usize = 256 * 1024;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// One record as ranges of the bytes that it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// All of it, with the end of its last line.
    pub at: Range<usize>,
    /// How much it matters.
    pub level: Level,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// Format E: its text, and the attributes after the end mark.
    Cmtrace { text: Range<usize>, attributes: Range<usize> },
    /// The other formats: the first line, and where those begin that go on.
    Line { head: Range<usize>, more: usize },
    /// Format E without an end.
    Open { text: Range<usize> },
    /// Nothing that is known.
    Loose { text: Range<usize> },
}

/// What stands in a record beside its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// When, before a zone is applied.
    pub stamp: Stamp,
    /// What wrote it.
    pub component: &'a [u8],
    /// As written.
    pub thread: &'a [u8],
    thread_is_number: bool,
    /// Source file and line.
    pub source: &'a [u8],
    /// As written; format E has a date as well.
    time: (&'a [u8], &'a [u8]),
}

impl Facts<'_> {
    /// The thread in decimal where that is known.
    pub fn thread(&self) -> SafeText {
        if self.thread_is_number { thread_in_decimal(self.thread) } else { SafeText::from_bytes(self.thread) }
    }

    /// The time as it was written.
    pub fn time_text(&self) -> SafeText {
        let (date, time) = self.time;
        if date.is_empty() {
            return SafeText::from_bytes(time.trim_ascii());
        }
        SafeText::from_bytes([date, b" ", time].concat().trim_ascii())
    }
}

impl Span {
    /// What stands in it beside its text. `bytes` is what it was found in, here and below.
    pub fn facts<'a>(&self, bytes: &'a [u8]) -> Facts<'a> {
        match &self.shape {
            Shape::Cmtrace { attributes, .. } => {
                let Some(tail) = formats::attributes(&bytes[attributes.clone()], 0) else {
                    return Facts::default();
                };
                Facts {
                    stamp: tail.stamp(),
                    component: tail.component,
                    thread: tail.thread,
                    thread_is_number: false,
                    source: tail.source,
                    time: (tail.date, tail.time),
                }
            }
            Shape::Line { head, .. } => match known(&bytes[head.clone()]) {
                Some(line) => Facts {
                    stamp: line.stamp,
                    component: line.component,
                    thread: line.thread,
                    thread_is_number: true,
                    source: b"",
                    time: (b"", line.time),
                },
                None => Facts::default(),
            },
            Shape::Open { .. } | Shape::Loose { .. } => Facts::default(),
        }
    }

    /// Goes through the lines of its text until one is enough; whether one was.
    pub fn any_line<'a>(&self, bytes: &'a [u8], mut enough: impl FnMut(&'a [u8]) -> bool) -> bool {
        let rest = match &self.shape {
            Shape::Cmtrace { text, .. } | Shape::Open { text } | Shape::Loose { text } => text.clone(),
            Shape::Line { head, more } => {
                let line = known(&bytes[head.clone()]);
                if line.is_some_and(|line| line.lines().into_iter().any(&mut enough)) {
                    return true;
                }
                *more..self.at.end
            }
        };
        let bytes = &bytes[..rest.end];
        let mut at = rest.start;
        // An empty text is one empty line.
        if rest.is_empty() && !matches!(self.shape, Shape::Line { .. }) {
            return enough(&bytes[rest]);
        }
        while let Some(line) = line_at(bytes, at, true) {
            // What begins a line of the file is no mark where the text begins within one.
            let within = at == rest.start && !matches!(self.shape, Shape::Line { .. });
            let marked = within && bytes[at..line.start].ends_with(MARK);
            let start = if marked { line.start - MARK.len() } else { line.start };
            if enough(&bytes[start..line.end]) {
                return true;
            }
            at = line.next;
        }
        false
    }

    /// Its lines as they stand in the file.
    pub fn raw(&self, bytes: &[u8], missing: u64) -> Vec<SafeText> {
        let bytes = &bytes[..self.at.end];
        let (mut at, mut lines) = (self.at.start, Vec::new());
        while let Some(line) = line_at(bytes, at, true) {
            let text = &bytes[line.start..line.end];
            lines.push(SafeText::part_of(&readable(text), if text.len() > MAX_BYTES { missing } else { 0 }));
            at = line.next;
        }
        while lines.len() > 1 && lines.last().is_some_and(SafeText::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Where all that it is told from ends: behind its last byte, if another record follows on its line.
    pub(super) fn reach(&self) -> usize {
        let inner = match &self.shape {
            Shape::Cmtrace { text, attributes } => text.end.max(attributes.end),
            Shape::Line { head, more } => head.end.max(*more),
            Shape::Open { text } | Shape::Loose { text } => text.end,
        };
        self.at.end.max(inner)
    }

    /// What stood at `from` stands at `to` now.
    pub(super) fn move_to(&mut self, from: usize, to: usize) {
        let place = |at: &mut usize| *at = *at - from + to;
        let range = |of: &mut Range<usize>| {
            place(&mut of.start);
            place(&mut of.end);
        };
        range(&mut self.at);
        match &mut self.shape {
            Shape::Cmtrace { text, attributes } => {
                range(text);
                range(attributes);
            }
            Shape::Line { head, more } => {
                range(head);
                place(more);
            }
            Shape::Open { text } | Shape::Loose { text } => range(text),
        }
    }

    /// Whether more lines may become part of it.
    pub fn is_open(&self) -> bool {
        matches!(self.shape, Shape::Open { .. })
    }
}

fn known(line: &[u8]) -> Option<Line<'_>> {
    formats::one_line(line).or_else(|| formats::iso(line))
}

/// A line without what surrounds it, and where the next one begins.
#[derive(Debug, Clone, Copy)]
struct LineAt {
    start: usize,
    end: usize,
    next: usize,
}

/// The line that begins at `from`. It ends with LF, CR LF, CR alone, or a run of NULs: files that were growing when the
/// power went have megabytes of them. `None`: its end is not among these bytes, and `whole` does not say that they are all.
fn line_at(bytes: &[u8], from: usize, whole: bool) -> Option<LineAt> {
    if from >= bytes.len() {
        return None;
    }
    let nuls = bytes[from..].iter().take_while(|b| **b == 0).count();
    let start = from + nuls;
    let mut look = start;
    let (end, next) = loop {
        let Some(found) = memchr3(b'\n', b'\r', 0, &bytes[look..]) else {
            if !whole {
                return None;
            }
            break (bytes.len(), bytes.len());
        };
        let at = look + found;
        if bytes[at] == b'\n' {
            break (at, at + 1);
        }
        let run = |of: u8, from: usize| from + bytes[from..].iter().take_while(|b| **b == of).count();
        let after_nuls = if bytes[at] == 0 { run(0, at) } else { at };
        let after = run(b'\r', after_nuls);
        if after == bytes.len() && !whole {
            return None;
        }
        if bytes.get(after) == Some(&b'\n') && (after_nuls != at + 1 || after > after_nuls) {
            break (at, after + 1);
        }
        match after_nuls - at {
            0 => break (at, after),
            // A single one is part of the text.
            1 if after_nuls < bytes.len() => look = after_nuls,
            _ => break (at, after_nuls),
        }
    };
    let mut end = end;
    while end > start && bytes[end - 1] == 0 {
        end -= 1;
    }
    let start = if bytes[start..end].starts_with(MARK) { start + MARK.len() } else { start };
    Some(LineAt { start, end, next })
}

/// What a line is, told from it alone.
enum Kind<'a> {
    /// It begins a record of format E, and perhaps ends it.
    Opens(Option<Tail<'a>>),
    /// It ends one.
    Ends(Tail<'a>),
    /// It begins one of another format.
    Begins(Line<'a>),
    /// The same, unless it is within a record of format E: there such a line is text.
    Iso(Line<'a>),
    Loose,
}

fn kind(line: &[u8]) -> Kind<'_> {
    if let Some(body) = line.strip_prefix(OPENER) {
        return Kind::Opens(formats::find_tail(body));
    }
    if let Some(tail) = formats::find_tail(line) {
        return Kind::Ends(tail);
    }
    if let Some(line) = formats::one_line(line) {
        return Kind::Begins(line);
    }
    formats::iso(line).map_or(Kind::Loose, Kind::Iso)
}

/// What [`Scanner::next`] found.
pub enum Next {
    /// A record.
    Span(Span),
    /// Nothing that is whole; what stands before this place is none of a record.
    More(usize),
}

/// Finds one record after the other.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Nothing was found yet: what is at the beginning may be the end of a record.
    pub at_start: bool,
}

/// Lines after the first one of a record.
struct Gathered<'a> {
    end: usize,
    /// The line and its tail that ended a record of format E.
    closed: Option<(LineAt, Tail<'a>)>,
}

impl Scanner {
    /// The record that begins at `at`, or after the empty lines there. `whole`: no more bytes will come.
    pub fn next(&mut self, bytes: &[u8], mut at: usize, whole: bool) -> Next {
        loop {
            let Some(first) = line_at(bytes, at, whole) else {
                let nuls = bytes[at..].iter().take_while(|b| **b == 0).count();
                return Next::More(if at + nuls == bytes.len() { bytes.len() } else { at });
            };
            let line = &bytes[first.start..first.end];
            if line.trim_ascii().is_empty() {
                at = first.next;
                continue;
            }
            let found = match kind(line) {
                Kind::Opens(Some(tail)) => Some(cmtrace(at, first.start + OPENER.len(), &first, &tail)),
                Kind::Opens(None) => self.open(bytes, at, &first, whole),
                Kind::Ends(tail) => match memmem::find(&line[..tail.text_end], OPENER) {
                    Some(0) | None => Some(cmtrace(at, first.start, &first, &tail)),
                    Some(opener) if line[..opener].trim_ascii().is_empty() => {
                        at = first.start + opener;
                        continue;
                    }
                    // The end of one record and the whole of another on one line.
                    Some(opener) => Some(loose(at, first.start..first.start + opener, first.start + opener)),
                },
                Kind::Begins(head) | Kind::Iso(head) => {
                    gather(bytes, at, first.next, whole, false).map(|more| {
                        let level = words(head.text).max(words(&bytes[first.next..more.end]));
                        let shape = Shape::Line { head: first.start..first.end, more: first.next };
                        Span { at: at..more.end, level, shape }
                    })
                }
                Kind::Loose if self.at_start => self.cut_at_its_start(bytes, at, &first, whole),
                Kind::Loose => Some(loose(at, first.start..first.end, first.next)),
            };
            let Some(span) = found else { return Next::More(at) };
            self.at_start = false;
            return Next::Span(span);
        }
    }

    /// A record of format E whose end is on a later line, or was never written.
    fn open(&self, bytes: &[u8], at: usize, first: &LineAt, whole: bool) -> Option<Span> {
        let more = gather(bytes, at, first.next, whole, true)?;
        let text = first.start + OPENER.len();
        Some(match more.closed {
            Some((line, tail)) => {
                let span = cmtrace(at, text, &line, &tail);
                Span { at: at..span.at.end, ..span }
            }
            None => {
                let text = text..more.end.max(text);
                Span { at: at..more.end, level: Level::Info, shape: Shape::Open { text } }
            }
        })
    }

    /// Lines at the very beginning are the rest of a record if its end follows; else each is one.
    fn cut_at_its_start(&self, bytes: &[u8], at: usize, first: &LineAt, whole: bool) -> Option<Span> {
        let more = gather(bytes, at, first.next, whole, true)?;
        Some(match more.closed {
            Some((line, tail)) => {
                let span = cmtrace(at, first.start, &line, &tail);
                Span { at: at..span.at.end, ..span }
            }
            None => loose(at, first.start..first.end, first.next),
        })
    }
}

/// Lines that belong to the record that begins at `from`. `None`: more bytes are needed to say.
fn gather(bytes: &[u8], from: usize, next: usize, whole: bool, open: bool) -> Option<Gathered<'_>> {
    let mut at = next;
    for _ in 1..RECORD_LINES {
        // Mostly another record begins, and nothing more of its line has to be known for that.
        if !open && formats::begins_classic(&bytes[at..]) {
            break;
        }
        let Some(line) = line_at(bytes, at, whole) else {
            if !whole && bytes.len() - from <= RECORD_BYTES {
                return None;
            }
            break;
        };
        if line.next - from > RECORD_BYTES {
            break;
        }
        match kind(&bytes[line.start..line.end]) {
            Kind::Loose => {}
            Kind::Iso(_) if open => {}
            Kind::Ends(tail) if open => return Some(Gathered { end: line.next, closed: Some((line, tail)) }),
            Kind::Opens(_) | Kind::Ends(_) | Kind::Begins(_) | Kind::Iso(_) => break,
        }
        at = line.next;
    }
    Some(Gathered { end: at, closed: None })
}

/// A record of format E from `at`, whose text begins at `text` and which ends on `line`.
fn cmtrace(at: usize, text: usize, line: &LineAt, tail: &Tail) -> Span {
    let on_one_line = text >= line.start;
    let text_end = if on_one_line { text } else { line.start } + tail.text_end;
    let attributes = text_end + CLOSER.len()..line.end;
    let end = if tail.rest.is_empty() { line.next } else { line.end - tail.rest.len() };
    Span { at: at..end, level: tail.level, shape: Shape::Cmtrace { text: text..text_end, attributes } }
}

fn loose(at: usize, text: Range<usize>, end: usize) -> Span {
    Span { at: at..end, level: Level::Info, shape: Shape::Loose { text } }
}

/// The level of a record that carries none, from its words (FORMATS.md 8).
pub(super) fn words(text: &[u8]) -> Level {
    static WORDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?i-u)error|fail|warn").expect("the pattern is a constant"));
    thread_local! {
        // What a search needs is lent out by the pattern: threads that share one wait for each other at every record.
        static OWN: Regex = WORDS.clone();
    }
    if text.is_empty() { Level::Info } else { OWN.with(|own| level_of_words(own, text)) }
}

fn level_of_words(words: &Regex, text: &[u8]) -> Level {
    let mut level = Level::Info;
    for word in words.find_iter(text) {
        let fails = |from: usize| !text[from..].get(..4).is_some_and(|w| w.eq_ignore_ascii_case(b"over"));
        match word.as_bytes()[0] | 0x20 {
            b'w' => level = Level::Warning,
            b'f' if !fails(word.end()) => {}
            _ => return Level::Error,
        }
    }
    level
}

/// Where the record begins that holds the byte at `place`, or one before it from which scanning on comes to it. `floor` is
/// the beginning of a record. Looks back no further than records are long.
pub fn start_of(bytes: &[u8], floor: usize, place: usize) -> usize {
    let line_start = |before: usize| memrchr(b'\n', &bytes[floor..before]).map_or(floor, |at| floor + at + 1);
    let own = line_start(place);
    let (mut from, mut to) = (own, place + 1);
    // A line that begins with a time, which is text if a record of format E is open around it.
    let mut weak = None;
    for lines in 0..RECORD_LINES {
        match last_known(bytes, from, to, lines == 0) {
            Some((at, Begins::Surely)) => return weak.unwrap_or(at),
            Some((at, Begins::Open)) => return at,
            Some((at, Begins::UnlessWithin)) => {
                weak.get_or_insert(at);
            }
            None => {}
        }
        if from == floor || place - from > RECORD_BYTES {
            break;
        }
        to = from;
        from = line_start(from - 1);
    }
    weak.unwrap_or(if from == floor { floor } else { own })
}

enum Begins {
    Surely,
    /// Format E, its end not on the same line.
    Open,
    UnlessWithin,
}

/// The last of the lines from `from` on that begin before `to` which is more than text. Of the line that is asked about
/// itself, an end of format E says nothing about its beginning.
fn last_known(bytes: &[u8], from: usize, to: usize, own: bool) -> Option<(usize, Begins)> {
    let (mut at, mut found) = (from, None);
    while at < to
        && let Some(line) = line_at(bytes, at, true)
    {
        let last = own && line.next >= to;
        match kind(&bytes[line.start..line.end]) {
            Kind::Opens(Some(tail)) if tail.rest.is_empty() => found = Some((at, Begins::Surely)),
            Kind::Opens(_) => found = Some((at, Begins::Open)),
            Kind::Ends(_) if last => {}
            // Another one that goes on may have begun behind it.
            Kind::Ends(tail) if !tail.rest.is_empty() => found = Some((at, Begins::Open)),
            Kind::Ends(_) | Kind::Begins(_) => found = Some((at, Begins::Surely)),
            Kind::Iso(_) => found = Some((at, Begins::UnlessWithin)),
            Kind::Loose => {}
        }
        at = line.next;
    }
    found
}
