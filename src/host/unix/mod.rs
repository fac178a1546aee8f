//! Linux behind the functions of `host`. Nothing outside `host` calls this.

pub mod account;
pub mod durable;
pub mod facts;
pub mod inhibit;
pub mod ipc;
pub mod journal;
pub mod lock;
mod mounts;
mod names;
pub mod notice;
pub mod open;
pub mod paths;
pub mod perms;
pub mod power;
mod proc;
pub mod process;
pub mod programs;
pub mod registry;
pub mod sessions;
pub mod signals;
pub mod stop;
pub mod supervisor;
pub mod tail;
pub mod terminal;
