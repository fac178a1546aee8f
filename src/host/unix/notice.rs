//! Notices on terminals, as wall(1) writes them: only devices below `/dev` that the table of sessions names, opened
//! without following links and without waiting, written to within a deadline. Behind `host::notice`.

use crate::host::notice::{Notice, Untold, lines};
use crate::host::sessions::Session;
use crate::text::SafeText;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, write};
use rustix::termios::isatty;
use rustix::time::Timespec;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long one terminal may take. One that was stopped with Ctrl-S takes nothing at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// For all of them together.
const ALL: Duration = Duration::from_secs(20);

pub fn tell(to: &[Session], notice: &Notice) -> Vec<Untold> {
    let bytes = screen(notice);
    let end = Instant::now() + ALL;
    let mut seen = BTreeSet::new();
    let mut untold = Vec::new();
    for session in to.iter().filter(|s| seen.insert(s.terminal.as_str())) {
        let patience = PATIENCE.min(end.saturating_duration_since(Instant::now()));
        if let Err(why) = tell_one(session.terminal.as_str(), &bytes, patience) {
            let (user, terminal) = (session.user.clone(), session.terminal.clone());
            untold.push(Untold { user, terminal, why: SafeText::new(&why) });
        }
    }
    untold
}

/// With carriage returns, since a full-screen program has the terminal in raw mode, and a bell.
fn screen(notice: &Notice) -> Vec<u8> {
    let mut text = format!("\r\n\x07{}:\r\n\r\n", notice.title);
    for line in lines(notice) {
        text.push_str(&format!("  {line}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn tell_one(line: &str, bytes: &[u8], patience: Duration) -> Result<(), String> {
    // The line comes from a table that others write.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '/';
    if line.is_empty() || line.starts_with('/') || !line.chars().all(plain) {
        return Err("no terminal".to_owned());
    }
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal =
        openat(CWD, Path::new("/dev").join(line), flags, Mode::empty()).map_err(|e| e.to_string())?;
    let stat = fstat(&terminal).map_err(|e| e.to_string())?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice || !isatty(&terminal) {
        return Err("no terminal".to_owned());
    }
    // mesg(1): root reaches everybody, as with wall.
    if !rustix::process::geteuid().is_root() && stat.st_mode & 0o020 == 0 {
        return Err("messages are turned off".to_owned());
    }
    let end = Instant::now() + patience;
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(&terminal, rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err("the terminal takes nothing".to_owned());
                }
                let left = Timespec { tv_sec: 0, tv_nsec: i64::from(left.min(PATIENCE / 4).subsec_nanos()) };
                // Ready, not ready or interrupted: the next write says.
                let _ = poll(&mut [PollFd::new(&terminal, PollFlags::OUT)], Some(&left));
            }
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::sessions::SessionKind;
    use portable_pty::{MasterPty, PtySize, native_pty_system};
    use std::io::Read as _;

    fn notice() -> Notice {
        Notice {
            title: "pcm on web-01 (BP004000), 14:02".into(),
            text: vec!["\u{1b}[2J\u{7}evil".into(), "word ".repeat(40).into()],
        }
    }

    fn session(user: &str, terminal: &str) -> Session {
        Session {
            user: user.into(),
            terminal: terminal.into(),
            from: "console".into(),
            since: None,
            idle_s: None,
            locked: None,
            kind: SessionKind::Console,
        }
    }

    /// A user's terminal and its name below `/dev`.
    fn terminal() -> (Box<dyn MasterPty + Send>, Box<dyn portable_pty::SlavePty + Send>, String) {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let name = pair.master.tty_name().unwrap();
        let line = name.strip_prefix("/dev").unwrap().to_str().unwrap().to_owned();
        (pair.master, pair.slave, line)
    }

    #[test]
    fn a_notice_arrives_on_a_users_terminal_once_wrapped_and_harmless() {
        let (master, slave, line) = terminal();
        let mut reader = master.try_clone_reader().unwrap();
        let to = [session("anna", &line), session("anna", &line)];
        assert_eq!(tell(&to, &notice()), []);
        drop(slave);
        let mut seen = Vec::new();
        // The other end is closed: a pseudo terminal says so with an error after its last byte.
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            seen.extend(&buffer[..n]);
        }
        let text = String::from_utf8(seen).unwrap();
        assert_eq!(text.matches("pcm on web-01").count(), 1, "{text:?}");
        assert!(text.contains("^[[2J^Gevil"), "{text:?}");
        assert!(
            !text.contains('\u{1b}') && text.matches('\u{7}').count() == 1,
            "only its own bell: {text:?}"
        );
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text:?}");
    }

    #[test]
    fn a_terminal_that_takes_nothing_is_given_up_in_time() {
        let (master, slave, line) = terminal();
        let start = Instant::now();
        // Nobody reads: after some kilobytes the terminal is full.
        let much = vec![b'x'; 1 << 20];
        assert_eq!(
            tell_one(&line, &much, Duration::from_millis(100)),
            Err("the terminal takes nothing".into())
        );
        assert!(start.elapsed() < Duration::from_secs(20));
        drop((master, slave));
    }

    #[test]
    fn only_terminals_below_dev_are_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let path = file.display().to_string();
        let bad = ["", ":0", "null", "../etc/passwd", "shm", "pts", "pts/99999", &path, "p\u{1b}ts/0"];
        for line in bad {
            let untold = tell(&[session("eve", line)], &notice());
            assert_eq!(untold.len(), 1, "{line}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"");
    }
}
