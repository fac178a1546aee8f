//! The decision core (DESIGN.md 4): a pure function from instructions, history, facts, policy, zone and time to every
//! gate of every request. It knows no clock, no file and no thread. The service, the command line and the console all
//! ask this one.

pub mod model;

pub use model::*;
