//! A service that dies while it folds the details of old attempts (`[retention] details`). What is old was made below
//! libfaketime; it is folded by the true clock, in a service that strace kills at one of the calls that change something on
//! disk. Half of the attempts were folded before, so that what is folded is joined to something.

use super::common::*;
use super::ground::{CONFIG, Ground, id, kill_9};
use super::knobs::{Chance, number, say, seed, spread};
use super::nasty_clock::library;
use super::trace;
use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What changes something on disk. Death at any other call leaves what death at the next of these leaves.
const CALLS: [&str; 8] =
    ["openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink"];
/// All of these stand and fall together in a copy: what the share has of the machine fits what the machine knows.
const FOLDERS: [&str; 3] = ["etc", "share", "state"];
/// What the log says of a fold, and what is opened first for one: the mark that names it before it is made.
const SAID: &str = "Folded by [retention]";
const BEGINS: &str = "/.pcm.mark.";
const LIMIT: Duration = Duration::from_secs(60);
/// Attempts of each of the two times, which are far from each other and from now.
const EACH: usize = 2;
const LONG_AGO: i64 = 150;
const LATER: i64 = 60;

fn days(n: i64) -> chrono::TimeDelta {
    seconds(n * 24 * 3600)
}

/// A machine on which something is to be folded, and a copy of it.
struct Old {
    ground: Ground,
    saved: tempfile::TempDir,
    /// What its history says of the attempts.
    facts: Vec<Value>,
}

/// When a service died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Died {
    Before,
    Inside,
    After,
    /// It has folded and lives.
    Not,
}

impl Old {
    /// None: there is no libfaketime.
    fn make() -> Option<Self> {
        let library = library()?;
        let mut ground = Ground::bare(CONFIG);
        let hash = ground.package("BP00000A", &ground.say("ran"));
        // Nothing of it starts by itself, whether these clocks are believed or not.
        let request = |n| {
            let request = Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""));
            request.set("offer_after", stamp(now() - days(300))).mandatory(now() + days(300))
        };
        let requests: Vec<Request> = (0..2 * EACH).map(request).collect();
        publish(&mut ground, &requests, now() - days(200));
        let init = at(&ground, &library, LONG_AGO, &["init"]).output().unwrap();
        assert!(init.status.success(), "{}", text(&init));
        run_at(&ground, &library, LONG_AGO, 0..EACH);
        run_at(&ground, &library, LATER, EACH..2 * EACH);
        publish(&mut ground, &requests, now());
        // To this one the clock has jumped, and nothing is old.
        let service = ground.service();
        wait_for("the folders of the runs are put away, and the newest instructions are in force", || {
            run_folders(&ground) == 0 && ground.json(&["list"])["serial"] == 2
        });
        service.terminate();
        keep_details(&ground, "100d");
        let service = ground.service_begun();
        ground.wait_log(SAID);
        service.terminate();
        // Now that all is folded that was old, its next start leaves the mark and the history at the same event.
        ground.service().terminate();
        keep_details(&ground, "1d");
        let saved = tempfile::tempdir_in(ground.path("").parent().unwrap()).unwrap();
        copy(&ground.path(""), saved.path());
        let old = Self { facts: Vec::new(), ground, saved };
        let (facts, folded) = old.attempts();
        assert_eq!((facts.len(), folded), (2 * EACH, EACH), "{facts:?}");
        Some(Self { facts, ..old })
    }

    fn restore(&self) {
        self.end_all();
        FOLDERS.iter().for_each(|folder| std::fs::remove_dir_all(self.ground.path(folder)).unwrap());
        copy(self.saved.path(), &self.ground.path(""));
    }

    fn end_all(&self) {
        let ended = wait_for_or(LIMIT, || {
            let left = self.ground.processes();
            left.iter().for_each(|pid| kill_9(*pid));
            left.is_empty()
        });
        ended.unwrap_or_else(|()| panic!("still alive: {:?}", self.ground.processes()));
    }

    /// A service below strace on a fresh copy, which folds or dies at this call; when, and its calls.
    fn traced(&self, point: Option<(&str, usize)>) -> (Died, String) {
        self.restore();
        let said = || self.ground.log().matches(SAID).count();
        let (before, trace) = (said(), self.ground.path("trace"));
        let mut command = Command::new("strace");
        // Whom it starts is let go.
        command.args(["-f", "-b", "execve", "-s", "400", "-e", &format!("trace={}", CALLS.join(","))]);
        if let Some((call, nth)) = point {
            command.args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")]);
        }
        let own = self.ground.command(&["service", "run"]);
        command.arg("-o").arg(&trace).arg(own.get_program()).args(own.get_args());
        command.env_remove("PCM_CONFIG").env_remove("PCM_STATE").env("TZ", "UTC").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(std::fs::File::create(self.ground.path("service.err")).unwrap());
        let mut service = Service { child: command.spawn().unwrap() };
        let mut ended = false;
        let met = wait_for_or(LIMIT, || {
            ended = !matches!(service.child.try_wait(), Ok(None));
            ended || said() > before
        });
        met.unwrap_or_else(|()| panic!("{point:?}: it neither folds nor dies\n{}", self.ground.log()));
        self.end_all();
        let trace = String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned();
        let died = match (ended, trace.contains(BEGINS), trace.contains(SAID)) {
            (false, ..) => Died::Not,
            (true, _, true) => Died::After,
            (true, true, false) => Died::Inside,
            (true, false, false) => Died::Before,
        };
        (died, trace)
    }

    /// What stays of each attempt, and how many are folded.
    fn attempts(&self) -> (Vec<Value>, usize) {
        let history = self.ground.json(&["history"])["attempts"].take();
        let attempts = history.as_array().unwrap();
        let kept =
            ["request_id", "attempt", "state", "claimed_at", "started_at", "ended_at", "exit_code", "result"];
        let fact = |attempt: &Value| kept.iter().map(|key| attempt[key].clone()).collect();
        let folded = attempts.iter().filter(|attempt| !attempt["folded_at"].is_null()).count();
        (attempts.iter().map(fact).collect(), folded)
    }

    /// The history is believed and says what it said; how many attempts are folded.
    fn judged(&self) -> Result<usize, String> {
        let list = self.ground.json_of(&["list", "--all"]);
        let problems = list["problems"].as_array().cloned().unwrap_or_default();
        if problems.iter().any(|problem| problem["code"] == "history-lost") {
            return Err(format!("history is lost: {}", list["problems"]));
        }
        let verified = self.ground.json_of(&["audit", "verify"]);
        if verified["ok"] != true {
            return Err(format!("the chain of history does not verify: {verified}"));
        }
        let (facts, folded) = self.attempts();
        if facts != self.facts {
            return Err(format!("the attempts were {:?} and are {facts:?}", self.facts));
        }
        if ![EACH, 2 * EACH].contains(&folded) {
            return Err(format!(
                "{folded} attempts are folded, which is neither none of the new ones nor all"
            ));
        }
        let ran = self.ground.ran("ran");
        if ran != 2 * EACH {
            return Err(format!("DOUBLE: {ran} runs of {} attempts", 2 * EACH));
        }
        Ok(folded)
    }

    /// After a death: believed at once, and the next service folds what is left. Whether the fold was there.
    fn recovers(&self) -> Result<bool, String> {
        let at_once = self.judged().map_err(|why| format!("at once: {why}"))?;
        let service = self.ground.service();
        let folds = wait_for_or(LIMIT, || self.attempts().1 == 2 * EACH);
        service.terminate();
        folds.map_err(|()| format!("the next service does not fold\n{}", self.ground.log()))?;
        self.judged().map_err(|why| format!("after the next service: {why}"))?;
        let mark = std::fs::read(self.ground.path("etc/pcm.mark")).map_err(|e| e.to_string())?;
        let mark: Value = serde_json::from_slice(&mark).map_err(|e| e.to_string())?;
        if mark["folded"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("the mark knows of nothing that was folded: {mark}"));
        }
        Ok(at_once == 2 * EACH)
    }
}

/// The same instructions, published then.
fn publish(ground: &mut Ground, requests: &[Request], issued: chrono::DateTime<chrono::Utc>) {
    let text = ground.instructions(requests);
    let lines = text.lines().map(|line| match line.strip_prefix("issued = ") {
        Some(_) => format!("issued = {}\n", stamp(issued)),
        None => format!("{line}\n"),
    });
    ground.publish_text(&lines.collect::<String>());
}

/// pcm with a clock so many days behind the true one.
fn at(ground: &Ground, library: &Path, days_ago: i64, args: &[&str]) -> Command {
    let mut command = ground.command(args);
    command.env("LD_PRELOAD", library).env("FAKETIME", format!("-{days_ago}d"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

/// These requests run then, each because somebody wants it, and their results reach the share.
fn run_at(ground: &Ground, library: &Path, days_ago: i64, requests: Range<usize>) {
    let mut service = at(ground, library, days_ago, &["service", "run"]);
    service.stdout(Stdio::null()).stderr(std::fs::File::create(ground.path("service.err")).unwrap());
    let service = Service { child: service.spawn().unwrap() };
    ground.wait_service();
    let copied = |n: usize| {
        let codes = ground.request(&id(n)).map_or(Value::Null, |mut request| request["blocked_by"].take());
        codes.as_array().is_some_and(|codes| !codes.contains(&"content-missing".into()))
    };
    wait_for("the package is copied", || copied(requests.start));
    for n in requests.clone() {
        // From before this pcm was built, its clock is not believed.
        let plain = ground.pcm(&["run", &id(n)]);
        if !plain.status.success() {
            let run = ground.pcm(&["run", &id(n), "--override", "clock", "--reason", "test"]);
            assert!(run.status.success(), "{}\n{}", text(&plain), text(&run));
        }
    }
    let place = ground.share().join("despoolr.box").join(MACHINE);
    let results = || {
        let files = std::fs::read_dir(&place).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|ext| ext == "MIF")).count()
    };
    wait_for_or(LIMIT, || results() == requests.end)
        .unwrap_or_else(|()| panic!("{} results of {requests:?}\n{}", results(), ground.log()));
    service.terminate();
}

fn run_folders(ground: &Ground) -> usize {
    let folders = std::fs::read_dir(ground.state().join("runs")).unwrap().flatten();
    folders.filter(|folder| !folder.file_name().to_string_lossy().starts_with('.')).count()
}

fn keep_details(ground: &Ground, how_long: &str) {
    let config = std::fs::read_to_string(ground.config()).unwrap();
    let config = config.split("\n[retention]").next().unwrap().trim_end();
    let config = format!("{config}\n\n[retention]\ndetails = \"{how_long}\"\n");
    write(&ground.config(), config.as_bytes());
}

/// With modes and times.
fn copy(from: &Path, to: &Path) {
    let all: Vec<PathBuf> = FOLDERS.iter().map(|folder| from.join(folder)).collect();
    assert!(Command::new("cp").arg("-a").args(all).arg(to).status().unwrap().success());
}

/// Which calls of its thread are those of the fold, by their numbers from 1.
fn calls_of_the_fold(trace: &str) -> Vec<(&'static str, Range<usize>)> {
    let begins = trace.lines().find(|line| line.contains(BEGINS)).unwrap();
    let marks = trace.lines().take_while(|line| !line.contains(SAID));
    let marks = marks.filter(|line| line.contains("openat(") && line.contains(BEGINS)).count();
    assert_eq!(marks, 1, "a mark was written before the fold, which says nothing of when it begins");
    let thread = begins.split(' ').next().unwrap();
    let own: Vec<&str> = trace.lines().filter(|line| line.split(' ').next() == Some(thread)).collect();
    let place = |wanted| own.iter().position(|line| line.contains(wanted)).unwrap();
    let count = |call: &str, until: usize| {
        let is_it = |line: &&&str| line[thread.len()..].trim_start().starts_with(&format!("{call}("));
        own[..until].iter().filter(is_it).count()
    };
    let ranges = CALLS.map(|call| (call, count(call, place(BEGINS)) + 1..count(call, place(SAID)) + 1));
    ranges.into_iter().filter(|(_, range)| !range.is_empty()).collect()
}

#[derive(Debug, Default)]
struct Sum {
    points: usize,
    before: usize,
    rolled_back: usize,
    folded: usize,
    after: usize,
    alive: usize,
    bad: Vec<String>,
}

impl Sum {
    /// One point; when the service died.
    fn meet(&mut self, old: &Old, call: &str, nth: usize) -> Died {
        let (died, _) = old.traced(Some((call, nth)));
        self.points += 1;
        match (died, old.recovers()) {
            (_, Err(why)) => {
                say(&format!("FAILED at {call}:{nth}, {died:?}: {why}"));
                self.bad.push(format!("{call}:{nth}"));
            }
            (Died::Before, _) => self.before += 1,
            (Died::Inside, Ok(false)) => self.rolled_back += 1,
            (Died::Inside, Ok(true)) => self.folded += 1,
            (Died::After, _) => self.after += 1,
            (Died::Not, _) => self.alive += 1,
        }
        died
    }
}

#[test]
fn killed_while_it_folds_old_details_its_history_is_believed_and_the_next_service_folds_them() {
    if !trace::possible() {
        return;
    }
    let begun = Instant::now();
    let Some(old) = Old::make() else { return };
    let (died, trace) = old.traced(None);
    assert_eq!(died, Died::Not, "{}", old.ground.log());
    let kinds = calls_of_the_fold(&trace);
    let made: usize = kinds.iter().map(|(_, range)| range.len()).sum();
    let wanted = number("PCM_HARNESS_FOLDS", 12, usize::MAX);
    let (mut sum, mut chance) = (Sum::default(), Chance::new(seed()));
    for (call, range) in &kinds {
        if wanted < usize::MAX {
            // The last of each kind is where the fold may be there already.
            let (last, others) = (range.end - 1, (range.start..range.end - 1).collect::<Vec<_>>());
            let chosen = spread(&others, wanted.div_ceil(kinds.len()).saturating_sub(1), &mut chance);
            for nth in chosen.into_iter().chain([last]) {
                sum.meet(&old, call, nth);
            }
            continue;
        }
        // From before the first to after the last, however many come before it this time.
        let mut nth = range.start.saturating_sub(2).max(1);
        loop {
            let died = sum.meet(&old, call, nth);
            nth += 1;
            if nth > range.end && died != Died::Inside && died != Died::Before {
                break;
            }
        }
    }
    let Sum { points, before, rolled_back, folded, after, alive, bad } = &sum;
    say(&format!(
        "kills while old details are folded: {points} points, {made} calls of the fold, died {before} before it, {rolled_back} in it \
         without it, {folded} in it with it, {after} after it, {alive} not; seed {}, {} s",
        seed(),
        begun.elapsed().as_secs()
    ));
    assert!(bad.is_empty(), "failed at {bad:?}, see above");
    assert!(rolled_back + folded > 0, "none died while it folded: {sum:?}");
}
