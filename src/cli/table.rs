//! Columns for a terminal of any width: cells are measured by what a terminal shows, wrapped at blanks where the line
//! is too short, and never cut, so that no reason is lost. Used by every view.

use super::page::{Line, Page, Tone};
use crate::text::SafeText;

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
    rows: Vec<(Tone, Vec<SafeText>)>,
    indent: usize,
}

/// From this width on, columns stand two blanks apart.
const WIDE: usize = 100;

/// How narrow any column gets on a terminal that is too narrow for all of them.
const NARROWEST: usize = 4;

impl Table {
    /// No rows yet. A table whose titles are all empty has no title line.
    pub fn new(indent: usize, columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), indent }
    }

    /// One more row; missing cells are empty.
    pub fn row(&mut self, tone: Tone, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<SafeText> = cells.into_iter().map(SafeText::from).collect();
        cells.resize(self.columns.len(), SafeText::default());
        self.rows.push((tone, cells));
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, none of them wider than `width` unless that is absurdly small.
    pub fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let gap = if width.is_some_and(|w| w < WIDE) { 1 } else { 2 };
        let widths = self.widths(width, gap);
        let titled = self.columns.iter().any(|c| !c.title.is_empty());
        let titles = (Tone::Dim, self.columns.iter().map(|c| SafeText::new(c.title)).collect::<Vec<_>>());
        let mut lines = Vec::new();
        for (tone, cells) in titled.then_some(&titles).into_iter().chain(&self.rows) {
            let wrapped: Vec<Vec<SafeText>> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| if *width == 0 { Vec::new() } else { cell.wrap(*width) })
                .collect();
            let height = wrapped.iter().map(Vec::len).max().unwrap_or(0).max(1);
            for i in 0..height {
                let mut text = " ".repeat(self.indent);
                for (column, (cell, width)) in wrapped.iter().zip(&widths).enumerate() {
                    if *width == 0 {
                        continue;
                    }
                    let part = cell.get(i).cloned().unwrap_or_default();
                    text.push_str(part.pad(*width).as_str());
                    if column + 1 < widths.len() {
                        text.push_str(&" ".repeat(gap));
                    }
                }
                lines.push(Line::toned(*tone, text.trim_end()));
            }
        }
        lines
    }

    /// The width of each column: 0 where it has nothing to show.
    fn widths(&self, limit: Option<usize>, gap: usize) -> Vec<usize> {
        let filled = |i: usize| self.rows.iter().any(|(_, cells)| !cells[i].is_empty());
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|i| {
                let cells = self.rows.iter().map(|(_, cells)| cells[i].width()).max().unwrap_or(0);
                if filled(i) { cells.max(self.columns[i].title.len()) } else { 0 }
            })
            .collect();
        let Some(limit) = limit else { return widths };
        let total = |widths: &[usize]| {
            let shown = widths.iter().filter(|w| **w > 0).count();
            self.indent + widths.iter().sum::<usize>() + gap * shown.saturating_sub(1)
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

impl Page {
    /// A table.
    pub fn table(&mut self, table: &Table) -> &mut Self {
        let lines = table.lines(self.width());
        self.extend(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: Option<usize>) -> String {
        let mut table = Table::new(0, &[fixed("ID"), words("NAME", 6), words("WHY", 10)]);
        table.row(Tone::Plain, ["BP0000Y".into(), "日本語フォント".into(), "user anna is logged on".into()]);
        table.row(Tone::Plain, ["BP00010".into(), "Agent".into(), String::new()]);
        let mut page = Page::new(width);
        page.table(&table);
        page.to_text()
    }

    #[test]
    fn columns_align_by_what_a_terminal_shows() {
        let text = page(None);
        let at = |line: &str, word: &str| {
            crate::text::SafeText::new(line.split(word).next().unwrap_or_default()).width()
        };
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(at(lines[0], "WHY"), at(lines[1], "user"));
    }

    #[test]
    fn narrow_terminals_wrap_and_lose_nothing() {
        let text = page(Some(34));
        assert!(text.lines().all(|l| crate::text::SafeText::new(l).width() <= 34), "{text}");
        for word in ["anna", "logged", "BP0000Y", "Agent"] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_column_without_any_content_is_not_shown() {
        let mut table = Table::new(0, &[fixed("A"), fixed("B"), fixed("C")]);
        table.row(Tone::Plain, ["1".into(), String::new(), "3".into()]);
        let mut page = Page::new(None);
        page.table(&table);
        assert_eq!(page.to_text(), "A  C\n1  3\n");
    }
}
