//! Processes for the run host (DESIGN.md 5): started so that they outlive the service, launched without a shell, reaped
//! and ended with everything that descends from them. The executor starts run hosts; a run host owns one [`Tree`].

use super::account::Account;
use super::sys;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::time::Duration;

/// Names one process for ever: a pid alone is given out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it started, in the system's own unit since boot.
    pub start_time: u64,
    /// [`super::facts::boot_id`]
    pub boot_id: String,
}

/// A living process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in the system's own unit since boot.
    pub start_time: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It returned this.
    Code(i64),
    /// This signal ended it.
    Signal(i32),
}

/// What a wait for the tree brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// This one has ended. Escaped descendants come here too.
    One {
        /// Its number.
        pid: u32,
        /// How.
        ended: Ended,
    },
    /// The time was up.
    NothingYet,
    /// The whole tree has ended.
    NoChildren,
}

/// What a tree is doing, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Processor time used by everything that is or was in it, to a hundredth of a second. It only grows, but for what
    /// ends without being waited for.
    pub cpu: Duration,
    /// One that is blocked reading what nothing in the tree writes.
    pub blocked: Option<Blocked>,
}

/// A process that appears to wait for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Which.
    pub process: Process,
    /// Its own name for itself.
    pub name: SafeText,
    /// What it does, e.g. `reads the terminal /dev/pts/3`.
    pub on: SafeText,
}

/// How a package is launched.
#[derive(Debug)]
pub struct LaunchSpec {
    /// The very file that is executed; never searched for, never given to a shell.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Another account than this process's own.
    pub run_as: Option<Account>,
    /// Its standard input; None: empty.
    pub input: Option<PipeReader>,
    /// Takes both standard output and standard error.
    pub output: PipeWriter,
}

/// A process that outlives its maker's session, and the two pipes to it.
#[derive(Debug)]
pub struct Detached {
    /// Its standard input; closing it is what it sees when its maker dies.
    pub stdin: ChildStdin,
    /// Its standard output.
    pub stdout: ChildStdout,
    /// For reaping it while its maker lives.
    pub child: Child,
}

/// Starts `exe` in a session of its own (Unix) or outside of this process's console and job (Windows): working folder
/// `/`, no terminal, default signals, no open files but the two pipes. `exe` must be absolute.
///
/// # Errors
/// Where it cannot be started.
pub fn spawn_detached(exe: &Path, args: &[OsString]) -> io::Result<Detached> {
    sys::process::spawn_detached(exe, args)
}

/// Has a command start as another account, with all of that account's groups.
///
/// # Errors
/// Where this system or this account cannot do that.
pub fn act_as(command: &mut Command, account: &Account) -> io::Result<()> {
    sys::process::act_as(command, account)
}

/// The file that a running process was started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it stood when the process was started.
    pub path: PathBuf,
    /// Another file stands there now, or none.
    pub replaced: bool,
}

/// The file that a process was started from.
///
/// # Errors
/// There is no such process, or this account may not know.
pub fn image(pid: u32) -> io::Result<Image> {
    sys::process::image(pid)
}

/// The file this process was started from, also after it was replaced by another version.
///
/// # Errors
/// It is not there any more.
pub fn own_executable() -> io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    if exe.is_file() {
        return Ok(exe);
    }
    // Linux names a file that was replaced so; its successor stands under the old name.
    let text = exe.to_string_lossy();
    let successor = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text)).to_owned();
    if successor.is_file() {
        Ok(successor)
    } else {
        let why = format!("pcm's own program is gone: {}", successor.display());
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }
}

/// The account that a process acts as; None where it cannot be known.
pub fn account_of(pid: u32) -> Option<Account> {
    sys::process::account_of(pid)
}

/// From now on this process is ended by nothing but SIGKILL and its own will: hang-ups, interrupts, terminations and
/// broken pipes are ignored. What it launches gets the defaults back.
pub fn ignore_hangups() {
    sys::process::ignore_hangups();
}

/// From now on nothing of this process's memory is kept when it crashes: it is about to know a secret. On Windows nothing is
/// kept anyway, unless its administrator has that switched on.
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only who reads a bucket knows a secret"))]
pub fn leave_no_core() {
    sys::process::leave_no_core();
}

/// What is started so has no terminal, nothing open but its standard streams, and the usual signals. On Windows nothing is
/// inherited anyway.
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn inherits_nothing(command: &mut Command) {
    sys::process::inherits_nothing(command);
}

/// This process becomes this account for good: it is in no other group, gets no right back by any program, writes no file,
/// leaves no core, and is killed when the thread that started it ends. What is open stays open.
///
/// # Errors
/// It may not become that one, or keeps a right. It is then to end.
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn give_up_rights(account: &Account) -> io::Result<()> {
    sys::process::give_up_rights(account)
}

/// Everything that descends from the calling process, wherever it went: it becomes the parent of what loses its own.
/// One per process; it reaps every child of the process, so nothing else in it may wait for children.
#[derive(Debug)]
pub struct Tree(sys::process::Tree);

impl Tree {
    /// Makes this process the reaper of all its descendants.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn own() -> io::Result<Tree> {
        sys::process::Tree::own().map(Tree)
    }

    /// Starts a package: no shell, no terminal, a process group of its own. In a process that
    /// leads its session (the run host) the package stays in that session, by which [`leftovers`] finds it; from any
    /// other it gets a new one.
    ///
    /// # Errors
    /// Where the program cannot be executed as it stands; nothing of it ran.
    pub fn launch(&mut self, spec: LaunchSpec) -> io::Result<u32> {
        self.0.launch(spec)
    }

    /// From now on what is launched is held by more than its descent, so that it is found after this process has died:
    /// by a control group of this name (Linux). Its folder is for [`Traces`]; None where the system's own way needs no
    /// trace (a job object of Windows ends with its maker).
    ///
    /// # Errors
    /// Why none can be made here; the tree works without.
    pub fn enclose(&mut self, name: &str) -> Result<Option<PathBuf>, SafeText> {
        self.0.enclose(name).map_err(|why| SafeText::new(&why))
    }

    /// Whether what was launched may get away when this process dies, so that [`Traces::seen`] is worth keeping.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Waits until something of the tree ends, at most `timeout`.
    ///
    /// # Errors
    /// Only where the system's wait itself fails.
    pub fn wait_any(&mut self, timeout: Duration) -> io::Result<Reaped> {
        self.0.wait_any(timeout)
    }

    /// What is alive of it now.
    pub fn processes(&self) -> Vec<Process> {
        self.0.processes()
    }

    /// What it is doing; None where the system does not tell.
    pub fn activity(&self) -> Option<Activity> {
        self.0.activity()
    }

    /// Asks everything in it to end: SIGTERM (Windows: nothing can be asked, so nothing happens).
    pub fn terminate(&self) {
        self.0.terminate();
    }

    /// Ends everything in it, escaped, stopped and multiplying processes too, and reaps what is reaped by it. Returns
    /// how each of those ended once nothing is left.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] where something still lives after `deadline`.
    pub fn kill(&mut self, deadline: Duration) -> io::Result<Vec<(u32, Ended)>> {
        self.0.kill(deadline)
    }
}

/// Whether what a descendant leaves behind when it ends is found among the descendants still. Where it is not, that there
/// are none says nothing.
pub const KEEPS_ORPHANS: bool = sys::process::KEEPS_ORPHANS;

/// The living descendants of a process, itself not included.
pub fn descendants(of_pid: u32) -> Vec<Process> {
    sys::process::descendants(of_pid)
}

/// The identity of a living process.
pub fn identity(pid: u32) -> Option<ProcessIdentity> {
    let start_time = sys::process::start_time(pid)?;
    Some(ProcessIdentity { pid, start_time, boot_id: super::facts::boot_id() })
}

/// Whether that very process still lives.
pub fn alive(who: &ProcessIdentity) -> bool {
    who.boot_id == super::facts::boot_id() && sys::process::start_time(who.pid) == Some(who.start_time)
}

/// Whether that very process lives and somebody stopped it.
pub fn is_stopped(who: &ProcessIdentity) -> bool {
    alive(who) && sys::process::is_stopped(who.pid)
}

/// Lets a process go on if somebody stopped it; whether somebody had.
pub fn wake(who: &ProcessIdentity) -> bool {
    let stopped = is_stopped(who);
    if stopped {
        sys::process::wake(Process { pid: who.pid, start_time: who.start_time });
    }
    stopped
}

/// Ends a process and what descends from it, also what is stopped or multiplies. False where something still lives after
/// `deadline`.
pub fn end(who: &ProcessIdentity, deadline: Duration) -> bool {
    let process = Process { pid: who.pid, start_time: who.start_time };
    sys::process::kill_until_none(deadline, || alive(who).then_some(process).into_iter().collect())
}

/// By what the processes of a run are found after its run host has died, besides its session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// All of these are in the environment of each; a process may have cleared its own.
    pub marks: Vec<(String, String)>,
    /// What [`Tree::enclose`] gave.
    pub cgroup: Option<PathBuf>,
    /// What the run host saw of its tree before it died.
    pub seen: Vec<Process>,
}

/// What a dead run host left alive: the processes of its session, and those with its `traces`. Empty after a
/// restart of the machine.
pub fn leftovers(run_host: &ProcessIdentity, traces: &Traces) -> Vec<Process> {
    if run_host.boot_id == super::facts::boot_id() {
        sys::process::leftovers(run_host, traces)
    } else {
        Vec::new()
    }
}

/// Removes the control group of a run, if nothing is left in it.
pub fn release(run_host: &ProcessIdentity, traces: &Traces) {
    if run_host.boot_id == super::facts::boot_id() {
        sys::process::release(traces);
    }
}

/// Ends what [`leftovers`] finds, again and again until it finds nothing. False where something still lives after
/// `deadline`.
pub fn kill_leftovers(run_host: &ProcessIdentity, traces: &Traces, deadline: Duration) -> bool {
    if run_host.boot_id == super::facts::boot_id() {
        sys::process::kill_at_once(traces);
    }
    let ended = sys::process::kill_until_none(deadline, || leftovers(run_host, traces));
    if ended {
        sys::process::release(traces);
    }
    ended
}
