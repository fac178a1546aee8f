//! Frames go to the terminal in a thread of their own, one at a time: while a line takes its bytes the keys are read,
//! and the next frame is made of what is true once the last one has gone out. So there is never a backlog of frames.

use crate::console::threads::spawn;
use crate::host::terminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether a frame is on its way. Process-wide, since there is one terminal and it may be left from any thread.
static UNDER_WAY: Mutex<bool> = Mutex::new(false);
static GONE_OUT: Condvar = Condvar::new();
/// The terminal is being left and takes nothing: what is left of a frame is not wanted any more.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The terminal, or what is between, has it.
    Done,
    /// There is no terminal any more.
    Gone,
}

/// The way out.
pub struct Out {
    frames: SyncSender<Vec<u8>>,
    /// Bytes a second, where that is known to be little.
    rate: Option<u32>,
    /// When the last frame was begun, and when a line of that rate will have carried it.
    line: Option<(Instant, Instant)>,
}

impl Out {
    /// Starts the thread; `told` is called after each frame.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(rate: Option<u32>, told: impl Fn(Sent) + Send + 'static) -> std::io::Result<Out> {
        let (frames, taken) = sync_channel::<Vec<u8>>(1);
        spawn("out", move || {
            for frame in taken {
                let sent = terminal::write_while(&frame, || !LEAVING.load(Ordering::SeqCst));
                // A serial line's own buffer holds seconds of what it carries.
                if matches!(sent, Ok(true)) {
                    terminal::drain();
                }
                mark(false);
                told(if sent.is_ok() { Sent::Done } else { Sent::Gone });
            }
        })?;
        Ok(Out { frames, rate, line: None })
    }

    /// Whether the last frame has gone out.
    pub fn is_free(&self) -> bool {
        !*UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On a slow line: when the last frame was begun, and when the line will have carried it.
    pub fn line(&self) -> Option<(Instant, Instant)> {
        self.line
    }

    /// Sends a frame; to be called only when [`Out::is_free`].
    pub fn send(&mut self, frame: Vec<u8>, now: Instant) {
        self.line = self.rate.map(|rate| {
            let begun = self.line.map_or(now, |(_, carried)| carried.max(now));
            (begun, begun + takes(frame.len(), rate))
        });
        mark(true);
        if self.frames.send(frame).is_err() {
            mark(false);
        }
    }
}

/// How long a line takes to carry so many bytes.
fn takes(bytes: usize, rate: u32) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / u64::from(rate.max(1)))
}

fn mark(under_way: bool) {
    *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) = under_way;
    GONE_OUT.notify_all();
}

/// How long a terminal that is left may take for the frame on its way, and again for the last bytes.
const PATIENCE: Duration = Duration::from_millis(250);

/// Waits until nothing is on its way; what the terminal has not taken by then is dropped. False: something was cut off.
pub fn end() -> bool {
    let settled_by_itself = settled(PATIENCE);
    if !settled_by_itself {
        LEAVING.store(true, Ordering::SeqCst);
        settled(PATIENCE);
        LEAVING.store(false, Ordering::SeqCst);
        terminal::discard();
    }
    settled_by_itself
}

/// The last bytes before the terminal is left. What it has not taken by then is dropped, and if it takes nothing at all
/// nobody waits for it.
pub fn last(bytes: &[u8]) {
    let mut last = Vec::new();
    if !end() {
        // Whatever sequence was cut off there: CAN ends it. It may have been within a region; all of the screen is one
        // again.
        last.extend(b"\x18\x1b[r");
    }
    last.extend_from_slice(bytes);
    mark(true);
    let written = spawn("last", move || {
        let _ = terminal::write(&last);
        mark(false);
    });
    if written.is_err() {
        let _ = terminal::write(bytes);
        mark(false);
    } else {
        settled(PATIENCE);
    }
}

/// Waits until nothing is on its way; false: it still is.
fn settled(limit: Duration) -> bool {
    let under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = GONE_OUT.wait_timeout_while(under_way, limit, |under_way| *under_way);
    !*waited.unwrap_or_else(PoisonError::into_inner).0
}
