//! The screens of the console and the panes that can have the keys.

use crate::console::keymap::commands::Id;

/// A screen of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum View {
    Overview,
    Packages,
    Log,
    Who,
    Rollout,
    History,
    Readiness,
    Diagnostics,
}

impl View {
    /// The view that a command shows, if that is what it does.
    pub fn of(command: Id) -> Option<View> {
        Some(match command {
            Id::Overview => View::Overview,
            Id::Packages => View::Packages,
            Id::Log => View::Log,
            Id::Who => View::Who,
            Id::Rollout => View::Rollout,
            Id::History => View::History,
            Id::Readiness => View::Readiness,
            Id::Diagnostics => View::Diagnostics,
            _ => return None,
        })
    }

    /// Its name, as titles show it.
    pub fn title(self) -> &'static str {
        match self {
            View::Overview => "OVERVIEW",
            View::Packages => "PACKAGES",
            View::Log => "LOG",
            View::Who => "LOGGED ON",
            View::Rollout => "ROLLOUT",
            View::History => "HISTORY AND AUDIT",
            View::Readiness => "READINESS",
            View::Diagnostics => "DIAGNOSTICS",
        }
    }
}

/// The pane that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// A list of requests, or a view's first pane.
    List,
    /// Who is logged on, or a view's second pane.
    Second,
    /// A log.
    Log,
}

/// How deep the reader of view 5 is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All jobs, and the figures of the selected one.
    #[default]
    Jobs,
    /// The figures of one job.
    Job,
    /// The machines behind one of them.
    Machines,
    /// One of those.
    Machine,
}
