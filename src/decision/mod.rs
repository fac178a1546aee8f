//! The decision core (DESIGN.md 4): a pure function from instructions, history, facts, policy, zone and time to every
//! gate of every request. It knows no clock, no file and no thread. The service, the command line and the console all
//! ask this one.
//!
//! `model` holds its inputs and outputs, `facts` what they say of the machine, `decide` the function, `next` the next
//! run of one that is alone, `outlook` the one that every view tells, `usual` how long runs take, `attempts` what is asked of
//! all attempts together, `queue` what an operator asked for and waits for its turn, `gates` one file for each kind of gate,
//! `window` the maintenance windows, `why` what an operator reads, `judge` what an operator may do, `countdown` and
//! `restart_count` what is announced before it begins, `simulate` the same on a virtual clock, `retold` what history says of
//! the past, `standstill` what keeps everything from starting.

mod attempt;
mod attempts;
pub(crate) mod countdown;
mod decide;
mod facts;
mod gates;
mod judge;
pub(crate) mod model;
mod next;
mod outlook;
mod queue;
mod restart;
pub(crate) mod restart_count;
mod retold;
pub mod simulate;
mod standstill;
#[cfg(test)]
mod tests;
mod usual;
mod why;
pub(crate) mod window;
mod world;

pub use decide::{NextUp, decide, decide_job, decide_one, due_in_order, next_instant, next_up, verdicts};
pub use judge::{Allowed, Replace, allowed, judge, judge_hold, judge_install, judge_offers, leaving};
pub use model::*;
pub use outlook::{NextRuns, foretell, next_runs};
pub use restart::{RestartPlan, RestartState, RestartVerb, judge_restart, restart_plan};
pub use retold::{Asked as Retelling, Blocked, Trail, TrailStep};
pub use standstill::{Standstill, closed_for_long, hopeless, standstill};
pub use world::{next_window, shown};
