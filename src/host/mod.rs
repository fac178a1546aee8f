//! What the operating system knows and does: who is logged on, facts, processes, locks, files. Everything that differs
//! between systems is in `unix/` and `windows/` behind the functions of this folder.

pub(crate) mod account;
pub(crate) mod archive;
pub(crate) mod durable;
pub(crate) mod facts;
pub(crate) mod helper;
pub(crate) mod host_name;
pub(crate) mod inhibit;
pub(crate) mod ipc;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod notice;
pub(crate) mod open;
pub(crate) mod packages;
pub mod paths;
pub(crate) mod perms;
pub(crate) mod power;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod registry;
pub(crate) mod sessions;
pub(crate) mod signals;
pub(crate) mod ssh;
pub(crate) mod ssh_keygen;
pub(crate) mod stop;
pub(crate) mod supervisor;
pub(crate) mod tail;
pub(crate) mod terminal;
pub(crate) mod threads;
pub(crate) mod wire;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as sys;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as sys;
