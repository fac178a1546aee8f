//! Real files that grow: their last records, what is new, and what is older.

mod hostile;
mod instants;
#[cfg(unix)]
mod pace;
mod resumed;
mod rotated;
mod storm;

use super::{apart, west};
use crate::host::tail::{Watch, Woken};
use crate::log::Record;
use crate::log::follow::{Event, Follower};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn record(n: usize) -> String {
    format!(
        "<![LOG[record {n}]LOG]!><time=\"09:30:{:02}.{:03}+000\" date=\"10-14-2013\" component=\"c\" context=\"\" type=\"1\" thread=\"1\" file=\"\">\n",
        n / 1000 % 60,
        n % 1000
    )
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn append_records(path: &Path, numbers: std::ops::Range<usize>) {
    append(path, &numbers.map(record).collect::<String>());
}

/// An event in a word: `7` for record 7, `R` for rotated, `T` for truncated, `C` where a copy was found.
fn word(event: Event) -> String {
    match event {
        Event::Record(r) => r.full_text().trim_start_matches("record ").to_owned(),
        Event::Batch(batch) => format!("{batch:?}"),
        Event::Rotated { .. } => "R".to_owned(),
        Event::Truncated { copy: None, .. } => "T".to_owned(),
        Event::Truncated { .. } => "C".to_owned(),
        Event::Problem { file, message } => format!("P {file} {message}"),
    }
}

/// What polling tells until nothing is left.
fn told(follower: &mut Follower) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        told.extend(follower.look().into_iter().map(word));
        if !follower.behind() {
            return told;
        }
    }
}

/// Numbers of records, in words.
fn numbers(of: std::ops::Range<usize>) -> Vec<String> {
    of.map(|n| n.to_string()).collect()
}

struct Fixture {
    _dir: tempfile::TempDir,
    log: PathBuf,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        Fixture { log: dir.path().join("PACMAN.LOG"), _dir: dir }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.log.with_file_name(name)
    }

    fn follow(&self, last: usize) -> Follower {
        Follower::open(&[&self.log], west(0), last)
    }

    fn follow_all(&self, last: usize) -> Follower {
        Follower::open(&[self.beside("*.LOG")], west(0), last)
    }
}

#[test]
fn the_last_records_come_first_and_then_what_is_new() {
    let f = Fixture::new();
    append_records(&f.log, 0..100);
    let mut follower = f.follow(3);
    assert_eq!(told(&mut follower), ["97", "98", "99"]);
    assert!(told(&mut follower).is_empty());
    append_records(&f.log, 100..102);
    assert_eq!(told(&mut follower), ["100", "101"]);
    assert_eq!(told(&mut f.follow(0)), [] as [&str; 0]);
    assert_eq!(told(&mut f.follow(usize::MAX)).len(), 102);
    assert_eq!(told(&mut f.follow(1000)).len(), 102);
}

#[test]
fn what_is_older_than_the_last_records_is_read_on_demand_once_each() {
    let f = Fixture::new();
    append_records(&f.log, 0..20_000);
    append(&f.log, "loose one\n");
    let other = f.beside("OTHER.LOG");
    append_records(&other, 0..300);
    for (last, files) in [(3, vec![f.log.clone()]), (1, vec![f.log.clone(), other])] {
        let mut follower = Follower::open(&files, west(0), last);
        let mut all: Vec<String> = Vec::new();
        let _ = told(&mut follower);
        assert_eq!(follower.has_older(), Some(true));
        let mut calls = 0;
        while follower.has_older() == Some(true) {
            let records = follower.older(500);
            assert!(records.len() <= 500 && !records.is_empty());
            all.splice(0..0, records.iter().map(|r| r.full_text().trim_start_matches("record ").to_owned()));
            calls += 1;
        }
        assert_eq!(follower.has_older(), None);
        assert!(calls >= 40);
        let ours: Vec<_> = (0..20_001 - last).map(|n| n.to_string()).collect();
        if files.len() == 1 {
            assert_eq!(all, ours);
        } else {
            assert_eq!(all.len(), 20_000 + 299);
        }
    }
    let mut whole = f.follow(100_000);
    assert_eq!((told(&mut whole).len(), whole.has_older()), (20_001, None));
}

#[test]
fn of_many_records_as_many_are_told_as_were_asked_for_and_few_at_once() {
    let f = Fixture::new();
    append_records(&f.log, 0..60_000);
    append(&f.log, "not at its end yet");
    for last in [5_001, 40_000, 60_001, 70_000] {
        let mut follower = f.follow(last);
        let first = follower.look().len();
        assert!(first < 10_000 && follower.behind(), "{first} at once");
        let mut rest = Vec::new();
        for _ in 0..4 {
            rest.extend(told(&mut follower));
        }
        assert_eq!(first + rest.len(), last.min(60_001), "{last}");
        assert_eq!(rest.last().unwrap(), "not at its end yet");
        let older = follower.older(1).pop().map(|record| record.full_text());
        assert_eq!(older, 60_001_usize.checked_sub(last + 1).map(|n| format!("record {n}")));
    }
}

#[test]
fn older_records_of_any_length_come_a_few_at_once() {
    let f = Fixture::new();
    let long = format!("{}\n", "x".repeat(60_000)).repeat(200);
    fs::write(&f.log, long).unwrap();
    let mut follower = f.follow(1);
    let _ = told(&mut follower);
    let (mut all, mut most) = (0, 0);
    while follower.has_older() == Some(true) {
        let n = follower.older(2_000).len();
        (all, most) = (all + n, most.max(n));
    }
    assert_eq!(all, 199);
    assert!(most < 40, "{most} at once");
}

#[test]
fn line_numbers_are_those_of_the_file_also_when_only_its_end_is_read() {
    let f = Fixture::new();
    append_records(&f.log, 0..5000);
    let mut follower = f.follow(2);
    let lines: Vec<u64> =
        follower.look().into_iter().map(|e| if let Event::Record(r) = e { r.line } else { 0 }).collect();
    assert_eq!(lines, [4999, 5000]);
}

#[test]
fn half_a_line_is_not_told_until_it_is_whole() {
    let f = Fixture::new();
    append(&f.log, &record(1)[..40]);
    let mut follower = f.follow(10);
    assert!(told(&mut follower).is_empty());
    append(&f.log, &record(1)[40..100]);
    assert!(told(&mut follower).is_empty());
    append(&f.log, &record(1)[100..]);
    assert_eq!(told(&mut follower), ["1"]);
}

#[test]
fn an_unfinished_line_withholds_nothing_and_is_told_as_it_stands() {
    let f = Fixture::new();
    append(&f.log, "");
    let mut follower = f.follow(10);
    append(&f.log, "line one\nline two\nDo you want to continue? [y/N] ");
    assert!(told(&mut follower).is_empty());
    assert_eq!(told(&mut follower), ["line one", "line two"]);
    assert!(told(&mut follower).is_empty());
    assert_eq!(told(&mut follower), ["Do you want to continue? [y/N] "]);
    append(&f.log, "y\nlast\n");
    let mut rest = told(&mut follower);
    rest.extend(told(&mut follower));
    assert_eq!(rest, ["y", "last"]);
}

#[test]
fn the_end_of_a_file_in_utf_16_is_read_as_such() {
    let f = Fixture::new();
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let text: String = (0..3000).map(record).collect();
    fs::write(&f.log, [&b"\xFF\xFE"[..], &wide(&text)].concat()).unwrap();
    let mut follower = f.follow(2);
    assert_eq!(told(&mut follower), ["2998", "2999"]);
    let mut file = OpenOptions::new().append(true).open(&f.log).unwrap();
    file.write_all(&wide(&record(3000))).unwrap();
    assert_eq!(told(&mut follower), ["3000"]);
}

#[test]
fn a_record_that_may_go_on_is_told_after_one_quiet_poll() {
    let f = Fixture::new();
    append(&f.log, "");
    let mut follower = f.follow(10);
    append(&f.log, "[04/09/97 17:11:08] P ==> first\n");
    assert!(told(&mut follower).is_empty());
    append(&f.log, "  goes on\n");
    assert!(told(&mut follower).is_empty());
    assert_eq!(told(&mut follower), ["first\n  goes on"]);
    append(&f.log, "[04/09/97 17:11:08] P ==> second\n");
    let end: Vec<String> = follower
        .finish()
        .into_iter()
        .filter_map(|e| if let Event::Record(r) = e { Some(r.full_text()) } else { None })
        .collect();
    assert_eq!(end, ["second"]);
}

#[test]
fn a_file_that_only_began_like_another_is_told_from_where_it_differs() {
    let f = Fixture::new();
    let banner = "=".repeat(100) + "\n";
    append(&f.log, &banner);
    append_records(&f.log, 0..3);
    let mut follower = f.follow_all(3);
    told(&mut follower);
    let other = f.beside("OTHER.LOG");
    append(&other, &banner);
    assert!(told(&mut follower).is_empty());
    append_records(&other, 3..5);
    assert_eq!(told(&mut follower), ["3", "4"]);
}

#[test]
fn files_that_appear_later_are_followed_from_their_beginning() {
    let f = Fixture::new();
    let mut follower = f.follow_all(5);
    assert!(told(&mut follower).is_empty());
    append_records(&f.beside("a.LOG"), 0..3);
    append_records(&f.beside("b.txt"), 3..6);
    assert_eq!(told(&mut follower), ["0", "1", "2"]);
    assert_eq!(follower.files(), ["a.LOG"]);
}

#[test]
fn one_poll_does_a_bounded_amount_of_work() {
    let f = Fixture::new();
    append_records(&f.log, 0..20_000);
    let mut follower = f.follow(usize::MAX);
    let first = follower.look().len();
    assert!(first > 0 && first < 10_000 && follower.behind());
    assert_eq!(first + told(&mut follower).len(), 20_000);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let f = Fixture::new();
    fs::create_dir(&f.log).unwrap();
    let mut follower = f.follow(1);
    assert_eq!(told(&mut follower), ["P PACMAN.LOG not a regular file"]);
    assert!(told(&mut follower).is_empty(), "said once");
    assert!(told(&mut Follower::open(&["/x*/y.log"], west(0), 1))[0].contains("not a folder"));
}

#[test]
fn a_file_that_is_not_there_is_waited_for() {
    let f = Fixture::new();
    let mut follower = f.follow(1);
    assert!(told(&mut follower).is_empty());
    append_records(&f.log, 0..2);
    assert_eq!(told(&mut follower), ["0", "1"]);
}

#[test]
fn packed_logs_are_not_text() {
    let f = Fixture::new();
    append_records(&f.beside("PACMAN.LOG.2.gz"), 0..2);
    let mut follower = Follower::open(&[f.beside("PACMAN.LOG*")], west(0), 5);
    assert!(told(&mut follower).is_empty());
}

#[test]
fn the_last_records_of_several_files_come_in_the_order_of_time() {
    let f = Fixture::new();
    append_records(&f.beside("a.LOG"), 2..4);
    append_records(&f.beside("b.LOG"), 0..2);
    append_records(&f.beside("b.LOG"), 4..6);
    assert_eq!(told(&mut f.follow_all(10)), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn who_rings_ends_a_wait_also_before_it_began() {
    let (mut watch, bell) = Watch::new().unwrap();
    bell.ring();
    bell.ring();
    assert_eq!(watch.wait(Duration::from_secs(50)), Woken::Rung);
    assert_eq!(watch.wait(Duration::ZERO), Woken::Not);
    std::thread::scope(|scope| {
        scope.spawn(|| bell.ring());
        assert_eq!(watch.wait(Duration::from_secs(50)), Woken::Rung);
    });
}

#[test]
fn what_may_go_on_is_known_as_it_stands_before_it_is_told() {
    let f = Fixture::new();
    append(&f.log, "");
    let mut follower = f.follow(0).raw();
    assert!(told(&mut follower).is_empty() && follower.standing().is_empty());
    let now = Duration::from_secs(60);
    append(&f.log, "[11/28/26 01:02:03] P ==> one\nmore\n[11/28/26 01:02:04] P ==> two\n[11/28/26 01:0");
    let came: Vec<Event> = follower.poll(now).into_iter().flat_map(apart).collect();
    assert!(matches!(&came[..], [Event::Record(one)] if one.full_text() == "one\nmore"), "{came:?}");
    let stands: Vec<String> = follower.standing().iter().map(Record::full_text).collect();
    assert_eq!(stands, ["two"]);
    let came: Vec<Event> =
        follower.poll(now + Duration::from_millis(30)).into_iter().flat_map(apart).collect();
    assert!(matches!(&came[..], [Event::Record(two)] if two.full_text() == "two"), "{came:?}");
    assert!(follower.standing().is_empty());
}
