//! The terminal as a device: what it sends, how fast it takes bytes, its size. `console::term` gives both directions
//! their meaning. No function here sends anything of its own to the terminal.

use super::sys;
use crossterm::event::Event;
use std::io;
use std::time::Duration;

/// What [`read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// Nothing within the time.
    Nothing,
    /// Bytes, appended to the buffer.
    #[cfg_attr(windows, expect(dead_code, reason = "a Windows console hands out events"))]
    Bytes,
    /// A key or a size, where the system hands out these and not bytes (Windows).
    #[cfg_attr(unix, expect(dead_code, reason = "a Unix terminal sends bytes"))]
    Event(Event),
}

/// Waits for input, at most so long.
///
/// # Errors
/// The terminal is gone, or cannot be read.
pub fn read(buffer: &mut Vec<u8>, limit: Duration) -> io::Result<Got> {
    sys::terminal::read(buffer, limit)
}

/// Writes all of it, past the standard library's buffer and lock; may wait as long as the terminal takes nothing.
///
/// # Errors
/// The terminal is gone.
pub fn write(bytes: &[u8]) -> io::Result<()> {
    write_while(bytes, || true).map(|_| ())
}

/// The same as long as it is wanted; false: it was cut off. On Windows it is asked once, at the beginning.
///
/// # Errors
/// The terminal is gone.
pub fn write_while(bytes: &[u8], wanted: impl Fn() -> bool) -> io::Result<bool> {
    sys::terminal::write_while(bytes, wanted)
}

/// Waits until the line has carried what was written, where the system knows (serial lines). Elsewhere it returns at
/// once.
pub fn drain() {
    sys::terminal::drain();
}

/// Drops what was written and not taken yet.
pub fn discard() {
    sys::terminal::discard();
}

/// The terminal's own name, as the table of sessions has it: `pts/3`, `tty1`. None where nothing has one.
pub fn name() -> Option<String> {
    sys::terminal::name()
}

/// Columns and rows, as the system knows them; None where it does not, as on most serial lines.
pub fn size() -> Option<(u16, u16)> {
    sys::terminal::size().filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

/// Bits a second of the line as it is set up. Pseudo-terminals say what whoever made them knew: `sshd` hands on the
/// client's, the others leave the system's 38,400 or nothing at all.
pub fn speed() -> Option<u32> {
    sys::terminal::speed().filter(|baud| *baud > 0)
}

/// Whether standard output was closed by whoever started this process: nothing that is printed arrives, and no write says
/// so.
pub fn output_is_closed() -> bool {
    sys::terminal::output_is_closed()
}

/// How a program ended that had this terminal.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; None: a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard error, which it did not have.
    pub said: Vec<u8>,
}

/// Runs another program in this terminal to its end, stops when it stops, and gives the line the modes back that it had
/// before: a program that was killed could not.
///
/// # Errors
/// It cannot be started.
pub fn lend(program: &mut std::process::Command) -> io::Result<Ended> {
    sys::terminal::lend(program)
}
