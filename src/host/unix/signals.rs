//! Signals of the console on Unix.

use crate::host::signals::{Signal, is_lent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::kill_current_process_group;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io;

/// See `host::signals::listen`.
pub fn listen(mut on: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCONT, SIGWINCH])?;
    std::thread::Builder::new().name("console-signals".into()).spawn(move || {
        for signal in signals.forever() {
            if let Some(signal) = meant(signal, is_lent()) {
                on(signal);
            }
        }
    })?;
    Ok(())
}

/// What a signal means; `lent`: another program of this group has the terminal.
fn meant(signal: i32, lent: bool) -> Option<Signal> {
    Some(match signal {
        // Keys send these to all of the group, and mean the one that has the terminal.
        SIGINT | SIGQUIT if lent => return None,
        // Keys send none of these while the terminal is raw: somebody else did.
        SIGTERM | SIGINT | SIGQUIT => Signal::Terminate,
        SIGHUP => Signal::HangUp,
        SIGWINCH => Signal::Resize,
        _ => Signal::Continue,
    })
}

/// See `host::signals::can_be_continued`. A group is orphaned where no process of it has a parent in another group of the
/// same session (setpgid(2)): a shell that was started for one command alone shares the group of that command. Plain
/// numbers: where group or session were made outside of this container they are 0, which is no process id.
pub fn can_be_continued() -> bool {
    let Some(me) = super::proc::stat(std::process::id()) else { return false };
    let mut above = super::proc::stat(me.parent);
    while let Some(parent) = above {
        if parent.group != me.group {
            return parent.session == me.session;
        }
        above = super::proc::stat(parent.parent);
    }
    false
}

/// See `host::signals::stop_group`.
pub fn stop_group() {
    // A shell that waits for this process would otherwise go on waiting, and nobody be told that it has stopped.
    let _ = kill_current_process_group(rustix::process::Signal::TSTP);
}

/// See `host::signals::terminal_gone`.
pub fn terminal_gone() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0) && fds[0].revents().intersects(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_terminal_that_is_lent_end_nothing_here() {
        for key in [SIGINT, SIGQUIT] {
            assert_eq!(meant(key, true), None);
            assert_eq!(meant(key, false), Some(Signal::Terminate));
        }
        for lent in [true, false] {
            assert_eq!(meant(SIGTERM, lent), Some(Signal::Terminate));
            assert_eq!(meant(SIGHUP, lent), Some(Signal::HangUp));
        }
    }
}
