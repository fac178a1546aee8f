//! Reads keys in a thread of its own, so that neither drawing nor the executor keeps them waiting.

use super::{Incoming, send};
use crate::console::app::{Event, Moment};
use crate::console::keymap::Key;
use crate::console::term::input::Decoder;
use crate::console::threads::spawn;
use crate::host::terminal::{self, Got};
use crate::text::SafeText;
use crossterm::event::{Event as Terminal, MouseButton, MouseEvent, MouseEventKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How soon the thread notices that it is not wanted any more.
const LOOK: Duration = Duration::from_millis(250);
/// How long an Esc waits for what would make it an arrow key; on a slow line its bytes come one by one.
const ESC: Duration = Duration::from_millis(25);
const ESC_SLOW: Duration = Duration::from_millis(150);

/// Ends the thread when it is dropped.
pub struct Keys {
    stop: Arc<AtomicBool>,
    turns: Arc<Turns>,
}

/// Who reads the terminal: this thread, or a program that it was lent to.
#[derive(Default)]
struct Turns {
    state: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Default)]
struct Turn {
    lent: bool,
    reading: bool,
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, Turn> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the state, once it may be.
    fn set(&self, may: impl Fn(&Turn) -> bool, set: impl FnOnce(&mut Turn)) {
        let state = self.changed.wait_while(self.state(), |turn| !may(turn));
        set(&mut state.unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

impl Keys {
    /// Leaves the terminal's input alone while this goes on.
    pub fn lend<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.turns.set(|_| true, |turn| turn.lent = true);
        self.turns.set(|turn| !turn.reading, |_| {});
        let done = meanwhile();
        self.turns.set(|_| true, |turn| turn.lent = false);
        done
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Starts reading.
///
/// # Errors
/// The system has no more threads.
pub fn start(to: &Sender<Incoming>, slow: bool) -> std::io::Result<Keys> {
    let (to, stop) = (to.clone(), Arc::new(AtomicBool::new(false)));
    let started = Instant::now();
    let (stopped, turns) = (Arc::clone(&stop), Arc::new(Turns::default()));
    let own = Arc::clone(&turns);
    spawn("keys", move || {
        let mut decoder = Decoder::new(if slow { ESC_SLOW } else { ESC });
        let mut bytes = Vec::new();
        while !stopped.load(Ordering::SeqCst) {
            let limit = decoder.waits(Instant::now()).map_or(LOOK, |left| left.min(LOOK));
            let mut events = Vec::new();
            own.set(|turn| !turn.lent, |turn| turn.reading = true);
            let got = terminal::read(&mut bytes, limit);
            own.set(|_| true, |turn| turn.reading = false);
            match got {
                Ok(Got::Nothing) => decoder.idle(Instant::now(), &mut events),
                Ok(Got::Bytes) => decoder.feed(&bytes, Instant::now(), &mut events),
                Ok(Got::Event(event)) => events.push(event),
                Err(e) => {
                    tracing::warn!("no more keys: {e}");
                    let _ = to.send(Incoming::Gone);
                    return;
                }
            }
            bytes.clear();
            let at = started.elapsed();
            if !events.into_iter().filter_map(|event| meant(event, at)).all(|event| send(&to, event)) {
                return;
            }
        }
    })?;
    Ok(Keys { stop, turns })
}

fn meant(event: Terminal, at: Moment) -> Option<Event> {
    match event {
        Terminal::Key(key) => Key::of(key).map(|key| Event::Key(key, at)),
        Terminal::Paste(text) => Some(Event::Paste(SafeText::new(&text))),
        Terminal::Resize(width, height) => Some(Event::Resize(width, height)),
        Terminal::Mouse(mouse) => moused(mouse, at),
        _ => None,
    }
}

/// Only the left button and the wheel mean anything.
fn moused(mouse: MouseEvent, at: Moment) -> Option<Event> {
    let (x, y) = (mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Event::Click { x, y, at }),
        MouseEventKind::ScrollDown => Some(Event::Wheel { x, y, down: true }),
        MouseEventKind::ScrollUp => Some(Event::Wheel { x, y, down: false }),
        _ => None,
    }
}
