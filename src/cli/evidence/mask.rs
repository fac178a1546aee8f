//! What of a ticket's documents is a secret, by a rule that is stated (`EVIDENCE_HELP`). Line by line, and in a JSON document string
//! by string, so that it stays one. Where the rule is in doubt it takes more rather than less.

use std::collections::BTreeSet;
use std::ops::Range;

/// What stands in place of a secret.
pub const MASKED: &str = "<masked>";

/// What makes a name that of a secret.
const NAMES: [&str; 10] = [
    "authorization",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
];

/// A value that is shorter is masked only where the rule finds it: it would stand in half of all words.
const LEARNT: usize = 6;
/// A private key has fewer lines: nobody hides all that follows by its first one.
const KEY_LINES: usize = 200;

/// What was found to be secret so far.
#[derive(Debug, Default)]
pub struct Mask {
    learnt: BTreeSet<String>,
}

impl Mask {
    /// Learns the values of a text that says them where they are passed, such as a command line. Not of what a package
    /// prints: it could have any word taken out of every document.
    pub fn learn(&mut self, text: &str) {
        for line in text.lines() {
            self.learn_line(line);
        }
    }

    /// The same of a JSON document.
    pub fn learn_json(&mut self, text: &str) {
        each_string(text, |before, string, is_name| {
            if !is_name {
                if before.is_some_and(is_switch) {
                    self.keep(string);
                }
                self.learn_line(string);
            }
            None
        });
    }

    fn learn_line(&mut self, line: &str) {
        let marked = marked(line);
        marked.iter().filter(|found| found.passed).for_each(|found| self.keep(&line[found.at.clone()]));
    }

    fn keep(&mut self, value: &str) {
        let value = value.trim_matches(['"', '\'', '\\', ',', ';']);
        // What follows a switch may be another one.
        if value.chars().count() >= LEARNT && !value.starts_with('-') {
            self.learnt.insert(value.to_owned());
        }
    }

    /// A text without its secrets, and how many were taken out.
    pub fn text(&self, text: &str) -> (String, usize) {
        let (mut out, mut count, mut key) = (String::with_capacity(text.len()), 0, 0);
        for line in text.split_inclusive('\n') {
            let body = line.strip_suffix('\n').unwrap_or(line);
            if key > 0 && !is_armour(body, "END") {
                key -= 1;
                count += 1;
                out.push_str(MASKED);
            } else {
                let begins = is_armour(body, "BEGIN") && !is_armour(body, "END");
                key = if begins { KEY_LINES } else { 0 };
                count += self.line(body, &mut out);
            }
            out.push_str(&line[body.len()..]);
        }
        (out, count)
    }

    /// A JSON document, or one a line, without its secrets: only strings that are values change.
    pub fn json(&self, text: &str) -> (String, usize) {
        let mut count = 0;
        let masked = each_string(text, |before, string, is_name| {
            if is_name {
                return None;
            }
            if before.is_some_and(is_switch) && !string.is_empty() {
                count += 1;
                return Some(MASKED.to_owned());
            }
            let mut out = String::new();
            let found = self.line(string, &mut out);
            count += found;
            (found > 0).then_some(out)
        });
        (masked, count)
    }

    fn line(&self, line: &str, out: &mut String) -> usize {
        let mut spans: Vec<Range<usize>> = marked(line).into_iter().map(|found| found.at).collect();
        for value in &self.learnt {
            spans.extend(line.match_indices(value.as_str()).map(|(at, _)| at..at + value.len()));
        }
        spans.sort_by_key(|span| span.start);
        let (mut at, mut count) = (0, 0);
        for span in spans {
            if span.start >= at {
                out.push_str(&line[at..span.start]);
                out.push_str(MASKED);
                count += 1;
            }
            at = at.max(span.end);
        }
        out.push_str(&line[at..]);
        count
    }
}

/// How the first and the last line of a private key end.
const ARMOUR: &str = "PRIVATE KEY-----";

/// Whether it begins or ends a private key.
fn is_armour(line: &str, word: &str) -> bool {
    line.contains(ARMOUR) && line.contains(word)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|secret| name.contains(secret))
}

/// Whether a word is a switch whose value is the next one.
fn is_switch(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '\\', ',', '[', '(', '{']);
    let name = match (word.strip_prefix('-'), word.strip_prefix('/')) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return false,
    };
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) && is_secret(name)
}

/// A value, and whether it was passed to something: no prose.
struct Found {
    at: Range<usize>,
    passed: bool,
}

/// The values that the rule finds in a line, in no order.
fn marked(line: &str) -> Vec<Found> {
    let mut found = Vec::new();
    addresses(line, &mut found);
    if let Some(begin) = line.find(ARMOUR).filter(|_| is_armour(line, "BEGIN")) {
        let from = begin + ARMOUR.len();
        let end = line[from..].find("-----END").map_or(line.len(), |n| from + n);
        found.extend((from < end).then_some(Found { at: from..end, passed: false }));
    }
    // Most lines name nothing.
    if is_secret(line) || line.to_ascii_lowercase().contains("bearer") {
        names(&Line::new(line), &mut found);
    }
    found
}

/// `USER:PASSWORD@` of addresses.
fn addresses(line: &str, found: &mut Vec<Found>) {
    for (at, _) in line.match_indices("://") {
        let from = at + 3;
        let ends = |c: char| c.is_whitespace() || "/?#\"'<>".contains(c);
        let end = line[from..].find(ends).map_or(line.len(), |n| from + n);
        let Some(user) = line[from..end].rfind('@') else { continue };
        let user = from..from + user;
        let (at, passed) = match line[user.clone()].find(':') {
            Some(colon) => (user.start + colon + 1..user.end, true),
            None => (user, false),
        };
        found.extend((!at.is_empty()).then_some(Found { at, passed }));
    }
}

/// A line, and for each of its bytes the quote that is open there: where it was opened and which it is.
struct Line<'a> {
    text: &'a str,
    bytes: &'a [u8],
    open: Vec<Option<(usize, u8)>>,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let (mut open, mut now) = (Vec::with_capacity(bytes.len()), None);
        for (i, b) in bytes.iter().enumerate() {
            open.push(now);
            let begins = i == 0 || b" \t=:,([{".contains(&bytes[i - 1]);
            now = match now {
                Some((_, quote)) if quote == *b && bytes[i - 1] != b'\\' => None,
                // An apostrophe inside a word opens nothing.
                None if begins && matches!(b, b'"' | b'\'') => Some((i, *b)),
                other => other,
            };
        }
        Line { text, bytes, open }
    }

    fn blanks(&self, from: usize) -> usize {
        let blank = |b: &&u8| matches!(b, b' ' | b'\t');
        from + self.bytes[from..].iter().take_while(blank).count()
    }

    /// Where the word that begins here ends, as a shell has words: quotes keep blanks in it. `within`: the quote that is
    /// open around it, which ends it; `whole`: only that does.
    fn word(&self, from: usize, within: Option<u8>, whole: bool) -> usize {
        let (mut at, mut quote) = (from, None);
        while let Some(b) = self.bytes.get(at) {
            match (quote, b) {
                // Quotes inside of a text in quotes.
                (None, b'\\') if matches!(self.bytes.get(at + 1), Some(b'"' | b'\'')) => {
                    let token = &self.text[at..at + 2];
                    match self.text[at + 2..].find(token) {
                        Some(n) => at += n + 3,
                        None => at += 1,
                    }
                }
                // How a shell has an apostrophe inside of apostrophes.
                (_, b'\'') if self.bytes[at..].starts_with(b"'\\''") => at += 3,
                (None, _) if Some(*b) == within => break,
                (None, b' ' | b'\t') if !whole => break,
                (None, b'"' | b'\'') => quote = Some(*b),
                (Some(b'"'), b'\\') => at += 1,
                (Some(open), _) if *b == open => {
                    quote = None;
                    if self.bytes.get(at + 1).is_some_and(|next| b",;)}]".contains(next)) {
                        return at + 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        let mut at = at.min(self.bytes.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        at
    }

    /// The rest of the line, or of what is in quotes here.
    fn rest(&self, from: usize) -> usize {
        match self.open[from] {
            Some((_, quote)) => self.word(from, Some(quote), true),
            None => self.text.trim_end().len().max(from),
        }
    }
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Values behind names.
fn names(line: &Line<'_>, found: &mut Vec<Found>) {
    let mut at = 0;
    while at < line.bytes.len() {
        if !is_name(line.bytes[at]) {
            at += 1;
            continue;
        }
        let end = at + line.bytes[at..].iter().take_while(|b| is_name(**b)).count();
        let name = &line.text[at..end];
        let value = match () {
            () if is_secret(name) => assigned(line, at, end).or_else(|| switched(line, at, end)),
            () if name.eq_ignore_ascii_case("bearer") => next_word(line, end),
            () => None,
        };
        at = match value.filter(|value| !value.at.is_empty()) {
            Some(value) => {
                let after = value.at.end;
                found.push(value);
                after.max(end)
            }
            None => end,
        };
    }
}

/// `NAME=VALUE`, `"NAME": "VALUE"` and the like.
fn assigned(line: &Line<'_>, begin: usize, end: usize) -> Option<Found> {
    let closes = |b: &&u8| matches!(b, b'"' | b'\'' | b'\\' | b']');
    let after = end + line.bytes[end..].iter().take(3).take_while(closes).count();
    let sign = line.blanks(after);
    if !matches!(line.bytes.get(sign)?, b'=' | b':') || line.text[sign..].starts_with("://") {
        return None;
    }
    let signs = line.bytes[sign..].iter().take_while(|b| matches!(b, b'=' | b':' | b'>')).count();
    let from = line.blanks(sign + signs);
    let first = *line.bytes.get(from)?;
    let apart = sign > after || from > sign + signs;
    let open = line.open[from];
    let quoted =
        matches!(first, b'"' | b'\'') && open.is_none_or(|(_, quote)| quote != first) || first == b'\\';
    if apart && !quoted {
        return Some(Found { at: from..line.rest(from), passed: false });
    }
    // A quote that was opened just before the name holds both of them.
    let whole = open.is_some_and(|(at, _)| {
        let between = line.bytes.get(at + 1..begin).filter(|between| between.len() <= 2);
        between.is_some_and(|between| between.iter().all(|b| matches!(b, b'-' | b'/')))
    });
    let quote = open.map(|(_, quote)| quote);
    Some(Found { at: from..line.word(from, quote, whole && !quoted), passed: !apart })
}

/// `--NAME VALUE`
fn switched(line: &Line<'_>, begin: usize, end: usize) -> Option<Found> {
    let slash = begin.checked_sub(1).filter(|at| line.bytes[*at] == b'/');
    let from = slash.unwrap_or(begin);
    let before = from.checked_sub(1).map(|at| line.bytes[at]);
    let is_word = before.is_none_or(|b| b" \t\"'[(,=".contains(&b));
    if !is_word || !is_switch(&line.text[from..end]) {
        return None;
    }
    next_word(line, end)
}

fn next_word(line: &Line<'_>, end: usize) -> Option<Found> {
    let closes = |b: &&u8| matches!(b, b'"' | b'\'' | b'\\' | b',' | b']');
    let after = end + line.bytes[end..].iter().take(4).take_while(closes).count();
    let from = line.blanks(after);
    line.bytes.get(from).filter(|_| from > after)?;
    // The quote may have been opened by this very word.
    let quote = line.open[from].map(|(_, quote)| quote);
    Some(Found { at: from..line.word(from, quote, false), passed: true })
}

/// Goes through the strings of a JSON text: each is shown with the one before it, where only a comma is between them, and
/// whether it is the name of a field. What is answered stands in its place.
fn each_string(text: &str, mut what: impl FnMut(Option<&str>, &str, bool) -> Option<String>) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::with_capacity(text.len()), 0, 0);
    let mut before: Option<String> = None;
    while at < bytes.len() {
        if bytes[at] != b'"' {
            if !matches!(bytes[at], b',' | b' ' | b'\n' | b'\r' | b'\t') {
                before = None;
            }
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = (end + 1).min(bytes.len());
        let Some(string) = text.get(at..end).and_then(|quoted| serde_json::from_str::<String>(quoted).ok())
        else {
            at += 1;
            continue;
        };
        let is_name = bytes[end..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
        let said = what(before.as_deref(), &string, is_name);
        if let Some(quoted) = said.and_then(|said| serde_json::to_string(&said).ok()) {
            out.push_str(&text[copied..at]);
            out.push_str(&quoted);
            copied = end;
        }
        before = (!is_name).then_some(string);
        at = end;
    }
    out.push_str(&text[copied..]);
    out
}

#[cfg(test)]
mod tests;
