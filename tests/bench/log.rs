//! How fast logs of any size are read: `cargo bench --bench log`. Makes a log of format E and one of format A (100 MB each,
//! or `PCM_BENCH_MB`) and prints what `pcm log` takes beside the tools that are installed, as multiples of `wc -l` or of the
//! tool that does the same. Prints figures and judges nothing.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 3;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Every 33rd record or so is of job 17; one in the whole file is what nobody finds by chance.
fn words(dice: &mut Dice, n: u64) -> String {
    let what = [
        "Looking for instruction file",
        "Packages before filter",
        "Executing command line",
        "Job still running",
    ];
    let job = dice.of(33);
    let rare = if n == 7_777 { " Zugzwang-4711" } else { "" };
    format!(
        "{}: \\\\SERVER\\share\\packages\\BP{:05} of job {job:02}.{rare}",
        what[dice.of(4) as usize],
        dice.of(99_999)
    )
}

fn make(path: &Path, cmtrace: bool, bytes: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (mut dice, mut written, mut n) = (Dice(1), 0, 0_u64);
    while written < bytes {
        let (s, text) = (n / 50, words(&mut dice, n));
        let (day, h, m, s) = (1 + s / 86_400 % 28, s / 3_600 % 24, s / 60 % 60, s % 60);
        let fault = dice.of(200);
        let line = if cmtrace {
            let kind = match fault {
                0 => 3,
                1..=3 => 2,
                _ => 1,
            };
            format!(
                "<![LOG[{text}]LOG]!><time=\"{h:02}:{m:02}:{s:02}.{:03}+000\" date=\"11-{day:02}-2026\" component=\"pcmsvc\" context=\"\" type=\"{kind}\" thread=\"{}\" file=\"engine.cpp:{}\">\r\n",
                n % 1000,
                1000 + dice.of(40),
                dice.of(2_000)
            )
        } else {
            let fails = if fault == 0 { " It failed." } else { "" };
            format!("[11/{day:02}/26 {h:02}:{m:02}:{s:02}] Package Command Manager ==> {text}{fails}\n")
        };
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        n += 1;
    }
    file.flush().unwrap();
}

/// The best of some runs, the most anonymous memory in kB, and the first line printed.
fn took(mut command: Command) -> Option<(Duration, u64, String)> {
    let mut best: Option<(Duration, u64, String)> = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let pid = child.id();
        let memory = std::thread::spawn(move || {
            let mut most = 0;
            while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
                let kb = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
                let Some(kb) = kb.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<u64>().ok()) else {
                    break;
                };
                most = most.max(kb);
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let (mut output, mut first) = (vec![0; 1 << 16], Vec::new());
        let stdout = child.stdout.as_mut().unwrap();
        loop {
            let n = stdout.read(&mut output).unwrap();
            if n == 0 {
                break;
            }
            if first.is_empty() {
                first.extend_from_slice(&output[..n.min(200)]);
            }
        }
        child.wait().unwrap();
        let took = start.elapsed();
        let most = memory.join().unwrap();
        let line = String::from_utf8_lossy(&first).lines().next().unwrap_or_default().to_owned();
        if best.as_ref().is_none_or(|(least, ..)| took < *least) {
            best = Some((took, most, line));
        }
    }
    best
}

fn main() {
    let megabytes: u64 = std::env::var("PCM_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pcm.toml"), "machine = \"BP004000\"\nshares = [\"/nowhere\"]\n").unwrap();
    for (name, cmtrace) in [("E.log", true), ("A.log", false)] {
        let path = dir.path().join(name);
        make(&path, cmtrace, megabytes << 20);
        println!("{name}, {megabytes} MB");
        let of = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).current_dir(dir.path()).env("LC_ALL", "C").env("TZ", "UTC");
            command.env("PCM_CONFIG", dir.path().join("pcm.toml")).env("PCM_STATE", dir.path().join("state"));
            command
        };
        let pcm = |args: &[&str]| of(env!("CARGO_BIN_EXE_pcm"), &[&["log", name], args].concat());
        let lines = took(of("wc", &["-l", name])).unwrap().0;
        let say = |what: &str, with: &str, command: Command, beside: Duration| {
            let Some((took, kb, first)) = took(command) else { return Duration::ZERO };
            let times = took.as_secs_f64() / beside.as_secs_f64();
            let first: String = first.chars().take(40).collect();
            println!("  {what:<34} {took:>10.2?} {times:>7.2} x {with:<8} {kb:>7} kB  {first}");
            took
        };
        say("wc -l", "itself", of("wc", &["-l", name]), lines);
        say("pcm log -c, every record", "wc -l", pcm(&["-c"]), lines);
        let file = File::open(&path).unwrap();
        let own = |what: &str, with: &str, beside: Duration, work: &dyn Fn() -> u64| {
            let run = |_| {
                let start = Instant::now();
                let found = work();
                (start.elapsed(), found)
            };
            let (took, found) = (0..RUNS).map(run).min().unwrap();
            let times = took.as_secs_f64() / beside.as_secs_f64();
            println!("  {what:<34} {took:>10.2?} {times:>7.2} x {with:<8} {:>10}  {found}", "");
        };
        own("console: index of all records", "wc -l", lines, &|| pcm::testing::indexed(&file).unwrap());
        let rare = say(
            "grep -a -c -F, rare",
            "wc -l",
            of("grep", &["-a", "-c", "-F", "Zugzwang-4711", name]),
            lines,
        );
        say("rg -c -F, rare", "grep", of("rg", &["-a", "-c", "-F", "Zugzwang-4711", name]), rare);
        say("pcm log --grep, rare", "grep", pcm(&["--grep", "Zugzwang-4711"]), rare);
        own("console: rare, back from the end", "grep", rare, &|| {
            pcm::testing::last_with(&file, "Zugzwang-4711").unwrap().unwrap()
        });
        say("pcm log --grep, rare, any case", "grep", pcm(&["--grep", "zugzwang-4711"]), rare);
        let some = say("grep -a, 3 %", "wc -l", of("grep", &["-a", "job 17", name]), lines);
        say("rg -a, 3 %", "grep", of("rg", &["-a", "job 17", name]), some);
        say("pcm log --grep, 3 %", "grep", pcm(&["--grep", "job 17"]), some);
        let words = if cmtrace { "type=\"3\"" } else { "fail" };
        let errors = say("grep -a -c, errors", "wc -l", of("grep", &["-a", "-c", words, name]), lines);
        say("rg -a -c, errors", "grep", of("rg", &["-a", "-c", words, name]), errors);
        say("pcm log --level error -c", "grep", pcm(&["--level", "error", "-c"]), errors);
        let last = say("tail -n 24", "wc -l", of("tail", &["-n", "24", name]), lines);
        say("pcm log -n 24", "tail", pcm(&["-n", "24"]), last);
        say("cat", "wc -l", of("cat", &[name]), lines);
        say("pcm log, everything as rows", "wc -l", pcm(&[]), lines);
        fs::remove_file(path).unwrap();
    }
}
