//! Click and wheel, when the operator has turned them on: a click selects what was drawn there, or does what stands there,
//! the wheel moves it.

use super::data::Data;
use super::event::Effect;
use super::layout::{Spot, Tab};
use super::rows::Rows;
use super::state::App;
use super::view::{Focus, View};
use crate::console::keymap::commands::Id;

/// So many rows a notch.
const NOTCH: usize = 3;

impl App {
    pub(super) fn click(&mut self, x: u16, y: u16) -> Vec<Effect> {
        if self.typing() {
            return Vec::new();
        }
        self.message = None;
        let spots: Vec<Spot> = self.layout.at(x, y).collect();
        let mut effects = Vec::new();
        for spot in spots {
            match spot {
                Spot::Command(id) => effects.extend(self.command(id)),
                // What lies over a view wants to be closed, not clicked away.
                _ if !self.overlays.is_empty() => {}
                Spot::Tab(tab) => self.show_tab(tab),
                Spot::Pane(pane) => self.set_focus(pane),
                Spot::SiteRow(at) => self.rollout.click(at),
                Spot::Bar(at) => self.go_to_bar(at),
                Spot::Row(at) => match self.view {
                    View::Packages => self.packages.select(at, &self.data),
                    _ => self.overview.select(at, &self.data),
                },
            }
        }
        effects
    }

    /// Selects the first row of a group: in the list that is shown, else in that of all requests.
    fn show_tab(&mut self, tab: Tab) {
        let first = |rows: &Rows, data: &Data| rows.rows(data).iter().position(|row| tab.has(row));
        if self.view == View::Overview
            && let Some(at) = first(&self.overview, &self.data)
        {
            self.overview_focus = Focus::List;
            return self.overview.select(at, &self.data);
        }
        self.view = View::Packages;
        self.work_out();
        if let Some(at) = first(&self.packages, &self.data) {
            self.packages.select(at, &self.data);
        }
    }

    pub(super) fn wheel(&mut self, x: u16, y: u16, down: bool) -> Vec<Effect> {
        if self.typing() {
            return Vec::new();
        }
        let pane = self.layout.at(x, y).find_map(|spot| match spot {
            Spot::Pane(pane) => Some(pane),
            Spot::Row(_) | Spot::SiteRow(_) | Spot::Command(_) | Spot::Tab(_) | Spot::Bar(_) => None,
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
