//! What the operating system knows and does: who is logged on, facts, processes, locks, files. Everything that differs
//! between systems is in `unix/` and `windows/` behind the functions of this folder.

pub mod paths;
