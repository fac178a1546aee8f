//! The process that touches shares: its jobs and their news (`job`), and the results that wait for it (`outbox`).

pub mod job;
pub mod outbox;
