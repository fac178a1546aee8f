//! Signals of the console on Unix.

use crate::host::signals::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io;

/// See `host::signals::listen`.
pub fn listen(mut on: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCONT, SIGWINCH])?;
    std::thread::Builder::new().name("console-signals".into()).spawn(move || {
        for signal in signals.forever() {
            on(match signal {
                // Keys send none of these while the terminal is raw: somebody else did.
                SIGTERM | SIGINT | SIGQUIT => Signal::Terminate,
                SIGHUP => Signal::HangUp,
                SIGWINCH => Signal::Resize,
                _ => Signal::Continue,
            });
        }
    })?;
    Ok(())
}

/// See `host::signals::stop_self`.
pub fn stop_self() {
    // The default action of SIGTSTP; an orphaned process group is not stopped by it, and then nothing happens.
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
}

/// See `host::signals::terminal_gone`.
pub fn terminal_gone() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0) && fds[0].revents().intersects(gone)
}
