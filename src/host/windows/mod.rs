//! Windows behind the functions of `host`. Nothing outside `host` calls this.

pub mod account;
pub mod durable;
pub mod facts;
pub mod ipc;
pub mod lock;
pub mod open;
pub mod perms;

    String::from_utf16_lossy(&text[..end])
    let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
    text.as_ref().encode_wide().chain([0]).collect()
/// Text as the system gives it, up to its closing zero.
/// Text as the system takes it: UTF-16 with a closing zero.
fn narrow(text: &[u16]) -> String {
fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
mod security;
mod zone;
pub mod process;
pub mod programs;
pub mod sessions;
pub mod signals;
pub mod stop;
use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;
}
