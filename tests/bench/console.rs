//! How long a key waits, and what an idle console costs: `cargo bench --bench console`. The real console in a real
//! terminal on a real service with 1,000 requests, 50,000 attempts in its history and 200 people logged on. Prints
//! figures; UX.md 3 and its goals (1 ms in the median, 5 ms at the 99th percentile) are printed beside them. Beside how
//! long a key waited stands how much processor time its way through the console took: the one shows what else this
//! machine was busy with, the other does not.
//! `PCM_BENCH_SECONDS` is how long the costs are measured for (60), `PCM_BENCH_KEYS` how many keys a view gets (200),
//! `PCM_BENCH_ONLY=200x50 week` leaves the views whose name has these words.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use common::pty::Terminal;
use common::stat::ticks;
use common::{Request, Service, Site, now, seconds, wait_for_or};
use pcm::decision::Attempt;
use pcm::executor::history::{AttemptRow, History};
use pcm::host::paths::Layout;
use pcm::terms::State;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const REQUESTS: usize = 1_000;
const ATTEMPTS: usize = 50_000;
const SESSIONS: usize = 200;

fn main() {
    // `cargo bench` passes flags of its own harness; there is one bench here.
    let keys = told("PCM_BENCH_KEYS", 200);
    let time = Duration::from_secs(told("PCM_BENCH_SECONDS", 60) as u64);
    // In memory, where there is such a folder: the history is made by a hundred thousand synced writes.
    let parent = if Path::new("/dev/shm").is_dir() { Path::new("/dev/shm") } else { &std::env::temp_dir() };
    let mut site = Site::with_config_in(parent, "polling_interval = \"60m\"");
    let requests: Vec<Request> = (0..REQUESTS).map(request).collect();
    site.publish(&requests);
    site.package("BP00000A", "true");
    history(&site);
    transcript(&site);
    let service = service(&site);
    println!("{REQUESTS} requests, {ATTEMPTS} attempts, {} logged on", sessions(&site));
    println!("goals: a key in 1 ms (median), 5 ms (99th percentile), none over 50 ms\n");
    println!("{:<46}{:>28}   {:>28}{:>8}", "", "a key until its bytes", "processor time for it", "");
    let names = ["median", "99 %", "worst ms"];
    let [a, b, c] = names;
    println!("{:<46}{a:>9}{b:>9}{c:>10}   {a:>9}{b:>9}{c:>10}{:>8}", "", "bytes");
    let only = std::env::var("PCM_BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.split_whitespace().all(|word| name.contains(word));
    for (cols, rows) in [(80, 24), (200, 50)] {
        let view = |name: &str, open: &str, shown: &str, keys_of: &[&str]| {
            if !wanted(&format!("{cols}x{rows} {name}")) {
                return;
            }
            let mut console = console(&site, cols, rows);
            // Keys, and after a bar what is waited for before the next ones.
            for (n, part) in open.split('|').enumerate() {
                match n % 2 {
                    0 => part.split(' ').for_each(|key| console.keys(key)),
                    _ => console.wait(part),
                }
            }
            console.wait(shown);
            std::thread::sleep(Duration::from_secs(1));
            let waits = waits(&mut console, keys_of, keys);
            row(&format!("{cols}x{rows} {name}"), &waits);
        };
        view("overview, j k", "", "BP1000", &["j", "j", "k"]);
        view("packages, j and pages", "2", "BP1000", &["j", "\x1b[6~", "k", "\x1b[5~"]);
        view("packages, a filter typed", "2 /", "/", &["n", "u", "m", "\x7f", "\x7f", "\x7f"]);
        view("packages, sorted anew", "2", "BP1000", &["s"]);
        view("history, j and pages", "6", "ATTEMPTS 50000", &["j", "\x1b[6~", "k", "\x1b[5~"]);
        view("history, a filter typed", "6 /", "filter:", &["n", "u", "m", "\x7f", "\x7f", "\x7f"]);
        view("logged on, j k", "4", "user1", &["j", "j", "k"]);
        view("details opened and closed", "", "BP1000", &["\r", "q"]);
        view("help opened and closed", "", "BP1000", &["?", "q"]);
        view("commands, typed", ":", "COMMANDS", &["d", "e", "\x7f", "\x7f"]);
        view("explanation opened and closed", "", "BP1000", &["e", "q"]);
        view("the week to come, j and pages", "t", "RUNS", &["j", "\x1b[6~", "k", "\x1b[5~"]);
        view(
            "a transcript of 256 KB, scrolled",
            "6|ATTEMPTS 50000|\r|a package that talks|\t",
            "DETAILS",
            &["k", "k", "j"],
        );
    }
    if !only.is_empty() {
        return;
    }
    let log = site.state().join("log/PACMAN.LOG");
    rushing(&log, || {
        let mut console = console(&site, 80, 24);
        console.wait("rushes by");
        row("80x24 overview, 1,000 log lines/s", &waits(&mut console, &["j", "j", "k"], keys));
        console.keys("3");
        row("80x24 log, 1,000 log lines/s, scrolled", &waits(&mut console, &["k", "k", "j", "G"], keys));
    });
    println!(
        "\n{:<30}{:>9}{:>9}{:>12}{:>12}{:>10}",
        "cost of a minute", "bytes", "draws", "console CPU", "service CPU", "memory"
    );
    for (name, open) in [("idle, overview", ""), ("idle, history", "6")] {
        let mut console = console(&site, 80, 24);
        console.keys(open);
        std::thread::sleep(Duration::from_secs(3));
        cost(name, &console, &service, time);
    }
    rushing(&log, || {
        let mut console = console(&site, 80, 24);
        console.keys("3");
        console.wait("rushes by");
        cost("a log of 1,000 lines/s", &console, &service, time);
    });
}

fn told(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// A mixture as a site has it: most far in the future, some optional.
fn request(n: usize) -> Request {
    let request = Request::due(&format!("BP1{n:04}"))
        .set("package", format!("\"Package number {n} of the site\""))
        .set("expire_after", "2031-01-01T00:00:00Z");
    match n % 3 {
        0 => request.set("mandatory_after", ""),
        1 => request.mandatory(now() + seconds(86_400 * (1 + n as i64))),
        _ => {
            request.set("offer_after", "2030-01-01T00:00:00Z").set("mandatory_after", "2030-06-01T00:00:00Z")
        }
    }
}

/// Attempts of requests that have been withdrawn since, as years leave them behind.
fn history(site: &Site) {
    let since = Instant::now();
    let layout = Layout {
        config: site.config(),
        state: site.state(),
        log: site.state().join("log"),
        socket: site.state().join("pcm.sock"),
    };
    let mut history = History::open(&layout).unwrap();
    let begin = now() - seconds(86_400 * 365);
    for n in 0..ATTEMPTS {
        let at = begin + seconds(n as i64 * 600);
        let state = if n % 10 == 0 { State::Failed } else { State::Succeeded };
        let row = AttemptRow {
            request: format!("BP2{:04}", n / 50).parse().unwrap(),
            attempt: std::sync::Arc::new(Attempt {
                number: (n % 50 + 1) as u32,
                state,
                retry_at: None,
                package: format!("Package number {}", n / 50).as_str().into(),
                command: "Typical".into(),
                job_id: "BP0000AA".parse().unwrap(),
                package_id: "BP00000A".parse().unwrap(),
                claimed_at: at,
                started_at: Some(at),
                ended_at: Some(at + seconds(41)),
                exit_code: Some(i64::from(state == State::Failed) * 17),
                result: "exit status as the table says after 41s".into(),
                by: "service".into(),
                reason: "".into(),
                boot_id: "b".into(),
                restart: Default::default(),
                release: None,
                removes: false,
            }),
            content: None,
            exit_codes: Default::default(),
            max_run_time_s: 1800,
            overrides: Vec::new(),
            need: None,
            started_up_ms: None,
            host: None,
            folded_at: None,
        };
        let _ = history.claim(at, &row).unwrap(); // nothing is held here that it could be applied to
    }
    history.write_mark().unwrap();
    println!("history of {ATTEMPTS} attempts made in {:.0?}", since.elapsed());
}

/// What the newest of them wrote: more than is shown of it.
fn transcript(site: &Site) {
    let folder = site.state().join("log/runs");
    std::fs::create_dir_all(&folder).unwrap();
    let line = |n: usize| {
        format!(
            "line {n} of a package that talks, sometimes{} more than fits\n",
            " a good deal".repeat(n % 9)
        )
    };
    let text: String = (0..6_000).map(line).collect();
    std::fs::write(folder.join(format!("BP2{:04}-50.log", ATTEMPTS / 50 - 1)), text).unwrap();
}

/// The service, where possible with a table of users of its own: in a mount namespace with another `/run`.
fn service(site: &Site) -> Service {
    let mut table = Vec::new();
    for n in 0..SESSIONS {
        let mut record = vec![0u8; 384];
        record[0] = 7;
        record[4..8].copy_from_slice(&(std::process::id() as i32).to_ne_bytes());
        for (at, text) in
            [(8, format!("pts/{n}")), (44, format!("user{n}")), (76, format!("10.1.{}.{}", n / 250, n % 250))]
        {
            record[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        record[340..344].copy_from_slice(&(now().timestamp() as u32 - n as u32 * 60).to_ne_bytes());
        table.extend(record);
    }
    std::fs::write(site.path("utmp"), table).unwrap();
    let inner = site.command(&["service", "run"]);
    let script =
        format!("mount -t tmpfs tmpfs /run && cp '{}' /run/utmp && exec \"$@\"", site.path("utmp").display());
    let mut command = Command::new("unshare");
    command
        .args(["-m", "--propagation", "private", "sh", "-c", &script, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn();
    let up = |child: &mut std::io::Result<Child>| {
        wait_for_or(Duration::from_secs(60), || {
            child.as_mut().is_ok_and(|c| c.try_wait().is_ok_and(|s| s.is_none())) && answers(site)
        })
    };
    if child.as_mut().is_ok_and(|c| {
        std::thread::sleep(Duration::from_millis(300));
        c.try_wait().is_ok_and(|s| s.is_none())
    }) && up(&mut child).is_ok()
    {
        return Service { child: child.unwrap() };
    }
    println!("SKIPPED: no mount namespace here, so those logged on are the machine's own");
    let mut child = site.command(&["service", "run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    up(&mut child).unwrap();
    Service { child: child.unwrap() }
}

fn answers(site: &Site) -> bool {
    let list = site.pcm(&["list", "--pending", "--json"]);
    serde_json::from_slice::<serde_json::Value>(&list.stdout).is_ok_and(|doc| {
        doc["service"] == "running" && doc["requests"].as_array().is_some_and(|all| all.len() == REQUESTS)
    })
}

fn sessions(site: &Site) -> usize {
    site.json(&["who"])["sessions"].as_array().map_or(0, Vec::len)
}

fn console(site: &Site, cols: u16, rows: u16) -> Terminal {
    let console = Terminal::start(&site.command(&[]), cols, rows);
    console.wait("BP1000");
    console
}

/// What one key cost.
struct Cost {
    wait: Duration,
    cpu: Duration,
    bytes: usize,
}

/// Presses keys at odd moments; how long each took to its first byte, the processor time that its way took, its bytes.
fn waits(console: &mut Terminal, keys: &[&str], count: usize) -> Vec<Cost> {
    let mut waits = Vec::new();
    for n in 0..count {
        // Not in step with the console's own second.
        std::thread::sleep(Duration::from_millis(41 + (n * 37 % 83) as u64));
        let (before, used) = (console.count(), on_the_way(console.pid()));
        let since = Instant::now();
        console.keys(keys[n % keys.len()]);
        let came = wait_for_or_spin(Duration::from_secs(2), || console.count() > before);
        let Some(at) = came.then(|| console.came_at(before + 1)).flatten() else {
            println!("key {n} brought no byte");
            continue;
        };
        // A thread's time is counted when it lies down.
        std::thread::sleep(Duration::from_millis(3));
        waits.push(Cost {
            wait: at.saturating_duration_since(since),
            cpu: on_the_way(console.pid()).saturating_sub(used),
            bytes: console.count() - before,
        });
    }
    waits
}

/// Processor time so far of the threads that a key goes through: the one that reads it, the one that draws, the one that
/// writes. The first is called as the process is.
fn on_the_way(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let ours = ["pcm", "console-keys", "console-out"].contains(&name.trim());
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok().filter(|_| ours)?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// As `wait_for_or`, looking more often than what is measured takes.
fn wait_for_or_spin(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    false
}

fn row(name: &str, costs: &[Cost]) {
    let sorted = |of: &dyn Fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let told = |of: &dyn Fn(&Cost) -> Duration| {
        let all = sorted(&|cost| of(cost).as_secs_f64() * 1000.0);
        let last = all.len() - 1;
        format!("{:>9.2}{:>9.2}{:>10.2}", all[last / 2], all[last * 99 / 100], all[last])
    };
    let bytes = sorted(&|cost| cost.bytes as f64);
    let (wait, cpu) = (told(&|cost| cost.wait), told(&|cost| cost.cpu));
    println!("{name:<46}{wait}   {cpu}{:>8.0}", bytes[(bytes.len() - 1) / 2]);
}

fn cost(name: &str, console: &Terminal, service: &Service, time: Duration) {
    let (bytes, ours, theirs) = (console.count(), ticks(console.pid()), ticks(service.child.id()));
    std::thread::sleep(time);
    let minute = 60.0 / time.as_secs_f64();
    let output = console.bytes();
    let text = String::from_utf8_lossy(&output[bytes..]).into_owned();
    println!(
        "{name:<30}{:>9.0}{:>9.0}{:>10.2} s{:>10.2} s{:>7} MiB",
        text.len() as f64 * minute,
        common::escapes::frames(&text).len() as f64 * minute,
        (ticks(console.pid()) - ours) as f64 / 100.0 * minute,
        (ticks(service.child.id()) - theirs) as f64 / 100.0 * minute,
        resident(console.pid()),
    );
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// While this goes on, the log grows by a thousand lines a second.
fn rushing(log: &Path, during: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                let mut lines = String::new();
                for _ in 0..50 {
                    n += 1;
                    lines +=
                        &format!("line {n} of a log that rushes by, as long as lines of logs usually are\n");
                }
                file.write_all(lines.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        during();
        stop.store(true, Ordering::SeqCst);
    });
}
