//! The local socket by which the command line and the console reach the executor (PROMISES.md 5): a Unix socket or a
//! named pipe. It carries bytes and tells who the peer is; what they mean is the executor's matter.

use super::account::{self, Rights};
use super::sys;
use crate::host::account::Actor;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The service's end. Dropping it removes the socket file.
#[derive(Debug)]
pub struct Listener(sys::ipc::Listener);

impl Listener {
    /// Listens at `path`; everybody may connect. A socket file that nobody answers at any more is replaced. Paths may
    /// be longer than the 107 bytes that fit into a socket address.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] where somebody answers there, or something other than a socket is in the way.
    pub fn bind(path: &Path) -> io::Result<Listener> {
        sys::ipc::Listener::bind(path).map(Listener)
    }

    /// Listens anew where somebody deleted the socket file, or put another in its place: nobody would find this one any
    /// more.
    ///
    /// # Errors
    /// It cannot be made there, or cannot be looked for, or somebody else answers there; trying again later may succeed.
    pub fn restore(&mut self) -> io::Result<()> {
        self.0.restore()
    }

    /// The next connection, and who it is. Giving up the call loses none.
    ///
    /// # Errors
    /// Where the system cannot accept now, such as for want of descriptors; the next call may succeed.
    pub async fn accept(
        &mut self,
    ) -> io::Result<(impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Peer)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, Peer(peer)))
    }
}

/// Who is at the other end of a connection, as the operating system says.
#[derive(Debug)]
pub struct Peer(sys::ipc::Peer);

impl Peer {
    /// The peer as an actor. May hang with the name service. Account, groups, login account and terminal are the kernel's word; the SSH origin is the
    /// peer's own.
    pub fn actor(&self, rights: &Rights) -> Actor {
        self.0.actor(rights)
    }

    /// The peer as far as the kernel alone knows it: without a name, and waiting for nobody.
    pub fn nameless(&self, rights: &Rights) -> Actor {
        self.0.nameless(rights)
    }
}

/// The caller's end.
#[derive(Debug)]
pub struct Client(sys::ipc::Client);

/// Connects to the service of the installation whose state is in `state`, waiting at most `timeout`; so long each read and
/// write may then take at most. Whoever listens is root (Windows: the system or an administrator), the owner of the state
/// folder, or nobody to talk to.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] where nobody listens,
/// [`io::ErrorKind::PermissionDenied`] where somebody else does, and [`io::ErrorKind::TimedOut`].
pub fn connect(path: &Path, state: &Path, timeout: Duration) -> io::Result<Client> {
    sys::ipc::connect(path, &|server| account::may_serve(server, state), timeout).map(Client)
}

impl Read for Client {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(timed_out)
    }
}

impl Write for Client {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A passed deadline has two names.
fn timed_out(e: io::Error) -> io::Error {
    if e.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { e }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Serves one connection that answers `ping` with `pong`, and tells who it was.
    async fn serve_once(mut listener: Listener) -> Peer {
        let (mut stream, peer) = listener.accept().await.unwrap();
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        stream.write_all(b"pong").await.unwrap();
        peer
    }

    fn ping(path: &Path) {
        let mut client = connect(path, path.parent().unwrap(), Duration::from_secs(10)).unwrap();
        client.write_all(b"ping").unwrap();
        let mut bytes = [0; 4];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"pong");
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn bytes_cross_it_and_the_peer_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        let listener = Listener::bind(&path).unwrap();
        let client = std::thread::spawn({
            let path = path.clone();
            move || ping(&path)
        });
        let peer = run(serve_once(listener));
        client.join().unwrap();
        let rights = Rights::of(dir.path(), "no-such-group-here");
        let actor = peer.actor(&rights);
        let me = account::caller(dir.path(), "no-such-group-here");
        assert_eq!((actor.uid, &actor.name, actor.login_uid), (me.uid, &me.name, me.login_uid));
        assert!(actor.may_operate);
    }

    #[test]
    fn a_path_longer_than_a_socket_address_works() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("pcm.sock");
        let listener = Listener::bind(&path).unwrap();
        let client = std::thread::spawn(move || ping(&path));
        run(serve_once(listener));
        client.join().unwrap();
    }

    #[test]
    fn a_second_listener_is_refused_while_the_first_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        let first = Listener::bind(&path).unwrap();
        assert_eq!(Listener::bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        Listener::bind(&path).unwrap();
    }

    #[test]
    fn nobody_there_is_told_at_once_and_silence_after_the_timeout() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pcm.sock");
        assert_eq!(
            connect(&path, dir.path(), Duration::from_secs(10)).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        let _listener = Listener::bind(&path).unwrap();
        let mut client = connect(&path, dir.path(), Duration::from_millis(50)).unwrap();
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
