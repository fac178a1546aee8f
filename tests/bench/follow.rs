//! What following a log costs: `cargo bench --bench follow`. A line that is appended until it is told and painted, a log of
//! 200,000 lines a second, and how often an idle follower wakes; `pcm log -f` and view 3 in a real terminal beside `tail -f`.
//! Prints figures and judges nothing. `PCM_BENCH_SECONDS` is how long each is measured for (5).
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use common::Site;
use common::pty::Terminal;
use common::stat::ticks;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LINES_A_SECOND: u64 = 200_000;

fn main() {
    let time = std::env::var("PCM_BENCH_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    for (format, cmtrace) in [("E", true), ("A", false)] {
        println!("format {format}");
        let mut each = Vec::new();
        for kind in ["tail -f", "pcm log -f", "view 3"] {
            let site = Site::new();
            let log = site.state().join("log/PACMAN.LOG");
            std::fs::create_dir_all(log.parent().unwrap()).unwrap();
            append(&log, &line(0, cmtrace));
            let follower = Follower::start(kind, &site, &log);
            append(&log, &line(1, cmtrace));
            follower.until(&word(1));
            each.push((kind, site, log, follower));
        }
        for (kind, _, log, follower) in &each {
            let (waits, bytes) = appended(log, follower, cmtrace);
            println!(
                "  {kind:<12} a line until it is told: {:>8.2?} median, {:>8.2?} at 90 %, {bytes:>5} bytes",
                waits[waits.len() / 2],
                waits[waits.len() * 9 / 10]
            );
        }
        for (kind, _, _, follower) in &each {
            std::thread::sleep(Duration::from_secs(2));
            let before = follower.wakeups();
            std::thread::sleep(Duration::from_secs(time));
            let woken: Vec<String> =
                follower.wakeups().iter().filter_map(|(name, n)| more(name, *n, &before)).collect();
            println!("  {kind:<12} idle for {time} s, wakeups of its threads: {}", woken.join(", "));
        }
        for (kind, _, log, follower) in &each {
            let (lag, cpu) = rushing(log, follower, cmtrace, time);
            let million = cpu / (time * LINES_A_SECOND) as f64 * 1e6;
            println!(
                "  {kind:<12} {LINES_A_SECOND} lines/s for {time} s: last line after {lag:>8.2?}, {million:>5.2} s of a processor per million"
            );
        }
    }
}

fn line(n: u64, cmtrace: bool) -> String {
    let text = format!("{} of a log that is followed, as long as lines of logs usually are", word(n));
    if cmtrace {
        format!(
            "<![LOG[{text}]LOG]!><time=\"09:30:00.000+000\" date=\"11-30-2026\" component=\"pcm\" context=\"\" type=\"1\" thread=\"1\" file=\"\">\n"
        )
    } else {
        format!("[11/30/26 09:30:00] Package Command Manager ==> {text}\n")
    }
}

/// What a line is found by, in whatever stands around it.
fn word(n: u64) -> String {
    format!("=line-{n:09}=")
}

fn append(log: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What follows.
enum Follower {
    Program(Child, Arc<Mutex<Vec<u8>>>),
    Console(Terminal),
}

impl Follower {
    fn start(kind: &str, site: &Site, log: &Path) -> Follower {
        let mut command = match kind {
            "tail -f" => Command::new("tail"),
            "pcm log -f" => site.command(&["log"]),
            _ => {
                let mut console = Terminal::start(&site.command(&[]), 80, 24);
                console.wait("q quit");
                console.keys("3");
                return Follower::Console(console);
            }
        };
        command.arg("-f").arg(log).stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (mut out, tells) = (child.stdout.take().unwrap(), Arc::clone(&told));
        std::thread::spawn(move || {
            let mut piece = vec![0; 1 << 20];
            while let Ok(n @ 1..) = out.read(&mut piece) {
                let mut told = tells.lock().unwrap();
                told.extend_from_slice(&piece[..n]);
                // Only what came last is looked for.
                let surplus = told.len().saturating_sub(1 << 16);
                told.drain(..surplus);
            }
        });
        Follower::Program(child, told)
    }

    fn pid(&self) -> u32 {
        match self {
            Follower::Program(child, _) => child.id(),
            Follower::Console(console) => console.pid(),
        }
    }

    fn has(&self, word: &str) -> bool {
        match self {
            Follower::Program(_, told) => {
                let told = told.lock().unwrap();
                told.windows(word.len()).rev().take(4096).any(|window| window == word.as_bytes())
            }
            Follower::Console(console) => console.screen().contains(word),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Follower::Program(..) => 0,
            Follower::Console(console) => console.count(),
        }
    }

    /// Waits for a word, and says when it was there.
    fn until(&self, word: &str) -> Instant {
        let began = Instant::now();
        while !self.has(word) {
            assert!(began.elapsed() < Duration::from_secs(120), "{word} was never told");
            std::thread::sleep(Duration::from_micros(50));
        }
        Instant::now()
    }

    /// How often each thread gave up the processor by itself.
    fn wakeups(&self) -> Vec<(String, u64)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let read = |task: std::fs::DirEntry| {
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((format!("{name} {}", task.file_name().to_string_lossy()), line.trim().parse().ok()?))
        };
        tasks.filter_map(read).collect()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Follower::Program(child, _) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn more(name: &str, now: u64, before: &[(String, u64)]) -> Option<String> {
    let (_, was) = before.iter().find(|(other, _)| other == name)?;
    let thread = name.rsplit_once(' ').map_or(name, |(thread, _)| thread);
    Some(format!("{thread} {}", now - was))
}

/// Appends single lines to a quiet log: how long each took, sorted, and how many bytes one cost a terminal.
fn appended(log: &Path, follower: &Follower, cmtrace: bool) -> (Vec<Duration>, usize) {
    let (mut waits, mut bytes) = (Vec::new(), Vec::new());
    for n in 0..100 {
        // Not in step with anybody's second.
        std::thread::sleep(Duration::from_millis(61 + n * 37 % 83));
        let before = follower.bytes();
        let began = Instant::now();
        append(log, &line(1_000 + n, cmtrace));
        waits.push(follower.until(&word(1_000 + n)).duration_since(began));
        std::thread::sleep(Duration::from_millis(5));
        bytes.push(follower.bytes() - before);
    }
    waits.sort();
    bytes.sort_unstable();
    (waits, bytes[bytes.len() / 2])
}

/// Writes for so long; how long after the last line it was told, and the processor time of the follower.
fn rushing(log: &Path, follower: &Follower, cmtrace: bool, time: u64) -> (Duration, f64) {
    let mut file: File = OpenOptions::new().append(true).open(log).unwrap();
    let used = ticks(follower.pid());
    let (began, mut n) = (Instant::now(), 0);
    while n < time * LINES_A_SECOND {
        let due =
            (began.elapsed().as_micros() as u64 * LINES_A_SECOND / 1_000_000).min(time * LINES_A_SECOND);
        let lines: String = (n..due).map(|n| line(1_000_000 + n, cmtrace)).collect();
        file.write_all(lines.as_bytes()).unwrap();
        n = due;
        std::thread::sleep(Duration::from_millis(5));
    }
    let last = Instant::now();
    file.write_all(line(999_999_999, cmtrace).as_bytes()).unwrap();
    let lag = follower.until(&word(999_999_999)).duration_since(last);
    (lag, (ticks(follower.pid()) - used) as f64 / 100.0)
}
