//! See `host::terminal`. The Windows console hands out keys, not bytes, and has no line behind it.

use crate::host::terminal::{Ended, Got};
use crossterm::{event, terminal};
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

pub fn read(_buffer: &mut Vec<u8>, limit: Duration) -> io::Result<Got> {
    if event::poll(limit)? { event::read().map(Got::Event) } else { Ok(Got::Nothing) }
}

pub fn write_while(bytes: &[u8], wanted: impl Fn() -> bool) -> io::Result<bool> {
    if !wanted() {
        return Ok(false);
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush().map(|()| true)
}

pub fn drain() {}

pub fn discard() {}

pub fn name() -> Option<String> {
    None
}

pub fn size() -> Option<(u16, u16)> {
    terminal::size().ok()
}

pub fn speed() -> Option<u32> {
    None
}

/// A process without one has a handle that cannot be written, and so an error.
pub fn output_is_closed() -> bool {
    false
}

pub fn lend(program: &mut Command) -> io::Result<Ended> {
    let output = program.stdin(Stdio::inherit()).stdout(Stdio::inherit()).output()?;
    Ok(Ended { code: output.status.code(), said: output.stderr })
}
