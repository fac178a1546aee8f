//! What the newest frame had room for, as drawing tells it. It comes back to the app as an event: pages are moved by what
//! is seen, and a click is on what was drawn there.

use super::view::{Focus, Level};
use crate::console::keymap::commands::Id;
use crate::executor::talk::view::RequestDoc;
use crate::terms::Group;
use ratatui::layout::Rect;
use std::ops::Range;

/// Something that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// A pane of the overview, or of a view.
    Pane(Focus),
    /// The row of a list of requests, counted from the first one.
    Row(usize),
    /// What stands for a command: clicked, it is as if its key were pressed.
    Command(Id),
    /// The row of view 5, counted from the first one of its level.
    SiteRow(usize),
    /// The name of a group of requests.
    Tab(Tab),
    /// A column of the histogram.
    Bar(usize),
}

/// A name in the line of groups, with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Of this group, without what failed.
    Group(Group),
    /// What ended without success.
    Failed,
}

impl Tab {
    /// Whether a row is counted under it.
    pub fn has(self, row: &RequestDoc) -> bool {
        match self {
            Tab::Failed => row.state.is_failure(),
            Tab::Group(group) => row.group == group && !row.state.is_failure(),
        }
    }
}

/// What moves when there is more of it than room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The list of requests of this view.
    Requests,
    /// Who is logged on.
    Who,
    /// The attempts of the history view.
    Attempts,
    /// Its audit.
    Audit,
    /// What this level of view 5 lists.
    Site(Level),
    /// The checklist.
    Readiness,
    /// The log.
    Log,
    /// The text or list of a layer over the view, counted from the lowest.
    Layer(usize),
    /// The transcript in the details; with the lowest row that was drawn.
    Transcript(Option<Place>),
}

/// The place of a transcript's row: the number of its line, and which of the line's parts it is.
pub type Place = (usize, usize);

/// Which part of a pane was drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first row that was drawn.
    pub top: usize,
    /// For so many rows there was room.
    pub height: usize,
    /// So many rows there are.
    pub len: usize,
}

/// Everything that a frame tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The topmost last.
    spots: Vec<(Rect, Spot)>,
    /// Each pane that was drawn, once.
    pub windows: Vec<(Pane, Window)>,
}

impl Layout {
    /// Something that can be clicked was drawn here.
    pub fn spot(&mut self, area: Rect, spot: Spot) {
        self.spots.push((area, spot));
    }

    /// These rows of a pane were drawn, of so many, where there was room for so many.
    pub fn window(&mut self, pane: Pane, rows: &Range<usize>, height: usize, len: usize) {
        self.windows.push((pane, Window { top: rows.start, height, len }));
    }

    /// What was drawn at a place, the topmost first.
    pub fn at(&self, x: u16, y: u16) -> impl Iterator<Item = Spot> + '_ {
        let holds = move |area: &Rect| area.contains((x, y).into());
        self.spots.iter().rev().filter(move |(area, _)| holds(area)).map(|(_, spot)| *spot)
    }
}
