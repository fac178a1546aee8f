//! Lists, drawn by their tables of columns (`app::columns`).

use super::line::Line;
use crate::console::app::columns::{Column, Moment, Width, widths};
use crate::console::theme::Scope;

/// Cells before the columns: the selection and the mark.
pub const LEAD: usize = 2;

/// A list's columns, laid out for a width.
pub struct Table<'t, D: 'static> {
    columns: &'static [Column<D>],
    widths: Vec<usize>,
    moment: Moment<'t>,
    cut: &'static str,
}

impl<'t, D> Table<'t, D> {
    /// Lays out columns for a list of so many cells, whose widest texts are these.
    pub fn new(
        columns: &'static [Column<D>],
        cells: usize,
        widest: &[usize],
        moment: Moment<'t>,
        cut: &'static str,
    ) -> Table<'t, D> {
        let widths = widths(columns, cells, LEAD, widest);
        Table { columns, widths, moment, cut }
    }

    /// The titles of all columns but the one that takes the rest, after this.
    pub fn head(&self, lead: Line, scope: Scope) -> Line {
        let mut line = lead;
        for (column, width) in self.there().filter(|(column, _)| !matches!(column.width, Width::Rest)) {
            line = line.cell(column.title, width, "", scope);
        }
        line
    }

    /// The titles of all columns, each above its own, after this.
    pub fn titles(&self, lead: Line, scope: Scope) -> Line {
        self.there().fold(lead, |line, (column, width)| line.cell(column.title, width, "", scope))
    }

    /// The title of that one; none where it is not there.
    pub fn rest(&self) -> &'static str {
        let rest = self.there().find(|(column, _)| matches!(column.width, Width::Rest));
        rest.map_or("", |(column, _)| column.title)
    }

    /// A row, after this.
    pub fn row(&self, lead: Line, doc: &D) -> Line {
        let mut line = lead;
        for (column, width) in self.there() {
            let (text, style) = ((column.text)(doc, &self.moment), (column.style)(doc));
            line = match column.width {
                Width::Rest => line.cell(text, width, self.cut, style),
                _ => line.column(text, width, self.cut, style),
            };
        }
        line
    }

    fn there(&self) -> impl Iterator<Item = (&'static Column<D>, usize)> + '_ {
        self.columns.iter().zip(self.widths.iter().copied()).filter(|(_, width)| *width > 0)
    }
}
