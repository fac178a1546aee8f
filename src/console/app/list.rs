//! A list with one selected row, for every pane that has rows, and a long text that scrolls. Where they stand is worked
//! out of what the newest frame had room for.

use super::layout::Window;
use crate::console::keymap::commands::Id;
use std::ops::Range;

/// Where a list stands.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    row: usize,
    seen: Window,
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

    /// This part of it was drawn.
    pub fn drawn(&mut self, window: Window) {
        self.seen = window;
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id, len: usize) -> bool {
        let Some(to) = moved(self.row(len), self.seen.height, id) else { return false };
        self.row = to.min(len.saturating_sub(1));
        true
    }

    /// The rows to be drawn when there is room for so many: always with the selected one, and else as they stood.
    pub fn window(&self, len: usize, height: usize) -> Range<usize> {
        let row = self.row(len);
        let mut top = self.seen.top.min(len.saturating_sub(height));
        if row < top {
            top = row;
        } else if height > 0 && row >= top + height {
            top = row + 1 - height;
        }
        top..len.min(top + height)
    }
}

/// Where a long text stands: it has no selected line.
#[derive(Debug, Clone, Default)]
pub struct Scroll {
    seen: Window,
}

impl Scroll {
    /// This part of it was drawn.
    pub fn drawn(&mut self, window: Window) {
        self.seen = window;
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id) -> bool {
        let Window { top, height, len } = self.seen;
        let Some(to) = moved(top, height, id) else { return false };
        self.seen.top = to.min(len.saturating_sub(height));
        true
    }

    /// The lines to be drawn, of so many, when there is room for so many.
    pub fn window(&self, len: usize, height: usize) -> Range<usize> {
        let top = self.seen.top.min(len.saturating_sub(height));
        top..len.min(top + height)
    }
}

/// Where a movement leads from here, when a page has so many rows; it may be beyond the end.
fn moved(from: usize, height: usize, id: Id) -> Option<usize> {
    let page = height.max(2) - 1;
    Some(match id {
        Id::Down => from + 1,
        Id::Up => from.saturating_sub(1),
        Id::PageDown => from + page,
        Id::PageUp => from.saturating_sub(page),
        Id::HalfDown => from + page.div_ceil(2),
        Id::HalfUp => from.saturating_sub(page.div_ceil(2)),
        Id::Top => 0,
        Id::Bottom => usize::MAX,
        _ => return None,
    })
}
