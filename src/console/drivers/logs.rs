//! Follows the log files and hands their lines to the app, a record's further lines as lines of their own.

use super::{Input, send, spawn};
use crate::clock::{Wall, Zone};
use crate::console::app::{Event, LogLevel, LogLine};
use crate::config::Config;
use crate::host::paths::Layout;
use crate::log::follow::{self, Follower};
use crate::log::{Level, Record, zoned};
use crate::safe;
use crate::text::SafeText;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(300);

/// What a look at the files tells.
#[derive(Debug)]
pub enum News {
    /// A record.
    Record(Record),
    /// Something happened to a file that the reader should know.
    Note(SafeText),
}

/// Where records come from: the real follower, or a fake in tests.
pub trait Source: Send {
    /// What is new. Never waits.
    fn poll(&mut self) -> Vec<News>;
}

/// Starts the thread.
///
/// # Errors
/// The system has no more threads.
pub fn start(open: impl FnOnce() -> Box<dyn Source> + Send + 'static, to: &Sender<Input>) -> std::io::Result<()> {
    let to = to.clone();
    spawn("logs", move || {
        let mut source = open();
        loop {
            let mut lines = Vec::new();
            let mut note = None;
            for news in source.poll() {
                match news {
                    News::Record(record) => lines.extend(split(record)),
                    News::Note(text) => note = Some(text),
                }
            }
            // New lines make a note of what was before them old.
            let fresh = !lines.is_empty();
            if fresh && !send(&to, Event::Log(lines)) {
                return;
            }
            if let Some(note) = note
                && !send(&to, Event::LogNote(note))
            {
                return;
            }
            std::thread::sleep(LOOK);
        }
    })
}

fn split(record: Record) -> Vec<LogLine> {
    let level = match record.level {
        Level::Verbose => LogLevel::Verbose,
        Level::Info => LogLevel::Info,
        Level::Warning => LogLevel::Warning,
        Level::Error => LogLevel::Error,
    };
    let (file, time, component): (SafeText, Option<Wall>, SafeText) = (record.file, record.time, record.component);
    let line = |(n, text): (usize, SafeText)| LogLine {
        file: file.clone(),
        time,
        level,
        component: component.clone(),
        text,
        continued: n > 0,
    };
    record.text.into_iter().enumerate().map(line).collect()
}

/// How many records of a file's end are shown at first.
const LAST: usize = 500;

impl Source for Follower {
    fn poll(&mut self) -> Vec<News> {
        let news = |event| match event {
            follow::Event::Record(record) => News::Record(record),
            follow::Event::Rotated { file } => News::Note(safe!("{file} was rotated; what follows is a new file")),
            follow::Event::Truncated { file } => News::Note(safe!("{file} was cut; lines may be missing here")),
            follow::Event::Problem { file, message } => News::Note(safe!("{file}: {message}")),
        };
        Follower::poll(self).into_iter().map(news).collect()
    }
}

/// What the configuration says is to be followed; else the logs in the log folder.
pub fn follow(layout: &Layout, config: &Config, zone: Zone) -> impl FnOnce() -> Box<dyn Source> + Send + 'static {
    let mut patterns: Vec<PathBuf> = config.log.files.iter().map(PathBuf::from).collect();
    if patterns.is_empty() {
        patterns.push(layout.log.join("*.LOG"));
    }
    move || Box::new(Follower::open(&patterns, zoned(zone), LAST))
}
