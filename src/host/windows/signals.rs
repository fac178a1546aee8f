//! Windows has none of these signals: a console that is closed ends its processes by itself.

use crate::host::signals::Signal;
use std::io;

/// See `host::signals::listen`.
pub fn listen(_on: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// See `host::signals::can_be_continued`.
pub fn can_be_continued() -> bool {
    false
}

/// See `host::signals::stop_group`.
pub fn stop_group() {}

/// See `host::signals::terminal_gone`.
pub fn terminal_gone() -> bool {
    false
}
