//! The executor core (DESIGN.md 5): history, claim, staging, run host, outcome, and the calls by which the service, the
//! command line and the console use it. One executor per machine, guarded by a lock that names its holder.
//!
//! In reading order: what is asked and answered (`talk`); one run and the process that owns it (`run`); the process that
//! touches the shares (`share`); the pure parts (`clock_guard`, `hours_on`, `notice`); what is durable (`history`);
//! what it all stands on (`footing`, `ground`, `as_owner` and its `stand_in`); the `engine` that puts them together, and the `world`
//! it does that in; `simulate`, what will become of everything, and `verify`, whether what was recorded was changed; the
//! `client` by which command line and console reach whoever is the executor.

pub(crate) mod as_owner;
pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod clock_guard;
pub(crate) mod engine;
pub(crate) mod footing;
pub(crate) mod ground;
pub mod history;
pub(crate) mod hours_on;
pub(crate) mod init;
pub(crate) mod journal;
pub(crate) mod notice;
pub(crate) mod notices;
pub(crate) mod run;
pub(crate) mod share;
pub(crate) mod simulate;
pub(crate) mod stand_in;
pub(crate) mod talk;
pub(crate) mod verify;
pub(crate) mod world;
