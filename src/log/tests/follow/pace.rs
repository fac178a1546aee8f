//! Following without looking: the system tells of what changes, and where it does not, looks are counted.

use super::{Fixture, append, append_records, record, word};
use crate::host::tail::{Bell, Watch, Woken};
use crate::log::follow::{Follower, Pace};
use std::fs;
use std::time::{Duration, Instant};

struct Looking {
    follower: Follower,
    pace: Pace,
    _bell: Bell,
}

impl Looking {
    fn at(follower: Follower) -> Looking {
        let (watch, bell) = Watch::new().unwrap();
        Looking { follower, pace: Pace::new(watch), _bell: bell }
    }

    /// Looks until this has been told, and by what each look was caused.
    fn until(&mut self, wanted: &[impl AsRef<str>]) -> Vec<Woken> {
        let (mut told, mut woken) = (Vec::new(), Vec::new());
        let began = Instant::now();
        while told.len() < wanted.len() {
            assert!(began.elapsed() < Duration::from_secs(50), "{told:?} {woken:?}");
            told.extend(self.pace.poll(&mut self.follower).into_iter().map(word));
            told.retain(|word| word != "R");
            if told.len() < wanted.len() {
                self.pace.wait(&self.follower);
                woken.push(self.pace.woken());
            }
        }
        assert!(told.iter().eq(wanted.iter().map(AsRef::as_ref)), "{told:?}");
        woken
    }

    /// Looks until there is nothing to be done without a change.
    fn settle(&mut self) {
        loop {
            assert!(self.pace.poll(&mut self.follower).is_empty());
            if self.follower.due().is_none() && self.pace.is_quiet() {
                return;
            }
            self.pace.wait(&self.follower);
        }
    }
}

/// A wait that nothing ends by itself within the test ends by what was done before it.
#[test]
fn what_is_written_cut_renamed_or_made_wakes_and_nothing_else_does() {
    let f = Fixture::new();
    append_records(&f.log, 0..2);
    let mut looking = Looking::at(f.follow(1));
    looking.until(&["1"]);
    looking.settle();
    append_records(&f.log, 2..3);
    assert!(!looking.until(&["2"]).contains(&Woken::Not), "the time was over first");
    looking.settle();
    fs::rename(&f.log, f.beside("PACMAN.LOG.1")).unwrap();
    append_records(&f.beside("PACMAN.LOG.1"), 3..4);
    append_records(&f.log, 4..5);
    assert!(!looking.until(&["3", "4"]).contains(&Woken::Not), "the time was over first");
    // A file that was made empty and gets its first line later, under a name that is followed.
    let mut all = Looking::at(f.follow_all(0));
    all.settle();
    append(&f.beside("B.LOG"), "");
    all.settle();
    append_records(&f.beside("B.LOG"), 7..8);
    assert!(!all.until(&["7"]).contains(&Woken::Not), "the time was over first");
}

#[test]
fn a_file_whose_name_has_gone_is_still_told_of() {
    use std::io::Write as _;
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut looking = Looking::at(f.follow(1));
    looking.until(&["0"]);
    looking.settle();
    let mut writer = fs::OpenOptions::new().append(true).open(&f.log).unwrap();
    fs::remove_file(&f.log).unwrap();
    // It is waited for its writer, and names are looked at all the time.
    assert!(looking.pace.poll(&mut looking.follower).is_empty());
    looking.pace.wait(&looking.follower);
    writer.write_all(record(1).as_bytes()).unwrap();
    looking.until(&["1"]);
}

/// Behind a link, and in a folder that comes later, files are looked at.
#[test]
fn what_the_system_does_not_tell_of_is_looked_at() {
    let f = Fixture::new();
    fs::create_dir(f.beside("real")).unwrap();
    append_records(&f.beside("real/PACMAN.LOG"), 0..1);
    std::os::unix::fs::symlink(f.beside("real/PACMAN.LOG"), &f.log).unwrap();
    let mut looking = Looking::at(f.follow(1));
    looking.until(&["0"]);
    append_records(&f.beside("real/PACMAN.LOG"), 1..2);
    looking.until(&["1"]);
    let later = f.beside("later/PACMAN.LOG");
    let mut looking = Looking::at(Follower::open(&[&later], super::west(0), 0));
    assert!(looking.pace.poll(&mut looking.follower).is_empty());
    fs::create_dir(later.parent().unwrap()).unwrap();
    append_records(&later, 5..6);
    looking.until(&["5"]);
}

/// What is rotated is watched as long as it is read on, and not longer: no log has its watches used up by it.
#[test]
fn however_often_a_log_is_rotated_no_more_is_watched() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut looking = Looking::at(f.follow(1));
    looking.until(&["0"]);
    looking.settle();
    if !looking.pace.is_quiet() {
        return crate::skipped("the temporary folder is not told of");
    }
    for n in 1..300 {
        fs::rename(&f.log, f.beside(&format!("PACMAN.LOG.{n}"))).unwrap();
        append_records(&f.log, n..n + 1);
        looking.until(&[&n.to_string()]);
        let watches = looking.pace.watches();
        assert!(watches <= 70, "{watches} after {n} rotations");
    }
}

/// A follower that is told of all removals, from the end of the log on.
struct Asking {
    follower: Follower,
    watch: Watch,
    _bell: Bell,
    now: Duration,
}

impl Asking {
    /// The first look is over. None: the temporary folder is not told of.
    fn at(f: &Fixture) -> Option<Asking> {
        let (mut watch, bell) = Watch::new().unwrap();
        if !watch.set(&[f.log.parent().unwrap().to_owned()], &[], &[]) {
            return None;
        }
        let mut this = Asking { follower: f.follow(0), watch, _bell: bell, now: Duration::from_secs(100) };
        assert!(this.look(|_, _| {}).is_empty());
        Some(this)
    }

    /// What is told by one look and those after it; `meanwhile` is called before and after each question of the first which names
    /// were removed.
    fn look(&mut self, mut meanwhile: impl FnMut(usize, bool)) -> Vec<String> {
        let (mut told, mut asked) = (Vec::new(), 0);
        for look in 0..4 {
            self.now += Duration::from_secs(1);
            let events = self.follower.poll_told(self.now, &mut || {
                asked += 1;
                if look == 0 {
                    meanwhile(asked, false);
                }
                let removed = self.watch.removed();
                if look == 0 {
                    meanwhile(asked, true);
                }
                removed
            });
            told.extend(events.into_iter().flat_map(super::apart).map(word));
        }
        told.retain(|word| word != "R");
        told
    }
}

/// However deletions stand to the moments at which a look asks and looks, what was never open is told as missing where it is
/// missing, and nothing else is.
#[test]
fn what_is_deleted_and_made_again_while_names_are_looked_at_is_read_or_told_as_missing() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let Some(mut asking) = Asking::at(&f) else {
        return crate::skipped("the temporary folder is not told of");
    };
    let anew = |n: usize| {
        fs::remove_file(&f.log).unwrap();
        append_records(&f.log, n..n + 1);
    };
    anew(1);
    let before_it_looks = |asked: usize, answered: bool| {
        if asked == 1 && answered {
            anew(2);
        }
    };
    assert_eq!(asking.look(before_it_looks), ["T", "2"]);
    let since_it_looked = |numbers: std::ops::Range<usize>| {
        move |asked: usize, answered: bool| {
            if asked == 2 && !answered {
                numbers.clone().for_each(anew);
            }
        }
    };
    assert_eq!(asking.look(since_it_looked(3..4)), ["3"]);
    anew(4);
    assert_eq!(asking.look(since_it_looked(5..6)), ["4", "5"]);
    assert_eq!(asking.look(since_it_looked(6..8)), ["T", "7"]);
    // All the time: it looks no more often than it may, and the next look goes on.
    let always = |asked: usize, answered: bool| {
        if !answered {
            anew(7 + asked);
        }
    };
    assert_eq!(asking.look(always), ["8", "9", "10", "11", "12"]);
    // In another folder it has a name of which nothing is told: what is in it is read all the same.
    let other = tempfile::tempdir_in(f.log.parent().unwrap()).unwrap();
    fs::hard_link(&f.log, other.path().join("linked")).unwrap();
    assert!(asking.look(|_, _| {}).is_empty());
    append_records(&f.log, 13..14);
    anew(14);
    assert_eq!(asking.look(|_, _| {}), ["13", "14"]);
    anew(15);
    anew(16);
    assert_eq!(asking.look(|_, _| {}), ["T", "16"]);
}

/// What is removed after the last question of a look is told by the next one, and nothing is missing for that.
#[test]
fn what_is_gone_again_before_it_is_known_what_it_is_is_read_or_told_as_missing() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let Some(mut asking) = Asking::at(&f) else {
        return crate::skipped("the temporary folder is not told of");
    };
    for (n, gone) in [(1, true), (2, false)] {
        // Too little of a log that begins as the others do may be a copy of one.
        let few = record(0)[..12].to_owned();
        let words = format!("{n} and few words");
        for (text, told) in [(record(n), n.to_string()), (format!("{words}\n"), words), (few, "T".to_owned())]
        {
            let _ = fs::remove_file(&f.log);
            append(&f.log, &text);
            let removed = |asked: usize, answered: bool| {
                if asked == 2 && answered == gone {
                    fs::remove_file(&f.log).unwrap();
                }
            };
            assert_eq!(asking.look(removed), [told], "{gone}");
        }
    }
}

/// What is older than what is missing is told before that is said, also when it is more than one look reads.
#[test]
fn what_was_not_seen_is_told_as_missing_behind_what_is_older() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let Some(mut asking) = Asking::at(&f) else {
        return crate::skipped("the temporary folder is not told of");
    };
    append_records(&f.log, 1..10_000);
    for n in [20_000, 20_001] {
        fs::remove_file(&f.log).unwrap();
        append_records(&f.log, n..n + 1);
    }
    let mut told = asking.look(|_, _| {});
    let rest = told.split_off(9_999);
    assert_eq!(told, (1..10_000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(rest, ["T", "20001"]);
}

/// Made, written to and deleted between two looks: nobody can read it any more, but the system has told of it.
#[test]
fn a_log_that_came_and_went_between_two_looks_is_told_as_missing_and_nothing_else_is() {
    let f = Fixture::new();
    append_records(&f.log, 0..1);
    let mut looking = Looking::at(f.follow(1));
    looking.until(&["0"]);
    let mut n = 1;
    for unseen in [2, 0] {
        looking.settle();
        if !looking.pace.is_quiet() {
            return crate::skipped("the temporary folder is not told of");
        }
        for _ in 0..=unseen {
            fs::remove_file(&f.log).unwrap();
            append_records(&f.log, n..n + 1);
            n += 1;
        }
        let mut want: Vec<String> = (n - 1..n).map(|n| n.to_string()).collect();
        want.splice(0..0, (unseen > 0).then(|| "T".to_owned()));
        looking.until(&want);
    }
}
