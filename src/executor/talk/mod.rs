//! What is asked of the executor and what it answers: the calls (`protocol`) and the documents of views (`view`) and
//! changes (`done`).

mod done;
pub mod protocol;
pub mod view;
