//! Click and wheel, when the operator has turned them on: a click selects what was drawn there, the wheel moves it.

use super::event::Effect;
use super::layout::Spot;
use super::state::App;
use super::view::{Focus, View};
use crate::console::keymap::commands::Id;

/// So many rows a notch.
const NOTCH: usize = 3;

impl App {
    pub(super) fn click(&mut self, x: u16, y: u16) {
        // A dialog wants to be answered, not clicked away.
        if !self.overlays.is_empty() || self.typing() {
            return;
        }
        let spots: Vec<Spot> = self.layout.at(x, y).collect();
        for spot in spots {
            match spot {
                Spot::Pane(pane) => self.set_focus(pane),
                Spot::Row(at) => match self.view {
                    View::Packages => self.packages.select(at, &self.data),
                    _ => self.overview.select(at, &self.data),
                },
            }
        }
    }

    pub(super) fn wheel(&mut self, x: u16, y: u16, down: bool) -> Vec<Effect> {
        if self.typing() {
            return Vec::new();
        }
        let pane = self.layout.at(x, y).find_map(|spot| match spot {
            Spot::Pane(pane) => Some(pane),
            Spot::Row(_) => None,
        });
        // What is under the pointer moves, and the keys stay where they are.
        let before = self.focus();
        if let (true, Some(pane)) = (self.overlays.is_empty(), pane) {
            self.set_focus(pane);
        }
        let effects = (0..NOTCH).flat_map(|_| self.moved(if down { Id::Down } else { Id::Up })).collect();
        self.set_focus(before);
        effects
    }

    fn set_focus(&mut self, pane: Focus) {
        match self.view {
            View::Overview => self.overview_focus = pane,
            View::History => self.audit_focus = pane == Focus::Second,
            _ => {}
        }
    }
}
