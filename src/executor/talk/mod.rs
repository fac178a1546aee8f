//! What is asked of the executor and what it answers: the calls (`protocol`) and the documents of views (`view`, and
//! `audit` of that one) and changes (`done`).

mod audit;
mod done;
pub mod protocol;
pub mod view;
