//! The terminal contract (UX.md 3): what it can do, entering and leaving it, and frames that are one write each. No
//! question is ever sent to it.

pub mod caps;
mod encode;
mod guard;
mod screen;

pub use caps::Caps;
pub use guard::{Guard, leave, leave_dead};
pub use screen::Screen;
