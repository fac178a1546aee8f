//! The terminal contract (UX.md 3): what it can do, entering and leaving it, and frames that are one write each. No
//! question is ever sent to it.

pub mod caps;
mod encode;
mod guard;
pub mod input;
pub mod out;
pub mod pace;
mod screen;
mod scroll;

pub use caps::{Caps, is_light};
pub use guard::{Guard, leave, leave_after_another, leave_dead, mouse};
pub use screen::Screen;

use crate::host::terminal;

/// Columns and rows: as the system knows them, else as the environment says (serial lines), else the design's.
pub fn size() -> (u16, u16) {
    terminal::size().unwrap_or_else(|| told_size(|name| std::env::var(name).ok()))
}

fn told_size(env: impl Fn(&str) -> Option<String>) -> (u16, u16) {
    let told = |name: &str| env(name).and_then(|v| v.parse().ok()).filter(|n| (1..=1000).contains(n));
    (told("COLUMNS").unwrap_or(80), told("LINES").unwrap_or(24))
}

#[cfg(test)]
mod tests {
    use super::told_size;

    #[test]
    fn a_serial_line_has_the_size_that_the_environment_says_or_the_design_size() {
        assert_eq!(told_size(|_| None), (80, 24));
        let env = |name: &str| Some(if name == "LINES" { "50" } else { "nonsense" }.to_owned());
        assert_eq!(told_size(env), (80, 50));
    }
}
