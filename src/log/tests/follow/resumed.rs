//! A follower that goes on where another one was cut off.

use super::{Fixture, append, append_records, numbers, record, told};
use crate::log::follow::{Cursor, Follower};
use crate::log::tests::west;
use std::fs;
use std::io::{Seek, SeekFrom, Write};

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
fn more_than_one_look_reads_of_what_was_rotated_comes_in_its_order() {
    let (f, cursors) = read_up_to(20);
    append_records(&f.log, 20..10_000);
    fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    append_records(&f.log, 10_000..20_000);
    fs::rename(&f.log, f.beside("PACMAN.LOG.2")).unwrap();
    append_records(&f.log, 20_000..20_010);
    let told = resumed(&f, &cursors);
    let want = numbers(20..20_010);
    let other = told.iter().zip(&want).find(|(told, want)| told != want);
    assert!(told == want, "{} of {}, the first that differs: {other:?}", told.len(), want.len());
}

#[test]
fn a_log_that_was_copied_and_cut_meanwhile_goes_on_in_its_copy() {
    let (f, cursors) = read_up_to(20);
    append_records(&f.log, 20..30);
    fs::copy(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    fs::write(&f.log, "").unwrap();
    append_records(&f.log, 30..35);
    let mut told = resumed(&f, &cursors);
    // What came after the copy may be missing, which is said where the copy ends.
    assert_eq!(told.remove(10), "C", "{told:?}");
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

/// It has no other name than that which rotation gave it.
#[test]
fn what_was_rotated_before_it_was_seen_is_not_told_again_nor_said_to_be_missing() {
    let (f, _) = read_up_to(5);
    let mut follower = f.follow(0);
    assert!(told(&mut follower).is_empty());
    fs::rename(&f.log, f.beside("PACMAN.LOG.2")).unwrap();
    append_records(&f.log, 5..7);
    fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    append_records(&f.log, 7..9);
    assert_eq!(told(&mut follower), ["R", "5", "6", "7", "8"]);
    let cursors = follower.cursors();
    assert_eq!((cursors.len(), resumed(&f, &cursors)), (3, Vec::new()));
}

/// A connection that is cut long after a rotation: whoever asks again knows of more files than there are.
#[test]
fn of_what_was_read_to_its_end_before_it_was_deleted_nothing_is_missing() {
    let (f, before) = read_up_to(20);
    fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    append_records(&f.log, 20..25);
    let mut follower = Follower::resume(&[&f.log], west(0), &before);
    assert_eq!(told(&mut follower).last().unwrap(), "24");
    let [old, new] = <[Cursor; 2]>::try_from(follower.cursors()).unwrap();
    assert!(resumed(&f, &[old.clone(), new.clone()]).is_empty(), "it is still there");
    fs::remove_file(f.beside("PACMAN.LOG.1")).unwrap();
    append_records(&f.log, 25..26);
    let both = [old.clone(), new.clone()];
    assert_eq!(resumed(&f, &both), ["25"]);
    // Something came to the old one later, of which there may be more.
    assert_eq!(resumed(&f, &[new.clone(), old.clone()]), ["T", "25"]);
    // Nothing was told of the new one yet.
    let begun = Follower::resume(&[&f.log], west(0), &[]).cursors().pop().unwrap();
    let all = resumed(&f, &[old, begun]);
    assert_eq!((all[0].as_str(), &all[1..]), ("T", &numbers(20..26)[..]));
    // Where two logs have the name, it may have been the other one.
    let other = f.beside("other");
    fs::create_dir(&other).unwrap();
    let mut follower = Follower::resume(&[&f.log, &other.join("PACMAN.LOG")], west(0), &both);
    assert_eq!(told(&mut follower), ["T", "25"]);
    // It is the new one that is gone: one gap, however many files are.
    fs::write(&f.log, record(30)).unwrap();
    assert_eq!(resumed(&f, &both), ["T", "30"]);
}

#[test]
fn half_a_line_before_a_hole_is_told_once_also_to_who_goes_on() {
    for lines in [0, 3] {
        let f = Fixture::new();
        append(&f.log, "");
        append_records(&f.log, 0..lines);
        let mut follower = f.follow(9);
        assert_eq!(told(&mut follower).len(), lines);
        append(&f.log, "half a line");
        let mut first = told(&mut follower);
        let mut file = fs::OpenOptions::new().write(true).open(&f.log).unwrap();
        file.set_len(1 << 30).unwrap();
        let mut looks = 0;
        while {
            first.extend(told(&mut follower));
            follower.behind()
        } || looks < 2
        {
            looks += 1;
        }
        let cursors = follower.cursors();
        assert!(cursors[0].at <= 1 << 30);
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(record(7).as_bytes()).unwrap();
        let mut rest = resumed(&f, &cursors);
        assert_eq!(rest.pop().as_deref(), Some("7"), "{lines}");
        first.append(&mut rest);
        let halves: Vec<_> = first.iter().map(|told| told.trim_end_matches('\0')).collect();
        assert_eq!(halves, ["half a line"], "{lines}");
    }
}
