//! A site on which something is about to go wrong, what has to hold on it afterwards, and nothing left alive at its end.

use super::common::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Retries soon, so that a test does not wait ten minutes for one.
pub const CONFIG: &str =
    "[run]\nafter_boot = \"0s\"\ncountdown = \"0s\"\nretry_after = \"1s\"\nretries = 20\n";

pub struct Ground {
    site: Site,
}

impl Deref for Ground {
    type Target = Site;
    fn deref(&self) -> &Site {
        &self.site
    }
}

impl DerefMut for Ground {
    fn deref_mut(&mut self) -> &mut Site {
        &mut self.site
    }
}

impl Drop for Ground {
    /// Executors, run hosts, tracers and packages of this site, and of no other.
    fn drop(&mut self) {
        for _ in 0..20 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for pid in left {
                kill_9(pid);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Ground {
    /// In memory where that can be: the harness kills processes and no machines, and syncs take their time.
    pub fn new(config: &str) -> Self {
        Self { site: Site::with_config_in(memory(), config) }
    }

    /// As [`Ground::new`], before `pcm init`.
    pub fn bare(config: &str) -> Self {
        Self { site: Site::bare_in(memory(), config) }
    }

    /// With this many requests that are due, each of which runs this script. `%ran%` in it says so to the witness.
    pub fn due(config: &str, requests: usize, script: &str) -> Self {
        let mut ground = Self::new(config);
        let hash = ground.package("BP00000A", &script.replace("%ran%", &ground.say("ran")));
        let all: Vec<Request> = (0..requests)
            .map(|n| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\"")))
            .collect();
        ground.publish(&all);
        ground
    }

    /// Every living process that has to do with this site, the test itself excepted.
    pub fn processes(&self) -> Vec<u32> {
        let mark = self.path("").display().to_string();
        with_mark(&["cmdline", "environ"], mark.trim_end_matches('/'))
    }

    /// The run hosts of this site.
    pub fn run_hosts(&self) -> Vec<u32> {
        with_mark(&["cmdline"], &format!("run-host\0{}", self.state().display()))
    }

    /// Every request has ended and nothing is to be retried. Before the first look at the share a service that could keep no
    /// copy of the instructions knows attempts only, and of no retry.
    pub fn settle(&self, limit: Duration) -> Result<(), String> {
        let mut last = String::new();
        wait_for_or(limit, || {
            let output = self.pcm(&["list", "--all", "--json"]);
            let Ok(doc) = serde_json::from_slice::<Value>(&output.stdout) else {
                last = text(&output);
                return false;
            };
            last = doc.to_string();
            let requests = doc["requests"].as_array().cloned().unwrap_or_default();
            !requests.is_empty()
                && !doc["serial"].is_null()
                && requests.iter().all(|r| r["group"] == "executed" && r["next_run"].is_null())
        })
        .map_err(|()| format!("it never settles: {last}\n{}", self.log()))
    }

    /// One start without faults until all is settled, the rules, and a second start that changes nothing.
    pub fn recover_and_check(&self, limit: Duration) -> Result<Tally, String> {
        let service = self.service();
        self.settle(limit)?;
        service.terminate();
        let first = self.tally()?;
        let polls = || self.log().matches("Looking for instruction file").count();
        let before = polls();
        let service = self.service();
        wait_for_or(Duration::from_secs(30), || polls() >= before + 2)
            .map_err(|()| format!("the second start does not poll\n{}", self.log()))?;
        service.terminate();
        let second = self.tally()?;
        if first != second {
            return Err(format!("a second start changed something: {first:?} then {second:?}"));
        }
        Ok(second)
    }

    /// What history and witness say, held against the rules.
    pub fn tally(&self) -> Result<Tally, String> {
        let list = self.json(&["list", "--all"]);
        let problems = list["problems"].as_array().cloned().unwrap_or_default();
        if problems.iter().any(|p| p["code"] == "history-lost") {
            return Err(format!("history is lost: {list}"));
        }
        let verified = self.json(&["audit", "verify"]);
        if verified["ok"] != true {
            return Err(format!("the chain of history does not verify: {verified}"));
        }
        let mut tally = Tally::default();
        let witness = fs::read_to_string(self.witness()).unwrap_or_default();
        for line in witness.lines().filter(|line| line.starts_with("ran ")) {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, request, attempt] = words[..] else { return Err(format!("witness: {line:?}")) };
            *tally.runs.entry((request.to_owned(), attempt.parse().unwrap_or(0))).or_default() += 1;
        }
        let history = self.json(&["history"]);
        for attempt in history["attempts"].as_array().into_iter().flatten() {
            let key = (
                attempt["request_id"].as_str().unwrap_or_default().to_owned(),
                attempt["attempt"].as_u64().unwrap_or(0),
            );
            let words = (
                attempt["state"].as_str().unwrap_or_default().to_owned(),
                attempt["result"].as_str().unwrap_or_default().to_owned(),
            );
            if tally.attempts.insert(key.clone(), words).is_some() {
                return Err(format!("attempt {key:?} is twice in the history"));
            }
        }
        tally
            .judge()
            .map_err(|why| format!("{why}\nhistory: {history}\nwitness: {witness}\n{}", self.log()))?;
        Ok(tally)
    }
}

/// Which attempts there were, and which of them ran how often.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub runs: BTreeMap<(String, u64), usize>,
    pub attempts: BTreeMap<(String, u64), (String, String)>,
}

impl Tally {
    fn judge(&self) -> Result<(), String> {
        for (run, times) in &self.runs {
            if *times > 1 {
                return Err(format!("DOUBLE: {run:?} ran {times} times"));
            }
            if !self.attempts.contains_key(run) {
                return Err(format!("LOST: {run:?} ran and is not in the history"));
            }
        }
        let mut ran_before = BTreeMap::new();
        for ((request, number), (state, result)) in &self.attempts {
            let ran = self.runs.contains_key(&(request.clone(), *number));
            // Packages of the harness never ask for a retry: whatever ran is not repeated by itself.
            if ran && let Some(earlier) = ran_before.insert(request, number) {
                return Err(format!("DOUBLE: {request} ran in attempts {earlier} and {number}"));
            }
            if *number > 1 && !self.attempts.contains_key(&(request.clone(), number - 1)) {
                return Err(format!("LOST: attempt {number} of {request} has no predecessor"));
            }
            if state == "succeeded" && !ran {
                return Err(format!("FALSE: attempt {number} of {request} succeeded and did not run"));
            }
            let denied = result.contains("not launched") || result.contains("could not be started");
            if ran && denied {
                return Err(format!("FALSE: attempt {number} of {request} ran, and is said to be: {result}"));
            }
            if result.is_empty() {
                return Err(format!("attempt {number} of {request} is {state} without a word"));
            }
            if ["running", "stopping"].contains(&state.as_str()) {
                return Err(format!("attempt {number} of {request} is still {state}"));
            }
        }
        Ok(())
    }

    /// Attempts in this state.
    pub fn count(&self, state: &str) -> usize {
        self.attempts.values().filter(|(is, _)| is == state).count()
    }
}

/// `BP00000`, `BP00001` and so on.
pub fn id(n: usize) -> String {
    format!("BP0{n:04}")
}

pub fn kill_9(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(std::process::Stdio::null()).status();
}

fn with_mark(files: &[&str], mark: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let marked = |file: &&str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(mark)
        };
        // The dead have no environment and no command line.
        if pid != std::process::id() && files.iter().any(marked) {
            found.push(pid);
        }
    }
    found
}

/// Where sites are made: memory, if programs may be executed from there.
fn memory() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let executes = || {
            let dir = tempfile::tempdir_in(memory).ok()?;
            let file = dir.path().join("try");
            install_script(&file, "#!/bin/sh\nexit 0\n");
            Command::new(&file).status().ok().filter(|status| status.success())
        };
        if executes().is_some() { memory.to_owned() } else { std::env::temp_dir() }
    })
}
