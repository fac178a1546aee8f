//! Follows the log files and hands their lines to the app, a record's further lines as lines of their own.

use super::{Incoming, send};
use crate::clock::{Wall, Zone};
use crate::config::Config;
use crate::console::app::{Event, LogLine};
use crate::console::threads::spawn;
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
    /// Something happened to a file that the reader should know; it stands where it happened.
    Note {
        /// Which.
        file: SafeText,
        /// What.
        text: SafeText,
    },
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
pub fn start(
    open: impl FnOnce() -> Box<dyn Source> + Send + 'static,
    to: &Sender<Incoming>,
) -> std::io::Result<()> {
    let to = to.clone();
    spawn("logs", move || {
        let mut source = open();
        loop {
            let mut lines = Vec::new();
            for news in source.poll() {
                match news {
                    News::Record(record) => lines.extend(split(record)),
                    News::Note { file, text } => lines.push(note(file, text)),
                }
            }
            if !lines.is_empty() && !send(&to, Event::Log(lines)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
    })
}

fn split(record: Record) -> Vec<LogLine> {
    let (file, time, near, component): (SafeText, Option<Wall>, Option<Wall>, SafeText) =
        (record.file, record.time, record.near, record.component);
    let line = |(n, text): (usize, SafeText)| LogLine {
        file: file.clone(),
        time,
        near,
        level: record.level,
        component: component.clone(),
        text,
        continued: n > 0,
    };
    record.text.into_iter().enumerate().map(line).collect()
}

fn note(file: SafeText, text: SafeText) -> LogLine {
    let component = SafeText::default();
    LogLine { file, time: None, near: None, level: Level::Warning, component, text, continued: false }
}

/// How many records of a file's end are shown at first.
const LAST: usize = 500;

impl Source for Follower {
    fn poll(&mut self) -> Vec<News> {
        let news = |event| match event {
            follow::Event::Record(record) => News::Record(record),
            follow::Event::Rotated { file } => {
                News::Note { text: safe!("-- {file} was rotated, a new one follows --"), file }
            }
            follow::Event::Truncated { file, copy: None } => {
                News::Note { text: safe!("-- {file} was cut; lines may be missing here --"), file }
            }
            follow::Event::Truncated { file, copy: Some(copy) } => {
                News::Note { text: safe!("-- {file} was cut after it was copied to {copy} --"), file }
            }
            follow::Event::Problem { file, message } => {
                News::Note { text: safe!("-- {file}: {message} --"), file }
            }
        };
        Follower::poll(self).into_iter().map(news).collect()
    }
}

/// What the configuration says is to be followed; else the logs in the log folder.
pub fn follow(
    layout: &Layout,
    config: &Config,
    zone: Zone,
) -> impl FnOnce() -> Box<dyn Source> + Send + 'static {
    let mut patterns: Vec<PathBuf> = config.log.files.iter().map(PathBuf::from).collect();
    if patterns.is_empty() {
        patterns.push(layout.log.join("*.LOG"));
    }
    move || Box::new(Follower::open(&patterns, zoned(zone), LAST))
}
