//! The console in a real terminal, on a real share, with the real service behind it: keys in, screen out.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/escapes.rs"]
mod escapes;
#[path = "../common/hanging.rs"]
mod hanging;
#[path = "../common/logind.rs"]
mod logind;
#[path = "../common/pty.rs"]
mod pty;

mod beside;
mod checker;
mod contract;
mod hostile;
mod keys;
mod latency;
mod leaving;
mod newcomer;
mod notices;
mod operating;
mod panicking;
mod poor;
mod slow;
