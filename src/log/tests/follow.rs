//! Real files, rotated in every way.

use super::west;
use crate::log::follow::{Cursor, Event, Follower, rotated};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

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

/// What polling tells until nothing is left, in words: `7` for record 7, `R` for rotated, `T` for truncated, `C` where a copy was found.
fn told(follower: &mut Follower) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        for event in follower.poll() {
            told.push(match event {
                Event::Record(r) => r.full_text().trim_start_matches("record ").to_owned(),
                Event::Rotated { .. } => "R".to_owned(),
                Event::Truncated { copy: None, .. } => "T".to_owned(),
                Event::Truncated { .. } => "C".to_owned(),
                Event::Problem { file, message } => format!("P {file} {message}"),
            });
        }
        if !follower.behind() {
            return told;
        }
    }
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
fn what_is_older_is_not_denied_after_a_rotation() {
    // Renamed to what no pattern names; copied and cut; cut.
    for how in 0..3 {
        let f = Fixture::new();
        append_records(&f.log, 0..2_000);
        let mut follower = f.follow(3);
        assert_eq!((told(&mut follower).len(), follower.has_older()), (3, Some(true)));
        match how {
            0 => fs::rename(&f.log, f.beside("PACMAN.lo_")).unwrap(),
            1 => drop(fs::copy(&f.log, f.beside("PACMAN.lo_")).unwrap()),
            _ => {}
        }
        fs::write(&f.log, record(2_000)).unwrap();
        let _ = told(&mut follower);
        assert_eq!(follower.has_older(), Some(how < 2), "{how}");
        if how == 1 {
            let last = follower.older(1).pop().unwrap();
            assert_eq!(last.full_text(), "record 1996", "the copy holds it at the same place");
        }
        for _ in 0..102 {
            let _ = told(&mut follower);
        }
        assert_eq!(follower.has_older(), Some(false), "{how}");
        assert!(follower.older(10).is_empty());
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
        follower.poll().into_iter().map(|e| if let Event::Record(r) = e { r.line } else { 0 }).collect();
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
fn renaming_loses_and_doubles_nothing() {
    for name in ["PACMAN.LOG.1", "PACMAN-20261122-140158.LOG", "elsewhere.txt"] {
        for all in [false, true] {
            let f = Fixture::new();
            append_records(&f.log, 0..10);
            let mut follower = if all { f.follow_all(5) } else { f.follow(5) };
            assert_eq!(told(&mut follower), ["5", "6", "7", "8", "9"]);
            append_records(&f.log, 10..12);
            fs::rename(&f.log, f.beside(name)).unwrap();
            append_records(&f.log, 12..14);
            assert_eq!(told(&mut follower), ["10", "11", "R", "12", "13"], "{name} {all}");
            append_records(&f.beside(name), 14..15);
            append_records(&f.log, 15..16);
            let mut rest = told(&mut follower);
            rest.sort();
            assert_eq!(rest, ["14", "15"], "the writer did not know yet");
        }
    }
}

#[test]
fn a_log_that_is_copied_to_the_same_name_again_and_again_is_told_once() {
    // Looked at between copying and truncating, after both, or in the middle of copying.
    for look in 0..3 {
        let f = Fixture::new();
        append(&f.log, "");
        let mut follower = f.follow(0);
        let mut all = told(&mut follower);
        for round in 0..5 {
            append_records(&f.log, round * 10..round * 10 + 10);
            all.extend(told(&mut follower));
            let copy = f.beside("PACMAN.LOG.1");
            let bytes = fs::read(&f.log).unwrap();
            if look == 2 {
                fs::write(&copy, &bytes[..bytes.len() / 2]).unwrap();
                all.extend(told(&mut follower));
            }
            fs::write(&copy, &bytes).unwrap();
            if look != 1 {
                all.extend(told(&mut follower));
            }
            fs::write(&f.log, "").unwrap();
            all.extend(told(&mut follower));
        }
        all.retain(|told| told != "C");
        assert_eq!(all, (0..50).map(|n| n.to_string()).collect::<Vec<_>>(), "{look}");
    }
}

#[test]
fn a_chain_of_renamed_files_is_told_once() {
    let f = Fixture::new();
    let mut follower = Follower::open(&[f.beside("PACMAN.LOG*")], west(0), 5);
    let mut all = Vec::new();
    for turn in 0..5 {
        append_records(&f.log, turn * 10..turn * 10 + 7);
        all.extend(told(&mut follower));
        append_records(&f.log, turn * 10 + 7..turn * 10 + 10);
        for n in (1..4).rev() {
            let from = f.beside(&format!("PACMAN.LOG.{n}"));
            if from.exists() {
                fs::rename(from, f.beside(&format!("PACMAN.LOG.{}", n + 1))).unwrap();
            }
        }
        fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    }
    all.extend(told(&mut follower));
    all.retain(|word| word != "R");
    assert_eq!(all, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn copying_and_truncating_loses_nothing_where_the_copy_is_beside_it() {
    for name in ["PACMAN.LOG.1", "PACMAN-20261122-140158.LOG"] {
        for all in [false, true] {
            let f = Fixture::new();
            append_records(&f.log, 0..10);
            let mut follower = if all { f.follow_all(2) } else { f.follow(2) };
            assert_eq!(told(&mut follower), ["8", "9"]);
            append_records(&f.log, 10..13);
            fs::copy(&f.log, f.beside(name)).unwrap();
            OpenOptions::new().write(true).open(&f.log).unwrap().set_len(0).unwrap();
            append_records(&f.log, 13..30);
            let mut got = told(&mut follower);
            let at = got.iter().position(|w| w == "C").unwrap();
            got.remove(at);
            assert_eq!(got, (10..30).map(|n| n.to_string()).collect::<Vec<_>>(), "{name} {all}");
            assert!(told(&mut follower).is_empty());
            append_records(&f.log, 30..31);
            assert_eq!(told(&mut follower), ["30"]);
        }
    }
}

#[test]
fn a_copy_that_is_seen_before_the_truncation_is_not_told_again() {
    let f = Fixture::new();
    append_records(&f.log, 0..10);
    let mut follower = f.follow_all(2);
    told(&mut follower);
    append_records(&f.log, 10..13);
    let copy = f.beside("PACMAN-1.LOG");
    // Half of it first, as a slow copy would be.
    let bytes = fs::read(&f.log).unwrap();
    append(&copy, std::str::from_utf8(&bytes[..700]).unwrap());
    assert_eq!(told(&mut follower), ["10", "11", "12"]);
    append(&copy, std::str::from_utf8(&bytes[700..]).unwrap());
    assert!(told(&mut follower).is_empty());
    OpenOptions::new().write(true).open(&f.log).unwrap().set_len(0).unwrap();
    assert_eq!(told(&mut follower), ["C"]);
    append_records(&f.log, 13..14);
    assert_eq!(told(&mut follower), ["13"]);
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
fn truncating_without_a_copy_is_said() {
    let f = Fixture::new();
    append_records(&f.log, 0..10);
    let mut follower = f.follow(1);
    assert_eq!(told(&mut follower), ["9"]);
    fs::write(&f.log, record(10)).unwrap();
    assert_eq!(told(&mut follower), ["T", "10"]);
    append_records(&f.log, 11..12);
    assert_eq!(told(&mut follower), ["11"]);
}

#[test]
fn rewriting_at_the_same_size_or_longer_is_noticed() {
    for more in [0, 1, 50] {
        let f = Fixture::new();
        append_records(&f.log, 10..20);
        let mut follower = f.follow(1);
        assert_eq!(told(&mut follower), ["19"]);
        let text: String = (20..30 + more).map(record).collect();
        // In place: the same inode, never shorter at any time that a poll could see.
        OpenOptions::new().write(true).open(&f.log).unwrap().write_all(text.as_bytes()).unwrap();
        let mut want = vec!["T".to_owned()];
        want.extend((20..30 + more).map(|n| n.to_string()));
        assert_eq!(told(&mut follower), want);
    }
}

#[test]
fn losing_its_end_does_not_tell_the_rest_again() {
    let f = Fixture::new();
    append_records(&f.log, 0..50);
    let mut follower = f.follow(1);
    told(&mut follower);
    let keep = (0..40).map(record).collect::<String>().len() as u64;
    OpenOptions::new().write(true).open(&f.log).unwrap().set_len(keep).unwrap();
    assert_eq!(told(&mut follower), ["T"]);
    append_records(&f.log, 50..51);
    assert_eq!(told(&mut follower), ["50"]);
}

#[test]
fn deleting_and_making_again_loses_and_doubles_nothing() {
    let f = Fixture::new();
    append_records(&f.log, 0..3);
    let mut follower = f.follow(9);
    assert_eq!(told(&mut follower), ["0", "1", "2"]);
    append_records(&f.log, 3..4);
    fs::remove_file(&f.log).unwrap();
    append_records(&f.log, 4..6);
    assert_eq!(told(&mut follower), ["3", "R", "4", "5"]);
    fs::remove_file(&f.log).unwrap();
    assert_eq!(told(&mut follower), ["R"]);
    append_records(&f.log, 6..7);
    assert_eq!(told(&mut follower), ["6"]);
}

#[test]
fn replacing_a_file_by_a_longer_one_tells_only_what_was_added() {
    let f = Fixture::new();
    append_records(&f.log, 0..5);
    let mut follower = f.follow(1);
    told(&mut follower);
    let new = f.beside("new");
    append_records(&new, 0..7);
    fs::rename(&new, &f.log).unwrap();
    let mut got = told(&mut follower);
    got.extend(told(&mut follower));
    assert_eq!(got, ["R", "5", "6"]);
}

#[test]
fn a_hole_left_by_a_writer_that_does_not_append_is_not_text() {
    use std::io::{Seek, SeekFrom};
    let f = Fixture::new();
    append_records(&f.log, 0..5);
    let mut follower = f.follow(1);
    told(&mut follower);
    let mut file = OpenOptions::new().write(true).open(&f.log).unwrap();
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(100_000)).unwrap();
    file.write_all(record(5).as_bytes()).unwrap();
    assert_eq!(told(&mut follower), ["T", "5"]);
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
    let first = follower.poll().len();
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
fn a_file_rotated_before_anybody_saw_it_is_told_too() {
    for chain in [false, true] {
        let f = Fixture::new();
        append_records(&f.log, 0..2);
        append_records(&f.beside("PACMAN.LOG.old"), 90..95);
        let mut follower = f.follow(2);
        assert_eq!(told(&mut follower), ["0", "1"]);
        append_records(&f.log, 2..3);
        for (n, name) in ["PACMAN-20261122-140158.LOG", "PACMAN-20261122-140159.LOG"].iter().enumerate() {
            if chain && f.beside("PACMAN.LOG.1").exists() {
                fs::rename(f.beside("PACMAN.LOG.1"), f.beside("PACMAN.LOG.2")).unwrap();
            }
            let name = if chain { "PACMAN.LOG.1" } else { name };
            fs::rename(&f.log, f.beside(name)).unwrap();
            append_records(&f.log, 3 + n..4 + n);
        }
        assert_eq!(told(&mut follower), ["2", "R", "3", "4"]);
        append_records(&f.log, 5..6);
        assert_eq!(told(&mut follower), ["5"]);
    }
}

#[test]
fn the_last_records_of_several_files_come_in_the_order_of_time() {
    let f = Fixture::new();
    append_records(&f.beside("a.LOG"), 2..4);
    append_records(&f.beside("b.LOG"), 0..2);
    append_records(&f.beside("b.LOG"), 4..6);
    assert_eq!(told(&mut f.follow_all(10)), ["0", "1", "2", "3", "4", "5"]);
}

/// The writer rotates as fast as it can while the reader looks as often as it can.
#[test]
fn a_writer_that_rotates_while_it_is_followed_loses_and_doubles_nothing() {
    use crate::log::{Level, write::PacmanLog};
    for pattern in ["PACMAN.LOG", "*.LOG"] {
        let f = Fixture::new();
        let mut follower = Follower::open(&[f.beside(pattern)], west(0), 0);
        let done = std::sync::atomic::AtomicBool::new(false);
        let mut got: Vec<usize> = Vec::new();
        let mut take = |events: Vec<Event>| {
            for event in events {
                match event {
                    Event::Record(r) => got.push(r.full_text().parse().unwrap()),
                    Event::Rotated { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        std::thread::scope(|scope| {
            let (done, dir) = (&done, f.log.parent().unwrap());
            scope.spawn(move || {
                let mut log =
                    PacmanLog::open(dir, "PACMAN.LOG", crate::log::write::LogFormat::Cmtrace, 6000, 1000)
                        .unwrap();
                for n in 0..2000 {
                    log.log(Level::Info, "c", &n.to_string().into(), super::at("2026-11-22T14:00:00Z"), 0)
                        .unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                take(follower.poll());
            }
        });
        for _ in 0..5 {
            take(follower.poll());
        }
        got.sort_unstable();
        let missing: Vec<_> = (0..2000).filter(|n| got.binary_search(n).is_err()).collect();
        let doubled: Vec<_> = got.windows(2).filter(|two| two[0] == two[1]).collect();
        assert!(
            missing.is_empty() && doubled.is_empty(),
            "{pattern}: missing {missing:?}, doubled {doubled:?}"
        );
    }
}

#[test]
fn what_was_rotated_away_comes_in_the_order_in_which_it_was_written() {
    let f = Fixture::new();
    let oldest_first = ["PACMAN.LOG.10", "PACMAN.LOG.9.gz", "PACMAN.LOG.2", "PACMAN.LOG.1", "PACMAN.lo_"];
    for (age, name) in oldest_first.iter().rev().enumerate() {
        let file = fs::File::create(f.beside(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age as u64))
            .unwrap();
    }
    assert_eq!(rotated(&f.log), oldest_first.map(|name| f.beside(name)));
}

/// What a follower tells that goes on where another one was after its last poll.
fn resumed(f: &Fixture, cursors: &[Cursor]) -> Vec<String> {
    // They come back over a wire.
    let text = serde_json::to_string(cursors).unwrap();
    let cursors: Vec<Cursor> = serde_json::from_str(&text).unwrap();
    let mut follower = Follower::resume(&[&f.log], west(0), &cursors);
    let mut events = told(&mut follower);
    // What may get further lines is given out once nothing has come for a poll.
    events.extend(told(&mut follower));
    events
}

/// The log with so many records, of which a follower has told all.
fn read_up_to(records: usize) -> (Fixture, Vec<Cursor>) {
    let f = Fixture::new();
    append_records(&f.log, 0..records);
    let mut follower = f.follow(2);
    assert_eq!(told(&mut follower).len(), 2);
    let cursors = follower.cursors();
    assert_eq!(cursors.len(), 1);
    (f, cursors)
}

fn numbers(of: std::ops::Range<usize>) -> Vec<String> {
    of.map(|n| n.to_string()).collect()
}

#[test]
fn another_follower_goes_on_where_one_was_cut_off() {
    let (f, cursors) = read_up_to(5);
    assert_eq!(resumed(&f, &cursors), [""; 0]);
    append_records(&f.log, 5..9);
    assert_eq!(resumed(&f, &cursors), numbers(5..9));
    let half = record(9);
    append(&f.log, &half[..40]);
    let mut follower = Follower::resume(&[&f.log], west(0), &cursors);
    assert_eq!(told(&mut follower), numbers(5..9));
    let cursors = follower.cursors();
    append(&f.log, &half[40..]);
    assert_eq!(resumed(&f, &cursors), ["9"], "a record that was half there is told once, and whole");
}

#[test]
fn what_was_rotated_while_nobody_followed_is_read_to_its_end_first() {
    for rotations in 1..4 {
        let (f, cursors) = read_up_to(20);
        append_records(&f.log, 20..30);
        for n in 0..rotations {
            for from in (1..=n).rev() {
                let name = |n: usize| f.beside(&format!("PACMAN.LOG.{n}"));
                fs::rename(name(from), name(from + 1)).unwrap();
            }
            fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
            append_records(&f.log, 30 + 10 * n..40 + 10 * n);
        }
        let mut told = resumed(&f, &cursors);
        told.sort_by_key(|n| n.parse::<usize>().unwrap());
        assert_eq!(told, numbers(20..30 + 10 * rotations), "{rotations} rotations");
    }
}

#[test]
fn a_log_that_was_copied_and_cut_meanwhile_goes_on_in_its_copy() {
    let (f, cursors) = read_up_to(20);
    append_records(&f.log, 20..30);
    fs::copy(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    fs::write(&f.log, "").unwrap();
    append_records(&f.log, 30..35);
    let mut told = resumed(&f, &cursors);
    told.sort_by_key(|n| n.parse::<usize>().unwrap());
    assert_eq!(told, numbers(20..35));
}

#[test]
fn what_cannot_be_found_any_more_is_told_as_missing() {
    let (f, cursors) = read_up_to(20);
    fs::write(&f.log, "").unwrap();
    append_records(&f.log, 40..42);
    assert_eq!(resumed(&f, &cursors), ["T", "40", "41"], "rewritten in its place");
    let (f, cursors) = read_up_to(20);
    fs::remove_file(&f.log).unwrap();
    assert_eq!(resumed(&f, &cursors), ["T"]);
    append_records(&f.log, 50..51);
    assert_eq!(resumed(&f, &cursors), ["T", "50"]);
    let (f, cursors) = read_up_to(20);
    let whole = fs::read(&f.log).unwrap();
    fs::write(&f.log, &whole[..whole.len() / 2]).unwrap();
    let told = resumed(&f, &cursors);
    assert_eq!(told[0], "T", "its end was cut off: {told:?}");
}
