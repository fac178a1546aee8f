//! Who is logged on to a Windows machine, behind `host::sessions`: the sessions of its terminal services.

#![allow(unsafe_code)]

use super::narrow;
use crate::clock::{System, Wall};
use crate::host::sessions::{LoggedOn, Session, SessionKind};
use crate::text::SafeText;
use windows_sys::Win32::System::RemoteDesktop::{
    WTS_INFO_CLASS, WTS_SESSION_INFOW, WTSActive, WTSClientName, WTSDisconnected, WTSEnumerateSessionsW,
    WTSFreeMemory, WTSINFOW, WTSQuerySessionInformationW, WTSSessionInfo, WTSUserName,
};

/// Most sessions that are taken.
const MOST: usize = 1000;

/// One session with a user.
#[derive(Debug, Clone, Default)]
struct WtsSession {
    number: u32,
    user: String,
    /// `Console`, `RDP-Tcp#1`, or nothing once disconnected.
    station: String,
    /// Name of the client's machine; nothing for the console.
    client: String,
    disconnected: bool,
    /// In units of 100 ns since 1601; 0: not known.
    since: i64,
    last_input: i64,
}

pub fn logged_on() -> LoggedOn {
    match list() {
        Some(sessions) => {
            let now = System::now();
            let sessions = sessions.into_iter().map(|s| log_on(s, now)).collect();
            LoggedOn { source: "wts", sessions, connections: Vec::new(), note: None }
        }
        None => LoggedOn::unknown("the terminal services list no sessions, not even their own"),
    }
}

/// The sessions that have a user, with number, account and station.
pub(super) fn numbers() -> Vec<(u32, SafeText, SafeText)> {
    let sessions = list().unwrap_or_default().into_iter();
    sessions.map(|s| (s.number, SafeText::new(&s.user), SafeText::new(&s.station))).collect()
}

/// None where not even the session of the services is listed, which every machine has.
fn list() -> Option<Vec<WtsSession>> {
    let mut table: *mut WTS_SESSION_INFOW = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: the system allocates the table and says its length; it is given back after it has been read.
    unsafe {
        if WTSEnumerateSessionsW(std::ptr::null_mut(), 0, 1, &raw mut table, &raw mut count) == 0
            || table.is_null()
        {
            return None;
        }
        let rows = std::slice::from_raw_parts(table, (count as usize).min(MOST));
        let states = [WTSActive, WTSDisconnected];
        let sessions =
            rows.iter().filter(|r| states.contains(&r.State)).map(|r| session(r)).collect::<Vec<_>>();
        WTSFreeMemory(table.cast());
        (count > 0).then(|| sessions.into_iter().filter(|s| !s.user.is_empty()).collect())
    }
}

/// # Safety
/// The row must come from the system's table, which is still held.
unsafe fn session(row: &WTS_SESSION_INFOW) -> WtsSession {
    let mut found = WtsSession {
        number: row.SessionId,
        user: text(row.SessionId, WTSUserName),
        client: text(row.SessionId, WTSClientName),
        disconnected: row.State == WTSDisconnected,
        ..Default::default()
    };
    // SAFETY: the name ends with a zero.
    found.station = unsafe { pointed(row.pWinStationName) };
    with(row.SessionId, WTSSessionInfo, |bytes| {
        if bytes.len() >= size_of::<WTSINFOW>() {
            // SAFETY: the system's answer for this class is that structure, perhaps not aligned.
            let info = unsafe { bytes.as_ptr().cast::<WTSINFOW>().read_unaligned() };
            found.since = info.LogonTime;
            found.last_input = info.LastInputTime;
        }
    });
    found
}

/// # Safety
/// The text must end with a zero, or the pointer be null.
unsafe fn pointed(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: it is read up to its zero.
    unsafe {
        while *text.add(length) != 0 {
            length += 1;
        }
        narrow(std::slice::from_raw_parts(text, length))
    }
}

fn text(session: u32, class: WTS_INFO_CLASS) -> String {
    let mut found = String::new();
    with(session, class, |bytes| {
        let (units, _) = bytes.as_chunks::<2>();
        found = narrow(&units.iter().map(|u| u16::from_le_bytes(*u)).collect::<Vec<_>>());
    });
    found
}

/// Calls `read` with the system's answer about a session, if there is one.
fn with(session: u32, class: WTS_INFO_CLASS, read: impl FnOnce(&[u8])) {
    let mut buffer: *mut u16 = std::ptr::null_mut();
    let mut length = 0;
    // SAFETY: the system allocates the buffer and says its length; it is given back after it has been read.
    unsafe {
        let done = WTSQuerySessionInformationW(
            std::ptr::null_mut(),
            session,
            class,
            &raw mut buffer,
            &raw mut length,
        );
        if done != 0 && !buffer.is_null() {
            read(std::slice::from_raw_parts(buffer.cast(), length as usize));
            WTSFreeMemory(buffer.cast());
        }
    }
}

fn log_on(session: WtsSession, now: Wall) -> Session {
    let remote = !session.client.is_empty();
    let idle = wall(session.last_input).map(|t| u64::try_from((now - t).num_seconds()).unwrap_or(0));
    Session {
        user: SafeText::new(&session.user),
        terminal: SafeText::new(if session.disconnected { "disconnected" } else { &session.station }),
        from: SafeText::new(if remote { &session.client } else { "console" }),
        since: wall(session.since),
        idle_s: idle,
        locked: None,
        kind: if remote { SessionKind::Remote } else { SessionKind::Console },
    }
}

/// Windows counts in units of 100 ns from 1601.
fn wall(ticks: i64) -> Option<Wall> {
    const TO_1970: i64 = 11_644_473_600;
    Wall::from_timestamp(ticks / 10_000_000 - TO_1970, 0).filter(|_| ticks > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_remote_session_says_where_it_comes_from_and_how_long_it_is_idle() {
        let now = Wall::from_timestamp(1_790_000_000, 0).unwrap();
        let ticks = |unix: i64| (unix + 11_644_473_600) * 10_000_000;
        let session = WtsSession {
            user: "alice\u{202e}".into(),
            station: "RDP-Tcp#1".into(),
            client: "LAPTOP".into(),
            since: ticks(1_789_999_000),
            last_input: ticks(1_789_999_940),
            ..Default::default()
        };
        let doc = log_on(session, now);
        assert_eq!((doc.from.as_str(), doc.kind.as_str(), doc.idle_s), ("LAPTOP", "remote", Some(60)));
        assert_eq!(doc.since.unwrap().timestamp(), 1_789_999_000);
    }

    #[test]
    fn no_sessions_at_all_is_unknown_and_not_nobody() {
        let found = logged_on();
        assert!(found.source == "wts" || found.known().is_none());
    }
}
