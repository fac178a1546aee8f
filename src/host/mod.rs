//! What the operating system knows and does: who is logged on, facts, processes, locks, files. Everything that differs
//! between systems is in `unix/` and `windows/` behind the functions of this folder.

pub mod account;
pub mod durable;
pub mod facts;
pub mod helper;
pub mod inhibit;
pub mod ipc;
pub mod lock;
pub mod notice;
pub mod open;
pub mod paths;
pub mod perms;
pub mod power;
pub mod process;
pub mod programs;
pub mod sessions;
pub mod signals;
pub mod stop;
pub mod supervisor;
pub mod tail;
pub mod terminal;
pub mod threads;
pub mod wire;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as sys;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as sys;
