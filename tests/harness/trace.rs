//! strace: which system calls a process makes, and a fault at one of them. One process alone is traced, never what it
//! starts, so that a count means one process: the executor is started below strace; the run host by a script that takes
//! the executable's place once the executor has started, which is what an upgrade does.

use super::common::*;
use super::ground::Ground;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

const PCM: &str = env!("CARGO_BIN_EXE_pcm");

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `pcm run`, which decides, claims and launches.
    Executor,
    /// `pcm run-host`, which runs the package and writes the exit record.
    RunHost,
    /// `pcm list` without a service, which takes the exit record into history before it shows it.
    Recorder,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL instead of the call.
    Kill,
    /// The call is not made and fails with this error; with `from`, so does every later one.
    Error { name: String, from: bool },
}

/// A fault at the `nth` call of this name that this process makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub role: Role,
    pub call: String,
    pub nth: usize,
    pub fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Executor => "executor",
            Role::RunHost => "run-host",
            Role::Recorder => "recorder",
        };
        let fault = match &self.fault {
            Fault::Kill => "SIGKILL".to_owned(),
            Fault::Error { name, from } => format!("{name}{}", if *from { "+" } else { "" }),
        };
        write!(f, "{role}:{}:{}:{fault}", self.call, self.nth)
    }
}

impl FromStr for Point {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [role, call, nth, fault] = parts[..] else { return Err(format!("no point: {text}")) };
        Ok(Point {
            role: match role {
                "executor" => Role::Executor,
                "run-host" => Role::RunHost,
                "recorder" => Role::Recorder,
                _ => return Err(format!("no role: {role}")),
            },
            call: call.to_owned(),
            nth: nth.parse().map_err(|e| format!("{text}: {e}"))?,
            fault: match fault {
                "SIGKILL" => Fault::Kill,
                error => {
                    Fault::Error { name: error.trim_end_matches('+').to_owned(), from: error.ends_with('+') }
                }
            },
        })
    }
}

impl Point {
    fn options(&self) -> Vec<String> {
        let fault = match &self.fault {
            Fault::Kill => format!("signal=SIGKILL:when={}", self.nth),
            Fault::Error { name, from } => {
                format!("error={name}:when={}{}", self.nth, if *from { "+" } else { "" })
            }
        };
        let call = &self.call;
        vec!["-e".into(), format!("trace={call}"), "-e".into(), format!("inject={call}:{fault}")]
    }
}

/// Whether strace is there and may do it; otherwise says why the test is skipped.
pub fn possible() -> bool {
    let tried =
        Command::new("strace").args(["-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            skipped(format_args!("strace may not trace here: {}", text(&output)));
            false
        }
        Err(e) => {
            skipped(format_args!("no strace: {e}"));
            false
        }
    }
}

/// What came of one traced `pcm run`.
pub struct Traced {
    /// What strace wrote.
    pub trace: String,
    /// Standard error of the traced process and of the command.
    pub stderr: String,
}

impl Traced {
    /// The fault was met.
    pub fn hit(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Kill => self.trace.contains("+++ killed by SIGKILL +++"),
            Fault::Error { .. } => self.trace.contains("(INJECTED)"),
        }
    }

    pub fn panicked(&self) -> bool {
        self.stderr.contains("panicked at") || self.trace.contains("+++ exited with 101 +++")
    }

    /// How often each call was made, by name.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.trace.lines() {
            if let Some((call, _)) = line.split_once('(')
                && call.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            {
                *counts.entry(call.to_owned()).or_default() += 1;
            }
        }
        counts
    }
}

/// `pcm run` of one request without a service, with one of the two processes traced. Returns when the command has
/// ended; the run host may still be at work.
pub fn run(ground: &Ground, request: &str, role: Role, options: &[String]) -> Result<Traced, String> {
    match role {
        Role::Executor => run_executor(ground, request, options),
        Role::RunHost => run_host(ground, request, options),
        Role::Recorder => record(ground, request, options),
    }
}

/// As [`run`], with the fault of a point.
pub fn run_point(ground: &Ground, request: &str, point: &Point) -> Result<Traced, String> {
    run(ground, request, point.role, &point.options())
}

fn arguments(ground: &Ground, verb: &[&str]) -> Vec<String> {
    let text = |path: PathBuf| path.display().to_string();
    ["--config".into(), text(ground.config()), "--state".into(), text(ground.state())]
        .into_iter()
        .chain(verb.iter().map(|word| (*word).to_owned()))
        .collect()
}

fn run_executor(ground: &Ground, request: &str, options: &[String]) -> Result<Traced, String> {
    below_strace(ground, &["run", request], options)
}

fn record(ground: &Ground, request: &str, options: &[String]) -> Result<Traced, String> {
    let launched = ground.pcm(&["run", request]);
    if !launched.status.success() {
        return Err(text(&launched));
    }
    let exit = ground.state().join(format!("runs/{request}-1/exit"));
    wait_for_or(Duration::from_secs(60), || exit.is_file() && ground.run_hosts().is_empty())
        .map_err(|()| "the run host does not end".to_owned())?;
    below_strace(ground, &["list", "--all", "--json"], options)
}

fn below_strace(ground: &Ground, verb: &[&str], options: &[String]) -> Result<Traced, String> {
    let (trace, errors) = (ground.path("trace"), ground.path("trace.err"));
    let mut command = Command::new("strace");
    command.arg("-o").arg(&trace).args(options).arg(PCM).args(arguments(ground, verb));
    end(command, &errors)?;
    Ok(Traced { trace: read(&trace), stderr: read(&errors) })
}

fn run_host(ground: &Ground, request: &str, options: &[String]) -> Result<Traced, String> {
    let (trace, errors) = (ground.path("trace"), ground.path("trace.err"));
    let bin = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|e| e.to_string())?;
    let (pcm, wrapper) = (bin.path().join("pcm"), bin.path().join("wrapper"));
    if fs::hard_link(PCM, &pcm).is_err() {
        install_program(&pcm);
    }
    // -DDD: the run host stays the executor's child and leads its session; strace is no relation of it.
    let script = format!(
        "#!/bin/sh\nexec strace -DDD -o '{}' {} '{PCM}' \"$@\" 2>'{}'\n",
        trace.display(),
        options.join(" "),
        ground.path("host.err").display()
    );
    install_script(&wrapper, &script);
    let mut command = Command::new(&pcm);
    command.args(arguments(ground, &["run", request]));
    // The executor waits for its lock until the script has taken its executable's place.
    let lock = fs::File::options().write(true).create(true).truncate(false).open(ground.state().join("lock"));
    let lock = lock.map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    let child = start(command, &errors)?;
    fs::rename(&wrapper, &pcm).map_err(|e| e.to_string())?;
    drop(lock);
    wait(child)?;
    // The tracer notices the end of the run host on its own.
    let ended = || {
        let text = read(&trace);
        text.contains("+++ ") && text.ends_with('\n')
    };
    wait_for_or(Duration::from_secs(60), ended)
        .map_err(|()| format!("the run host does not end: {}\n{}", read(&trace), ground.log()))?;
    Ok(Traced { trace: read(&trace), stderr: read(&errors) + &read(&ground.path("host.err")) })
}

fn start(mut command: Command, errors: &Path) -> Result<Child, String> {
    let errors = fs::File::create(errors).map_err(|e| e.to_string())?;
    command.env_remove("PCM_CONFIG").env_remove("PCM_STATE").env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    command.spawn().map_err(|e| e.to_string())
}

fn end(command: Command, errors: &Path) -> Result<(), String> {
    wait(start(command, errors)?)
}

fn wait(mut child: Child) -> Result<(), String> {
    let ended = wait_for_or(Duration::from_secs(150), || !matches!(child.try_wait(), Ok(None)));
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
        return Err("pcm run does not end within 150 s".into());
    }
    Ok(())
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
