//! One line of a log as panes keep it.

use crate::clock::Wall;
use crate::log::Level;
use crate::text::SafeText;

/// One record of a log, or one of its further lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Name of the file without its folder.
    pub file: SafeText,
    /// When, where the record says.
    pub time: Option<Wall>,
    /// The same, or that of the record above it in its file: where it stands among those of other files.
    pub near: Option<Wall>,
    /// How bad.
    pub level: Level,
    /// Who wrote it.
    pub component: SafeText,
    /// In which thread.
    pub thread: SafeText,
    /// From which place of its program, where the record says.
    pub source: SafeText,
    /// What.
    pub text: SafeText,
    /// It belongs to the record of the line before.
    pub continued: bool,
}
