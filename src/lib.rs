//! pcm: an operator console and an executor for unattended software deployment.

pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod decision;
pub mod error;
pub mod executor;
pub mod host;
pub mod log;
pub mod service;
pub mod site;
pub mod text;
