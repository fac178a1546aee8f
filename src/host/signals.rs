//! Signals and the state of the terminal, as far as the console needs them. It never queries a terminal.

use super::sys;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Another program has the terminal, and with it the keys that make signals.
static LENT: AtomicBool = AtomicBool::new(false);

/// Leaves the signals that keys make (Ctrl-C first of all) to the program that has the terminal meanwhile.
pub fn lent<T>(meanwhile: impl FnOnce() -> T) -> T {
    LENT.store(true, Ordering::SeqCst);
    let done = meanwhile();
    LENT.store(false, Ordering::SeqCst);
    done
}

/// Whether it goes on now.
#[cfg_attr(windows, expect(dead_code, reason = "Windows sends no signals"))]
pub(super) fn is_lent() -> bool {
    LENT.load(Ordering::SeqCst)
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
