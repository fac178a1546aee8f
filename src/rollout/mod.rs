//! How a job gets about (SITE.md 3, 6): from what machines report to the publisher's next step. `gate` decides from numbers
//! alone, `reports` reads what machines wrote on the share, `phase` counts. Called by `pcm job advance`.

pub mod gate;
pub mod phase;
pub mod reports;
