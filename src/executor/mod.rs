//! The executor core (DESIGN.md 5): history, claim, staging, run host, outcome, and the calls by which the service, the
//! command line and the console use it. One executor per machine, guarded by a lock that names its holder.
//!
//! In reading order: what is asked and answered (`protocol`, `view`, `wire`, `client`); the pure parts (`attempt`: the
//! claim protocol, `outcome`: what an end means, `clock_guard`, `notice`); what is durable (`history`, `run_folder`,
//! `outbox`); the `engine` that puts them together, and the `world` it does that in; the `run_host` that owns
//! a run; `simulate`, what will become of everything; `check`, whether
//! this machine is ready.

pub mod attempt;
pub mod check;
pub mod client;
pub mod clock_guard;
pub mod engine;
pub mod helper;
pub mod history;
pub mod init;
pub mod journal;
pub mod lookout;
#[cfg(test)]
pub mod mutants;
pub mod notice;
pub mod outbox;
pub mod outcome;
pub mod protocol;
pub mod reader;
pub mod run_folder;
pub mod run_host;
pub mod simulate;
pub mod transcript;
pub mod view;
pub mod wire;
pub mod world;
