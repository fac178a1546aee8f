//! A list with one selected row, for every pane that has rows. The selection belongs to a row's key, not to its place,
//! so that rows that come and go do not move it under the operator's fingers.

use super::command::Id;
use std::cell::Cell;

/// Where a list stands. The height is told by whoever draws it, since only that knows.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    row: usize,
    top: Cell<usize>,
    height: Cell<usize>,
}

impl Cursor {
    /// The selected row, of so many.
    pub fn row(&self, len: usize) -> usize {
        self.row.min(len.saturating_sub(1))
    }

    /// Selects a row.
    pub fn select(&mut self, row: usize) {
        self.row = row;
    }

    /// Takes over what another one learned while it was drawn.
    pub fn adopt(&self, other: &Cursor) {
        self.top.set(other.top.get());
        self.height.set(other.height.get());
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id, len: usize) -> bool {
        let (row, page) = (self.row(len), self.height.get().max(2) - 1);
        let last = len.saturating_sub(1);
        self.row = match id {
            Id::Down => row + 1,
            Id::Up => row.saturating_sub(1),
            Id::PageDown => row + page,
            Id::PageUp => row.saturating_sub(page),
            Id::HalfDown => row + page.div_ceil(2),
            Id::HalfUp => row.saturating_sub(page.div_ceil(2)),
            Id::Top => 0,
            Id::Bottom => last,
            _ => return false,
        }
        .min(last);
        true
    }

    /// The rows that are drawn when there are so many lines for them: always with the selected one.
    pub fn window(&self, len: usize, height: usize) -> std::ops::Range<usize> {
        self.height.set(height);
        let row = self.row(len);
        let mut top = self.top.get().min(len.saturating_sub(height));
        if row < top {
            top = row;
        } else if height > 0 && row >= top + height {
            top = row + 1 - height;
        }
        self.top.set(top);
        top..len.min(top + height)
    }
}

/// Where a long text stands: it has no selected line.
#[derive(Debug, Clone, Default)]
pub struct Scroll {
    top: Cell<usize>,
    height: Cell<usize>,
    len: Cell<usize>,
}

impl Scroll {
    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id) -> bool {
        let (top, page) = (self.top.get(), self.height.get().max(2) - 1);
        let last = self.len.get().saturating_sub(self.height.get());
        let to = match id {
            Id::Down => top + 1,
            Id::Up => top.saturating_sub(1),
            Id::PageDown => top + page,
            Id::PageUp => top.saturating_sub(page),
            Id::HalfDown => top + page.div_ceil(2),
            Id::HalfUp => top.saturating_sub(page.div_ceil(2)),
            Id::Top => 0,
            Id::Bottom => last,
            _ => return false,
        };
        self.top.set(to.min(last));
        true
    }

    /// The lines that are drawn, of so many, when there is room for so many.
    pub fn window(&self, len: usize, height: usize) -> std::ops::Range<usize> {
        self.height.set(height);
        self.len.set(len);
        let top = self.top.get().min(len.saturating_sub(height));
        self.top.set(top);
        top..len.min(top + height)
    }
}
