//! The index of a file against reading all of it, however it grows.

use super::{cases, spans, west};
use crate::clock::Wall;
use crate::log::Level;
use crate::log::encoding::Decoding;
use crate::log::index::{Grown, Index, STRIDE, Totals};
use crate::log::spans::Spans;
use proptest::prelude::*;

/// Where a record begins and ends, its line, level and time.
pub type Known = (u64, u64, u64, Level, Option<Wall>);

/// All of them, by reading the whole file.
pub fn all(bytes: &[u8]) -> Vec<Known> {
    let mut spans = Spans::new(None, true);
    spans.push(bytes, true);
    let mut known = Vec::new();
    while let Some(span) = spans.next(true) {
        let (at, end) = (spans.begin(&span), spans.offset(span.at.end));
        let time = span.facts(spans.bytes()).stamp.resolve(west(0).as_ref()).0;
        known.push((at, end, spans.line(&span), span.level, time));
    }
    known
}

/// The index of all of it, that came to it in two looks at a growing file.
fn grown(bytes: &[u8], first: usize, most: u64, index: &mut Index) {
    for part in [&bytes[..first], bytes] {
        let part = part.to_vec();
        loop {
            match index.grow(&part, most).unwrap() {
                Grown::More => {}
                Grown::Current => break,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn holds(index: &Index, bytes: &[u8]) {
    let known = all(bytes);
    let of = |level| known.iter().filter(|(.., l, _)| *l == level).count() as u64;
    let totals =
        Totals { records: known.len() as u64, errors: of(Level::Error), warnings: of(Level::Warning) };
    assert_eq!(index.totals(), totals);
    let ends = bytes.iter().filter(|b| **b == b'\n').count() as u64;
    assert_eq!(index.lines(), ends + u64::from(!bytes.is_empty() && !bytes.ends_with(b"\n")));
    let (in_records, blank, open) = index.explained();
    assert_eq!(in_records + blank + open, bytes.len() as u64);
    let counted: u64 =
        known.iter().filter(|(_, end, ..)| *end <= index.given()).map(|(at, end, ..)| end - at).sum();
    assert_eq!(in_records, counted);
    for (n, block) in index.blocks().iter().enumerate() {
        let next = index.blocks().get(n + 1).map_or(u64::MAX, |next| next.record);
        let first = &known[usize::try_from(block.record).unwrap()];
        assert_eq!((block.at, block.lines + 1), (first.0, first.2));
        let its = known
            .iter()
            .enumerate()
            .filter(|(n, (_, end, ..))| (block.record..next).contains(&(*n as u64)) && *end <= index.given());
        let its: Vec<&Known> = its.map(|(_, known)| known).collect();
        for level in [Level::Verbose, Level::Info, Level::Warning, Level::Error] {
            assert_eq!(block.has(level), its.iter().any(|known| known.3 >= level));
        }
        assert_eq!(block.time(), its.iter().find_map(|known| known.4));
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn the_index_of_a_file_that_grows_has_all_records_at_their_places(
        bytes in spans::log(), first in 0_usize..400, most in 1_u64..300, stride in 1_u64..9, blocks in 2_usize..9
    ) {
        prop_assume!(Decoding::of(&bytes[..bytes.len().min(512)]).is_plain());
        let mut index = Index::sized(west(0), stride, 200, blocks);
        grown(&bytes, first.min(bytes.len()), most, &mut index);
        prop_assert!(index.blocks().len() <= blocks);
        holds(&index, &bytes);
    }
}

fn lines(n: usize) -> Vec<u8> {
    let line = |n: usize| {
        let level = if n.is_multiple_of(1000) { 3 } else { 1 };
        format!(
            "<![LOG[record {n}]LOG]!><time=\"{:02}:{:02}:00.000+000\" date=\"11-28-2026\" type=\"{level}\">\r\n",
            n / 60 % 24,
            n % 60
        )
    };
    (0..n).map(line).collect::<String>().into_bytes()
}

#[test]
fn blocks_are_of_256_records_or_a_megabyte_and_all_of_them_have_room() {
    let mut bytes = lines(3000);
    bytes.extend(b"x".repeat(3 << 20));
    bytes.extend(b"\nlast\nopen");
    let mut index = Index::new(west(0));
    grown(&bytes, 100_000, 65_536, &mut index);
    holds(&index, &bytes);
    assert_eq!(
        index.blocks()[..11].iter().map(|b| b.record).collect::<Vec<_>>(),
        (0..11).map(|n| n * STRIDE).collect::<Vec<_>>()
    );
    assert_eq!(index.blocks().last().unwrap().record, 3001, "what follows a line of megabytes is near it");
    assert!(size_of::<crate::log::index::Block>() * 160_000 <= 8 << 20);
}

#[test]
fn a_file_that_was_cut_or_written_anew_is_not_the_one_that_was_indexed() {
    let bytes = lines(100);
    for (n, changed) in [
        bytes[..5000].to_vec(),
        [b"y".repeat(2000), bytes.clone()].concat(),
        [&bytes[..bytes.len() - 3], &b"?"[..], &bytes[bytes.len() - 2..]].concat(),
        Vec::new(),
    ]
    .iter()
    .enumerate()
    {
        let mut index = Index::new(west(0));
        assert_eq!(index.grow(&bytes, u64::MAX).unwrap(), Grown::Current);
        assert_eq!(index.grow(&bytes, u64::MAX).unwrap(), Grown::Current);
        assert_eq!(index.grow(changed, u64::MAX).unwrap(), Grown::Changed, "{n}");
    }
}

#[test]
fn utf16_has_no_places_to_return_to() {
    let wide: Vec<u8> = "one line\r\nand another\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Index::new(west(0)).grow(&wide, u64::MAX).unwrap(), Grown::Wide);
}

#[test]
fn faults_stand_in_the_histogram_where_their_blocks_do() {
    let bytes = lines(1440);
    let mut index = Index::sized(west(0), 10, 1 << 20, 1000);
    grown(&bytes, 0, u64::MAX, &mut index);
    let bars = index.histogram(24);
    assert_eq!(bars.len(), 24);
    let errors: Vec<_> = bars.iter().enumerate().filter(|(_, b)| b.errors > 0).map(|(n, _)| n).collect();
    assert_eq!(errors, [0, 16], "the records 0 and 1000 are of 00:00 and 16:40");
    assert_eq!(bars.iter().map(|b| b.total).sum::<u32>(), 1440);
}
