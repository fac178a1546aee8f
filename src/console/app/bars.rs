//! The histogram of errors and warnings over the log view: its columns, and going from one to its lines.

use super::state::App;
use super::view::View;
use super::whole::Spot;
use crate::clock::Wall;
use crate::console::keymap::Key;
use crate::log::histogram::{Bucket, narrow};
use crate::safe;

/// What stands to the right of the bars: the time of their ends, and of one of them.
pub const BESIDE: u16 = 24;
/// From this width on there is room for that.
const WITH_BESIDE: u16 = 60;
/// From this size on they are drawn.
const LEAST: (u16, u16) = (20, 17);
/// What stands to the left of them.
pub const BEFORE: u16 = 3;

impl App {
    /// For so many cells there is room to the right of the bars.
    pub fn beside_bars(&self) -> u16 {
        if self.size.0 >= WITH_BESIDE { BESIDE } else { 0 }
    }

    /// Whether there is room for the bars over the log view.
    pub fn has_room_for_bars(&self) -> bool {
        self.size.0 >= LEAST.0 && self.size.1 >= LEAST.1
    }

    fn columns(&self) -> usize {
        usize::from(self.size.0.saturating_sub(BEFORE + self.beside_bars()).max(1))
    }

    /// The columns as they are drawn: of all of the file that is looked at, where that was gone through; else of the lines
    /// that are here.
    pub fn bars(&self) -> Vec<Bucket> {
        let stats = self.known_file().filter(|stats| !stats.bars.is_empty());
        let here = || self.log.histogram(self.columns());
        stats.map_or_else(here, |stats| narrow(&stats.bars, self.columns()))
    }

    /// What the columns are worked out of: as long as it stays, they do.
    pub fn bars_of(&self) -> (bool, u64, usize) {
        let stats = self.known_file().filter(|stats| !stats.bars.is_empty());
        let revision = stats.map_or_else(|| self.log.revision(), |stats| stats.read);
        (stats.is_some(), revision, self.columns())
    }

    /// Begins to choose one: that of the line at which one is.
    pub(super) fn choose_bar(&mut self) {
        let bars = self.bars();
        let here = self.log_pane().here_at();
        let of = |at: Wall| bars.partition_point(|bar| bar.from <= at).saturating_sub(1);
        let at = here.map_or(bars.len().saturating_sub(1), of);
        self.log_pane_mut().bar = (!bars.is_empty()).then_some(at);
    }

    /// Takes a key while one is chosen.
    pub(super) fn typed_bar(&mut self, key: Key) {
        let bars = self.bars();
        let Some(at) = self.log_pane().bar.map(|at| at.min(bars.len().saturating_sub(1))) else { return };
        let bad = |at: &usize| bars.get(*at).is_some_and(|bar| bar.errors + bar.warnings > 0);
        let to = match key {
            Key::Left => at.saturating_sub(1),
            Key::Right => (at + 1).min(bars.len().saturating_sub(1)),
            Key::Up => (0..at).rev().find(bad).unwrap_or(at),
            Key::Down => (at + 1..bars.len()).find(bad).unwrap_or(at),
            Key::Home => 0,
            Key::End => bars.len().saturating_sub(1),
            Key::Enter => return self.go_to_bar(at),
            Key::Esc | Key::Ctrl('c') => {
                self.log_pane_mut().bar = None;
                return;
            }
            _ => at,
        };
        self.log_pane_mut().bar = Some(to);
    }

    /// To the first line of this column.
    pub(super) fn go_to_bar(&mut self, at: usize) {
        let from = self.bars().get(at).map(|bar| bar.from);
        let pane = self.log_pane_mut();
        pane.bar = None;
        let said = from.and_then(|from| pane.go(Spot::Time(from)));
        if let Some(said) = said {
            self.say(safe!("{said}"), false);
        }
    }

    /// Whether there are columns to choose from.
    pub(super) fn has_bars(&self) -> bool {
        self.view == View::Log && self.log_faults() != (0, 0) && self.bars().len() > 1
    }
}
