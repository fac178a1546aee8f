//! pcm over a real SSH connection: sshd on a loopback port, a terminal of 80 by 24, the real service behind it.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/escapes.rs"]
mod escapes;
#[path = "../common/pty.rs"]
mod pty;
#[path = "../common/sshd.rs"]
mod sshd;

mod host;
mod killed;
mod operating;
