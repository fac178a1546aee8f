//! Whether something in a tree is blocked in a read that nothing in the tree can end: a terminal, or a pipe that nobody
//! else writes. Only what the kernel shows is used, and what may not be read counts as not blocked. A network that does
//! not answer is no input.

use super::super::proc;
use crate::host::process::{Blocked, Process};
use crate::text::SafeText;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;

/// The first of these processes that waits so.
pub fn blocked(tree: &[Process]) -> Option<Blocked> {
    tree.iter().find_map(|process| {
        let on = proc::threads(process.pid).into_iter().find_map(|thread| {
            let (call, arguments) = proc::sleeps_in(process.pid, thread)?;
            waits_on(process.pid, call, &arguments, tree)
        })?;
        let name = proc::name(process.pid).unwrap_or_default();
        Some(Blocked { process: *process, name: SafeText::new(&name), on: SafeText::new(&on) })
    })
}

fn waits_on(pid: u32, call: i64, arguments: &[u64], tree: &[Process]) -> Option<String> {
    match call {
        libc::SYS_read | libc::SYS_readv => {
            let file = Opened::at(pid, u32::try_from(*arguments.first()?).ok()?)?;
            let alone = || !tree.iter().any(|other| other.pid != pid && file.is_written_by(other.pid));
            if file.is_terminal() {
                Some(format!("reads the terminal {}", file.name.display()))
            } else if file.is_pipe && alone() {
                Some(format!("reads {}, which nothing in the package writes", file.name.display()))
            } else {
                None
            }
        }
        // Only a named pipe keeps anybody asleep here: until its other end is opened.
        libc::SYS_openat if arguments.get(2)? & libc::O_ACCMODE as u64 == libc::O_RDONLY as u64 => {
            Some("opens a named pipe that nobody writes".to_owned())
        }
        // What of several things it waits for is not shown; with a terminal open it is most likely that.
        _ if POLLS.contains(&call) => {
            let terminal = open_files(pid).find(Opened::is_terminal)?;
            Some(format!("waits at the terminal {}", terminal.name.display()))
        }
        _ => None,
    }
}

#[cfg(target_arch = "x86_64")]
const POLLS: [i64; 6] = [
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
];
#[cfg(not(target_arch = "x86_64"))]
const POLLS: [i64; 3] = [libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_pwait];

/// What a descriptor of a process stands for.
struct Opened {
    name: PathBuf,
    device: u64,
    inode: u64,
    is_pipe: bool,
    is_device: bool,
}

impl Opened {
    fn at(pid: u32, descriptor: u32) -> Option<Self> {
        let link = format!("/proc/{pid}/fd/{descriptor}");
        let name = fs::read_link(&link).ok()?;
        // Follows the link to what is open, and opens nothing.
        let meta = fs::metadata(&link).ok()?;
        let kind = meta.file_type();
        Some(Self {
            name,
            device: meta.dev(),
            inode: meta.ino(),
            is_pipe: kind.is_fifo(),
            is_device: kind.is_char_device(),
        })
    }

    fn is_terminal(&self) -> bool {
        let name = self.name.to_string_lossy();
        let named = ["/dev/pts/", "/dev/tty", "/dev/console", "/dev/hvc"].iter().any(|p| name.starts_with(p));
        self.is_device && named && name != "/dev/pts/ptmx"
    }

    fn is_written_by(&self, pid: u32) -> bool {
        descriptors(pid).into_iter().any(|descriptor| {
            let same =
                Self::at(pid, descriptor).is_some_and(|o| (o.device, o.inode) == (self.device, self.inode));
            same && is_writable(pid, descriptor)
        })
    }
}

fn is_writable(pid: u32, descriptor: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = text.lines().find_map(|l| l.strip_prefix("flags:"));
    let flags = flags.and_then(|f| libc::c_int::from_str_radix(f.trim(), 8).ok());
    flags.is_some_and(|f| f & libc::O_ACCMODE != libc::O_RDONLY)
}

fn open_files(pid: u32) -> impl Iterator<Item = Opened> {
    descriptors(pid).into_iter().filter_map(move |descriptor| Opened::at(pid, descriptor))
}

fn descriptors(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}
