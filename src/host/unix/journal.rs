//! journald by its native protocol, a datagram of `NAME=value` lines. Behind `host::journal`.

use rustix::fs::fstat;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// In a folder that only root may write.
const SOCKET: &str = "/run/systemd/journal/socket";

pub fn write(fields: &[(&str, String)]) -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    is_standard_error(&stream) && send(Path::new(SOCKET), fields).is_ok()
}

/// systemd names the stream that it gave a service. A shell or a test that only inherited the name writes elsewhere, and
/// has no business in the journal.
fn is_standard_error(stream: &str) -> bool {
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn send(to: &Path, fields: &[(&str, String)]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A journal that hangs holds up nobody.
    socket.set_nonblocking(true)?;
    socket.send_to(&datagram(fields), to).map(drop)
}

/// A line break would begin another field.
fn datagram(fields: &[(&str, String)]) -> Vec<u8> {
    let line = |(name, value): &(&str, String)| format!("{name}={}\n", value.replace('\n', " "));
    fields.iter().map(line).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fields() -> Vec<(&'static str, String)> {
        vec![("MESSAGE", "it failed\nPCM_EVENT=forged".into()), ("PCM_EVENT", "failed".into())]
    }

    #[test]
    fn an_entry_is_one_datagram_and_no_value_makes_a_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert!(send(&path, &fields()).is_err(), "there is no journal");
        let journal = UnixDatagram::bind(&path).unwrap();
        send(&path, &fields()).unwrap();
        let mut bytes = [0; 1024];
        let length = journal.recv(&mut bytes).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&bytes[..length]),
            "MESSAGE=it failed PCM_EVENT=forged\nPCM_EVENT=failed\n"
        );
    }

    #[test]
    fn a_journal_that_takes_nothing_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _journal = UnixDatagram::bind(&path).unwrap();
        let taken = (0..10_000).take_while(|_| send(&path, &fields()).is_ok()).count();
        assert!(taken < 10_000, "it refuses at last");
    }

    #[test]
    fn a_stream_that_is_not_its_own_standard_error_makes_no_journal() {
        let stat = fstat(io::stderr()).unwrap();
        assert!(is_standard_error(&format!("{}:{}", stat.st_dev, stat.st_ino)));
        for other in ["", "1:2", ":"] {
            assert!(!is_standard_error(other), "{other}");
        }
    }
}
