//! What a machine costs that goes on and on: `cargo bench --bench soak`. A real service on a real share, asked for a figure
//! after each round: memory, descriptors, threads, files and bytes of the state folder and of its results on the share, the
//! size of its report, events and processor time for each run, and for each poll. Prints figures and judges nothing: each
//! column is to stay as it is, but for those of what is kept on purpose (history, transcripts, results).
//! `PCM_BENCH_RUNS` is how many runs there are (1,000), `PCM_BENCH_POLLS` how many polls of each kind (300).
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use common::stat::stat;
use common::{MACHINE, Request, Service, Site, wait_for_or};
use std::path::Path;
use std::time::{Duration, Instant};

/// Due at once in each round.
const ROUND: usize = 100;
/// And in the one that has many.
const MANY: usize = 500;
/// Nothing that is waited for takes longer.
const LIMIT: Duration = Duration::from_secs(1800);

fn main() {
    // `cargo bench` passes flags of its own harness; there is one bench here.
    let runs = told("PCM_BENCH_RUNS", 1_000);
    let polls = told("PCM_BENCH_POLLS", 300);
    let mut site = Site::with_config("[log]\nmax_size = \"1MB\"\n");
    let hash = site.package("BP00000A", &format!("{}\necho what it says", site.say("ran")));
    let requests = |from: usize, many: usize, hash: &str| -> Vec<Request> {
        let due = |n: usize| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""));
        (from..from + many).map(due).collect()
    };
    site.publish(&[]);
    let service = site.service();
    println!(
        "to beat: 24 KB and 4 files a run, 506 events a run with {MANY} due, 15 ms of processor a poll\n"
    );
    println!(
        "{:<34}{:>6}{:>8}{:>7}{:>8}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}{:>9}",
        "",
        "runs",
        "memory",
        "files",
        "threads",
        "kept",
        "kept KB",
        "history",
        "results",
        "report",
        "events",
        "CPU",
        "time"
    );
    println!(
        "{:<34}{:>6}{:>8}{:>7}{:>8}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}{:>9}",
        "", "", "KB", "open", "", "files", "but log", "KB", "files", "bytes", "a run", "ms a run", "ms a run"
    );
    let mut soak = Soak { before: Figures::of(&site, &service), site: &site, service: &service, runs: 0 };
    soak.row("before the first", 0);

    let mut next = 0;
    while next < runs {
        publish(soak.site, &requests(next, ROUND, &hash), next);
        next += ROUND;
        soak.until_all_ran(next);
        soak.row(&format!("{ROUND} due at once"), ROUND);
    }
    publish(soak.site, &requests(next, MANY, &hash), next);
    next += MANY;
    soak.until_all_ran(next);
    soak.row(&format!("{MANY} due at once"), MANY);

    println!(
        "\n{:<34}{:>10}{:>10}{:>12}{:>12}{:>12}{:>14}",
        "", "polls", "memory", "events", "log lines", "CPU ms", "kept files"
    );
    println!("{:<34}{:>10}{:>10}{:>12}{:>12}{:>12}{:>14}", "", "", "KB", "in all", "a poll", "a poll", "");
    for _ in 0..3 {
        soak.polls("nothing changes", polls / 3);
    }

    let wrong = "0".repeat(64);
    publish(soak.site, &requests(next, 1, &wrong), next);
    for _ in 0..3 {
        soak.polls("content that never matches", polls / 3);
    }

    // Whoever runs this, root included, writes into no file as into a folder.
    let folders = ["machines", "despoolr.box"].map(|name| soak.site.share().join(name));
    for folder in &folders {
        std::fs::rename(folder, folder.with_extension("away")).unwrap();
        std::fs::write(folder, b"").unwrap();
    }
    let before = soak.site.ran("ran");
    publish(soak.site, &requests(next + 1, ROUND, &hash), next + 1);
    let done = wait_for_or(LIMIT, || soak.site.ran("ran") == before + ROUND);
    println!(
        "{ROUND} runs while the share takes nothing: {}",
        if done.is_ok() { "all ran" } else { "NOT ALL RAN" }
    );
    for _ in 0..3 {
        soak.polls("a share that takes nothing", polls / 3);
    }
    for folder in &folders {
        std::fs::remove_file(folder).unwrap();
        std::fs::rename(folder.with_extension("away"), folder).unwrap();
    }
    let since = Instant::now();
    let wanted = before + ROUND;
    let given = wait_for_or(LIMIT, || results(soak.site) >= wanted);
    println!(
        "it takes again: {} of {wanted} results are there after {:.0?}{}",
        results(soak.site),
        since.elapsed(),
        if given.is_ok() { "" } else { " (NOT ALL)" }
    );
    soak.tidied();
    soak.polls("after that", polls / 3);
}

fn id(n: usize) -> String {
    format!("BP{n:05}")
}

fn told(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Publishes these under a serial of its own.
fn publish(site: &Site, requests: &[Request], serial: usize) {
    let serial = serial + 10;
    let mut text = format!(
        "format = 1\nsite = \"BP0\"\nmachine = \"{MACHINE}\"\nserial = {serial}\nissued = 2026-11-01T00:00:00Z\n"
    );
    for request in requests {
        text += &format!("\n[[request]]\nrequest_id = \"{}\"\n", request.id);
        for (key, value) in &request.lines {
            text += &format!("{key} = {value}\n");
        }
    }
    site.publish_text(&(text + &format!("\n[end]\nserial = {serial}\n")));
}

/// What is asked for.
#[derive(Default, Clone)]
struct Figures {
    memory_kb: u64,
    open: usize,
    threads: u64,
    files: usize,
    bytes: u64,
    history: u64,
    results: usize,
    report: u64,
    events: u64,
    lines: u64,
    /// Of the service and of what it started and waited for, in milliseconds.
    cpu: u64,
    at: Option<Instant>,
}

impl Figures {
    fn of(site: &Site, service: &Service) -> Figures {
        let pid = service.child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let (files, bytes) = kept(&site.state());
        let report = site.share().join("machines").join(format!("{MACHINE}.json"));
        Figures {
            memory_kb: field("RssAnon:"),
            open: std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
            threads: field("Threads:"),
            files,
            bytes,
            history: size(&site.state().join("history.db")),
            results: results(site),
            report: size(&report),
            events: events(site),
            lines: lines(site),
            cpu: cpu(pid),
            at: Some(Instant::now()),
        }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// Files and bytes below the state folder, but for the history, logs and transcripts.
fn kept(state: &Path) -> (usize, u64) {
    let walk = walkdir::WalkDir::new(state).into_iter().filter_map(Result::ok);
    let of_it = walk.filter(|entry| {
        entry.file_type().is_file()
            && !entry.path().starts_with(state.join("log"))
            && !entry.file_name().to_string_lossy().starts_with("history.db")
    });
    of_it.fold((0, 0), |(files, bytes), entry| (files + 1, bytes + size(entry.path())))
}

fn results(site: &Site) -> usize {
    let folder = site.share().join("despoolr.box").join(MACHINE);
    std::fs::read_dir(folder).map_or(0, |all| {
        all.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|e| e == "MIF")))
            .count()
    })
}

/// Rows of the history's chain.
fn events(site: &Site) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(site.state().join("history.db"), flags).unwrap();
    let _ = db.busy_timeout(Duration::from_secs(10));
    db.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// Lines of the log and of those that it was rotated to; what was rotated away since is not counted.
fn lines(site: &Site) -> u64 {
    let all = std::fs::read_dir(site.state().join("log")).into_iter().flatten().filter_map(Result::ok);
    all.filter(|entry| entry.path().is_file())
        .map(|entry| {
            std::fs::read(entry.path()).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count() as u64)
        })
        .sum()
}

/// Processor time so far, in milliseconds, of the service and of its children that have ended.
fn cpu(pid: u32) -> u64 {
    stat(pid).map_or(0, |stat| (stat.own + stat.reaped) * 10)
}

struct Soak<'a> {
    site: &'a Site,
    service: &'a Service,
    before: Figures,
    runs: usize,
}

impl Soak<'_> {
    fn until_all_ran(&self, all: usize) {
        let done = wait_for_or(LIMIT, || self.site.ran("ran") >= all && results(self.site) >= all);
        if done.is_err() {
            println!("NOT ALL RAN: {} of {all}, {} results", self.site.ran("ran"), results(self.site));
            std::process::exit(1);
        }
        self.tidied();
    }

    /// What was delivered is put away some seconds later.
    fn tidied(&self) {
        let runs = self.site.state().join("runs");
        let gone = wait_for_or(Duration::from_secs(120), || {
            std::fs::read_dir(&runs).map_or(0, Iterator::count) == 0
        });
        if gone.is_err() {
            println!("what was delivered is NOT PUT AWAY");
        }
    }

    /// One row, with what `runs` more runs took.
    fn row(&mut self, what: &str, runs: usize) {
        let here = Figures::of(self.site, self.service);
        self.runs += runs;
        let each = |total: u64| if runs == 0 { 0.0 } else { total as f64 / runs as f64 };
        let took = here.at.zip(self.before.at).map_or(0, |(now, then)| (now - then).as_millis() as u64);
        println!(
            "{what:<34}{:>6}{:>8}{:>7}{:>8}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9.1}{:>9.1}{:>9.0}",
            self.runs,
            here.memory_kb,
            here.open,
            here.threads,
            here.files,
            here.bytes / 1024,
            here.history / 1024,
            here.results,
            here.report,
            each(here.events - self.before.events),
            each(here.cpu - self.before.cpu),
            each(took),
        );
        self.before = here;
    }

    /// One row after so many more polls, of which there is one a second.
    fn polls(&mut self, what: &str, polls: usize) {
        self.before = Figures::of(self.site, self.service);
        std::thread::sleep(Duration::from_secs(polls as u64));
        let here = Figures::of(self.site, self.service);
        let problems = self.site.json_of(&["status"])["problems"].as_array().map_or(0, Vec::len);
        let each = |total: u64| total as f64 / polls as f64;
        println!(
            "{what:<34}{polls:>10}{:>10}{:>12}{:>12.2}{:>12.1}{:>14}   problems told: {problems}",
            here.memory_kb,
            here.events,
            each(here.lines.saturating_sub(self.before.lines)),
            each(here.cpu - self.before.cpu),
            here.files,
        );
        self.before = here;
    }
}
