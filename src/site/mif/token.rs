//! The words, strings and equals signs of DMI text, each with its line.

use super::{MifError, error};
use crate::fields::cut;
use std::fmt;

/// One piece of DMI text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, number or unquoted value.
    Word(String),
    /// What stands between double quotes, without its escapes.
    Text(String),
    /// `=`
    Equals,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => write!(f, "{:?}", cut(word, 40)),
            Token::Text(text) => write!(f, "the string {:?}", cut(text, 40)),
            Token::Equals => f.write_str("'='"),
        }
    }
}

/// Splits DMI text. `//` begins a comment; what editors of the time left at the end of a file is passed over.
///
/// # Errors
/// A string that is not closed.
pub(super) fn tokens(text: &str) -> Result<Vec<(u32, Token)>, MifError> {
    let text = text.trim_end_matches(['\0', '\u{1a}', ' ', '\t', '\r', '\n']);
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '=' => tokens.push((line, Token::Equals)),
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                let start = line;
                let mut string = String::new();
                loop {
                    match chars.next() {
                        None => return Err(error(start, "a string is not closed")),
                        Some('"') => break,
                        // Other backslashes stand for themselves: paths were written as they are.
                        Some('\\') if matches!(chars.peek(), Some('"' | '\\')) => string.extend(chars.next()),
                        Some(c) => {
                            line += u32::from(c == '\n');
                            string.push(c);
                        }
                    }
                }
                tokens.push((start, Token::Text(string)));
            }
            first => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '=' | '"')) {
                    word.push(c);
                }
                tokens.push((line, Token::Word(word)));
            }
        }
    }
    Ok(tokens)
}
