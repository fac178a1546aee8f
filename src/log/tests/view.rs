//! Looking at a file from any place against all of its records in a list.

use super::index::{Known, all};
use super::{cases, spans, west};
use crate::log::encoding::Decoding;
use crate::log::index::{Grown, Index};
use crate::log::readat::ReadAt;
use crate::log::search::{Filter, Names, Search};
use crate::log::spans::Spans;
use crate::log::view::View;
use crate::log::{Level, Record, Zoned};
use crate::text::SafeText;
use proptest::prelude::*;

/// The records of a file with their places, by reading all of it.
fn model(bytes: &[u8], filter: &Filter) -> (Vec<Known>, Vec<(u64, u64, Record)>) {
    let mut spans = Spans::new(filter.watch(), true);
    spans.push(bytes, true);
    let mut passing = Vec::new();
    while let Some(span) = spans.next(true) {
        let (missing, lost) = spans.missing(&span);
        if filter.passes(&span, spans.bytes(), lost) {
            let line = spans.line(&span);
            let record = Record::of(&span, spans.bytes(), missing, &"x".into(), line, &west(0));
            passing.push((spans.begin(&span), spans.offset(span.at.end), record));
        }
    }
    (all(bytes), passing)
}

/// Of a file of which so much is indexed.
fn indexed(bytes: &[u8], upto: u64, stride: u64) -> Index {
    let mut index = Index::sized(west(0), stride, 1 << 20, 1000);
    let known = bytes[..usize::try_from(upto).unwrap().min(bytes.len())].to_vec();
    while index.grow(&known, 1 << 20).unwrap() == Grown::More {}
    index
}

type Found = (Vec<(u64, u64, Record)>, bool);

struct Looked<'a> {
    view: View<'a, Vec<u8>>,
    buffer: Spans,
}

impl Looked<'_> {
    fn go(&mut self, forward: bool, from: u64, filter: &Filter, most: usize) -> Found {
        let found = match forward {
            true => self.view.forward(&mut self.buffer, from, filter, most, &mut |_| true),
            false => self.view.back(&mut self.buffer, from, filter, most, &mut |_| true),
        }
        .unwrap();
        assert!(!found.stopped);
        (found.items.into_iter().map(|item| (item.at, item.end, item.record)).collect(), found.done)
    }
}

/// The same of the list.
fn expected(
    passing: &[(u64, u64, Record)],
    forward: bool,
    from: u64,
    most: usize,
) -> Vec<(u64, u64, Record)> {
    let at = passing.partition_point(|(at, ..)| *at < from);
    match forward {
        true => passing[at..].iter().take(most).cloned().collect(),
        false => passing[at.saturating_sub(most)..at].to_vec(),
    }
}

/// A line that the index has not come to is not known.
fn same(got: &[(u64, u64, Record)], wanted: &[(u64, u64, Record)], indexed: bool) {
    let mut wanted = wanted.to_vec();
    if !indexed {
        wanted
            .iter_mut()
            .zip(got)
            .filter(|(_, got)| got.2.line == 0)
            .for_each(|(wanted, _)| wanted.2.line = 0);
    }
    assert_eq!(got, wanted);
}

fn filters() -> Vec<Filter> {
    let text = |pattern: &str| Filter { text: Some(Search::new(pattern).unwrap()), ..Filter::default() };
    vec![
        Filter::default(),
        Filter { level: Some(Level::Error), ..Filter::default() },
        Filter { level: Some(Level::Warning), ..text("needle|fail") },
        text("needle"),
        Filter { without: text("needle").text, ..Filter::default() },
        Filter { without: text("fail").text, thread: Names::only("1"), ..text("needle|text") },
        Filter { component: Names::only("needle"), ..Filter::default() },
    ]
}

fn zone() -> (SafeText, Zoned) {
    ("x".into(), west(0))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn from_any_record_both_ways_as_in_a_list_of_all(
        bytes in spans::log(),
        upto in 0_u64..900,
        stride in 1_u64..7,
        which in 0_usize..6,
        steps in prop::collection::vec((any::<bool>(), 0_usize..60, 1_usize..6), 1..12),
    ) {
        prop_assume!(Decoding::of(&bytes[..bytes.len().min(512)]).is_plain());
        let filter = &filters()[which];
        let (known, passing) = model(&bytes, filter);
        let index = indexed(&bytes, upto, stride);
        let (name, zone) = zone();
        let mut looked = Looked { view: View::new(&bytes, &index, &name, &zone).unwrap(), buffer: Spans::new(None, true) };
        let size = bytes.len() as u64;
        for (forward, from, most) in steps {
            let from = known.get(from).map_or(if forward { 0 } else { size }, |known| known.0);
            let (got, done) = looked.go(forward, from, filter, most);
            same(&got, &expected(&passing, forward, from, most), index.read() >= size);
            prop_assert!(got.len() == most || done);
            let all = expected(&passing, forward, from, usize::MAX).len();
            prop_assert!(!done || got.len() == all);
        }
        if index.read() >= size {
            for line in 1..=index.blocks().last().map_or(0, |block| block.lines + 3) {
                let wanted = known.iter().rev().find(|known| known.2 <= line).map(|known| known.0);
                prop_assert_eq!(looked.view.at_line(&mut looked.buffer, line).unwrap(), wanted);
            }
            for (number, record) in known.iter().enumerate() {
                let got = looked.view.at_record(&mut looked.buffer, number as u64).unwrap();
                // What is still open has no number yet where nothing else is there.
                prop_assert_eq!(got, (!index.blocks().is_empty()).then_some(record.0));
            }
        }
    }

    #[test]
    fn a_time_is_the_first_record_of_it_or_later(
        minutes in prop::collection::vec((0_i64..4, any::<bool>()), 1..60), stride in 1_u64..7, ask in 0_i64..240
    ) {
        let (mut at, mut bytes) = (0, Vec::new());
        for (more, loose) in minutes {
            at += more;
            let time = format!("[11/28/26 {:02}:{:02}:00] P ==> text\n", at / 60, at % 60);
            bytes.extend(if loose { "a line without a time\n".to_owned() } else { time }.into_bytes());
        }
        let index = indexed(&bytes, u64::MAX / 2, stride);
        let (name, zone) = zone();
        let view = View::new(&bytes, &index, &name, &zone).unwrap();
        let ask = super::at("2026-11-28T00:00:00Z") + chrono::TimeDelta::minutes(ask);
        let wanted = all(&bytes).iter().find(|known| known.4.is_some_and(|time| time >= ask)).map(|known| known.0);
        let got = view.at_time(&mut Spans::new(None, true), ask, &mut |_| true).unwrap();
        // The only record may still be open.
        if !index.blocks().is_empty() {
            prop_assert_eq!(got, Some(wanted.unwrap_or(bytes.len() as u64)));
        }
    }
}

/// Megabytes with records over several lines, and one line that is longer than what is gone back at once.
fn long() -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..8_000 {
        match n % 7 {
            0 => bytes.extend(format!("<![LOG[record {n}\nover two lines]LOG]!><time=\"01:02:03\" date=\"11-28-2026\" component=\"c\" type=\"{}\">\r\n", n % 3 + 1).into_bytes()),
            1 => bytes.extend(format!("[11/28/26 01:02:03] P ==> record {n} at\n  frame 1\n  frame 2\n").into_bytes()),
            _ => bytes.extend(format!("<![LOG[record {n}]LOG]!><time=\"01:02:03\" date=\"11-28-2026\" component=\"c\" type=\"1\">\r\n").into_bytes()),
        }
        if n == 2_000 {
            bytes.extend(b"long needle ");
            bytes.extend(b"x".repeat(1_300_000));
            bytes.push(b'\n');
        }
    }
    bytes
}

#[test]
fn megabytes_are_gone_through_both_ways_before_they_are_indexed() {
    let bytes = long();
    let size = bytes.len() as u64;
    let (name, zone) = zone();
    for filter in [Filter::default(), filters().remove(3)] {
        let (_, passing) = model(&bytes, &filter);
        for upto in [0, 300_000, size] {
            let index = indexed(&bytes, upto, 256);
            let view = View::new(&bytes, &index, &name, &zone).unwrap();
            let mut looked = Looked { view, buffer: Spans::new(None, true) };
            for forward in [true, false] {
                let (mut at, mut got) = (if forward { 0 } else { size }, Vec::new());
                loop {
                    let (items, done) = looked.go(forward, at, &filter, 4000);
                    at = match (forward, items.first(), items.last()) {
                        (true, _, Some(last)) => last.1,
                        (false, Some(first), _) => first.0,
                        _ => at,
                    };
                    if forward {
                        got.extend(items)
                    } else {
                        got.splice(0..0, items).for_each(drop)
                    };
                    if done {
                        break;
                    }
                }
                same(&got, &passing, upto == size);
            }
        }
    }
}

#[test]
fn what_is_told_to_stop_stops_and_says_so() {
    let bytes = long();
    let index = indexed(&bytes, bytes.len() as u64, 256);
    let (name, zone) = zone();
    let view = View::new(&bytes, &index, &name, &zone).unwrap();
    let mut buffer = Spans::new(None, true);
    let nowhere = Filter { text: Some(Search::new("nowhere").unwrap()), ..Filter::default() };
    let mut asked = 0;
    let mut go = |_| {
        asked += 1;
        asked < 3
    };
    let found = view.forward(&mut buffer, 0, &nowhere, 1, &mut go).unwrap();
    assert!(found.stopped && !found.done && found.items.is_empty());
    asked = 0;
    let mut go = |_| {
        asked += 1;
        asked < 3
    };
    let found = view.back(&mut buffer, bytes.len() as u64, &nowhere, 1, &mut go).unwrap();
    assert!(found.stopped && !found.done && found.items.is_empty());
}

/// A file that is cut after its size was asked for.
struct Cut(Vec<u8>, u64);

impl ReadAt for Cut {
    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(at, into)
    }

    fn size(&self) -> std::io::Result<u64> {
        Ok(self.1)
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_looked_at_is_not_said_to_hold_nothing() {
    let bytes = long();
    let size = bytes.len() as u64;
    let (name, zone) = zone();
    let nowhere = Filter { text: Some(Search::new("nowhere").unwrap()), ..Filter::default() };
    for upto in [0, size] {
        let index = indexed(&bytes, upto, 256);
        let cut = Cut(bytes[..bytes.len() / 2].to_vec(), size);
        let view = View::new(&cut, &index, &name, &zone).unwrap();
        let mut buffer = Spans::new(None, true);
        let found = [
            view.forward(&mut buffer, 0, &nowhere, 1, &mut |_| true),
            view.back(&mut buffer, size, &nowhere, 1, &mut |_| true),
        ];
        for found in found {
            assert_eq!(found.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof, "{upto}");
        }
    }
    let empty = Cut(Vec::new(), 100);
    assert!(Index::new(west(0)).grow(&empty, 1 << 20).is_err(), "it did not change: nothing was read of it");
}

#[test]
fn a_line_of_megabytes_is_one_record_or_the_index_has_to_come_to_it() {
    for end in [&b"\nlast\n"[..], b""] {
        let mut bytes = b"[11/28/26 01:02:03] P ==> first\n[11/28/26 01:02:03] P ==> long ".to_vec();
        bytes.extend(b"x".repeat(6 << 20));
        bytes.extend(end);
        let size = bytes.len() as u64;
        let (name, zone) = zone();
        let (_, passing) = model(&bytes, &Filter::default());
        let index = indexed(&bytes, 0, 256);
        let view = View::new(&bytes, &index, &name, &zone).unwrap();
        let before = if end.is_empty() { size } else { size - 5 };
        let found = view.back(&mut Spans::new(None, true), before, &Filter::default(), 9, &mut |_| true);
        assert_eq!(found.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let index = indexed(&bytes, size, 256);
        let view = View::new(&bytes, &index, &name, &zone).unwrap();
        let mut looked = Looked { view, buffer: Spans::new(None, true) };
        let (got, done) = looked.go(false, size, &Filter::default(), 9);
        let places =
            |all: &[(u64, u64, Record)]| all.iter().map(|(at, end, _)| (*at, *end)).collect::<Vec<_>>();
        assert!(done && places(&got) == places(&passing), "{:?} {:?}", places(&got), places(&passing));
    }
}
