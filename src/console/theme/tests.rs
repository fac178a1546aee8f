//! Every theme is read, names only scopes there are, can be told apart from its background, and no colour is named
//! anywhere else.
#![allow(clippy::unwrap_used)]

use super::*;
use ratatui::style::Modifier;
use std::path::Path;

#[test]
fn every_built_in_theme_is_read_without_a_mistake() {
    for (name, _) in BUILT_IN {
        let theme = Theme::load(name, None, ColourLevel::True);
        assert!(theme.is_ok(), "{name}: {theme:?}");
    }
}

#[test]
fn every_theme_file_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(BUILT_IN.iter().any(|(known, _)| *known == name), "{name}");
    }
}

fn own(text: &str) -> Result<Theme, ThemeError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), text).unwrap();
    Theme::load("own", Some(folder.path()), ColourLevel::True)
}

#[test]
fn unknown_scopes_colours_and_modifiers_are_all_told_at_once() {
    let Err(ThemeError::Wrong { mistakes, .. }) = own(
        "\"ui.nonsense\" = \"red\"\n\"ui.text\" = \"mauve\"\n\"state\" = { mods = [\"blinking\"] }\n\"log.error\" = 7\n",
    ) else {
        panic!("it was taken")
    };
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
}

#[test]
fn the_longest_name_wins_and_the_rest_is_inherited() {
    let theme = own(
        "inherits = \"default\"\nstate = \"accent\"\n\"state.failed\" = \"#102030\"\n[palette]\naccent = \"200\"\n",
    );
    let theme = theme.unwrap();
    assert_eq!(theme.style(Scope::StateFailed).fg, Some(Color::Rgb(16, 32, 48)));
    // The default names each state, and a longer name wins whoever wrote it.
    let default = Theme::fallback();
    assert_eq!(theme.style(Scope::StateWaiting), default.style(Scope::StateWaiting));
    assert_eq!(theme.style(Scope::Key), default.style(Scope::Key));
    let bare = own("state = \"accent\"\n[palette]\naccent = \"200\"\n").unwrap();
    assert_eq!(bare.style(Scope::StateWaiting).fg, Some(Color::Indexed(200)));
}

#[test]
fn a_file_of_the_users_replaces_the_built_in_of_its_name_and_may_inherit_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("default.toml"), "inherits = \"default\"\n\"ui.key\" = \"blue\"\n")
        .unwrap();
    let theme = Theme::load("default", Some(folder.path()), ColourLevel::True).unwrap();
    assert_eq!(theme.style(Scope::Key).fg, Some(Color::Blue));
    assert_eq!(theme.style(Scope::Title), Theme::fallback().style(Scope::Title));
}

#[test]
fn circles_and_missing_names_are_errors() {
    assert!(own("inherits = \"own\"\n").is_err());
    assert!(own("inherits = \"nobody\"\n").is_err());
    assert!(Theme::load("../../etc/passwd", Some(Path::new("/")), ColourLevel::True).is_err());
}

#[test]
fn a_theme_that_needs_more_colours_than_there_are_becomes_the_default() {
    let default = Theme::fallback();
    for level in [ColourLevel::Ansi16, ColourLevel::Indexed256] {
        let theme = Theme::load("nord", None, level).unwrap();
        assert_eq!(theme.style(Scope::Text), default.style(Scope::Text));
        assert_eq!(theme.name, "default");
    }
    assert!(default.needs() <= ColourLevel::Ansi16);
    let none = Theme::load("nord", None, ColourLevel::None).unwrap();
    assert_eq!(none.needs(), ColourLevel::None);
}

#[test]
fn the_default_has_no_background() {
    let theme = Theme::fallback();
    for scope in Scope::ALL {
        let bg = theme.style(*scope).bg;
        assert!(matches!(bg, None | Some(Color::Reset)), "{}", scope.name());
    }
}

/// Relative luminance, by WCAG.
fn luminance(colour: Color) -> Option<f64> {
    let Color::Rgb(r, g, b) = colour else { return None };
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
}

#[test]
fn text_of_true_colour_themes_stands_out_from_what_is_behind_it() {
    for (name, _) in BUILT_IN {
        let theme = Theme::load(name, None, ColourLevel::True).unwrap();
        let Some(paper) = theme.style(Scope::Background).bg.and_then(luminance) else { continue };
        for scope in Scope::ALL {
            let style = theme.style(*scope);
            let (Some(fg), bg) =
                (style.fg.and_then(luminance), style.bg.and_then(luminance).unwrap_or(paper))
            else {
                continue;
            };
            let contrast = (fg.max(bg) + 0.05) / (fg.min(bg) + 0.05);
            let least = if *scope == Scope::Rule { 1.5 } else { 4.5 };
            assert!(contrast >= least, "{name}: {} has a contrast of {contrast:.1}", scope.name());
        }
    }
}

/// The 16 colours as xterm shows them, the paper beside.
fn xterm(colour: Color) -> Option<Color> {
    const SHOWN: [(u8, u8, u8); 16] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    let n = ANSI.iter().position(|known| *known == colour)?;
    let (r, g, b) = SHOWN[n];
    Some(Color::Rgb(r, g, b))
}

/// What a style draws with and on. The modifier `dim` is not measured: each terminal does it in its own way.
fn pair(style: Style, paper: Color) -> Option<(f64, f64)> {
    let shown = |colour| xterm(colour).unwrap_or(colour);
    let bg = style.bg.filter(|bg| *bg != Color::Reset).map_or(paper, shown);
    Some((luminance(shown(style.fg?))?, luminance(bg)?))
}

#[test]
fn the_16_colours_stand_out_from_the_paper_that_a_theme_is_for() {
    let (black, white) = (Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255));
    for (name, _) in BUILT_IN {
        let theme = Theme::load(name, None, ColourLevel::Ansi16).unwrap();
        let paper = if *name == "light" { white } else { black };
        for scope in Scope::ALL {
            let Some((fg, bg)) = pair(theme.style(*scope), paper) else { continue };
            let contrast = (fg.max(bg) + 0.05) / (fg.min(bg) + 0.05);
            assert!(contrast >= 4.5, "{name}: {} has a contrast of {contrast:.2}", scope.name());
        }
    }
}

/// It has no grey that could be read on white, and `dim` is grey on many terminals.
#[test]
fn nothing_is_dim_on_light_paper() {
    let light = Theme::load("light", None, ColourLevel::Ansi16).unwrap();
    for scope in Scope::ALL {
        assert!(!light.style(*scope).add_modifier.contains(Modifier::DIM), "{}", scope.name());
    }
}

#[test]
fn selection_and_alarm_are_told_by_more_than_colour_where_there_is_none() {
    let mono = Theme::load("mono", None, ColourLevel::None).unwrap();
    assert!(mono.style(Scope::Selection).add_modifier.contains(Modifier::REVERSED));
    assert!(mono.style(Scope::HeaderAlarm).add_modifier.contains(Modifier::REVERSED));
    assert!(mono.style(Scope::StateFailed).add_modifier.contains(Modifier::BOLD));
}

const ANSI_WORDS: &[&str] = &[
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "white",
    "on_black",
    "on_red",
    "on_green",
    "on_yellow",
    "on_blue",
    "on_white",
];

#[test]
fn no_colour_is_named_outside_the_themes() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("theme") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for (n, line) in text.lines().enumerate() {
                    let named = line.match_indices("Color::").any(|(at, _)| {
                        let word: String =
                            line[at + 7..].chars().take_while(|c| c.is_alphanumeric()).collect();
                        !matches!(word.as_str(), "Reset" | "Rgb" | "Indexed")
                    });
                    // Neither by the methods of ratatui that name one, nor by the bytes that set one.
                    let stylized = ANSI_WORDS.iter().any(|word| line.contains(&format!(".{word}()")));
                    let bytes = line.contains("x1b[3") && !line.contains("Regex");
                    if named || stylized || bytes && !path.to_string_lossy().contains("tests") {
                        found.push(format!("{}:{}: {line}", path.display(), n + 1));
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console"), &mut found);
    assert_eq!(found, Vec::<String>::new());
}
