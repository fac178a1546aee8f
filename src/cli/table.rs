//! Columns for a terminal of any width: cells are measured by what a terminal shows, wrapped at blanks where the line
//! is too short, and never cut, so that no reason is lost. Used by every view.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::out::{Line, Tone};

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    /// It is not made narrower than this while another column can give; 0: it does not give.
    least: usize,
}

/// A column that keeps its width: ids, states, times.
pub const fn fixed(title: &'static str) -> Column {
    Column { title, least: 0 }
}

/// A column of words that may be wrapped, down to about this width.
pub const fn words(title: &'static str, least: usize) -> Column {
    Column { title, least }
}

/// Rows under titles.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<(Tone, Vec<String>)>,
    indent: usize,
}

/// How narrow any column gets on a terminal that is too narrow for all of them.
const NARROWEST: usize = 4;

impl Table {
    /// No rows yet. A table whose titles are all empty has no title line.
    pub fn new(indent: usize, columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), indent }
    }

    /// One more row; missing cells are empty.
    pub fn row(&mut self, tone: Tone, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push((tone, cells));
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, none of them wider than `width` unless that is absurdly small.
    pub fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let widths = self.widths(width);
        let titled = self.columns.iter().any(|c| !c.title.is_empty());
        let titles = (Tone::Dim, self.columns.iter().map(|c| c.title.to_owned()).collect::<Vec<_>>());
        let mut lines = Vec::new();
        for (tone, cells) in titled.then_some(&titles).into_iter().chain(&self.rows) {
            let wrapped: Vec<Vec<String>> = cells.iter().zip(&widths).map(|(c, w)| wrap(c, *w)).collect();
            let height = wrapped.iter().map(Vec::len).max().unwrap_or(0).max(1);
            for i in 0..height {
                let mut text = " ".repeat(self.indent);
                for (column, (cell, width)) in wrapped.iter().zip(&widths).enumerate() {
                    if *width == 0 {
                        continue;
                    }
                    let part = cell.get(i).map_or("", String::as_str);
                    text.push_str(part);
                    if column + 1 < widths.len() {
                        text.push_str(&" ".repeat((width + 2).saturating_sub(part.width())));
                    }
                }
                lines.push(Line::toned(*tone, text.trim_end()));
            }
        }
        lines
    }

    /// The width of each column: 0 where it has nothing to show.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let filled = |i: usize| self.rows.iter().any(|(_, cells)| !cells[i].is_empty());
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|i| {
                let cells = self.rows.iter().map(|(_, cells)| cells[i].width()).max().unwrap_or(0);
                if filled(i) { cells.max(self.columns[i].title.width()) } else { 0 }
            })
            .collect();
        let Some(limit) = limit else { return widths };
        let total = |widths: &[usize]| {
            let shown = widths.iter().filter(|w| **w > 0).count();
            self.indent + widths.iter().sum::<usize>() + 2 * shown.saturating_sub(1)
        };
        for desperate in [false, true] {
            while total(&widths) > limit {
                let least = |i: usize| match (desperate, self.columns[i].least) {
                    (true, _) => NARROWEST,
                    (false, 0) => usize::MAX,
                    (false, least) => least,
                };
                let widest = (0..widths.len()).filter(|i| widths[*i] > least(*i)).max_by_key(|i| widths[*i]);
                let Some(widest) = widest else { break };
                widths[widest] -= 1;
            }
        }
        widths
    }
}

/// Text broken at blanks into lines of at most `width` columns; a word that is longer is broken between clusters.
/// `width` 0 means no limit.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    if width == 0 || text.width() <= width {
        return if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for cluster in word.graphemes(true) {
            if !line.is_empty() && line.width() + cluster.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(cluster);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
