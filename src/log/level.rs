//! How much a record matters.

use serde::{Deserialize, Serialize};

/// How much a record matters. In order, so that a filter is a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Type 0 of format E.
    Verbose,
    /// Type 1, and whatever says nothing else.
    Info,
    /// Type 2.
    Warning,
    /// Type 3.
    Error,
}

impl Level {
    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Level::Verbose => "verbose",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}
