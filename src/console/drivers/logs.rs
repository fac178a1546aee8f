//! Follows the log files and hands their lines to the app, a record's further lines as lines of their own.

use super::{Incoming, send};
use crate::clock::Zone;
use crate::config::Config;
use crate::console::app::{Event, LogLine};
use crate::console::threads::spawn;
use crate::host::paths::Layout;
use crate::host::tail::{Bell, Watch};
use crate::log::follow::{self, Follower, Pace};
use crate::log::{Level, Record, zoned};
use crate::safe;
use crate::text::SafeText;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, TryRecvError, channel};

/// Asks for older lines; the thread ends when this goes.
pub struct Want {
    want: Option<Sender<()>>,
    bell: Bell,
}

impl Want {
    /// Asks.
    pub fn older(&self) {
        if let Some(want) = &self.want {
            let _ = want.send(());
        }
        self.bell.ring();
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        self.want = None;
        self.bell.ring();
    }
}

/// Starts the thread.
///
/// # Errors
/// The system has no more threads, or nothing to wait with.
pub fn start(
    open: impl FnOnce() -> Follower + Send + 'static,
    to: &Sender<Incoming>,
) -> std::io::Result<Want> {
    let (want, wanted) = channel::<()>();
    let (watch, bell) = Watch::new()?;
    let to = to.clone();
    spawn("logs", move || {
        let (mut follower, mut pace) = (open(), Pace::new(watch));
        let (mut told, mut standing) = (None, Vec::new());
        loop {
            let came = in_turn(pace.poll(&mut follower));
            // Of a log that rushes by it would be another one each time.
            let rushes = came
                .iter()
                .any(|came| matches!(came, Event::Rush(all) if all.iter().any(|one| one.len() > FEW)));
            let stands = if rushes { Vec::new() } else { follower.standing() };
            let news = (stands != standing).then(|| Event::Standing(lines_that(&stands)));
            standing = stands;
            for came in came.into_iter().chain(news) {
                if !send(&to, came) {
                    return;
                }
            }
            if follower.has_older() != told {
                told = follower.has_older();
                if !send(&to, Event::Older { lines: Vec::new(), more: told }) {
                    return;
                }
            }
            pace.wait(&follower);
            loop {
                match wanted.try_recv() {
                    Ok(()) => {}
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
                let lines = follower.older(OLDER).into_iter().flat_map(split).collect();
                told = follower.has_older();
                if !send(&to, Event::Older { lines, more: told }) {
                    return;
                }
            }
        }
    })?;
    Ok(Want { want: Some(want), bell })
}

/// More records than these at once rush by.
const FEW: usize = 100;

/// The lines of records that are told again.
fn lines_that(stand: &[Record]) -> Vec<LogLine> {
    stand.iter().cloned().flat_map(split).collect()
}

/// What came, as it came: records as they stand, and lines.
fn in_turn(events: Vec<follow::Event>) -> Vec<Event> {
    let mut all = Vec::new();
    for event in events {
        match (event, all.last_mut()) {
            (follow::Event::Batch(batch), Some(Event::Rush(batches))) => batches.push(batch),
            (follow::Event::Batch(batch), _) => all.push(Event::Rush(vec![batch])),
            (other, Some(Event::Log(lines))) => lines.extend(lines_of(other)),
            (other, _) => all.push(Event::Log(lines_of(other))),
        }
    }
    all
}

/// The lines of a record, or what happened to a file, which stands where it happened.
fn lines_of(event: follow::Event) -> Vec<LogLine> {
    match event {
        follow::Event::Record(record) => split(record),
        follow::Event::Batch(batch) => batch.records().into_iter().flat_map(split).collect(),
        follow::Event::Rotated { file } => {
            vec![note(safe!("-- {file} was rotated, a new one follows --"), file)]
        }
        follow::Event::Truncated { file, copy: None } => {
            vec![note(safe!("-- {file} was cut; lines may be missing here --"), file)]
        }
        follow::Event::Truncated { file, copy: Some(copy) } => {
            let missing = "lines written after that copy may be missing";
            vec![note(safe!("-- {file} was cut after it was copied to {copy}; {missing} --"), file)]
        }
        follow::Event::Problem { file, message } => vec![note(safe!("-- {file}: {message} --"), file)],
    }
}

/// The lines of a record.
pub fn split(record: Record) -> Vec<LogLine> {
    LogLine::of(record).collect()
}

fn note(text: SafeText, file: SafeText) -> LogLine {
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

/// What the configuration says is to be followed; else the logs in the log folder.
pub fn patterns(layout: &Layout, config: &Config) -> Vec<PathBuf> {
    let mut patterns: Vec<PathBuf> = config.log.files.iter().map(PathBuf::from).collect();
    if patterns.is_empty() {
        patterns.push(layout.log.join("*.LOG"));
    }
    patterns
}

/// Follows that.
pub fn follow(layout: &Layout, config: &Config, zone: Zone) -> impl FnOnce() -> Follower + Send + 'static {
    let patterns = patterns(layout, config);
    move || Follower::open(&patterns, zoned(zone), LAST).raw()
}
