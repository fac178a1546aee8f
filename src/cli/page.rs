//! A page of safe lines, which the views build and `out` prints.

use crate::text::SafeText;

/// How a piece of text is set off. No colour is named here: bold and dim are right on every background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// What to look at first.
    Strong,
    /// Titles and what is known anyway.
    Dim,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it is set off.
    pub tone: Tone,
    /// What it says.
    pub text: SafeText,
}

impl Line {
    /// A line in one tone; it is made safe here, whatever its parts were.
    pub fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { tone, text: SafeText::new(text.as_ref()) }
    }
}

/// Lines, built by the views.
#[derive(Debug, Clone, Default)]
pub struct Page {
    lines: Vec<Line>,
    width: Option<usize>,
}

impl Page {
    /// An empty page; `None`: as wide as it needs to be.
    pub fn new(width: Option<usize>) -> Self {
        Self { lines: Vec::new(), width }
    }

    /// A line, wrapped where the terminal is narrower, with the same indent.
    pub fn line(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.toned(Tone::Plain, text)
    }

    /// A line to look at first.
    pub fn strong(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.toned(Tone::Strong, text)
    }

    fn toned(&mut self, tone: Tone, text: impl AsRef<str>) -> &mut Self {
        let body = text.as_ref().trim_start_matches(' ');
        let indent = text.as_ref().len() - body.len();
        let width = self.width.map_or(usize::MAX, |w| w.saturating_sub(indent).max(10));
        for part in SafeText::new(body).wrap(width) {
            self.lines.push(Line::toned(tone, format!("{}{part}", " ".repeat(indent)).trim_end()));
        }
        self
    }

    /// A line with a mark before it; what is wrapped stands under the text.
    pub fn item(&mut self, mark: &str, text: impl AsRef<str>) -> &mut Self {
        let width = self.width.map_or(usize::MAX, |w| w.saturating_sub(mark.len()).max(10));
        let mut lead = mark.to_owned();
        for part in SafeText::new(text.as_ref()).wrap(width) {
            self.lines.push(Line::toned(Tone::Strong, format!("{lead}{part}").trim_end()));
            lead = " ".repeat(mark.len());
        }
        self
    }

    /// An empty line, unless the page is empty or ends with one.
    pub fn blank(&mut self) -> &mut Self {
        if self.lines.last().is_some_and(|l| !l.text.is_empty()) {
            self.lines.push(Line::toned(Tone::Plain, ""));
        }
        self
    }

    /// Lines that are made for this width already, such as those of a table.
    pub fn extend(&mut self, lines: Vec<Line>) -> &mut Self {
        self.lines.extend(lines);
        self
    }

    /// How wide it may be; `None`: as wide as it needs to be.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// What is on it.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The text alone, for snapshots.
    #[cfg(test)]
    pub fn to_text(&self) -> String {
        self.lines.iter().map(|l| format!("{}\n", l.text)).collect()
    }
}
