//! How long one transition takes with many attempts in the history: `cargo bench --bench history`. Prints figures and
//! judges nothing. The database is on the disk of the temporary folder, with the syncs that the promise rests on: TMPDIR
//! names another.
#![allow(clippy::unwrap_used)]

use pcm::clock::Wall;
use pcm::decision::Attempt;
use pcm::executor::history::{self, AttemptRow, Event, History, ResultRow};
use pcm::host::paths::Layout;
use pcm::site::ids::RequestId;
use pcm::terms::State;
use pcm::text::SafeText;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Each of so many requests has attempts by turns.
const REQUESTS: usize = 1_000;
const SAMPLES: u32 = 60;

fn now() -> Wall {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn row(n: usize) -> AttemptRow {
    let request: RequestId = format!("BP0{:04}", n % REQUESTS).parse().unwrap();
    let attempt = Attempt {
        number: u32::try_from(1 + n / REQUESTS).unwrap(),
        state: State::Failed,
        retry_at: None,
        package: SafeText::new(&format!("Acme Workstation {n}")),
        command: "Typical".into(),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        claimed_at: now(),
        started_at: Some(now()),
        ended_at: Some(now()),
        exit_code: Some(17),
        result: "exit 17: the setup says that another installation is in progress".into(),
        by: "service".into(),
        reason: SafeText::default(),
        boot_id: "0b1f6c4e-9d3a-4c58-8a55-2f6d1c1b7a10".into(),
        restart: Default::default(),
        release: None,
        removes: false,
    };
    AttemptRow {
        request,
        attempt: Arc::new(attempt),
        content: None,
        exit_codes: Default::default(),
        max_run_time_s: 1800,
        overrides: Vec::new(),
        host: None,
        folded_at: None,
        need: None,
        started_up_ms: None,
    }
}

/// A history with so many attempts that have ended, made in one transaction: it is only to be there.
fn filled(layout: &Layout, attempts: usize) -> History {
    for dir in [&layout.state, layout.config.parent().unwrap()] {
        std::fs::create_dir_all(dir).unwrap();
    }
    history::init(layout, now(), "00000001", None).unwrap();
    let mut history = History::open(layout).unwrap();
    history
        .transition(now(), |tx, events| {
            let mut insert = tx.prepare("INSERT INTO attempts (request, number, row) VALUES (?1, ?2, ?3)")?;
            for row in (0..attempts).map(row) {
                let json = serde_json::to_string(&row).unwrap();
                insert.execute((row.request.as_str(), row.attempt.number, json))?;
                events.push(Event::new("claim", Some(row.request), &row));
            }
            Ok(())
        })
        .unwrap();
    history.write_mark().unwrap();
    history
}

/// At least and in the median.
fn figures(mut samples: Vec<Duration>) -> String {
    samples.sort();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    format!("{:9.3} ms {:9.3} ms", ms(samples[0]), ms(samples[samples.len() / 2]))
}

fn timed(mut act: impl FnMut()) -> Duration {
    let begin = Instant::now();
    act();
    begin.elapsed()
}

/// Folds all of it, as much at once as the service does, and opens it before and after.
fn fold(mut history: History, layout: &Layout, attempts: usize) {
    let later = now() + chrono::TimeDelta::days(800);
    let open = || timed(|| drop(black_box(History::open(layout).unwrap())));
    let opened = open();
    let (mut folded, mut events) = (Vec::new(), 0);
    loop {
        let mut done = None;
        folded.push(timed(|| done = history.fold(later, later, &|_| false).unwrap()));
        let Some(done) = done else { break };
        events += done.events;
    }
    let after = open();
    println!("{:<58} {}", format!("{attempts} attempts: {events} events folded, at once"), figures(folded));
    for (how, took) in [("whole", opened), ("folded", after)] {
        println!("{:<58} {}", format!("{attempts} attempts: opened, {how}"), figures(vec![took]));
    }
}

fn main() {
    println!("{:<58} {:>12} {:>12}", "one transition", "at least", "median");
    for attempts in [100, 50_000] {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout {
            config: dir.path().join("etc/pcm.toml"),
            state: dir.path().join("state"),
            log: dir.path().join("log"),
            socket: dir.path().join("sock"),
        };
        let mut history = filled(&layout, attempts);
        let mut held = history.snapshot().unwrap();
        let (mut written, mut applied, mut read) = (Vec::new(), Vec::new(), Vec::new());
        let end = ResultRow {
            state: State::Failed,
            retry_at: None,
            started_at: Some(now()),
            ended_at: Some(now()),
            exit_code: Some(1),
            result: "exit 1".into(),
        };
        for n in 0..SAMPLES {
            let mut row = row(n as usize);
            Arc::make_mut(&mut row.attempt).number = 1_000_000;
            Arc::make_mut(&mut row.attempt).state = State::Running;
            held.apply(history.claim(now(), &row).unwrap());
            let mut change = None;
            written.push(timed(|| {
                change = Some(history.finish(now(), row.request, 1_000_000, &end).unwrap());
            }));
            applied.push(timed(|| change.take().into_iter().for_each(|change| held.apply(change))));
            read.push(timed(|| drop(black_box(history.snapshot().unwrap()))));
        }
        assert!(held == history.snapshot().unwrap());
        println!("{:<58} {}", format!("{attempts} attempts: written, synced"), figures(written));
        println!(
            "{:<58} {}",
            format!("{attempts} attempts: what is held takes over the change"),
            figures(applied)
        );
        println!("{:<58} {}", format!("{attempts} attempts: all of it read anew instead"), figures(read));
        fold(history, &layout, attempts);
    }
}
