//! Starting processes: what the child does between fork and exec. Only async-signal-safe calls are made there, since
//! the parent has threads.

#![allow(unsafe_code)]

use super::super::account;
use crate::host::account::Account;
use crate::host::process::{Detached, LaunchSpec};
use std::ffi::{CString, OsString, c_char};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub fn ignore_hangups() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE] {
        // SAFETY: ignoring a signal installs no handler, and the numbers are valid.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only who reads a bucket knows a secret"))]
pub fn leave_no_core() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
    // The one is about files of the kernel, the other about programs that take what it gives them as well.
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

pub fn inherits_nothing(command: &mut Command) {
    // SAFETY: only async-signal-safe calls.
    unsafe {
        command.pre_exec(|| {
            check(libc::setsid())?;
            reset()
        });
    }
}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn give_up_rights(account: &Account) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let (Some(uid), Some(gid)) = (account.uid, account.gid) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the account has no number"));
    };
    setrlimit(Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) })?;
    // SAFETY: takes no pointer. The keys of a login of root's are no longer its own; some kernels know of none.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) };
    become_account(&(uid, gid, Vec::new()))?;
    // SAFETY: none of them takes a pointer. No program that it starts has more rights than it has, and it is killed when the
    // thread that started it ends; the change of account would have undone that.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
    }
    leave_no_core();
    // SAFETY: takes no pointer.
    if uid == 0 || unsafe { libc::setuid(0) } == 0 {
        return Err(io::Error::other("it keeps the rights of root"));
    }
    Ok(())
}

pub fn spawn_detached(exe: &Path, args: &[OsString]) -> io::Result<Detached> {
    let mut command = Command::new(exe);
    command.args(args).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    inherits_nothing(&mut command);
    let mut child = command.spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => Ok(Detached { stdin, stdout, child }),
        _ => Err(io::Error::other("the pipes are missing")),
    }
}

/// The arrays for execve, made before the fork because the child must not allocate.
struct Exec {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

/// Starts a package as a child of this process, in the control group whose entrance this is. One that cannot enter runs
/// outside of it: the caller looks.
pub fn launch(spec: LaunchSpec, entrance: Option<&File>) -> io::Result<Child> {
    let exec = Exec::new(&spec)?;
    let switch = switch(&spec)?;
    // SAFETY: both take no pointer. Compared as plain numbers: in a container whose session was made outside of it the
    // session is 0, which is no process id.
    let leads_session = unsafe { libc::getsid(0) == libc::getpid() };
    let entrance = entrance.map(|file| file.as_raw_fd());
    let mut command = Command::new(&spec.program);
    command.current_dir(&spec.cwd).stdin(spec.input.map_or_else(Stdio::null, Stdio::from));
    command.stdout(spec.output.try_clone()?).stderr(spec.output);
    // SAFETY: only async-signal-safe calls; `exec` was made before the fork and lives in the closure,
    // and the caller keeps the entrance open.
    unsafe {
        command.pre_exec(move || {
            if let Some(entrance) = entrance {
                libc::write(entrance, b"0".as_ptr().cast(), 1);
            }
            if leads_session {
                check(libc::setpgid(0, 0))?;
            } else {
                check(libc::setsid())?;
            }
            usual_standing();
            if let Some(switch) = &switch {
                become_account(switch)?;
            }
            libc::umask(0o022);
            reset()?;
            Err(exec.run())
        });
    }
    spawn_when_written(&mut command)
}

/// A program that somebody still has open for writing is waited for, for some seconds. What was just written here is, for
/// an instant, open in each process that another thread starts, until that executes its own program. The kernel refuses it
/// before anything of it runs, so a second try starts nothing twice.
fn spawn_when_written(command: &mut Command) -> io::Result<Child> {
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..100 {
        match command.spawn() {
            Err(e) if e.raw_os_error() == Some(libc::ETXTBSY) => std::thread::sleep(PAUSE),
            started => return started,
        }
    }
    command.spawn()
}

pub fn act_as(command: &mut Command, account: &Account) -> io::Result<()> {
    if let Some(switch) = switch_to(account)? {
        // SAFETY: only async-signal-safe calls; the groups were asked for before the fork.
        unsafe { command.pre_exec(move || become_account(&switch)) };
    }
    Ok(())
}

/// Uid, gid and groups.
type Switch = (u32, u32, Vec<u32>);

/// Called between fork and exec.
fn become_account((uid, gid, groups): &Switch) -> io::Result<()> {
    // SAFETY: async-signal-safe, and the list is as long as it is said to be.
    unsafe {
        check(libc::setgroups(groups.len(), groups.as_ptr()))?;
        check(libc::setresgid(*gid, *gid, *gid))?;
        check(libc::setresuid(*uid, *uid, *uid))
    }
}

/// What to switch to; None where the package runs as this process's own account.
fn switch(spec: &LaunchSpec) -> io::Result<Option<Switch>> {
    spec.run_as.as_ref().map_or(Ok(None), switch_to)
}

fn switch_to(account: &Account) -> io::Result<Option<Switch>> {
    match (account.uid, account.gid) {
        (Some(uid), _) if uid == rustix::process::geteuid().as_raw() => Ok(None),
        (Some(uid), Some(gid)) => Ok(Some((uid, gid, account::groups(account)))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "the account has no number")),
    }
}

impl Exec {
    fn new(spec: &LaunchSpec) -> io::Result<Exec> {
        let text = |s: &[u8]| {
            CString::new(s).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a zero byte"))
        };
        let program = text(spec.program.as_os_str().as_bytes())?;
        let mut argv = vec![program.clone()];
        for arg in &spec.args {
            argv.push(text(arg.as_bytes())?);
        }
        let env: io::Result<_> = spec.env.iter().map(|(k, v)| text(format!("{k}={v}").as_bytes())).collect();
        Ok(Exec { program, argv, env: env? })
    }

    /// Executes the program; returns only with the error. The standard library's own exec would hand a file without
    /// a known format to a shell, which is what must never happen.
    fn run(&self) -> io::Error {
        const MOST: usize = 4096;
        if self.argv.len() >= MOST || self.env.len() >= MOST {
            return io::Error::from_raw_os_error(libc::E2BIG);
        }
        // On the stack: nothing is allocated between fork and exec.
        let mut argv: [*const c_char; MOST] = [std::ptr::null(); MOST];
        let mut env: [*const c_char; MOST] = [std::ptr::null(); MOST];
        for (to, from) in argv.iter_mut().zip(&self.argv) {
            *to = from.as_ptr();
        }
        for (to, from) in env.iter_mut().zip(&self.env) {
            *to = from.as_ptr();
        }
        // SAFETY: both arrays end with a null pointer and point at strings that `self` owns.
        unsafe { libc::execve(self.program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// The standing of a program that an operator starts: what the service was given for itself (a nice value, a protection
/// from the out-of-memory killer, limits of descriptors or memory) is no package's. What this account may not raise again
/// stays as it is. Called between fork and exec.
fn usual_standing() {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const NOT_SET: libc::c_int = 0;
    // SAFETY: async-signal-safe, the texts end with a zero, and what fails changes nothing.
    unsafe {
        let ordinary: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, NOT_SET);
        let score = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if score >= 0 {
            libc::write(score, b"0".as_ptr().cast(), 1);
            libc::close(score);
        }
        for (what, soft, hard) in USUAL_LIMITS {
            let wanted = libc::rlimit { rlim_cur: soft, rlim_max: hard };
            let mut now: libc::rlimit = std::mem::zeroed();
            if libc::setrlimit(what, &raw const wanted) != 0 && libc::getrlimit(what, &raw mut now) == 0 {
                now.rlim_cur = soft.min(now.rlim_max);
                libc::setrlimit(what, &raw const now);
            }
        }
    }
}

#[cfg(target_env = "gnu")]
type Limit = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Limit = libc::c_int;

/// Soft and hard limits as a system of today gives them to a login.
const USUAL_LIMITS: [(Limit, libc::rlim_t, libc::rlim_t); 11] = {
    const NONE: libc::rlim_t = libc::RLIM_INFINITY;
    [
        (libc::RLIMIT_AS, NONE, NONE),
        (libc::RLIMIT_CORE, 0, NONE),
        (libc::RLIMIT_CPU, NONE, NONE),
        (libc::RLIMIT_DATA, NONE, NONE),
        (libc::RLIMIT_FSIZE, NONE, NONE),
        (libc::RLIMIT_LOCKS, NONE, NONE),
        (libc::RLIMIT_MEMLOCK, 8 << 20, 8 << 20),
        (libc::RLIMIT_NOFILE, 1024, 512 << 10),
        (libc::RLIMIT_NPROC, NONE, NONE),
        (libc::RLIMIT_RSS, NONE, NONE),
        (libc::RLIMIT_STACK, 8 << 20, NONE),
    ]
};

/// Default signals, none blocked, every descriptor above 2 closed on exec.
fn reset() -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // An action as the kernel takes it, all zero: the default. The C library would refuse the numbers that it keeps for
    // itself, and they too may have been ignored by whoever started this process.
    let default = [0_usize; 8];
    // SAFETY: async-signal-safe; `default` is as large as any kernel's sigaction, and numbers that are no signals or
    // cannot be changed are refused without harm. An old kernel without close_range is one on which everything was
    // opened close-on-exec anyway.
    unsafe {
        for signal in 1..=64 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<usize>(),
                8_usize,
            );
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()))?;
        libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
