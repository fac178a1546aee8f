//! What may reach a terminal: a checker of every byte against the list of what the console sends. Made by hand from
//! UX.md 3, not from the console's own writer.

/// Begin and end of a synchronized update.
pub const BEGIN: &str = "\x1b[?2026h";
pub const END: &str = "\x1b[?2026l";

/// One thing that a terminal is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Printable text.
    Text(String),
    /// `ESC [`, what stands between, the last byte.
    Control(String, char),
    /// Anything else that is not text.
    Other(String),
}

/// Takes output apart as ECMA-48 does.
pub fn told(output: &str) -> Vec<Told> {
    let mut all = Vec::new();
    let mut chars = output.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\x1b' && chars.peek() == Some(&'[') {
            chars.next();
            let mut inside = String::new();
            loop {
                match chars.next() {
                    Some(c @ '\x20'..='\x3f') => inside.push(c),
                    Some(c @ '\x40'..='\x7e') => break all.push(Told::Control(inside, c)),
                    other => break all.push(Told::Other(format!("ESC [ {inside:?} {other:?}"))),
                }
            }
        } else if c.is_control() {
            let next = chars.peek().map(|c| format!("{c:?}")).unwrap_or_default();
            all.push(Told::Other(format!("{c:?} before {next}")));
        } else if let Some(Told::Text(text)) = all.last_mut() {
            text.push(c);
        } else {
            all.push(Told::Text(c.to_string()));
        }
    }
    all
}

/// The sequences with which the terminal is taken and given back, beside those of frames.
const ENTER_AND_LEAVE: &[&str] =
    &["?1049h", "?1049l", "?25l", "?25h", "?2004h", "?2004l", "?7l", "?7h", "2J", "1;1H", "0m"];

/// Everything in this output that the console has no business to send. `columns` and `rows`: the largest screen.
pub fn forbidden(output: &[u8], columns: u16, rows: u16) -> Vec<String> {
    let Ok(output) = std::str::from_utf8(output) else { return vec!["not UTF-8".into()] };
    let mut wrong = Vec::new();
    for one in told(&without_moves(output, rows)) {
        let fine = match &one {
            Told::Text(text) => pcm::text::SafeText::new(text).as_str() == text,
            Told::Control(inside, last) => {
                let whole = format!("{inside}{last}");
                ENTER_AND_LEAVE.contains(&whole.as_str())
                    || ["?2026h", "?2026l", "K"].contains(&whole.as_str()) || match last {
                    'H' => numbers(inside).is_some_and(
                        |n| matches!(n[..], [y, x] if (1..=rows).contains(&y) && (1..=columns).contains(&x)),
                    ),
                    'C' => numbers(inside).is_some_and(|n| matches!(n[..], [n] if n > 0 && n < columns)),
                    'm' => inside.is_empty() || numbers(inside).is_some_and(|n| is_style(&n)),
                    _ => false,
                }
            }
            Told::Other(_) => false,
        };
        if !fine {
            wrong.push(format!("{one:?}"));
        }
    }
    wrong
}

/// The same without what moves rows: a region of several rows that is not the whole screen, its last row and line feeds or
/// its first and reverse ones, fewer than it has rows, and all of the screen is the region again.
pub fn without_moves(output: &str, rows: u16) -> String {
    let moves = regex::Regex::new("\x1b\\[(\\d+);(\\d+)r\x1b\\[(\\d+);1H(\n+|(?:\x1bM)+)\x1b\\[r").unwrap();
    let whole = moves.replace_all(output, |found: &regex::Captures| {
        let number = |n: usize| found[n].parse::<u16>().unwrap_or(0);
        let (top, bottom, at, times) =
            (number(1), number(2), number(3), found[4].replace("\x1bM", "v").len());
        let edge = if found[4].starts_with('\n') { bottom } else { top };
        let fine =
            1 < top && top < bottom && bottom <= rows && at == edge && times <= usize::from(bottom - top);
        if fine { String::new() } else { found[0].to_owned() }
    });
    whole.into_owned()
}

fn numbers(text: &str) -> Option<Vec<u16>> {
    text.split(';').map(|n| n.parse().ok()).collect()
}

/// Bold, dim, italic, underlined, reversed, and colours of all three kinds.
fn is_style(numbers: &[u16]) -> bool {
    match numbers {
        [] => true,
        [0 | 1 | 2 | 3 | 4 | 7 | 39 | 49, rest @ ..] => is_style(rest),
        [30..=37 | 40..=47 | 90..=97 | 100..=107, rest @ ..] => is_style(rest),
        [38 | 48, 5, 0..=255, rest @ ..] => is_style(rest),
        [38 | 48, 2, 0..=255, 0..=255, 0..=255, rest @ ..] => is_style(rest),
        _ => false,
    }
}

/// The frames of this output, without the marks around them.
pub fn frames(output: &str) -> Vec<&str> {
    output.split(BEGIN).skip(1).map(|part| part.split(END).next().unwrap_or(part)).collect()
}

/// What is written outside of frames.
pub fn outside_frames(output: &str) -> String {
    let mut parts = output.split(BEGIN);
    let mut outside = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        outside.push_str(part.split_once(END).map_or("<a frame without an end>", |(_, after)| after));
    }
    outside
}
