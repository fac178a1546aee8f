//! pcm: an operator console and an executor for unattended software deployment.
//!
//! What an operator sees, and the folder that makes each part of it:
//!
//! ```text
//!  BP004000 web-01 PRODUCTION   service ok   auto ON   share 8m old        14:02 +01:00   console/ui/header.rs
//!  [Pending 4]  Running 1  Expired 1  Failed 1  Executed 41                                executor/engine/docs.rs
//!    REQUEST PACKAGE              STATE     MANDATORY WHY NOT / NEXT
//!  * BP00010 OpenSSL fix          running   13:50     3m12s/30m, output 4s ago             executor/run/run_host.rs
//!  > BP0000Y Acme Workstation 4.0 waiting   14:00     user anna; window 22:00              decision/
//!    BP00011 Kernel (restarts)    deferred  Tue 22:00 Wed 02:00 ola: "release"             executor/history/
//!  ! BP00007 Printer driver       failed    Sun 22:00 exit 17 after 41s                    executor/run/outcome.rs
//!  -- LOGGED ON 2 ---------------------------------------------------------
//!    anna   pts/0  10.1.2.3  idle 0m  holds BP0000Y                                        host/sessions.rs
//!  -- LOG PACMAN.LOG FOLLOW ---------------------------- 1 error, 2 warnings --
//!  14:01:58 New packages found.                                                           log/
//!  Tab pane  e explain  Enter open  t week  : all  q quit  ? help  r run  d defer          console/keymap/
//! ```
//!
//! The way of the data:
//!
//! ```text
//!  share --bytes--> site --typed, bounded, trusted--> decision --verdicts--> executor --claim, run, outcome--> history
//!    ^                                                   ^                      |                                 |
//!    |                                                   |                      v                                 |
//!    +------- machine report, results (service) ---------+---- host facts   run host -> package                   |
//!    ^                                                                                                            |
//!    +------------------------------------------------------------------------------------------------------------+
//!
//!  console and cli stand beside it: they ask the executor (executor/client.rs) and show its documents (executor/talk/view.rs)
//! ```
//!
//! `decision`, `console::app`, the claim protocol (`executor/run/attempt.rs`) and log parsing know no clock, no file and no
//! thread: the time is an argument. Only `text::SafeText` reaches a terminal. What differs between systems is in
//! `host/unix` and `host/windows`.
//!
//! The modules in reading order, which is also the order in which they may know each other (`.github/CONTRIBUTING.md`,
//! kept by `tests/directions`): `clock`, `text`, `error` and `terms`, `fields` and `host`, `site` and `log`, `config`,
//! `decision`, `executor` and `rollout`, then `check`, `service` and `console` side by side, and `cli`. What is public is what the
//! binary, the tests from outside and the benchmarks use.

mod check;
pub mod cli;
pub mod clock;
pub mod config;
mod console;
pub mod decision;
mod error;
pub mod executor;
mod fields;
pub mod host;
mod log;
mod rollout;
mod service;
pub mod site;
pub mod terms;
pub mod text;

/// What the tests from outside need of the console: to panic in a terminal as it would; and the benchmarks of a log.
#[doc(hidden)]
pub mod testing {
    pub use crate::console::term::Guard;
    pub use crate::console::threads::spawn;
    pub use crate::host::lock::ExclusiveLock;
    pub use crate::log::view::{indexed, last_with};
}

/// Says of a test that it could not be made here, and why; `tests/common` has the same for the tests from outside.
#[cfg(test)]
pub(crate) fn skipped(why: impl std::fmt::Display) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Past the runner, which keeps back what a test prints that passes.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {name}: {why}\n").as_bytes());
}

/// What reads bytes that others wrote, for cargo-fuzz and its replay in the tests.
#[cfg(any(test, fuzzing))]
#[path = "../tests/fuzz/targets.rs"]
pub mod fuzz;
