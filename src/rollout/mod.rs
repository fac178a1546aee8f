//! How a job gets about (SITE.md 3, 6): from what machines report to the publisher's next step. `account` is what one machine
//! says; `reports` reads what all of them wrote on the share, `refresh` only what changed since, which `cache` keeps
//! as `packed` makes it small; `collect` makes one file of them all, which is read as `collected` says. `phase`
//! counts the machines of a phase, `gate` decides from numbers alone, `course` joins them for one job; `count` has the figures
//! that are shown, `figures` those of all jobs at once, `forecast` the rest of the curve, `foretold` what it was a day ago, `frees`
//! what removing an obstacle would do, and `whose` says which reports count at a site that signs, of which `seals` are those that were verified before. `attention` names the machines
//! at which somebody has to look, `moved` counts those that came to a job or went from it, and `sending` foretells a job before it is sent. `ground` is the jobs and machines that are
//! counted, `session` one look after another, `doc` what comes of a look, `shared` the texts that many of its rows have,
//! `select` the machines behind a figure, `words` how it
//! is said, `waiting` how many still read a share that hangs. Called by `pcm job advance`, `pcm rollout`, the console, and the verbs that look at a site or send a job.

pub mod account;
pub mod attention;
pub mod cache;
pub mod collect;
pub mod collected;
pub mod count;
pub mod course;
pub mod doc;
pub mod figures;
pub mod forecast;
pub mod foretold;
pub mod frees;
pub mod gate;
pub mod ground;
#[cfg(test)]
mod halted;
pub mod moved;
mod packed;
pub mod phase;
pub mod refresh;
pub mod reports;
mod seals;
pub mod select;
pub mod sending;
pub mod session;
pub mod shared;
mod waiting;
pub mod whose;
pub mod words;
