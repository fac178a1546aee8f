//! The surface that panes draw on: lines of words, rules and fills inside an area. It cuts what does not fit and says
//! so, and it never draws outside its area.

use super::glyphs::Glyphs;
use super::line::{Line, Word, cells, fit};
use crate::console::app::layout::{Layout, Pane};
use crate::console::app::list::Scroll;
use crate::console::keymap::Keymap;
use crate::console::keymap::commands::Id;
use crate::console::theme::{Scope, Theme};
use crate::safe;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A buffer with the look of everything.
pub struct Canvas<'a> {
    /// What becomes of the next frame.
    pub buffer: &'a mut Buffer,
    /// Styles.
    pub theme: &'a Theme,
    /// Symbols.
    pub glyphs: &'static Glyphs,
    /// The keys, for what says how to go on.
    pub keymap: &'a Keymap,
    /// What was drawn where, and how much of it.
    pub layout: Layout,
    /// Which layer over the view is drawn, counted from the lowest.
    pub layer: usize,
}

impl Canvas<'_> {
    /// The whole of it.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Gives a whole area one style and blanks.
    pub fn fill(&mut self, area: Rect, scope: Scope) {
        let (area, style) = (area.intersection(self.buffer.area), self.whole(scope));
        if area.is_empty() {
            return;
        }
        let mut blank = Cell::EMPTY;
        blank.set_style(style);
        for y in area.top()..area.bottom() {
            let row = self.buffer.index_of(area.left(), y);
            self.buffer.content[row..row + usize::from(area.width)].fill(blank.clone());
        }
    }

    /// Gives an area a style and leaves its characters.
    pub fn paint(&mut self, area: Rect, scope: Scope) {
        let (area, style) = (area.intersection(self.buffer.area), self.whole(scope));
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    let symbol = cell.symbol().to_owned();
                    cell.reset();
                    cell.set_symbol(&symbol).set_style(style);
                }
            }
        }
    }

    /// The style of a scope.
    pub fn style(&self, scope: Scope) -> Style {
        self.theme.style(scope)
    }

    /// The same where nothing lies behind it but the background.
    fn whole(&self, scope: Scope) -> Style {
        self.style(Scope::Background).patch(self.style(scope))
    }

    /// One word at a place, cut at `right`; returns the column after it.
    pub fn word(&mut self, x: u16, y: u16, right: u16, word: &Word, scope: Scope) -> u16 {
        let style = self.style(scope);
        self.styled(x, y, right, word.as_str(), style)
    }

    fn styled(&mut self, mut x: u16, y: u16, right: u16, text: &str, style: Style) -> u16 {
        let right = right.min(self.buffer.area.right());
        let style = Style { fg: style.fg.or(self.style(Scope::Background).fg), ..style };
        if y >= self.buffer.area.bottom() || y < self.buffer.area.top() {
            return x;
        }
        if text.is_ascii() {
            // Nearly all there is: a byte a cell.
            let room = usize::from(right.saturating_sub(x)).min(text.len());
            if room > 0 && x >= self.buffer.area.left() {
                let from = self.buffer.index_of(x, y);
                for (at, cell) in self.buffer.content[from..from + room].iter_mut().enumerate() {
                    write(cell, &text[at..=at], style);
                }
            }
            return x + room as u16;
        }
        for cluster in text.graphemes(true) {
            let width = cluster.width() as u16;
            if width == 0 {
                continue;
            }
            if x + width > right {
                break;
            }
            if self.glyphs.ascii && !cluster.is_ascii() {
                for _ in 0..width {
                    self.put(x, y, "?", style);
                    x += 1;
                }
                continue;
            }
            self.put(x, y, cluster, style);
            // What a wide cluster covers is not a cell of its own.
            for covered in x + 1..x + width {
                self.put(covered, y, " ", style);
            }
            x += width;
        }
        x
    }

    /// One cell: its style is its own, only the background may be what lies there.
    fn put(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            write(cell, symbol, style);
        }
    }

    /// One line at the top of an area; the rest of that line keeps what it has, or takes the line's own style.
    pub fn line(&mut self, area: Rect, line: &Line) {
        if area.height == 0 || area.width == 0 {
            return;
        }
        let right = area.right();
        let mut x = area.x;
        let cut_at = usize::from(area.width);
        if line.width() > cut_at {
            let mut room = cut_at;
            for (word, scope) in &line.words {
                let width = cells(word.as_str());
                if width < room {
                    x = self.word(x, area.y, right, word, *scope);
                    room -= width;
                } else {
                    let (text, _) = fit_always(word.as_str(), room, self.glyphs.cut);
                    let style = self.style(*scope);
                    self.styled(x, area.y, right, &text, style);
                    break;
                }
            }
        } else {
            for (word, scope) in &line.words {
                x = self.word(x, area.y, right, word, *scope);
            }
        }
        if let Some(over) = line.over {
            self.paint(Rect { height: 1, ..area }, over);
        }
    }

    /// Lines from the top of an area down, as many as fit; returns how many were drawn.
    pub fn lines(&mut self, area: Rect, lines: &[Line]) -> u16 {
        let shown = lines.len().min(usize::from(area.height)) as u16;
        for (row, line) in (0..shown).zip(lines) {
            self.line(Rect { y: area.y + row, height: 1, ..area }, line);
        }
        shown
    }

    /// A rule over the width of an area, with words on it at the left and at the right.
    pub fn rule(&mut self, area: Rect, left: &Line, right: &Line, focus: bool) {
        if area.height == 0 {
            return;
        }
        let scope = if focus { Scope::RuleFocus } else { Scope::Rule };
        let style = self.style(scope);
        for x in area.left()..area.right() {
            self.styled(x, area.y, area.right(), self.glyphs.horizontal, style);
        }
        let room = area.width.saturating_sub(4);
        let left_width = (left.width() as u16).min(room);
        if left_width > 0 {
            let at = Rect { x: area.x + 2, width: left_width + 2, ..area };
            self.line(Rect { height: 1, ..at }, &Line::of(" ", scope).join(left.clone()).add(" ", scope));
        }
        let right_width = right.width() as u16;
        if right_width > 0 && left_width + right_width + 10 <= area.width {
            let at = Rect { x: area.right() - right_width - 4, width: right_width + 2, ..area };
            self.line(Rect { height: 1, ..at }, &Line::of(" ", scope).join(right.clone()).add(" ", scope));
        }
    }

    /// A line down the left edge of an area.
    pub fn edge(&mut self, area: Rect) {
        let style = self.style(Scope::Rule);
        for y in area.top()..area.bottom() {
            self.styled(area.x, y, area.x + 1, self.glyphs.vertical, style);
        }
    }

    /// The lines of this layer's text to be drawn, of so many, in an inside of this height.
    pub fn scrolled(&mut self, scroll: &Scroll, len: usize, height: u16) -> Range<usize> {
        let window = scroll.window(len, usize::from(height));
        self.layout.window(Pane::Layer(self.layer), &window, usize::from(height), len);
        window
    }

    /// A framed text in the middle of the body, as much of it as its place allows and the reader has moved to.
    pub fn text(&mut self, body: Rect, width: u16, title: &Line, scroll: &Scroll, lines: &[Line]) {
        let area = centred(body, width, (lines.len() as u16 + 2).min(body.height));
        let inside = self.frame(area, title);
        let window = self.scrolled(scroll, lines.len(), inside.height);
        self.below(area, lines.len() - window.end);
        self.lines(inside, &lines[window]);
    }

    /// Says on the lower edge of a box how much more there is below.
    pub fn below(&mut self, area: Rect, rest: usize) {
        if rest > 0 && area.width > 4 && area.height > 0 {
            let key = self.keymap.hint(Id::PageDown);
            let more = safe!(" {} {rest} more, {key} ", self.glyphs.more[1]);
            let edge = Rect { x: area.x + 2, y: area.bottom() - 1, width: area.width - 4, height: 1 };
            self.line(edge, &Line::of(more, Scope::DialogBorder));
        }
    }

    /// A framed box, emptied, with its name in the frame; returns its inside.
    pub fn frame(&mut self, area: Rect, title: &Line) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.fill(area, Scope::Dialog);
        if area.width < 4 || area.height < 3 {
            return Rect { width: 0, height: 0, ..area };
        }
        let border = self.style(Scope::DialogBorder);
        let [tl, tr, bl, br] = self.glyphs.corners;
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        for x in area.left()..=right {
            self.styled(x, area.top(), right + 1, self.glyphs.horizontal, border);
            self.styled(x, bottom, right + 1, self.glyphs.horizontal, border);
        }
        for y in area.top()..=bottom {
            self.styled(area.left(), y, right + 1, self.glyphs.vertical, border);
            self.styled(right, y, right + 1, self.glyphs.vertical, border);
        }
        for (x, y, corner) in [
            (area.left(), area.top(), tl),
            (right, area.top(), tr),
            (area.left(), bottom, bl),
            (right, bottom, br),
        ] {
            self.styled(x, y, right + 1, corner, border);
        }
        let name = Line::of(" ", Scope::DialogBorder).join(title.clone()).add(" ", Scope::DialogBorder);
        let room = area.width - 4;
        self.line(Rect { x: area.x + 2, width: room.min(name.width() as u16), height: 1, ..area }, &name);
        Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
    }
}

/// See [`Canvas::put`].
fn write(cell: &mut Cell, symbol: &str, style: Style) {
    let mut new = Cell::EMPTY;
    // A cell without a symbol is a blank.
    if symbol != " " {
        new.set_symbol(symbol);
    }
    new.fg = style.fg.unwrap_or(new.fg);
    new.bg = style.bg.unwrap_or(cell.bg);
    new.modifier = style.add_modifier.difference(style.sub_modifier);
    *cell = new;
}

/// Like [`fit`], and with the mark even where the text itself would just fit: more follows it.
fn fit_always(text: &str, width: usize, cut: &str) -> (String, usize) {
    if text.width() > width {
        return fit(text, width, cut);
    }
    let (text, used) = fit(text, width.saturating_sub(cut.width()), "");
    (format!("{text}{cut}"), used + cut.width())
}

/// How wide a dialog is: as wide as it likes, or the whole width where only rags would be left beside it.
pub fn dialog_width(area: Rect, liked: u16) -> u16 {
    if area.width < liked + 12 { area.width } else { liked }
}

/// An area in the middle of another, no larger than that.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
