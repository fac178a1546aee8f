//! Another user of the machine makes, links, cuts, fills and replaces whatever stands where the log does, and beside it.

#[cfg(unix)]
use super::word;
use super::{Fixture, append, append_records, record, told};
use crate::log::follow::Follower;
#[cfg(unix)]
use crate::log::tests::west;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

#[test]
fn what_stands_in_the_place_of_the_log_for_a_while_is_said_once_and_the_log_is_told_when_it_is_back() {
    let f = Fixture::new();
    append_records(&f.log, 0..2);
    let mut follower = f.follow(1);
    assert_eq!(told(&mut follower), ["1"]);
    append_records(&f.log, 2..3);
    fs::rename(&f.log, f.beside("away")).unwrap();
    fs::create_dir(&f.log).unwrap();
    assert_eq!(told(&mut follower), ["P PACMAN.LOG not a regular file", "2", "R"]);
    for _ in 0..5 {
        assert!(told(&mut follower).is_empty());
    }
    fs::remove_dir(&f.log).unwrap();
    append_records(&f.log, 3..5);
    assert_eq!(told(&mut follower), ["3", "4"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_and_a_link_that_leads_nowhere_hold_nobody() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let f = Fixture::new();
    mknodat(CWD, &f.log, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let loops = f.beside("LOOP.LOG");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    append_records(&f.beside("A.LOG"), 0..2);
    let mut follower = Follower::open(&[f.log.clone(), f.beside("*.LOG")], west(0), 9);
    let mut first = told(&mut follower);
    assert_eq!(first.split_off(first.len() - 2), ["0", "1"]);
    assert!(first.len() == 2 && first.iter().all(|said| said.starts_with("P ")), "{first:?}");
    // Of a file whose name is gone that is known, whatever other names lead to.
    fs::rename(f.beside("A.LOG"), f.beside("A.LOG.1")).unwrap();
    append_records(&f.beside("A.LOG"), 2..3);
    assert_eq!(told(&mut follower), ["R", "2"]);
    for _ in 0..110 {
        assert!(told(&mut follower).is_empty());
    }
    assert_eq!(follower.files(), ["A.LOG"]);
    assert_eq!(follower.watched().2.count(), 0, "nothing is held of it any more");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_that_it_is_empty_and_has_no_end_is_not_read() {
    let f = Fixture::new();
    std::os::unix::fs::symlink("/proc/self/status", &f.log).unwrap();
    let mut follower = f.follow(9);
    for _ in 0..5 {
        assert!(told(&mut follower).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_that_it_holds_more_than_it_does_is_not_read_again_and_again() {
    let cpus = std::path::Path::new("/sys/devices/system/cpu/possible");
    let says = cpus.metadata().map_or(0, |meta| meta.len());
    let holds = fs::read_to_string(cpus).unwrap_or_default();
    if holds.is_empty() || says <= holds.len() as u64 {
        return crate::skipped("no file here says that it holds more than it does");
    }
    let f = Fixture::new();
    std::os::unix::fs::symlink(cpus, &f.log).unwrap();
    let mut follower = f.follow(usize::MAX);
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(follower.look().into_iter().map(word));
        assert!(!follower.behind(), "it looks for what is not there without a rest");
    }
    assert_eq!(all, [holds.trim_end()]);
    let mut follower = f.follow(0);
    for _ in 0..3 {
        assert!(follower.look().is_empty() && !follower.behind());
    }
}

#[test]
fn a_terabyte_of_nothing_is_passed_at_once() {
    // Where nothing stood before, and behind what was read.
    for lines in [0, 3] {
        let f = Fixture::new();
        append(&f.log, "");
        append_records(&f.log, 0..lines);
        let mut follower = f.follow(9);
        assert_eq!(told(&mut follower).len(), lines);
        let mut file = OpenOptions::new().write(true).open(&f.log).unwrap();
        if file.set_len(1 << 40).is_err() {
            return crate::skipped("the temporary folder has no sparse files of a terabyte");
        }
        let polls = |follower: &mut Follower| {
            let mut polls = 0;
            while { follower.look().len() + usize::from(follower.behind()) } > 0 {
                polls += 1;
                assert!(polls < 10, "it is read byte by byte");
            }
        };
        polls(&mut follower);
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(record(7).as_bytes()).unwrap();
        let mut rest = told(&mut follower);
        rest.extend(told(&mut follower));
        assert_eq!(rest, ["7"], "{lines}");
    }
}

/// A hole that half a line stands before ends a look, also where nothing was read before it. What was written under the name
/// afterwards is newer than what is behind it.
#[test]
fn what_is_behind_a_hole_comes_before_what_follows_the_file() {
    for seen in [false, true] {
        let f = Fixture::new();
        append(&f.log, "");
        let mut follower = f.follow(0);
        assert!(told(&mut follower).is_empty());
        let mut file = OpenOptions::new().append(true).open(&f.log).unwrap();
        file.write_all(b"half a line").unwrap();
        file.set_len(4096).unwrap();
        if seen {
            assert!(told(&mut follower).is_empty());
        }
        file.set_len(64 << 20).unwrap();
        file.write_all(record(7).as_bytes()).unwrap();
        fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
        append_records(&f.log, 8..9);
        let all = told(&mut follower);
        let words: Vec<_> = all.iter().map(|told| told.trim_end_matches('\0')).collect();
        assert_eq!(words, ["half a line", "7", "R", "8"], "{seen}");
    }
}

#[test]
fn who_fills_the_folder_with_files_does_not_hide_the_log_nor_say_a_thing_twice() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut follower = f.follow_all(9);
    assert_eq!(told(&mut follower), ["0"]);
    for n in 0..400 {
        append(
            &f.beside(&format!("A{n:04}.LOG")),
            &format!("this is a file of its own, and among all of the others it has the number {n:09}\n"),
        );
    }
    append_records(&f.log, 1..2);
    let mut all = Vec::new();
    for _ in 0..40 {
        all.extend(told(&mut follower));
    }
    let said: Vec<_> = all.iter().filter(|said| said.starts_with("P ")).collect();
    assert!(
        said.len() == 1 && said[0].ends_with("256 files match: not all of them are followed"),
        "{said:?}"
    );
    assert!(all.contains(&"1".to_owned()));
    assert_eq!((follower.files().len(), all.len()), (256, 257));
}

#[test]
fn more_names_than_are_gone_through_are_said_and_the_log_is_followed_on() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut follower = f.follow_all(9);
    assert_eq!(told(&mut follower), ["0"]);
    // As many as are gone through in tests, and more.
    (0..3_500).for_each(|n| drop(File::create(f.beside(&format!("{n}.LOG"))).unwrap()));
    append_records(&f.log, 1..2);
    let mut all = Vec::new();
    for _ in 0..105 {
        all.extend(told(&mut follower));
    }
    let (said, rest): (Vec<_>, Vec<_>) = all.iter().partition(|said| said.starts_with("P "));
    assert_eq!(rest, ["1"]);
    assert!(said.len() == 1 && said[0].contains("too many files"), "{said:?}");
    append_records(&f.log, 2..3);
    assert_eq!(told(&mut follower), ["2"], "half a minute later it is still followed");
    // Its name is known although not all names are.
    fs::rename(&f.log, f.beside("PACMAN.OLD")).unwrap();
    assert_eq!(told(&mut follower), ["R"]);
    for _ in 0..105 {
        assert!(told(&mut follower).is_empty());
    }
    assert_eq!(follower.watched().2.count(), 0, "nothing is held of it any more");
    assert!(follower.files().is_empty());
}

#[test]
fn a_thousand_files_that_cannot_be_read_are_not_said_again_and_again() {
    let f = Fixture::new();
    #[cfg(unix)]
    for n in 0..1_000 {
        std::os::unix::fs::symlink(f.log.parent().unwrap(), f.beside(&format!("{n:04}.LOG"))).unwrap();
    }
    append_records(&f.log, 0..1);
    let mut follower = f.follow_all(9);
    let first = told(&mut follower);
    assert!(first.len() <= 102 && first.contains(&"0".to_owned()), "{}", first.len());
    for _ in 0..3 {
        assert!(told(&mut follower).is_empty());
    }
}

#[test]
fn logs_that_begin_alike_are_not_taken_for_copies_of_each_other() {
    let banner = format!("{}\n", "=".repeat(99)).repeat(40);
    let f = Fixture::new();
    append(&f.log, &banner);
    append_records(&f.log, 0..100);
    let mut follower = f.follow_all(1);
    assert_eq!(told(&mut follower), ["99"]);
    // Between two looks it is cut, written, copied to a name that is followed, and cut again.
    fs::write(&f.log, &banner).unwrap();
    append_records(&f.log, 100..103);
    fs::copy(&f.log, f.beside("PACMAN-2.LOG")).unwrap();
    fs::write(&f.log, &banner).unwrap();
    append_records(&f.log, 103..104);
    let mut all = told(&mut follower);
    all.extend(told(&mut follower));
    for n in 100..104 {
        let n = n.to_string();
        assert_eq!(all.iter().filter(|told| **told == n).count(), 1, "{n}: {all:?}");
    }
    assert!(all.contains(&"T".to_owned()), "what else was written to it is not known");
}
