//! From two buffers to the fewest bytes that turn one into the other.

use super::scroll::{blank, find, rows};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// What the terminal's pen is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    mods: Modifier,
}

const PLAIN: Pen = Pen { fg: Color::Reset, bg: Color::Reset, mods: Modifier::empty() };

/// The modifiers that are drawn, with the numbers that turn them on.
const MODS: [(Modifier, u8); 5] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
];

/// Appends what turns `before` into `after`; nothing if they are the same. The pen is left plain. `scrolls`: the terminal
/// moves rows by itself.
pub fn encode(before: &Buffer, after: &Buffer, scrolls: bool, out: &mut String) {
    let from = out.len();
    let (shown, wanted) = (rows(before), rows(after));
    // Most rows are as they were, which is seen sooner than what differs in a row, and is looked at once.
    let mut changed: Vec<bool> = shown.iter().zip(&wanted).map(|(shown, wanted)| shown != wanted).collect();
    draw(&shown, after, &changed, out);
    if !scrolls || out.len() - from <= WORTH {
        return;
    }
    let Some(scroll) = find(&shown, &wanted, &changed) else { return };
    let mut other = String::new();
    scroll.write(&mut other);
    let blank = blank(after);
    let moved = scroll.of(&shown, &blank);
    scroll.rows().for_each(|y| changed[y] = moved[y] != wanted[y]);
    draw(&moved, after, &changed, &mut other);
    if other.len() < out.len() - from {
        out.replace_range(from.., &other);
    }
}

/// Fewer bytes are not worth looking for rows that moved: what has the terminal move them is about a third of that.
const WORTH: usize = 60;

/// The same without moving rows. `before`: those of the screen; `changed`: which of them differ.
fn draw(before: &[&[Cell]], after: &Buffer, changed: &[bool], out: &mut String) {
    let mut to = To { after, pen: PLAIN, at: None, erased: None, out };
    let wanted = rows(after);
    let pairs = before.iter().copied().zip(wanted).zip(changed);
    for (y, ((before, after), _)) in (after.area.y..).zip(pairs).filter(|(_, (_, changed))| **changed) {
        let area = Rect { y, height: 1, ..to.after.area };
        if is_narrow(before) && is_narrow(after) {
            let cells = (area.x..).zip(before.iter().zip(after));
            cells
                .filter(|(_, (before, after))| before != after)
                .for_each(|(x, (_, cell))| to.put(x, y, cell));
            continue;
        }
        let [mut before, after] = [before, after].map(|row| Buffer { area, content: row.to_vec() });
        // Where half of a wide character is written over, terminals differ on what becomes of the other half.
        for x in 1..before.content.len() {
            if before.content[x - 1].symbol().width() > 1 && after.content[x - 1].symbol().width() < 2 {
                before.content[x].modifier.insert(Modifier::CROSSED_OUT);
            }
        }
        for (x, y, cell) in before.diff_iter(&after) {
            to.put(x, y, cell);
        }
    }
    set_pen(&mut to.pen, PLAIN, to.out);
}

/// Whether no character of a row reaches over its own cell.
fn is_narrow(row: &[Cell]) -> bool {
    row.iter().all(|cell| cell.symbol().len() == 1 || cell.symbol().width() == 1)
}

/// A terminal on the way to what it is to show.
struct To<'a> {
    after: &'a Buffer,
    pen: Pen,
    /// Where it will put the next character.
    at: Option<(u16, u16)>,
    /// The row that was already erased to its end.
    erased: Option<u16>,
    out: &'a mut String,
}

impl To<'_> {
    fn put(&mut self, x: u16, y: u16, cell: &Cell) {
        if self.erased == Some(y) {
            return;
        }
        let (after, out, width) = (self.after, &mut *self.out, self.after.area.width);
        match self.at {
            Some((ax, ay)) if ay == y && ax == x => {}
            Some((ax, ay)) if ay == y && ax < x => {
                // A few cells that stay are as short as the jump over them.
                let between = (ax..x).map(|n| &after[(n, y)]);
                let same =
                    x - ax <= 3 && between.clone().all(|c| pen_of(c) == self.pen && c.symbol().len() == 1);
                if same {
                    between.for_each(|c| out.push_str(c.symbol()));
                } else {
                    let _ = write!(out, "\x1b[{}C", x - ax);
                }
            }
            _ => {
                let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1);
            }
        }
        if is_blank(cell) && x + 4 < width && (x..width).all(|n| is_blank(&after[(n, y)])) {
            set_pen(&mut self.pen, PLAIN, out);
            out.push_str("\x1b[K");
            self.erased = Some(y);
            self.at = Some((x, y));
            return;
        }
        set_pen(&mut self.pen, pen_of(cell), out);
        out.push_str(cell.symbol());
        let next = x + cell.symbol().width().max(1) as u16;
        // At the right edge terminals differ on where the cursor is.
        self.at = (next < width).then_some((next, y));
    }
}

fn pen_of(cell: &Cell) -> Pen {
    Pen { fg: cell.fg, bg: cell.bg, mods: cell.modifier }
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " "
        && cell.bg == Color::Reset
        && !cell.modifier.intersects(Modifier::UNDERLINED | Modifier::REVERSED)
}

fn set_pen(pen: &mut Pen, to: Pen, out: &mut String) {
    if *pen == to {
        return;
    }
    let mut codes = String::new();
    let mut code = |text: std::fmt::Arguments| {
        if !codes.is_empty() {
            codes.push(';');
        }
        let _ = codes.write_fmt(text);
    };
    let mut from = *pen;
    // Bold and dim are turned off together, so taking one away starts anew.
    if !to.mods.contains(from.mods) || to == PLAIN {
        code(format_args!("0"));
        from = PLAIN;
    }
    for (modifier, number) in MODS {
        if to.mods.contains(modifier) && !from.mods.contains(modifier) {
            code(format_args!("{number}"));
        }
    }
    if to.fg != from.fg {
        colour(to.fg, 30, &mut code);
    }
    if to.bg != from.bg {
        colour(to.bg, 40, &mut code);
    }
    if codes == "0" {
        out.push_str("\x1b[m");
    } else if !codes.is_empty() {
        let _ = write!(out, "\x1b[{codes}m");
    }
    *pen = to;
}

/// The 16 by their own short numbers, which every terminal knows; `base` is 30 for text and 40 for what is behind it.
fn colour(colour: Color, base: u8, code: &mut impl FnMut(std::fmt::Arguments)) {
    match colour {
        Color::Rgb(r, g, b) => code(format_args!("{};2;{r};{g};{b}", base + 8)),
        Color::Indexed(n) => code(format_args!("{};5;{n}", base + 8)),
        other => match ansi(other) {
            Some(n @ 0..8) => code(format_args!("{}", base + n)),
            Some(n) => code(format_args!("{}", base + 52 + n)),
            None => code(format_args!("{}", base + 9)),
        },
    }
}

/// A colour's number among the 16.
fn ansi(colour: Color) -> Option<u8> {
    crate::console::theme::ANSI.iter().position(|known| *known == colour).map(|n| n as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ratatui::style::Style;

    fn shown(parser: &vt100::Parser) -> String {
        parser.screen().contents()
    }

    #[test]
    fn nothing_changed_is_no_byte() {
        let buffer = Buffer::empty(Rect::new(0, 0, 20, 5));
        let mut out = String::new();
        encode(&buffer, &buffer.clone(), true, &mut out);
        assert_eq!(out, "");
    }

    #[test]
    fn a_terminal_shows_what_the_buffer_holds_whatever_came_before() {
        let area = Rect::new(0, 0, 24, 4);
        let mut before = Buffer::empty(area);
        let mut terminal = vt100::Parser::new(4.try_into().unwrap(), 24.try_into().unwrap(), 0);
        let texts = [
            ["one", "漢字 two", "", "end"],
            ["on", "a 漢字", "third line to the edge..", ""],
            ["", "", "", ""],
            ["漢漢漢漢漢漢漢漢漢漢漢漢", "x", "é e", "       mid"],
        ];
        for lines in texts {
            let mut after = Buffer::empty(area);
            for (y, line) in (0..).zip(lines) {
                let style = if y % 2 == 0 { Style::new() } else { Style::new().add_modifier(Modifier::BOLD) };
                after.set_string(0, y, line, style);
            }
            let mut out = String::new();
            encode(&before, &after, true, &mut out);
            terminal.process(out.as_bytes());
            let want: Vec<String> = lines.iter().map(|l| l.trim_end().to_owned()).collect();
            assert_eq!(shown(&terminal), want.join("\n").trim_end(), "{out:?}");
            before = after;
        }
    }

    #[test]
    fn what_is_left_of_a_wide_character_that_was_written_over_is_drawn() {
        let area = Rect::new(0, 0, 12, 1);
        let [mut before, mut after] = [Buffer::empty(area), Buffer::empty(area)];
        before.set_string(0, 0, "漢字 stays", Style::new());
        after.set_string(0, 0, "a", Style::new().bg(Color::Indexed(1)));
        after.set_string(2, 0, "字 stays", Style::new());
        let mut terminal = vt100::Parser::new(1.try_into().unwrap(), 12.try_into().unwrap(), 0);
        for (from, to) in [(&Buffer::empty(area), &before), (&before, &after)] {
            let mut out = String::new();
            encode(from, to, true, &mut out);
            terminal.process(out.as_bytes());
        }
        let [drawn, left, plain] = [0, 1, 11].map(|x| terminal.screen().cell(0, x).unwrap().bgcolor());
        assert!(drawn != plain && left == plain, "{drawn:?} {left:?} {plain:?}");
        assert_eq!(shown(&terminal), "a 字 stays");
    }
}
