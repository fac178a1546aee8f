//! Signals and the state of the terminal, as far as the console needs them. It never queries a terminal.

use super::sys;

/// What may reach the process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "Windows sends none of them"))]
pub enum Signal {
    /// End now, in order.
    Terminate,
    /// The terminal is gone: end without writing to it.
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

/// Stops this process as Ctrl-Z would; returns once it is continued. Does nothing where there is no such thing.
pub fn stop_self() {
    sys::signals::stop_self();
}

/// Whether the terminal that standard input is connected to has been taken away. Never waits.
pub fn terminal_gone() -> bool {
    sys::signals::terminal_gone()
}
