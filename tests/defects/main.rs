//! What broke in the original, each as a test named after its article (DEFECTS.md). They run the real binary on a real
//! share.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/logind.rs"]
mod logind;
#[path = "../common/pty.rs"]
mod pty;

mod console;
mod countdown;
mod order;
mod repeat;
mod share;
mod skipped;
mod time;
