//! The process that touches shares: its jobs and their news (`job`), one for each place (`apart`), what it writes there
//! (`deliver`), and the results that wait for it (`outbox`). What is done to much of this machine's own disk is done there
//! as well (`tidy`).

mod apart;
pub mod deliver;
pub mod job;
pub mod outbox;
pub mod tidy;
