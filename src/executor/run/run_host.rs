//! `pcm run-host DIR`: the small process that owns one run (DESIGN.md 5). It is started by the executor in a session of
//! its own, launches the package only when told to, waits until the whole process tree is gone, and writes the exit
//! record. It outlives the service, the console and the SSH session.

use super::lookout::Lookout;
use super::outcome::{EndedBy, ExitRecord};
use super::run_folder::{RunFolder, RunSpec, Started};
use super::transcript::Transcript;
use crate::host::durable::Reserved;
use crate::host::process::{self, Ended, LaunchSpec, Reaped, Tree};
use crate::host::{account, durable, facts, lock, power, programs, threads};
use crate::site::instruction::Program;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often stop, time limit and children are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long the sync of one file system may take before the result says that it is not known to be durable.
pub const SYNC_DEADLINE: Duration = Duration::from_secs(60);
/// One attempt to end a tree whole.
const KILL_DEADLINE: Duration = Duration::from_secs(5);
/// While the exit record cannot be written, that is tried again this often.
const WRITE_AGAIN: Duration = Duration::from_millis(500);
/// And for so long. A disk that takes nothing for a day is replaced, with the machine's state; the run ends as one of which
/// nobody knows how it ended.
pub const KEEP: Duration = Duration::from_secs(24 * 3600);
/// After the tree is gone, the output pipe is read for this long at most: a process outside the tree may hold it open.
const OUTPUT_DEADLINE: Duration = Duration::from_secs(2);

/// What is said to the executor once `started` is durable.
pub const READY: &str = "ready";
/// What the executor answers.
pub const GO: &str = "go";

/// Runs one attempt to its end. The exit status only says whether the protocol was followed: the result of the package
/// is in the exit record.
pub fn main(dir: &Path) -> u8 {
    match host(&RunFolder::at(dir)) {
        Ok(()) => 0,
        Err(e) => {
            // The executor reads this up to *ready*; afterwards nobody does, and the folder tells the rest.
            let _ = writeln!(io::stderr(), "pcm run-host: {}: {e}", dir.display());
            1
        }
    }
}

fn host(folder: &RunFolder) -> io::Result<()> {
    process::ignore_hangups();
    let mut tree = Tree::own()?;
    let spec = folder.read_spec()?;
    let room = Reserved::open(&folder.exit(), ExitRecord::ROOM)?;
    let Some(_lock) = lock::ExclusiveLock::try_take(&folder.lock(), "run host")? else {
        return Err(io::Error::other("another run host has this run"));
    };
    // `create_new` guards the promise a second time: a run that was ever started is not started again.
    let Some(host) = process::identity(std::process::id()) else {
        return Err(io::Error::other("this process cannot be told from others"));
    };
    let (cgroup, no_cgroup) = match tree.enclose(&spec.run) {
        Ok(cgroup) => (cgroup, None),
        Err(why) => (None, Some(why)),
    };
    let started = Started { host, cgroup, no_cgroup };
    durable::create_new(&folder.started(), &serde_json::to_vec(&started).map_err(io::Error::other)?)?;
    // An answer that cannot be read is none: nothing is launched, and the record says so.
    if !told_to_go().unwrap_or(false) {
        return write_exit(folder, room, &not_started(EndedBy::NeverTold, None), KEEP);
    }
    let record = match run(folder, &spec, &mut tree) {
        Ok(record) => record,
        Err(e) => not_started(EndedBy::NotStarted, Some(SafeText::new(&e.to_string()))),
    };
    write_exit(folder, room, &record, KEEP)
}

/// Says that it is ready and waits for the answer; end of file, or anything else, is a no.
fn told_to_go() -> io::Result<bool> {
    let mut out = io::stdout();
    if writeln!(out, "{READY}").and_then(|()| out.flush()).is_err() {
        return Ok(false);
    }
    let mut answer = String::new();
    io::stdin().lock().take(16).read_line(&mut answer)?;
    Ok(answer.trim_end() == GO && answer.ends_with('\n'))
}

fn not_started(ended_by: EndedBy, error: Option<SafeText>) -> ExitRecord {
    let now = facts::now();
    ExitRecord {
        ended_by,
        exit_code: None,
        signal: None,
        started_at: now,
        ended_at: now,
        ran_ms: 0,
        not_synced: None,
        error,
        left_behind: false,
        restart_wanted: None,
    }
}

/// Writes the exit record. While that fails, it is tried again and the run's lock is kept: nobody else knows the result.
///
/// # Errors
/// Somebody deleted the folder of the run; or it has failed for as long as `patience`.
fn write_exit(
    folder: &RunFolder,
    mut room: Reserved,
    record: &ExitRecord,
    patience: Duration,
) -> io::Result<()> {
    let (path, bytes) = (folder.exit(), record.to_bytes()?);
    let begun = facts::monotonic();
    loop {
        // Where what was reserved has been deleted there may be room all the same.
        let Err(e) = room.write(&path, &bytes).or_else(|_| durable::write(&path, &bytes)) else {
            return Ok(());
        };
        // A package that runs as root can make a folder of that name, which nothing is renamed over.
        let away = path.with_extension("away");
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) && std::fs::rename(&path, away).is_ok() {
            continue;
        }
        if e.kind() == io::ErrorKind::NotFound || facts::monotonic().since(begun) >= patience {
            return Err(e);
        }
        std::thread::sleep(WRITE_AGAIN);
    }
}

/// Launches the package and sees it to its end.
///
/// # Errors
/// It could not be launched; there is no process of it.
fn run(folder: &RunFolder, spec: &RunSpec, tree: &mut Tree) -> io::Result<ExitRecord> {
    let run_as = match &spec.run_as {
        Some(name) => Some(account::by_name(name).ok_or_else(|| {
            io::Error::other(format!("the account {name:?} of [run] run_as is not known here"))
        })?),
        None => None,
    };
    let program = resolve(&spec.program, &spec.package_dir)?;
    let (reader, writer) = io::pipe()?;
    let note = power::restart_note();
    let clock = facts::monotonic();
    // Before the launch: a package whose output nobody could take is not started.
    let output = keep_output(reader, &spec.transcript, &folder.output())?;
    let pid = tree.launch(LaunchSpec {
        program,
        args: spec.args.clone(),
        env: spec.env.clone(),
        cwd: spec.package_dir.clone(),
        run_as,
        input: None,
        output: writer,
    })?;
    let mut end = End {
        limit: Duration::from_secs(spec.max_run_time_s),
        grace: Duration::from_secs(spec.grace_s),
        begun: None,
    };
    let mut status = None;
    let mut left_behind = false;
    let mut lookout = Lookout::new(end.limit);
    let mut looked = Duration::ZERO;
    loop {
        match tree.wait_any(TICK)? {
            Reaped::One { pid: reaped, ended } if reaped == pid => status = Some(ended),
            Reaped::One { .. } => {}
            Reaped::NothingYet => left_behind |= status.is_some() && end.begun.is_none(),
            Reaped::NoChildren => break,
        }
        // Also while one process after the other is reaped: a tree that never rests has a time limit too.
        let ran = facts::monotonic().since(clock);
        if ran.saturating_sub(looked) >= TICK {
            looked = ran;
            for (reaped, ended) in end.look(folder, tree, ran) {
                if reaped == pid {
                    status = Some(ended);
                }
            }
            lookout.look(folder, tree, ran, output.written());
        }
    }
    let ran = facts::monotonic().since(clock);
    let lost_output = output.finish();
    let restart_wanted = (power::restart_note() != note).then(power::restart_wanted).flatten();
    let not_synced = durable::sync_local_file_systems(SYNC_DEADLINE).err();
    // By one clock: somebody may have set the wall clock in between.
    let ended_at = facts::now();
    let lasted = TimeDelta::from_std(facts::monotonic().since(clock)).unwrap_or_default();
    let (exit_code, signal) = match status {
        Some(Ended::Code(code)) => (Some(code), None),
        Some(Ended::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    };
    Ok(ExitRecord {
        ended_by: end.begun.map_or(EndedBy::Itself, |begun| begun.by),
        exit_code,
        signal,
        started_at: ended_at - lasted,
        ended_at,
        ran_ms: u64::try_from(ran.as_millis()).unwrap_or(u64::MAX),
        not_synced,
        error: lost_output,
        left_behind,
        restart_wanted,
    })
}

/// A path inside the package, or a listed bare name looked for in the system's own folders only.
fn resolve(program: &Program, package_dir: &Path) -> io::Result<PathBuf> {
    match program {
        Program::InPackage(path) => Ok(package_dir.join(path)),
        Program::Listed(name) => programs::find(name).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{name:?} is in none of the system's program folders"),
            )
        }),
    }
}

/// The end of the tree, when it does not end by itself.
struct End {
    limit: Duration,
    grace: Duration,
    begun: Option<Begun>,
}

struct Begun {
    by: EndedBy,
    since: Duration,
}

impl End {
    /// Looks whether the tree is to end, and ends it: politely, then after the grace for good and whole. Returns what
    /// was reaped on the way.
    fn look(&mut self, folder: &RunFolder, tree: &mut Tree, ran: Duration) -> Vec<(u32, Ended)> {
        match &self.begun {
            None => {
                let by = if folder.stop().exists() {
                    EndedBy::Operator
                } else if ran >= self.limit {
                    EndedBy::TimeLimit
                } else {
                    return Vec::new();
                };
                // This process may have been stopped or starved: what has ended by itself was not ended by anybody.
                if tree.processes().is_empty() {
                    return Vec::new();
                }
                tree.terminate();
                self.begun = Some(Begun { by, since: ran });
                Vec::new()
            }
            // What still lives after this is tried again at the next look.
            Some(begun) if ran.saturating_sub(begun.since) >= self.grace => {
                tree.kill(KILL_DEADLINE).unwrap_or_default()
            }
            Some(_) => Vec::new(),
        }
    }
}

/// The thread that copies the package's output into its transcript.
struct Output {
    thread: JoinHandle<Option<SafeText>>,
    /// Bytes so far.
    written: Arc<AtomicU64>,
}

fn keep_output(mut from: io::PipeReader, transcript: &Path, fallback: &Path) -> io::Result<Output> {
    // Where the log folder cannot be written, the run's own folder can: its claim was.
    let kept = Transcript::create(transcript).or_else(|_| Transcript::create(fallback));
    let written = Arc::new(AtomicU64::new(0));
    let count = written.clone();
    let thread = threads::start("output", move || {
        let (mut kept, mut error) = match kept {
            Ok(kept) => (Some(kept), None),
            Err(e) => (None, Some(e)),
        };
        let mut buffer = [0; 64 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                // Reading goes on without a transcript, or the package would block on a full pipe.
                Ok(n) => {
                    count.fetch_add(n as u64, Ordering::Relaxed);
                    if let Some(kept) = &mut kept {
                        kept.push(&buffer[..n]);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        let finished = kept.map_or(Ok(()), Transcript::finish);
        error.or(finished.err()).map(|e| SafeText::new(&format!("output was lost: {e}")))
    })?;
    Ok(Output { thread, written })
}

impl Output {
    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits for the end of the output, within reason; what was lost of it.
    fn finish(self) -> Option<SafeText> {
        let clock = facts::monotonic();
        while !self.thread.is_finished() {
            if facts::monotonic().since(clock) > OUTPUT_DEADLINE {
                return Some("the output is still held open by a process outside the package's tree".into());
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.thread.join().unwrap_or_else(|_| Some("output was lost: its reader failed".into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder() -> (tempfile::TempDir, RunFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path());
        Reserved::make(&folder.exit(), ExitRecord::ROOM).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_folder_in_the_place_of_the_exit_record_does_not_keep_it_from_being_written() {
        let (_dir, folder) = folder();
        let room = Reserved::open(&folder.exit(), ExitRecord::ROOM).unwrap();
        std::fs::create_dir_all(folder.exit().join("full")).unwrap();
        write_exit(&folder, room, &not_started(EndedBy::NotStarted, None), KEEP).unwrap();
        assert_eq!(folder.read_exit().unwrap().unwrap().ended_by, EndedBy::NotStarted);
    }

    #[test]
    fn a_record_that_cannot_be_written_is_kept_for_a_time_and_no_longer() {
        let (_dir, folder) = folder();
        let room = Reserved::open(&folder.exit(), ExitRecord::ROOM).unwrap();
        // Twice in the way: the first cannot be moved aside.
        for name in ["exit", "exit.away"] {
            std::fs::create_dir_all(folder.exit().with_file_name(name).join("full")).unwrap();
        }
        let begun = facts::monotonic();
        let patience = Duration::from_millis(600);
        let record = not_started(EndedBy::NotStarted, None);
        assert!(write_exit(&folder, room, &record, patience).is_err());
        assert!(facts::monotonic().since(begun) >= patience);
    }
}
