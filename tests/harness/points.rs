//! A fault at every system call of one run: SIGKILL, no space, no descriptors, I/O errors.

use super::ground::{CONFIG, Ground, Tally, id};
use super::knobs::{Chance, full, number, say, seed, spread};
use super::trace::{self, Fault, Point, Role};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROLES: [Role; 3] = [Role::Executor, Role::RunHost, Role::Recorder];

/// Which calls can fail in which way.
const ERRORS: [(&str, &[&str]); 3] = [
    (
        "ENOSPC",
        &["openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "renameat2", "mkdir"],
    ),
    (
        "EIO",
        &[
            "openat",
            "read",
            "pread64",
            "write",
            "pwrite64",
            "fsync",
            "fdatasync",
            "ftruncate",
            "rename",
            "renameat2",
            "unlink",
            "newfstatat",
            "statx",
            "getdents64",
            "lseek",
            "fcntl",
            "flock",
            "mkdir",
        ],
    ),
    ("EMFILE", &["openat", "pipe2", "socket", "socketpair"]),
];

fn ground() -> Ground {
    Ground::due(CONFIG, 1, "%ran%; exit 0")
}

/// How often each process makes each call, in a run without faults.
fn counts() -> Vec<(Role, BTreeMap<String, usize>)> {
    ROLES
        .into_iter()
        .map(|role| {
            let ground = ground();
            let traced = trace::run(&ground, &id(0), role, &[]).unwrap();
            ground.recover_and_check(Duration::from_secs(60)).unwrap();
            assert_eq!(ground.ran("ran"), 1);
            (role, traced.counts())
        })
        .collect()
}

#[test]
fn kill_at_every_system_call_and_it_runs_once_or_says_that_it_is_interrupted() {
    if !trace::possible() || one_point().is_some() {
        return;
    }
    let mut all = Vec::new();
    for (role, counts) in counts() {
        for (call, times) in counts {
            all.extend((1..=times).map(|nth| Point { role, call: call.clone(), nth, fault: Fault::Kill }));
        }
    }
    let chosen = sample(&all, number("PCM_HARNESS_POINTS", 30, usize::MAX));
    carry_out("kills at system calls", chosen, all.len());
}

#[test]
fn an_error_at_every_system_call_runs_nothing_twice_and_heals() {
    if !trace::possible() || one_point().is_some() {
        return;
    }
    let mut all = Vec::new();
    for (role, counts) in counts() {
        for (name, calls) in ERRORS {
            for (call, times) in counts.iter().filter(|(call, _)| calls.contains(&call.as_str())) {
                for (nth, from) in (1..=*times).flat_map(|nth| [(nth, false), (nth, true)]) {
                    let fault = Fault::Error { name: name.to_owned(), from };
                    all.push(Point { role, call: call.clone(), nth, fault });
                }
            }
        }
    }
    let chosen = sample(&all, number("PCM_HARNESS_ERRORS", 30, usize::MAX));
    carry_out("errors at system calls", chosen, all.len());
}

/// As many of each role: the run host makes the fewest calls and has the most to lose.
fn sample(all: &[Point], wanted: usize) -> Vec<Point> {
    let only = std::env::var("PCM_HARNESS_ONLY").unwrap_or_default();
    let all: Vec<Point> = all.iter().filter(|p| p.to_string().contains(&only)).cloned().collect();
    let mut chance = Chance::new(seed());
    ROLES
        .into_iter()
        .flat_map(|role| {
            let own: Vec<Point> = all.iter().filter(|p| p.role == role).cloned().collect();
            spread(&own, wanted.div_ceil(ROLES.len()), &mut chance)
        })
        .collect()
}

#[test]
fn the_point_that_the_environment_names_alone() {
    if let Some(point) = one_point()
        && trace::possible()
    {
        let (hit, tally) = try_point(&point).unwrap_or_else(|why| panic!("{point}: {why}"));
        say(&format!("{point}: hit: {hit}, {tally:?}"));
    }
}

fn one_point() -> Option<Point> {
    let text = std::env::var("PCM_HARNESS_POINT").ok()?;
    Some(text.parse().unwrap_or_else(|why: String| panic!("{why}")))
}

/// One point on a fresh site: the fault, one start without faults, the rules, and a start that changes nothing.
fn try_point(point: &Point) -> Result<(bool, Tally), String> {
    let ground = ground();
    let traced = trace::run_point(&ground, &id(0), point)?;
    // The standard library asserts that the pipes to what it starts can be read; no disk is behind those.
    let own_pipe = traced.stderr.contains("the CLOEXEC pipe failed")
        || traced.stderr.contains("library/std/src/sys/process/");
    if traced.panicked() && !own_pipe {
        return Err(format!("it panicked: {}", traced.stderr));
    }
    let tally = ground.recover_and_check(Duration::from_secs(60))?;
    if point.fault == Fault::Kill && tally.count("succeeded") + tally.count("interrupted") == 0 {
        return Err(format!("neither succeeded nor interrupted: {tally:?}"));
    }
    Ok((traced.hit(&point.fault), tally))
}

fn carry_out(what: &str, points: Vec<Point>, possible: usize) {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..number("PCM_HARNESS_THREADS", 3, 3) {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = std::panic::catch_unwind(|| try_point(point));
                    let tried = tried.unwrap_or_else(|_| Err("the harness itself gave up, see above".into()));
                    let mut sum = sum.lock().unwrap();
                    if let Err(why) = &tried {
                        say(&format!("FAILED at {point}: {why}"));
                    }
                    sum.take(point, tried);
                    if full() && sum.points % 100 == 0 {
                        say(&format!("{what}: {} of {}", sum.points, points.len()));
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    say(&format!(
        "{what}: {} of {possible} points, {} met, {} runs, {} succeeded, {} interrupted, {} failed attempts, {} doubles; seed {}, {} s",
        sum.points,
        sum.met,
        sum.runs,
        sum.succeeded,
        sum.interrupted,
        sum.failed,
        sum.doubles,
        seed(),
        begun.elapsed().as_secs()
    ));
    for point in &sum.bad {
        say(&format!("again: PCM_HARNESS_POINT={point} cargo test --test all the_point -- --nocapture"));
    }
    assert!(sum.bad.is_empty(), "{} points of {what} failed, see above", sum.bad.len());
    assert!(sum.met * 2 > sum.points, "few of the points were met: {} of {}", sum.met, sum.points);
}

#[derive(Default)]
struct Sum {
    points: usize,
    met: usize,
    runs: usize,
    succeeded: usize,
    interrupted: usize,
    failed: usize,
    doubles: usize,
    bad: Vec<Point>,
}

impl Sum {
    fn take(&mut self, point: &Point, tried: Result<(bool, Tally), String>) {
        self.points += 1;
        match tried {
            Ok((met, tally)) => {
                self.met += usize::from(met);
                self.runs += tally.runs.values().sum::<usize>();
                self.succeeded += tally.count("succeeded");
                self.interrupted += tally.count("interrupted");
                self.failed += tally.count("failed");
            }
            Err(why) => {
                self.doubles += usize::from(why.contains("DOUBLE"));
                self.bad.push(point.clone());
            }
        }
    }
}
