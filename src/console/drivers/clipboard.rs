//! OSC 52: text for the clipboard of the terminal, also of one at the other end of SSH, through tmux and screen. The one
//! sequence of its kind that the console writes, made of base64 alone; nothing is ever asked back.

use crate::text::SafeText;

/// What lies between us and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Straight,
    /// tmux: it takes the sequence itself where `set-clipboard` is on, and hands it on where passing through is allowed.
    Tmux,
    /// GNU screen: it hands on short strings.
    Screen,
}

/// screen takes no longer strings, in bytes.
const SCREEN_PIECE: usize = 600;

impl Way {
    /// By the environment.
    pub fn of(env: impl Fn(&str) -> Option<String>) -> Way {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        match () {
            () if set("TMUX") => Way::Tmux,
            () if set("STY") => Way::Screen,
            () => Way::Straight,
        }
    }
}

/// The bytes that give these lines to the clipboard.
pub fn sequence(lines: &[SafeText], way: Way) -> String {
    let text: Vec<&str> = lines.iter().map(SafeText::as_str).collect();
    let plain = format!("\x1b]52;c;{}\x07", base64(text.join("\n").as_bytes()));
    match way {
        Way::Straight => plain,
        Way::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        Way::Screen => {
            // All of it is ASCII, so that every piece is whole characters.
            let bytes: Vec<char> = plain.chars().collect();
            let pieces = bytes.chunks(SCREEN_PIECE).map(|piece| piece.iter().collect::<String>());
            pieces.map(|piece| format!("\x1bP{piece}\x1b\\")).collect()
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let all = group.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for n in 0..4 {
            let digit = DIGITS[(all >> (18 - 6 * n)) as usize & 63];
            text.push(if n <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn each_way_gets_its_own_wrapping_and_nothing_else() {
        let lines = ["foo".into(), "bar".into()];
        assert_eq!(sequence(&lines, Way::Straight), "\x1b]52;c;Zm9vCmJhcg==\x07");
        assert_eq!(
            sequence(&lines, Way::Tmux),
            "\x1b]52;c;Zm9vCmJhcg==\x07\x1bPtmux;\x1b\x1b]52;c;Zm9vCmJhcg==\x07\x1b\\"
        );
        assert_eq!(sequence(&lines, Way::Screen), "\x1bP\x1b]52;c;Zm9vCmJhcg==\x07\x1b\\");
        let long = ["x".repeat(2000).as_str().into()];
        let screen = sequence(&long, Way::Screen);
        let pieces: Vec<&str> = screen.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert!(
            pieces.len() > 3 && pieces.iter().all(|piece| piece.starts_with("\x1bP") && piece.len() < 768)
        );
    }

    #[test]
    fn the_way_is_read_from_the_environment() {
        let with = |name: &'static str| Way::of(move |asked| (asked == name).then(|| "1".to_owned()));
        assert_eq!((with("TMUX"), with("STY"), with("TERM")), (Way::Tmux, Way::Screen, Way::Straight));
    }
}
