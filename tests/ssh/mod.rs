//! pcm over a real SSH connection: sshd on a loopback port, a terminal of 80 by 24, the real service behind it.
#![cfg(unix)]

use crate::common::{self, escapes, pty, sshd};

mod host;
mod killed;
mod logs;
mod operating;
