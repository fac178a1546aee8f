//! Rows that only moved between two frames: the terminal moves them itself, within a region of its rows, and what is left
//! to be drawn is what came in beside them. As `ind`, `ri` and `csr` of the terminals of [`super::caps`] say: LF in the
//! last row of a region moves its rows up, ESC M in the first moves them down; the rows that come in are blank in the pen's
//! background, so the pen is plain; where the cursor is after the region was set is not relied on.

use ratatui::buffer::{Buffer, Cell};
use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::RangeInclusive;

/// What setting a region and giving it up costs, in cells that would otherwise be drawn.
const COST: i32 = 24;
/// The same for a row that is drawn at all.
const ROW: i32 = 6;

/// Without columns there are no rows either.
fn width(buffer: &Buffer) -> usize {
    usize::from(buffer.area.width.max(1))
}

/// The rows of a screen.
pub fn rows(buffer: &Buffer) -> Vec<&[Cell]> {
    buffer.content.chunks(width(buffer)).collect()
}

/// A row of it with nothing in it.
pub fn blank(buffer: &Buffer) -> Vec<Cell> {
    vec![Cell::EMPTY; width(buffer)]
}

/// Rows from `top` to `bottom` that move up by so many, or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scroll {
    top: usize,
    bottom: usize,
    up: bool,
    by: usize,
}

/// What is to be moved, if that spares more than it costs. Never the first row: what leaves a region that begins there
/// goes to what some terminals keep of what was above their screen. `changed`: which rows differ.
pub fn find(before: &[&[Cell]], after: &[&[Cell]], changed: &[bool]) -> Option<Scroll> {
    let first = (1..after.len()).find(|y| changed[*y])?;
    let last = (first..after.len()).rfind(|y| changed[*y])?;
    let (up, by) = commonest(before, after, (first..=last).filter(|y| changed[*y]))?;
    let blank = vec![Cell::EMPTY; after.first()?.len()];
    // What it spares to have another row moved to one, and a blank one.
    let moved =
        |y: usize| cost(before[y], after[y]) - cost(before[if up { y + by } else { y - by }], after[y]);
    let mut bared = vec![0; first + 1];
    for y in first..=last {
        bared.push(bared[y] + cost(before[y], after[y]) - cost(&blank, after[y]));
    }
    let bared = |from: usize, to: usize| bared[to] - bared[from];
    // The stretch that spares most, with the rows that are bared: behind it if it moves up, else before it.
    let (mut best, mut sum, mut begin) = (None, i32::MIN / 2, 0);
    for y in if up { first..last + 1 - by } else { first + by..last + 1 } {
        let anew = if up { 0 } else { bared(y - by, y) };
        if anew >= sum {
            (sum, begin) = (anew, y);
        }
        sum += moved(y);
        let spared = sum + if up { bared(y + 1, y + 1 + by) } else { 0 };
        if spared > best.map_or(COST, |(most, _)| most) {
            let (top, bottom) = if up { (begin, y + by) } else { (begin - by, y) };
            best = Some((spared, Scroll { top, bottom, up, by }));
        }
    }
    best.map(|(_, scroll)| scroll)
}

/// By how much most of these rows have moved, of those that are not blank. What has moved has changed where it stood: of
/// each key most rows stay, and are not even looked at.
fn commonest(
    before: &[&[Cell]],
    after: &[&[Cell]],
    changed: impl Iterator<Item = usize> + Clone,
) -> Option<(bool, usize)> {
    let blank = print(&vec![Cell::EMPTY; after.first()?.len()]);
    // Where a text stood; of one that stood in several rows nobody can say which of them it was.
    let mut places: HashMap<u64, Option<usize>, BuildHasherDefault<Same>> = HashMap::default();
    for y in changed.clone() {
        places.entry(print(before[y])).and_modify(|place| *place = None).or_insert(Some(y));
    }
    let mut votes: HashMap<(bool, usize), usize, BuildHasherDefault<Same>> = HashMap::default();
    for y in changed {
        let text = print(after[y]);
        if let Some(Some(from)) = places.get(&text).filter(|_| text != blank)
            && *from != y
        {
            *votes.entry((*from > y, from.abs_diff(y))).or_default() += 1;
        }
    }
    // Of as many the shorter way, so that the same frames are always turned into the same bytes.
    votes.into_iter().max_by_key(|((up, by), votes)| (*votes, usize::MAX - by, *up)).map(|(way, _)| way)
}

/// A row's text as a number.
fn print(row: &[Cell]) -> u64 {
    let bytes = row.iter().flat_map(|cell| cell.symbol().bytes());
    bytes.fold(0, |hash, byte| (hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95))
}

/// Numbers that were mixed already stand for themselves.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(8) ^ n;
    }
}

/// What it costs to turn one row into another, about.
fn cost(from: &[Cell], to: &[Cell]) -> i32 {
    let cells = from.iter().zip(to).filter(|(from, to)| from != to).count();
    // A row has no more than 65,535 cells.
    if cells == 0 { 0 } else { i32::try_from(cells).unwrap_or(i32::MAX / 2) + ROW }
}

impl Scroll {
    /// The rows that it concerns.
    pub fn rows(self) -> RangeInclusive<usize> {
        self.top..=self.bottom
    }

    /// What stands on the screen afterwards, where these rows stood.
    pub fn of<'a>(self, before: &[&'a [Cell]], blank: &'a [Cell]) -> Vec<&'a [Cell]> {
        let mut moved = before.to_vec();
        let region = &mut moved[self.rows()];
        let len = region.len();
        if self.up {
            region.rotate_left(self.by);
            region[len - self.by..].fill(blank);
        } else {
            region.rotate_right(self.by);
            region[..self.by].fill(blank);
        }
        moved
    }

    /// What has the terminal do it, with a plain pen. Where its cursor is then is not known.
    pub fn write(self, out: &mut String) {
        let Scroll { top, bottom, up, by } = self;
        let (at, one) = if up { (bottom, "\n") } else { (top, "\x1bM") };
        let _ = write!(out, "\x1b[{};{}r\x1b[{};1H{}\x1b[r", top + 1, bottom + 1, at + 1, one.repeat(by));
    }
}

#[cfg(test)]
#[path = "tests/scroll.rs"]
mod tests;
