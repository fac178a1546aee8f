//! See `host::terminal`.

use crate::host::terminal::{Ended, Got};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::termios::{
    OptionalActions, QueueSelector, isatty, tcdrain, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One read takes this much; what is left is there at the next poll, which is level-triggered.
const CHUNK: usize = 4096;
/// The kernel hands out the room of a terminal in pieces of this size.
const PIECE: usize = 256;

pub fn read(buffer: &mut Vec<u8>, limit: Duration) -> io::Result<Got> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let limit =
        Timespec { tv_sec: limit.as_secs().try_into().unwrap_or(1), tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut fds, Some(&limit)) {
        Ok(0) | Err(Errno::INTR) => return Ok(Got::Nothing),
        Ok(_) => {}
        Err(e) => return Err(e.into()),
    }
    let mut bytes = [0; CHUNK];
    match rustix::io::read(&stdin, &mut bytes) {
        // A terminal has no end: it was taken away.
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => {
            buffer.extend_from_slice(&bytes[..n]);
            Ok(Got::Bytes)
        }
        Err(Errno::INTR | Errno::AGAIN) => Ok(Got::Nothing),
        Err(e) => Err(e.into()),
    }
}

/// The terminal, opened once more so as not to wait: then a frame is one write, and standard output stays for everybody
/// else what it was. None where it cannot be opened, as after `su`.
fn unwaiting() -> Option<&'static OwnedFd> {
    static OPENED: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        openat(CWD, "/proc/self/fd/1", flags, Mode::empty()).ok().filter(|opened| isatty(opened))
    };
    OPENED.get_or_init(open).as_ref()
}

pub fn write_while(mut bytes: &[u8], wanted: impl Fn() -> bool) -> io::Result<bool> {
    let stdout = io::stdout();
    let (terminal, most) = match unwaiting() {
        Some(opened) => (opened.as_fd(), usize::MAX),
        // Never more than there is room for: a write that blocks is not ended by emptying the queue.
        None => (stdout.as_fd(), PIECE),
    };
    let step = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !bytes.is_empty() {
        if !wanted() {
            return Ok(false);
        }
        match poll(&mut [PollFd::new(&terminal, PollFlags::OUT)], Some(&step)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        match rustix::io::write(terminal, &bytes[..bytes.len().min(most)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(true)
}

pub fn drain() {
    let _ = tcdrain(io::stdout());
}

pub fn discard() {
    let _ = tcflush(io::stdout(), QueueSelector::OFlush);
}

pub fn name() -> Option<String> {
    let path = std::fs::read_link("/proc/self/fd/1").ok()?;
    Some(path.strip_prefix("/dev").ok()?.to_str()?.to_owned())
}

pub fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())).ok()?;
    Some((size.ws_col, size.ws_row))
}

pub fn speed() -> Option<u32> {
    Some(tcgetattr(io::stdout()).ok()?.output_speed())
}

/// Whether whoever started this process closed standard output (`>&-`). Before `main` the standard library opens
/// `/dev/null` in its place, where everything that is printed would be lost without an error.
static OUTPUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// The loader calls this before `main`.
#[allow(unsafe_code)]
#[used]
// SAFETY: the section holds functions that are called with what C's `main` gets; this one takes nothing of it.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

#[allow(unsafe_code)]
extern "C" fn look() {
    // SAFETY: asks about a descriptor by its number and touches no memory.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1 {
        OUTPUT_CLOSED.store(true, Ordering::Relaxed);
    }
}

pub fn output_is_closed() -> bool {
    OUTPUT_CLOSED.load(Ordering::Relaxed)
}

/// More than this is no error message.
const MAX_SAID: u64 = 1 << 20;

pub fn lend(program: &mut Command) -> io::Result<Ended> {
    let modes = tcgetattr(io::stdin()).ok();
    let mut child = program.stderr(Stdio::piped()).spawn()?;
    let mut said = Vec::new();
    let code = std::thread::scope(|scope| {
        // Its end closes the pipe; what it started and left behind may keep it, and keeps nobody here.
        let error = child.stderr.take();
        let read = || {
            let mut said = Vec::new();
            if let Some(mut error) = error {
                let _ = error.by_ref().take(MAX_SAID).read_to_end(&mut said);
                let _ = io::copy(&mut error, &mut io::sink());
            }
            said
        };
        let reading = match std::thread::Builder::new().name("stderr".into()).spawn_scoped(scope, read) {
            Ok(reading) => reading,
            Err(why) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(why);
            }
        };
        let code = until_ended(&mut child);
        said = reading.join().unwrap_or_default();
        code
    })?;
    if let Some(modes) = modes {
        // The terminal may be gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    Ok(Ended { code, said })
}

/// Its exit status. While it is stopped (`~^Z` of ssh) this process is, so that the shell has the terminal.
fn until_ended(child: &mut Child) -> io::Result<Option<i32>> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Ok(child.wait()?.code());
    };
    loop {
        match waitpid(Some(pid), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => {
                if super::signals::can_be_continued() {
                    super::signals::stop_group();
                }
                kill_process(pid, Signal::CONT)?;
            }
            Ok(Some((_, status))) => return Ok(status.exit_status()),
            Ok(None) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
