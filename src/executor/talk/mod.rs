//! What is asked of the executor and what it answers: the calls (`protocol`) and the documents (`view`).

pub mod protocol;
pub mod view;
