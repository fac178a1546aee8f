//! Signals and the state of the terminal, as far as the console needs them. It never queries a terminal.

use super::sys;

/// What may reach the process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "Windows sends none of them"))]
pub enum Signal {
    /// End now, in order.
    Terminate,
    /// End now: the terminal is gone, mostly.
    HangUp,
    /// Running again after having been stopped.
    Continue,
    /// The terminal has another size.
    Resize,
}

/// Calls `on` for every such signal from now on, in a thread of its own.
///
/// # Errors
/// The system refuses the handlers or the thread.
pub fn listen(on: impl FnMut(Signal) + Send + 'static) -> std::io::Result<()> {
    sys::signals::listen(on)
}

/// Whether somebody would continue this process if it stopped: a shell that knows its jobs. Nobody does on Windows.
pub fn can_be_continued() -> bool {
    sys::signals::can_be_continued()
}

/// Stops this process and all of its group, as Ctrl-Z does for other programs; returns once it is continued. To be called
/// only where it [can be](can_be_continued).
pub fn stop_group() {
    sys::signals::stop_group();
}

/// Whether the terminal that standard input is connected to has been taken away. Never waits.
pub fn terminal_gone() -> bool {
    sys::signals::terminal_gone()
}
