//! The tree of a run: reaping it, and ending it whole. As subreaper this process becomes the parent of every orphan
//! among its descendants, so no `setsid` and no double fork leads out of it, and "no children" means that all is over.

use super::super::proc::{self, Stat};
use crate::host::process::{Ended, LaunchSpec, Process, Reaped};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How often an end is looked for where no signal told of it.
const STEP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Tree {
    /// Readable after a child's end.
    wake: UnixStream,
}

impl Tree {
    pub fn own() -> io::Result<Tree> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (wake, tell) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(libc::SIGCHLD, tell)?;
        Ok(Tree { wake })
    }

    pub fn launch(&mut self, spec: LaunchSpec) -> io::Result<u32> {
        super::spawn::launch(spec).map(|child| child.id())
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
            kill_all(|| descendants(std::process::id()));
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

/// Stops all that `find` finds, until it finds nothing new, and kills them then: what multiplies faster than it is
/// killed must first stand still.
fn kill_all(find: impl Fn() -> Vec<Process>) {
    let mut stopped = HashSet::new();
    loop {
        let new: Vec<Process> = find().into_iter().filter(|p| !stopped.contains(p)).collect();
        if new.is_empty() {
            break;
        }
        for process in new {
            signal(process, Signal::STOP);
            stopped.insert(process);
        }
    }
    for process in stopped {
        signal(process, Signal::KILL);
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

/// Through a descriptor of the process, checked after it was opened: the number may have gone to another since.
fn signal(process: Process, signal: Signal) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(descriptor) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    if proc::stat(process.pid).is_some_and(|s| s.start_time == process.start_time) {
        let _ = rustix::process::pidfd_send_signal(descriptor, signal);
    }
}
