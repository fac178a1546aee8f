//! Reading a short piece of text from left to right. Everything returns `None` at the first thing that does not fit.

/// What is left to read.
pub struct Scan<'a>(pub &'a str);

impl<'a> Scan<'a> {
    /// Exactly this text.
    pub fn lit(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A number of so many digits.
    pub fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.digits(least, most)?;
        digits.parse().ok()
    }

    /// So many digits, as text.
    pub fn digits(&mut self, least: usize, most: usize) -> Option<&'a str> {
        let len = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if len < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(digits)
    }

    /// A word of letters; may be empty.
    pub fn letters(&mut self) -> &'a str {
        let len = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = self.0.split_at(len);
        self.0 = rest;
        word
    }

    /// Any number of blanks.
    pub fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches(' ');
    }

    /// Nothing but blanks is left.
    pub fn end(&mut self) -> Option<()> {
        self.0.trim().is_empty().then_some(())
    }
}
