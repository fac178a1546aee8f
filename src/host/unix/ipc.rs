//! The local socket on Linux, behind `host::ipc`.

use super::account::{self, ssh_origin};
use super::proc;
use crate::host::account::{Actor, Rights};
use crate::text::SafeText;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

/// What fits into `sun_path` with its closing zero.
const LONGEST: usize = 107;
/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 128;

pub type Client = UnixStream;

/// A socket address for a path of any length. A long one goes through a descriptor of its folder, which has to live as
/// long as the address is used.
struct Address {
    address: SocketAddrUnix,
    _folder: Option<OwnedFd>,
}

impl Address {
    fn of(path: &Path) -> io::Result<Address> {
        if path.as_os_str().len() <= LONGEST {
            return Ok(Address { address: SocketAddrUnix::new(path)?, _folder: None });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent, flags, Mode::empty())?;
        let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Address { address: SocketAddrUnix::new(&short)?, _folder: Some(folder) })
    }
}

fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    let flags = flags | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

#[derive(Debug)]
pub struct Listener {
    /// Taken over by the runtime at the first accept, so that binding needs none.
    state: State,
    path: PathBuf,
    /// Device and inode of the socket file that this listener made.
    made: (u64, u64),
}

#[derive(Debug)]
enum State {
    Bound(Option<std::os::unix::net::UnixListener>),
    Accepting(tokio::net::UnixListener),
}

impl Listener {
    pub fn bind(path: &Path) -> io::Result<Listener> {
        let address = Address::of(path)?;
        let socket = socket(SocketFlags::NONBLOCK)?;
        match rustix::net::bind(&socket, &address.address) {
            Err(Errno::ADDRINUSE) => {
                remove_stale(path)?;
                rustix::net::bind(&socket, &address.address)?;
            }
            other => other?,
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        rustix::net::listen(&socket, BACKLOG)?;
        let made = fs::symlink_metadata(path)?;
        Ok(Listener {
            state: State::Bound(Some(socket.into())),
            path: path.to_owned(),
            made: (made.dev(), made.ino()),
        })
    }

    pub fn restore(&mut self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.made => return Ok(()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            // Deleted, or another's: where nobody answers at that one it is replaced.
            Ok(_) | Err(_) => {}
        }
        let anew = Listener::bind(&self.path)?;
        // Nothing of the old one is there to be removed, and the system may have given its number to the new one.
        self.made = (0, 0);
        *self = anew;
        Ok(())
    }

    pub async fn accept(&mut self) -> io::Result<(tokio::net::UnixStream, Peer)> {
        if let State::Bound(listener) = &mut self.state {
            let Some(listener) = listener.take() else { return Err(io::ErrorKind::NotConnected.into()) };
            self.state = State::Accepting(tokio::net::UnixListener::from_std(listener)?);
        }
        let State::Accepting(listener) = &self.state else { return Err(io::ErrorKind::NotConnected.into()) };
        loop {
            let (stream, _) = listener.accept().await?;
            // One that has gone again before it could be asked who it is concerns nobody.
            if let Ok(peer) = Peer::of(&stream) {
                return Ok((stream, peer));
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Only its own: a successor may already have put its socket there.
        if fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.made) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |why: &str| io::Error::new(io::ErrorKind::AddrInUse, why.to_owned());
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use("something that is not a socket is in the way"));
    }
    match connect(path, &|_| true, Duration::from_secs(1)) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(in_use("another process answers there")),
    }
}

/// The kernel's word about a connected process.
#[derive(Debug)]
pub struct Peer {
    uid: u32,
    groups: Vec<u32>,
    pid: u32,
}

impl Peer {
    fn of(stream: &tokio::net::UnixStream) -> io::Result<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(stream)?;
        let mut groups = peer_groups(stream.as_raw_fd())?;
        groups.push(credentials.gid.as_raw());
        let pid = u32::try_from(credentials.pid.as_raw_nonzero().get()).map_err(io::Error::other)?;
        Ok(Peer { uid: credentials.uid.as_raw(), groups, pid })
    }

    pub fn actor(&self, rights: &Rights) -> Actor {
        Actor {
            terminal: proc::stat(self.pid).and_then(|s| terminal_name(s.terminal)).map(|t| SafeText::new(&t)),
            from: proc::environment(self.pid, "SSH_CONNECTION").and_then(|c| ssh_origin(&c)),
            ..account::actor(self.uid, &self.groups, self.pid, rights)
        }
    }

    pub fn nameless(&self, rights: &Rights) -> Actor {
        account::nameless_actor(self.uid, &self.groups, rights)
    }
}

/// The supplementary groups that the peer had when it connected, which its account's groups need not be any more.
#[allow(unsafe_code)]
fn peer_groups(socket: i32) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 64];
    loop {
        let mut length = libc::socklen_t::try_from(size_of_val(&groups[..])).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `length` bytes into the buffer and says how many there are.
        let result = unsafe {
            libc::getsockopt(
                socket,
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// The name of a terminal by its device number as `/proc/<pid>/stat` packs it; None: no terminal.
fn terminal_name(device: u32) -> Option<String> {
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0x000f_ff00);
    Some(match (major, minor) {
        (0, 0) => return None,
        (136..=143, n) => format!("/dev/pts/{}", (major - 136) * 256 + n),
        (4, n @ 0..=63) => format!("/dev/tty{n}"),
        (4, n) => format!("/dev/ttyS{}", n - 64),
        (5, 1) => "/dev/console".to_owned(),
        _ => format!("{major}:{minor}"),
    })
}

pub fn connect(path: &Path, may_serve: &dyn Fn(&u32) -> bool, timeout: Duration) -> io::Result<Client> {
    let end = Instant::now() + timeout;
    let address = Address::of(path)?;
    let stream = loop {
        let socket = socket(SocketFlags::NONBLOCK)?;
        match rustix::net::connect(&socket, &address.address) {
            Ok(()) => break UnixStream::from(socket),
            // Its queue is full: a busy listener, not an absent one.
            Err(Errno::AGAIN) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(e) => return Err(e.into()),
        }
    };
    // The kernel's word about the process that listens.
    let server = rustix::net::sockopt::socket_peercred(&stream)?.uid.as_raw();
    if !may_serve(&server) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("uid {server} answers there, which is neither root nor the owner of the state folder"),
        ));
    }
    stream.set_nonblocking(false)?;
    // Zero would mean for ever.
    let timeout = Some(timeout.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everybody_may_connect_and_a_dead_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = Listener::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_a_socket_is_never_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        fs::write(&path, b"precious").unwrap();
        assert_eq!(Listener::bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_socket_that_was_replaced_is_noticed_and_taken_back_where_nobody_answers_at_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        let mut listener = Listener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let impostor = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(listener.restore().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(impostor);
        listener.restore().unwrap();
        connect(&path, &|_| true, Duration::from_secs(1)).unwrap();
        listener.restore().unwrap();
    }

    #[test]
    fn a_server_of_another_account_is_not_talked_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        let _listener = Listener::bind(&path).unwrap();
        let me = rustix::process::geteuid().as_raw();
        connect(&path, &|server| *server == me, Duration::from_secs(1)).unwrap();
        let refused = connect(&path, &|server| *server != me, Duration::from_secs(1)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_listener_leaves_the_socket_of_its_successor_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        let first = Listener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Listener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
    }

    #[test]
    fn device_numbers_have_the_names_of_their_terminals() {
        assert_eq!(terminal_name(0), None);
        assert_eq!(terminal_name(34816).unwrap(), "/dev/pts/0");
        assert_eq!(terminal_name((136 << 8) | 7).unwrap(), "/dev/pts/7");
        assert_eq!(terminal_name((136 << 8) | 0x44 | (1 << 20)).unwrap(), "/dev/pts/324");
        assert_eq!(terminal_name((4 << 8) | 1).unwrap(), "/dev/tty1");
        assert_eq!(terminal_name((4 << 8) | 64).unwrap(), "/dev/ttyS0");
    }
}
