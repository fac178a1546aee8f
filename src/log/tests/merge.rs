use super::{at, cases, read, west};
use crate::clock::Wall;
use crate::log::histogram::{Bucket, count};
use crate::log::merge::merge;
use crate::log::parse::Parser;
use crate::log::{Level, Record};
use chrono::TimeDelta;
use proptest::prelude::*;

fn record(file: &str, seconds: Option<i64>, text: &str) -> Record {
    let mut record = read("text").remove(0);
    record.file = file.into();
    record.time = seconds.map(|s| at("2026-11-22T00:00:00Z") + TimeDelta::seconds(s));
    record.near = record.time;
    record.text = vec![text.into()];
    record
}

fn texts<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<String> {
    records.into_iter().map(Record::full_text).collect()
}

#[test]
fn files_are_merged_by_time_and_equal_times_keep_their_order() {
    let a = vec![record("a", Some(1), "a1"), record("a", Some(3), "a3"), record("a", Some(3), "a3 again")];
    let b = vec![record("b", Some(2), "b2"), record("b", Some(3), "b3")];
    assert_eq!(texts(&merge([a, b])), ["a1", "b2", "a3", "a3 again", "b3"]);
}

#[test]
fn a_record_without_a_time_stays_below_the_one_above_it() {
    let mut parser = Parser::new("a".into(), west(0));
    let mut a = Vec::new();
    parser.push(b"<![LOG[one]LOG]!><time=\"00:00:05+000\" date=\"11-22-2026\">\nloose\n", &mut a);
    parser.finish(&mut a);
    let b = vec![record("b", Some(4), "b4"), record("b", Some(6), "b6")];
    assert_eq!(texts(&merge([a, b])), ["b4", "one", "loose", "b6"]);
}

#[test]
fn a_clock_set_back_an_hour_keeps_the_order_of_the_file() {
    let a = vec![
        record("a", Some(7200), "before"),
        record("a", Some(3700), "after"),
        record("a", Some(7300), "later"),
    ];
    let b = vec![record("b", Some(3600), "b"), record("b", Some(7250), "c")];
    assert_eq!(texts(&merge([a, b])), ["b", "before", "after", "c", "later"]);
}

#[test]
fn one_absurd_time_does_not_push_all_that_follows_to_the_end() {
    let a = vec![record("a", Some(1_000_000_000), "absurd"), record("a", Some(10), "sane")];
    let b = vec![record("b", Some(11), "b")];
    assert_eq!(texts(&merge([a, b])), ["sane", "b", "absurd"]);
}

fn histogram(records: &[Record], from: Wall, until: Wall, buckets: usize) -> Vec<Bucket> {
    count(records.iter().filter_map(|record| Some((record.near?, record.level))), from, until, buckets)
}

#[test]
fn errors_and_warnings_are_counted_by_time() {
    let level = |s, level| Record { level, ..record("a", Some(s), "x") };
    let records = [
        level(0, Level::Error),
        level(9, Level::Warning),
        level(10, Level::Info),
        level(29, Level::Error),
        level(30, Level::Error),
    ];
    let from = at("2026-11-22T00:00:00Z");
    let buckets = histogram(&records, from, from + TimeDelta::seconds(30), 3);
    let counts: Vec<_> = buckets.iter().map(|b| (b.errors, b.warnings, b.total)).collect();
    assert_eq!(counts, [(1, 1, 2), (0, 0, 1), (1, 0, 1)]);
    assert!(histogram(&records, from, from, 3).is_empty());
    assert!(histogram(&records, from, from + TimeDelta::seconds(30), 0).is_empty());
    assert_eq!(histogram(&records, Wall::MIN_UTC, Wall::MAX_UTC, 7).len(), 7);
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn merging_keeps_every_record_and_the_order_of_files_that_are_in_order(
        mut a in prop::collection::vec(0_i64..50, 0..12), mut b in prop::collection::vec(0_i64..50, 0..12)
    ) {
        a.sort_unstable();
        b.sort_unstable();
        let of = |file: &str, times: &[i64]| -> Vec<Record> {
            times.iter().enumerate().map(|(n, s)| record(file, Some(*s), &format!("{file}{n}"))).collect()
        };
        let merged = merge([of("a", &a), of("b", &b)]);
        prop_assert_eq!(merged.len(), a.len() + b.len());
        prop_assert!(merged.windows(2).all(|w| w[0].time <= w[1].time));
        for (file, count) in [("a", a.len()), ("b", b.len())] {
            let order: Vec<_> = merged.iter().filter(|r| r.file == file).map(Record::full_text).collect();
            prop_assert_eq!(order, (0..count).map(|n| format!("{file}{n}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_record_in_the_span_is_in_one_bucket(times in prop::collection::vec(-100_i64..200, 0..40), buckets in 1_usize..40) {
        let records: Vec<_> = times.iter().map(|s| record("a", Some(*s), "x")).collect();
        let from = at("2026-11-22T00:00:00Z");
        let sum: u32 = histogram(&records, from, from + TimeDelta::seconds(100), buckets).iter().map(|b| b.total).sum();
        prop_assert_eq!(sum as usize, times.iter().filter(|s| (0..100).contains(*s)).count());
    }
}
