//! Command lines and their words, in both directions.

/// Splits a command line at blanks (FORMATS.md 3); double quotes group; a backslash is literal except before a double quote.
///
/// # Errors
/// A sentence: an open quote, or nothing in it.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' if !quoted => words.extend(word.take()),
            '"' => {
                quoted = !quoted;
                // A quoted nothing is still an argument.
                word.get_or_insert_default();
            }
            '\\' if chars.peek() == Some(&'"') => {
                chars.next();
                word.get_or_insert_default().push('"');
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err("a double quote is not closed".into());
    }
    words.extend(word);
    Ok(words)
}

/// A word as a shell wants it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
