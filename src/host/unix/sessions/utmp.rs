//! Sessions from utmp(5): records of a fixed size that other programs write, so nothing in them is trusted.

use super::{MOST, idle_of};
use crate::clock::Wall;
use crate::host::sessions::{Session, SessionKind};
use crate::host::unix::proc;
use crate::text::SafeText;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

/// Bytes of one record: glibc keeps the layout of 32-bit programs on x86-64 only.
pub const RECORD: usize = if cfg!(target_arch = "x86_64") { 384 } else { 400 };
/// Where the log-on time stands in it, in seconds.
const SECONDS: usize = if cfg!(target_arch = "x86_64") { 340 } else { 344 };
/// `ut_type` of a user's session.
const USER_PROCESS: i16 = 7;

/// The whole table, as far as it is not absurdly long.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = (MOST * RECORD * 4) as u64;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The log-ons of a table. A part of a record at its end is passed over.
pub fn sessions(table: &[u8], now: SystemTime) -> Vec<Session> {
    table.chunks_exact(RECORD).filter_map(|record| session(record, now)).take(MOST).collect()
}

fn session(record: &[u8], now: SystemTime) -> Option<Session> {
    if i16::from_ne_bytes(bytes(record, 0)?) != USER_PROCESS {
        return None;
    }
    let (line, user, host) = (text(record, 8, 32)?, text(record, 44, 32)?, text(record, 76, 256)?);
    // Windows of a terminal multiplexer: their user is there already, or has gone and left them running.
    if user.is_empty() || host.starts_with("tmux(") || host.contains(":S.") {
        return None;
    }
    // Entries outlive a killed process. One without a number cannot be checked and counts.
    let pid = i32::from_ne_bytes(bytes(record, 4)?);
    if u32::try_from(pid).is_ok_and(|pid| pid > 0 && proc::stat(pid).is_none_or(|s| s.is_dead())) {
        return None;
    }
    let seconds = if cfg!(target_arch = "x86_64") {
        i64::from(u32::from_ne_bytes(bytes(record, SECONDS)?))
    } else {
        i64::from_ne_bytes(bytes(record, SECONDS)?)
    };
    // An X display is at this machine.
    let local = host.is_empty() || host.starts_with(':');
    Some(Session {
        user: SafeText::new(&user),
        idle_s: idle_of(&line, now),
        terminal: SafeText::new(&line),
        from: SafeText::new(if local { "console" } else { &host }),
        since: Wall::from_timestamp(seconds, 0).filter(|_| seconds > 0),
        locked: None,
        kind: if local { SessionKind::Console } else { SessionKind::Remote },
    })
}

fn bytes<const N: usize>(record: &[u8], at: usize) -> Option<[u8; N]> {
    record.get(at..at + N)?.try_into().ok()
}

/// A field that ends at its first zero, or at its full length without one.
fn text(record: &[u8], at: usize, length: usize) -> Option<String> {
    let field = record.get(at..at + length)?;
    let end = field.iter().position(|b| *b == 0).unwrap_or(length);
    Some(String::from_utf8_lossy(&field[..end]).into_owned())
}
