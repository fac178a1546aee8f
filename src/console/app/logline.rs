//! One line of a log as panes keep it.

use crate::clock::Wall;
use crate::log::{Level, Record};
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

impl LogLine {
    /// The lines of a record.
    pub fn of(record: Record) -> impl Iterator<Item = LogLine> {
        let mut lines = record.text.into_iter();
        let first = LogLine {
            file: record.file,
            time: record.time,
            near: record.near,
            level: record.level,
            component: record.component,
            thread: record.thread,
            source: record.source,
            text: lines.next().unwrap_or_default(),
            continued: false,
        };
        // Of most records there is one, which is not copied.
        let more: Vec<LogLine> =
            lines.map(|text| LogLine { text, continued: true, ..first.clone() }).collect();
        std::iter::once(first).chain(more)
    }
}
