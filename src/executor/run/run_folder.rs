//! `runs/<RequestID>-<attempt>/`: what the executor and the run host of one attempt tell each other, and what is left
//! of it when either of them is gone.

use super::attempt::Found;
use super::outcome::ExitRecord;
use crate::clock::Wall;
use crate::host::open::{self, Access};
use crate::host::process::{Process, ProcessIdentity, Traces};
use crate::host::{account, durable, lock, process};
use crate::site::instruction::Program;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything the run host needs to know. It reads nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// `<RequestID>-<attempt>`.
    pub run: String,
    /// What is started.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The staged package, or the run's own folder where there is none.
    pub package_dir: PathBuf,
    /// The whole process tree is ended after this many seconds.
    pub max_run_time_s: u64,
    /// Between the polite signal and the other one, in seconds.
    pub grace_s: u64,
    /// Where its output goes.
    pub transcript: PathBuf,
    /// The account it runs as; None: the service's own.
    pub run_as: Option<String>,
}

/// Written durably by the run host before it says that it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run host.
    pub host: ProcessIdentity,
    /// What holds the processes of the run together, where one could be made ([`process::Tree::enclose`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<PathBuf>,
    /// Why none could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_cgroup: Option<SafeText>,
}

/// A package that appears to wait for input; nothing is known for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Since when it does nothing else.
    pub since: Wall,
    /// Which process of it, and at what.
    pub what: SafeText,
}

/// One run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

/// Records are a few hundred bytes; whatever is longer is not one.
const MAX_RECORD: u64 = 1 << 20;

/// What a dead run host left alive is ended within this time before its folder is moved.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// Moves the folders of a history that is not in force any more out of the way, into `aside`: the next one counts its
/// attempts from 1 again, and must meet neither a folder of the same name nor, worse, the exit record of another run.
/// The next history knows nothing of a run that still goes on, would record nothing of its end and start another beside
/// it: then nothing is moved. What a dead run host left alive is ended, as it would have been without the loss.
///
/// # Errors
/// What still runs, or could not be moved; calling it again goes on.
pub fn set_aside(runs: &Path, aside: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(runs) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    for entry in &entries {
        let folder = RunFolder::at(&entry.path());
        let alive = |what: &str| {
            let run = entry.file_name();
            Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{} {what}", run.display())))
        };
        // Records that cannot be read say nothing of what lives.
        let (lives, ended) = folder.find(None).map_or((false, false), |f| (f.lock_held, f.exit.is_some()));
        if lives || lock::is_held(&folder.lock()) {
            return alive("still runs; it ends by itself or at its time limit");
        }
        if !ended && !folder.end_leftovers(None, END_DEADLINE) {
            return alive("has left processes behind that do not end");
        }
    }
    for entry in &entries {
        durable::make_private_dir(aside)?;
        std::fs::rename(entry.path(), aside.join(entry.file_name()))?;
    }
    durable::sync_dir(runs)?;
    if aside.is_dir() { durable::sync_dir(aside) } else { Ok(()) }
}

impl RunFolder {
    /// The folder of the run of this name below `runs`.
    pub fn of(runs: &Path, run: &str) -> Self {
        Self(runs.join(run))
    }

    /// A folder by its path.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Held by the run host as long as it lives: liveness is this lock, never a pid.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Written before *ready*.
    pub fn started(&self) -> PathBuf {
        self.0.join("started")
    }

    /// Written when the tree is gone and synced.
    pub fn exit(&self) -> PathBuf {
        self.0.join("exit")
    }

    /// Exists once an operator wants the run to end.
    pub fn stop(&self) -> PathBuf {
        self.0.join("stop")
    }

    /// The transcript, where the log folder could not be written.
    pub fn output(&self) -> PathBuf {
        self.0.join("output.log")
    }

    /// The package's own, writable for the account that runs it.
    pub fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    /// Where the package may write its status MIF.
    pub fn status_mif(&self) -> PathBuf {
        self.out().join("status.mif")
    }

    fn spec(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// Makes the folder with the spec in it, and syncs both and the parents.
    ///
    /// # Errors
    /// What failed. A folder that is there already is an error: a run has one, once.
    pub fn create(&self, spec: &RunSpec) -> io::Result<()> {
        if let Some(runs) = self.0.parent() {
            durable::make_passage_dir(runs)?;
        }
        if std::fs::symlink_metadata(&self.0).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the run's folder is there already"));
        }
        match &spec.run_as {
            None => {
                durable::make_private_dir(&self.0)?;
                durable::make_private_dir(&self.out())?;
            }
            // Another account passes through to its own folder and sees nothing else.
            Some(name) => {
                durable::make_passage_dir(&self.0)?;
                durable::make_private_dir(&self.out())?;
                let account = account::by_name(name).ok_or_else(|| {
                    io::Error::other(format!("the account {name:?} of [run] run_as is not known here"))
                })?;
                account::give(&self.out(), &account)?;
            }
        }
        // A run that could not be recorded at its end is not begun.
        durable::Reserved::make(&self.exit(), ExitRecord::ROOM)?;
        durable::create_new(&self.spec(), &serde_json::to_vec(spec).map_err(io::Error::other)?)
    }

    /// Reads the spec.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn read_spec(&self) -> io::Result<RunSpec> {
        read_record(&self.spec())
    }

    /// The exit record; None where there is none.
    ///
    /// # Errors
    /// It is there and cannot be read: then nothing may be concluded from it.
    pub fn read_exit(&self) -> io::Result<Option<ExitRecord>> {
        absent_is_none(read_record(&self.exit()))
    }

    /// Which process hosts the run; None where it never got that far.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read_started(&self) -> io::Result<Option<Started>> {
        absent_is_none(read_record(&self.started()))
    }

    /// Why nothing but the run host itself holds this run's processes together; None where something does.
    pub fn unheld(&self) -> Option<SafeText> {
        self.read_started().ok().flatten().and_then(|started| started.no_cgroup)
    }

    /// Asks the run host to end the tree. Asking twice is asking once. A package may have deleted the folder of its run;
    /// the run host still looks there.
    ///
    /// # Errors
    /// It could not be written; nothing was asked.
    pub fn ask_to_stop(&self) -> io::Result<()> {
        let ask = || durable::create_new(&self.stop(), b"stop\n");
        let asked = match ask() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                durable::make_private_dir(&self.0).and_then(|()| ask())
            }
            other => other,
        };
        match asked {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// What the run host sees of its tree, for the case that it dies. No restart of the machine has a use for it, so
    /// it is not synced.
    ///
    /// # Errors
    /// It could not be written; the list before it stands.
    pub fn write_seen(&self, seen: &[Process]) -> io::Result<()> {
        replace(&self.0.join("seen"), &serde_json::to_vec(seen).map_err(io::Error::other)?)
    }

    /// Says that the package appears to wait for input, or that it does not any more.
    ///
    /// # Errors
    /// It could not be written; what was said before stands.
    pub fn write_waits(&self, waits: Option<&Waits>) -> io::Result<()> {
        replace(&self.0.join("watch"), &serde_json::to_vec(&waits).map_err(io::Error::other)?)
    }

    /// Whether the package appears to wait for input, as its run host sees it; only while that lives.
    pub fn waits(&self) -> Option<Waits> {
        read_record(&self.0.join("watch")).unwrap_or_default()
    }

    /// Ends what a dead run host left alive; false where something still lives after `deadline`. `known` is the run host
    /// as the history knows it.
    pub fn end_leftovers(&self, known: Option<&Started>, deadline: Duration) -> bool {
        self.host(known)
            .is_none_or(|started| process::kill_leftovers(&started.host, &self.traces(&started), deadline))
    }

    /// Lets the run host go on if it was stopped; whether it was.
    pub fn wake_host(&self, known: Option<&Started>) -> bool {
        self.host(known).is_some_and(|host| process::wake(&host.host))
    }

    /// Ends the run host and what descends from it, unless all of that has ended and the host only has to write down how.
    /// Whether it was to be ended.
    pub fn end_host(&self, known: Option<&Started>, deadline: Duration) -> bool {
        let Some(host) = self.host(known).map(|started| started.host) else { return false };
        let at_work = process::is_stopped(&host) || !process::descendants(host.pid).is_empty();
        if at_work && process::alive(&host) {
            process::end(&host, deadline);
        }
        at_work
    }

    /// Whether the run host lives and nothing else of the run does: it only has to write down how it ended. False where
    /// that cannot be known.
    pub fn only_host(&self, known: Option<&Started>) -> bool {
        let host = self.host(known).map(|started| started.host);
        host.filter(|_| process::KEEPS_ORPHANS).is_some_and(|host| {
            process::alive(&host) && !process::is_stopped(&host) && process::descendants(host.pid).is_empty()
        })
    }

    /// Removes the control group of a run of which nothing lives.
    pub fn release(&self, known: Option<&Started>) {
        if let Some(started) = self.host(known) {
            process::release(&started.host, &self.traces(&started));
        }
    }

    /// As the folder says it, or else as the history knows it.
    fn host(&self, known: Option<&Started>) -> Option<Started> {
        self.read_started().ok().flatten().or_else(|| known.cloned())
    }

    fn traces(&self, started: &Started) -> Traces {
        Traces {
            // The path is absolute and of this installation, so that no other run has the same.
            marks: vec![("PCM_STATUS_MIF".into(), self.status_mif().display().to_string())],
            cgroup: started.cgroup.clone(),
            seen: read_record(&self.0.join("seen")).unwrap_or_default(),
        }
    }

    /// What is left of the run, for `attempt::recover`. `known` is the run host as the history knows it: the package may
    /// have deleted what stands here, also the lock.
    ///
    /// # Errors
    /// It cannot be known now; ask again later, conclude nothing.
    pub fn find(&self, known: Option<&Started>) -> io::Result<Found<ExitRecord>> {
        let started = self.read_started();
        // A `started` that cannot be read was there: the host may have been told to go.
        let was_started = !matches!(started, Ok(None));
        let started = started.ok().flatten();
        let host = started.as_ref().or(known);
        // Whether it lives is asked before the exit record: a host that ends in between has written that first.
        let lock_held = lock::is_held(&self.lock()) || host.is_some_and(|h| process::alive(&h.host));
        // It was written under another name, synced and renamed: what does not read as a record has been changed since, and
        // waiting makes it no better. What cannot be read at all may be there again soon.
        let (exit, damaged) = match self.read_exit() {
            Ok(exit) => (exit, None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => (None, Some(SafeText::new(&e.to_string()))),
            Err(e) => return Err(e),
        };
        // Its control group, its session, an environment that names this very run, and the list that it kept.
        let survivors = !lock_held
            && exit.is_none()
            && host.is_some_and(|h| !process::leftovers(&h.host, &self.traces(h)).is_empty());
        let started = was_started || known.is_some() || damaged.is_some();
        Ok(Found { exit, lock_held, started, survivors, damaged })
    }
}

fn read_record<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    let no_record =
        |e: &dyn fmt::Display| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {e}", path.display()));
    let bytes = open::read_own(path, MAX_RECORD).map_err(|e| match io::Error::from(e) {
        e if e.kind() == io::ErrorKind::InvalidData => no_record(&e),
        e => e,
    })?;
    serde_json::from_slice(&bytes).map_err(|e| no_record(&e))
}

/// Whole or not at all for whoever reads it, as long as the machine runs.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = open::own(&new, Access::Write)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    std::fs::rename(&new, path)
}

fn absent_is_none<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(record) => Ok(Some(record)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
