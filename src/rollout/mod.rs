//! How a job gets about (SITE.md 3, 6): from what machines report to the publisher's next step. `account` is what one machine
//! says, `reports` reads what all of them wrote on the share, `phase` counts the machines of a phase, `gate` decides from
//! numbers alone, `course` joins them for one job. Called by `pcm job advance` and `pcm rollout`.

pub mod account;
pub mod course;
pub mod gate;
pub mod phase;
pub mod reports;
