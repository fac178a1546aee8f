//! The hosts of the bench, the lines to them, and what is measured.

use super::common::pty::Terminal;
use super::common::sshd::Sshd;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const RUNS: usize = 3;
const LIVE: usize = 17;
const DEAD: [&str; 3] = ["refuses", "is-mute", "is-slow"];
/// Bytes a second of the slow line.
const SLOW: u64 = 200;
const PAGE: usize = 250;

/// What went over one line, to the host and from it.
#[derive(Default)]
struct Wire {
    up: AtomicU64,
    down: AtomicU64,
}

/// A line to the server that counts, at `rate` bytes a second if one is given.
fn line(server: u16, rate: Option<u64>) -> (u16, Arc<Wire>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let wire = Arc::new(Wire::default());
    let counts = Arc::clone(&wire);
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
            let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
            let both = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (up, down) = (Arc::clone(&counts), Arc::clone(&counts));
            std::thread::spawn(move || carry(near, far, rate, |n| up.up.fetch_add(n, Ordering::Relaxed)));
            std::thread::spawn(move || {
                carry(both.1, both.0, rate, |n| down.down.fetch_add(n, Ordering::Relaxed))
            });
        }
    });
    (port, wire)
}

fn carry(mut from: TcpStream, mut to: TcpStream, rate: Option<u64>, count: impl Fn(u64) -> u64) {
    let mut piece = vec![0; if rate.is_some() { 20 } else { 1 << 16 }];
    while let Ok(n @ 1..) = from.read(&mut piece) {
        if let Some(rate) = rate {
            std::thread::sleep(Duration::from_millis(n as u64 * 1_000 / rate));
        }
        count(n as u64);
        if to.write_all(&piece[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A log as a service writes it, with a line of an error now and then; one word in it stands near its beginning alone.
fn make(path: &Path, bytes: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let (mut written, mut n) = (0, 0_u64);
    while written < bytes {
        let s = n / 40;
        let (day, h, m, s) = (1 + s / 86_400 % 28, s / 3_600 % 24, s / 60 % 60, s % 60);
        let job = n.wrapping_mul(6_364_136_223_846_793_005) >> 40;
        let end = match n {
            7_777 => "Zugzwang-4711",
            n if n.is_multiple_of(500) => "exit code 1603: it failed",
            _ => "waits for its window",
        };
        let line = format!(
            "[11/{day:02}/26 {h:02}:{m:02}:{s:02}] pcmsvc ==> request BP{job:08} of BP004000 for \\\\SERVER\\packages: {end}\n"
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        n += 1;
    }
    file.flush().unwrap();
}

struct Hosts {
    dir: PathBuf,
    wires: Vec<Arc<Wire>>,
    names: Vec<String>,
    config: PathBuf,
    log: PathBuf,
    /// A listener that nobody accepts from.
    _mute: TcpListener,
}

impl Hosts {
    fn new(dir: &Path, sshd: &Sshd, log: &Path) -> Self {
        let client = sshd.client();
        let key = client.iter().skip_while(|word| *word != "-i").nth(1).unwrap();
        let account = sshd.account().split('@').next().unwrap().to_owned();
        let server: u16 = client.last().unwrap().parse().unwrap();
        let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // Its port is free again, and nobody listens there.
        let refuses = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (slow, _) = line(server, Some(SLOW));
        let mut config = String::new();
        let (mut names, mut wires) = (Vec::new(), Vec::new());
        for n in 1..=LIVE {
            let (port, wire) = line(server, None);
            let name = format!("web-{n:02}");
            let home = dir.join(&name);
            fs::create_dir_all(home.join("state/log")).unwrap();
            fs::hard_link(log, home.join("state/log/PACMAN.LOG")).unwrap();
            fs::write(home.join("pcm.toml"), "machine = \"BP004000\"\nshares = [\"/nowhere\"]\n").unwrap();
            config.push_str(&format!(
                "Host {name}\n  Port {port}\n  SetEnv PCM_CONFIG={home}/pcm.toml PCM_STATE={home}/state\n",
                home = home.display()
            ));
            names.push(name);
            wires.push(wire);
        }
        for (name, port) in DEAD.iter().zip([refuses, mute.local_addr().unwrap().port(), slow]) {
            config.push_str(&format!("Host {name}\n  Port {port}\n"));
        }
        config.push_str(&format!(
            "Host *\n  HostName 127.0.0.1\n  User {account}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  BatchMode yes\n  \
             StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  ControlPath {}/%n\n",
            dir.display()
        ));
        let path = dir.join("ssh_config");
        fs::write(&path, config).unwrap();
        let all: Vec<&str> = names.iter().map(String::as_str).chain(DEAD).collect();
        fs::write(dir.join("hosts.txt"), all.join("\n")).unwrap();
        let log = log.to_owned();
        Self { dir: dir.to_owned(), wires, names, config: path, log, _mute: mute }
    }

    fn pcm(&self, args: &[&str]) -> Command {
        let mut pcm = Command::new(program());
        pcm.env("PCM_SSH", format!("ssh -F \"{}\"", self.config.display())).env_remove("SSH_AUTH_SOCK");
        pcm.env("PCM_CONFIG", "/nowhere/pcm.toml").env("PCM_STATE", "/nowhere/state").env("TZ", "UTC");
        pcm.args(["log", "--hosts"]).arg(self.dir.join("hosts.txt")).args(args).stdin(Stdio::null());
        pcm
    }

    fn ssh(&self, host: &str, args: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.config).args(args).arg(host).env_remove("SSH_AUTH_SOCK");
        ssh.stdin(Stdio::null()).stderr(Stdio::null());
        ssh
    }

    /// A connection to each that stands.
    fn connect(&self) {
        for name in &self.names {
            assert!(self.ssh(name, &["-MNf"]).status().unwrap().success());
        }
    }

    fn disconnect(&self) {
        for name in &self.names {
            let _ = self.ssh(name, &["-O", "exit"]).status();
        }
    }

    /// A command at all of them at once, until all have ended.
    fn each(&self, command: &str) -> Duration {
        let began = Instant::now();
        let children: Vec<_> = self
            .names
            .iter()
            .map(|name| self.ssh(name, &["-T"]).arg(command).stdout(Stdio::null()).spawn().unwrap())
            .collect();
        children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
        began.elapsed()
    }

    fn forget(&self) {
        for wire in &self.wires {
            wire.up.store(0, Ordering::Relaxed);
            wire.down.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes to a host and from it: least and most.
    fn wire(&self) -> String {
        let of = |which: fn(&Wire) -> &AtomicU64| {
            let bytes = || self.wires.iter().map(|wire| which(wire).load(Ordering::Relaxed));
            format!("{}-{}", bytes().min().unwrap(), bytes().max().unwrap())
        };
        format!("{} up, {} down", of(|wire| &wire.up), of(|wire| &wire.down))
    }

    /// On a terminal: when its first rows came, of how many hosts, when all had come, and when who was named.
    fn look(&self, args: &[&str]) -> String {
        self.forget();
        let mut terminal = Terminal::start(&self.pcm(args), 200, 50);
        let status = wait(&mut terminal);
        let (bytes, ended) = (terminal.bytes(), terminal.started.elapsed());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let at = |word: &str| text.find(word).and_then(|at| terminal.came(at + word.len()));
        let rows = |text: &str| -> BTreeSet<String> {
            text.lines()
                .filter_map(|row| self.names.iter().find(|name| row.contains(&format!(" {name} "))))
                .cloned()
                .collect()
        };
        let first = text.find(" web-").and_then(|at| terminal.came(at)).unwrap_or_default();
        let pages: Vec<&str> = text.split("-- later --").collect();
        let all = self.names.iter().map(|name| at(&format!(" {name} "))).max().flatten().unwrap_or_default();
        let named: Vec<String> = DEAD
            .iter()
            .map(|name| {
                format!(
                    "{name} {}",
                    at(&format!("{name}:")).or_else(|| at(name)).map_or("never".into(), short)
                )
            })
            .collect();
        let wire = self.wire();
        format!(
            "first page {} with {} of {LIVE}, all {}; {}; ended after {} with {status}; {wire}",
            short(first),
            rows(pages[0]).len(),
            short(all),
            named.join(", "),
            short(ended)
        )
    }

    /// In a pipe, followed as view 5 does: when rows of all of them were there.
    fn follow(&self) -> String {
        self.forget();
        let began = Instant::now();
        let mut child = self.pcm(&["-f"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (mut text, mut piece, mut first) = (String::new(), vec![0; 1 << 16], None);
        while self.names.iter().any(|name| !text.contains(&format!(" {name} "))) {
            let n = stdout.read(&mut piece).unwrap();
            assert!(n > 0, "it ended: {text}");
            first.get_or_insert_with(|| began.elapsed());
            text.push_str(&String::from_utf8_lossy(&piece[..n]));
        }
        let all = began.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        format!("first rows {}, rows of all {LIVE} {}; {}", short(first.unwrap()), short(all), self.wire())
    }
}

/// Its end; what it asks for takes as long as it takes.
fn wait(terminal: &mut Terminal) -> u32 {
    loop {
        if let Some(status) = terminal.child.try_wait().unwrap() {
            // What it said last is read.
            terminal.wait_quiet(Duration::from_millis(100));
            return status.exit_code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The pcm that is measured, here and over there.
fn program() -> PathBuf {
    std::env::var_os("PCM_BENCH_PCM").map_or_else(|| env!("CARGO_BIN_EXE_pcm").into(), PathBuf::from)
}

fn short(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

pub fn main() {
    let megabytes: u64 = std::env::var("PCM_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let pcm = program();
    let bin = pcm.parent().unwrap();
    let Some(sshd) = Sshd::start_with(&format!(
        "AcceptEnv PCM_*\nSetEnv PATH={}:/usr/local/bin:/usr/bin:/bin TZ=UTC",
        bin.display()
    )) else {
        return;
    };
    let dir = tempfile::Builder::new().prefix("pcm-hosts-").tempdir().unwrap();
    let log = dir.path().join("big.log");
    make(&log, megabytes << 20);
    let hosts = Hosts::new(dir.path(), &sshd, &log);
    let load = || fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{LIVE} hosts with logs of {megabytes} MB, 3 that {}; load {}", DEAD.join(", "), load().trim());
    for stands in [false, true] {
        println!("{}", if stands { "connections that stand (ControlPath)" } else { "connections anew" });
        if stands {
            hosts.connect();
        }
        for run in 1..=RUNS {
            hosts.forget();
            let floor = hosts.each("true");
            let wire = hosts.wire();
            println!("  {run}: ssh HOST true           all {}; {wire}", short(floor));
            hosts.forget();
            let floor = hosts.each(&format!("tail -n {PAGE} {}", hosts.log.display()));
            println!("  {run}: ssh HOST tail -n {PAGE}    all {}; {}", short(floor), hosts.wire());
            println!("  {run}: pcm log --hosts         {}", hosts.look(&[]));
            println!("  {run}: … -f                    {}", hosts.follow());
        }
        for args in [
            &["--level", "error"][..],
            &["--grep", "1603"],
            &["--grep", "Zugzwang"],
            &["--since", "2026-11-02 06:00", "--until", "2026-11-02 06:05"],
            &["-c", "--level", "error"],
        ] {
            println!("  pcm log --hosts {}: {}", args.join(" "), hosts.look(args));
        }
        if stands {
            hosts.disconnect();
        }
    }
    println!("load {}", load().trim());
}
