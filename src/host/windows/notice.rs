//! Notices as messages in the sessions of the terminal services. Behind `host::notice`.

#![allow(unsafe_code)]

use super::{sessions, wide};
use crate::host::notice::{Notice, Untold, lines};
use crate::host::sessions::Session;
use crate::text::SafeText;
use windows_sys::Win32::System::RemoteDesktop::WTSSendMessageW;

/// `MB_OK | MB_ICONWARNING | MB_SETFOREGROUND`
const STYLE: u32 = 0x30 | 0x1_0000;
/// The message closes by itself after this many seconds.
const SHOWN: u32 = 600;

pub fn tell(to: &[Session], notice: &Notice) -> Vec<Untold> {
    let found = sessions::numbers();
    let mut untold = Vec::new();
    for session in to {
        let number = found.iter().find(|(_, user, station)| {
            session.user == *user && (session.terminal == *station || session.terminal == "disconnected")
        });
        let sent = match number {
            Some((number, ..)) => send(*number, notice),
            None => Err("the session has ended".to_owned()),
        };
        if let Err(why) = sent {
            let (user, terminal) = (session.user.clone(), session.terminal.clone());
            untold.push(Untold { user, terminal, why: SafeText::new(&why) });
        }
    }
    untold
}

/// Does not wait for an answer.
fn send(session: u32, notice: &Notice) -> Result<(), String> {
    let text: Vec<String> = lines(notice).iter().map(ToString::to_string).collect();
    let (title, text) = (wide(notice.title.as_str()), wide(text.join("\r\n")));
    let bytes = |units: &[u16]| u32::try_from((units.len() - 1) * 2).unwrap_or(0);
    let mut response = 0;
    // SAFETY: both texts live until the call returns, their lengths are in bytes without the closing zero, and the answer
    // is written to a number of this function, at once since it does not wait.
    let sent = unsafe {
        WTSSendMessageW(
            std::ptr::null_mut(),
            session,
            title.as_ptr(),
            bytes(&title),
            text.as_ptr(),
            bytes(&text),
            STYLE,
            SHOWN,
            &raw mut response,
            0,
        )
    };
    if sent == 0 { Err(std::io::Error::last_os_error().to_string()) } else { Ok(()) }
}
