//! Reading theme files: `inherits`, `[palette]`, and one style a scope. A style is a colour (the text's), or a table
//! with `fg`, `bg` and `mods`. A colour is a name of the palette, one of the 16 names, `#rrggbb`, or a number to 255.

use super::{Scope, Theme};
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::path::Path;

/// The built-in themes by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../../themes/default.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("deuteranopia", include_str!("../../../themes/deuteranopia.toml")),
    ("production", include_str!("../../../themes/production.toml")),
    ("gruvbox", include_str!("../../../themes/gruvbox.toml")),
    ("nord", include_str!("../../../themes/nord.toml")),
];

/// A theme file is small; anything larger is not one.
const MAX_BYTES: u64 = 256 << 10;
/// `inherits` may not go round in circles.
const MAX_DEPTH: usize = 8;

/// What is wrong with a theme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// Neither built in nor in the user's folder.
    #[error("there is no theme {name:?}; there are {known}")]
    Missing {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Its file has mistakes.
    #[error("theme {name:?}: {}", mistakes.join("; "))]
    Wrong {
        /// Its name.
        name: String,
        /// All of them.
        mistakes: Vec<String>,
    },
}

/// Palette and styles of one file and of those it inherits from, not yet resolved.
#[derive(Default)]
struct Raw {
    palette: BTreeMap<String, String>,
    styles: BTreeMap<String, toml::Value>,
}

pub(super) fn theme(name: &str, folder: Option<&Path>) -> Result<Theme, ThemeError> {
    let mut raw = Raw::default();
    gather(name, folder, 0, &mut raw)?;
    let mut mistakes = Vec::new();
    let mut parsed = BTreeMap::new();
    for (scope, value) in &raw.styles {
        if !Scope::ALL.iter().any(|known| covers(scope, known.name())) {
            mistakes.push(format!("there is no scope {scope:?}"));
        }
        match style(value, &raw.palette) {
            Ok(style) => {
                parsed.insert(scope.as_str(), style);
            }
            Err(mistake) => mistakes.push(format!("{scope}: {mistake}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(ThemeError::Wrong { name: name.to_owned(), mistakes });
    }
    let styles = Scope::ALL
        .iter()
        .map(|scope| {
            let longest = parsed.iter().filter(|(name, _)| covers(name, scope.name()));
            longest.max_by_key(|(name, _)| name.len()).map(|(_, style)| *style).unwrap_or_default()
        })
        .collect();
    Ok(Theme { name: name.to_owned(), styles })
}

/// Whether a name in a file covers a scope: the same, or its beginning up to a dot.
fn covers(name: &str, scope: &str) -> bool {
    scope.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn gather(name: &str, folder: Option<&Path>, depth: usize, into: &mut Raw) -> Result<(), ThemeError> {
    let wrong = |mistake: String| ThemeError::Wrong { name: name.to_owned(), mistakes: vec![mistake] };
    if depth > MAX_DEPTH {
        return Err(wrong("`inherits` goes round in a circle".into()));
    }
    // A file of the user that inherits its own name means the built-in one.
    let own = if depth == 0 { read_own(name, folder).map_err(wrong)? } else { None };
    let built_in = || BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    let text = match own.or_else(built_in) {
        Some(text) => text,
        None => match read_own(name, folder).map_err(wrong)? {
            Some(text) => text,
            None => {
                let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                return Err(ThemeError::Missing { name: name.to_owned(), known: known.join(", ") });
            }
        },
    };
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
    if let Some(parent) = table.get("inherits") {
        let parent = parent.as_str().ok_or_else(|| wrong("`inherits` wants a name".into()))?;
        gather(parent, folder, depth + 1, into)?;
    }
    if let Some(palette) = table.get("palette") {
        let palette = palette.as_table().ok_or_else(|| wrong("`palette` wants a table".into()))?;
        for (key, value) in palette {
            let value = value.as_str().ok_or_else(|| wrong(format!("palette.{key} wants a colour")))?;
            into.palette.insert(key.clone(), value.to_owned());
        }
    }
    for (key, value) in table {
        if key != "inherits" && key != "palette" {
            into.styles.insert(key, value);
        }
    }
    Ok(())
}

fn read_own(name: &str, folder: Option<&Path>) -> Result<Option<String>, String> {
    let Some(folder) = folder else { return Ok(None) };
    // A name is a name, never a way out of the folder.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(None);
    }
    let path = folder.join(format!("{name}.toml"));
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_BYTES => std::fs::read_to_string(&path)
            .map(Some)
            .map_err(|e| format!("{} cannot be read: {e}", path.display())),
        Ok(_) => Err(format!("{} is no theme file", path.display())),
        Err(_) => Ok(None),
    }
}

fn style(value: &toml::Value, palette: &BTreeMap<String, String>) -> Result<Style, String> {
    match value {
        toml::Value::String(text) => Ok(Style::new().fg(colour(text, palette)?)),
        toml::Value::Table(table) => {
            let mut style = Style::new();
            for (key, value) in table {
                match (key.as_str(), value) {
                    ("fg", toml::Value::String(text)) => style.fg = Some(colour(text, palette)?),
                    ("bg", toml::Value::String(text)) => style.bg = Some(colour(text, palette)?),
                    ("mods", toml::Value::Array(words)) => {
                        for word in words {
                            style = style.add_modifier(modifier(word.as_str().unwrap_or_default())?);
                        }
                    }
                    _ => {
                        return Err(format!(
                            "wanted `fg`, `bg` (text) or `mods` (list), found `{key} = {value}`"
                        ));
                    }
                }
            }
            Ok(style)
        }
        other => Err(format!("wanted a colour or a table, found {other}")),
    }
}

fn modifier(word: &str) -> Result<Modifier, String> {
    Ok(match word {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reversed" => Modifier::REVERSED,
        other => return Err(format!("{other:?} is no modifier: bold, dim, italic, underlined, reversed")),
    })
}

fn colour(text: &str, palette: &BTreeMap<String, String>) -> Result<Color, String> {
    let text = palette.get(text).map_or(text, String::as_str);
    let named = match text {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => {
            let wrong = || format!("{text:?} is no colour: a name, #rrggbb, or a number up to 255");
            if let Some(hex) = text.strip_prefix('#') {
                if hex.len() != 6 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(wrong());
                }
                let number = u32::from_str_radix(hex, 16).map_err(|_| wrong())?;
                let [_, red, green, blue] = number.to_be_bytes();
                return Ok(Color::Rgb(red, green, blue));
            }
            return text.parse().map(Color::Indexed).map_err(|_| wrong());
        }
    };
    Ok(named)
}
