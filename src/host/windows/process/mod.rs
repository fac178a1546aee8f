//! Processes on Windows, behind `host::process`: a job object holds the tree of a run and ends with its run host.

#[cfg(test)]
mod tests;
mod tree;

pub use tree::Tree;

use super::security::open_process;
use crate::host::account::Account;
use crate::host::process::{Detached, Image, Process, ProcessIdentity, Traces};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, FILETIME, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS, GetProcessTimes,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, QueryFullProcessImageNameW,
    TerminateProcess, WaitForSingleObject,
};

/// The process has ended; its handle is signalled.
const WAIT_OBJECT_0: u32 = 0;

pub fn spawn_detached(exe: &Path, args: &[OsString]) -> io::Result<Detached> {
    let start = |flags: u32| {
        let mut command = Command::new(exe);
        command.args(args).current_dir(r"C:\").creation_flags(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    };
    let alone = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    let mut child = match start(alone | CREATE_BREAKAWAY_FROM_JOB) {
        // The job that this process is in does not let go of anything; most are in none.
        Err(e) if e.raw_os_error() == i32::try_from(ERROR_ACCESS_DENIED).ok() => start(alone)?,
        other => other?,
    };
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => Ok(Detached { stdin, stdout, child }),
        _ => Err(io::Error::other("the pipes are missing")),
    }
}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only who reads a bucket knows a secret"))]
pub fn leave_no_core() {}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn inherits_nothing(_: &mut Command) {}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn give_up_rights(_: &Account) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[allow(unsafe_code)]
pub fn ignore_hangups() {
    // SAFETY: without a handler this only sets a flag of the process.
    unsafe { SetConsoleCtrlHandler(None, 1) };
}

pub fn act_as(_command: &mut Command, _account: &Account) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "pcm cannot act as another account on Windows"))
}

/// A file that runs cannot be replaced on Windows, only renamed; the system then gives its new name.
#[allow(unsafe_code)]
pub fn image(pid: u32) -> io::Result<Image> {
    let process = open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut text = [0_u16; 1024];
    let mut length = text.len() as u32;
    // SAFETY: the handle is open, and the text is as long as is said.
    let done =
        unsafe { QueryFullProcessImageNameW(process.as_raw_handle(), 0, text.as_mut_ptr(), &raw mut length) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Image { path: PathBuf::from(super::narrow(&text)), replaced: false })
}

pub fn account_of(pid: u32) -> Option<Account> {
    let token = super::security::token(pid).ok()?;
    Some(super::account::of_sid(token.account))
}

/// In units of 100 ns; None for what has ended.
#[allow(unsafe_code)]
pub fn start_time(pid: u32) -> Option<u64> {
    let process = open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE).ok()?;
    let [mut created, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open, and the system writes four times.
    unsafe {
        if WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_OBJECT_0 {
            return None;
        }
        let done = GetProcessTimes(
            process.as_raw_handle(),
            &raw mut created,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        );
        (done != 0).then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
    }
}

/// Nothing stops a whole process here but a debugger.
pub fn is_stopped(_pid: u32) -> bool {
    false
}

pub fn wake(_process: Process) {}

/// Its parent is a number, which may be gone.
pub const KEEPS_ORPHANS: bool = false;

pub fn descendants(of_pid: u32) -> Vec<Process> {
    let table = parents();
    let mut found: Vec<Process> = Vec::new();
    let mut seen = HashSet::from([of_pid]);
    let mut look: Vec<(u32, u64)> = start_time(of_pid).map(|t| (of_pid, t)).into_iter().collect();
    while let Some((parent, born)) = look.pop() {
        for (pid, _) in table.iter().filter(|(_, p)| *p == parent) {
            // A number that was given out again makes strangers look like children; a child is never the older one.
            let Some(start_time) = start_time(*pid).filter(|t| *t >= born) else { continue };
            if seen.insert(*pid) {
                found.push(Process { pid: *pid, start_time });
                look.push((*pid, start_time));
            }
        }
    }
    found
}

/// Every process and its parent.
#[allow(unsafe_code)]
fn parents() -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    // SAFETY: the entry says its own size, and the snapshot is closed when it has been read.
    unsafe {
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return found;
        }
        let snapshot =
            <std::os::windows::io::OwnedHandle as std::os::windows::io::FromRawHandle>::from_raw_handle(
                snapshot,
            );
        let mut entry: PROCESSENTRY32W = std::mem::zeroed();
        entry.dwSize = size_of::<PROCESSENTRY32W>() as u32;
        let mut more = Process32FirstW(snapshot.as_raw_handle(), &raw mut entry);
        while more != 0 {
            found.push((entry.th32ProcessID, entry.th32ParentProcessID));
            more = Process32NextW(snapshot.as_raw_handle(), &raw mut entry);
        }
    }
    found
}

/// A run host's job ends with it, and everything in it: nothing is ever left.
pub fn leftovers(_run_host: &ProcessIdentity, _traces: &Traces) -> Vec<Process> {
    Vec::new()
}

/// There is never anything to end.
pub fn kill_at_once(_traces: &Traces) {}

/// Nor to remove.
pub fn release(_traces: &Traces) {}

#[allow(unsafe_code)]
pub fn kill_until_none(deadline: Duration, find: impl Fn() -> Vec<Process>) -> bool {
    let end = Instant::now() + deadline;
    loop {
        let found = find();
        if found.is_empty() {
            return true;
        }
        for process in found {
            if let Ok(handle) = open_process(process.pid, PROCESS_TERMINATE)
                && start_time(process.pid) == Some(process.start_time)
            {
                // SAFETY: the handle is open and keeps the number from being given out again.
                unsafe { TerminateProcess(handle.as_raw_handle(), 1) };
            }
        }
        if Instant::now() > end {
            return find().is_empty();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
