//! The tree of a run as a job object: what is started in it stays in it, whatever it starts, and closing the last
//! handle ends it all.

#![allow(unsafe_code)]

use super::start_time;
use crate::host::process::{Activity, Ended, LaunchSpec, Process, Reaped};
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::os::windows::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{CREATE_NO_WINDOW, CREATE_SUSPENDED};

const STEP: Duration = Duration::from_millis(20);
/// Processes of one job that are listed.
const MOST: usize = 4096;

#[link(name = "ntdll")]
unsafe extern "system" {
    /// Resumes all threads of a process; the documented way needs a handle of its first thread.
    fn NtResumeProcess(process: HANDLE) -> i32;
}

#[derive(Debug)]
pub struct Tree {
    job: OwnedHandle,
    /// Launched by this process and not yet told of.
    children: Vec<Child>,
}

impl Tree {
    pub fn own() -> io::Result<Tree> {
        // SAFETY: the new handle is ours alone, and the limits are a structure of plain numbers with its own size.
        unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            if job.is_null() {
                return Err(io::Error::last_os_error());
            }
            let job = OwnedHandle::from_raw_handle(job);
            let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
            let done = SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            );
            if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Tree { job, children: Vec::new() }) }
        }
    }

    /// The job is what encloses it, and ends with this process.
    pub fn enclose(&mut self, _name: &str) -> Result<Option<PathBuf>, String> {
        Ok(None)
    }

    pub fn is_open(&self) -> bool {
        false
    }

    pub fn launch(&mut self, spec: LaunchSpec) -> io::Result<u32> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        if spec.run_as.is_some() {
            return Err(refused("another account needs its password on Windows, which pcm does not keep"));
        }
        // A batch file would be handed to the command interpreter.
        if !spec.program.extension().is_some_and(|e| e.eq_ignore_ascii_case("exe")) {
            return Err(refused("only programs (.exe) are started on Windows"));
        }
        let mut command = Command::new(&spec.program);
        command.args(&spec.args).env_clear().envs(spec.env).current_dir(&spec.cwd);
        command.stdin(spec.input.map_or_else(Stdio::null, Stdio::from));
        command.stdout(spec.output.try_clone()?).stderr(spec.output);
        // Suspended, so that nothing of it runs outside of the job.
        command.creation_flags(CREATE_SUSPENDED | CREATE_NO_WINDOW);
        let mut child = command.spawn()?;
        // SAFETY: both handles are open.
        let held = unsafe {
            AssignProcessToJobObject(self.job.as_raw_handle(), child.as_raw_handle()) != 0
                && NtResumeProcess(child.as_raw_handle()) >= 0
        };
        if !held {
            let error = io::Error::last_os_error();
            let _ = child.kill();
            return Err(error);
        }
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
    }

    pub fn wait_any(&mut self, timeout: Duration) -> io::Result<Reaped> {
        let end = Instant::now() + timeout;
        loop {
            if let Some((pid, ended)) = self.reap()? {
                return Ok(Reaped::One { pid, ended });
            }
            if self.children.is_empty() && self.active()? == 0 {
                return Ok(Reaped::NoChildren);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Reaped::NothingYet);
            }
            std::thread::sleep(left.min(STEP));
        }
    }

    fn reap(&mut self) -> io::Result<Option<(u32, Ended)>> {
        for i in 0..self.children.len() {
            if let Some(status) = self.children[i].try_wait()? {
                let child = self.children.swap_remove(i);
                // Exit codes of Windows have 32 bits without a sign, as its tools write them.
                let code = status.code().map_or(-1, |c| i64::from(c as u32));
                return Ok(Some((child.id(), Ended::Code(code))));
            }
        }
        Ok(None)
    }

    /// How many processes of the job live.
    fn active(&self) -> io::Result<u32> {
        // SAFETY: a structure of plain numbers with its own size.
        unsafe {
            let mut counts: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = std::mem::zeroed();
            let done = QueryInformationJobObject(
                self.job.as_raw_handle(),
                JobObjectBasicAccountingInformation,
                (&raw mut counts).cast(),
                size_of_val(&counts) as u32,
                std::ptr::null_mut(),
            );
            if done == 0 { Err(io::Error::last_os_error()) } else { Ok(counts.ActiveProcesses) }
        }
    }

    pub fn processes(&self) -> Vec<Process> {
        // `JOBOBJECT_BASIC_PROCESS_ID_LIST`: two counts of 32 bits, then the numbers, each as wide as a pointer.
        let mut list = vec![0_usize; MOST + 1];
        // SAFETY: the buffer has the length that is given with it; too short a one is filled as far as it goes.
        unsafe {
            QueryInformationJobObject(
                self.job.as_raw_handle(),
                JobObjectBasicProcessIdList,
                list.as_mut_ptr().cast(),
                size_of_val(&list[..]) as u32,
                std::ptr::null_mut(),
            );
        }
        let pids =
            list.iter().skip(1).take_while(|pid| **pid != 0).filter_map(|pid| u32::try_from(*pid).ok());
        pids.filter_map(|pid| Some(Process { pid, start_time: start_time(pid)? })).collect()
    }

    /// What a process waits for is not told to others.
    pub fn activity(&self) -> Option<Activity> {
        None
    }

    /// There is no way to ask a process without a window to end.
    pub fn terminate(&self) {}

    pub fn kill(&mut self, deadline: Duration) -> io::Result<Vec<(u32, Ended)>> {
        let end = Instant::now() + deadline;
        let mut ended = Vec::new();
        loop {
            // SAFETY: the handle is open.
            unsafe { TerminateJobObject(self.job.as_raw_handle(), 1) };
            while let Some(one) = self.reap()? {
                ended.push(one);
            }
            if self.children.is_empty() && self.active()? == 0 {
                return Ok(ended);
            }
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(STEP);
        }
    }
}
