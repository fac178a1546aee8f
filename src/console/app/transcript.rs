//! What a run has written: its newest lines, wrapped for a width, and where the reader stands in them. The details show
//! it, live while it runs.

use super::layout::{Place, Window};
use crate::console::keymap::commands::Id;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::ops::Range;

/// The newest lines of a run's output.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Of which request.
    pub request: RequestId,
    /// Of which attempt.
    pub attempt: u32,
    /// Oldest first.
    pub lines: Vec<SafeText>,
    /// The number of the first line; a line keeps its number while others come and go.
    pub first: usize,
    /// Lines before those were left out.
    pub cut: bool,
    /// Why it cannot be read.
    pub fault: Option<SafeText>,
    /// Unlike that of every other reading: what was worked out of the lines holds as long as this stays.
    pub revision: u64,
}

/// A row on the screen: a line, or a part of one that is wider.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it is.
    pub place: Place,
    /// The part; None: the whole line.
    part: Option<SafeText>,
}

impl Transcript {
    /// Its rows at a width. Of hundreds of kilobytes that is more than a frame's work: whoever draws keeps them.
    pub fn rows(&self, width: usize) -> Vec<Row> {
        let width = width.max(1);
        let mut rows = Vec::with_capacity(self.lines.len());
        for (number, line) in (self.first..).zip(&self.lines) {
            if line.width() <= width {
                rows.push(Row { place: (number, 0), part: None });
                continue;
            }
            let parts = line.wrap(width).into_iter().enumerate();
            rows.extend(parts.map(|(n, part)| Row { place: (number, n), part: Some(part) }));
        }
        rows
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
    below: usize,
    /// The lowest row in the pane, while there are some below.
    held: Option<Place>,
    seen: Window,
}

impl Standing {
    /// The rows to be drawn when there is room for so many; `heads` are lines above them that scroll as well.
    pub fn window(&self, heads: usize, rows: &[Row], height: usize) -> Range<usize> {
        let len = heads + rows.len();
        let below = match self.held {
            // The row may have gone, or be a part of another width: then the last one before it.
            Some(place) => len - (heads + rows.partition_point(|row| row.place <= place)),
            None => self.below,
        };
        let end = len - below.min(len.saturating_sub(height));
        end.saturating_sub(height)..end
    }

    /// This part of it was drawn, and this was the lowest row.
    pub fn drawn(&mut self, window: Window, lowest: Option<Place>) {
        let Window { top, height, len } = window;
        self.below = len.saturating_sub(top + height);
        self.held = lowest.filter(|_| self.below > 0);
        self.seen = window;
    }

    /// Moves as a command says; false if it is no movement.
    pub fn moved(&mut self, id: Id) -> bool {
        let Window { height, len, .. } = self.seen;
        let (below, page) = (self.below, height.max(2) - 1);
        let below = match id {
            Id::Up => below + 1,
            Id::Down => below.saturating_sub(1),
            Id::PageUp => below + page,
            Id::PageDown => below.saturating_sub(page),
            Id::HalfUp => below + page.div_ceil(2),
            Id::HalfDown => below.saturating_sub(page.div_ceil(2)),
            Id::Top => len,
            Id::Bottom => 0,
            _ => return false,
        };
        self.below = below.min(len.saturating_sub(height));
        self.held = None;
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
        let request = "BP0000Y".parse().unwrap();
        Transcript { request, attempt: 1, lines, first, cut: false, fault: None, revision: 0 }
    }

    fn shown(transcript: &Transcript, standing: &mut Standing, width: usize, height: usize) -> Vec<String> {
        let rows = transcript.rows(width);
        let window = standing.window(0, &rows, height);
        let lowest = rows[..window.end].last().map(|row| row.place);
        standing.drawn(Window { top: window.start, height, len: rows.len() }, lowest);
        rows[window].iter().map(|row| transcript.text(row).to_string()).collect()
    }

    #[test]
    fn at_the_end_it_follows_and_above_it_stays() {
        let mut standing = Standing::default();
        assert_eq!(shown(&transcript(0..50), &mut standing, 80, 3).last().unwrap(), "line 49 ");
        assert_eq!(shown(&transcript(0..57), &mut standing, 80, 3).last().unwrap(), "line 56 ");
        standing.moved(Id::Up);
        let before = shown(&transcript(0..57), &mut standing, 80, 3);
        // The oldest lines go, and others come.
        assert_eq!(shown(&transcript(40..90), &mut standing, 80, 3), before);
        assert_eq!(standing.below, 34);
        standing.moved(Id::Bottom);
        assert_eq!(
            shown(&transcript(40..91), &mut standing, 80, 3).last().unwrap(),
            "line 90 word word word word word word "
        );
    }

    #[test]
    fn what_is_read_and_falls_out_at_the_top_gives_way_to_the_oldest_there_is() {
        let mut standing = Standing::default();
        shown(&transcript(0..50), &mut standing, 80, 3);
        standing.moved(Id::Top);
        assert_eq!(shown(&transcript(0..50), &mut standing, 80, 3)[0], "line 0 ");
        assert_eq!(
            shown(&transcript(20..50), &mut standing, 80, 3)[0],
            "line 20 word word word word word word "
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_stays_where_it_is_while_it_grows(
            moves in prop::collection::vec(0usize..4, 1..20), len in 10usize..80, grow in 0usize..80, drop in 0usize..5,
            width in 8usize..40,
        ) {
            let mut standing = Standing::default();
            shown(&transcript(0..len), &mut standing, width, 4);
            standing.moved(Id::Up);
            for step in moves {
                standing.moved([Id::Up, Id::HalfUp, Id::PageUp, Id::Down][step]);
                shown(&transcript(0..len), &mut standing, width, 4);
            }
            let before = shown(&transcript(0..len), &mut standing, width, 4);
            let paused = standing.below > 0;
            let after = shown(&transcript(drop..len + grow), &mut standing, width, 4);
            let kept = before.iter().all(|row| !row.starts_with("line") || row.split(' ').nth(1).unwrap().parse::<usize>().unwrap() > drop + 4);
            prop_assert!(!paused || !kept || before == after, "{before:?} {after:?}");
        }
    }
}
