//! The executor core (DESIGN.md 5): history, claim, staging, run host, outcome, and the calls by which the service, the
//! command line and the console use it. One executor per machine, guarded by a lock that names its holder.

pub mod client;
pub mod protocol;
pub mod view;
