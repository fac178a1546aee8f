//! How long a rollout of a large site takes to count: `cargo bench --bench rollout`. Prints figures and judges nothing: what
//! 100,000 reports of 5 KB cost on this disk whoever reads them, then what `pcm rollout` takes, and how much memory.
#![allow(clippy::unwrap_used)]

#[path = "../common/stat.rs"]
mod stat;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MACHINES: usize = 100_000;
const REQUESTS: usize = 12;

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
    command.args(args).arg("--json").current_dir(dir).env("PCM_SITE_FOLDER", dir.join("site"));
    command.env("PCM_CONFIG", dir.join("pcm.toml")).env("XDG_CACHE_HOME", dir.join("cache"));
    command
}

fn run(dir: &Path, args: &[&str]) -> serde_json::Value {
    let done = command(dir, args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap_or_default()
}

fn said(what: &str, took: Duration, more: &str) {
    println!("{what:<44} {took:>9.2?}  {more}");
}

/// What processors spent on a process so far, in hundredths of a second: on a busy machine that says more than the time.
fn spent(pid: u32) -> Option<u64> {
    stat::stat(pid).map(|stat| stat.own)
}

/// What `pcm rollout` took, and the most memory that it had; its figures.
fn rollout(dir: &Path, what: &str, args: &[&str]) {
    timed(dir, what, &[&["rollout"][..], args].concat());
}

/// The same of any verb.
fn timed(dir: &Path, what: &str, all: &[&str]) {
    let start = Instant::now();
    let mut child = command(dir, all).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let memory = std::thread::spawn(move || {
        let (mut most, mut cpu) = (0, 0);
        while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kb) = line.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<u64>().ok()) else {
                break;
            };
            most = most.max(kb);
            cpu = spent(pid).unwrap_or(cpu);
            std::thread::sleep(Duration::from_millis(2));
        }
        (most, cpu)
    });
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    let answered = start.elapsed();
    child.wait().unwrap();
    let ended = start.elapsed();
    let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
    let job = &doc["jobs"][0];
    let (most, cpu) = memory.join().unwrap();
    let (most, cpu) = (most >> 10, Duration::from_millis(cpu * 10));
    let more = format!(
        "{most} MB, {cpu:.2?} of processors, ended {ended:.2?}; read {}, done {}",
        doc["read"], job["done"]
    );
    said(what, answered, &more);
}

/// What one more look costs a `--watch` after this was done.
fn watched(dir: &Path, what: &str, change: impl FnOnce()) {
    let mut child = command(dir, &["rollout", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    // It looks again once it has kept what it read, and has paused.
    let settled = |pid: u32| {
        let mut before = spent(pid);
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = spent(pid);
            if now == before {
                return now.unwrap();
            }
            before = now;
        }
    };
    let before = settled(child.id());
    change();
    lines.next().unwrap().unwrap();
    let cpu = Duration::from_millis((spent(child.id()).unwrap() - before) * 10);
    println!("{what:<44} {:>9}  {cpu:.2?} of processors, looks in between with it", "");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a machine of a site that signs has.
struct Seal<'a> {
    key: &'a PrivateKey,
    site_id: &'a str,
    serial: u64,
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The lines of a machine's report. Of those of every fourth one nothing has run, and it says when it will.
fn report(n: usize, failed: bool) -> String {
    lines(n, failed, None)
}

fn lines(n: usize, failed: bool, seal: Option<&Seal<'_>>) -> String {
    use sha2::{Digest as _, Sha256};
    let at = "2026-11-29T08:00:00Z";
    // Within two days, each at a time of its own, as windows and spreads have it; a day ahead whenever the bench runs.
    let day = TimeDelta::days(1);
    let next = Utc::now() + day + TimeDelta::seconds(i64::try_from(n * 7_919 % 172_800).unwrap());
    let (next, latest) = (stamp(next), stamp(next + TimeDelta::hours(2)));
    let waits = n % 4 == 3 && !failed;
    let state = match (failed, waits) {
        (true, _) => "failed",
        (_, true) => "waiting",
        _ => "succeeded",
    };
    let request = |r: usize| {
        let (id, job) = (format!("BP0001{r:X}"), format!("BP00001{r:X}"));
        let (id, job) = if r == 0 { ("BP0000Z".into(), "BP0000AB".into()) } else { (id, job) };
        let mut request = serde_json::json!({
            "request_id": id, "job_id": job, "package_id": "BP00000A", "state": state, "since": at, "attempt": 1,
            "blocked_by": ["window-closed", "user-logged-on"], "next_change": at, "exit_code": 0, "revision": 3,
            "result": "The operation completed successfully; a restart is not required.", "started_at": at, "ended_at": at,
        });
        if waits {
            for key in ["exit_code", "result", "started_at", "ended_at"] {
                request.as_object_mut().unwrap().remove(key);
            }
            (request["next_run"], request["latest"]) = (next.clone().into(), latest.clone().into());
        }
        request
    };
    let rest = serde_json::json!({
        "platform": "linux-x86_64", "pcm_version": "0.1.0", "polled_at": at, "polling_interval_s": 3600, "source": "/mnt/share",
        "users": 0, "restart_pending": false, "clock_ok": true, "audit_head": null,
        "requests": (0..REQUESTS).map(request).collect::<Vec<_>>(),
    });
    let rest = format!("{rest}\n");
    let hash: String = Sha256::digest(rest.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let mut summary = serde_json::json!({
        "format": 2, "machine": format!("BP0{n:05}"), "site": "BP0", "host": format!("node-{n}"), "report": 7, "epoch": 0,
        "serial": 2, "reported_at": at, "heartbeat_s": 21600, "rest_bytes": rest.len(), "rest_sha256": hash,
    });
    let Some(Seal { key, site_id, serial }) = seal else { return format!("{summary}\n{rest}") };
    (summary["site_id"], summary["states"]) = ((*site_id).into(), serde_json::json!({ (state): REQUESTS }));
    (summary["epoch"], summary["serial"]) = (1.into(), (*serial).into());
    let summary = format!("{summary}\n");
    let signature = key.sign("pcm-report", HashAlg::Sha512, summary.as_bytes()).unwrap();
    let signature = serde_json::json!({"signature": signature.to_pem(LineEnding::LF).unwrap()});
    format!("{summary}{rest}{signature}\n")
}

/// The same where each machine signs with a key of its own.
fn signed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP000000"]);
    run(dir, &["key", "generate", "root"]);
    run(dir, &["key", "trust", "root.pub", "--role", "trust", "--principal", "anna", "--key", "root"]);
    let make = |_| PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
    let keys: Vec<PrivateKey> = (0..MACHINES).map(make).collect();
    let line = |(n, key): (usize, &PrivateKey)| {
        format!("BP0{n:05},node-{n},lab,{}\n", key.public_key().to_openssh().unwrap().trim())
    };
    fs::write(dir.join("site/machines.csv"), keys.iter().enumerate().map(line).collect::<String>()).unwrap();
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@all", "--mandatory", "2h", "--expect", "100000"];
    run(dir, &send);
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(dir.join(file)).unwrap();
        let (_, value) = text.split_once(&format!("{key} = ")).unwrap();
        value.lines().next().unwrap().trim_matches('"').to_owned()
    };
    let (site_id, serial) = (of("site/site.toml", "site_id"), of("site/share/PCM.INDEX", "serial"));
    let serial = serial.parse().unwrap();
    let reports = dir.join("site/share/machines");
    fs::create_dir_all(&reports).unwrap();
    for (n, key) in keys.iter().enumerate() {
        let seal = Seal { key, site_id: &site_id, serial };
        fs::write(reports.join(format!("BP0{n:05}.json")), lines(n, n % 50 == 0, Some(&seal))).unwrap();
    }
    println!("{MACHINES} signed reports");
    settle();
    rollout(dir, "signed: first count, nothing read yet", &[]);
    rollout(dir, "signed: again, nothing changed", &[]);
    timed(dir, "signed: site collect", &["site", "collect"]);
    println!("{} bytes collected", fs::metadata(dir.join("site/share/machines.collected")).unwrap().len());
    fs::remove_dir_all(dir.join("cache")).unwrap();
    rollout(dir, "signed: first count, collected", &[]);
    rollout(dir, "signed: again, collected", &[]);
    // A hundredth of the machines report, and are collected.
    for (n, key) in keys.iter().enumerate().step_by(100) {
        let seal = Seal { key, site_id: &site_id, serial };
        fs::write(reports.join(format!("BP0{n:05}.json")), lines(n, true, Some(&seal))).unwrap();
    }
    run(dir, &["site", "collect"]);
    rollout(dir, "signed: 1 % changed, collected", &[]);
}

/// What was written just now is read once more at the next look: waits until that is over.
fn settle() {
    std::thread::sleep(Duration::from_secs(4));
}

/// Lets the system forget what it has read; only root may.
fn forget() -> bool {
    Command::new("sync").status().is_ok() && fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP000000"]);
    let list: String = (0..MACHINES).map(|n| format!("BP0{n:05},node-{n},lab\n")).collect();
    fs::write(dir.join("site/machines.csv"), list).unwrap();
    run(dir, &["site", "publish", "--expect", "100000"]);
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@all", "--mandatory", "2h", "--expect", "100000"];
    run(dir, &send);
    let reports = dir.join("site/share/machines");
    fs::create_dir_all(&reports).unwrap();
    let path = |n: usize| reports.join(format!("BP0{n:05}.json"));
    (0..MACHINES).for_each(|n| fs::write(path(n), report(n, n % 50 == 0)).unwrap());
    println!("{MACHINES} reports of {} bytes", report(1, false).len());

    // Floors: what anybody pays who lists, looks at and reads all of them, one after the other.
    for cold in [true, false] {
        if cold && !forget() {
            println!("cold: only root can have the system forget what it has read");
            continue;
        }
        let word = if cold { "cold" } else { "warm" };
        let start = Instant::now();
        let names: Vec<_> = fs::read_dir(&reports).unwrap().map(|entry| entry.unwrap().path()).collect();
        said(&format!("floor, {word}: list"), start.elapsed(), "");
        let start = Instant::now();
        let bytes: u64 = names.iter().map(|name| fs::symlink_metadata(name).unwrap().len()).sum();
        said(&format!("floor, {word}: stat"), start.elapsed(), &format!("{} MB", bytes >> 20));
        let start = Instant::now();
        names.iter().for_each(|name| drop(fs::read(name).unwrap()));
        said(&format!("floor, {word}: plain read"), start.elapsed(), "");
    }
    if forget() {
        rollout(dir, "first count, nothing read yet, cold", &[]);
        fs::remove_dir_all(dir.join("cache")).unwrap();
    }
    rollout(dir, "first count, nothing read yet, warm", &[]);
    rollout(dir, "again, nothing changed", &[]);
    rollout(dir, "again, one job with all its machines", &["BP0000AB"]);
    (0..MACHINES).step_by(100).for_each(|n| fs::write(path(n), report(n, true)).unwrap());
    rollout(dir, "again, 1 % changed", &[]);
    watched(dir, "watched: 1 % changed", || {
        (1..MACHINES).step_by(100).for_each(|n| fs::write(path(n), report(n, true)).unwrap());
    });
    if forget() {
        rollout(dir, "again, nothing changed, cold", &[]);
    }
    // On a machine that has nothing but what a collector has written.
    timed(dir, "site collect", &["site", "collect"]);
    println!("{} bytes collected", fs::metadata(dir.join("site/share/machines.collected")).unwrap().len());
    for what in ["first count, collected", "again, collected"] {
        fs::remove_dir_all(dir.join("cache")).unwrap();
        rollout(dir, what, &[]);
    }
    fs::remove_dir_all(dir.join("cache")).unwrap();
    rollout(dir, "one job with all its machines, collected", &["BP0000AB"]);
    signed();
}
