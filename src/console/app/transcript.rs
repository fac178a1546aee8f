//! What a run has written: its newest lines, wrapped once for a width, and where the reader stands in them. The details
//! show it, live while it runs.

use super::command::Id;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::cell::{Cell, Ref, RefCell};

/// The newest lines of a run's output.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Of which request.
    pub request: RequestId,
    /// Of which attempt.
    pub attempt: u32,
    /// Oldest first.
    pub lines: Vec<SafeText>,
    /// Lines before those were left out.
    pub cut: bool,
    /// Why it cannot be read.
    pub fault: Option<SafeText>,
    /// The number of the first line; a line keeps its number while others come and go.
    first: usize,
    rows: RefCell<(usize, Vec<Row>)>,
}

/// A row on the screen: a line, or a part of one that is wider.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which line, by its number, and which of its parts.
    pub place: (usize, usize),
    /// The part; None: the whole line.
    part: Option<SafeText>,
}

impl Transcript {
    /// As it was read.
    pub fn new(
        request: RequestId,
        attempt: u32,
        lines: Vec<SafeText>,
        first: usize,
        cut: bool,
        fault: Option<SafeText>,
    ) -> Transcript {
        Transcript { request, attempt, lines, cut, fault, first, rows: RefCell::default() }
    }

    /// Its rows at a width. Hundreds of kilobytes are wrapped once, not for each frame.
    pub fn rows(&self, width: usize) -> Ref<'_, [Row]> {
        let width = width.max(1);
        if self.rows.borrow().0 != width {
            let mut rows = Vec::with_capacity(self.lines.len());
            for (number, line) in (self.first..).zip(&self.lines) {
                if line.width() <= width {
                    rows.push(Row { place: (number, 0), part: None });
                    continue;
                }
                let parts = line.wrap(width).into_iter().enumerate();
                rows.extend(parts.map(|(n, part)| Row { place: (number, n), part: Some(part) }));
            }
            *self.rows.borrow_mut() = (width, rows);
        }
        Ref::map(self.rows.borrow(), |(_, rows)| rows.as_slice())
    }

    /// What stands in a row.
    pub fn text<'t>(&'t self, row: &'t Row) -> &'t SafeText {
        row.part.as_ref().unwrap_or_else(|| &self.lines[row.place.0 - self.first])
    }
}

/// Where the reader stands: at the end, which follows, or held at a row, whatever comes after it.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// How many rows are below the pane.
    below: Cell<usize>,
    /// The lowest row in the pane, while there are some below.
    held: Cell<Option<(usize, usize)>>,
    height: Cell<usize>,
    len: Cell<usize>,
}

impl Standing {
    /// The rows that are drawn when there is room for so many; `heads` are lines above them that scroll as well.
    pub fn window(&self, heads: usize, rows: &[Row], height: usize) -> std::ops::Range<usize> {
        let len = heads + rows.len();
        if let Some(place) = self.held.get() {
            // The row may have gone, or be a part of another width: then the last one before it.
            let end = heads + rows.partition_point(|row| row.place <= place);
            self.below.set(len - end);
        }
        let below = self.below.get().min(len.saturating_sub(height));
        let end = len - below;
        self.below.set(below);
        self.held.set((below > 0 && end > heads).then(|| rows[end - heads - 1].place));
        self.height.set(height);
        self.len.set(len);
        end.saturating_sub(height)..end
    }

    /// How many rows are below.
    pub fn below(&self) -> usize {
        self.below.get()
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&self, id: Id) -> bool {
        let (below, page) = (self.below.get(), self.height.get().max(2) - 1);
        let below = match id {
            Id::Up => below + 1,
            Id::Down => below.saturating_sub(1),
            Id::PageUp => below + page,
            Id::PageDown => below.saturating_sub(page),
            Id::HalfUp => below + page.div_ceil(2),
            Id::HalfDown => below.saturating_sub(page.div_ceil(2)),
            Id::Top => self.len.get(),
            Id::Bottom => 0,
            _ => return false,
        };
        self.below.set(below.min(self.len.get().saturating_sub(self.height.get())));
        self.held.set(None);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn transcript(lines: impl Iterator<Item = usize>) -> Transcript {
        let numbers: Vec<usize> = lines.collect();
        let text = |n: &usize| SafeText::new(&format!("line {n} {}", "word ".repeat(n % 7)));
        let first = numbers.first().copied().unwrap_or(0);
        let lines = numbers.iter().map(text).collect();
        Transcript::new("BP0000Y".parse().unwrap(), 1, lines, first, false, None)
    }

    fn shown(transcript: &Transcript, standing: &Standing, width: usize, height: usize) -> Vec<String> {
        let rows = transcript.rows(width);
        let window = standing.window(0, &rows, height);
        rows[window].iter().map(|row| transcript.text(row).to_string()).collect()
    }

    #[test]
    fn at_the_end_it_follows_and_above_it_stays() {
        let standing = Standing::default();
        assert_eq!(shown(&transcript(0..50), &standing, 80, 3).last().unwrap(), "line 49 ");
        assert_eq!(shown(&transcript(0..57), &standing, 80, 3).last().unwrap(), "line 56 ");
        standing.moved(Id::Up);
        let before = shown(&transcript(0..57), &standing, 80, 3);
        // The oldest lines go, and others come.
        assert_eq!(shown(&transcript(40..90), &standing, 80, 3), before);
        assert_eq!(standing.below(), 34);
        standing.moved(Id::Bottom);
        assert_eq!(
            shown(&transcript(40..91), &standing, 80, 3).last().unwrap(),
            "line 90 word word word word word word "
        );
    }

    #[test]
    fn what_is_read_and_falls_out_at_the_top_gives_way_to_the_oldest_there_is() {
        let standing = Standing::default();
        shown(&transcript(0..50), &standing, 80, 3);
        standing.moved(Id::Top);
        assert_eq!(shown(&transcript(0..50), &standing, 80, 3)[0], "line 0 ");
        assert_eq!(shown(&transcript(20..50), &standing, 80, 3)[0], "line 20 word word word word word word ");
    }

    proptest! {
        #[test]
        fn what_is_shown_stays_where_it_is_while_it_grows(
            moves in prop::collection::vec(0usize..4, 1..20), len in 10usize..80, grow in 0usize..80, drop in 0usize..5,
            width in 8usize..40,
        ) {
            let standing = Standing::default();
            shown(&transcript(0..len), &standing, width, 4);
            standing.moved(Id::Up);
            for step in moves {
                standing.moved([Id::Up, Id::HalfUp, Id::PageUp, Id::Down][step]);
                shown(&transcript(0..len), &standing, width, 4);
            }
            let before = shown(&transcript(0..len), &standing, width, 4);
            let paused = standing.below() > 0;
            let after = shown(&transcript(drop..len + grow), &standing, width, 4);
            let kept = before.iter().all(|row| !row.starts_with("line") || row.split(' ').nth(1).unwrap().parse::<usize>().unwrap() > drop + 4);
            prop_assert!(!paused || !kept || before == after, "{before:?} {after:?}");
        }
    }
}
