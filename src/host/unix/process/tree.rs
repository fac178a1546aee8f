//! The tree of a run: reaping it, and ending it whole. As subreaper this process becomes the parent of every orphan
//! among its descendants, so no `setsid` and no double fork leads out of it, and "no children" means that all is over.

use super::super::proc::{self, Stat};
use super::cgroup::Cgroup;
use crate::host::process::{Activity, Ended, LaunchSpec, Process, Reaped};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often an end is looked for where no signal told of it.
const STEP: Duration = Duration::from_millis(20);

/// The unit of processor times in /proc, the same on every machine that pcm is built for (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub struct Tree {
    /// Readable after a child's end.
    wake: UnixStream,
    cgroup: Option<Cgroup>,
    /// Something was launched that the group does not hold.
    open: bool,
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(group) = &self.cgroup {
            group.remove();
        }
    }
}

impl Tree {
    pub fn own() -> io::Result<Tree> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (wake, tell) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(libc::SIGCHLD, tell)?;
        Ok(Tree { wake, cgroup: None, open: false })
    }

    pub fn enclose(&mut self, name: &str) -> Result<Option<PathBuf>, String> {
        let group = Cgroup::make(name)?;
        let path = group.path().to_owned();
        self.cgroup = Some(group);
        Ok(Some(path))
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn launch(&mut self, spec: LaunchSpec) -> io::Result<u32> {
        let entrance = self.cgroup.as_ref().and_then(|group| group.entrance().ok());
        let pid = super::spawn::launch(spec, entrance.as_ref())?.id();
        // It is not reaped yet, so the number is its own.
        self.open |= !self.cgroup.as_ref().is_some_and(|group| group.holds(pid));
        Ok(pid)
    }

    pub fn wait_any(&mut self, timeout: Duration) -> io::Result<Reaped> {
        let end = Instant::now() + timeout;
        loop {
            self.drain();
            match reap()? {
                Reaped::NothingYet => {}
                found => return Ok(found),
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Reaped::NothingYet);
            }
            self.sleep(left);
        }
    }

    pub fn processes(&self) -> Vec<Process> {
        descendants(std::process::id())
    }

    pub fn activity(&self) -> Option<Activity> {
        let processes = self.processes();
        let ticks = processes.iter().filter_map(|p| proc::stat(p.pid)).map(|s| s.own_ticks + s.reaped_ticks);
        // What has ended was reaped by something in the tree, or here.
        let reaped = proc::stat(std::process::id())?.reaped_ticks;
        let cpu = TICK * u32::try_from(ticks.sum::<u64>() + reaped).unwrap_or(u32::MAX);
        Some(Activity { cpu, blocked: super::input::blocked(&processes) })
    }

    pub fn terminate(&self) {
        for process in self.processes() {
            signal(process, Signal::TERM);
            // A stopped process would see it only after it is continued.
            signal(process, Signal::CONT);
        }
    }

    pub fn kill(&mut self, deadline: Duration) -> io::Result<Vec<(u32, Ended)>> {
        let end = Instant::now() + deadline;
        let mut ended = Vec::new();
        loop {
            if let Some(group) = &self.cgroup {
                group.kill();
            }
            kill_all(|| children(std::process::id()));
            loop {
                self.drain();
                match reap()? {
                    Reaped::One { pid, ended: how } => ended.push((pid, how)),
                    Reaped::NoChildren => return Ok(ended),
                    Reaped::NothingYet => break,
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.sleep(left.min(STEP));
        }
    }

    fn drain(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }

    /// Until a child ends, at most `time`. A signal that came before is still in the pipe, so none is missed.
    fn sleep(&self, time: Duration) {
        let time = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let _ = rustix::event::poll(&mut [PollFd::new(&self.wake, PollFlags::IN)], Some(&time));
    }
}

fn reap() -> io::Result<Reaped> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                if let Some(ended) = how(status) {
                    return Ok(Reaped::One { pid: pid.as_raw_nonzero().get() as u32, ended });
                }
            }
            Ok(None) => return Ok(Reaped::NothingYet),
            Err(Errno::CHILD) => return Ok(Reaped::NoChildren),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn how(status: WaitStatus) -> Option<Ended> {
    let code = status.exit_status().map(|c| Ended::Code(c.into()));
    code.or_else(|| status.terminating_signal().map(Ended::Signal))
}

/// The run host is their subreaper.
pub const KEEPS_ORPHANS: bool = true;

pub fn descendants(of_pid: u32) -> Vec<Process> {
    let all = proc::all();
    let mut children: HashMap<u32, Vec<&Stat>> = HashMap::new();
    for stat in &all {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut look = vec![of_pid];
    while let Some(pid) = look.pop() {
        // `remove`: a table read while it changed may hold a circle.
        for stat in children.remove(&pid).unwrap_or_default() {
            look.push(stat.pid);
            if !stat.is_dead() {
                found.push(Process { pid: stat.pid, start_time: stat.start_time });
            }
        }
    }
    found
}

/// Kills what `roots` finds and everything below it. What multiplies faster than it is killed must first stand still:
/// each process is stopped before its children are looked up, so it can make no more of them, and the looking goes on
/// until it finds nothing new.
fn kill_all(roots: impl Fn() -> Vec<Process>) {
    // One look can miss a process that comes while its parent goes.
    const LOOKS: u32 = 3;
    let mut stopped = HashSet::new();
    let mut in_vain = 0;
    while in_vain < LOOKS {
        in_vain += 1;
        let mut look = roots();
        while let Some(process) = look.pop() {
            if stopped.insert(process) {
                signal(process, Signal::STOP);
                in_vain = 0;
            }
            look.extend(children(process.pid));
        }
        if stopped.is_empty() {
            return;
        }
    }
    for process in stopped {
        signal(process, Signal::KILL);
    }
}

/// The living children of one process. The kernel's own list is short and quick, where it was built with one.
fn children(of_pid: u32) -> Vec<Process> {
    let living = |pids: Vec<u32>| {
        let stats = pids.into_iter().filter_map(proc::stat).filter(|s| !s.is_dead());
        stats.map(|s| Process { pid: s.pid, start_time: s.start_time }).collect()
    };
    match proc::children(of_pid) {
        Some(pids) => living(pids),
        None => living(proc::all().iter().filter(|s| s.parent == of_pid).map(|s| s.pid).collect()),
    }
}

/// Kills what `find` finds until it finds nothing; false where `deadline` passes first.
pub fn kill_until_none(deadline: Duration, find: impl Fn() -> Vec<Process>) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if find().is_empty() {
            return true;
        }
        kill_all(&find);
        if Instant::now() > end {
            return find().is_empty();
        }
        std::thread::sleep(STEP);
    }
}

pub fn wake(process: Process) {
    signal(process, Signal::CONT);
}

/// Through a descriptor of the process, checked after it was opened: the number may have gone to another since.
fn signal(process: Process, signal: Signal) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(descriptor) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    if proc::stat(process.pid).is_some_and(|s| s.start_time == process.start_time) {
        let _ = rustix::process::pidfd_send_signal(descriptor, signal);
    }
}
