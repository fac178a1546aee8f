//! Status MIF (FORMATS.md 7): what a package says of itself in DMI text, read with all the variations that occur, and
//! written in the full form. A malformed one is an error with its line, never a success. Called by the executor.

use super::ids::{MachineId, RequestId};
use crate::clock::Wall;
use crate::fields::cut;
use crate::text::SafeText;

mod token;

use token::{Token, tokens};

/// The largest status MIF that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// How much of a description is kept, in characters.
pub const MAX_DESCRIPTION: usize = 128;

/// What a package said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusMif {
    /// `Success`, or else `Failed`.
    pub success: bool,
    /// Its words, at most [`MAX_DESCRIPTION`] characters; may be empty.
    pub description: SafeText,
}

/// Why a status MIF says nothing that could be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct MifError {
    /// Counted from 1.
    pub line: u32,
    /// What is wrong.
    pub why: String,
}

/// What PCM writes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Result {
    /// Where it ran.
    pub machine: MachineId,
    /// Which request.
    pub request: RequestId,
    /// The package's name.
    pub package: SafeText,
    /// Whether it worked.
    pub success: bool,
    /// In words; what is over [`MAX_DESCRIPTION`] characters is cut.
    pub description: SafeText,
    /// When it ended.
    pub at: Wall,
}

/// Reads a status MIF.
///
/// # Errors
/// The first thing that makes it unusable, with its line.
pub fn parse(bytes: &[u8]) -> std::result::Result<StatusMif, MifError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(MifError { line: 1, why: format!("larger than {MAX_BYTES} bytes") });
    }
    let text = decode(bytes);
    let mut reader = Reader { tokens: tokens(&text)?, at: 0, groups: Vec::new() };
    reader.component()?;
    status_of(&reader.groups, reader.line())
}

/// The text of a result in the full form: the original's tools would read it.
pub fn render(result: &Result) -> String {
    let installed = result.at.format("%Y%m%d%H%M%S.000000+000").to_string();
    let status = if result.success { "Success" } else { "Failed" };
    let description: String = result.description.as_str().chars().take(MAX_DESCRIPTION).collect();
    let mut out = Writer(String::new());
    out.line(0, "START COMPONENT");
    out.string(1, "NAME", &format!("PCM {}", result.machine));
    out.group(
        1,
        "ComponentID",
        "DMTF|ComponentID|1.0",
        &[
            ("Manufacturer", 64, "Package Command Manager"),
            ("Product", 64, result.package.as_str()),
            ("Version", 64, env!("CARGO_PKG_VERSION")),
            ("Locale", 16, "ENU"),
            ("Serial Number", 64, result.request.as_str()),
            ("Installation", 64, &installed),
        ],
    );
    out.group(
        2,
        "InstallStatus",
        "MICROSOFT|JOBSTATUS|1.0",
        &[("Status", 32, status), ("Description", MAX_DESCRIPTION, &description)],
    );
    out.line(0, "END COMPONENT");
    out.0
}

struct Writer(String);

impl Writer {
    fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"    ".repeat(depth));
        self.0.push_str(text);
        self.0.push_str("\r\n");
    }

    fn string(&mut self, depth: usize, key: &str, value: &str) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        self.line(depth, &format!("{key} = \"{escaped}\""));
    }

    fn group(&mut self, id: usize, name: &str, class: &str, attributes: &[(&str, usize, &str)]) {
        self.line(1, "START GROUP");
        self.string(2, "NAME", name);
        self.line(2, &format!("ID = {id}"));
        self.string(2, "CLASS", class);
        for (id, (name, length, value)) in (1..).zip(attributes) {
            let value: String = value.chars().take(*length).collect();
            self.line(2, "START ATTRIBUTE");
            self.string(3, "NAME", name);
            self.line(3, &format!("ID = {id}"));
            self.line(3, "ACCESS = READ-ONLY");
            self.line(3, "STORAGE = SPECIFIC");
            self.line(3, &format!("TYPE = STRING({length})"));
            self.string(3, "VALUE", &value);
            self.line(2, "END ATTRIBUTE");
        }
        self.line(1, "END GROUP");
    }
}

/// UTF-8 and UTF-16 by their marks, UTF-8 where it is that, otherwise Latin-1, in which each byte is its character.
fn decode(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
        },
    }
}

#[derive(Debug, Default)]
struct Group {
    line: u32,
    class: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Default)]
struct Attribute {
    line: u32,
    name: String,
    value: Option<String>,
}

struct Reader {
    tokens: Vec<(u32, Token)>,
    at: usize,
    groups: Vec<Group>,
}

type Read<T> = std::result::Result<T, MifError>;

impl Reader {
    fn component(&mut self) -> Read<()> {
        // A language statement may stand before it.
        while self.assignment()?.is_some() {}
        self.expect_block("START", "COMPONENT")?;
        loop {
            if self.assignment()?.is_some() {
                continue;
            }
            match self.block()? {
                (line, "START", word) if word == "GROUP" => self.group(line)?,
                (_, "START", word) => self.skip(&word)?,
                // The last group may have been left open.
                (_, _, word) if word == "COMPONENT" => break,
                (_, _, word) if word == "GROUP" => {}
                (line, _, word) => return Err(error(line, format!("END {word} without its START"))),
            }
        }
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some((line, _)) => Err(error(*line, "there is more after END COMPONENT")),
        }
    }

    /// A group, up to its end or to what can only come after it.
    fn group(&mut self, line: u32) -> Read<()> {
        let mut group = Group { line, ..Group::default() };
        loop {
            if let Some((_, key, value)) = self.assignment()? {
                if key == "CLASS" {
                    group.class = value;
                }
                continue;
            }
            let before = self.at;
            match self.block()? {
                (line, "START", word) if word == "ATTRIBUTE" => group.attributes.push(self.attribute(line)?),
                (_, "END", word) if word == "GROUP" => break,
                (_, "START", word) if word == "GROUP" => {
                    self.at = before;
                    break;
                }
                (_, "END", word) if word == "COMPONENT" => {
                    self.at = before;
                    break;
                }
                (_, "START", word) => self.skip(&word)?,
                (line, _, word) => return Err(error(line, format!("END {word} without its START"))),
            }
        }
        self.groups.push(group);
        Ok(())
    }

    fn attribute(&mut self, line: u32) -> Read<Attribute> {
        let mut attribute = Attribute { line, ..Attribute::default() };
        loop {
            if let Some((line, key, value)) = self.assignment()? {
                match key.as_str() {
                    "NAME" => attribute.name = value,
                    "VALUE" if attribute.value.is_some() => {
                        return Err(error(line, "the attribute has two values"));
                    }
                    "VALUE" => attribute.value = Some(value),
                    _ => {}
                }
                continue;
            }
            match self.block()? {
                (_, "END", word) if word == "ATTRIBUTE" => return Ok(attribute),
                (_, "START", word) if word == "ENUM" => self.skip(&word)?,
                (line, verb, word) => {
                    return Err(error(line, format!("{verb} {word} inside an attribute that is not ended")));
                }
            }
        }
    }

    /// Passes over a block that has nothing to do with the status.
    fn skip(&mut self, what: &str) -> Read<()> {
        loop {
            match self.next()? {
                (line, Token::Word(verb)) if verb.eq_ignore_ascii_case("START") => {
                    // One level is all that occurs; a deeper one could hide an end.
                    return Err(error(line, format!("START inside {what}")));
                }
                (_, Token::Word(verb)) if verb.eq_ignore_ascii_case("END") => {
                    let (line, token) = self.next()?;
                    return match token {
                        Token::Word(word) if word.eq_ignore_ascii_case(what) => Ok(()),
                        _ => Err(error(line, format!("wanted END {what}"))),
                    };
                }
                _ => {}
            }
        }
    }

    /// `KEY = value`, if that is what comes next: the key in upper case. A string may be written in several pieces.
    fn assignment(&mut self) -> Read<Option<(u32, String, String)>> {
        let (Some((line, Token::Word(key))), Some((_, Token::Equals))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1))
        else {
            return Ok(None);
        };
        let (line, key) = (*line, key.to_ascii_uppercase());
        self.at += 2;
        let mut value = String::new();
        let mut pieces = 0;
        while let Some((_, Token::Text(piece))) = self.tokens.get(self.at) {
            value.push_str(piece);
            pieces += 1;
            self.at += 1;
        }
        if pieces == 0 {
            value = self.words(line)?;
        }
        Ok(Some((line, key, value)))
    }

    /// An unquoted value: the words up to the end of its line, or to the next key on it.
    fn words(&mut self, key_line: u32) -> Read<String> {
        let mut words: Vec<String> = Vec::new();
        let mut value_line = None;
        while let Some((line, Token::Word(word))) = self.tokens.get(self.at) {
            let is_key = matches!(self.tokens.get(self.at + 1), Some((_, Token::Equals)));
            let is_block = ["START", "END"].iter().any(|verb| word.eq_ignore_ascii_case(verb));
            if is_key || is_block || value_line.is_some_and(|first| first != *line) {
                break;
            }
            value_line = Some(*line);
            words.push(word.clone());
            self.at += 1;
        }
        if words.is_empty() { Err(error(key_line, "a value is missing")) } else { Ok(words.join(" ")) }
    }

    /// `START x` or `END x`: the line, the verb, and the word in upper case.
    fn block(&mut self) -> Read<(u32, &'static str, String)> {
        let (line, token) = self.next()?;
        let verb = match token {
            Token::Word(word) if word.eq_ignore_ascii_case("START") => "START",
            Token::Word(word) if word.eq_ignore_ascii_case("END") => "END",
            other => return Err(error(line, format!("{other} is not expected here"))),
        };
        match self.next()? {
            (_, Token::Word(word)) => Ok((line, verb, word.to_ascii_uppercase())),
            (line, other) => Err(error(line, format!("{other} after {verb}"))),
        }
    }

    fn expect_block(&mut self, verb: &str, what: &str) -> Read<()> {
        match self.block()? {
            (_, found, word) if found == verb && word == what => Ok(()),
            (line, found, word) => Err(error(line, format!("wanted {verb} {what}, found {found} {word}"))),
        }
    }

    fn next(&mut self) -> Read<(u32, Token)> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| error(self.line(), "it is cut off: END COMPONENT is missing"))
    }

    /// The line of the last token.
    fn line(&self) -> u32 {
        self.tokens.last().map_or(1, |(line, _)| *line)
    }
}

fn status_of(groups: &[Group], end: u32) -> Read<StatusMif> {
    let mut found = groups.iter().filter(|group| is_job_status(&group.class));
    let Some(group) = found.next() else {
        return Err(error(end, "there is no group of class MICROSOFT|JOBSTATUS|1.0"));
    };
    if let Some(second) = found.next() {
        return Err(error(second.line, "there is a second JOBSTATUS group"));
    }
    let only = |name: &str| {
        let mut all = group.attributes.iter().filter(|a| a.name.trim().eq_ignore_ascii_case(name));
        match (all.next(), all.next()) {
            (_, Some(second)) => Err(error(second.line, format!("there is a second attribute {name}"))),
            (first, None) => Ok(first),
        }
    };
    let status = only("Status")?.ok_or_else(|| error(group.line, "the group has no attribute Status"))?;
    let Some(word) = status.value.as_deref().map(str::trim) else {
        return Err(error(status.line, "the attribute Status has no value"));
    };
    let success = if word.eq_ignore_ascii_case("Success") {
        true
    } else if word.eq_ignore_ascii_case("Failed") {
        false
    } else {
        return Err(error(status.line, format!("Status is {:?}, not Success or Failed", cut(word, 40))));
    };
    let words = only("Description")?.and_then(|a| a.value.as_deref()).unwrap_or_default();
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let description: String = one_line.chars().take(MAX_DESCRIPTION).collect();
    Ok(StatusMif { success, description: SafeText::new(&description) })
}

/// `<vendor>|JOBSTATUS|<version>`.
fn is_job_status(class: &str) -> bool {
    let parts: Vec<&str> = class.split('|').map(str::trim).collect();
    parts.len() == 3 && parts[1].eq_ignore_ascii_case("JOBSTATUS")
}

fn error(line: u32, why: impl Into<String>) -> MifError {
    MifError { line, why: why.into() }
}

#[cfg(test)]
mod tests;
