//! The process that touches shares: its jobs and their news (`job`), one for each place (`apart`), what it writes there
//! (`deliver`), a report on its way there (`outgoing`), and the results that wait for it (`outbox`). What is done to much of
//! this machine's own disk is done there as well (`tidy`), and so is looking whether packages are installed (`installed`).
//! `tries` is for `pcm check`.

mod apart;
pub mod deliver;
pub mod installed;
pub mod job;
pub mod outbox;
pub mod outgoing;
pub mod tidy;
pub mod tries;
