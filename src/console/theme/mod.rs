//! Themes (UX.md 4): which style each scope of the screen has. Files are in `themes/`, one of the same name in the
//! user's folder replaces a built-in one. No colour is named outside this folder and those files.

mod load;
pub mod scope;
#[cfg(test)]
mod tests;

pub use load::{BUILT_IN, ThemeError};
pub use scope::Scope;

use ratatui::style::{Color, Style};
use std::path::Path;

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColourLevel {
    /// None at all: attributes only.
    None,
    /// The 16 of ANSI.
    Ansi16,
    /// The palette of 256.
    Indexed256,
    /// 24 bits.
    True,
}

/// The 16 of ANSI in the order of their numbers.
pub const ANSI: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// A style for every scope.
#[derive(Debug, Clone)]
pub struct Theme {
    /// The name it was asked for by, or of the one shown in its place.
    pub name: String,
    styles: Vec<Style>,
}

impl Theme {
    /// The theme of this name, from the user's folder or built in, in colours that the terminal can show: one that
    /// needs more becomes `default`, and without colours it becomes `mono`.
    ///
    /// # Errors
    /// No such theme, or its file is wrong: everything that is wrong with it.
    pub fn load(name: &str, folder: Option<&Path>, level: ColourLevel) -> Result<Theme, ThemeError> {
        let theme = load::theme(name, folder)?;
        if level == ColourLevel::None {
            return Ok(load::theme("mono", None)?.without_colours());
        }
        if theme.needs() > level {
            return load::theme("default", None);
        }
        Ok(theme)
    }

    /// The built-in default; what is shown when nothing else can be.
    pub fn fallback() -> Theme {
        load::theme("default", None)
            .unwrap_or(Theme { name: "plain".into(), styles: vec![Style::new(); Scope::ALL.len()] })
    }

    /// The style of a scope.
    pub fn style(&self, scope: Scope) -> Style {
        self.styles.get(scope as usize).copied().unwrap_or_default()
    }

    /// The least colour level at which all of its colours show.
    pub fn needs(&self) -> ColourLevel {
        self.styles
            .iter()
            .flat_map(|style| [style.fg, style.bg])
            .flatten()
            .map(|colour| match colour {
                Color::Rgb(..) => ColourLevel::True,
                Color::Indexed(_) => ColourLevel::Indexed256,
                _ => ColourLevel::Ansi16,
            })
            .max()
            .unwrap_or(ColourLevel::None)
    }

    fn without_colours(mut self) -> Theme {
        for style in &mut self.styles {
            style.fg = None;
            style.bg = None;
        }
        self
    }
}
