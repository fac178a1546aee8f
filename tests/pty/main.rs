//! The console in a real terminal, on a real share, with the real service behind it: keys in, screen out.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pty.rs"]
mod pty;

mod leaving;
mod operating;
