//! Windows behind the functions of `host`. Nothing outside `host` calls this.

pub mod account;
pub mod durable;
pub mod facts;
pub mod inhibit;
pub mod ipc;
pub mod journal;
pub mod lock;
pub mod notice;
pub mod open;
pub mod paths;
pub mod perms;
pub mod power;
pub mod process;
pub mod programs;
pub mod registry;
mod security;
pub mod sessions;
pub mod signals;
pub mod stop;
pub mod supervisor;
pub mod tail;
pub mod terminal;
mod zone;

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;

/// Text as the system takes it: UTF-16 with a closing zero.
fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// Text as the system gives it, up to its closing zero.
fn narrow(text: &[u16]) -> String {
    let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
    String::from_utf16_lossy(&text[..end])
}
