//! A log that is copied to one name and cut while the follower looks: whatever of that happens at whichever moment of its look,
//! nothing is told twice, and what is missing has a word where it is.

use super::Fixture;
use crate::log::follow::{Event, instant};
use crate::log::tests::apart;
use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

const WORDS: &str = " is a line of a log that is rotated all the time.";

/// One step of those who write and rotate.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// So many lines are written to the log.
    Write(usize),
    /// The copy is opened, which empties it.
    Open,
    /// So much of a hundred of what the log holds is in the copy.
    Copy(usize),
    Cut,
}

/// The steps of a rotation, again and again. Between the copy and the cut something may be lost.
const KINDS: [&[Does]; 4] = [
    &[Does::Write(40), Does::Open, Does::Copy(40), Does::Copy(100), Does::Cut],
    &[Does::Write(40), Does::Open, Does::Copy(100), Does::Write(5), Does::Cut, Does::Write(1)],
    &[Does::Write(1), Does::Open, Does::Copy(2), Does::Copy(100), Does::Cut, Does::Write(1), Does::Write(30)],
    &[
        Does::Write(25),
        Does::Write(25),
        Does::Open,
        Does::Copy(70),
        Does::Write(3),
        Does::Copy(100),
        Does::Cut,
    ],
];

struct World {
    log: PathBuf,
    copy: PathBuf,
    steps: &'static [Does],
    at: usize,
    written: usize,
}

impl World {
    fn step(&mut self) {
        let does = self.steps[self.at % self.steps.len()];
        self.at += 1;
        match does {
            Does::Write(lines) => {
                let text: String =
                    (self.written..self.written + lines).map(|n| format!("{n:08}{WORDS}\n")).collect();
                self.written += lines;
                super::append(&self.log, &text);
            }
            Does::Open => drop(File::create(&self.copy).unwrap()),
            Does::Copy(part) => {
                let log = fs::read(&self.log).unwrap();
                let held = usize::try_from(fs::metadata(&self.copy).unwrap().len()).unwrap();
                let end = (log.len() * part / 100).max(held);
                let mut copy = OpenOptions::new().append(true).open(&self.copy).unwrap();
                copy.write_all(&log[held..end]).unwrap();
            }
            Does::Cut => OpenOptions::new().write(true).open(&self.log).unwrap().set_len(0).unwrap(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Line(usize),
    Copy,
    Gap,
}

/// When something happens during a look.
#[derive(Debug, Clone, Copy)]
struct Case {
    kind: usize,
    /// After so many steps, each of which was seen if so many looks are made.
    before: usize,
    seen: usize,
    /// At this moment of the look.
    moment: usize,
    /// So many steps are made.
    during: usize,
}

/// How many moments the look had, and what is wrong with what was told.
fn run(case: Case) -> (usize, Option<String>) {
    let f = Fixture::new();
    File::create(&f.log).unwrap();
    let mut follower = f.follow(0).raw();
    let copy = f.beside("PACMAN.LOG.1");
    let steps = KINDS[case.kind];
    let world = Rc::new(RefCell::new(World { log: f.log.clone(), copy, steps, at: 0, written: 0 }));
    let (mut told, mut now) = (Vec::new(), Duration::ZERO);
    let mut look = |ms: u64, told: &mut Vec<Told>| {
        now += Duration::from_millis(ms);
        for event in follower.poll(now).into_iter().flat_map(apart) {
            match event {
                Event::Record(record) => {
                    let text = record.full_text();
                    told.extend(text.strip_suffix(WORDS).and_then(|n| n.parse().ok()).map(Told::Line));
                }
                Event::Truncated { copy: Some(_), .. } => told.push(Told::Copy),
                Event::Truncated { copy: None, .. } => told.push(Told::Gap),
                Event::Batch(_) | Event::Rotated { .. } => {}
                Event::Problem { file, message } => panic!("{file}: {message}"),
            }
        }
    };
    look(10, &mut told);
    for n in 0..case.before {
        world.borrow_mut().step();
        if n < case.seen {
            look(30, &mut told);
        }
    }
    let happens = Rc::clone(&world);
    instant::happens(move |moment| {
        if moment == case.moment {
            (0..case.during).for_each(|_| happens.borrow_mut().step());
        }
    });
    look(10, &mut told);
    let moments = instant::quiet();
    look(10, &mut told);
    look(30, &mut told);
    // One more rotation of which each step is seen, and something is written behind it.
    for _ in 0..steps.len() {
        world.borrow_mut().step();
        look(30, &mut told);
    }
    while !matches!(steps[(world.borrow().at + steps.len() - 1) % steps.len()], Does::Cut) {
        world.borrow_mut().step();
    }
    let written = world.borrow().written;
    super::append(Path::new(&f.log), &format!("{written:08}{WORDS}\n"));
    (0..6).for_each(|_| look(300, &mut told));
    (moments, wrong(&told, written + 1))
}

/// What is told twice, or missing without a word.
fn wrong(told: &[Told], written: usize) -> Option<String> {
    let mut places = vec![None; written];
    for (at, one) in told.iter().enumerate() {
        if let Told::Line(n) = one
            && places[*n].replace(at).is_some()
        {
            return Some(format!("line {n} twice"));
        }
    }
    let (mut from, mut missing) = (0, false);
    for (n, place) in places.into_iter().enumerate() {
        let Some(place) = place else {
            missing = true;
            continue;
        };
        let (begin, end) = (place.min(from), place.max(from));
        if missing && told[begin..end].iter().all(|told| matches!(told, Told::Line(_))) {
            return Some(format!("lines before {n} are missing without a word"));
        }
        (from, missing) = (place, false);
    }
    missing.then(|| "the last line is missing".to_owned())
}

/// All of one kind: each step of a rotation may be the last before the look, and each that follows happen at each of its moments.
fn check(kind: usize) {
    let (len, mut failed, mut cases) = (KINDS[kind].len(), Vec::new(), 0);
    // What nobody ever looked at cannot be missed: the first rotation is over.
    for before in len..len * 2 {
        // All was seen, or the last steps were not.
        for seen in [before, before - 2] {
            for during in 1..=len {
                let (mut moment, mut moments) = (0, 1);
                while moment < moments {
                    let case = Case { kind, before, seen, moment, during };
                    let (found, wrong) = run(case);
                    moments = found;
                    failed.extend(wrong.map(|wrong| format!("{case:?}: {wrong}")));
                    (moment, cases) = (moment + 1, cases + 1);
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} of {cases}:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn nothing_is_told_twice_when_a_log_is_copied_and_cut_during_a_look() {
    check(0);
}

#[test]
fn nothing_is_told_twice_when_more_is_written_between_the_copy_and_the_cut() {
    check(1);
}

#[test]
fn nothing_is_told_twice_when_too_little_was_read_to_recognise_a_copy_by() {
    check(2);
}

#[test]
fn nothing_is_told_twice_when_a_log_grows_while_it_is_copied() {
    check(3);
}
