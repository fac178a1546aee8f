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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Asks for older lines; the thread ends when this goes.
pub struct Want {
    want: Option<Sender<()>>,
    bell: Bell,
    ahead: Arc<Ahead>,
}

/// So many bytes of lines are sent before they are taken: what else was written stays in its files, and does not wait in memory
/// while the console is busy, or away from the screen.
const MOST_AHEAD: usize = 8 << 20;
/// What a line takes beside its text.
const LINE: usize = 256;

/// How much was sent and not taken yet.
#[derive(Default)]
struct Ahead {
    state: Mutex<Sent>,
    changed: Condvar,
}

#[derive(Default)]
struct Sent {
    bytes: usize,
    /// The thread waits until some of it is taken.
    waits: bool,
    over: bool,
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, Sent> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Sent)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until there is room for more. False: nobody wants any.
    fn has_room(&self) -> bool {
        let mut state = self.state();
        while state.bytes > MOST_AHEAD && !state.over {
            state.waits = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waits = false;
        !state.over
    }
}

/// What lines take while they wait.
fn bytes_of(event: &Event) -> usize {
    match event {
        Event::Rush(batches) => batches.iter().map(|batch| batch.size() + batch.len() * LINE).sum(),
        Event::Log(lines) | Event::Standing(lines) => {
            lines.iter().map(|line| line.text.as_str().len() + LINE).sum()
        }
        _ => 0,
    }
}

impl Want {
    /// Asks.
    pub fn older(&self) {
        if let Some(want) = &self.want {
            let _ = want.send(());
        }
        self.bell.ring();
    }

    /// This was taken: others may follow.
    pub fn taken(&self, event: &Event) {
        let bytes = bytes_of(event);
        if bytes > 0 {
            self.ahead.change(|sent| sent.bytes = sent.bytes.saturating_sub(bytes));
        }
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        self.want = None;
        self.ahead.change(|sent| sent.over = true);
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
    let (to, ahead) = (to.clone(), Arc::new(Ahead::default()));
    let counted = Arc::clone(&ahead);
    spawn("logs", move || {
        let (mut follower, mut pace) = (open(), Pace::new(watch));
        let (mut told, mut standing) = (None, Vec::new());
        loop {
            if !counted.has_room() {
                return;
            }
            let came = in_turn(pace.poll(&mut follower));
            // Of a log that rushes by it would be another one each time.
            let rushes = came
                .iter()
                .any(|came| matches!(came, Event::Rush(all) if all.iter().any(|one| one.len() > FEW)));
            let stands = if rushes { Vec::new() } else { follower.standing() };
            let news = (stands != standing).then(|| Event::Standing(lines_that(&stands)));
            standing = stands;
            // Before what came: a frame between the two shows no line twice, once among the others and once as it stood.
            for came in news.into_iter().chain(came) {
                counted.change(|sent| sent.bytes += bytes_of(&came));
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
    Ok(Want { want: Some(want), bell, ahead })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::mpsc::Receiver;
    use std::time::{Duration, Instant};

    fn lines(event: &Event) -> usize {
        match event {
            Event::Rush(batches) => batches.iter().map(|batch| batch.len()).sum(),
            Event::Log(lines) => lines.len(),
            _ => 0,
        }
    }

    /// An empty log that the thread follows.
    struct Followed {
        _dir: tempfile::TempDir,
        log: PathBuf,
        want: Want,
        from: Receiver<Incoming>,
    }

    fn followed() -> Followed {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("A.LOG");
        std::fs::write(&log, "").unwrap();
        let (to, from) = channel();
        let mut follower = Follower::open(std::slice::from_ref(&log), zoned(Zone::utc()), 0).raw();
        assert!(follower.poll(Duration::ZERO).is_empty());
        let want = start(move || follower, &to).unwrap();
        Followed { _dir: dir, log, want, from }
    }

    /// Everything until the thread waits for somebody to take it, or so many lines.
    fn until(from: &Receiver<Incoming>, ahead: &Ahead, most: usize) -> Vec<Event> {
        let mut all = Vec::new();
        let by = Instant::now() + Duration::from_secs(60);
        while all.iter().map(lines).sum::<usize>() < most && Instant::now() < by {
            match from.recv_timeout(Duration::from_millis(20)) {
                Ok(Incoming::Event(event)) => all.push(event),
                Ok(_) => {}
                Err(_) if ahead.state().waits => break,
                Err(_) => {}
            }
        }
        all.extend(from.try_iter().filter_map(|one| match one {
            Incoming::Event(event) => Some(event),
            _ => None,
        }));
        all
    }

    #[test]
    fn what_nobody_takes_stays_in_its_file_and_comes_once_it_is_taken() {
        const ALL: usize = 300_000;
        let Followed { log, from, want, .. } = &followed();
        let text: String =
            (0..ALL).map(|n| format!("2026-11-30 12:00:00 line {n:08} of a log that rushes by\n")).collect();
        std::fs::write(log, &text).unwrap();
        let first = until(from, &want.ahead, ALL);
        let bytes: usize = first.iter().map(bytes_of).sum();
        assert!(bytes > MOST_AHEAD && bytes < 4 * MOST_AHEAD, "{bytes}");
        let mut came: usize = first.iter().map(lines).sum();
        assert!(came < ALL, "{came}");
        first.iter().for_each(|event| want.taken(event));
        let by = Instant::now() + Duration::from_secs(60);
        while came < ALL && Instant::now() < by {
            let more = until(from, &want.ahead, ALL - came);
            more.iter().for_each(|event| want.taken(event));
            came += more.iter().map(lines).sum::<usize>();
        }
        assert_eq!(came, ALL);
    }

    /// Of a record that gets further lines there is one for each of them, with all before it.
    #[test]
    fn what_stands_for_now_takes_room_as_other_lines_do() {
        let lines = || vec![note("may go on".into(), "A.LOG".into())];
        assert!(bytes_of(&Event::Log(lines())) > LINE);
        assert_eq!(bytes_of(&Event::Standing(lines())), bytes_of(&Event::Log(lines())));
    }

    /// A frame may be drawn between any two of the events.
    #[test]
    fn a_line_is_never_both_among_the_others_and_as_it_stood() {
        let Followed { log, from, .. } = &followed();
        // It may go on: as it stands it is shown at once, and told a moment later.
        std::fs::write(log, "[11/30/26 12:00:00] P ==> asks\n").unwrap();
        let (mut stood, mut came, mut seen) = (0, 0, false);
        let by = Instant::now() + Duration::from_secs(60);
        while came == 0 && Instant::now() < by {
            let Ok(Incoming::Event(event)) = from.recv_timeout(Duration::from_secs(60)) else { continue };
            match &event {
                Event::Standing(lines) => stood = lines.len(),
                event => came += lines(event),
            }
            seen |= stood == 1;
            assert!(stood + came < 2, "both after {event:?}");
        }
        assert_eq!((stood, came, seen), (0, 1, true));
    }
}
