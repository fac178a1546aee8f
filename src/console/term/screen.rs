//! What is on the screen and what should be: a frame is the difference, in one write.

use super::encode::encode;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::io::{self, Write};

/// The screen as it is believed to be.
pub struct Screen {
    shown: Buffer,
    /// What was shown before: the memory of the next frame.
    spare: Buffer,
    synchronized: bool,
    scrolls: bool,
}

/// A cell that nobody draws, so that everything differs from it.
fn unknown() -> Cell {
    let mut cell = Cell::new("?");
    cell.set_style(Style::new().add_modifier(Modifier::CROSSED_OUT));
    cell
}

impl Screen {
    /// A screen of which nothing is known.
    pub fn new(width: u16, height: u16, synchronized: bool) -> Screen {
        let shown = Buffer::filled(Rect::new(0, 0, width, height), unknown());
        Screen { shown, spare: Buffer::default(), synchronized, scrolls: false }
    }

    /// Whether the terminal moves rows by itself when it is told to.
    pub fn scrolling(self, scrolls: bool) -> Screen {
        Screen { scrolls, ..self }
    }

    /// Forgets what is on it: the next frame draws every cell.
    pub fn forget(&mut self, width: u16, height: u16) {
        self.shown = Buffer::filled(Rect::new(0, 0, width, height), unknown());
    }

    /// It was just cleared: what is blank needs no byte.
    pub fn cleared(&mut self, width: u16, height: u16) {
        self.shown = Buffer::empty(Rect::new(0, 0, width, height));
    }

    /// A frame to draw on, of this size. It may hold what an earlier one did.
    pub fn frame(&mut self) -> Buffer {
        let mut frame = std::mem::take(&mut self.spare);
        frame.resize(self.shown.area);
        frame
    }

    /// Shows a frame; writes nothing if that is what is shown already.
    ///
    /// # Errors
    /// The terminal does not take it.
    pub fn show(&mut self, frame: Buffer, out: &mut impl Write) -> io::Result<()> {
        if frame.area != self.shown.area {
            self.shown = Buffer::filled(frame.area, unknown());
        }
        let mut text = String::new();
        if self.synchronized {
            text.push_str(BEGIN);
        }
        let empty = text.len();
        encode(&self.shown, &frame, self.scrolls, &mut text);
        if text.len() == empty {
            self.spare = frame;
            return Ok(());
        }
        if self.synchronized {
            text.push_str(END);
        }
        self.spare = std::mem::replace(&mut self.shown, frame);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
