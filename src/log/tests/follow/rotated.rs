//! Files that are renamed, copied, cut, rewritten, deleted and made again while they are followed.

use super::{Fixture, append, append_records, numbers, record, told, word};
use crate::log::follow::{Event, Follower, rotated};
use crate::log::tests::{at, west};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

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
        assert_eq!(all, numbers(0..50), "{look}");
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
    assert_eq!(all, numbers(0..50));
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
            assert_eq!(got, numbers(10..30), "{name} {all}");
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
fn a_copy_that_is_written_over_before_the_log_was_looked_at_again_is_told_once() {
    for looks in 0..2 {
        let f = Fixture::new();
        append(&f.log, "");
        let mut follower = f.follow(0);
        told(&mut follower);
        append_records(&f.log, 0..10);
        assert_eq!(told(&mut follower).len(), 10);
        let copy = || assert!(fs::copy(&f.log, f.beside("PACMAN.LOG.1")).unwrap() > 0);
        copy();
        fs::write(&f.log, "").unwrap();
        assert_eq!(told(&mut follower), ["C"]);
        for _ in 0..looks {
            assert!(told(&mut follower).is_empty());
        }
        append_records(&f.log, 10..20);
        copy();
        assert_eq!(told(&mut follower), numbers(10..20), "{looks}");
        // The same between two looks: what was between them is gone with the copy, which is said once.
        fs::write(&f.log, "").unwrap();
        append_records(&f.log, 20..30);
        copy();
        let mut got = told(&mut follower);
        assert_eq!(got.remove(0), "T", "{looks}");
        assert_eq!(got, numbers(20..30), "{looks}");
    }
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
        want.extend(numbers(20..30 + more));
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
            let words = events.into_iter().map(word).filter(|word| word != "R");
            got.extend(words.map(|word| word.parse::<usize>().unwrap()));
        };
        std::thread::scope(|scope| {
            let (done, dir) = (&done, f.log.parent().unwrap());
            scope.spawn(move || {
                let mut log =
                    PacmanLog::open(dir, "PACMAN.LOG", crate::log::write::LogFormat::Cmtrace, 6000, 1000)
                        .unwrap();
                for n in 0..2000 {
                    log.log(Level::Info, "c", &n.to_string().into(), at("2026-11-22T14:00:00Z"), 0).unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                take(follower.look());
            }
        });
        for _ in 0..5 {
            take(follower.look());
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
fn a_writer_that_never_hears_of_the_rotation_is_followed_as_long_as_it_writes() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut follower = f.follow(1);
    assert_eq!(told(&mut follower), ["0"]);
    let old = f.beside("PACMAN.LOG.1");
    fs::rename(&f.log, &old).unwrap();
    assert_eq!(told(&mut follower), ["R"]);
    // A minute of it, of which half would be enough to be given up.
    for n in 1..200 {
        append_records(&old, n..n + 1);
        assert_eq!(told(&mut follower), [n.to_string()]);
    }
    append_records(&f.log, 200..201);
    assert_eq!(told(&mut follower), ["200"]);
    for _ in 0..110 {
        assert!(told(&mut follower).is_empty());
    }
    append_records(&old, 201..202);
    assert!(told(&mut follower).is_empty(), "nothing came for half a minute");
}

/// More of it than one look reads, by a reader who is held up for longer than a file without a name is waited for.
#[test]
fn a_renamed_log_is_read_to_its_end_however_late() {
    // Alone, and with one behind it that is renamed as well while it waits for its turn.
    for second in [0..0, 15_000..15_010] {
        let f = Fixture::new();
        append(&f.log, "");
        let mut follower = f.follow(0);
        assert!(told(&mut follower).is_empty());
        append_records(&f.log, 0..15_000);
        fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
        append_records(&f.log, second.clone());
        let (mut now, mut got) = (Duration::from_secs(60), Vec::new());
        loop {
            got.extend(follower.poll(now).into_iter().map(word));
            if !follower.behind() {
                break;
            }
            if f.log.exists() {
                fs::rename(&f.log, f.beside("PACMAN.LOG.2")).unwrap();
            }
            now += Duration::from_secs(40);
        }
        let mut want = Vec::new();
        for numbers in [0..15_000, second].into_iter().filter(|numbers| !numbers.is_empty()) {
            want.extend(super::numbers(numbers));
            want.push("R".to_owned());
        }
        assert!(got == want, "{} of {}, the last of them {:?}", got.len(), want.len(), got.last());
    }
}

#[test]
fn what_follows_a_renamed_log_waits_until_that_is_read_to_its_end() {
    for all in [false, true] {
        let f = Fixture::new();
        append(&f.log, "");
        let pattern = if all { "PACMAN*" } else { "PACMAN.LOG" };
        let mut follower = Follower::open(&[f.beside(pattern)], west(0), 0);
        assert!(told(&mut follower).is_empty());
        // One rotation before the first look, and one while the rest is read.
        append_records(&f.log, 0..10_000);
        fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
        append_records(&f.log, 10_000..20_000);
        let mut got: Vec<String> = follower.look().into_iter().map(word).collect();
        assert!(follower.behind());
        fs::rename(&f.log, f.beside("PACMAN.LOG.2")).unwrap();
        append_records(&f.log, 20_000..20_010);
        got.extend(told(&mut follower));
        got.retain(|word| word != "R");
        let want = numbers(0..20_010);
        let other = got.iter().zip(&want).find(|(got, want)| got != want);
        assert!(got == want, "{all}: {} of {}, the first that differs: {other:?}", got.len(), want.len());
    }
}

/// What waits for its turn is not read yet, and is cut meanwhile.
#[test]
fn what_is_cut_while_it_waits_is_said_or_read_in_its_copy() {
    for copied in [false, true] {
        let f = Fixture::new();
        append(&f.log, "");
        let mut follower = f.follow(0);
        assert!(told(&mut follower).is_empty());
        append_records(&f.log, 0..10_000);
        fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
        append_records(&f.log, 10_000..10_010);
        follower.look();
        assert!(follower.behind());
        if copied {
            fs::copy(&f.log, f.beside("PACMAN.LOG.2")).unwrap();
        }
        fs::write(&f.log, record(10_010)).unwrap();
        let mut rest = told(&mut follower);
        rest.extend(told(&mut follower));
        let rotated = rest.iter().position(|told| told == "R").unwrap();
        let mut want = numbers(10_000..10_010);
        want.push("C".to_owned());
        if !copied {
            want = vec!["T".to_owned()];
        }
        want.push("10010".to_owned());
        assert_eq!(rest[rotated + 1..], want[..], "{copied}");
    }
}
