//! The local socket on Windows, behind `host::ipc`: a named pipe that no other machine can reach.

use super::{account, security, wide};
use crate::host::account::{Actor, Rights};
use crate::text::SafeText;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, IntoRawHandle as _, OwnedHandle};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::windows::named_pipe::NamedPipeServer;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_PIPE_BUSY, GetLastError, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, SECURITY_IDENTIFICATION,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeClientProcessId, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, PeekNamedPipe, WaitNamedPipeW,
};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;

/// Everybody on this machine may read and write; only the system and administrators may add instances, so that nobody
/// else answers in the service's name. Its own account needs that too.
const EVERYBODY: &str = "D:(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)(A;;0x12019b;;;WD)";
/// What that leaves to everybody; the general right to write would include making instances.
const READ_AND_WRITE: u32 = 0x0012_019b;
const BUFFER: u32 = 64 << 10;
const STEP: Duration = Duration::from_millis(5);

/// A path that is no pipe's name stands for one: a hash of it, since a name holds no backslashes.
fn pipe_name(path: &Path) -> OsString {
    let text = path.to_string_lossy();
    if text.starts_with(r"\\.\pipe\") {
        return path.as_os_str().to_owned();
    }
    let hash = Sha256::digest(text.to_lowercase().as_bytes());
    let hex: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!(r"\\.\pipe\pcm-{hex}").into()
}

#[derive(Debug)]
pub struct Listener {
    name: OsString,
    /// The instance that the next caller gets. Made before the runtime is needed.
    next: Option<Instance>,
}

#[derive(Debug)]
enum Instance {
    Bound(OwnedHandle),
    Waiting(NamedPipeServer),
}

impl Listener {
    pub fn bind(path: &Path) -> io::Result<Listener> {
        let name = pipe_name(path);
        let in_use = || io::Error::new(io::ErrorKind::AddrInUse, "another process answers there");
        if is_served(&name) {
            return Err(in_use());
        }
        match instance(&name, true) {
            Err(e) if e.raw_os_error() == i32::try_from(ERROR_ACCESS_DENIED).ok() => Err(in_use()),
            other => Ok(Listener { name, next: Some(Instance::Bound(other?)) }),
        }
    }

    /// No name of a pipe goes while it is served.
    pub fn restore(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[allow(unsafe_code)]
    pub async fn accept(&mut self) -> io::Result<(NamedPipeServer, Peer)> {
        loop {
            let next = match self.next.take() {
                Some(Instance::Waiting(server)) => server,
                // SAFETY: the handle is an overlapped end of a named pipe, and passes to the runtime.
                Some(Instance::Bound(handle)) => unsafe {
                    NamedPipeServer::from_raw_handle(handle.into_raw_handle())?
                },
                // An earlier call failed to make one.
                None => {
                    self.next = Some(Instance::Bound(instance(&self.name, false)?));
                    continue;
                }
            };
            let server = match &*self.next.insert(Instance::Waiting(next)) {
                Instance::Waiting(server) => server,
                Instance::Bound(_) => continue,
            };
            // Kept in `self` while it waits: a call that is given up loses no caller.
            server.connect().await?;
            let Some(Instance::Waiting(server)) = self.next.take() else { continue };
            self.next = instance(&self.name, false).ok().map(Instance::Bound);
            // One that has gone again before it could be asked who it is concerns nobody.
            if let Ok(peer) = Peer::of(&server) {
                return Ok((server, peer));
            }
        }
    }
}

/// Whether the pipe has an instance of anybody's, free or busy.
#[allow(unsafe_code)]
fn is_served(name: &OsString) -> bool {
    let name = wide(name);
    // SAFETY: the text ends with a zero. One millisecond: only the answer counts.
    unsafe { WaitNamedPipeW(name.as_ptr(), 1) != 0 || GetLastError() != ERROR_FILE_NOT_FOUND }
}

#[allow(unsafe_code)]
fn instance(name: &OsString, first: bool) -> io::Result<OwnedHandle> {
    let name = wide(name);
    let first = if first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    security::with_attributes(EVERYBODY, |attributes| {
        // SAFETY: the text ends with a zero, the attributes live during the call, and the new handle is ours alone.
        unsafe {
            let handle = CreateNamedPipeW(
                name.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                PIPE_UNLIMITED_INSTANCES,
                BUFFER,
                BUFFER,
                0,
                attributes,
            );
            if handle == INVALID_HANDLE_VALUE {
                return Err(io::Error::last_os_error());
            }
            Ok(OwnedHandle::from_raw_handle(handle))
        }
    })
}

/// The process at the other end, asked for its token while it is certainly connected.
#[derive(Debug)]
pub struct Peer {
    token: security::Token,
    session: Option<u32>,
}

impl Peer {
    #[allow(unsafe_code)]
    fn of(server: &NamedPipeServer) -> io::Result<Peer> {
        let (mut pid, mut session) = (0, 0);
        // SAFETY: the pipe is open, and the system writes one number each.
        let session = unsafe {
            if GetNamedPipeClientProcessId(server.as_raw_handle(), &raw mut pid) == 0 {
                return Err(io::Error::last_os_error());
            }
            (ProcessIdToSessionId(pid, &raw mut session) != 0).then_some(session)
        };
        Ok(Peer { token: security::token(pid)?, session })
    }

    pub fn actor(&self, rights: &Rights) -> Actor {
        let terminal = self.session.map(|s| SafeText::new(&format!("session {s}")));
        Actor { terminal, ..account::actor(&self.token, rights) }
    }

    pub fn nameless(&self, rights: &Rights) -> Actor {
        account::nameless_actor(&self.token, rights)
    }
}

#[derive(Debug)]
pub struct Client {
    pipe: File,
    timeout: Duration,
}

pub fn connect(path: &Path, may_serve: &dyn Fn(&String) -> bool, timeout: Duration) -> io::Result<Client> {
    let name = pipe_name(path);
    let end = Instant::now() + timeout;
    let busy = i32::try_from(ERROR_PIPE_BUSY).ok();
    loop {
        // Whoever answers may learn who asks, and not act as it.
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .access_mode(READ_AND_WRITE)
            .security_qos_flags(SECURITY_IDENTIFICATION);
        let open = options.open(&name);
        match open {
            Ok(pipe) => {
                // Whoever makes a pipe owns it.
                let server = security::owner_of_pipe(&pipe)?;
                if !may_serve(&server) {
                    return Err(io::Error::new(
                        io::ErrorKind::PermissionDenied,
                        format!(
                            "{server} answers there, which is neither the system nor the owner of the state folder"
                        ),
                    ));
                }
                return Ok(Client { pipe, timeout });
            }
            Err(e) if e.raw_os_error() == busy && Instant::now() < end => std::thread::sleep(STEP),
            Err(e) if e.raw_os_error() == busy => return Err(io::ErrorKind::TimedOut.into()),
            Err(e) => return Err(e),
        }
    }
}

impl Read for Client {
    /// A read of such a pipe has no time limit of its own, so it begins only when there is something to read.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = Instant::now() + self.timeout;
        loop {
            match self.waiting() {
                Ok(0) if Instant::now() >= end => return Err(io::ErrorKind::TimedOut.into()),
                Ok(0) => std::thread::sleep(STEP),
                Ok(_) => return self.pipe.read(buf),
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
                Err(e) => return Err(e),
            }
        }
    }
}

impl Client {
    /// Bytes that can be read now.
    #[allow(unsafe_code)]
    fn waiting(&self) -> io::Result<u32> {
        let mut waiting = 0;
        // SAFETY: the pipe is open, and the system writes one number.
        let done = unsafe {
            PeekNamedPipe(
                self.pipe.as_raw_handle(),
                std::ptr::null_mut(),
                0,
                std::ptr::null_mut(),
                &raw mut waiting,
                std::ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(waiting) }
    }
}

impl Write for Client {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.pipe.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_for_one_pipe_whatever_its_case() {
        assert_eq!(pipe_name(Path::new(r"\\.\pipe\pcm")), r"\\.\pipe\pcm");
        assert_eq!(pipe_name(Path::new(r"C:\State\pcm.sock")), pipe_name(Path::new(r"c:\state\PCM.sock")));
        assert_ne!(pipe_name(Path::new(r"C:\a")), pipe_name(Path::new(r"C:\b")));
    }
}
