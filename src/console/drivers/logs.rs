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
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
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

    /// Whether there is more to be had at once.
    fn behind(&self) -> bool;

    /// Whether there is something older than what was told: None if not, else whether [`Source::older`] has any of it.
    fn has_older(&self) -> Option<bool>;

    /// About so many of the records before those that were told, oldest first.
    fn older(&mut self, most: usize) -> Vec<Record>;
}

/// Starts the thread; what is sent to it asks for older lines.
///
/// # Errors
/// The system has no more threads.
pub fn start(
    open: impl FnOnce() -> Box<dyn Source> + Send + 'static,
    to: &Sender<Incoming>,
) -> std::io::Result<Sender<()>> {
    let (want, wanted) = channel::<()>();
    let to = to.clone();
    spawn("logs", move || {
        let mut source = open();
        let mut told = None;
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
            if source.has_older() != told {
                told = source.has_older();
                if !send(&to, Event::Older { lines: Vec::new(), more: told }) {
                    return;
                }
            }
            let wait = if source.behind() { Duration::ZERO } else { LOOK };
            match wanted.recv_timeout(wait) {
                Ok(()) => {
                    let lines = source.older(OLDER).into_iter().flat_map(split).collect();
                    told = source.has_older();
                    if !send(&to, Event::Older { lines, more: told }) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })?;
    Ok(want)
}

/// The lines of a record.
pub fn split(record: Record) -> Vec<LogLine> {
    let (file, time, near): (SafeText, Option<Wall>, Option<Wall>) = (record.file, record.time, record.near);
    let (component, thread, source) = (record.component, record.thread, record.source);
    let line = |(n, text): (usize, SafeText)| LogLine {
        file: file.clone(),
        time,
        near,
        level: record.level,
        component: component.clone(),
        thread: thread.clone(),
        source: source.clone(),
        text,
        continued: n > 0,
    };
    record.text.into_iter().enumerate().map(line).collect()
}

fn note(file: SafeText, text: SafeText) -> LogLine {
    let none = SafeText::default;
    LogLine {
        file,
        time: None,
        near: None,
        level: Level::Warning,
        component: none(),
        thread: none(),
        source: none(),
        text,
        continued: false,
    }
}

/// How many records of a file's end are shown at first.
const LAST: usize = 500;
/// How many older ones come at once.
const OLDER: usize = 2_000;

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

    fn behind(&self) -> bool {
        Follower::behind(self)
    }

    fn has_older(&self) -> Option<bool> {
        Follower::has_older(self)
    }

    fn older(&mut self, most: usize) -> Vec<Record> {
        Follower::older(self, most)
    }
}

/// What the configuration says is to be followed; else the logs in the log folder.
pub fn patterns(layout: &Layout, config: &Config) -> Vec<PathBuf> {
    let mut patterns: Vec<PathBuf> = config.log.files.iter().map(PathBuf::from).collect();
    if patterns.is_empty() {
        patterns.push(layout.log.join("*.LOG"));
    }
    patterns
}

/// Follows that.
pub fn follow(
    layout: &Layout,
    config: &Config,
    zone: Zone,
) -> impl FnOnce() -> Box<dyn Source> + Send + 'static {
    let patterns = patterns(layout, config);
    move || Box::new(Follower::open(&patterns, zoned(zone), LAST))
}
