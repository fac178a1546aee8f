//! One run of a package: the claim protocol as a state machine (`attempt`), what executor and run host tell each other
//! (`run_folder`), the run host's process (`run_host`, with its `lookout` over the tree and the `transcript`), and what an
//! end means (`outcome`).

pub mod attempt;
pub mod lookout;
pub mod outcome;
pub mod run_folder;
pub mod run_host;
pub mod transcript;
