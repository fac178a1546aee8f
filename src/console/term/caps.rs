//! What the terminal can do, from the environment alone: asking it could wait for an answer that never comes.

use crate::console::theme::ColourLevel;

/// What the terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// How many colours.
    pub colours: ColourLevel,
    /// Only ASCII shows.
    pub ascii: bool,
    /// It may be told where a frame begins and ends; others ignore that, these few print it.
    pub synchronized: bool,
    /// It has another screen to draw on, so that what was there before comes back.
    pub alternate: bool,
    /// It moves the rows of a region by itself.
    pub scrolls: bool,
}

/// Kinds of terminals that move the rows of a region, as their descriptions say (`csr`, `ind=\n`, `ri=\EM`), by the first
/// word of their names; beside DEC's own from the VT100 on. What else there may be, as `ansi` or `cygwin`, is not told to.
const SCROLL: [&str; 19] = [
    "xterm",
    "screen",
    "tmux",
    "linux",
    "rxvt",
    "vte",
    "gnome",
    "konsole",
    "alacritty",
    "foot",
    "kitty",
    "putty",
    "st",
    "wezterm",
    "contour",
    "mintty",
    "iterm2",
    "nsterm",
    "mlterm",
];

fn scrolls(term: &str) -> bool {
    let kind = term.split(['-', '.']).next().unwrap_or_default();
    let model = kind.strip_prefix("vt").and_then(|model| model.parse().ok());
    SCROLL.contains(&kind) || matches!(model, Some(100..=525_u16))
}

/// Why there can be no console here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoTerminal(pub &'static str);

impl Caps {
    /// Reads the environment.
    ///
    /// # Errors
    /// `TERM` names no terminal that a screen can be drawn on.
    pub fn of(
        env: impl Fn(&str) -> Option<String>,
        windows: bool,
        no_color: bool,
        ascii: bool,
    ) -> Result<Caps, NoTerminal> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_default();
        if term == "dumb" {
            return Err(NoTerminal("TERM is dumb"));
        }
        if term.is_empty() && !windows {
            return Err(NoTerminal("TERM is not set"));
        }
        let poor = term == "linux" || term.starts_with("vt");
        let colour_term = get("COLORTERM").unwrap_or_default();
        let colours = if no_color || get("NO_COLOR").is_some() {
            ColourLevel::None
        } else if term.starts_with("vt") {
            // Attributes are all that a real one has.
            ColourLevel::None
        } else if poor {
            ColourLevel::Ansi16
        } else if colour_term == "truecolor"
            || colour_term == "24bit"
            || term.ends_with("-direct")
            || get("WT_SESSION").is_some()
        {
            ColourLevel::True
        } else if term.contains("256color") {
            ColourLevel::Indexed256
        } else {
            ColourLevel::Ansi16
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| get(name))
            .unwrap_or_default()
            .to_lowercase();
        let utf8 = windows || locale.contains("utf-8") || locale.contains("utf8");
        // On Windows it says nothing about itself, except for the one that can.
        let scrolls = if windows { get("WT_SESSION").is_some() } else { scrolls(&term) };
        Ok(Caps { colours, ascii: ascii || poor || !utf8, synchronized: !poor, alternate: !poor, scrolls })
    }
}

/// Whether the terminal says that its background is light: `COLORFGBG` is the numbers of its colours, text first, background
/// last, of the sixteen.
pub fn is_light(env: impl Fn(&str) -> Option<String>) -> bool {
    let said = env("COLORFGBG").unwrap_or_default();
    let background = said.rsplit(';').next().and_then(|number| number.parse::<u8>().ok());
    said.contains(';') && matches!(background, Some(7 | 9..=15))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn caps(env: &[(&str, &str)]) -> Result<Caps, NoTerminal> {
        let get =
            |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Caps::of(get, false, false, false)
    }

    #[test]
    fn a_modern_terminal_gets_everything() {
        let all =
            caps(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "en_US.UTF-8")]).unwrap();
        assert_eq!(
            all,
            Caps {
                colours: ColourLevel::True,
                ascii: false,
                synchronized: true,
                alternate: true,
                scrolls: true
            }
        );
    }

    #[test]
    fn the_kernel_console_and_old_terminals_get_ascii_and_no_synchronized_updates() {
        for term in ["linux", "vt100", "vt220"] {
            let caps = caps(&[("TERM", term), ("LANG", "en_US.UTF-8")]).unwrap();
            assert!(caps.ascii && !caps.synchronized && caps.colours <= ColourLevel::Ansi16, "{term}");
        }
    }

    #[test]
    fn without_a_utf8_locale_only_ascii_is_drawn() {
        assert!(caps(&[("TERM", "xterm"), ("LANG", "C")]).unwrap().ascii);
        assert!(caps(&[("TERM", "xterm")]).unwrap().ascii);
        assert!(caps(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).unwrap().ascii);
    }

    #[test]
    fn no_color_means_none_unless_it_is_empty() {
        let term = ("TERM", "xterm-256color");
        assert_eq!(caps(&[term, ("NO_COLOR", "1")]).unwrap().colours, ColourLevel::None);
        assert_eq!(caps(&[term, ("NO_COLOR", "")]).unwrap().colours, ColourLevel::Indexed256);
    }

    #[test]
    fn rows_are_moved_only_by_terminals_that_are_known_to_do_it() {
        for term in
            ["linux", "vt100", "vt102", "vt220-8bit", "vt420", "xterm", "xterm-256color", "xterm-kitty"]
                .into_iter()
                .chain([
                    "screen",
                    "screen.xterm-256color",
                    "tmux-256color",
                    "rxvt-unicode",
                    "st-256color",
                    "putty",
                ])
        {
            assert!(caps(&[("TERM", term)]).unwrap().scrolls, "{term}");
        }
        for term in ["ansi", "cygwin", "vt52", "vt-utf8", "vt100+", "sun", "cons25", "xtermish", "unknown"] {
            assert!(!caps(&[("TERM", term)]).unwrap().scrolls, "{term}");
        }
        let windows = |env: &[(&str, &str)]| {
            let get = |name: &str| env.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
            Caps::of(get, true, false, false).unwrap().scrolls
        };
        assert!(windows(&[("WT_SESSION", "1")]) && !windows(&[("TERM", "xterm")]));
    }

    #[test]
    fn a_dumb_terminal_is_none() {
        assert!(caps(&[("TERM", "dumb")]).is_err());
        assert!(caps(&[]).is_err());
    }
}
