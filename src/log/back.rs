//! A file from its end: the last records that pass a filter, without reading what is older. Pieces of growing size are read,
//! each from the beginning of a record on. What is decoded or unpacked is read from its beginning instead.

use super::encoding::{Decoding, TELLING};
use super::last::read_at;
use super::scan::{RECORD_BYTES, Span, start_of};
use super::search::Filter;
use super::spans::Spans;
use super::{Record, Zoned};
use crate::clock::Wall;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

/// The first piece, the largest of those that follow, and the largest where a record or a time is not found in less.
const FIRST: u64 = 256 << 10;
const MOST: u64 = 8 << 20;
const LAST: u64 = 32 << 20;
/// So much before a piece is read to find where a record begins.
const BEFORE: u64 = RECORD_BYTES as u64 + (64 << 10);
const CHUNK: usize = 64 << 10;
/// A clock may have been set back by so much: what is older by more is not looked for further back.
const SET_BACK: TimeDelta = TimeDelta::hours(3);
/// More text than this is not held of one file.
const HELD: usize = 16 << 20;

/// What is looked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Which records.
    pub filter: &'a Filter,
    /// For their times.
    pub zone: &'a Zoned,
    /// How records name the file.
    pub name: &'a SafeText,
    /// It is not wanted any more.
    pub stopped: &'a dyn Fn() -> bool,
}

/// One that passes.
struct Passing<'a> {
    span: &'a Span,
    spans: &'a Spans,
    at: Option<u64>,
    near: Option<Wall>,
}

/// The last records that pass.
#[derive(Debug, Default)]
pub struct Last {
    /// Oldest first.
    pub records: VecDeque<Record>,
    /// There may be older ones that pass.
    pub older: bool,
}

/// What is not wanted any more ends with this.
pub fn is_stopped(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::Interrupted
}

/// The last `most` records that pass of those that begin before the byte `end`.
///
/// # Errors
/// What the file says; [`is_stopped`].
pub fn last_of(file: &mut (impl Read + Seek), end: u64, most: usize, wanted: Wanted<'_>) -> io::Result<Last> {
    last_in_pieces(file, end, most, wanted, FIRST)
}

fn last_in_pieces(
    file: &mut (impl Read + Seek),
    end: u64,
    most: usize,
    wanted: Wanted<'_>,
    reach: u64,
) -> io::Result<Last> {
    let mut last = Kept::new(most);
    if most == 0 {
        return Ok(Last { records: VecDeque::new(), older: end > 0 });
    }
    let Some(head) = plain_head(file)? else {
        file.seek(SeekFrom::Start(0))?;
        return last_of_stream(&mut file.take(end), most, wanted);
    };
    let mut pieces = Pieces { head, end, reach };
    while let Some(newest) = pieces.next(file, wanted, &mut |passing| last.take(&passing, wanted))? {
        last.piece_is_over();
        if last.is_full() {
            break;
        }
        if is_before(newest, wanted.filter) {
            pieces.end = 0;
        }
    }
    let older = last.dropped || pieces.end > 0;
    Ok(Last { records: last.done, older })
}

/// The same of what is read from its beginning.
///
/// # Errors
/// As [`last_of`].
pub fn last_of_stream(from: &mut impl Read, most: usize, wanted: Wanted<'_>) -> io::Result<Last> {
    let mut last = Kept::new(most);
    stream(from, wanted, &mut |passing| last.take(&passing, wanted))?;
    last.piece_is_over();
    Ok(Last { records: last.done, older: last.dropped })
}

/// Tells time and level of all records that pass of those that begin before the byte `end`, in no order.
///
/// # Errors
/// As [`last_of`].
pub fn each_of(
    file: &mut (impl Read + Seek),
    end: u64,
    wanted: Wanted<'_>,
    on: &mut dyn FnMut(Option<Wall>, super::Level),
) -> io::Result<()> {
    let Some(head) = plain_head(file)? else {
        file.seek(SeekFrom::Start(0))?;
        return each_of_stream(&mut file.take(end), wanted, on);
    };
    let mut pieces = Pieces { head, end, reach: FIRST };
    let mut tell = |passing: Passing<'_>| on(time_of(&passing, wanted).or(passing.near), passing.span.level);
    while let Some(newest) = pieces.next(file, wanted, &mut tell)? {
        if is_before(newest, wanted.filter) {
            break;
        }
    }
    Ok(())
}

/// The same of what is read from its beginning.
///
/// # Errors
/// As [`last_of`].
pub fn each_of_stream(
    from: &mut impl Read,
    wanted: Wanted<'_>,
    on: &mut dyn FnMut(Option<Wall>, super::Level),
) -> io::Result<()> {
    stream(from, wanted, &mut |passing| {
        on(time_of(&passing, wanted).or(passing.near), passing.span.level);
    })
}

/// Where the last whole line ends: what is after it is still being written.
///
/// # Errors
/// What the file says.
pub fn whole_up_to(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    let from = len.saturating_sub(CHUNK as u64);
    let bytes = read_at(file, from, len - from)?;
    let end = memchr::memrchr(b'\n', &bytes).map(|at| from + at as u64 + 1);
    Ok(end.unwrap_or(if from == 0 { 0 } else { len }))
}

/// Whether all of a piece, whose newest record is of this time, is so old that nothing before it is asked for.
fn is_before(newest: Option<Wall>, filter: &Filter) -> bool {
    let earliest = filter.since.and_then(|since| since.checked_sub_signed(SET_BACK));
    earliest.is_some_and(|earliest| newest.is_some_and(|at| at < earliest))
}

/// What a file begins with; None where it is not read as it is.
fn plain_head(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    let head = read_at(file, 0, TELLING as u64)?;
    Ok(Decoding::of(&head).is_plain().then_some(head))
}

fn time_of(passing: &Passing<'_>, wanted: Wanted<'_>) -> Option<Wall> {
    passing.span.facts(passing.spans.bytes()).stamp.resolve(wanted.zone.as_ref()).0
}

/// Whether only what may pass is looked at. Then a record without a time of its own has none.
fn skips(filter: &Filter) -> bool {
    !filter.is_of_time() && filter.hint().is_some()
}

/// The next span; with a filter that says where to look, one that may pass.
fn next_span(spans: &mut Spans, filter: &Filter) -> Option<Span> {
    match filter.hint().filter(|_| skips(filter)) {
        Some(hint) => spans.next_of(|bytes| hint.first(bytes)),
        None => spans.next(false),
    }
}

fn stream(from: &mut impl Read, wanted: Wanted<'_>, on: &mut dyn FnMut(Passing<'_>)) -> io::Result<()> {
    let Wanted { filter, zone, .. } = wanted;
    let mut spans = Spans::new(filter.watch(), false);
    let mut near = None;
    loop {
        if (wanted.stopped)() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let more = spans.read(from)?;
        while let Some(span) = next_span(&mut spans, filter) {
            let time = span.facts(spans.bytes()).stamp.resolve(zone.as_ref()).0;
            near = time.or(near);
            let lost = spans.missing(&span).1;
            if filter.is_at(near) && filter.passes(&span, spans.bytes(), lost) {
                on(Passing { span: &span, spans: &spans, at: None, near });
            }
        }
        if !more {
            return Ok(());
        }
    }
}

/// A file in pieces, the last one first.
struct Pieces {
    head: Vec<u8>,
    /// What is before this byte was not read yet; a record begins here, or the file ends.
    end: u64,
    reach: u64,
}

impl Pieces {
    /// Reads the piece before those that were read; the time of its newest record, or None where there is no more.
    fn next(
        &mut self,
        file: &mut (impl Read + Seek),
        wanted: Wanted<'_>,
        on: &mut dyn FnMut(Passing<'_>),
    ) -> io::Result<Option<Option<Wall>>> {
        while self.end > 0 {
            if (wanted.stopped)() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let base = self.end.saturating_sub(self.reach);
            let from = base.saturating_sub(BEFORE);
            let bytes = read_at(file, from, self.end - from)?;
            if (bytes.len() as u64) < self.end - from {
                // It was cut meanwhile: what is left of it ends here.
                self.end = from + bytes.len() as u64;
                if bytes.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            // Both are less than what was read.
            let place = usize::try_from(base - from).unwrap_or(0);
            let begin = if base == 0 { 0 } else { start_of(&bytes, 0, place) };
            let widest = self.reach >= LAST;
            if from > 0 && begin == 0 && !widest {
                self.reach *= 4;
                continue;
            }
            let begin = if from > 0 && begin == 0 { place } else { begin };
            let start = from + begin as u64;
            let Some((first, newest)) = self.piece(&bytes[begin..], start, widest, wanted, on) else {
                self.reach *= 4;
                continue;
            };
            self.end = first;
            self.reach = (self.reach * 2).min(MOST);
            return Ok(Some(newest));
        }
        Ok(None)
    }

    /// Tells what passes of these bytes, which stand at `start` of the file. What stands before the first time may belong to a
    /// time before it, and is left to the next piece. Gives where that is, and the newest time; None where there is no time.
    fn piece(
        &self,
        bytes: &[u8],
        start: u64,
        widest: bool,
        wanted: Wanted<'_>,
        on: &mut dyn FnMut(Passing<'_>),
    ) -> Option<(u64, Option<Wall>)> {
        let Wanted { filter, zone, .. } = wanted;
        let mut spans = Spans::within(&self.head, 0).watching(filter.watch());
        if start > 0 {
            spans = spans.at_a_record();
        }
        spans.forget_lines();
        // Where nothing has to be told of it, what is before a time is as good as what is after.
        let mut first = (start == 0 || widest || skips(filter)).then_some(start);
        let (mut near, mut newest) = (None, None);
        let pieces = bytes.chunks(CHUNK).map(|piece| (piece, false));
        for (piece, last) in pieces.chain([(&[][..], true)]) {
            spans.push(piece, last);
            while let Some(span) = next_span(&mut spans, filter) {
                let time = span.facts(spans.bytes()).stamp.resolve(zone.as_ref()).0;
                let at = start + spans.begin(&span);
                if time.is_some() {
                    near = time;
                    newest = newest.max(time);
                    first.get_or_insert(at);
                }
                let lost = spans.missing(&span).1;
                if first.is_some() && filter.is_at(near) && filter.passes(&span, spans.bytes(), lost) {
                    on(Passing { span: &span, spans: &spans, at: Some(at), near });
                }
            }
        }
        Some((first?, newest))
    }
}

/// The last so many of what passes.
struct Kept {
    most: usize,
    bytes: usize,
    /// Of this piece, and of those after it.
    piece: VecDeque<Record>,
    done: VecDeque<Record>,
    dropped: bool,
}

impl Kept {
    fn new(most: usize) -> Kept {
        Kept { most, bytes: 0, piece: VecDeque::new(), done: VecDeque::new(), dropped: false }
    }

    fn take(&mut self, passing: &Passing<'_>, wanted: Wanted<'_>) {
        let Passing { span, spans, at, near } = passing;
        let missing = spans.missing(span).0;
        let mut record = Record::of(span, spans.bytes(), missing, wanted.name, 0, wanted.zone);
        record.near = record.time.or(*near);
        record.at = *at;
        self.bytes += size(&record);
        self.piece.push_back(record);
        while self.piece.len() + self.done.len() > self.most || self.bytes > HELD && self.piece.len() > 1 {
            let Some(oldest) = self.piece.pop_front() else { return };
            self.bytes -= size(&oldest);
            self.dropped = true;
        }
    }

    fn piece_is_over(&mut self) {
        while let Some(record) = self.piece.pop_back() {
            self.done.push_front(record);
        }
    }

    fn is_full(&self) -> bool {
        self.dropped || self.done.len() >= self.most
    }
}

fn size(record: &Record) -> usize {
    record.text.iter().map(|line| line.as_str().len()).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::Level;
    use crate::log::search::Search;
    use crate::log::tests::{at, read, west};
    use std::io::Cursor;

    const NO: &dyn Fn() -> bool = &|| false;

    /// A log of so many records, some of them without a time, some of several lines.
    fn log(records: usize) -> Vec<u8> {
        let mut text = String::new();
        for n in 0..records {
            match n % 7 {
                3 => text.push_str(&format!("loose {n}\n")),
                5 => text.push_str(&format!(
                    "[11/24/26 10:{:02}:{:02}] error {n}\nmore of {n}\n",
                    n / 60 % 60,
                    n % 60
                )),
                _ => text.push_str(&format!("[11/24/26 10:{:02}:{:02}] line {n}\n", n / 60 % 60, n % 60)),
            }
        }
        text.into_bytes()
    }

    fn filters() -> Vec<Filter> {
        let grep = |text: &str| Some(Search::new(text).unwrap());
        vec![
            Filter::default(),
            Filter { level: Some(Level::Error), ..Filter::default() },
            Filter { text: grep("1[37]"), ..Filter::default() },
            Filter { without: grep("line"), ..Filter::default() },
            Filter { since: Some(at("2026-11-24T10:03:00Z")), ..Filter::default() },
            Filter {
                since: Some(at("2026-11-24T10:02:00Z")),
                until: Some(at("2026-11-24T10:04:10Z")),
                ..Filter::default()
            },
        ]
    }

    #[test]
    fn from_the_end_the_same_records_are_found_as_from_the_beginning_in_pieces_of_any_size() {
        let bytes = log(400);
        let (zone, name) = (west(0), "x.log".into());
        for filter in filters() {
            let all: Vec<Record> = read(&bytes).into_iter().filter(|record| filter.matches(record)).collect();
            assert!(!all.is_empty());
            let wanted = Wanted { filter: &filter, zone: &zone, name: &name, stopped: NO };
            for most in [1, 2, 9, 100, 1_000] {
                let expected: Vec<String> =
                    all[all.len().saturating_sub(most)..].iter().map(Record::full_text).collect();
                for reach in [1, 30, 64, 333, 5_000, 1 << 20] {
                    let mut file = Cursor::new(&bytes);
                    let last = last_in_pieces(&mut file, bytes.len() as u64, most, wanted, reach).unwrap();
                    let told: Vec<String> = last.records.iter().map(Record::full_text).collect();
                    assert_eq!(told, expected, "{filter:?}, the last {most} in pieces of {reach}");
                    assert!(last.older || most >= all.len(), "older ones are told");
                    for record in &last.records {
                        let at = usize::try_from(record.at.unwrap()).unwrap();
                        let first = record.first_line().as_str().rsplit(' ').next().unwrap();
                        let line = bytes[at..].split(|b| *b == b'\n').next().unwrap();
                        assert!(String::from_utf8_lossy(line).ends_with(first), "{at}: {record:?}");
                    }
                }
                let streamed = last_of_stream(&mut &bytes[..], most, wanted).unwrap();
                let told: Vec<String> = streamed.records.iter().map(Record::full_text).collect();
                assert_eq!(told, expected);
            }
            let mut count = 0;
            each_of(&mut Cursor::new(&bytes), bytes.len() as u64, wanted, &mut |_, _| count += 1).unwrap();
            assert_eq!(count, all.len(), "{filter:?}");
        }
    }

    #[test]
    fn of_a_large_log_little_is_read_and_what_is_not_wanted_any_more_stops() {
        let bytes = log(200_000);
        let (zone, name, filter) = (west(0), "x.log".into(), Filter::default());
        let pieces = std::cell::Cell::new(0);
        let stopped = || {
            pieces.set(pieces.get() + 1);
            false
        };
        let wanted = Wanted { filter: &filter, zone: &zone, name: &name, stopped: &stopped };
        let last = last_of(&mut Cursor::new(&bytes), bytes.len() as u64, 250, wanted).unwrap();
        assert_eq!((last.records.len(), last.older, pieces.get()), (250, true, 1));
        let wanted = Wanted { stopped: &|| true, ..wanted };
        let e = last_of(&mut Cursor::new(&bytes), bytes.len() as u64, 250, wanted).unwrap_err();
        assert!(is_stopped(&e));
    }

    #[test]
    fn times_at_the_end_of_all_times_are_asked_for_without_harm() {
        let bytes = log(20);
        let (zone, name) = (west(0), "x.log".into());
        for since in [Wall::MIN_UTC, Wall::MAX_UTC] {
            let filter = Filter { since: Some(since), ..Filter::default() };
            let wanted = Wanted { filter: &filter, zone: &zone, name: &name, stopped: NO };
            let last = last_of(&mut Cursor::new(&bytes), bytes.len() as u64, 9, wanted).unwrap();
            assert_eq!(last.records.len(), if since == Wall::MIN_UTC { 9 } else { 0 });
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_not_whole() {
        let whole = |text: &str| whole_up_to(&mut Cursor::new(text)).unwrap();
        assert_eq!((whole("one\ntw"), whole("one\n"), whole("on"), whole("")), (4, 4, 0, 0));
    }
}
