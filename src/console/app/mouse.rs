//! Click and wheel, when the operator has turned them on: what was drawn where is told by whoever draws, a click selects
//! it, the wheel moves it.

use super::command::Id;
use super::{App, Focus};
use ratatui::layout::Rect;
use std::cell::RefCell;

/// Something that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// A pane of the overview, or of a view.
    Pane(Focus),
    /// The row of a list of requests, counted from the first one.
    Row(usize),
}

/// Where things were drawn, the topmost last.
#[derive(Debug, Default)]
pub struct Spots(RefCell<Vec<(Rect, Spot)>>);

impl Spots {
    /// A new frame.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Something was drawn here.
    pub fn add(&self, area: Rect, spot: Spot) {
        self.0.borrow_mut().push((area, spot));
    }

    fn at(&self, x: u16, y: u16) -> Vec<Spot> {
        let holds = |area: &Rect| area.contains((x, y).into());
        self.0.borrow().iter().rev().filter(|(area, _)| holds(area)).map(|(_, spot)| *spot).collect()
    }
}

/// So many rows a notch.
const NOTCH: usize = 3;

impl App {
    pub(super) fn click(&mut self, x: u16, y: u16) {
        // A dialog wants to be answered, not clicked away.
        if !self.overlays.is_empty() || self.typing() {
            return;
        }
        for spot in self.spots.at(x, y) {
            match spot {
                Spot::Pane(pane) => self.set_focus(pane),
                Spot::Row(at) => {
                    let (data, now) = (&self.data, self.now);
                    match self.view {
                        super::View::Packages => self.packages.select(at, data, now),
                        _ => self.overview.select(at, data, now),
                    }
                }
            }
        }
    }

    pub(super) fn wheel(&mut self, x: u16, y: u16, down: bool) {
        if self.typing() {
            return;
        }
        let pane = self.spots.at(x, y).into_iter().find_map(|spot| match spot {
            Spot::Pane(pane) => Some(pane),
            Spot::Row(_) => None,
        });
        // What is under the pointer moves, and the keys stay where they are.
        let before = self.focus();
        if let (true, Some(pane)) = (self.overlays.is_empty(), pane) {
            self.set_focus(pane);
        }
        for _ in 0..NOTCH {
            self.moved(if down { Id::Down } else { Id::Up });
        }
        self.set_focus(before);
    }

    fn set_focus(&mut self, pane: Focus) {
        match self.view {
            super::View::Overview => self.overview_focus = pane,
            super::View::History => self.audit_focus = pane == Focus::Second,
            _ => {}
        }
    }
}
