//! The executor core (DESIGN.md 5): history, claim, staging, run host, outcome, and the calls by which the service, the
//! command line and the console use it. One executor per machine, guarded by a lock that names its holder.
//!
//! In reading order: what is asked and answered (`talk`); one run and the process that owns it (`run`); the process that
//! touches the shares (`share`); the pure parts (`clock_guard`, `notice`); what is durable (`history`); the `engine` that
//! puts them together, and the `world` it does that in; `simulate`, what will become of everything; the `client` by which
//! command line and console reach whoever is the executor.

pub mod client;
pub mod clock_guard;
pub mod engine;
pub mod history;
pub mod init;
pub mod journal;
#[cfg(test)]
pub mod mutants;
pub mod notice;
pub mod run;
pub mod share;
pub mod simulate;
pub mod talk;
pub mod world;
