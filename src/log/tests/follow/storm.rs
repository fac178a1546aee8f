//! A writer of 2,000 lines a second whose log is rotated under it, in every way, while it is followed: nothing is told
//! twice, and what is missing has a word where it is. `PCM_ROTATIONS` is how often each way is gone (60).

use super::Fixture;
use crate::host::tail::{Bell, Watch};
use crate::log::follow::{Event, Pace};
use crate::log::tests::apart;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// How the log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the next number; those before move on.
    Numbered,
    /// To a name of its own. The writer hears of it only later, and goes on in the old file.
    Dated,
    /// Copied to the same name each time, and cut.
    Copied,
    /// The same under a writer that does not append: what it was at is a hole.
    Hole,
    /// Deleted; the writer makes it again.
    Deleted,
}

/// Everything that those who write and who look know of each other.
#[derive(Default)]
struct Shared {
    /// The writer opens its log again.
    reopen: AtomicUsize,
    written: AtomicUsize,
    polls: AtomicUsize,
    rotated: AtomicBool,
    done: AtomicBool,
    /// Somebody panicked: nobody waits for anybody any more.
    failed: AtomicBool,
    /// Ends the wait of who looks.
    bell: OnceLock<Bell>,
}

impl Shared {
    fn fails(&self) -> bool {
        self.failed.load(SeqCst)
    }
}

/// Whoever has this and panics ends all the others.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, SeqCst);
            if let Some(bell) = self.0.bell.get() {
                bell.ring();
            }
        }
    }
}

fn write(path: &Path, way: Way, shared: &Shared) {
    let _alarm = Alarm(shared);
    let open = || {
        let mut options = OpenOptions::new();
        if way == Way::Hole {
            options.write(true)
        } else {
            options.append(true)
        };
        options.create(true).open(path).unwrap()
    };
    let (mut file, mut seen, mut late) = (open(), 0, 0);
    let patience = if way == Way::Dated { 4 } else { 0 };
    let mut next = 0;
    while !shared.rotated.load(SeqCst) && !shared.fails() {
        for _ in 0..10 {
            // At once: of a line that is written in pieces both may be told as lines of their own.
            let line = format!("{next:08} is a line of a log that is rotated all the time.\n");
            file.write_all(line.as_bytes()).unwrap();
            next += 1;
        }
        shared.written.store(next, SeqCst);
        let wanted = shared.reopen.load(SeqCst);
        late = if wanted == seen { 0 } else { late + 1 };
        if late > patience {
            (file, seen, late) = (open(), wanted, 0);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Somebody always writes to the log after it was rotated.
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    writeln!(file, "{next:08} is a line of a log that is rotated all the time.").unwrap();
    shared.written.store(next + 1, SeqCst);
    shared.done.store(true, SeqCst);
}

fn rotate(log: &Path, way: Way, times: usize, shared: &Shared) {
    let _alarm = Alarm(shared);
    let beside = |name: String| log.with_file_name(name);
    for n in 0..times {
        // Up to three rotations between two looks; what is deleted has to be seen before.
        let least = if way == Way::Deleted || n % 3 == 0 { 4 } else { 0 };
        std::thread::sleep(Duration::from_millis([5, 30, 12, 60, 20][n % 5]));
        let until = |done: &dyn Fn() -> bool| {
            while !done() && !shared.fails() {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        until(&|| fs::metadata(log).is_ok_and(|meta| way != Way::Deleted || meta.len() > 0));
        let seen = shared.polls.load(SeqCst);
        until(&|| shared.polls.load(SeqCst) >= seen + least);
        if shared.fails() {
            return;
        }
        match way {
            Way::Numbered => {
                for n in (1..6).rev() {
                    let _ = fs::rename(
                        beside(format!("PACMAN.LOG.{n}")),
                        beside(format!("PACMAN.LOG.{}", n + 1)),
                    );
                }
                fs::rename(log, beside("PACMAN.LOG.1".into())).unwrap();
            }
            Way::Dated => fs::rename(log, beside(format!("PACMAN-{n:06}.LOG"))).unwrap(),
            Way::Copied | Way::Hole => {
                fs::copy(log, beside("PACMAN.LOG.1".into())).unwrap();
                OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
            }
            Way::Deleted => fs::remove_file(log).unwrap(),
        }
        if !matches!(way, Way::Copied | Way::Hole) {
            shared.reopen.fetch_add(1, SeqCst);
        }
    }
    shared.rotated.store(true, SeqCst);
}

/// What was told, in its order: a line's number, or that something may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Line(usize),
    Copy,
    Gap,
    Problem(String),
}

/// When the follower looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Every 15 ms, and names each time.
    Often,
    /// When the system tells of something.
    Told,
}

fn follow(way: Way, when: When, times: usize) -> (Vec<Told>, usize) {
    let f = Fixture::new();
    File::create(&f.log).unwrap();
    let mut follower = f.follow(0).raw();
    let shared = Shared::default();
    let mut told = Vec::new();
    let (watch, bell) = Watch::new().unwrap();
    let mut pace = Pace::new(watch);
    let _ = shared.bell.set(bell);
    let mut poll = |last: bool| {
        let events = if when == When::Often || last { follower.look() } else { pace.poll(&mut follower) };
        for event in events.into_iter().flat_map(apart) {
            match event {
                Event::Record(record) => {
                    let text = record.full_text();
                    // Half a line, where a copy ended, is none.
                    let whole = text.strip_suffix(" is a line of a log that is rotated all the time.");
                    told.extend(whole.and_then(|n| n.trim_start_matches('\0').parse().ok()).map(Told::Line));
                }
                Event::Truncated { copy: Some(_), .. } => told.push(Told::Copy),
                Event::Truncated { copy: None, .. } => told.push(Told::Gap),
                Event::Batch(_) | Event::Rotated { .. } => {}
                Event::Problem { file, message } => told.push(Told::Problem(format!("{file}: {message}"))),
            }
        }
        shared.polls.fetch_add(1, SeqCst);
        match when {
            When::Often => std::thread::sleep(Duration::from_millis(15)),
            When::Told => pace.wait(&follower),
        }
    };
    std::thread::scope(|scope| {
        let _alarm = Alarm(&shared);
        scope.spawn(|| write(&f.log, way, &shared));
        scope.spawn(|| rotate(&f.log, way, times, &shared));
        while !shared.done.load(SeqCst) && !shared.fails() {
            poll(false);
        }
    });
    for _ in 0..6 {
        poll(true);
    }
    (told, shared.written.load(SeqCst))
}

/// What was told, in short, for whoever has to find out why.
fn summary(told: &[Told]) -> String {
    let (mut text, mut last) = (String::new(), None);
    for told in told {
        match told {
            Told::Line(n) if last == Some(*n) => {}
            Told::Line(n) => text.push_str(&format!(" {}..\n{n}", last.unwrap_or_default())),
            other => text.push_str(&format!(" {other:?}")),
        }
        if let Told::Line(n) = told {
            last = Some(n + 1);
        }
    }
    text
}

fn check(way: Way) {
    for when in [When::Often, When::Told] {
        check_when(way, when);
    }
}

fn check_when(way: Way, when: When) {
    let times = std::env::var("PCM_ROTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let (told, written) = follow(way, when, times);
    let mut places = vec![None; written];
    for (at, one) in told.iter().enumerate() {
        if let Told::Line(n) = one {
            assert_eq!(places[*n], None, "{way:?}, {when:?}: line {n} twice\n{}", summary(&told));
            places[*n] = Some(at);
        }
    }
    let gaps =
        |from: usize, to: usize| told[from..to].iter().filter(|told| !matches!(told, Told::Line(_))).count();
    let (mut from, mut missing, mut lost, mut said) = (0, 0, 0, 0);
    for (n, place) in places.iter().enumerate() {
        let Some(place) = *place else {
            missing += 1;
            continue;
        };
        if missing > 0 {
            let marks = gaps(from.min(place), place);
            assert!(
                marks > 0,
                "{way:?}, {when:?}: {missing} lines before {n} are missing without a word\n{}",
                summary(&told)
            );
            (lost, said) = (lost + missing, said + 1);
        }
        (from, missing) = (place, 0);
    }
    let words = told.iter().filter(|told| **told == Told::Gap).count();
    println!(
        "{way:?}, {when:?}: {written} lines, {times} rotations, {lost} lost in {said} places, {words} gaps told"
    );
    assert!(
        missing == 0 || gaps(from, told.len()) > 0,
        "{way:?}, {when:?}: the last {missing} are missing without a word"
    );
    if !matches!(way, Way::Copied | Way::Hole) {
        assert_eq!((lost + missing, words), (0, 0), "{way:?}, {when:?}");
    }
    let copies = told.iter().filter(|told| **told == Told::Copy).count();
    // Where the copy of what nobody saw is told, before it, behind it, and at the cut.
    assert!(
        words + copies <= 3 * times,
        "{way:?}, {when:?}: {words} gaps and {copies} copies told of {times}"
    );
    let problem = told.iter().find(|told| matches!(told, Told::Problem(_)));
    assert_eq!(problem, None, "{way:?}, {when:?}");
}

#[test]
fn a_log_that_is_renamed_to_numbers_under_its_writer() {
    check(Way::Numbered);
}

#[test]
fn a_log_whose_writer_goes_on_in_the_old_file() {
    check(Way::Dated);
}

#[test]
fn a_log_that_is_copied_to_one_name_and_cut_under_its_writer() {
    check(Way::Copied);
}

#[test]
fn a_log_that_is_copied_and_cut_under_a_writer_that_leaves_holes() {
    check(Way::Hole);
}

#[test]
fn a_log_that_is_deleted_and_made_again_under_its_writer() {
    check(Way::Deleted);
}

/// Who writes, who rotates and who looks: whichever of them panics, the others do not go on without him for ever.
#[test]
fn a_storm_in_which_somebody_panics_ends_at_once() {
    let panics = |who: usize| {
        let f = Fixture::new();
        File::create(&f.log).unwrap();
        let shared = Shared::default();
        let written = if who == 0 { f.beside("no/such/folder/LOG") } else { f.log.clone() };
        let rotates = || {
            let _alarm = Alarm(&shared);
            assert!(who != 1, "who rotates panics");
            rotate(&f.log, Way::Deleted, usize::MAX, &shared);
        };
        let all = || {
            std::thread::scope(|scope| {
                let _alarm = Alarm(&shared);
                scope.spawn(|| write(&written, Way::Deleted, &shared));
                scope.spawn(rotates);
                assert!(who != 2, "who looks panics");
                while !shared.done.load(SeqCst) && !shared.fails() {
                    std::thread::yield_now();
                }
            });
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(all))
    };
    for who in 0..3 {
        assert!(panics(who).is_err());
    }
}
