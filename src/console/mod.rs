//! The console (UX.md): a pure `app`, drivers that carry out its effects, drawing, keys, themes and the terminal.

pub mod app;
pub mod drivers;
pub mod keymap;
mod lend;
mod run;
mod saves;
pub mod term;
#[cfg(test)]
pub(crate) mod tests;
pub mod theme;
pub mod threads;
mod turn;
pub mod ui;

pub use run::{Options, run};
