//! What is asked of the executor and what it answers: the calls (`protocol`) and the documents of views (`view`, and
//! of one request `request`, of the audit `audit`) and changes (`done`).

mod audit;
mod done;
mod offer;
pub mod protocol;
mod request;
pub mod view;
